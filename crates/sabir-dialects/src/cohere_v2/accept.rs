//! Requests, read from a client: the reverse of `request`.

use sabir_core::Result;
use sabir_core::chat::{
    ChatRequest, Content, Media, Message, Part, ReasoningRequest, Role, Tool, ToolChoice, ToolResult,
};
use serde_json::Value;
use serde_json::value::RawValue;

use super::NAME;
use super::wire::{plan_part, read_citation};
use crate::cohere::read_format;
use crate::json::{Fields, Wrong, string_of, value_of};
use crate::shared::read_tool;

/// What a client asks of us.
pub(super) fn accept(body: &[u8]) -> Result<ChatRequest> {
    let mut fields = Fields::of_request(body)?;
    let read = read_request(&mut fields).and_then(|mut request| {
        for (key, value) in fields.rest()? {
            // An empty list says what none says.
            if value.as_array().is_none_or(|list| !list.is_empty()) {
                request.options.set(NAME, key, value);
            }
        }
        Ok(request)
    });
    read.map_err(|e| e.invalid())
}

fn read_request(fields: &mut Fields<'_>) -> Result<ChatRequest, Wrong> {
    let mut request = ChatRequest::new(fields.need("model")?);
    if fields.peek("messages").is_none() {
        return Err(Wrong::new("messages: is missing"));
    }
    for (i, message) in fields.objects("messages")?.into_iter().enumerate() {
        let message = read_message(message).map_err(|e| e.within(format_args!("messages[{i}]")))?;
        request.messages.push(message);
    }
    if request.messages.is_empty() {
        return Err(Wrong::new("messages: is empty"));
    }
    let strict = fields.peek("strict_tools").is_some_and(|_| fields.peek("tools").is_some());
    let strict: Option<bool> = if strict { fields.get("strict_tools")? } else { None };
    for (i, tool) in fields.list("tools")?.into_iter().enumerate() {
        let mut tool = read_tool(tool, NAME).map_err(|e| e.within(format_args!("tools[{i}]")))?;
        if let Tool::Function(function) = &mut tool {
            function.strict = strict;
        }
        request.tools.push(tool);
    }
    request.tool_choice = match fields.peek("tool_choice").and_then(string_of).as_deref() {
        Some("REQUIRED") => Some(ToolChoice::Required),
        Some("NONE") => Some(ToolChoice::None),
        _ => None,
    };
    if request.tool_choice.is_some() {
        fields.take("tool_choice");
    }
    request.response_format =
        fields.peek("response_format").and_then(|json| read_format(json, &["json_schema", "schema"]));
    if request.response_format.is_some() {
        fields.take("response_format");
    }
    request.max_tokens = fields.get("max_tokens")?;
    request.stop = fields.get("stop_sequences")?.unwrap_or_default();
    request.temperature = fields.get("temperature")?;
    request.seed = fields.get("seed")?;
    request.frequency_penalty = fields.get("frequency_penalty")?;
    request.presence_penalty = fields.get("presence_penalty")?;
    request.top_k = fields.get("k")?;
    request.top_p = fields.get("p")?;
    request.stream = fields.get("stream")?.unwrap_or_default();
    if let Some(thinking) = fields.peek("thinking").and_then(read_thinking) {
        fields.take("thinking");
        request.reasoning = Some(thinking);
    }
    Ok(request)
}

fn read_message(mut fields: Fields<'_>) -> Result<Message, Wrong> {
    let role = match &*fields.need("role")?.to_ascii_lowercase() {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        _ => return Err(Wrong::new("role: is not system, user, assistant or tool")),
    };
    let mut parts = match fields.take("content") {
        Some(content) => read_content(content).map_err(|e| e.within("content"))?,
        None => Vec::new(),
    };
    if role == Role::Tool {
        let result = ToolResult { call_id: fields.need("tool_call_id")?.into_owned(), parts, ..ToolResult::default() };
        parts = vec![Content::ToolResult(result).into()];
    } else if role == Role::Assistant {
        if let Some(plan) = fields.text("tool_plan")?.filter(|plan| !plan.is_empty()) {
            parts.push(plan_part(&plan));
        }
        for (i, mut call) in fields.objects("tool_calls")?.into_iter().enumerate() {
            let call = read_call(&mut call).map_err(|e| e.within(format_args!("tool_calls[{i}]")))?;
            parts.push(call);
        }
        for citation in fields.list("citations")? {
            parts.push(read_citation(citation).map_err(|e| e.within("citations"))?);
        }
        // Beside calls, an empty text says nothing.
        if parts.len() > 1 {
            parts.retain(|part| part.as_text() != Some(""));
        }
    }
    Ok(Message { meta: fields.meta(NAME)?, ..Message::new(role, parts) })
}

