//! Requests as a client writes them.

use sabir_core::chat::{ChatRequest, Content, Message, Part, Role, ToolResult};
use sabir_core::dialect::Encoded;
use sabir_core::{Endpoint, Feature, Result};
use serde_json::{Map, Value, json};

use super::NAME;
use super::item::{Items, extend, item_of, kept};
use crate::json::{Object, merged};
use crate::openai::{put, write_format};
use crate::openai_content::{plain, write_flat};
use crate::openai_reasoning::effort_json;
use crate::openai_tools::{write_choice, write_flat as write_tools};
use crate::shared::{Losses, need_messages, path};

pub(super) fn encode(request: &ChatRequest, endpoint: &Endpoint) -> Result<Encoded> {
    let uri = endpoint.url("/responses")?;
    let (instructions, messages) = instructions(&request.messages);
    let mut items = Items::new(&request.tools, false);
    let first = request.messages.len() - messages.len();
    for (at, message) in messages.iter().enumerate() {
        write_message(at + first, message, &mut items);
    }
    let Items { out: input, mut losses, .. } = items;
    need_messages(instructions.is_some() || !input.is_empty() || goes_on(request))?;
    let tools = write_tools(&request.tools, NAME, &mut losses);
    let mut settings = settings(request, &mut losses);
    let mut given = request.options.of(NAME).cloned().unwrap_or_default();
    for name in ["reasoning", "text"] {
        if let Some(theirs) = given.get_mut(name) {
            *theirs = merged(settings.shift_remove(name).unwrap_or_default(), theirs.take());
        }
    }
    let mut out = Vec::with_capacity(1024);
    let mut body = Object::with(&mut out, Some(&given));
    body.some("model", Some(&request.model).filter(|model| !model.is_empty())).some("instructions", instructions);
    // Where the conversation is kept by the server, nothing need be added to it.
    body.some("input", Some(&input).filter(|items| !items.is_empty() || !goes_on(request))).list("tools", &tools);
    body.meta(Some(&settings), &[]).some(endpoint.quirks.get("user_field").unwrap_or("user"), request.user.as_ref());
    body.some("prompt_cache_key", request.cache_key.as_ref()).some("stream", request.stream.then_some(true));
    body.some("metadata", Some(&request.metadata).filter(|given| !given.is_empty()));
    body.end();
    losses.absent([
        (request.top_k.is_some(), Feature::TopK, "top_k"),
        (!request.stop.is_empty(), Feature::Stop, "stop"),
        (request.seed.is_some(), Feature::Seed, "seed"),
        (request.presence_penalty.is_some(), Feature::PresencePenalty, "presence_penalty"),
        (request.frequency_penalty.is_some(), Feature::FrequencyPenalty, "frequency_penalty"),
        (request.cache.is_some(), Feature::CacheMarks, "cache"),
    ]);
    losses.options(request, NAME);
    Ok(Encoded::post_json(uri, out, losses.0))
}

/// Whether a request names something that the server keeps, and that the input adds to.
pub(super) fn goes_on(request: &ChatRequest) -> bool {
    ["previous_response_id", "conversation", "prompt"].iter().any(|name| request.options.get(NAME, name).is_some())
}

/// The text of a plain system message at the beginning, and the messages after it.
pub(super) fn instructions(messages: &[Message]) -> (Option<&str>, &[Message]) {
    if let [Message { role: Role::System, parts, name: None, meta }, rest @ ..] = messages
        && let [part] = parts.as_slice()
        && let (Some(text), None, true, true) = (part.as_text(), &part.cache, meta.is_empty(), part.meta.is_empty())
    {
        return (Some(text), rest);
    }
    (None, messages)
}

