//! Requests as a server reads them.

use std::collections::BTreeMap;

use sabir_core::chat::{
    CacheMark, ChatRequest, Content, Document, FunctionTool, Media, Message, Meta, Part, ReasoningRequest,
    ResponseFormat, Role, Tool, ToolChoice, ToolResult,
};
use sabir_core::dialect::{Asked, without_values};
use sabir_core::{Error, ErrorKind, Result, Sink};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::NAME;
use super::item::{call_words, is_minted};
use super::request::unnamed;
use super::tell::{Teller, opaque, rest_of};
use super::wire::text_in;

type Fields = Map<String, Value>;

pub(super) fn accept(asked: Asked<'_>) -> Result<ChatRequest> {
    let body: Fields = serde_json::from_slice(asked.body).map_err(|e| wrong("the body", &e))?;
    let mut request = ChatRequest::default();
    let mut instructions = None;
    let mut has_input = false;
    for (name, value) in body {
        if value.is_null() {
            continue;
        }
        match name.as_str() {
            "model" => request.model = read(&name, value)?,
            "instructions" if value.is_string() => instructions = value.as_str().map(Message::system),
            "input" => {
                has_input = true;
                request.messages = input(value)?;
            }
            "tools" => {
                let all: Vec<Value> = read(&name, value)?;
                let tools = all.into_iter().enumerate().map(|(at, json)| tool(&format!("tools[{at}]"), json));
                request.tools = tools.collect::<Result<_>>()?;
            }
            "tool_choice" => match choice(&value) {
                Some(choice) => request.tool_choice = Some(choice),
                None => request.options.set(NAME, name, value),
            },
            "parallel_tool_calls" => request.parallel_tool_calls = Some(read(&name, value)?),
            "max_output_tokens" => request.max_tokens = Some(read(&name, value)?),
            "temperature" => request.temperature = Some(read(&name, value)?),
            "top_p" => request.top_p = Some(read(&name, value)?),
            "reasoning" => {
                let mut fields: Fields = read(&name, value)?;
                if let Some(effort) = fields.shift_remove("effort").filter(|effort| !effort.is_null()) {
                    let effort = Some(read("reasoning.effort", effort)?);
                    request.reasoning = Some(ReasoningRequest { effort, ..ReasoningRequest::default() });
                }
                keep_rest(&mut request, &name, fields);
            }
            "text" => {
                let mut fields: Fields = read(&name, value)?;
                request.response_format = fields.get("format").and_then(format);
                if request.response_format.is_some() {
                    fields.shift_remove("format");
                }
                keep_rest(&mut request, &name, fields);
            }
            "prompt_cache_key" => request.cache_key = Some(read(&name, value)?),
            "user" => request.user = Some(read(&name, value)?),
            "safety_identifier" if request.user.is_none() => request.user = Some(read(&name, value)?),
            "metadata" => match serde_json::from_value::<BTreeMap<String, String>>(value.clone()) {
                Ok(labels) => request.metadata = labels,
                Err(_) => request.options.set(NAME, name, value),
            },
            "stream" => request.stream = read(&name, value)?,
            _ => request.options.set(NAME, name, value),
        }
    }
    let goes_on = super::request::goes_on(&request);
    if !has_input && !goes_on || request.messages.is_empty() && instructions.is_none() && !goes_on {
        return Err(invalid("`input` is missing or empty; it must be a string or a list of items".to_owned()));
    }
    match instructions {
        Some(message) => request.messages.insert(0, message),
        // What looks like `instructions` and was an item stays one.
        None if super::request::instructions(&request.messages).0.is_some() => {
            request.messages[0].meta.set(NAME, "items", true.into());
        }
        None => {}
    }
    Ok(request)
}

fn keep_rest(request: &mut ChatRequest, name: &str, fields: Fields) {
    let fields: Fields = fields.into_iter().filter(|(_, value)| !value.is_null()).collect();
    if !fields.is_empty() {
        request.options.set(NAME, name, fields.into());
    }
}

fn input(value: Value) -> Result<Vec<Message>> {
    let items: Vec<Value> = match value {
        Value::String(text) => return Ok(vec![Message::user(text)]),
        value => read("input", value)?,
    };
    let mut messages: Vec<Message> = Vec::new();
    for (at, item) in items.into_iter().enumerate() {
        let message = message(&format!("input[{at}]"), item)?;
        match messages.last_mut() {
            // What the model said in one turn is one message.
            Some(last) if last.role == Role::Assistant && message.role == Role::Assistant => {
                last.parts.extend(message.parts);
            }
            _ => messages.push(message),
        }
    }
    Ok(messages)
}

