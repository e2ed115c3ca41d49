//! Requests, written to the provider. `accept` is the way back.

use http::{HeaderName, HeaderValue};
use sabir_core::chat::{
    ChatRequest, Content, Effort, FunctionTool, Message, Part, ReasoningRequest, ResponseFormat, Role, Tool, ToolChoice,
};
use sabir_core::dialect::Encoded;
use sabir_core::{Endpoint, Error, ErrorKind, Feature, Result};
use serde_json::{Map, Value, json};

use super::NAME;
use super::wire::{Object, write_json};
use super::writer::{Blocks, Place, Speaker, Writer, plain_text, write_cache};

pub(super) const VERSION: HeaderName = HeaderName::from_static("anthropic-version");
pub(super) const BETA: HeaderName = HeaderName::from_static("anthropic-beta");

/// The version that is asked for unless the endpoint names another.
const USUAL_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// The version that refuses sampling parameters and some blocks.
pub(super) const MODERN_VERSION: &str = "2026-10-21";

/// What is sent as `max_tokens`, which this dialect requires, where neither request nor row sets it and nothing is
/// known of the model.
const DEFAULT_MAX_TOKENS: u64 = 4096;

/// The most that is sent for a model whose limit is known, where neither request nor row sets it: enough for all but
/// the longest answers, and none that a caller who set no limit would be surprised to pay for.
const MOST_BY_DEFAULT: u64 = 32_000;

/// What is asked, as an HTTP request.
pub(super) fn encode(request: &ChatRequest, endpoint: &Endpoint) -> Result<Encoded> {
    let path = if endpoint.base_url.trim_end_matches('/').ends_with("/v1") { "/messages" } else { "/v1/messages" };
    let uri = endpoint.url(path)?;
    let version = endpoint.headers.get(VERSION);
    let mut writer = Writer {
        modern: version.is_some_and(|v| v == MODERN_VERSION),
        unsigned: endpoint.quirks.get("unsigned_thinking") == Some("true"),
        ..Writer::default()
    };
    let mut body = Vec::with_capacity(1024);
    write_body(request, endpoint, &mut writer, &mut body)?;
    let mut encoded = Encoded::post_json(uri, body, writer.losses);
    if version.is_none() {
        encoded.headers.insert(VERSION, USUAL_VERSION);
    }
    if let Some(betas) = request.options.get(NAME, "betas") {
        // The endpoint's own betas stay: the header is a list.
        let own = endpoint.headers.get(BETA).and_then(|v| v.to_str().ok());
        let all: Vec<String> = own.map(str::to_owned).into_iter().chain([joined(betas)]).collect();
        let value = HeaderValue::from_str(&all.join(","))
            .map_err(|_| Error::new(ErrorKind::InvalidRequest, "options.betas: cannot be sent as a header"))?;
        encoded.headers.insert(BETA, value);
    }
    Ok(encoded)
}

/// A list of strings, or one string, as one header value.
fn joined(betas: &Value) -> String {
    match betas.as_array() {
        Some(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
        None => betas.as_str().unwrap_or_default().to_owned(),
    }
}

/// The top level of the body, over which the caller's own options have the last word.
struct Top<'o> {
    object: Object<'o>,
    options: Map<String, Value>,
}

impl Top<'_> {
    fn put(&mut self, key: &str, value: Option<Value>) {
        let value = match (value, self.options.shift_remove(key)) {
            (Some(ours), Some(theirs)) => Some(merged(ours, theirs)),
            (ours, theirs) => theirs.or(ours),
        };
        if let Some(value) = value.filter(|v| !v.is_null()) {
            self.object.field(key, &value);
        }
    }

    /// Where a large field goes, unless an option stands in its place.
    fn place(&mut self, key: &str) -> Option<&mut Vec<u8>> {
        if self.options.contains_key(key) {
            self.put(key, None);
            return None;
        }
        Some(self.object.key(key))
    }
}

/// Theirs over ours. An object that names its type is a whole of its own, any other is merged field by field.
fn merged(ours: Value, theirs: Value) -> Value {
    match (ours, theirs) {
        (Value::Object(mut ours), Value::Object(theirs)) if !theirs.contains_key("type") => {
            for (key, theirs) in theirs {
                // Ours that is not there is null, which gives way to anything.
                let value = ours.get_mut(&key).map(Value::take).unwrap_or_default();
                ours.insert(key, merged(value, theirs));
            }
            Value::Object(ours)
        }
        (_, theirs) => theirs,
    }
}

