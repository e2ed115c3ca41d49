//! The format's own types, as they are met: any field may be missing, null, or of another type than Google's, and
//! none of that is fatal. Fields go by either spelling, `camelCase` or `snake_case`, and are kept by the first; those
//! that have no place here are kept as they came. Strings are borrowed from the body.

use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, MapAccess};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::json::{Fields, value_of};
use crate::lenient::{Count, Flag, Lenient, List, Text, leniently};

/// Fields that have no place of their own, without nulls.
pub(super) type Rest<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// Objects with known fields and others; anything that is no object has none.
macro_rules! open_objects {
    ($($(#[$meta:meta])* $name:ident { $($field:ident: $type:ty = $key:literal,)* })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Default)]
        pub(super) struct $name<'a> {
            $(pub $field: $type,)*
            pub rest: Rest<'a>,
        }

        impl<'de: 'a, 'a> Lenient<'de> for $name<'a> {
            fn of_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
                let mut found = Self::default();
                while let Some(Text(key)) = map.next_key()? {
                    let key = camel(key);
                    match &*key {
                        $($key => found.$field = map.next_value()?,)*
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

        impl<'de: 'a, 'a> Deserialize<'de> for $name<'a> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                leniently(deserializer)
            }
        }
    )+};
}

open_objects! {
    /// A whole answer, or a chunk of a streamed one: the two are the same.
    Chunk {
        candidates: Option<List<Candidate<'a>>> = "candidates",
        usage: Option<Usage<'a>> = "usageMetadata",
        model: Text<'a> = "modelVersion",
        id: Text<'a> = "responseId",
        error: Option<&'a RawValue> = "error",
    }
    Candidate {
        index: Count = "index",
        content: Turn<'a> = "content",
        finish: Text<'a> = "finishReason",
    }
    /// A turn of the conversation.
    Turn {
        role: Text<'a> = "role",
        parts: List<Part<'a>> = "parts",
    }
    Part {
        text: Option<Text<'a>> = "text",
        thought: Flag = "thought",
        signature: Text<'a> = "thoughtSignature",
        call: Option<Call<'a>> = "functionCall",
    }
    Call {
        id: Text<'a> = "id",
        name: Text<'a> = "name",
        args: Option<&'a RawValue> = "args",
        pieces: List<Piece<'a>> = "partialArgs",
        goes_on: Flag = "willContinue",
    }
    /// A part of streamed arguments.
    Piece {
        path: Text<'a> = "jsonPath",
        text: Option<Text<'a>> = "stringValue",
        number: Option<Value> = "numberValue",
        flag: Option<Flag> = "boolValue",
    }
    Usage {
        prompt: Count = "promptTokenCount",
        cached: Count = "cachedContentTokenCount",
        candidates: Count = "candidatesTokenCount",
        thoughts: Count = "thoughtsTokenCount",
        tool_use: Count = "toolUsePromptTokenCount",
        total: Count = "totalTokenCount",
        prompt_details: List<Detail<'a>> = "promptTokensDetails",
        cached_details: List<Detail<'a>> = "cacheTokensDetails",
        candidates_details: List<Detail<'a>> = "candidatesTokensDetails",
    }
    /// The count of one modality.
    Detail {
        modality: Text<'a> = "modality",
        count: Count = "tokenCount",
    }
}

/// A field's text; nothing where it is empty.
pub(super) fn filled(fields: &mut Fields<'_>, name: &str) -> Option<String> {
    fields.string(name).ok()?.filter(|text| !text.is_empty())
}

pub(super) fn map_of(rest: &Rest<'_>) -> Map<String, Value> {
    rest.iter().map(|(name, raw)| (name.clone().into_owned(), value(raw))).collect()
}

/// Raw JSON as a value; what cannot be read (too deep) is null.
pub(super) fn value(raw: &RawValue) -> Value {
    value_of(raw).unwrap_or_default()
}

/// The word of an enum that may come as its number, as clients of the protocol buffers write it.
pub(super) fn word<'w>(said: &'w Value, by_number: &[&'w str]) -> Option<&'w str> {
    let numbered = || by_number.get(usize::try_from(said.as_u64()?).ok()?).copied();
    said.as_str().or_else(numbered)
}

/// `snake_case` as `camelCase`.
pub(super) fn camel(name: Cow<'_, str>) -> Cow<'_, str> {
    // What begins with one is spelled so (`_responseJsonSchema`).
    if !name.contains('_') || name.starts_with('_') {
        return name;
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
