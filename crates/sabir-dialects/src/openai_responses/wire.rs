//! The answers on the wire. Strings are borrowed from the body; a field of another type than OpenAI's counts as
//! missing and is never fatal.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// One event of a stream, of any kind.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    pub delta: Text<'a>,
    pub output_index: Count,
    pub content_index: Count,
    pub summary_index: Count,
    pub item: Option<&'a RawValue>,
    pub part: Option<&'a RawValue>,
    pub annotation: Option<&'a RawValue>,
    pub response: Option<&'a RawValue>,
    pub error: Option<&'a RawValue>,
}

/// A whole answer: its fields by name, each still to be read.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Answer<'a>(#[serde(borrow)] pub BTreeMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Answer<'a> {
    /// A field, if it is there, is not null, and is what is wanted.
    pub(super) fn get<T: Deserialize<'a>>(&self, name: &str) -> Option<T> {
        let raw = self.0.get(name)?.get();
        if raw == "null" { None } else { serde_json::from_str(raw).ok() }
    }

    /// A string; empty where there is none.
    pub(super) fn text(&self, name: &str) -> Text<'a> {
        self.get(name).unwrap_or_default()
    }
}

/// The counters, of which any may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Usage<'a> {
    pub input_tokens: Count,
    pub output_tokens: Count,
    pub input_tokens_details: Option<Details>,
    pub output_tokens_details: Option<Details>,
    pub num_server_side_tools_used: Count,
    pub cost_in_usd_ticks: Count,
    #[serde(borrow)]
    pub cost: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the wire's names")]
pub(super) struct Details {
    pub cached_tokens: Count,
    pub cache_write_tokens: Count,
    pub audio_tokens: Count,
    pub image_tokens: Count,
    pub reasoning_tokens: Count,
}

/// A string; anything else counts as empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Text<'a>(pub Cow<'a, str>);

/// A counter; null, negative and anything that is no number is unknown.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count(pub Option<u64>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// The visits of what means nothing.
macro_rules! nothing {
    ($nothing:expr; $($visit:ident: $type:ty),*) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any JSON")
        }
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok($nothing)
        }
        $(fn $visit<E: Error>(self, _: $type) -> Result<Self::Value, E> {
            Ok($nothing)
        })*
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            IgnoredAny.visit_map(map).map(|_| $nothing)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
            IgnoredAny.visit_seq(seq).map(|_| $nothing)
        }
    };
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    nothing!(Text::default(); visit_bool: bool, visit_u64: u64, visit_i64: i64, visit_f64: f64);
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Borrowed(text)))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct CountVisitor;

impl<'de> Visitor<'de> for CountVisitor {
    type Value = Count;

    nothing!(Count(None); visit_bool: bool, visit_i64: i64, visit_str: &str);
    fn visit_u64<E: Error>(self, value: u64) -> Result<Count, E> {
        Ok(Count(Some(value)))
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
    fn visit_f64<E: Error>(self, value: f64) -> Result<Count, E> {
        Ok(Count((0.0..1e15).contains(&value).then_some(value as u64)))
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountVisitor)
    }
}

/// A string field of an item.
pub(super) fn text_in<'v>(json: &'v Value, field: &str) -> Option<&'v str> {
    json.get(field).and_then(Value::as_str)
}
