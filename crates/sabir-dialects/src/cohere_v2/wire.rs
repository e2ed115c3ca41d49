//! The format's own types: the frequent events of a stream, the counters, the sources.

use sabir_core::chat::{Citation, Content, Part};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::NAME;
use crate::json::{Text, Wrong, value_of};
use crate::lenient::{Count, List};
use crate::shared::opaque;

/// What the frequent events have: more of a text, thought or arguments. Everything else is read field by field.
#[derive(Debug, Deserialize)]
pub(super) struct StreamEvent<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Option<Text<'a>>,
    #[serde(default)]
    pub(super) index: Count,
    #[serde(borrow)]
    pub(super) delta: Option<Delta<'a>>,
    #[serde(borrow)]
    pub(super) logprobs: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Delta<'a> {
    #[serde(borrow)]
    pub(super) message: Option<Message<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) content: Option<Piece<'a>>,
    #[serde(borrow, default)]
    pub(super) tool_calls: List<CallPiece<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CallPiece<'a> {
    #[serde(borrow)]
    pub(super) function: Option<Piece<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Piece<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) thinking: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) arguments: Option<Text<'a>>,
}

/// The plan before the calls, as a part.
pub(super) fn plan_part(plan: &str) -> Part {
    opaque(NAME, json!({"type": "tool_plan", "tool_plan": plan}))
}

/// The plan that a part is.
pub(super) fn plan_of(json: &Value) -> Option<&str> {
    (json["type"] == "tool_plan").then(|| json["tool_plan"].as_str())?
}

/// A citation as a part.
pub(super) fn read_citation(json: &RawValue) -> Result<Part, Wrong> {
    let json = value_of(json)?;
    let source = json["sources"].get(0).map(|source| &source["document"]).filter(|d| d.is_object());
    let source = source.or_else(|| json["sources"].get(0).map(|source| &source["tool_output"]));
    let word = |field: &str| source.and_then(|s| s.get(field)).and_then(Value::as_str).map(str::to_owned);
    let citation = Citation {
        url: word("url"),
        title: word("title"),
        quote: word("snippet"),
        span: json["start"].as_u64().zip(json["end"].as_u64()),
        json: Value::Null,
    };
    Ok(Content::Citation(Citation { json, ..citation }).into())
}

/// A citation as this dialect writes it: its own as it came, another's by what is known of it.
pub(super) fn citation_json(citation: &Citation, content_index: Option<usize>) -> Value {
    if citation.json["sources"].is_array() {
        return citation.json.clone();
    }
    let mut document = Map::new();
    for (key, value) in [("title", &citation.title), ("url", &citation.url), ("snippet", &citation.quote)] {
        if let Some(value) = value {
            document.insert(key.to_owned(), value.clone().into());
        }
    }
    let mut source = json!({"type": "document", "document": document});
    if let Some(url) = &citation.url {
        source["id"] = url.clone().into();
    }
    let mut json = json!({"sources": [source], "type": "TEXT_CONTENT"});
    if let Some((start, end)) = citation.span {
        json["start"] = start.into();
        json["end"] = end.into();
    }
    if let Some(index) = content_index {
        json["content_index"] = index.into();
    }
    json
}
