//! Requests as a server reads them.

use sabir_core::chat::{ChatRequest, Content, Message, Part, Role, Tool, ToolResult};
use sabir_core::dialect::Asked;
use sabir_core::{Result, Sink};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{NAME, part};
use crate::json::{Fields, Wrong, string_of, text_of, value_of};
use crate::openai::read_format;
use crate::openai_answer::read_settings;
use crate::openai_reasoning::read_reasoning;
use crate::openai_tools::{read_choice, read_function, read_mark, read_nested};
use crate::reasoning_details::Thoughts;

pub(super) fn accept(asked: Asked<'_>) -> Result<ChatRequest> {
    Fields::of_request(asked.body).and_then(|fields| read_request(fields, asked.path).map_err(|e| e.invalid()))
}

fn read_request(mut fields: Fields<'_>, path: &str) -> Result<ChatRequest, Wrong> {
    // Where a server has one model an address, clients leave it out or put it in the path.
    let model = fields.string("model")?.filter(|model| !model.is_empty());
    let mut request = ChatRequest::new(model.unwrap_or_else(|| model_in(path).to_owned()));
    let messages = &mut request.messages;
    fields.each("messages", |json| read_message(json, messages).map(|message| messages.push(message)))?;
    if request.messages.is_empty() {
        return Err(Wrong::new("messages: is missing or empty; it must hold at least one message"));
    }
    fields.each("tools", |json| read_nested(json, NAME).map(|tool| request.tools.push(tool)))?;
    fields.each("functions", |json| {
        read_function(&mut Fields::read(json, true)?, NAME).map(|tool| request.tools.push(Tool::Function(tool)))
    })?;
    let choice = fields.understood("tool_choice", read_choice);
    request.tool_choice = choice.or_else(|| fields.understood("function_call", read_choice));
    request.parallel_tool_calls = fields.get("parallel_tool_calls")?;
    read_settings(&mut fields, &mut request)?;
    request.response_format = fields.understood("response_format", read_format);
    request.reasoning = read_reasoning(&mut fields)?;
    request.metadata = fields.typed("metadata").unwrap_or_default();
    request.cache_key = fields.string("prompt_cache_key")?;
    request.cache = fields.understood("cache_control", read_mark);
    request.options = fields.meta(NAME)?;
    Ok(request)
}

/// Azure's `/deployments/NAME/chat/completions`, Hugging Face's `/models/OWNER/NAME/v1/chat/completions`.
fn model_in(path: &str) -> &str {
    let after = ["/deployments/", "/models/"].iter().find_map(|mark| path.split_once(mark).map(|(_, rest)| rest));
    let name = after.and_then(|rest| rest.split_once("/v1/chat/").or_else(|| rest.split_once("/chat/")));
    name.map_or("", |(name, _)| name)
}

fn read_message(json: &RawValue, before: &[Message]) -> Result<Message, Wrong> {
    let mut fields = Fields::read(json, true)?;
    let role = Role::from(&*fields.need("role")?);
    let is_model = role == Role::Assistant;
    let content = fields.take("content").map(|json| read_content(json, is_model)).transpose();
    let content = content.map_err(|e| e.within("content"))?.unwrap_or_default();
    let (name, call_id) = (fields.string("name")?, fields.string("tool_call_id")?);
    let cache = fields.understood("cache_control", read_mark);
    if role == Role::Tool || role == Role::Other("function".to_owned()) {
        let call_id = call_id.filter(|id| !id.is_empty()).unwrap_or_else(|| last_call(before, name.as_deref()));
        let result = ToolResult { call_id, name, parts: content, is_error: false };
        let part = Part { cache, ..Content::ToolResult(result).into() };
        return Ok(Message { meta: fields.meta(NAME)?, ..Message::new(Role::Tool, [part]) });
    }
    let mut parts = if is_model { read_thoughts(&mut fields) } else { Vec::new() };
    parts.extend(content);
    if is_model && let Some(text) = fields.string("refusal")?.filter(|text| !text.is_empty()) {
        parts.push(Content::Refusal { text }.into());
    }
    fields.each("tool_calls", |json| read_call(json).map(|call| parts.push(call)))?;
    // Results find the call by its name: a number will do for an id.
    let made = || format!("call_{}", before.len());
    parts.extend(fields.inside("function_call", |function| read_inner(made(), function, "arguments"))?);
    // A mark on the message is one on its last part.
    if let Some(last) = parts.last_mut().filter(|last| last.cache.is_none()) {
        last.cache = cache;
    }
    Ok(Message { name, meta: fields.meta(NAME)?, ..Message::new(role, parts) })
}

/// The id of the latest call to a function of this name: results of the deprecated kind name it only.
fn last_call(before: &[Message], name: Option<&str>) -> String {
    let mut calls = before.iter().rev().flat_map(|message| message.parts.iter().rev());
    let found = calls.find_map(|part| match &part.content {
        Content::ToolCall(call) if name.is_none_or(|name| call.name == name) => Some(call.id.clone()),
        _ => None,
    });
    found.unwrap_or_default()
}

fn read_content(json: &RawValue, is_model: bool) -> Result<Vec<Part>, Wrong> {
    Ok(match value_of(json)? {
        // The model's empty text beside its calls says nothing.
        Value::String(text) if text.is_empty() && is_model => Vec::new(),
        Value::Array(items) => items.into_iter().map(part::read).collect(),
        item @ (Value::String(_) | Value::Object(_)) => vec![part::read(item)],
        _ => return Err(Wrong::new(": must be a string or a list of parts")),
    })
}

/// Reasoning as it was answered: the text of one field, and the details as they came.
fn read_thoughts(fields: &mut Fields<'_>) -> Vec<Part> {
    let texts = ["reasoning_content", "reasoning"].map(|key| fields.take_if(key, string_of));
    let text = texts.into_iter().flatten().find(|text| !text.is_empty()).unwrap_or_default();
    let (mut sink, mut thoughts) = (Sink::whole(), Thoughts::default());
    thoughts.tell(&text, fields.typed("reasoning_details").unwrap_or_default(), NAME, &mut sink);
    thoughts.flush(NAME, &mut sink);
    sink.into_response().parts
}

fn read_call(json: &RawValue) -> Result<Part, Wrong> {
    let mut fields = Fields::read(json, true)?;
    let is_custom = fields.peek("custom").is_some() && fields.peek("function").is_none();
    let (kind, arguments) = if is_custom { ("custom", "input") } else { ("function", "arguments") };
    let id = fields.take("id").map(text_of).unwrap_or_default();
    let part = fields.inside(kind, |inner| read_inner(id, inner, arguments))?;
    let mut part = part.ok_or_else(|| Wrong::new(format!("{kind}: is missing")))?;
    part.cache = fields.understood("cache_control", read_mark);
    // A number that a stream's fragments had; the order says it.
    fields.take("index");
    if !is_custom {
        fields.take("type");
    }
    part.meta = fields.meta(NAME)?;
    Ok(part)
}

/// What is called: its name, and its arguments under their own.
fn read_inner(id: String, inner: &mut Fields<'_>, arguments: &str) -> Result<Part, Wrong> {
    let arguments = inner.take(arguments).map(text_of).unwrap_or_default();
    Ok(Part::tool_call(id, inner.need("name")?, arguments))
}
