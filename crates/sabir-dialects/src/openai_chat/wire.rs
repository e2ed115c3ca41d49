//! The answers on the wire, as they are met: any field may be missing, null, or of another type than OpenAI's, and
//! none of that is fatal. Strings are borrowed from the body.

use std::borrow::Cow;

use sabir_core::ErrorKind;
use sabir_core::dialect::unreadable;
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::lenient::{Count, Lenient, List, Object, Text, leniently};

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

impl<'de: 'a, 'a> Deserialize<'de> for Body<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        leniently(deserializer)
    }
}

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