/// What a request says besides its messages and tools, in the fields that an answer repeats.
pub(super) fn settings(request: &ChatRequest, losses: &mut Losses) -> Map<String, Value> {
    let mut body = Map::new();
    put(&mut body, "tool_choice", request.tool_choice.as_ref().map(|choice| write_choice(choice, false)));
    put(&mut body, "parallel_tool_calls", request.parallel_tool_calls);
    put(&mut body, "max_output_tokens", request.max_tokens);
    put(&mut body, "temperature", request.temperature);
    put(&mut body, "top_p", request.top_p);
    put(&mut body, "reasoning", request.reasoning.as_ref().and_then(|wanted| effort_json(wanted, losses)));
    let format = request.response_format.as_ref().map(|format| json!({ "format": write_format(format, false) }));
    put(&mut body, "text", format);
    body
}

/// One message: items of the model's and of tools, and what somebody else says between them.
fn write_message(at: usize, message: &Message, items: &mut Items) {
    if message.name.is_some() {
        items.losses.lose(Feature::Names, format!("messages[{at}].name"), "not in this dialect");
    }
    let mut content = Vec::new();
    for (n, part) in message.parts.iter().enumerate() {
        let path = path(at, n);
        let is_item = match &part.content {
            // Only the model says these, whoever seems to.
            Content::ToolCall(_) | Content::Reasoning(_) | Content::ServerToolUse(_) | Content::ServerToolResult(_) => {
                true
            }
            Content::Opaque { .. } if message.role == Role::Tool => true,
            _ => message.role == Role::Assistant,
        };
        if let Content::ToolResult(result) = &part.content {
            say(message, &mut content, items);
            write_result(part, result, &path, items);
        } else if is_item {
            say(message, &mut content, items);
            items.part(part, &path);
        } else {
            content.extend(piece(part, &path, items));
        }
    }
    say(message, &mut content, items);
    items.flush();
}

/// What somebody else than the model has said so far.
fn say(message: &Message, content: &mut Vec<Value>, items: &mut Items) {
    if content.is_empty() && !message.parts.is_empty() {
        return;
    }
    items.flush();
    // A tool speaks in results; what else it says is input.
    let role = if message.role == Role::Tool { "user" } else { message.role.as_str() };
    let mut item = json!({"role": role, "content": plain(std::mem::take(content), "input_text")});
    extend(&mut item, &item_of(&message.meta));
    items.out.push(item);
}

/// The result of a call.
fn write_result(part: &Part, result: &ToolResult, path: &str, items: &mut Items) {
    items.flush();
    let mut content = Vec::new();
    for (n, inner) in result.parts.iter().enumerate() {
        content.extend(piece(inner, &format!("{path}.parts[{n}]"), items));
    }
    if result.is_error {
        items.losses.lose(Feature::ToolErrors, path, "that the tool failed is not told");
    }
    if part.cache.is_some() {
        items.losses.lose(Feature::CacheMarks, path, "marks stand on what is in a result here");
    }
    let is_custom = part.meta.get(NAME, "type").is_some() || items.custom_calls.contains(&result.call_id);
    let kind = if is_custom { "custom_tool_call_output" } else { "function_call_output" };
    let mut item = json!({"type": kind, "call_id": result.call_id, "output": plain(content, "input_text")});
    if let Some(name) = &result.name {
        item["name"] = name.as_str().into();
    }
    extend(&mut item, &item_of(&part.meta));
    items.out.push(item);
}

/// A piece of the content of a message or result.
fn piece(part: &Part, path: &str, items: &mut Items) -> Option<Value> {
    let mut json = match &part.content {
        Content::Opaque { dialect, json } if dialect == NAME => return Some(json.clone()),
        content => write_flat(content, path, &mut items.losses)?,
    };
    if let Some(mark) = &part.cache {
        json["prompt_cache_breakpoint"] = json!({"mode": "explicit"});
        if mark.ttl.is_some() {
            items.losses.lose(Feature::CacheMarks, path, "a mark has no lifetime of its own here");
        }
    }
    extend(&mut json, kept(&part.meta, "content"));
    Some(json)
}
