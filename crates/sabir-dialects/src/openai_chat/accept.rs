//! Requests as a server reads them.

use std::collections::BTreeMap;

use sabir_core::chat::{
    ChatRequest, Content, Effort, FunctionTool, Message, Meta, Part, ReasoningRequest, ResponseFormat, Role, Tool,
    ToolChoice, ToolResult,
};
use sabir_core::dialect::{Asked, without_values};
use sabir_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{NAME, part};

type Fields = Map<String, Value>;

pub(super) fn accept(asked: Asked<'_>) -> Result<ChatRequest> {
    let body: Fields = serde_json::from_slice(asked.body).map_err(|e| wrong("the body", &e))?;
    let mut request = ChatRequest::default();
    let mut reasoning = ReasoningRequest::default();
    for (name, value) in body {
        if value.is_null() {
            continue;
        }
        match name.as_str() {
            "model" => request.model = read(&name, value)?,
            "messages" => request.messages = messages(read(&name, value)?)?,
            "tools" => request.tools = list(&name, value, tool)?,
            "functions" => request.tools = list(&name, value, |path, json| function(path, json).map(Tool::Function))?,
            "tool_choice" | "function_call" => match choice(&value) {
                Some(choice) => request.tool_choice = Some(choice),
                None => keep(&mut request, name, value),
            },
            "parallel_tool_calls" => request.parallel_tool_calls = Some(read(&name, value)?),
            "max_completion_tokens" => request.max_tokens = Some(read(&name, value)?),
            "max_tokens" => {
                let limit = read(&name, value)?;
                request.max_tokens.get_or_insert(limit);
            }
            "temperature" => request.temperature = Some(read(&name, value)?),
            "top_p" => request.top_p = Some(read(&name, value)?),
            "top_k" => request.top_k = Some(read(&name, value)?),
            "presence_penalty" => request.presence_penalty = Some(read(&name, value)?),
            "frequency_penalty" => request.frequency_penalty = Some(read(&name, value)?),
            "stop" => {
                let many = if value.is_string() { Value::Array(vec![value]) } else { value };
                request.stop = read(&name, many)?;
            }
            "seed" | "random_seed" => request.seed = Some(read(&name, value)?),
            "response_format" => match format(&value) {
                Some(format) => request.response_format = Some(format),
                None => keep(&mut request, name, value),
            },
            "reasoning_effort" => reasoning.effort = Some(read(&name, value)?),
            "enable_thinking" => reasoning.enabled = Some(read(&name, value)?),
            "thinking_budget" => reasoning.budget = Some(read(&name, value)?),
            "thinking" | "reasoning" => match thinking(&value) {
                Some(found) => {
                    reasoning.effort = found.effort.or(reasoning.effort);
                    reasoning.budget = found.budget.or(reasoning.budget);
                    reasoning.enabled = found.enabled.or(reasoning.enabled);
                }
                None => keep(&mut request, name, value),
            },
            "user" => request.user = Some(read(&name, value)?),
            "metadata" => match serde_json::from_value::<BTreeMap<String, String>>(value.clone()) {
                Ok(labels) => request.metadata = labels,
                Err(_) => keep(&mut request, name, value),
            },
            "prompt_cache_key" => request.cache_key = Some(read(&name, value)?),
            "cache_control" if part::cache_mark(&value).is_some() => request.cache = part::cache_mark(&value),
            "stream" => request.stream = read(&name, value)?,
            // One answer is what there is anyway.
            "n" if value == 1 => {}
            _ => keep(&mut request, name, value),
        }
    }
    request.reasoning = Some(reasoning).filter(|wanted| *wanted != ReasoningRequest::default());
    if request.model.is_empty() {
        // Where a server has one model an address, clients leave it out or put it in the path.
        model_in(asked.path).clone_into(&mut request.model);
    }
    if request.messages.is_empty() {
        return Err(invalid("`messages` is missing or empty; it must hold at least one message".to_owned()));
    }
    Ok(request)
}

fn keep(request: &mut ChatRequest, name: String, value: Value) {
    request.options.set(NAME, name, value);
}

/// Azure's `/deployments/NAME/chat/completions`, Hugging Face's `/models/OWNER/NAME/v1/chat/completions`.
fn model_in(path: &str) -> &str {
    let after = ["/deployments/", "/models/"].iter().find_map(|mark| path.split_once(mark).map(|(_, rest)| rest));
    after
        .and_then(|rest| rest.split_once("/v1/chat/").or_else(|| rest.split_once("/chat/")))
        .map_or("", |(name, _)| name)
}

fn messages(wire: Vec<Fields>) -> Result<Vec<Message>> {
    let mut all: Vec<Message> = Vec::with_capacity(wire.len());
    for (at, fields) in wire.into_iter().enumerate() {
        let message = message(&format!("messages[{at}]"), fields, &all)?;
        all.push(message);
    }
    Ok(all)
}

