//! Requests, read from a client: the reverse of `request`.

use http::{HeaderMap, HeaderName};
use sabir_core::Result;
use sabir_core::chat::{
    ChatRequest, Content, Effort, FunctionTool, Message, Meta, ReasoningRequest, ResponseFormat, Role, Tool, ToolChoice,
};
use sabir_core::dialect::Asked;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::NAME;
use super::block::{meta_of, own_citation, read_content, take_cache};
use super::error::{invalid, not_json};
use super::request::{BETA, MODERN_VERSION, VERSION, no_arguments};
use super::wire::{Fields, Wrong, value_of};
use super::writer::plain_text;

/// What a client asks of us.
pub(super) fn accept(asked: Asked<'_>) -> Result<ChatRequest> {
    let body: &RawValue = serde_json::from_slice(asked.body).map_err(|e| not_json(&e))?;
    let mut fields = Fields::read(body, true).map_err(|e| invalid(&e.within("the body")))?;
    read_request(&mut fields, &asked)
        .and_then(|mut request| {
            for (key, value) in fields.rest()? {
                // The header's `betas` count, not the body's.
                if request.options.get(NAME, &key).is_none() {
                    request.options.set(NAME, key, value);
                }
            }
            Ok(request)
        })
        .map_err(|e| invalid(&e))
}

fn read_request(fields: &mut Fields<'_>, asked: &Asked<'_>) -> Result<ChatRequest, Wrong> {
    let in_body = fields.text("anthropic_version")?;
    let version = header(asked.headers, &VERSION).or(in_body.as_deref());
    let model = match fields.text("model")? {
        Some(model) => model.into_owned(),
        // Google's endpoints name it in the path: …/models/claude-x:rawPredict.
        None => asked
            .path
            .rsplit_once("/models/")
            .and_then(|(_, rest)| rest.split([':', '?', '/']).next())
            .filter(|model| !model.is_empty())
            .map(str::to_owned)
            .ok_or_else(|| Wrong::new("model: is missing"))?,
    };
    let mut request = ChatRequest::new(model);
    if let Some(system) = fields.take("system") {
        let parts = read_content(system, true, false).map_err(|e| e.within("system"))?;
        if !parts.is_empty() && plain_text(&parts) != Some("") {
            request.messages.push(Message::new(Role::System, parts));
        }
    }
    if fields.peek("messages").is_none() {
        return Err(Wrong::new("messages: is missing"));
    }
    for (i, message) in fields.list("messages")?.into_iter().enumerate() {
        read_message(message, &mut request.messages).map_err(|e| e.within(format_args!("messages[{i}]")))?;
    }
    for (i, tool) in fields.list("tools")?.into_iter().enumerate() {
        let tool = read_tool(tool).map_err(|e| e.within(format_args!("tools[{i}]")))?;
        request.tools.push(tool);
    }
    request.max_tokens = fields.get("max_tokens")?;
    request.temperature = fields.get("temperature")?;
    request.top_p = fields.get("top_p")?;
    // Some clients send -1 for "not set", which the API lets pass.
    if fields.peek("top_k").is_none_or(|k| !k.get().starts_with('-')) {
        request.top_k = fields.get("top_k")?;
    }
    request.stop = fields.get("stop_sequences")?.unwrap_or_default();
    request.stream = fields.get("stream")?.unwrap_or_default();
    request.cache = take_cache(fields)?;
    if version == Some(MODERN_VERSION) {
        refuse_what_is_gone(&request)?;
    }
    read_tool_choice(fields, &mut request)?;
    read_thinking(fields, &mut request)?;
    read_format(fields, &mut request)?;
    if let Some(mut metadata) = fields.object("metadata")? {
        request.user = metadata.text("user_id")?.map(Into::into);
        keep(&mut request.options, "metadata", metadata)?;
    }
    if let Some(betas) = header(asked.headers, &BETA) {
        let betas: Vec<&str> = betas.split(',').map(str::trim).filter(|b| !b.is_empty()).collect();
        request.options.set(NAME, "betas", json!(betas));
    }
    Ok(request)
}

