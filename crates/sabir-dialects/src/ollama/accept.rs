//! Requests, read from a client: the reverse of `request`.

use sabir_core::Result;
use sabir_core::chat::{
    ChatRequest, Content, Effort, Media, Message, Part, ReasoningRequest, ResponseFormat, Role, ToolCall, ToolResult,
};
use serde_json::Value;
use serde_json::value::RawValue;

use super::Api;
use crate::json::{Fields, Wrong, count_of, object_text, string_of, value_of};
use crate::shared::{Calls, image_mime, made_id, read_tool, schema_format};

/// What a client asks of us.
pub(super) fn accept(api: Api, body: &[u8]) -> Result<ChatRequest> {
    let mut fields = Fields::of_request(body)?;
    let read = read_request(api, &mut fields).and_then(|mut request| {
        for (key, value) in fields.rest()? {
            // Clients send what they have no value for as an empty one.
            let is_empty = match &value {
                Value::String(text) => text.is_empty(),
                Value::Array(list) => list.is_empty(),
                Value::Object(object) => object.is_empty(),
                _ => false,
            };
            if !is_empty {
                request.options.set(api.name(), key, value);
            }
        }
        Ok(request)
    });
    read.map_err(|e| e.invalid())
}

fn read_request(api: Api, fields: &mut Fields<'_>) -> Result<ChatRequest, Wrong> {
    let mut request = ChatRequest::new(fields.need("model")?);
    if api == Api::Chat {
        if fields.peek("messages").is_none() {
            return Err(Wrong::new("messages: is missing"));
        }
        let mut calls = Calls::default();
        for (i, message) in fields.objects("messages")?.into_iter().enumerate() {
            let message =
                read_message(api, message, &mut calls).map_err(|e| e.within(format_args!("messages[{i}]")))?;
            request.messages.push(message);
        }
        for (i, tool) in fields.list("tools")?.into_iter().enumerate() {
            let tool = read_tool(tool, api.name()).map_err(|e| e.within(format_args!("tools[{i}]")))?;
            request.tools.push(tool);
        }
    } else {
        let system = fields.text("system")?.filter(|system| !system.is_empty());
        request.messages.extend(system.map(Message::system));
        let mut prompt = Message::user(fields.text("prompt")?.unwrap_or_default());
        prompt.parts.extend(read_images(fields)?);
        request.messages.push(prompt);
    }
    request.stream = fields.get("stream")?.unwrap_or(true);
    request.response_format = fields.take("format").and_then(read_format).transpose()?;
    request.reasoning = match fields.peek("think").map(RawValue::get) {
        Some("true") => Some(thinking(Some(true), None)),
        Some("false") => Some(thinking(Some(false), None)),
        Some(_) => fields.text("think")?.map(|effort| thinking(None, Some(Effort::from(&*effort)))),
        None => None,
    };
    fields.take("think");
    if let Some(mut options) = fields.object("options")? {
        read_options(&mut options, &mut request).map_err(|e| e.within("options"))?;
        let rest = options.rest().map_err(|e| e.within("options"))?;
        if !rest.is_empty() {
            request.options.set(api.name(), "options", Value::Object(rest));
        }
    }
    Ok(request)
}

fn thinking(enabled: Option<bool>, effort: Option<Effort>) -> ReasoningRequest {
    ReasoningRequest { enabled, effort, budget: None }
}

fn read_options(options: &mut Fields<'_>, request: &mut ChatRequest) -> Result<(), Wrong> {
    request.temperature = options.get("temperature")?;
    request.top_p = options.get("top_p")?;
    request.seed = options.get("seed")?;
    request.presence_penalty = options.get("presence_penalty")?;
    request.frequency_penalty = options.get("frequency_penalty")?;
    // Below zero they mean "without end"; that stays an option.
    for (key, to) in [("top_k", &mut request.top_k), ("num_predict", &mut request.max_tokens)] {
        *to = options.peek(key).and_then(|number| count_of(number.get()));
        if to.is_some() {
            options.take(key);
        }
    }
    request.stop = match options.peek("stop").and_then(string_of) {
        Some(one) => {
            options.take("stop");
            vec![one]
        }
        None => options.get("stop")?.unwrap_or_default(),
    };
    Ok(())
}

