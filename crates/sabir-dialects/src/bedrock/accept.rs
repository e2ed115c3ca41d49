//! Requests, read from a client.

use sabir_core::chat::{
    ChatRequest, Effort, FunctionTool, Message, ReasoningRequest, ResponseFormat, Role, Tool, ToolChoice,
};
use sabir_core::dialect::Asked;
use sabir_core::{Error, ErrorKind, Result};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::family::{self, Family};
use super::request::choice_json;
use super::{NAME, read};
use crate::blocks::{Speaker, read_message};
use crate::json::{Fields, Wrong, value_of};
use crate::percent::unescaped;
use crate::shared::no_arguments;

/// What a client asks of us.
pub(super) fn accept(asked: Asked<'_>) -> Result<ChatRequest> {
    // `/model/ID/converse` or `/model/ID/converse-stream`, where the ID is percent-encoded, or an ARN with its
    // slashes as they are. A path that says neither names no model.
    let path = asked.path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let model = path.split_once("/model/").map_or("", |(_, rest)| rest.rsplit_once('/').map_or(rest, |(id, _)| id));
    let mut request = ChatRequest::new(unescaped(model));
    if request.model.contains(char::REPLACEMENT_CHARACTER) {
        let what = "the path is not /model/ID/converse: its ID is not UTF-8";
        return Err(Error::new(ErrorKind::InvalidRequest, what));
    }
    request.stream = path.ends_with("/converse-stream");
    let mut fields = Fields::of_request(asked.body)?;
    let read = read_body(&mut fields, &mut request).and_then(|()| fields.meta(NAME));
    request.options.merge(read.map_err(|e| e.invalid())?);
    Ok(request)
}

fn read_body(fields: &mut Fields<'_>, request: &mut ChatRequest) -> Result<(), Wrong> {
    if fields.peek("messages").is_none() {
        return Err(Wrong::new("messages: is missing"));
    }
    let system = read::blocks(fields, "system", Some(Speaker::System))?;
    if !system.is_empty() {
        request.messages.push(Message::new(Role::System, system));
    }
    fields.each("messages", |json| {
        read_message(json, NAME, &mut request.messages, |message, speaker| {
            read::blocks(message, "content", Some(speaker))
        })
    })?;
    fields.inside("inferenceConfig", |config| {
        request.max_tokens = config.get("maxTokens")?;
        request.temperature = config.get("temperature")?;
        request.top_p = config.get("topP")?;
        request.stop = config.get("stopSequences")?.unwrap_or_default();
        config.keep("inferenceConfig", NAME, &mut request.options)
    })?;
    fields.inside("toolConfig", |config| {
        config.each("tools", |tool| read_tool(tool, &mut request.tools))?;
        request.tool_choice = config.take_if("toolChoice", read_choice);
        config.keep("toolConfig", NAME, &mut request.options)
    })?;
    fields.inside("outputConfig", |config| {
        let effort = config.text("effort")?.map(|word| Effort::from(&*word));
        request.reasoning = effort.map(|word| ReasoningRequest { effort: Some(word), ..ReasoningRequest::default() });
        request.response_format = config.take_if("textFormat", read_format);
        config.keep("outputConfig", NAME, &mut request.options)
    })?;
    let key = "additionalModelRequestFields";
    let mut extra = fields.value(key)?.unwrap_or_else(|| Map::new().into());
    if let Value::Object(extra) = &mut extra {
        family::take(extra, Family::of(&request.model, None), request);
    }
    if extra.as_object().is_none_or(|extra| !extra.is_empty()) {
        request.options.set(NAME, key, extra);
    }
    request.metadata = fields.get("requestMetadata")?.unwrap_or_default();
    request.user = request.metadata.remove("user");
    Ok(())
}

fn read_tool(json: &RawValue, tools: &mut Vec<Tool>) -> Result<(), Wrong> {
    let mut fields = Fields::read(json, true)?;
    let function = fields.inside("toolSpec", |spec| {
        let schema = spec.inside("inputSchema", |schema| schema.value("json"))?;
        let schema = schema.ok_or_else(|| Wrong::new("inputSchema: is missing"))?;
        Ok(FunctionTool {
            name: spec.need("name")?.into_owned(),
            description: spec.string("description")?,
            parameters: schema.filter(|schema| *schema != no_arguments()),
            strict: spec.get("strict")?,
            cache: None,
            meta: spec.left().meta(NAME)?,
        })
    })?;
    if let Some(function) = function {
        tools.push(Tool::Function(function));
        return Ok(());
    }
    if let Some(Tool::Function(last)) = tools.last_mut()
        && last.cache.is_none()
    {
        last.cache = fields.inside("cachePoint", read::cache_mark)?.flatten();
        if last.cache.is_some() {
            return Ok(());
        }
    }
    tools.push(Tool::Opaque { dialect: NAME.to_owned(), json: value_of(json)? });
    Ok(())
}

/// A choice that there is a word for, and nothing besides; `None` stays an option.
fn read_choice(json: &RawValue) -> Option<ToolChoice> {
    let json = value_of(json).ok()?;
    let named = json["tool"]["name"].as_str().map(|name| ToolChoice::Named(name.to_owned()));
    let mut known = [Some(ToolChoice::Auto), Some(ToolChoice::Required), named].into_iter().flatten();
    known.find(|choice| choice_json(choice).is_ok_and(|said| said == json))
}

/// A format that is a schema and nothing else. The schema is a string here.
fn read_format(json: &RawValue) -> Option<ResponseFormat> {
    let mut fields = Fields::read(json, true).ok()?;
    let is_schema = fields.text("type").ok()?? == "json_schema";
    let mut structure = fields.object("structure").ok()??;
    let mut inner = structure.object("jsonSchema").ok()??;
    let format = ResponseFormat::JsonSchema {
        schema: serde_json::from_str(&inner.text("schema").ok()??).ok()?,
        name: inner.string("name").ok()?.unwrap_or_default(),
        description: inner.string("description").ok()?,
        strict: None,
    };
    let is_all = [fields, structure, inner].iter().all(Fields::is_empty);
    (is_schema && is_all).then_some(format)
}
