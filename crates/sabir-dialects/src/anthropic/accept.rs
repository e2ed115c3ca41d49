//! Requests, read from a client: the reverse of `request`.

use http::HeaderName;
use sabir_core::Result;
use sabir_core::chat::{
    ChatRequest, Content, Effort, FunctionTool, Message, Part, ResponseFormat, Role, Tool, ToolChoice,
};
use sabir_core::dialect::Asked;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::NAME;
use super::block::{take_cache, take_content};
use super::request::{BETA, MODERN_VERSION, VERSION};
use super::writer::plain_text;
use crate::blocks::read_message;
use crate::json::{Fields, Wrong, value_of};
use crate::shared::{no_arguments, schema_format};

/// What a client asks of us.
pub(super) fn accept(asked: Asked<'_>) -> Result<ChatRequest> {
    let mut fields = Fields::of_request(asked.body)?;
    let read = read_request(&mut fields, &asked).and_then(|mut request| {
        let mut options = fields.meta(NAME)?;
        // The header's `betas` count, not the body's.
        options.merge(request.options);
        request.options = options;
        Ok(request)
    });
    read.map_err(|e| e.invalid())
}

fn read_request(fields: &mut Fields<'_>, asked: &Asked<'_>) -> Result<ChatRequest, Wrong> {
    let header = |name: HeaderName| asked.headers.get(name)?.to_str().ok();
    let in_body = fields.text("anthropic_version")?;
    let version = header(VERSION).or(in_body.as_deref());
    // Google's endpoints name it in the path: …/models/claude-x:rawPredict.
    let in_path = || asked.path.rsplit_once("/models/")?.1.split([':', '?', '/']).next().map(str::to_owned);
    let model = fields.string("model")?.or_else(|| in_path().filter(|model| !model.is_empty()));
    let mut request = ChatRequest::new(model.ok_or_else(|| Wrong::new("model: is missing"))?);
    let system = take_content(fields, "system", false)?;
    if !system.is_empty() && plain_text(&system) != Some("") {
        request.messages.push(Message::new(Role::System, system));
    }
    if fields.peek("messages").is_none() {
        return Err(Wrong::new("messages: is missing"));
    }
    let messages = &mut request.messages;
    fields.each("messages", |json| {
        read_message(json, NAME, messages, |message, _| take_content(message, "content", true))
    })?;
    fields.each("tools", |json| {
        request.tools.push(read_tool(json)?);
        Ok(())
    })?;
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
    read_objects(fields, &mut request)?;
    if let Some(betas) = header(BETA) {
        let betas: Vec<&str> = betas.split(',').map(str::trim).filter(|b| !b.is_empty()).collect();
        request.options.set(NAME, "betas", json!(betas));
    }
    Ok(request)
}

fn read_tool(json: &RawValue) -> Result<Tool, Wrong> {
    let mut fields = Fields::read(json, true)?;
    if fields.value("type")?.is_some_and(|kind| kind != "custom") {
        return Ok(Tool::Opaque { dialect: NAME.to_owned(), json: value_of(json)? });
    }
    let parameters = fields.value("input_schema")?;
    if parameters.as_ref().is_some_and(|schema| !schema.is_object()) {
        return Err(Wrong::new("input_schema: is not an object"));
    }
    Ok(Tool::Function(FunctionTool {
        name: fields.need("name")?.into_owned(),
        description: fields.string("description")?,
        parameters: parameters.filter(|schema| *schema != no_arguments()),
        strict: fields.get("strict")?,
        cache: take_cache(&mut fields)?,
        meta: fields.meta(NAME)?,
    }))
}

