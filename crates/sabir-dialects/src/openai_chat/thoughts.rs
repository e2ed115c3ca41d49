//! Reasoning that comes as text in one field and, often beside it and with the same text, as `reasoning_details`:
//! typed pieces with signatures and sealed thoughts, which must go back as they came.

use sabir_core::Sink;
use sabir_core::chat::{Content, Meta, Part, Reasoning};
use serde_json::{Map, Value, json};

use super::NAME;

/// Gathers the details of the thought that is open.
#[derive(Debug, Default)]
pub(super) struct Thoughts {
    open: bool,
    details: Vec<Map<String, Value>>,
    signature: Option<String>,
}

impl Thoughts {
    /// Tells what one message or delta says: the details' text where they have any, else the plain field's.
    pub(super) fn tell(&mut self, plain: &str, details: Vec<Value>, sink: &mut Sink) {
        if !details.iter().any(|detail| !text_of(detail).is_empty()) {
            self.say(plain, sink);
        }
        for detail in details {
            if let Value::Object(detail) = detail {
                self.detail(detail, sink);
            }
        }
    }

    /// More of a thought's text.
    pub(super) fn say(&mut self, text: &str, sink: &mut Sink) {
        if !text.is_empty() {
            sink.reasoning(text);
            self.open = true;
        }
    }

    /// The signature of the open thought.
    pub(super) fn sign(&mut self, signature: &str) {
        if !signature.is_empty() {
            self.signature = Some(signature.to_owned());
        }
    }

    /// Closes the open thought, with its signature and its details; before anything else is told.
    pub(super) fn flush(&mut self, sink: &mut Sink) {
        let open = std::mem::take(&mut self.open);
        if self.details.is_empty() && self.signature.is_none() {
            return;
        }
        if let [only] = self.details.as_mut_slice()
            && only.get("type").is_some_and(|kind| kind == "reasoning.text")
            && let Some(Content::Reasoning(thought)) = sink.response().parts.last().filter(|_| open).map(|p| &p.content)
        {
            // The thought came in the plain field, its signature here: they go back together.
            only.entry("text").or_insert_with(|| thought.text.clone().into());
        }
        let signature = self.signature.take();
        let details: Vec<Value> = self.details.drain(..).map(Value::Object).collect();
        let meta = if details.is_empty() { Meta::default() } else { meta_of(details) };
        if open {
            sink.part_end(signature.as_deref(), meta);
        } else {
            let reasoning = Reasoning { signature, ..Reasoning::default() };
            sink.part(Part { meta, ..Content::Reasoning(reasoning).into() });
        }
    }

    fn detail(&mut self, detail: Map<String, Value>, sink: &mut Sink) {
        if let Some(data) = detail.get("data").and_then(Value::as_str).filter(|data| !data.is_empty()) {
            self.flush(sink);
            let reasoning = Reasoning { encrypted: Some(data.to_owned()), ..Reasoning::default() };
            let meta = meta_of(vec![Value::Object(detail)]);
            return sink.part(Part { meta, ..Content::Reasoning(reasoning).into() });
        }
        let same = |last: &Map<String, Value>| ["type", "index"].iter().all(|key| last.get(*key) == detail.get(*key));
        let Some(last) = self.details.last_mut().filter(|last| same(last)) else {
            // Another block of thoughts, with a signature of its own.
            if !self.details.is_empty() {
                self.flush(sink);
            }
            return self.begin(detail, sink);
        };
        for (key, value) in &detail {
            match (last.get_mut(key), value) {
                (Some(Value::String(whole)), Value::String(more)) if matches!(key.as_str(), "text" | "summary") => {
                    whole.push_str(more);
                }
                (_, Value::Null) => {}
                _ => {
                    last.insert(key.clone(), value.clone());
                }
            }
        }
        self.heed(&detail, sink);
    }

    fn begin(&mut self, detail: Map<String, Value>, sink: &mut Sink) {
        self.heed(&detail, sink);
        self.details.push(detail);
    }

    fn heed(&mut self, detail: &Map<String, Value>, sink: &mut Sink) {
        let field = |name: &str| detail.get(name).and_then(Value::as_str).unwrap_or_default();
        self.say(if field("text").is_empty() { field("summary") } else { field("text") }, sink);
        self.sign(field("signature"));
    }
}

/// A part of reasoning as details: as they came, or made of what is known. `None` for a thought in the open that has
/// nothing but text.
pub(super) fn details_of(part: &Part, reasoning: &Reasoning) -> Option<Vec<Value>> {
    if let Some(Value::Array(details)) = part.meta.get(NAME, "reasoning_details") {
        return Some(details.clone());
    }
    let mut details = Vec::new();
    if let Some(signature) = &reasoning.signature {
        details.push(json!({"type": "reasoning.text", "text": reasoning.text, "signature": signature}));
    }
    if let Some(data) = &reasoning.encrypted {
        details.push(json!({"type": "reasoning.encrypted", "data": data}));
    }
    (!details.is_empty()).then_some(details)
}

/// The text of one detail.
pub(super) fn text_of(detail: &Value) -> &str {
    ["text", "summary"].iter().find_map(|key| detail.get(*key)?.as_str()).unwrap_or_default()
}

fn meta_of(details: Vec<Value>) -> Meta {
    Meta::default().with(NAME, "reasoning_details", Value::Array(details))
}
