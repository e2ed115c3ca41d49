//! Requests, written to the provider.

use std::fmt::Write as _;

use sabir_core::chat::{ChatRequest, Content, Message, Part, ResponseFormat, Role, Tool, ToolChoice};
use sabir_core::dialect::Encoded;
use sabir_core::{Endpoint, Error, ErrorKind, Feature, Result};
use serde_json::{Map, Value, json};

use super::NAME;
use super::block::{Blocks, Place, Speaker, Writer, cache_point};
use super::family::{self, Family};
use super::wire::Object;

/// What is asked, as an HTTP request.
pub(super) fn encode(request: &ChatRequest, endpoint: &Endpoint) -> Result<Encoded> {
    if request.model.is_empty() {
        return Err(Error::new(ErrorKind::InvalidRequest, "no model is named, and this dialect has it in the path"));
    }
    let family = Family::of(&request.model, endpoint.quirks.get("model_family"));
    let operation = if request.stream { "converse-stream" } else { "converse" };
    let uri = endpoint.url(&format!("/model/{}/{operation}", path_segment(&request.model)))?;
    let mut writer = Writer::asking(family == Family::Claude);
    let mut body = Vec::with_capacity(1024);
    write_body(request, family, endpoint.quirks.get("mid_system") == Some("true"), &mut writer, &mut body)?;
    Ok(Encoded::post_json(uri, body, writer.losses))
}

/// A model's id as one segment of a path: all but RFC 3986's unreserved characters are percent-encoded, the `:` of
/// versions and the `/` of ARNs included.
fn path_segment(model: &str) -> String {
    let mut segment = String::with_capacity(model.len() + 8);
    for byte in model.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            segment.push(byte.into());
        } else {
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

/// The top level of the body, over which the caller's own options have the last word.
struct Top<'o> {
    object: Object<'o>,
    options: Map<String, Value>,
}

impl Top<'_> {
    /// Writes a field that may have been merged to nothing.
    fn put(&mut self, key: &str, value: Value) {
        let value = match self.options.shift_remove(key) {
            Some(theirs) => merged(value, theirs),
            None => value,
        };
        if !value.is_null() && value.as_object().is_none_or(|fields| !fields.is_empty()) {
            self.object.field(key, &value);
        }
    }

    /// Writes a list of blocks, unless an option stands in its place.
    fn list(&mut self, key: &str, list: &[u8]) {
        if self.options.contains_key(key) {
            self.put(key, Value::Null);
        } else if !list.is_empty() {
            self.object.raw(key, list);
        }
    }
}

/// Theirs over ours: objects field by field, where null takes a field of ours away.
fn merged(ours: Value, theirs: Value) -> Value {
    match (ours, theirs) {
        (Value::Object(mut ours), Value::Object(theirs)) => {
            for (key, theirs) in theirs {
                match ours.get_mut(&key).map(Value::take) {
                    Some(_) if theirs.is_null() => drop(ours.shift_remove(&key)),
                    Some(value) => drop(ours.insert(key, merged(value, theirs))),
                    None if theirs.is_null() => {}
                    None => drop(ours.insert(key, theirs)),
                }
            }
            Value::Object(ours)
        }
        (Value::Null, theirs @ Value::Object(_)) => merged(json!({}), theirs),
        (_, theirs) => theirs,
    }
}

