//! Requests as a server reads them.

use sabir_core::chat::{CacheMark, ChatRequest, Content, Message, Meta, Part, Role, ToolResult};
use sabir_core::dialect::Asked;
use sabir_core::{Result, Sink};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::NAME;
use super::item::{call_words, is_minted};
use super::request::{goes_on, instructions};
use super::tell::{Teller, keep, rest_of};
use crate::json::{Fields, Wrong, string_of, value_of};
use crate::openai::read_format;
use crate::openai_content::content_of;
use crate::openai_tools::{read_choice, read_flat};
use crate::shared::opaque;

pub(super) fn accept(asked: Asked<'_>) -> Result<ChatRequest> {
    Fields::of_request(asked.body).and_then(|fields| read_request(fields).map_err(|e| e.invalid()))
}

fn read_request(mut fields: Fields<'_>) -> Result<ChatRequest, Wrong> {
    let mut request = ChatRequest::new(fields.text("model")?.unwrap_or_default());
    let system = fields.take_if("instructions", string_of);
    let has_input = fields.peek("input").is_some();
    if let Some(text) = fields.take_if("input", string_of) {
        request.messages.push(Message::user(text));
    }
    fields.each("input", |item| {
        let message = read_item(item)?;
        match request.messages.last_mut() {
            // What the model said in one turn is one message.
            Some(last) if last.role == Role::Assistant && message.role == Role::Assistant => {
                last.parts.extend(message.parts);
            }
            _ => request.messages.push(message),
        }
        Ok(())
    })?;
    fields.each("tools", |json| read_flat(json, NAME).map(|tool| request.tools.push(tool)))?;
    request.tool_choice = fields.understood("tool_choice", read_choice);
    request.parallel_tool_calls = fields.get("parallel_tool_calls")?;
    request.max_tokens = fields.get("max_output_tokens")?;
    request.temperature = fields.get("temperature")?;
    request.top_p = fields.get("top_p")?;
    request.cache_key = fields.string("prompt_cache_key")?;
    request.user = fields.string("user")?;
    if request.user.is_none() {
        request.user = fields.string("safety_identifier")?;
    }
    request.metadata = fields.typed("metadata").unwrap_or_default();
    request.stream = fields.get("stream")?.unwrap_or_default();
    fields.inside("reasoning", |reasoning| {
        if let Some(effort) = reasoning.get("effort")? {
            request.reasoning.get_or_insert_default().effort = Some(effort);
        }
        reasoning.keep("reasoning", NAME, &mut request.options)
    })?;
    fields.inside("text", |text| {
        request.response_format = text.understood("format", read_format);
        text.keep("text", NAME, &mut request.options)
    })?;
    request.options.merge(fields.meta(NAME)?);
    if !goes_on(&request) && (!has_input || request.messages.is_empty() && system.is_none()) {
        return Err(Wrong::new("input: is missing or empty; it must be a string or a list of items"));
    }
    if let Some(text) = system {
        request.messages.insert(0, Message::system(text));
    } else if instructions(&request.messages).0.is_some() {
        // What looks like `instructions` and was an item stays one.
        request.messages[0].meta.set_form(NAME, "items", true.into());
    }
    Ok(request)
}

/// One item as a message.
fn read_item(json: &RawValue) -> Result<Message, Wrong> {
    let Value::Object(mut item) = value_of(json)? else { return Err(Wrong::new(": is not an object")) };
    if item.get("id").is_some_and(is_minted) {
        item.shift_remove("id");
        item.shift_remove("status");
    }
    let text = |field: &str| item.get(field).and_then(Value::as_str);
    let kind = match (text("type"), text("role")) {
        (Some(kind), _) => kind.to_owned(),
        (None, Some(_)) => "message".to_owned(),
        // An item_reference may go without its type.
        (None, None) if item.contains_key("id") => "item_reference".to_owned(),
        _ => return Err(Wrong::new(": has neither a type nor a role")),
    };
    match kind.as_str() {
        "message" => match text("role").map(Role::from) {
            Some(Role::Assistant) => said(item),
            Some(role) => told(role, item),
            None => Err(Wrong::new("role: is missing or no string")),
        },
        "function_call_output" | "custom_tool_call_output" => result(&kind, item),
        "function_call" | "custom_tool_call" => {
            let (_, input) = call_words(kind == "custom_tool_call");
            match ["name", input].into_iter().find(|field| item.get(*field).is_none_or(Value::is_null)) {
                Some(field) => Err(Wrong::new(format!("{field}: is missing"))),
                None => said(item),
            }
        }
        _ => said(item),
    }
}

/// What the model said, read as an answer is.
fn said(item: Map<String, Value>) -> Result<Message, Wrong> {
    // A summary that no server knows by its id came from elsewhere, and passed through here.
    let is_foreign = item.get("type").is_some_and(|kind| kind == "reasoning")
        && !["id", "encrypted_content", "content"].iter().any(|field| item.contains_key(*field));
    let mut sink = Sink::whole();
    Teller::default().item(0, item.into(), &mut sink).map_err(|e| Wrong::new(e.message()))?;
    let mut parts = sink.into_response().parts;
    parts.iter_mut().filter(|_| is_foreign).for_each(|part| part.meta = Meta::default());
    Ok(Message::new(Role::Assistant, parts))
}

/// What somebody else said.
fn told(role: Role, mut item: Map<String, Value>) -> Result<Message, Wrong> {
    let mut message = Message::new(role, read_content("content", &mut item)?);
    keep(&mut message.meta, rest_of(item, &["type", "role"]));
    Ok(message)
}

fn result(kind: &str, mut item: Map<String, Value>) -> Result<Message, Wrong> {
    let Some(Value::String(call_id)) = item.shift_remove("call_id") else {
        return Err(Wrong::new("call_id: is missing or no string"));
    };
    let parts = read_content("output", &mut item)?;
    let name = item.get("name").and_then(Value::as_str).map(str::to_owned);
    let mut part = Part::from(Content::ToolResult(ToolResult { call_id, name, parts, is_error: false }));
    if kind == "custom_tool_call_output" {
        part.meta.set(NAME, "type", "custom".into());
    }
    keep(&mut part.meta, rest_of(item, &["type", "name"]));
    Ok(Message::new(Role::Tool, [part]))
}

fn read_content(field: &str, item: &mut Map<String, Value>) -> Result<Vec<Part>, Wrong> {
    match item.shift_remove(field).unwrap_or_default() {
        Value::String(text) => Ok(vec![Part::text(text)]),
        Value::Array(pieces) => Ok(pieces.into_iter().map(read_piece).collect()),
        Value::Null => Ok(Vec::new()),
        json @ Value::Object(_) => Ok(vec![read_piece(json)]),
        _ => Err(Wrong::new(format!("{field}: is neither a string nor a list"))),
    }
}

/// A piece of content; one that is not understood stays as it is.
pub(super) fn read_piece(json: Value) -> Part {
    const KNOWN: &[&str] =
        &["type", "text", "refusal", "image_url", "file_id", "file_url", "file_data", "filename", "input_audio"];
    let Some(content) = content_of(&json, false) else { return opaque(NAME, json) };
    let Value::Object(mut fields) = json else { return content.into() };
    let mut part = Part::from(content);
    if fields.get("prompt_cache_breakpoint") == Some(&json!({"mode": "explicit"})) {
        fields.shift_remove("prompt_cache_breakpoint");
        part.cache = Some(CacheMark::default());
    }
    let rest = rest_of(fields, KNOWN);
    if !rest.is_empty() {
        part.meta.set(NAME, "content", rest.into());
    }
    part
}
