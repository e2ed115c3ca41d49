//! Requests, read from a client.

use sabir_core::chat::{
    ChatRequest, Content, Effort, FunctionTool, Message, Meta, ReasoningRequest, ResponseFormat, Role, Tool, ToolChoice,
};
use sabir_core::dialect::Asked;
use sabir_core::{Error, ErrorKind, Result};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::NAME;
use super::error::{invalid, not_json};
use super::family::{self, Family};
use super::read::{self, From};
use super::request::no_arguments;
use super::wire::{Fields, Wrong, value_of};

/// What a client asks of us.
pub(super) fn accept(asked: Asked<'_>) -> Result<ChatRequest> {
    let (model, stream) = named_in(asked.path);
    let model = model.ok_or_else(|| {
        Error::new(ErrorKind::InvalidRequest, "the path is not /model/ID/converse: its ID is not UTF-8")
    })?;
    let json: &RawValue = serde_json::from_slice(asked.body).map_err(|e| not_json(&e))?;
    let mut fields = Fields::read(json, true).map_err(|e| invalid(&e.within("the body")))?;
    let mut request = ChatRequest::new(model);
    request.stream = stream;
    read_body(&mut fields, &mut request).map_err(|e| invalid(&e))?;
    for (key, value) in fields.rest().map_err(|e| invalid(&e))? {
        request.options.set(NAME, key, value);
    }
    Ok(request)
}