/// One item as a message.
fn message(path: &str, item: Value) -> Result<Message> {
    let Value::Object(mut fields) = item else {
        return Err(invalid(format!("`{path}` must be an object")));
    };
    if fields.get("id").is_some_and(is_minted) {
        fields.shift_remove("id");
        fields.shift_remove("status");
    }
    let kind = match (text_in_fields(&fields, "type"), text_in_fields(&fields, "role")) {
        (Some(kind), _) => kind.to_owned(),
        (None, Some(_)) => "message".to_owned(),
        // An item_reference may go without its type.
        (None, None) if fields.contains_key("id") => "item_reference".to_owned(),
        _ => return Err(invalid(format!("`{path}` has neither a `type` nor a `role`"))),
    };
    match kind.as_str() {
        "message" => {
            let role = text_in_fields(&fields, "role").map(Role::from);
            match role.ok_or_else(|| invalid(format!("`{path}.role` is missing or no string")))? {
                Role::Assistant => said(fields),
                role => told(path, role, fields),
            }
        }
        "function_call_output" | "custom_tool_call_output" => result(path, &kind, fields),
        "function_call" | "custom_tool_call" => {
            let (_, input) = call_words(kind == "custom_tool_call");
            for field in ["name", input] {
                if fields.get(field).is_none_or(Value::is_null) {
                    return Err(invalid(format!("`{path}.{field}` is missing")));
                }
            }
            said(fields)
        }
        kind if kind.ends_with("_output") || kind.ends_with("_response") => {
            Ok(Message::new(Role::Tool, [opaque(fields)]))
        }
        _ => said(fields),
    }
}

/// What the model said, read as an answer is.
fn said(fields: Fields) -> Result<Message> {
    let is_bare = text_in_fields(&fields, "type") == Some("reasoning") && !fields.contains_key("id");
    let is_ours = is_bare && !fields.contains_key("encrypted_content") && !fields.contains_key("content");
    let mut sink = Sink::whole();
    let mut teller = Teller::default();
    teller.item(0, fields.into(), &mut sink).map_err(|e| invalid(e.message().to_owned()))?;
    let mut parts = sink.into_response().parts;
    for part in &mut parts {
        let is_empty = |item: &Value| item.as_object().is_some_and(Map::is_empty);
        let is_reasoning = matches!(part.content, Content::Reasoning(_));
        // A summary that no server knows by its id came from elsewhere, and passed through here.
        if is_ours && is_reasoning || !is_reasoning && part.meta.get(NAME, "item").is_some_and(is_empty) {
            let kept = part.meta.of(NAME).cloned().unwrap_or_default();
            part.meta = Meta::default();
            for (name, value) in kept.into_iter().filter(|(name, _)| !is_reasoning && name != "item") {
                part.meta.set(NAME, name, value);
            }
        }
    }
    Ok(Message::new(Role::Assistant, parts))
}

/// What somebody else said.
fn told(path: &str, role: Role, mut fields: Fields) -> Result<Message> {
    let content = fields.shift_remove("content").unwrap_or_default();
    let mut message = Message::new(role, content_of(&format!("{path}.content"), content)?);
    for (name, value) in rest_of(fields, &["type", "role"]) {
        message.meta.set(NAME, name, value);
    }
    Ok(message)
}

fn result(path: &str, kind: &str, mut fields: Fields) -> Result<Message> {
    let Some(Value::String(call_id)) = fields.shift_remove("call_id") else {
        return Err(invalid(format!("`{path}.call_id` is missing or no string")));
    };
    let parts = content_of(&format!("{path}.output"), fields.shift_remove("output").unwrap_or_default())?;
    let name = text_in_fields(&fields, "name").map(str::to_owned);
    let result = ToolResult { call_id, name, parts, is_error: false };
    let mut part = Part::from(Content::ToolResult(result));
    if kind == "custom_tool_call_output" {
        part.meta.set(NAME, "type", "custom".into());
    }
    let rest = rest_of(fields, &["type", "name"]);
    if !rest.is_empty() {
        part.meta.set(NAME, "item", rest.into());
    }
    Ok(Message::new(Role::Tool, [part]))
}

fn content_of(path: &str, content: Value) -> Result<Vec<Part>> {
    Ok(match content {
        Value::String(text) => vec![Part::text(text)],
        Value::Array(pieces) => pieces.into_iter().map(piece).collect(),
        Value::Null => Vec::new(),
        json @ Value::Object(_) => vec![piece(json)],
        _ => return Err(invalid(format!("`{path}` must be a string or a list"))),
    })
}