fn write_body(request: &ChatRequest, endpoint: &Endpoint, writer: &mut Writer, body: &mut Vec<u8>) -> Result<()> {
    let mut options = request.options.of(NAME).cloned().unwrap_or_default();
    options.shift_remove("betas");
    let mut top = Top { object: Object::new(body), options };
    let (thinking, effort) = thinking(request, writer);
    top.put("model", Some(request.model.as_str().into()));
    top.put("max_tokens", Some(max_tokens(request, endpoint).into()));
    write_conversation(request, endpoint, writer, &mut top)?;
    write_tools(request, writer, &mut top)?;
    top.put("stop_sequences", (!request.stop.is_empty()).then(|| json!(request.stop)));
    top.put("stream", request.stream.then_some(true.into()));
    let sampling = [
        ("temperature", Feature::Temperature, request.temperature.map(|t| json!(t))),
        ("top_p", Feature::TopP, request.top_p.map(|p| json!(p))),
        ("top_k", Feature::TopK, request.top_k.map(|k| json!(k))),
    ];
    for (key, feature, value) in sampling {
        if value.is_some() && writer.modern {
            writer.lose(feature, key, "not in the API version 2026-10-21");
        }
        top.put(key, value.filter(|_| !writer.modern));
    }
    top.put("thinking", thinking);
    top.put("output_config", output_config(request, effort, writer));
    top.put("metadata", request.user.as_ref().map(|user| json!({ "user_id": user })));
    let cache = request.cache.as_ref().map(|mark| match &mark.ttl {
        Some(ttl) => json!({ "type": "ephemeral", "ttl": ttl }),
        None => json!({ "type": "ephemeral" }),
    });
    top.put("cache_control", cache);
    for (key, value) in std::mem::take(&mut top.options) {
        if !value.is_null() {
            top.object.field(&key, &value);
        }
    }
    top.object.end();
    lose_what_is_unknown_here(request, writer);
    Ok(())
}

fn lose_what_is_unknown_here(request: &ChatRequest, writer: &mut Writer) {
    let absent = [
        (request.seed.is_some(), Feature::Seed, "seed"),
        (request.presence_penalty.is_some(), Feature::PresencePenalty, "presence_penalty"),
        (request.frequency_penalty.is_some(), Feature::FrequencyPenalty, "frequency_penalty"),
        (request.cache_key.is_some(), Feature::CacheKey, "cache_key"),
        (!request.metadata.is_empty(), Feature::Metadata, "metadata"),
    ];
    for (_, feature, path) in absent.into_iter().filter(|(set, ..)| *set) {
        writer.lose(feature, path, "not in this dialect");
    }
    for dialect in request.options.dialects().filter(|d| *d != NAME) {
        for field in request.options.of(dialect).into_iter().flatten().map(|(field, _)| field) {
            writer.lose(Feature::Options, format_args!("options.{dialect}.{field}"), "an option of another dialect");
        }
    }
}

fn max_tokens(request: &ChatRequest, endpoint: &Endpoint) -> u64 {
    let from_row = || endpoint.quirks.get("default_max_tokens")?.parse().ok();
    request.max_tokens.or_else(from_row).unwrap_or_else(|| {
        let budget = request.reasoning.as_ref().and_then(|r| r.budget).unwrap_or_default();
        // The limit includes the thoughts and must be above their budget.
        match endpoint.traits(&request.model).max_output {
            Some(most) => MOST_BY_DEFAULT.saturating_add(budget).min(most),
            None => DEFAULT_MAX_TOKENS.saturating_add(budget),
        }
    })
}

/// `thinking`, and the word for `output_config.effort`.
fn thinking(request: &ChatRequest, writer: &mut Writer) -> (Option<Value>, Option<Value>) {
    let Some(ReasoningRequest { effort, budget, enabled }) = &request.reasoning else {
        return (None, None);
    };
    let word = match effort {
        None | Some(Effort::None) => None,
        Some(Effort::Minimal) => {
            writer.lose(Feature::ReasoningEffort, "reasoning.effort", "minimal is sent as low");
            Some(json!("low"))
        }
        Some(effort) => Some(json!(effort)),
    };
    let kind = match (budget, enabled) {
        _ if *effort == Some(Effort::None) => Some(json!({ "type": "disabled" })),
        (_, Some(false)) | (Some(0), _) => Some(json!({ "type": "disabled" })),
        (Some(budget), _) => Some(json!({ "type": "enabled", "budget_tokens": budget })),
        (None, Some(true)) => Some(json!({ "type": "adaptive" })),
        (None, None) => effort.as_ref().map(|_| json!({ "type": "adaptive" })),
    };
    (kind, word)
}