/// The model, and whether to stream: `/model/ID/converse` or `/model/ID/converse-stream`, where the ID is
/// percent-encoded, or an ARN with its slashes as they are. A path that says neither names no model.
fn named_in(path: &str) -> (Option<String>, bool) {
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let stream = path.ends_with("/converse-stream");
    let model = path.split_once("/model/").map_or("", |(_, rest)| rest.rsplit_once('/').map_or(rest, |(id, _)| id));
    let mut bytes = Vec::with_capacity(model.len());
    let mut rest = model.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |at: usize| char::from(*tail.get(at)?).to_digit(16).and_then(|d| u8::try_from(d).ok());
        if let (b'%', Some(high), Some(low)) = (first, hex(0), hex(1)) {
            bytes.push(high << 4 | low);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    (String::from_utf8(bytes).ok(), stream)
}

fn read_body(fields: &mut Fields<'_>, request: &mut ChatRequest) -> Result<(), Wrong> {
    if fields.peek("messages").is_none() {
        return Err(Wrong::new("messages: is missing"));
    }
    let system = read::blocks(fields.list("system")?, From::User).map_err(|e| e.within("system"))?;
    if !system.is_empty() {
        request.messages.push(Message::new(Role::System, system));
    }
    for (i, message) in fields.list("messages")?.into_iter().enumerate() {
        read_message(message, &mut request.messages).map_err(|e| e.within(format_args!("messages[{i}]")))?;
    }
    if let Some(mut inference) = fields.object("inferenceConfig")? {
        let within = |e: Wrong| e.within("inferenceConfig");
        request.max_tokens = inference.get("maxTokens").map_err(within)?;
        request.temperature = inference.get("temperature").map_err(within)?;
        request.top_p = inference.get("topP").map_err(within)?;
        request.stop = inference.get("stopSequences").map_err(within)?.unwrap_or_default();
        keep(&mut request.options, "inferenceConfig", inference)?;
    }
    if let Some(mut config) = fields.object("toolConfig")? {
        let within = |e: Wrong| e.within("toolConfig");
        for (i, tool) in config.list("tools").map_err(within)?.into_iter().enumerate() {
            read_tool(tool, &mut request.tools).map_err(|e| within(e.within(format_args!("tools[{i}]"))))?;
        }
        if let Some(choice) = config.peek("toolChoice").map(read_choice).transpose().map_err(within)?.flatten() {
            config.take("toolChoice");
            request.tool_choice = Some(choice);
        }
        keep(&mut request.options, "toolConfig", config)?;
    }
    if let Some(mut config) = fields.object("outputConfig")? {
        if let Some(word) = config.text("effort").map_err(|e| e.within("outputConfig"))? {
            request.reasoning = Some(ReasoningRequest { effort: Some(Effort::from(&*word)), ..Default::default() });
        }
        if let Some(format) = config.peek("textFormat").and_then(read_format) {
            config.take("textFormat");
            request.response_format = Some(format);
        }
        keep(&mut request.options, "outputConfig", config)?;
    }
    read_extra(fields, request)?;
    if let Some(labels) = fields.get::<Map<String, Value>>("requestMetadata")? {
        for (key, value) in labels {
            let Value::String(value) = value else {
                return Err(Wrong::new("requestMetadata: has a value that is not a string"));
            };
            if key == "user" {
                request.user = Some(value);
            } else {
                request.metadata.insert(key, value);
            }
        }
    }
    Ok(())
}

/// `additionalModelRequestFields`: what there are words for, and the rest as an option.
fn read_extra(fields: &mut Fields<'_>, request: &mut ChatRequest) -> Result<(), Wrong> {
    let key = "additionalModelRequestFields";
    let mut extra = match fields.take(key).map(value_of).transpose()? {
        None => Map::new(),
        Some(Value::Object(extra)) => extra,
        Some(other) => {
            request.options.set(NAME, key, other);
            return Ok(());
        }
    };
    let family = Family::of(&request.model, None);
    family::take(&mut extra, family, request);
    if !extra.is_empty() {
        request.options.set(NAME, key, extra.into());
    }
    Ok(())
}

/// What of a known object has no word in the vocabulary stays an option.
fn keep(options: &mut Meta, key: &str, left: Fields<'_>) -> Result<(), Wrong> {
    let left = left.rest().map_err(|e| e.within(key))?;
    if !left.is_empty() {
        options.set(NAME, key, left.into());
    }
    Ok(())
}

/// One message on the wire: tool results become messages of the tool's, in the order in which they stand.
fn read_message(json: &RawValue, messages: &mut Vec<Message>) -> Result<(), Wrong> {
    let mut fields = Fields::read(json, true)?;
    let (role, from) = match &*fields.need("role")? {
        "user" => (Role::User, From::User),
        "assistant" => (Role::Assistant, From::Assistant),
        "system" => (Role::System, From::User),
        _ => return Err(Wrong::new("role: is not user, assistant or system")),
    };
    if fields.peek("content").is_none() {
        return Err(Wrong::new("content: is missing"));
    }
    let parts = read::blocks(fields.list("content")?, from).map_err(|e| e.within("content"))?;
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
    for (field, value) in fields.rest()? {
        messages[start].meta.set(NAME, field, value);
    }
    Ok(())
}

fn read_tool(json: &RawValue, tools: &mut Vec<Tool>) -> Result<(), Wrong> {
    let mut fields = Fields::read(json, true)?;
    if let Some(mut spec) = fields.object("toolSpec")? {
        let within = |e: Wrong| e.within("toolSpec");
        let schema = match spec.object("inputSchema").map_err(within)? {
            Some(mut schema) => schema.take("json").map(value_of).transpose().map_err(within)?,
            None => return Err(Wrong::new("toolSpec.inputSchema: is missing")),
        };
        let mut function = FunctionTool {
            name: spec.need("name").map_err(within)?.into_owned(),
            description: spec.text("description").map_err(within)?.map(Into::into),
            parameters: schema.filter(|schema| *schema != no_arguments()),
            strict: spec.get("strict").map_err(within)?,
            ..FunctionTool::default()
        };
        for (field, value) in spec.rest().map_err(within)? {
            function.meta.set(NAME, field, value);
        }
        tools.push(Tool::Function(function));
        return Ok(());
    }
    if let (Some(mark), Some(Tool::Function(last))) = (fields.peek("cachePoint"), tools.last_mut())
        && last.cache.is_none()
        && let Some(mark) = read::cache_mark(mark, true).map_err(|e| e.within("cachePoint"))?
    {
        last.cache = Some(mark);
        return Ok(());
    }
    tools.push(Tool::Opaque { dialect: NAME.to_owned(), json: value_of(json)? });
    Ok(())
}

/// A choice that there is a word for, and nothing besides; `None` stays an option.
fn read_choice(json: &RawValue) -> Result<Option<ToolChoice>, Wrong> {
    let value = value_of(json)?;
    let only = value.as_object().filter(|choice| choice.len() == 1).and_then(|choice| choice.iter().next());
    let Some((kind, inner)) = only else { return Ok(None) };
    let size = inner.as_object().map_or(0, Map::len);
    Ok(match (kind.as_str(), size) {
        ("auto", 0) => Some(ToolChoice::Auto),
        ("any", 0) => Some(ToolChoice::Required),
        ("tool", 1) => inner["name"].as_str().map(|name| ToolChoice::Named(name.to_owned())),
        _ => None,
    })
}

/// A format that is a schema and nothing else. The schema is a string here; the vocabulary wants a name.
fn read_format(json: &RawValue) -> Option<ResponseFormat> {
    let mut fields = Fields::read(json, true).ok()?;
    let is_schema = fields.text("type").ok()?? == "json_schema";
    let mut structure = fields.object("structure").ok()??;
    let mut inner = structure.object("jsonSchema").ok()??;
    let schema = serde_json::from_str(&inner.text("schema").ok()??).ok()?;
    let format = ResponseFormat::JsonSchema {
        name: inner.text("name").ok()?.map_or_else(|| "response".to_owned(), Into::into),
        schema,
        description: inner.text("description").ok()?.map(Into::into),
        strict: None,
    };
    let rest = [fields.rest().ok()?, structure.rest().ok()?, inner.rest().ok()?];
    (is_schema && rest.iter().all(Map::is_empty)).then_some(format)
}
