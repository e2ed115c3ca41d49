//! The parts of a message's content, and calls, in this dialect's JSON, both ways.

use sabir_core::chat::{Content, Part, ToolCall};
use serde_json::{Value, json};

use super::NAME;
use crate::openai::read_citation;
use crate::openai_content::{content_of, write_nested};
use crate::openai_tools::read_mark;
use crate::shared::{Losses, opaque, plain_text};

/// Fields that were read into a part, or have a place of their own in it.
const PLACED: &[&str] =
    &["type", "detail", "reasoning_details", "message", "transcript", "id", "document_name", "file_id"];

/// A part as a client or a server sends it. What is of no known shape is kept as it is: whoever reads it may know it.
pub(super) fn read(json: Value) -> Part {
    if let Value::String(text) = json {
        return Part::text(text);
    }
    let Some(content) = content_of(&json, true) else { return opaque(NAME, json) };
    let mut part = Part::from(content);
    let said = json["type"].as_str().map(|kind| if kind == "output_text" { "text" } else { kind });
    if let Some(detail) = json["image_url"].get("detail") {
        part.meta.set(NAME, "detail", detail.clone());
    }
    let fields = json.as_object().into_iter().flatten();
    for (field, value) in fields.filter(|(field, value)| !value.is_null() && Some(field.as_str()) != said) {
        match read_mark(value).filter(|_| field == "cache_control") {
            Some(mark) => part.cache = Some(mark),
            None if PLACED.contains(&field.as_str()) => {}
            None => part.meta.set(NAME, field, value.clone()),
        }
    }
    part
}

/// A part of the content; `None`, and a loss, for what it cannot carry. `by_url`: documents go by their address.
pub(super) fn write(part: &Part, by_url: bool, path: &str, losses: &mut Losses) -> Option<Value> {
    match &part.content {
        Content::Opaque { dialect, json } if dialect == NAME => return Some(json.clone()),
        Content::Document(document) if plain_text(document).is_some() => {
            let text = losses.words(path.to_owned(), &part.content)?;
            return Some(json!({"type": "text", "text": text}));
        }
        _ => {}
    }
    let mut json = write_nested(&part.content, by_url, path, losses)?;
    if let (Content::Image(_), Some(detail)) = (&part.content, part.meta.get(NAME, "detail")) {
        json["image_url"]["detail"] = detail.clone();
    }
    add_meta(&mut json, part);
    Some(json)
}

/// The fields that a client put beside the known ones.
fn add_meta(json: &mut Value, part: &Part) {
    let Some(fields) = json.as_object_mut() else { return };
    let more = part.meta.of(NAME).into_iter().flatten();
    for (field, value) in more.filter(|(field, _)| !PLACED.contains(&field.as_str())) {
        fields.entry(field).or_insert_with(|| value.clone());
    }
}

/// A call, as requests and answers hold it.
pub(super) fn call(part: &Part, call: &ToolCall, is_custom: bool) -> Value {
    let mut json = call_json(&call.id, &call.name, &call.arguments, is_custom);
    add_meta(&mut json, part);
    json
}

/// A call of a function, or of a custom tool.
pub(super) fn call_json(id: &str, name: &str, arguments: &str, is_custom: bool) -> Value {
    if is_custom {
        json!({"id": id, "type": "custom", "custom": {"name": name, "input": arguments}})
    } else {
        json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
    }
}

/// What an answer says of a text in it: a source, or what is this dialect's alone.
pub(super) fn annotation(json: Value) -> Part {
    if json.get("url_citation").is_some() { read_citation(json) } else { opaque(NAME, json) }
}