/// A piece of content; one that is not understood stays as it is.
fn piece(json: Value) -> Part {
    let text = |name: &str| text_in(&json, name).filter(|text| !text.is_empty());
    let (part, known): (Option<Part>, &[&str]) = match text("type") {
        Some("input_text" | "text" | "output_text") => (text_in(&json, "text").map(Part::text), &["text"]),
        Some("input_image") => {
            let media = match (text("file_id"), text("image_url")) {
                (Some(id), _) => Some(Media::file_id(id)),
                (None, url) => url.and_then(|url| Media::from_url(url).ok()),
            };
            (media.map(Part::image), &["image_url", "file_id"])
        }
        Some("input_file") => {
            (file(&json).map(|file| Content::Document(file).into()), &["file_id", "file_url", "file_data", "filename"])
        }
        Some("input_audio") => (audio(&json).map(|media| Content::Audio(media).into()), &["input_audio"]),
        _ => (None, &[]),
    };
    let (Some(mut part), Value::Object(mut fields)) = (part, json.clone()) else {
        return Content::Opaque { dialect: NAME.to_owned(), json }.into();
    };
    if fields.get("prompt_cache_breakpoint") == Some(&json!({"mode": "explicit"})) {
        fields.shift_remove("prompt_cache_breakpoint");
        part.cache = Some(CacheMark::default());
    }
    let known: Vec<&str> = known.iter().copied().chain(["type"]).collect();
    let rest = rest_of(fields, &known);
    if !rest.is_empty() {
        part.meta.set(NAME, "content", rest.into());
    }
    part
}

fn file(json: &Value) -> Option<Document> {
    let text = |name: &str| text_in(json, name).filter(|text| !text.is_empty());
    let media = match (text("file_id"), text("file_url"), text("file_data")) {
        (Some(id), ..) => Media::file_id(id),
        (None, Some(url), _) => Media::url(url),
        (None, None, Some(data)) if data.starts_with("data:") => Media::from_url(data).ok()?,
        (None, None, data) => Media::base64(data?, None).ok()?,
    };
    let title = text("filename").filter(|name| *name != unnamed(media.mime.as_deref())).map(str::to_owned);
    Some(Document { media, title })
}

fn audio(json: &Value) -> Option<Media> {
    let audio = json.get("input_audio")?;
    let mime = match text_in(audio, "format")? {
        "mp3" => "audio/mpeg".to_owned(),
        format => format!("audio/{format}"),
    };
    Media::base64(text_in(audio, "data")?, Some(&mime)).ok()
}

fn tool(path: &str, json: Value) -> Result<Tool> {
    let mut fields: Fields = read(path, json)?;
    if text_in_fields(&fields, "type").is_none() {
        return Err(invalid(format!("`{path}.type` is missing or no string")));
    }
    if fields["type"] != "function" {
        return Ok(Tool::Opaque { dialect: NAME.to_owned(), json: fields.into() });
    }
    // Some clients write functions as Chat Completions has them.
    if let Some(Value::Object(inner)) = fields.shift_remove("function") {
        fields.extend(inner);
    }
    let mut tool = FunctionTool::default();
    for (name, value) in fields {
        match name.as_str() {
            _ if value.is_null() => {}
            "type" => {}
            "name" => tool.name = read(&format!("{path}.name"), value)?,
            "description" => tool.description = Some(read(&format!("{path}.description"), value)?),
            "parameters" => tool.parameters = Some(value),
            "strict" => tool.strict = Some(read(&format!("{path}.strict"), value)?),
            _ => tool.meta.set(NAME, name, value),
        }
    }
    if tool.name.is_empty() {
        return Err(invalid(format!("`{path}.name` is missing or empty")));
    }
    Ok(Tool::Function(tool))
}

/// A choice of tools; `None` for one that only this dialect has.
fn choice(json: &Value) -> Option<ToolChoice> {
    let name_of = |json: &Value| match text_in(json, "type") {
        Some("function") => text_in(json, "name").map(str::to_owned),
        _ => None,
    };
    match json.as_str().or_else(|| text_in(json, "type"))? {
        "auto" => Some(ToolChoice::Auto),
        "none" => Some(ToolChoice::None),
        "required" => Some(ToolChoice::Required),
        "function" => name_of(json).map(ToolChoice::Named),
        "allowed_tools" => {
            let names = json.get("tools")?.as_array()?.iter().map(name_of).collect::<Option<_>>()?;
            Some(ToolChoice::Allowed { names, required: text_in(json, "mode") == Some("required") })
        }
        _ => None,
    }
}

/// A form of the answer; `None` for one that only this dialect has.
fn format(json: &Value) -> Option<ResponseFormat> {
    match text_in(json, "type")? {
        "text" => Some(ResponseFormat::Text),
        "json_object" => Some(ResponseFormat::Json),
        "json_schema" => Some(ResponseFormat::JsonSchema {
            name: text_in(json, "name").unwrap_or_default().to_owned(),
            schema: json.get("schema")?.clone(),
            description: text_in(json, "description").map(str::to_owned),
            strict: json.get("strict").and_then(Value::as_bool),
        }),
        _ => None,
    }
}

fn text_in_fields<'f>(fields: &'f Fields, name: &str) -> Option<&'f str> {
    fields.get(name).and_then(Value::as_str)
}

fn read<T: DeserializeOwned>(path: &str, value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|e| wrong(&format!("`{path}`"), &e))
}

fn wrong(what: &str, error: &serde_json::Error) -> Error {
    invalid(format!("{what} is not what this dialect takes: {}", without_values(&error.to_string())))
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}
