//! Requests as a client writes them.

use bytes::Bytes;
use sabir_core::chat::{
    ChatRequest, Content, Document, Effort, FunctionTool, Media, Message, Part, ResponseFormat, Role, Source, Tool,
    ToolChoice, ToolResult, to_base64,
};
use sabir_core::dialect::Encoded;
use sabir_core::{Endpoint, Feature, Loss, Result};
use serde_json::{Map, Value, json};

use super::NAME;
use super::item::{Items, extend};

type Fields = Map<String, Value>;

pub(super) fn encode(request: &ChatRequest, endpoint: &Endpoint) -> Result<Encoded> {
    let uri = endpoint.url("/responses")?;
    let (mut body, mut losses) = (Fields::new(), Vec::new());
    put(&mut body, "model", Some(request.model.as_str()).filter(|model| !model.is_empty()));
    let (instructions, rest) = instructions(&request.messages);
    put(&mut body, "instructions", instructions);
    let items = input(request, rest, &mut losses);
    // Where the conversation is kept by the server, nothing need be added to it.
    if !(items.is_empty() && goes_on(request)) {
        body.insert("input".into(), items.into());
    }
    settings(request, &mut body, &mut losses);
    put(&mut body, endpoint.quirks.get("user_field").unwrap_or("user"), request.user.as_deref());
    put(&mut body, "prompt_cache_key", request.cache_key.as_deref());
    if !request.metadata.is_empty() {
        body.insert("metadata".into(), json!(request.metadata));
    }
    if request.stream {
        body.insert("stream".into(), true.into());
    }
    unsupported(request, &mut losses);
    for (name, value) in request.options.of(NAME).into_iter().flatten() {
        match (body.get_mut(name), value) {
            (Some(Value::Object(ours)), Value::Object(more)) if matches!(name.as_str(), "reasoning" | "text") => {
                ours.extend(more.clone());
            }
            _ => drop(body.insert(name.clone(), value.clone())),
        }
    }
    Ok(Encoded::post_json(uri, Bytes::from(Value::Object(body).to_string()), losses))
}

/// Whether a request names something that the server keeps, and that the input adds to.
pub(super) fn goes_on(request: &ChatRequest) -> bool {
    ["previous_response_id", "conversation", "prompt"].iter().any(|name| request.options.get(NAME, name).is_some())
}

/// What a request says besides its messages, in the fields that an answer repeats.
pub(super) fn settings(request: &ChatRequest, body: &mut Fields, losses: &mut Vec<Loss>) {
    let tools: Vec<Value> = request.tools.iter().enumerate().filter_map(|(at, t)| tool(at, t, losses)).collect();
    if !tools.is_empty() {
        body.insert("tools".into(), tools.into());
    }
    put(body, "tool_choice", request.tool_choice.as_ref().map(tool_choice));
    put(body, "parallel_tool_calls", request.parallel_tool_calls);
    put(body, "max_output_tokens", request.max_tokens);
    put(body, "temperature", request.temperature);
    put(body, "top_p", request.top_p);
    if let Some(wanted) = &request.reasoning {
        let is_off = wanted.enabled == Some(false);
        let effort = wanted.effort.as_ref().map(Effort::as_str).or(is_off.then_some("none"));
        if let Some(effort) = effort {
            body.insert("reasoning".into(), json!({ "effort": effort }));
        }
        if wanted.budget.is_some() {
            losses.push(Loss::new(
                Feature::ReasoningBudget,
                "reasoning.budget",
                "this dialect takes efforts, not tokens",
            ));
        }
        if wanted.enabled == Some(true) {
            let note = "what can think does; how much is said by an effort";
            losses.push(Loss::new(Feature::ReasoningEffort, "reasoning.enabled", note));
        }
    }
    if let Some(wanted) = &request.response_format {
        body.insert("text".into(), json!({ "format": format(wanted) }));
    }
}

fn unsupported(request: &ChatRequest, losses: &mut Vec<Loss>) {
    let absent = [
        (request.top_k.is_some(), Feature::TopK, "top_k"),
        (!request.stop.is_empty(), Feature::Stop, "stop"),
        (request.seed.is_some(), Feature::Seed, "seed"),
        (request.presence_penalty.is_some(), Feature::PresencePenalty, "presence_penalty"),
        (request.frequency_penalty.is_some(), Feature::FrequencyPenalty, "frequency_penalty"),
        (request.cache.is_some(), Feature::CacheMarks, "cache"),
    ];
    for (_, feature, path) in absent.into_iter().filter(|(is_set, ..)| *is_set) {
        losses.push(Loss::new(feature, path, "not in this dialect"));
    }
    for dialect in request.options.dialects().filter(|dialect| *dialect != NAME) {
        losses.push(Loss::new(Feature::Options, format!("options.{dialect}"), "options of another dialect"));
    }
}

