//! The format's own types, as they are met: any field may be missing, null, or of another type than Google's, and
//! none of that is fatal. Fields go by either spelling, `camelCase` or `snake_case`; those that have no place here
//! are kept as they came. Strings are borrowed from the body.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// Fields that have no place of their own, by their names on the wire; nulls are left out.
pub(super) type Rest<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// An object with known fields and others.
macro_rules! open_objects {
    ($($(#[$meta:meta])* $name:ident { $($field:ident: $type:ty = $key:literal $(| $alias:literal)*,)* })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Default)]
        pub(super) struct $name<'a> {
            $(pub $field: $type,)*
            pub rest: Rest<'a>,
        }

        impl<'de: 'a, 'a> Deserialize<'de> for $name<'a> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Fields<'a>(PhantomData<&'a ()>);
                impl<'de: 'a, 'a> Visitor<'de> for Fields<'a> {
                    type Value = $name<'a>;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("an object")
                    }
                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                        let mut found = $name::default();
                        while let Some(Text(key)) = map.next_key()? {
                            match &*key {
                                $($key $(| $alias)* => found.$field = map.next_value()?,)*
                                _ => {
                                    let raw: &'de RawValue = map.next_value()?;
                                    if raw.get() != "null" {
                                        found.rest.push((key, raw));
                                    }
                                }
                            }
                        }
                        Ok(found)
                    }
                }
                deserializer.deserialize_map(Fields(PhantomData))
            }
        }
    )+};
}

open_objects! {
    /// A whole answer, or a chunk of a streamed one: the two are the same.
    Chunk {
        candidates: Option<List<Candidate<'a>>> = "candidates",
        feedback: Option<&'a RawValue> = "promptFeedback" | "prompt_feedback",
        usage: Object<Usage<'a>> = "usageMetadata" | "usage_metadata",
        model: Text<'a> = "modelVersion" | "model_version",
        id: Text<'a> = "responseId" | "response_id",
        error: Option<&'a RawValue> = "error",
    }
    Candidate {
        index: Count = "index",
        content: Object<Turn<'a>> = "content",
        finish: Text<'a> = "finishReason" | "finish_reason",
    }
    /// A turn of the conversation.
    Turn {
        role: Text<'a> = "role",
        parts: List<Part<'a>> = "parts",
    }
    Part {
        text: Option<Text<'a>> = "text",
        thought: Flag = "thought",
        signature: Text<'a> = "thoughtSignature" | "thought_signature",
        call: Object<Call<'a>> = "functionCall" | "function_call",
    }
    Call {
        id: Text<'a> = "id",
        name: Text<'a> = "name",
        args: Option<&'a RawValue> = "args",
        pieces: List<Piece<'a>> = "partialArgs" | "partial_args",
        goes_on: Flag = "willContinue" | "will_continue",
    }
    /// A part of streamed arguments.
    Piece {
        path: Text<'a> = "jsonPath" | "json_path",
        text: Option<Text<'a>> = "stringValue" | "string_value",
        number: Option<Value> = "numberValue" | "number_value",
        flag: Option<Flag> = "boolValue" | "bool_value",
    }
    /// The answer to a call.
    Output {
        id: Text<'a> = "id",
        name: Text<'a> = "name",
        response: Option<&'a RawValue> = "response",
        parts: List<Part<'a>> = "parts",
    }
    Blob {
        mime: Text<'a> = "mimeType" | "mime_type",
        data: Text<'a> = "data",
        name: Text<'a> = "displayName" | "display_name",
    }
    File {
        mime: Text<'a> = "mimeType" | "mime_type",
        uri: Text<'a> = "fileUri" | "file_uri",
        name: Text<'a> = "displayName" | "display_name",
    }
    Usage {
        prompt: Count = "promptTokenCount" | "prompt_token_count",
        cached: Count = "cachedContentTokenCount" | "cached_content_token_count",
        candidates: Count = "candidatesTokenCount" | "candidates_token_count",
        thoughts: Count = "thoughtsTokenCount" | "thoughts_token_count",
        tool_use: Count = "toolUsePromptTokenCount" | "tool_use_prompt_token_count",
        total: Count = "totalTokenCount" | "total_token_count",
        prompt_details: List<Detail<'a>> = "promptTokensDetails" | "prompt_tokens_details",
        cached_details: List<Detail<'a>> = "cacheTokensDetails" | "cache_tokens_details",
        candidates_details: List<Detail<'a>> = "candidatesTokensDetails" | "candidates_tokens_details",
    }
    /// The count of one modality.
    Detail {
        modality: Text<'a> = "modality",
        count: Count = "tokenCount" | "token_count",
    }
    /// Any object, field by field.
    Any {}
}

/// A string; a number (an enum as an integer) is its digits, and anything else is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Text<'a>(pub Cow<'a, str>);

/// A counter: a number, or a string of digits as 64-bit integers are written. Anything else is unknown.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count(pub Option<u64>);