fn message(path: &str, fields: Fields, before: &[Message]) -> Result<Message> {
    let role = fields.get("role").and_then(Value::as_str).map(Role::from);
    let role = role.ok_or_else(|| invalid(format!("`{path}.role` is missing or no string")))?;
    let is_model = role == Role::Assistant;
    let (mut content, mut thoughts, mut after, mut calls) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut details, mut call_id, mut name, mut meta) = (Vec::new(), String::new(), None, Meta::default());
    let mut cache = None;
    for (field, value) in fields {
        if value.is_null() {
            continue;
        }
        let place = || format!("{path}.{field}");
        match field.as_str() {
            "role" => {}
            "content" => content = parts(&place(), value, is_model)?,
            "name" => name = Some(read(&place(), value)?),
            "tool_call_id" => call_id = read(&place(), value)?,
            "refusal" if is_model => {
                let text: String = read(&place(), value)?;
                after.extend((!text.is_empty()).then(|| Part::from(Content::Refusal { text })));
            }
            "tool_calls" => calls.extend(list(&place(), value, call)?),
            "function_call" => {
                // Results find the call by its name: a number will do for an id.
                let id = Value::String(format!("call_{}", before.len()));
                let wrapped = Map::from_iter([("id".to_owned(), id), ("function".to_owned(), value)]);
                calls.push(call(&place(), Value::Object(wrapped))?);
            }
            "reasoning_content" | "reasoning" if is_model && value.is_string() => {
                if let Value::String(text) = value {
                    thoughts.push(text);
                }
            }
            "reasoning_details" if is_model && value.is_array() => details = read(&place(), value)?,
            "cache_control" if part::cache_mark(&value).is_some() => cache = part::cache_mark(&value),
            _ => meta.set(NAME, field, value),
        }
    }
    if role == Role::Tool || role == Role::Other("function".to_owned()) {
        if call_id.is_empty() {
            call_id = last_call(before, name.as_deref());
        }
        let result = ToolResult { call_id, name, parts: content, is_error: false };
        let part = Part { cache, ..Content::ToolResult(result).into() };
        return Ok(Message { meta, ..Message::new(Role::Tool, [part]) });
    }
    let mut all = reasoning(thoughts, details);
    all.extend(content);
    all.extend(after);
    all.extend(calls);
    // A mark on the message is one on its last part.
    if let Some(last) = all.last_mut().filter(|last| last.cache.is_none()) {
        last.cache = cache;
    }
    Ok(Message { name, meta, ..Message::new(role, all) })
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

fn parts(path: &str, value: Value, is_model: bool) -> Result<Vec<Part>> {
    Ok(match value {
        // The model's empty text beside its calls says nothing.
        Value::String(text) if text.is_empty() && is_model => Vec::new(),
        Value::String(text) => vec![Part::text(text)],
        Value::Array(items) => items.into_iter().map(part::accept).collect(),
        Value::Object(_) => vec![part::accept(value)],
        _ => return Err(invalid(format!("`{path}` must be a string or a list of parts"))),
    })
}

/// Reasoning as it was answered: the text of one field, and the details as they came.
fn reasoning(texts: Vec<String>, details: Vec<Value>) -> Vec<Part> {
    let text = texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let mut sink = sabir_core::Sink::whole();
    let mut thoughts = super::thoughts::Thoughts::default();
    thoughts.tell(&text, details, &mut sink);
    thoughts.flush(&mut sink);
    sink.into_response().parts
}

fn call(path: &str, json: Value) -> Result<Part> {
    let mut fields: Fields = read(path, json)?;
    let is_custom = fields.contains_key("custom") && !fields.contains_key("function");
    let (kind, arguments) = if is_custom { ("custom", "input") } else { ("function", "arguments") };
    let Some(Value::Object(mut inner)) = fields.shift_remove(kind) else {
        return Err(invalid(format!("`{path}.{kind}` is missing or no object")));
    };
    let arguments = match inner.shift_remove(arguments) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        Some(json) => json.to_string(),
    };
    let id = match fields.shift_remove("id") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(id)) => id,
        Some(json) => json.to_string(),
    };
    let name = inner.shift_remove("name").unwrap_or_default();
    let mut part = Part::tool_call(id, read::<String>(&format!("{path}.{kind}.name"), name)?, arguments);
    for (field, value) in fields {
        match field.as_str() {
            "type" if !is_custom => {}
            // A number that a stream's fragments had; the order says it.
            "index" => {}
            "cache_control" if part::cache_mark(&value).is_some() => part.cache = part::cache_mark(&value),
            _ if value.is_null() => {}
            _ => part.meta.set(NAME, field, value),
        }
    }
    Ok(part)
}