/// The objects of the top level that have words in the vocabulary.
fn read_objects(fields: &mut Fields<'_>, request: &mut ChatRequest) -> Result<(), Wrong> {
    known_in(fields, "tool_choice", request, |choice, request| {
        request.tool_choice = Some(match &*choice.need("type")? {
            "auto" => ToolChoice::Auto,
            "any" => ToolChoice::Required,
            "none" => ToolChoice::None,
            "tool" => ToolChoice::Named(choice.need("name")?.into_owned()),
            _ => return Ok(false),
        });
        let disabled: Option<bool> = choice.get("disable_parallel_tool_use")?;
        request.parallel_tool_calls = disabled.map(|disabled| !disabled);
        Ok(true)
    })?;
    let says_thinking = fields.peek("thinking").is_some();
    known_in(fields, "thinking", request, |thinking, request| {
        let (budget, enabled) = match &*thinking.need("type")? {
            "enabled" => match thinking.get("budget_tokens")? {
                None => return Err(Wrong::new("budget_tokens: is missing")),
                budget => (budget, None),
            },
            "adaptive" => (None, Some(true)),
            "disabled" => (None, Some(false)),
            _ => return Ok(false),
        };
        let reasoning = request.reasoning.get_or_insert_default();
        (reasoning.budget, reasoning.enabled) = (budget, enabled);
        Ok(true)
    })?;
    known_in(fields, "output_config", request, |config, request| {
        if let Some(effort) = config.text("effort")? {
            request.reasoning.get_or_insert_default().effort = Some(Effort::from(&*effort));
            // An effort alone does not make this API think, but in the vocabulary it asks for thoughts.
            if !says_thinking {
                request.options.set(NAME, "thinking", Value::Null);
            }
        }
        request.response_format = config.take_if("format", read_schema);
        Ok(true)
    })?;
    if request.response_format.is_none() {
        // Its name while it was in beta.
        request.response_format = fields.take_if("output_format", read_schema);
    }
    known_in(fields, "metadata", request, |metadata, request| {
        request.user = metadata.string("user_id")?;
        Ok(true)
    })
}

/// Reads an object of which `read` takes what has a word in the vocabulary. What is left stays an option; the whole
/// does where `read` says that it does not know its kind.
fn known_in(
    fields: &mut Fields<'_>,
    key: &str,
    request: &mut ChatRequest,
    read: impl FnOnce(&mut Fields<'_>, &mut ChatRequest) -> Result<bool, Wrong>,
) -> Result<(), Wrong> {
    let whole = fields.peek(key);
    let read = fields.inside(key, |object| match whole {
        Some(whole) if !read(object, request)? => {
            request.options.set(NAME, key, value_of(whole)?);
            Ok(())
        }
        _ => object.keep(key, NAME, &mut request.options),
    });
    read.map(Option::unwrap_or_default)
}

/// A format that is a schema and nothing else.
fn read_schema(json: &RawValue) -> Option<ResponseFormat> {
    let mut fields = Fields::read(json, true).ok()?;
    let is_schema = fields.text("type").ok()?? == "json_schema";
    let schema = fields.value("schema").ok()??;
    (is_schema && fields.is_empty()).then(|| schema_format(schema))
}

/// What the version 2026-10-21 answers 400 to.
fn refuse_what_is_gone(request: &ChatRequest) -> Result<(), Wrong> {
    let cites = |block: &Value| block["citations"].as_array().is_some_and(|list| !list.is_empty());
    let is_gone = |role: &Role, part: &Part| match (role, &part.content) {
        (Role::Assistant, Content::Document(_)) | (Role::User, Content::Citation(_)) => true,
        (Role::Assistant, Content::Opaque { json, .. }) => json["type"] == "document",
        (Role::User, Content::Opaque { json, .. }) if json["type"] == "search_result" => {
            json["content"].as_array().is_some_and(|blocks| blocks.iter().any(cites))
        }
        _ => false,
    };
    let is_said = request.messages.iter().any(|message| message.parts.iter().any(|part| is_gone(&message.role, part)));
    let gone = [
        (request.temperature.is_some(), "temperature"),
        (request.top_p.is_some(), "top_p"),
        (request.top_k.is_some(), "top_k"),
        (is_said, "messages: a document of the assistant's or a citation of the user's"),
    ];
    match gone.into_iter().find(|(is_there, _)| *is_there) {
        Some((_, what)) => Err(Wrong::new(format!("{what}: is not taken since the version {MODERN_VERSION}"))),
        None => Ok(()),
    }
}