fn header<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// What of a known object has no word in the vocabulary stays an option.
fn keep(options: &mut Meta, key: &str, left: Fields<'_>) -> Result<(), Wrong> {
    let left = left.rest().map_err(|e| e.within(key))?;
    if !left.is_empty() {
        options.set(NAME, key, Value::Object(left));
    }
    Ok(())
}

/// One message on the wire: tool results become a message of the tool's, in the order in which they stand.
fn read_message(json: &RawValue, messages: &mut Vec<Message>) -> Result<(), Wrong> {
    let mut fields = Fields::read(json, true)?;
    let role = match &*fields.need("role")? {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => return Err(Wrong::new("role: is not user, assistant or system")),
    };
    let content = fields.take("content").ok_or_else(|| Wrong::new("content: is missing"))?;
    let parts = read_content(content, true, true).map_err(|e| e.within("content"))?;
    let start = messages.len();
    if role != Role::User || parts.is_empty() {
        messages.push(Message::new(role, parts));
    } else {
        for part in parts {
            let is_result = matches!(part.content, Content::ToolResult(_));
            let role = if is_result { Role::Tool } else { Role::User };
            match messages[start..].last_mut() {
                Some(message) if message.role == role => message.parts.push(part),
                _ => messages.push(Message::new(role, [part])),
            }
        }
    }
    messages[start].meta = meta_of(fields)?;
    Ok(())
}

fn read_tool(json: &RawValue) -> Result<Tool, Wrong> {
    let mut fields = Fields::read(json, true)?;
    let kind: Option<Value> = fields.peek("type").map(value_of).transpose()?;
    if kind.is_some_and(|kind| kind != "custom") {
        return Ok(Tool::Opaque { dialect: NAME.to_owned(), json: value_of(json)? });
    }
    let parameters = fields.take("input_schema").map(value_of).transpose()?;
    if parameters.as_ref().is_some_and(|schema| !schema.is_object()) {
        return Err(Wrong::new("input_schema: is not an object"));
    }
    Ok(Tool::Function(FunctionTool {
        name: fields.need("name")?.into_owned(),
        description: fields.text("description")?.map(Into::into),
        parameters: parameters.filter(|schema| *schema != no_arguments()),
        strict: fields.get("strict")?,
        cache: take_cache(&mut fields)?,
        meta: meta_of(fields)?,
    }))
}

fn read_tool_choice(fields: &mut Fields<'_>, request: &mut ChatRequest) -> Result<(), Wrong> {
    let Some(whole) = fields.peek("tool_choice") else {
        return Ok(());
    };
    let Some(mut choice) = fields.object("tool_choice")? else {
        return Ok(());
    };
    let within = |e: Wrong| e.within("tool_choice");
    request.tool_choice = match &*choice.need("type").map_err(within)? {
        "auto" => Some(ToolChoice::Auto),
        "any" => Some(ToolChoice::Required),
        "none" => Some(ToolChoice::None),
        "tool" => Some(ToolChoice::Named(choice.need("name").map_err(within)?.into_owned())),
        _ => {
            request.options.set(NAME, "tool_choice", value_of(whole)?);
            return Ok(());
        }
    };
    let disabled: Option<bool> = choice.get("disable_parallel_tool_use").map_err(within)?;
    request.parallel_tool_calls = disabled.map(|disabled| !disabled);
    keep(&mut request.options, "tool_choice", choice)
}

