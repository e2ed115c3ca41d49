//! The answers on the wire, as they are met: any field may be missing, null, or of another type than OpenAI's, and
//! none of that is fatal. Strings are borrowed from the body.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use sabir_core::ErrorKind;
use sabir_core::dialect::unreadable;
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Number, Value};

/// A whole answer, or a chunk of a streamed one: the two differ in `message` and `delta` only.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Chunk<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    pub model: Text<'a>,
    pub choices: Option<List<Choice<'a>>>,
    pub usage: Object<Usage<'a>>,
    pub created: Count,
    pub system_fingerprint: Text<'a>,
    pub service_tier: Text<'a>,
    pub error: Option<&'a RawValue>,
    /// Groq's older place for the usage.
    pub x_groq: Object<Groq<'a>>,
    /// Perplexity's sources.
    pub citations: Option<&'a RawValue>,
    pub search_results: Option<&'a RawValue>,
    /// `MiniMax`'s errors ride on a 200.
    pub base_resp: Object<BaseResponse<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice<'a> {
    pub index: Count,
    #[serde(borrow)]
    pub delta: Object<Message<'a>>,
    pub message: Object<Message<'a>>,
    pub finish_reason: Option<Text<'a>>,
    pub logprobs: Option<&'a RawValue>,
    pub error: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub content: Body<'a>,
    pub refusal: Text<'a>,
    pub reasoning_content: Text<'a>,
    pub reasoning: Text<'a>,
    pub reasoning_details: List<Value>,
    pub tool_calls: List<Call<'a>>,
    pub function_call: Object<Function<'a>>,
    pub annotations: List<Value>,
    pub audio: Object<Audio<'a>>,
    pub images: List<Value>,
    pub extra_content: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Call<'a> {
    pub index: Count,
    #[serde(borrow)]
    pub id: Text<'a>,
    pub function: Object<Function<'a>>,
    pub custom: Object<Custom<'a>>,
    pub extra_content: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Function<'a> {
    #[serde(borrow)]
    pub name: Text<'a>,
    pub arguments: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Custom<'a> {
    #[serde(borrow)]
    pub name: Text<'a>,
    pub input: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Audio<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    pub data: Text<'a>,
    pub transcript: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Groq<'a> {
    #[serde(borrow)]
    pub usage: Object<Usage<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BaseResponse<'a> {
    #[serde(borrow)]
    pub status_code: Text<'a>,
    pub status_msg: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Usage<'a> {
    pub prompt_tokens: Count,
    pub completion_tokens: Count,
    pub total_tokens: Count,
    pub prompt_tokens_details: Object<Details>,
    pub completion_tokens_details: Object<Details>,
    pub prompt_cache_hit_tokens: Count,
    pub cached_tokens: Count,
    pub num_cached_tokens: Count,
    pub cache_creation_input_tokens: Count,
    pub reasoning_tokens: Count,
    pub num_search_queries: Count,
    pub server_tool_use_details: Object<ServerTools>,
    #[serde(borrow)]
    pub cost: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the names are the wire's")]
pub(super) struct Details {
    pub cached_tokens: Count,
    pub cache_write_tokens: Count,
    pub audio_tokens: Count,
    pub image_tokens: Count,
    pub reasoning_tokens: Count,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ServerTools {
    pub web_search_requests: Count,
}

/// A string or number as text; a list or object is its JSON text (arguments as an object), anything else is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Text<'a>(pub Cow<'a, str>);

/// A counter; null, negative and anything that is no number is unknown.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count(pub Option<u64>);

/// An object; anything else counts as missing.
#[derive(Debug)]
pub(super) struct Object<T>(pub Option<Box<T>>);

/// A list; anything else counts as empty.
#[derive(Debug)]
pub(super) struct List<T>(pub Vec<T>);

/// A message's content: a string, a list of parts, or one part.
#[derive(Debug, Default)]
pub(super) enum Body<'a> {
    #[default]
    Empty,
    Text(Cow<'a, str>),
    Parts(Vec<Value>),
}

impl Body<'_> {
    /// Whether nothing is said.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Text(text) => text.is_empty(),
            Self::Parts(parts) => parts.is_empty(),
        }
    }
}

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

