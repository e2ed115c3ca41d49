//! The events on the wire. Strings are borrowed from the body; a field of another type than OpenAI's counts as missing
//! and is never fatal.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::lenient::{Count, Text, lenient_objects};

lenient_objects! {
    /// One event, of any kind.
    Event {
        #[serde(rename = "type")]
        kind: Text<'a>,
        delta: Text<'a>,
        output_index: Count,
        content_index: Count,
        summary_index: Count,
        item: Option<&'a RawValue>,
        part: Option<&'a RawValue>,
        annotation: Option<&'a RawValue>,
        response: Option<&'a RawValue>,
        error: Option<&'a RawValue>,
    }
}

/// A string field of an item.
pub(super) fn text_in<'v>(json: &'v Value, field: &str) -> Option<&'v str> {
    json.get(field)?.as_str()
}