/// `thinking` and `output_config.effort`. An effort alone does not make this API think, but in the vocabulary it
/// asks for thoughts: the option `thinking: null` keeps the one from becoming the other.
fn read_thinking(fields: &mut Fields<'_>, request: &mut ChatRequest) -> Result<(), Wrong> {
    let mut reasoning = ReasoningRequest::default();
    let whole = fields.peek("thinking");
    if let (Some(whole), Some(mut thinking)) = (whole, fields.object("thinking")?) {
        let within = |e: Wrong| e.within("thinking");
        match &*thinking.need("type").map_err(within)? {
            "enabled" => {
                reasoning.budget = thinking.get("budget_tokens").map_err(within)?;
                if reasoning.budget.is_none() {
                    return Err(Wrong::new("thinking.budget_tokens: is missing"));
                }
                keep(&mut request.options, "thinking", thinking)?;
            }
            "adaptive" => {
                reasoning.enabled = Some(true);
                keep(&mut request.options, "thinking", thinking)?;
            }
            "disabled" => reasoning.enabled = Some(false),
            _ => request.options.set(NAME, "thinking", value_of(whole)?),
        }
    }
    if let Some(config) = fields.peek("output_config") {
        let mut config = Fields::read(config, true).map_err(|e| e.within("output_config"))?;
        let effort = config.text("effort").map_err(|e| e.within("output_config"))?;
        reasoning.effort = effort.as_deref().map(Effort::from);
        if reasoning.effort.is_some() && whole.is_none() {
            request.options.set(NAME, "thinking", Value::Null);
        }
    }
    request.reasoning = Some(reasoning).filter(|r| *r != ReasoningRequest::default());
    Ok(())
}

/// `output_config.format`, or `output_format`, its name while it was in beta.
fn read_format(fields: &mut Fields<'_>, request: &mut ChatRequest) -> Result<(), Wrong> {
    let Some(mut config) = fields.object("output_config")? else {
        if let Some(format) = fields.peek("output_format").and_then(read_schema) {
            fields.take("output_format");
            request.response_format = Some(format);
        }
        return Ok(());
    };
    config.take("effort");
    if let Some(format) = config.peek("format").and_then(read_schema) {
        config.take("format");
        request.response_format = Some(format);
    }
    keep(&mut request.options, "output_config", config)
}

/// A format that is a schema and nothing else. The dialect has no name for it.
fn read_schema(json: &RawValue) -> Option<ResponseFormat> {
    let mut fields = Fields::read(json, true).ok()?;
    let is_schema = fields.text("type").ok()?? == "json_schema";
    let schema = value_of(fields.take("schema")?).ok()?;
    (is_schema && fields.rest().ok()?.is_empty()).then(|| ResponseFormat::JsonSchema {
        name: String::new(),
        schema,
        description: None,
        strict: None,
    })
}

/// What the version 2026-10-21 answers 400 to.
fn refuse_what_is_gone(request: &ChatRequest) -> Result<(), Wrong> {
    let sampling = [
        (request.temperature.is_some(), "temperature"),
        (request.top_p.is_some(), "top_p"),
        (request.top_k.is_some(), "top_k"),
    ];
    if let Some((_, name)) = sampling.into_iter().find(|(set, _)| *set) {
        return Err(Wrong::new(format!("{name}: is not taken since the version {MODERN_VERSION}")));
    }
    for message in &request.messages {
        for part in &message.parts {
            let what = match (&message.role, &part.content) {
                (Role::Assistant, Content::Document(_)) => "a document directly in an assistant's message",
                (Role::Assistant, Content::Opaque { json, .. }) if json["type"] == "document" => {
                    "a document directly in an assistant's message"
                }
                (Role::User, _) if own_citation(part).is_some() => "a citation on a user's text",
                (Role::User, Content::Opaque { json, .. }) if cites_inside(json) => "a citation in a search result",
                _ => continue,
            };
            return Err(Wrong::new(format!("messages: {what} is not taken since the version {MODERN_VERSION}")));
        }
    }
    Ok(())
}

/// Whether a search result has texts with citations of their own.
fn cites_inside(json: &Value) -> bool {
    let blocks = json["content"].as_array().into_iter().flatten();
    json["type"] == "search_result"
        && blocks.into_iter().any(|block| block["citations"].as_array().is_some_and(|list| !list.is_empty()))
}
