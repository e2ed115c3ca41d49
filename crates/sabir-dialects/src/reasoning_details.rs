//! Reasoning that comes as text in one field and, often beside it and with the same text, as `reasoning_details`:
//! typed pieces with signatures and sealed thoughts, which must go back as they came. They are
//! kept as metadata of the part, under the name of the dialect.

use sabir_core::Sink;
use sabir_core::chat::{Content, Meta, Part, Reasoning};
use serde_json::{Value, json};

/// The field, on the wire and of the metadata.
const FIELD: &str = "reasoning_details";

/// Gathers the details of the thought that is open.
#[derive(Debug, Default)]
pub(crate) struct Thoughts {
    open: bool,
    details: Vec<Value>,
    signature: Option<String>,
}

impl Thoughts {
    /// Tells what one message or delta says: the details' text where they have any, else the plain field's.
    pub(crate) fn tell(&mut self, plain: &str, details: Vec<Value>, dialect: &str, sink: &mut Sink) {
        if details.iter().all(|detail| text_of(detail).is_empty()) {
            self.say(plain, sink);
        }
        for detail in details.into_iter().filter(Value::is_object) {
            self.detail(detail, dialect, sink);
        }
    }

    /// More of a thought's text.
    pub(crate) fn say(&mut self, text: &str, sink: &mut Sink) {
        if !text.is_empty() {
            sink.reasoning(text);
            self.open = true;
        }
    }

    /// The signature of the open thought.
    pub(crate) fn sign(&mut self, signature: &str) {
        if !signature.is_empty() {
            self.signature = Some(signature.to_owned());
        }
    }

    /// Closes the open thought, with its signature and its details; before anything else is told.
    pub(crate) fn flush(&mut self, dialect: &str, sink: &mut Sink) {
        let open = std::mem::take(&mut self.open);
        if self.details.is_empty() && self.signature.is_none() {
            return;
        }
        if let [only] = self.details.as_mut_slice()
            && let Some(field) = ["text", "summary"].into_iter().find(|it| only["type"] == format!("reasoning.{it}"))
            && only.get(field).is_none()
            && let Some(Content::Reasoning(thought)) = sink.response().parts.last().filter(|_| open).map(|p| &p.content)
        {
            // The thought came in the plain field, its signature here: they go back together.
            only[field] = thought.text.as_str().into();
        }
        let signature = self.signature.take();
        let details = std::mem::take(&mut self.details);
        let meta = if details.is_empty() { Meta::default() } else { meta_of(details, dialect) };
        if open {
            sink.part_end(signature.as_deref(), meta);
        } else {
            let reasoning = Reasoning { signature, ..Reasoning::default() };
            sink.part(Part { meta, ..Content::Reasoning(reasoning).into() });
        }
    }

    fn detail(&mut self, detail: Value, dialect: &str, sink: &mut Sink) {
        if let Some(data) = detail["data"].as_str().filter(|data| !data.is_empty()) {
            self.flush(dialect, sink);
            let reasoning = Reasoning { encrypted: Some(data.to_owned()), ..Reasoning::default() };
            return sink.part(Part { meta: meta_of(vec![detail], dialect), ..Content::Reasoning(reasoning).into() });
        }
        let goes_on = |last: &Value| ["type", "index"].iter().all(|key| last.get(*key) == detail.get(*key));
        let goes_on = self.details.last().is_some_and(goes_on);
        if !goes_on && !self.details.is_empty() {
            // Another block of thoughts, with a signature of its own.
            self.flush(dialect, sink);
        }
        self.say(text_of(&detail), sink);
        self.sign(detail["signature"].as_str().unwrap_or_default());
        match (self.details.last_mut(), detail) {
            (Some(Value::Object(last)), Value::Object(detail)) => {
                for (key, value) in detail {
                    match (last.get_mut(&key), value) {
                        (Some(Value::String(whole)), Value::String(more)) if key == "text" || key == "summary" => {
                            whole.push_str(&more);
                        }
                        (_, Value::Null) => {}
                        (_, value) => drop(last.insert(key, value)),
                    }
                }
            }
            (_, detail) => self.details.push(detail),
        }
    }
}

/// A thought as details: as they came, or made of what is known. None for a thought in the open that has nothing but text.
pub(crate) fn details_of(
    meta: &Meta,
    text: &str,
    [signature, encrypted]: [Option<&str>; 2],
    dialect: &str,
) -> Vec<Value> {
    if let Some(Value::Array(details)) = meta.get(dialect, FIELD) {
        return details.clone();
    }
    let signed = signature.map(|it| json!({"type": "reasoning.text", "text": text, "signature": it}));
    let sealed = encrypted.map(|data| json!({"type": "reasoning.encrypted", "data": data}));
    signed.into_iter().chain(sealed).collect()
}

/// The field of details for a thought whose text goes in a field of its own, and would be read twice.
pub(crate) fn without_text(meta: &Meta, seals: [Option<&str>; 2], dialect: &str) -> Option<(&'static str, Value)> {
    let mut details = details_of(meta, "", seals, dialect);
    for fields in details.iter_mut().filter_map(Value::as_object_mut) {
        fields.retain(|field, _| field != "text" && field != "summary");
    }
    (!details.is_empty()).then(|| (FIELD, details.into()))
}

/// The text of one detail, or of a piece of a thought.
pub(crate) fn text_of(detail: &Value) -> &str {
    let mut texts = ["text", "summary"].into_iter().filter_map(|key| detail.get(key)?.as_str());
    texts.find(|text| !text.is_empty()).unwrap_or_default()
}

fn meta_of(details: Vec<Value>, dialect: &str) -> Meta {
    Meta::default().with(dialect, FIELD, details.into())
}