/// `true`, or anything else.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flag(pub bool);

/// An object; anything else counts as missing.
#[derive(Debug)]
pub(super) struct Object<T>(pub Option<T>);

/// A list; an object is a list of one, anything else is empty.
#[derive(Debug)]
pub(super) struct List<T>(pub Vec<T>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// `Deserialize` and its visitor; what is of no type that the given visits take is `$nothing`.
macro_rules! lenient {
    ([$($generics:tt)*] $type:ty, $visitor:ident $(<$param:ident>)?, $nothing:expr,
        [$($visit:ident: $scalar:ty),*], { $($visits:tt)* }) => {
        struct $visitor $(<$param>(PhantomData<$param>))?;

        impl<$($generics)*> Deserialize<'de> for $type {
            fn deserialize<DE: Deserializer<'de>>(deserializer: DE) -> Result<Self, DE::Error> {
                deserializer.deserialize_any($visitor $(::<$param>(PhantomData))?)
            }
        }

        impl<$($generics)*> Visitor<'de> for lenient!(@visitor $visitor $(<$param>)?; $type) {
            type Value = $type;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON")
            }
            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok($nothing)
            }
            $(fn $visit<E: Error>(self, _: $scalar) -> Result<Self::Value, E> {
                Ok($nothing)
            })*
            $($visits)*
        }
    };
    (@visitor $visitor:ident; $type:ty) => { $visitor };
    (@visitor $visitor:ident <$param:ident>; $type:ty) => { $visitor<$param> };
}

/// Visits that read a list or an object, and drop it.
macro_rules! no_containers {
    ($nothing:expr) => {
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            IgnoredAny.visit_map(map).map(|_| $nothing)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
            IgnoredAny.visit_seq(seq).map(|_| $nothing)
        }
    };
}

struct TextVisitor<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor(PhantomData))
    }
}

impl<'de: 'a, 'a> Visitor<'de> for TextVisitor<'a> {
    type Value = Text<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Borrowed(text)))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(value.to_string())))
    }
    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Text::default())
    }
    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Text::default())
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Text::default())
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Text::default())
    }
    no_containers!(Text::default());
}

lenient!(['de] Count, CountVisitor, Count(None), [visit_bool: bool, visit_i64: i64], {
    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Count(Some(value)))
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Count((0.0..1e15).contains(&value).then_some(value as u64)))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Count(text.parse().ok()))
    }
    no_containers!(Count(None));
});

lenient!(['de] Flag, FlagVisitor, Flag(false), [visit_u64: u64, visit_i64: i64, visit_f64: f64, visit_str: &str], {
    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Flag(value))
    }
    no_containers!(Flag(false));
});

lenient!(['de, T: Deserialize<'de>] Object<T>, ObjectVisitor<T>, Object(None),
    [visit_bool: bool, visit_u64: u64, visit_i64: i64, visit_f64: f64, visit_str: &str], {
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|value| Object(Some(value)))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        IgnoredAny.visit_seq(seq).map(|_| Object(None))
    }
});

lenient!(['de, T: Deserialize<'de>] List<T>, ListVisitor<T>, List::default(),
    [visit_bool: bool, visit_u64: u64, visit_i64: i64, visit_f64: f64, visit_str: &str], {
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|value| List(vec![value]))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        // What is no object in a list of objects says nothing.
        while let Some(item) = seq.next_element::<Object<T>>()? {
            list.extend(item.0);
        }
        Ok(List(list))
    }
});

/// A JSON object, written field by field in the order given.
#[derive(Debug)]
pub(super) struct Writer(String);

impl Writer {
    pub(super) fn new() -> Self {
        Self("{".to_owned())
    }

    /// A field whose value is JSON text already.
    pub(super) fn raw(&mut self, name: &str, json: &str) -> &mut Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&text(name));
        self.0.push(':');
        self.0.push_str(json);
        self
    }

    pub(super) fn field(&mut self, name: &str, value: &(impl Serialize + ?Sized)) -> &mut Self {
        self.raw(name, &text(value))
    }

    pub(super) fn some(&mut self, name: &str, value: Option<impl Serialize>) -> &mut Self {
        if let Some(value) = value {
            self.field(name, &value);
        }
        self
    }

    pub(super) fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// A value as JSON text.
pub(super) fn text(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("strings, numbers and JSON values can always be written")
}

/// A list of JSON texts.
pub(super) fn list(items: &[String]) -> String {
    format!("[{}]", items.join(","))
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

/// Raw JSON as a value; what cannot be read (too deep) is null.
pub(super) fn value(raw: &RawValue) -> Value {
    serde_json::from_str(raw.get()).unwrap_or_default()
}

/// `snake_case` as `camelCase`.
pub(super) fn camel(name: &str) -> Cow<'_, str> {
    if !name.contains('_') {
        return Cow::Borrowed(name);
    }
    let mut words = name.split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    Cow::Owned(out)
}
