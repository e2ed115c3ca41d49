//! The events on the wire. Strings are borrowed from the body; a field of another type than OpenAI's counts as missing
//! and is never fatal.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::lenient::{Count, Text};

/// One event, of any kind.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    pub(super) delta: Text<'a>,
    pub(super) output_index: Count,
    pub(super) content_index: Count,
    pub(super) summary_index: Count,
    pub(super) item: Option<&'a RawValue>,
    pub(super) part: Option<&'a RawValue>,
    pub(super) annotation: Option<&'a RawValue>,
    pub(super) response: Option<&'a RawValue>,
    pub(super) error: Option<&'a RawValue>,
}

/// A string field of an item.
pub(super) fn text_in<'v>(json: &'v Value, field: &str) -> Option<&'v str> {
    json.get(field)?.as_str()
}