fn output_config(request: &ChatRequest, effort: Option<Value>, writer: &mut Writer) -> Option<Value> {
    let mut config = Map::new();
    config.extend(effort.map(|effort| ("effort".to_owned(), effort)));
    match &request.response_format {
        Some(ResponseFormat::JsonSchema { name, schema, description, .. }) => {
            config.insert("format".to_owned(), json!({ "type": "json_schema", "schema": schema }));
            for (is_set, path) in [(!name.is_empty(), "name"), (description.is_some(), "description")] {
                if is_set {
                    writer.lose(Feature::JsonSchema, format!("response_format.{path}"), "the schema stands alone here");
                }
            }
        }
        Some(ResponseFormat::Json) => {
            writer.lose(Feature::JsonOutput, "response_format", "only JSON by a schema can be asked for");
        }
        _ => {}
    }
    (!config.is_empty()).then_some(Value::Object(config))
}

/// One turn on the wire: the messages of ours that are merged into it, by number.
struct Turn<'r> {
    speaker: Speaker,
    messages: Vec<(usize, &'r Message)>,
    has_results: bool,
}

/// Writes `system` and `messages`. All results of a turn's calls must stand first in the one user turn that follows,
/// so tools' and user's messages are merged there.
fn write_conversation(
    request: &ChatRequest,
    endpoint: &Endpoint,
    writer: &mut Writer,
    top: &mut Top<'_>,
) -> Result<()> {
    let mid_system = endpoint.quirks.get("mid_system") == Some("true");
    let lead = request.split_system().0.len();
    let mut system = Vec::new();
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for (i, message) in request.messages.iter().enumerate() {
        let speaker = match &message.role {
            Role::System | Role::Developer => Speaker::System,
            Role::User | Role::Tool => Speaker::User,
            Role::Assistant => Speaker::Assistant,
            other => {
                let what = format!("messages[{i}].role: there is no {other:?} in this dialect");
                return Err(Error::new(ErrorKind::InvalidRequest, what));
            }
        };
        if message.name.is_some() {
            writer.lose(Feature::Names, format_args!("messages[{i}].name"), "not in this dialect");
        }
        if speaker == Speaker::System && (i < lead || !mid_system) {
            if i >= lead {
                let place = format_args!("messages[{i}]");
                writer.lose(Feature::SystemMidway, place, "moved to the end of the system prompt");
            }
            system.push((i, message));
            continue;
        }
        let is_result = |part: &Part| matches!(part.content, Content::ToolResult(_));
        let has_results = message.role == Role::Tool || message.parts.iter().any(is_result);
        match turns.last_mut() {
            Some(turn) if speaker == Speaker::User && turn.speaker == speaker && (turn.has_results || has_results) => {
                turn.messages.push((i, message));
                turn.has_results = true;
            }
            _ => turns.push(Turn { speaker, messages: vec![(i, message)], has_results }),
        }
    }

    let mut content = Vec::new();
    write_content(Speaker::System, &system, writer, &mut content)?;
    if (says_something(&content) || top.options.contains_key("system"))
        && let Some(out) = top.place("system")
    {
        out.append(&mut content);
    }
    let Some(out) = top.place("messages") else {
        return Ok(());
    };
    out.push(b'[');
    let start = out.len();
    for turn in &turns {
        let mut content = Vec::new();
        write_content(turn.speaker, &turn.messages, writer, &mut content)?;
        if !says_something(&content) {
            continue;
        }
        if out.len() > start {
            out.push(b',');
        }
        let mut object = Object::new(out);
        let role = match turn.speaker {
            Speaker::System => "system",
            Speaker::User => "user",
            Speaker::Assistant => "assistant",
        };
        object.field("role", role);
        object.key("content").append(&mut content);
        for (key, value) in turn.messages.iter().find_map(|(_, m)| m.meta.of(NAME)).into_iter().flatten() {
            if key != "role" && key != "content" {
                object.field(key, value);
            }
        }
        object.end();
    }
    out.push(b']');
    Ok(())
}

/// Empty content is refused, wherever it stands.
fn says_something(content: &[u8]) -> bool {
    content != b"[]" && content != b"\"\""
}