fn read_message(api: Api, mut fields: Fields<'_>, calls: &mut Calls) -> Result<Message, Wrong> {
    let role = match &*fields.need("role")?.to_ascii_lowercase() {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        _ => return Err(Wrong::new("role: is not system, user, assistant or tool")),
    };
    let text = fields.text("content")?.unwrap_or_default();
    let mut parts = Vec::new();
    if role == Role::Assistant {
        let thought = fields.text("thinking")?.filter(|thought| !thought.is_empty());
        parts.extend(thought.map(Part::reasoning));
    }
    let images = read_images(&mut fields)?;
    let mut asked = Vec::new();
    if role == Role::Assistant {
        for (i, call) in fields.objects("tool_calls")?.into_iter().enumerate() {
            let call = read_call(api, call, calls).map_err(|e| e.within(format_args!("tool_calls[{i}]")))?;
            asked.push(call);
        }
    }
    if !text.is_empty() || (parts.is_empty() && images.is_empty() && asked.is_empty()) {
        parts.push(Part::text(text));
    }
    parts.extend(images);
    parts.extend(asked);
    let mut nameless = false;
    if role == Role::Tool {
        let (id, name) = (fields.string("tool_call_id")?, fields.string("tool_name")?);
        nameless = name.is_none();
        let result = result(id, name, parts, calls);
        parts = vec![Content::ToolResult(result).into()];
    }
    let mut meta = fields.meta(api.name())?;
    if nameless {
        meta.set_form(api.name(), "nameless", true.into());
    }
    Ok(Message { meta, ..Message::new(role, parts) })
}

fn read_call(api: Api, mut call: Fields<'_>, calls: &mut Calls) -> Result<Part, Wrong> {
    let own = call.string("id")?.filter(|id| !id.is_empty());
    if call.peek("type").and_then(string_of).as_deref() == Some("function") {
        call.take("type");
    }
    let Some(mut function) = call.object("function")? else {
        return Err(Wrong::new("function: is missing"));
    };
    let name = function.need("name").map_err(|e| e.within("function"))?.into_owned();
    let arguments = match function.take("arguments") {
        None => "{}".to_owned(),
        Some(json) => match string_of(json) {
            // Not Ollama's form, but that of many clients.
            Some(text) if object_text(&text).is_some() => text,
            None if json.get().starts_with('{') => json.get().to_owned(),
            _ => return Err(Wrong::new("function.arguments: is not an object")),
        },
    };
    Ok(calls.call(own, name, arguments, call.meta(api.name())?, api.name()))
}

/// A result, with the id of its call: by id, by name, by order. Some clients give results the ids that they had made for
/// themselves, and send the calls without any: such an id names no call, and says nothing.
fn result(id: Option<String>, name: Option<String>, parts: Vec<Part>, calls: &mut Calls) -> ToolResult {
    let is_named = |call: &ToolCall| name.as_ref().is_none_or(|name| call.name == *name);
    let call_id = match id {
        Some(id) if calls.name_of(&id).is_some() => calls.answer(|call| call.id == id).unwrap_or(id),
        Some(id) => calls.answer(|call| has_made_id(call) && is_named(call)).unwrap_or(id),
        None => calls.answer(is_named).unwrap_or_default(),
    };
    // The name is that of the call, unless it says something else.
    let is_known = calls.name_of(&call_id) == name.as_deref();
    ToolResult { name: name.filter(|_| !is_known), call_id, parts, is_error: false }
}

/// Whether a call came without an id; see [`Calls::call`].
fn has_made_id(call: &ToolCall) -> bool {
    let number = || call.id.strip_prefix("call_")?.strip_suffix(&call.name)?.strip_suffix('_')?.parse().ok();
    number().is_some_and(|number| call.id == made_id(number, &call.name))
}

fn read_images(fields: &mut Fields<'_>) -> Result<Vec<Part>, Wrong> {
    let images = fields.list("images")?.into_iter().enumerate();
    images.map(|(i, json)| read_image(json).map_err(|e| e.within(format_args!("images[{i}]")))).collect()
}

fn read_image(json: &RawValue) -> Result<Part, Wrong> {
    let text = string_of(json).ok_or_else(|| Wrong::new(": is not a string"))?;
    let media = if text.starts_with("data:") { Media::from_url(&text) } else { Media::base64(&text, None) };
    let mut media = media.map_err(|e| Wrong::new(format!(": {}", e.message())))?;
    if let sabir_core::chat::Source::Bytes(bytes) = &media.source
        && media.mime.is_none()
    {
        media.mime = image_mime(bytes).map(str::to_owned);
    }
    Ok(Part::image(media))
}

/// `"json"`, or a schema; an empty string says nothing.
fn read_format(json: &RawValue) -> Option<Result<ResponseFormat, Wrong>> {
    match string_of(json).as_deref() {
        Some("") => None,
        Some("json") => Some(Ok(ResponseFormat::Json)),
        Some(_) => Some(Err(Wrong::new("format: is neither \"json\" nor a schema"))),
        None => Some(value_of(json).map_err(|e| e.within("format")).and_then(|schema| {
            if !schema.is_object() {
                return Err(Wrong::new("format: is neither \"json\" nor a schema"));
            }
            Ok(schema_format(schema))
        })),
    }
}