fn read_call(call: &mut Fields<'_>) -> Result<Part, Wrong> {
    let id = call.string("id")?.unwrap_or_default();
    let Some(mut function) = call.object("function")? else {
        return Err(Wrong::new("function: is missing"));
    };
    let name = function.need("name").map_err(|e| e.within("function"))?;
    let arguments = function.string("arguments").map_err(|e| e.within("function"))?;
    Ok(Part::tool_call(id, name, arguments.unwrap_or_else(|| "{}".to_owned())))
}

fn read_content(json: &RawValue) -> Result<Vec<Part>, Wrong> {
    if let Some(text) = string_of(json) {
        return Ok(vec![Part::text(text)]);
    }
    let items: Vec<&RawValue> =
        serde_json::from_str(json.get()).map_err(|_| Wrong::new(": is neither a string nor a list"))?;
    let items = items.into_iter().enumerate();
    items.map(|(i, item)| read_block(item).map_err(|e| e.within(format_args!("[{i}]")))).collect()
}

fn read_block(json: &RawValue) -> Result<Part, Wrong> {
    if let Some(text) = string_of(json) {
        return Ok(Part::text(text));
    }
    let mut block = Fields::read(json, true)?;
    let kind = block.text("type")?;
    let mut part = match kind.as_deref() {
        Some("text") | None if block.peek("text").is_some() => Part::text(block.need("text")?),
        Some("thinking") => Part::reasoning(block.need("thinking")?),
        Some("image_url") => {
            let mut detail = None;
            let url = if let Some(url) = block.peek("image_url").and_then(string_of) {
                block.take("image_url");
                url
            } else {
                let mut image = block.object("image_url")?.ok_or_else(|| Wrong::new("image_url: is missing"))?;
                detail = image.value("detail")?;
                image.need("url").map_err(|e| e.within("image_url"))?.into_owned()
            };
            let media = Media::from_url(&url).map_err(|e| Wrong::new(format!("image_url.url: {}", e.message())))?;
            let part = Part::image(media);
            match detail {
                Some(detail) => part.with_meta(NAME, "detail", detail),
                None => part,
            }
        }
        Some("document") if block.peek("document").is_some_and(|d| d.get().starts_with('{')) => {
            read_document(&mut block)?
        }
        _ => {
            let (dialect, json) = (NAME.to_owned(), value_of(json)?);
            return Ok(Content::Opaque { dialect, json }.into());
        }
    };
    part.meta.merge(block.meta(NAME)?);
    Ok(part)
}

/// A document that a tool gave: for all others, a text.
fn read_document(block: &mut Fields<'_>) -> Result<Part, Wrong> {
    let Some(mut document) = block.object("document")? else {
        return Err(Wrong::new("document: is missing"));
    };
    let data = document.take("data").map_or_else(String::new, |data| data.get().to_owned());
    let rest = Value::Object(document.rest()?);
    Ok(Part::text(data).with_meta(NAME, "document", rest))
}

fn read_thinking(json: &RawValue) -> Option<ReasoningRequest> {
    let mut fields = Fields::read(json, true).ok()?;
    let kind = fields.string("type").ok()??;
    let mut reasoning = ReasoningRequest { budget: fields.count("token_budget"), ..ReasoningRequest::default() };
    if !fields.is_empty() {
        return None;
    }
    match (&*kind, reasoning.budget) {
        ("enabled", None) => reasoning.enabled = Some(true),
        ("enabled", Some(_)) => {}
        ("disabled", None) => reasoning.enabled = Some(false),
        _ => return None,
    }
    Some(reasoning)
}