/// What can be made of any JSON value; nothing, unless an implementation says otherwise.
trait Lenient<'de>: Default {
    fn of_text(_: Cow<'de, str>) -> Self {
        Self::default()
    }
    fn of_number(_: Number) -> Self {
        Self::default()
    }
    fn of_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        IgnoredAny.visit_map(map).map(|_| Self::default())
    }
    fn of_list<A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        IgnoredAny.visit_seq(list).map(|_| Self::default())
    }
}

impl<'de> Lenient<'de> for Text<'de> {
    fn of_text(text: Cow<'de, str>) -> Self {
        Self(text)
    }
    fn of_number(number: Number) -> Self {
        Self(number.to_string().into())
    }
    fn of_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        let value = Value::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Self(value.to_string().into()))
    }
    fn of_list<A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        let value = Value::deserialize(SeqAccessDeserializer::new(list))?;
        Ok(Self(value.to_string().into()))
    }
}

impl Lenient<'_> for Count {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
    fn of_number(number: Number) -> Self {
        let whole = || number.as_f64().filter(|n| (0.0..1e15).contains(n)).map(|n| n as u64);
        Self(number.as_u64().or_else(whole))
    }
}

impl<'de, T: Deserialize<'de>> Lenient<'de> for Object<T> {
    fn of_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        Box::deserialize(MapAccessDeserializer::new(map)).map(|value| Self(Some(value)))
    }
}

impl<'de, T: Deserialize<'de>> Lenient<'de> for List<T> {
    fn of_list<A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(Self)
    }
}

impl<'de> Lenient<'de> for Body<'de> {
    fn of_text(text: Cow<'de, str>) -> Self {
        Self::Text(text)
    }
    fn of_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(map)).map(|part| Self::Parts(vec![part]))
    }
    fn of_list<A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(Self::Parts)
    }
}

struct Any<T>(PhantomData<T>);

impl<'de, T: Lenient<'de>> Visitor<'de> for Any<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<T, E> {
        Ok(T::of_text(Cow::Borrowed(text)))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok(T::of_text(Cow::Owned(text.to_owned())))
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        Ok(T::of_number(number.into()))
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        Ok(T::of_number(number.into()))
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        Ok(Number::from_f64(number).map(T::of_number).unwrap_or_default())
    }
    fn visit_bool<E: Error>(self, _: bool) -> Result<T, E> {
        Ok(T::default())
    }
    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::default())
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::of_map(map)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::of_list(list)
    }
}

macro_rules! deserialize_leniently {
    ($([$($generics:tt)*] $type:ty),+) => {
        $(impl<$($generics)*> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Any(PhantomData))
            }
        })+
    };
}

deserialize_leniently!(
    ['de: 'a, 'a] Text<'a>, ['de: 'a, 'a] Body<'a>, ['de] Count,
    ['de, T: Deserialize<'de>] Object<T>, ['de, T: Deserialize<'de>] List<T>
);

/// An answer or a chunk of one. One look at the bytes as text is cheaper than one at each string in them.
pub(super) fn read<'a>(what: &str, data: &'a [u8]) -> sabir_core::Result<Box<Chunk<'a>>> {
    let text = std::str::from_utf8(data)
        .map_err(|_| sabir_core::Error::new(ErrorKind::Decode, format!("{what} is not UTF-8, which JSON has to be")))?;
    let read: Object<Chunk<'a>> = serde_json::from_str(text).map_err(|e| unreadable(what, &e))?;
    read.0.ok_or_else(|| {
        let message = format!("{what} is JSON, but no object, which is not what this dialect sends");
        sabir_core::Error::new(ErrorKind::Decode, message)
    })
}
