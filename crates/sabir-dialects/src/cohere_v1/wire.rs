//! The format's own types: the frequent events of a stream, the counters, calls, citations.

use sabir_core::chat::{Citation, Content, Part};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::json::{Fields, Text, Wrong};

/// What the frequent events of a stream have. Everything else is read from [`Fields`].
#[derive(Debug, Deserialize)]
pub(super) struct StreamEvent<'a> {
    #[serde(borrow)]
    pub(super) event_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) tool_call_delta: Option<CallDelta<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CallDelta<'a> {
    #[serde(borrow)]
    pub(super) index: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) parameters: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
}

/// A call on the wire: its name, and its arguments byte for byte.
pub(super) fn read_call(call: &mut Fields<'_>) -> Result<(String, String), Wrong> {
    let name = call.need("name")?.into_owned();
    // LangChain writes its own word for it.
    let arguments = call.take("parameters").or(call.peek("args"));
    Ok((name, arguments.map_or("{}", RawValue::get).to_owned()))
}

/// A citation as a part; the documents say where it leads.
pub(super) fn citation_part(json: Value, documents: Option<&Value>) -> Part {
    let id = json["document_ids"].get(0);
    let document = documents.and_then(Value::as_array).and_then(|all| all.iter().find(|d| id == d.get("id")));
    let word = |field: &str| document.and_then(|d| d.get(field)).and_then(Value::as_str).map(str::to_owned);
    let citation = Citation {
        url: word("url"),
        title: word("title"),
        quote: word("snippet"),
        span: json["start"].as_u64().zip(json["end"].as_u64()),
        json: Value::Null,
    };
    Content::Citation(Citation { json, ..citation }).into()
}