/// The text of a plain system message at the beginning, and the messages after it.
pub(super) fn instructions(messages: &[Message]) -> (Option<&str>, &[Message]) {
    if let [Message { role: Role::System, parts, name: None, meta }, rest @ ..] = messages
        && let [part] = parts.as_slice()
        && let (Some(text), None, true, true) = (part.as_text(), &part.cache, meta.is_empty(), part.meta.is_empty())
    {
        return (Some(text), rest);
    }
    (None, messages)
}

fn input(request: &ChatRequest, messages: &[Message], losses: &mut Vec<Loss>) -> Vec<Value> {
    let mut items = Items::asked(&request.tools);
    let first = request.messages.len() - messages.len();
    for (at, message) in messages.iter().enumerate() {
        let at = at + first;
        if message.name.is_some() {
            items.lose(Feature::Names, &format!("messages[{at}].name"), "not in this dialect");
        }
        let of_model = matches!(message.role, Role::Assistant | Role::Tool);
        let mut content = Vec::new();
        for (n, part) in message.parts.iter().enumerate() {
            let path = format!("messages[{at}].parts[{n}]");
            match &part.content {
                Content::ToolResult(result) => {
                    say(&mut items, message, &mut content);
                    let item = output(&mut items, part, result, &path);
                    items.out.push(item);
                }
                Content::ToolCall(_)
                | Content::Reasoning(_)
                | Content::ServerToolUse(_)
                | Content::ServerToolResult(_) => {
                    say(&mut items, message, &mut content);
                    items.part(part, &path);
                }
                Content::Opaque { .. } if of_model => items.part(part, &path),
                _ if message.role == Role::Assistant => items.part(part, &path),
                _ => content.extend(piece(&mut items, part, &path)),
            }
        }
        if !content.is_empty() || message.parts.is_empty() {
            say(&mut items, message, &mut content);
        }
        items.flush();
    }
    losses.extend(items.losses);
    items.out
}

/// Ends a message of somebody else than the model.
fn say(items: &mut Items<'_>, message: &Message, content: &mut Vec<Value>) {
    if content.is_empty() && !message.parts.is_empty() {
        return;
    }
    items.flush();
    // A tool speaks in results; what else it says is input.
    let role = if message.role == Role::Tool { "user" } else { message.role.as_str() };
    let mut item = Fields::from_iter([("role".to_owned(), role.into())]);
    item.insert("content".into(), plain(std::mem::take(content)));
    for (name, value) in message.meta.of(NAME).into_iter().flatten().filter(|(name, _)| *name != "items") {
        item.insert(name.clone(), value.clone());
    }
    items.out.push(item.into());
}

/// A single plain text is a string; anything else is a list.
fn plain(mut pieces: Vec<Value>) -> Value {
    match pieces.as_mut_slice() {
        [] => "".into(),
        [Value::Object(only)] if only.len() == 2 && only["type"] == "input_text" => only["text"].take(),
        _ => pieces.into(),
    }
}

/// The result of a call.
fn output(items: &mut Items<'_>, part: &Part, result: &ToolResult, path: &str) -> Value {
    items.flush();
    let mut pieces = Vec::new();
    for (n, inner) in result.parts.iter().enumerate() {
        pieces.extend(piece(items, inner, &format!("{path}.parts[{n}]")));
    }
    if result.is_error {
        items.lose(Feature::ToolErrors, path, "that the tool failed is not told");
    }
    if part.cache.is_some() {
        items.lose(Feature::CacheMarks, path, "marks stand on what is in a result here");
    }
    let is_custom = part.meta.get(NAME, "type").is_some() || items.custom.contains(&result.call_id);
    let kind = if is_custom { "custom_tool_call_output" } else { "function_call_output" };
    let mut item = json!({"type": kind, "call_id": result.call_id, "output": plain(pieces)});
    if let (Some(name), Some(fields)) = (&result.name, item.as_object_mut()) {
        fields.insert("name".into(), name.clone().into());
    }
    extend(&mut item, part, "item");
    item
}