fn tool(path: &str, json: Value) -> Result<Tool> {
    let is_function = json.get("function").is_some_and(Value::is_object);
    if !json.is_object() || !is_function && json.get("type").is_none_or(|kind| kind == "function") {
        return Err(invalid(format!("`{path}.function` is missing or no object")));
    }
    if !is_function {
        return Ok(Tool::Opaque { dialect: NAME.to_owned(), json });
    }
    let mut fields: Fields = read(path, json)?;
    let mut tool = function(&format!("{path}.function"), fields.shift_remove("function").unwrap_or_default())?;
    for (field, value) in fields {
        match field.as_str() {
            "type" => {}
            "cache_control" if part::cache_mark(&value).is_some() => tool.cache = part::cache_mark(&value),
            _ => tool.meta.set(NAME, field, value),
        }
    }
    Ok(Tool::Function(tool))
}

fn function(path: &str, json: Value) -> Result<FunctionTool> {
    let mut tool = FunctionTool::default();
    let mut more = Fields::new();
    for (field, value) in read::<Fields>(path, json)? {
        let place = format!("{path}.{field}");
        match field.as_str() {
            _ if value.is_null() => {}
            "name" => tool.name = read(&place, value)?,
            "description" => tool.description = Some(read(&place, value)?),
            "parameters" => tool.parameters = Some(value),
            "strict" => tool.strict = Some(read(&place, value)?),
            _ => {
                more.insert(field, value);
            }
        }
    }
    if tool.name.is_empty() {
        return Err(invalid(format!("`{path}.name` is missing or empty")));
    }
    if !more.is_empty() {
        tool.meta.set(NAME, "function", Value::Object(more));
    }
    Ok(tool)
}

/// A choice of tools; `None` for one that only this dialect has.
fn choice(json: &Value) -> Option<ToolChoice> {
    let name_of = |json: &Value| json.get("function").unwrap_or(json).get("name")?.as_str().map(str::to_owned);
    let kind = json.as_str().or_else(|| json.get("type")?.as_str());
    match kind {
        Some("auto") => Some(ToolChoice::Auto),
        Some("none") => Some(ToolChoice::None),
        Some("required" | "any") => Some(ToolChoice::Required),
        Some("function") | None => name_of(json).map(ToolChoice::Named),
        Some("allowed_tools") => {
            let allowed = json.get("allowed_tools")?;
            let names = allowed.get("tools")?.as_array()?.iter().map(name_of).collect::<Option<_>>()?;
            Some(ToolChoice::Allowed { names, required: allowed.get("mode").is_some_and(|mode| mode == "required") })
        }
        Some(_) => None,
    }
}

/// A form of the answer; `None` for one that only this dialect has.
fn format(json: &Value) -> Option<ResponseFormat> {
    let only = |json: &Value, known: &[&str]| json.as_object().is_some_and(|f| f.keys().all(|k| known.contains(&&**k)));
    match json.get("type")?.as_str()? {
        "text" if only(json, &["type"]) => Some(ResponseFormat::Text),
        "json_object" if only(json, &["type"]) => Some(ResponseFormat::Json),
        "json_schema" if only(json, &["type", "json_schema"]) => {
            let inner = json.get("json_schema").filter(|i| only(i, &["name", "schema", "description", "strict"]))?;
            let text = |field: &str| inner.get(field).and_then(Value::as_str).map(str::to_owned);
            Some(ResponseFormat::JsonSchema {
                name: text("name").unwrap_or_default(),
                schema: inner.get("schema")?.clone(),
                description: text("description"),
                strict: inner.get("strict").and_then(Value::as_bool),
            })
        }
        _ => None,
    }
}

/// `thinking: {type, budget_tokens}` or `reasoning: {effort, max_tokens, enabled}`; `None` where there is more in it.
fn thinking(json: &Value) -> Option<ReasoningRequest> {
    let mut found = ReasoningRequest::default();
    for (field, value) in json.as_object()? {
        match field.as_str() {
            "type" => match value.as_str()? {
                "enabled" => found.enabled = Some(true),
                "disabled" => found.enabled = Some(false),
                _ => return None,
            },
            "enabled" => found.enabled = Some(value.as_bool()?),
            "effort" => found.effort = Some(Effort::from(value.as_str()?)),
            "max_tokens" | "budget_tokens" => found.budget = Some(value.as_u64()?),
            _ => return None,
        }
    }
    Some(found)
}

fn list<T>(path: &str, json: Value, item: impl Fn(&str, Value) -> Result<T>) -> Result<Vec<T>> {
    let items: Vec<Value> = read(path, json)?;
    items.into_iter().enumerate().map(|(at, json)| item(&format!("{path}[{at}]"), json)).collect()
}

fn read<T: DeserializeOwned>(path: &str, json: Value) -> Result<T> {
    serde_json::from_value(json).map_err(|e| wrong(&format!("`{path}`"), &e))
}

fn wrong(what: &str, error: &serde_json::Error) -> Error {
    invalid(format!("{what} is not what this dialect takes: {}", without_values(&error.to_string())))
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}