fn write_body(
    request: &ChatRequest,
    family: Family,
    mid_system: bool,
    writer: &mut Writer,
    body: &mut Vec<u8>,
) -> Result<()> {
    let options = request.options.of(NAME).cloned().unwrap_or_default();
    let mut top = Top { object: Object::new(body), options };
    write_conversation(request, mid_system, writer, &mut top)?;
    let mut inference = Map::new();
    let settings = [
        ("maxTokens", request.max_tokens.map(Value::from)),
        ("temperature", request.temperature.map(Value::from)),
        ("topP", request.top_p.map(Value::from)),
        ("stopSequences", (!request.stop.is_empty()).then(|| json!(request.stop))),
    ];
    inference.extend(settings.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    top.put("inferenceConfig", inference.into());
    top.put("toolConfig", tool_config(request, writer)?);
    top.put("outputConfig", output_config(request, writer));
    top.put("additionalModelRequestFields", family::fields(request, family, &mut writer.losses).into());
    top.put("requestMetadata", request_metadata(request, writer));
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
        (request.cache.is_some(), Feature::CacheMarks, "cache"),
        (request.cache_key.is_some(), Feature::CacheKey, "cache_key"),
    ];
    for (_, feature, path) in absent.into_iter().filter(|(set, ..)| *set) {
        writer.lose(feature, path, "not in this dialect");
    }
    for dialect in request.options.dialects().filter(|d| *d != NAME) {
        for (field, _) in request.options.of(dialect).into_iter().flatten() {
            writer.lose(Feature::Options, format_args!("options.{dialect}.{field}"), "an option of another dialect");
        }
    }
}

/// Labels, and among them the end user's id, which has no place of its own here.
fn request_metadata(request: &ChatRequest, writer: &mut Writer) -> Value {
    let mut labels: Map<String, Value> =
        request.metadata.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    match &request.user {
        Some(_) if labels.contains_key("user") => writer.lose(Feature::User, "user", "a label of that name is there"),
        Some(user) => drop(labels.insert("user".to_owned(), user.as_str().into())),
        None => {}
    }
    labels.into()
}

fn output_config(request: &ChatRequest, writer: &mut Writer) -> Value {
    let mut config = Map::new();
    match &request.response_format {
        Some(ResponseFormat::JsonSchema { name, schema, description, strict }) => {
            let mut inner = json!({ "schema": schema.to_string(), "name": name });
            if let Some(description) = description {
                inner["description"] = description.as_str().into();
            }
            let format = json!({ "type": "json_schema", "structure": { "jsonSchema": inner } });
            config.insert("textFormat".to_owned(), format);
            if *strict == Some(false) {
                writer.lose(Feature::JsonSchema, "response_format.strict", "the schema is followed to the letter here");
            }
        }
        Some(ResponseFormat::Json) => {
            writer.lose(Feature::JsonOutput, "response_format", "only JSON by a schema can be asked for");
        }
        Some(ResponseFormat::Text) => {
            writer.lose(Feature::JsonOutput, "response_format", "text is what comes unasked; not said");
        }
        _ => {}
    }
    config.extend(family::effort(request).map(|word| ("effort".to_owned(), word.into())));
    config.into()
}

fn tool_config(request: &ChatRequest, writer: &mut Writer) -> Result<Value> {
    // A conversation with calls in it is refused where no tools are defined.
    let has_calls = || request.messages.iter().flat_map(|m| &m.parts).any(is_about_tools);
    if request.tool_choice == Some(ToolChoice::None) {
        let keeps = has_calls();
        let note = if keeps { "the tools may be used all the same" } else { "said by leaving the tools out" };
        writer.lose(Feature::ToolChoice, "tool_choice", note);
        if !keeps {
            return Ok(Value::Null);
        }
    }
    let only = match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => {
            writer.lose(Feature::ToolChoice, "tool_choice", "imitated by sending only the allowed tools");
            Some(names)
        }
        _ => None,
    };
    let mut tools = Vec::new();
    for (i, tool) in request.tools.iter().enumerate() {
        match tool {
            Tool::Function(function) if only.is_some_and(|names| !names.contains(&function.name)) => {}
            Tool::Function(function) => {
                let mut spec = Map::new();
                spec.insert("name".to_owned(), function.name.as_str().into());
                spec.extend(function.description.as_ref().map(|text| ("description".to_owned(), text.as_str().into())));
                let schema = function.parameters.clone().unwrap_or_else(no_arguments);
                spec.insert("inputSchema".to_owned(), json!({ "json": schema }));
                spec.extend(function.strict.map(|strict| ("strict".to_owned(), strict.into())));
                for (key, value) in function.meta.of(NAME).into_iter().flatten() {
                    spec.entry(key).or_insert_with(|| value.clone());
                }
                tools.push(json!({ "toolSpec": spec }));
                tools.extend(function.cache.as_ref().map(|mark| json!({ "cachePoint": cache_point(mark) })));
            }
            Tool::Opaque { dialect, json } if dialect == NAME => tools.push(json.clone()),
            _ => writer.lose(Feature::ServerTools, format_args!("tools[{i}]"), "another provider's tool"),
        }
    }
    if tools.is_empty() {
        return Ok(Value::Null);
    }
    let mut config = json!({ "tools": tools });
    match &request.tool_choice {
        Some(ToolChoice::Auto | ToolChoice::Allowed { required: false, .. }) => {
            config["toolChoice"] = json!({"auto": {}});
        }
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => {
            config["toolChoice"] = json!({"any": {}});
        }
        Some(ToolChoice::Named(name)) => config["toolChoice"] = json!({"tool": { "name": name }}),
        Some(ToolChoice::None) | None => {}
        Some(_) => {
            return Err(Error::new(ErrorKind::Unsupported, "tool_choice: this dialect has no such choice"));
        }
    }
    Ok(config)
}