/// A piece of the content of a message or result.
fn piece(items: &mut Items<'_>, part: &Part, path: &str) -> Option<Value> {
    let mut json = match &part.content {
        Content::Text { text } => json!({"type": "input_text", "text": text}),
        Content::Image(media) => match (&media.source, media.to_url()) {
            (Source::FileId(id), _) => json!({"type": "input_image", "file_id": id}),
            (_, url) => json!({"type": "input_image", "image_url": url}),
        },
        Content::Document(document) => file(document),
        Content::Audio(Media { source: Source::Bytes(bytes), mime }) => {
            let format = match mime.as_deref().map(|mime| mime.strip_prefix("audio/").unwrap_or(mime)) {
                Some("mpeg" | "mp3") => "mp3",
                None | Some("x-wav" | "wave") => "wav",
                Some(other) => other,
            };
            json!({"type": "input_audio", "input_audio": {"data": to_base64(bytes), "format": format}})
        }
        Content::Opaque { dialect, json } if dialect == NAME => return Some(json.clone()),
        other => {
            let (feature, note) = match other {
                Content::Audio(_) => (Feature::MediaUrls, "sound needs its bytes here"),
                Content::Opaque { .. } => (Feature::Opaque, "a part of another dialect alone"),
                Content::Video(_) => (Feature::Video, "not in this dialect"),
                Content::Refusal { .. } => (Feature::Refusals, "only the model refuses"),
                Content::Citation(_) => (Feature::Citations, "only the model's own texts have citations"),
                _ => (Feature::Tools, "it has no place here"),
            };
            items.lose(feature, path, note);
            return None;
        }
    };
    if let Some(mark) = &part.cache {
        json["prompt_cache_breakpoint"] = json!({"mode": "explicit"});
        if mark.ttl.is_some() {
            items.lose(Feature::CacheMarks, path, "a mark has no lifetime of its own here");
        }
    }
    extend(&mut json, part, "content");
    Some(json)
}

fn file(document: &Document) -> Value {
    let mut file = json!({"type": "input_file"});
    match (&document.media.source, document.media.to_url()) {
        (Source::FileId(id), _) => file["file_id"] = id.clone().into(),
        (Source::Url(url), _) => file["file_url"] = url.clone().into(),
        (_, url) => {
            // Wanted beside file_data.
            let name = document.title.clone().unwrap_or_else(|| unnamed(document.media.mime.as_deref()));
            file["filename"] = name.into();
            file["file_data"] = url.into();
        }
    }
    if let (Some(title), None) = (&document.title, file.get("filename")) {
        file["filename"] = title.clone().into();
    }
    file
}

/// The name of a file that has none.
pub(super) fn unnamed(mime: Option<&str>) -> String {
    format!("document.{}", mime.and_then(|mime| mime.split(['/', ';']).nth(1)).unwrap_or("pdf"))
}

fn tool(at: usize, tool: &Tool, losses: &mut Vec<Loss>) -> Option<Value> {
    let path = format!("tools[{at}]");
    let FunctionTool { name, description, parameters, strict, cache, meta } = match tool {
        Tool::Function(function) => function,
        Tool::Opaque { dialect, json } if dialect == NAME => return Some(json.clone()),
        _ => {
            losses.push(Loss::new(Feature::Opaque, path, "a tool of another dialect alone"));
            return None;
        }
    };
    if cache.is_some() {
        losses.push(Loss::new(Feature::CacheMarks, path, "tools take no marks here"));
    }
    let mut fields =
        Fields::from_iter([("type".to_owned(), "function".into()), ("name".to_owned(), name.as_str().into())]);
    put(&mut fields, "description", description.as_deref());
    // OpenAI wants both to be there: null is its default.
    fields.insert("parameters".into(), parameters.clone().unwrap_or_default());
    fields.insert("strict".into(), (*strict).into());
    fields.extend(meta.of(NAME).cloned().unwrap_or_default());
    Some(fields.into())
}

fn tool_choice(choice: &ToolChoice) -> Value {
    let named = |name: &String| json!({"type": "function", "name": name});
    match choice {
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Named(name) => named(name),
        ToolChoice::Allowed { names, required } => {
            let mode = if *required { "required" } else { "auto" };
            json!({"type": "allowed_tools", "mode": mode, "tools": names.iter().map(named).collect::<Vec<_>>()})
        }
        _ => "auto".into(),
    }
}

fn format(format: &ResponseFormat) -> Value {
    match format {
        ResponseFormat::Json => json!({"type": "json_object"}),
        ResponseFormat::JsonSchema { name, schema, description, strict } => {
            let name = if name.is_empty() { "response" } else { name };
            let mut fields = json!({"type": "json_schema", "name": name});
            if let Some(fields) = fields.as_object_mut() {
                put(fields, "description", description.as_deref());
                put(fields, "schema", Some(schema.clone()));
                put(fields, "strict", *strict);
            }
            fields
        }
        _ => json!({"type": "text"}),
    }
}

fn put(fields: &mut Fields, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        fields.insert(name.to_owned(), value.into());
    }
}