/// Writes the content of a turn: a string where it is one plain text, a list of blocks otherwise.
fn write_content(
    speaker: Speaker,
    messages: &[(usize, &Message)],
    writer: &mut Writer,
    out: &mut Vec<u8>,
) -> Result<()> {
    if let [(_, message)] = messages
        && let Some(text) = plain_text(&message.parts)
    {
        write_json(out, text);
        return Ok(());
    }
    let (mut results, mut rest) = (Blocks::default(), Blocks::default());
    for (i, message) in messages {
        let place = Place { message: Some(*i), ..Place::default() };
        writer.parts(&message.parts, speaker, place, &mut results, &mut rest)?;
    }
    results.append(&rest);
    out.push(b'[');
    out.extend_from_slice(results.as_bytes());
    out.push(b']');
    Ok(())
}

fn write_tools(request: &ChatRequest, writer: &mut Writer, top: &mut Top<'_>) -> Result<()> {
    let only = match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => {
            writer.lose(Feature::ToolChoice, "tool_choice", "imitated by sending only the allowed tools");
            Some(names)
        }
        _ => None,
    };
    let mut written = Vec::new();
    for (i, tool) in request.tools.iter().enumerate() {
        let name = match tool {
            Tool::Function(function) => Some(function.name.as_str()),
            Tool::Opaque { json, .. } => json["name"].as_str(),
            _ => None,
        };
        if only.is_some_and(|names| !names.iter().any(|n| Some(n.as_str()) == name)) {
            continue;
        }
        let before = written.len();
        if before > 0 {
            written.push(b',');
        }
        match tool {
            Tool::Function(function) => write_function(function, &mut written),
            Tool::Opaque { dialect, json } if dialect == NAME => write_json(&mut written, json),
            _ => {
                written.truncate(before);
                writer.lose(Feature::ServerTools, format_args!("tools[{i}]"), "another provider's tool");
            }
        }
    }
    if !written.is_empty()
        && let Some(out) = top.place("tools")
    {
        out.push(b'[');
        out.append(&mut written);
        out.push(b']');
    }
    let mut choice = match &request.tool_choice {
        Some(ToolChoice::Auto | ToolChoice::Allowed { required: false, .. }) => Some(json!({ "type": "auto" })),
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => Some(json!({ "type": "any" })),
        Some(ToolChoice::Named(name)) => Some(json!({ "type": "tool", "name": name })),
        Some(ToolChoice::None) => Some(json!({ "type": "none" })),
        Some(_) => {
            let what = "tool_choice: this dialect has no such choice";
            return Err(Error::new(ErrorKind::Unsupported, what));
        }
        // Without tools there is nothing to be parallel.
        None => request.parallel_tool_calls.filter(|_| !request.tools.is_empty()).map(|_| json!({ "type": "auto" })),
    };
    if let (Some(choice), Some(parallel)) = (&mut choice, request.parallel_tool_calls)
        && choice["type"] != "none"
    {
        choice["disable_parallel_tool_use"] = (!parallel).into();
    }
    top.put("tool_choice", choice);
    Ok(())
}

/// Schemas must be an object's; a function without arguments has the empty object's.
fn write_function(function: &FunctionTool, out: &mut Vec<u8>) {
    let mut tool = Object::new(out);
    tool.field("name", &function.name);
    if let Some(description) = &function.description {
        tool.field("description", description);
    }
    match &function.parameters {
        Some(Value::Object(schema)) if !schema.contains_key("type") => {
            let mut typed = Map::from_iter([("type".to_owned(), json!("object"))]);
            typed.extend(schema.clone());
            tool.field("input_schema", &typed);
        }
        Some(schema) => {
            tool.field("input_schema", schema);
        }
        None => {
            tool.field("input_schema", &no_arguments());
        }
    }
    if let Some(strict) = function.strict {
        tool.field("strict", &strict);
    }
    write_cache(&mut tool, function.cache.as_ref());
    let own = ["name", "description", "input_schema", "strict"];
    for (key, value) in function.meta.of(NAME).into_iter().flatten() {
        if !(own.contains(&key.as_str()) || key == "cache_control" && function.cache.is_some()) {
            tool.field(key, value);
        }
    }
    tool.end();
}

/// The schema of a function without arguments.
pub(super) fn no_arguments() -> Value {
    json!({ "type": "object", "properties": {} })
}