fn is_about_tools(part: &Part) -> bool {
    matches!(part.content, Content::ToolCall(_) | Content::ToolResult(_))
}

/// The schema of a function without arguments.
pub(super) fn no_arguments() -> Value {
    json!({ "type": "object", "properties": {} })
}

/// Writes `messages` and `system`. The person and the model must take turns, so neighbouring messages of one speaker
/// become one; a tool's results are the person's to tell.
fn write_conversation(request: &ChatRequest, mid_system: bool, writer: &mut Writer, top: &mut Top<'_>) -> Result<()> {
    let lead = request.split_system().0.len();
    let mut system = Blocks::default();
    let mut turns: Vec<(Speaker, &Message, Blocks)> = Vec::new();
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
        if message.role == Role::Developer {
            writer.lose(
                Feature::SystemPrompt,
                format_args!("messages[{i}].role"),
                "the developer speaks as the system",
            );
        }
        if message.name.is_some() {
            writer.lose(Feature::Names, format_args!("messages[{i}].name"), "not in this dialect");
        }
        let place = Place { message: Some(i), ..Place::default() };
        if speaker == Speaker::System && (i < lead || !mid_system) {
            if i >= lead {
                let place = format_args!("messages[{i}]");
                writer.lose(Feature::SystemMidway, place, "moved to the end of the system prompt");
            }
            writer.parts(&message.parts, speaker, place, &mut system)?;
            continue;
        }
        if let Some((_, _, blocks)) = turns.last_mut().filter(|(last, ..)| *last == speaker) {
            writer.parts(&message.parts, speaker, place, blocks)?;
        } else {
            let mut blocks = Blocks::default();
            writer.parts(&message.parts, speaker, place, &mut blocks)?;
            turns.push((speaker, message, blocks));
        }
    }
    let mut messages = vec![b'['];
    // Empty content is refused, wherever it stands.
    for (speaker, message, blocks) in turns.iter().filter(|(_, _, blocks)| !blocks.is_empty()) {
        if messages.len() > 1 {
            messages.push(b',');
        }
        let mut object = Object::new(&mut messages);
        let role = match speaker {
            Speaker::System => "system",
            Speaker::User => "user",
            Speaker::Assistant => "assistant",
        };
        object.field("role", role);
        blocks.write_to(object.key("content"));
        for (key, value) in message.meta.of(NAME).into_iter().flatten() {
            object.field(key, value);
        }
        object.end();
    }
    messages.push(b']');
    top.list("messages", &messages);
    let mut prompt = Vec::new();
    if !system.is_empty() {
        system.write_to(&mut prompt);
    }
    top.list("system", &prompt);
    Ok(())
}
