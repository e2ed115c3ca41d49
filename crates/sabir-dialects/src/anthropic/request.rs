//! Requests: written to the provider, read from a client.

use http::{HeaderName, HeaderValue};
use sabir_core::chat::{
    ChatRequest, Content, Effort, FunctionTool, Message, Part, ResponseFormat, Role, Tool, ToolChoice,
};
use sabir_core::dialect::{Asked, Encoded};
use sabir_core::{Endpoint, Error, ErrorKind, Feature, Result};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::NAME;
use super::block::{Writer, cache_control, plain_text, take_cache, take_content, write_rest};
use crate::blocks::{
    Outcome, Place, Speaker, Turn, allowed, claude_choice, lose_settings, read_conversation, read_function, thinking,
    turns, write_turns,
};
use crate::json::{Fields, List, Object, Wrong, json_of, known, title_of, value_of, write_json};
use crate::shared::{Losses, need_messages, no_arguments, schema_format};

const VERSION: HeaderName = HeaderName::from_static("anthropic-version");
const BETA: HeaderName = HeaderName::from_static("anthropic-beta");

/// The version that is asked for unless the endpoint names another.
const USUAL_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// The version that refuses sampling parameters and some blocks.
const MODERN_VERSION: &str = "2026-10-21";

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
        outcome: Outcome::of_request(),
        unsigned: endpoint.quirks.get("unsigned_thinking") == Some("true"),
        ..Writer::default()
    };
    let mut body = Vec::with_capacity(1024);
    write_body(request, endpoint, &mut writer, &mut body)?;
    writer.outcome.refused.map_or(Ok(()), Err)?;
    let mut encoded = Encoded::post_json(uri, body, writer.outcome.losses.0);
    if version.is_none() {
        encoded.headers.insert(VERSION, USUAL_VERSION);
    }
    if let Some(betas) = request.options.get(NAME, "betas") {
        // The endpoint's own betas stay: the header is a list.
        let own = endpoint.headers.get(BETA).and_then(|v| v.to_str().ok());
        let betas = betas.as_array().map_or(std::slice::from_ref(betas), Vec::as_slice);
        let all: Vec<&str> = own.into_iter().chain(betas.iter().filter_map(Value::as_str)).collect();
        let value = HeaderValue::from_str(&all.join(","))
            .map_err(|_| Error::new(ErrorKind::InvalidRequest, "options.betas: cannot be sent as a header"))?;
        encoded.headers.insert(BETA, value);
    }
    Ok(encoded)
}

fn write_body(request: &ChatRequest, endpoint: &Endpoint, writer: &mut Writer, out: &mut Vec<u8>) -> Result<()> {
    let (system, messages) = conversation(request, endpoint, writer)?;
    need_messages(request.messages.is_empty() || !messages.is_empty())?;
    let modern = writer.modern;
    let losses = &mut writer.outcome.losses;
    let tools = tools(request, losses);
    for (feature, path) in sampling(request).filter(|_| modern) {
        losses.lose(feature, path, "not in the API version 2026-10-21");
    }
    // Without tools there is nothing to be parallel.
    let calls = request.tool_choice.is_some() || !request.tools.is_empty();
    let parallel = request.parallel_tool_calls.filter(|_| calls);
    // Large fields are written as they are; among the others, they only hold their places.
    let mut top = known([
        ("model", Some(request.model.as_str().into())),
        ("max_tokens", Some(max_tokens(request, endpoint).into())),
        ("system", system.is_some().then_some(Value::Null)),
        ("messages", Some(Value::Null)),
        ("tools", (!tools.is_empty()).then_some(Value::Null)),
        ("tool_choice", claude_choice(request.tool_choice.as_ref(), parallel)?),
        ("stop_sequences", (!request.stop.is_empty()).then(|| json!(request.stop))),
        ("stream", request.stream.then_some(true.into())),
        ("temperature", request.temperature.filter(|_| !modern).map(Value::from)),
        ("top_p", request.top_p.filter(|_| !modern).map(Value::from)),
        ("top_k", request.top_k.filter(|_| !modern).map(Value::from)),
        ("thinking", request.reasoning.as_ref().and_then(thinking)),
        ("output_config", output_config(request, losses)),
        ("metadata", request.user.as_ref().map(|user| json!({ "user_id": user }))),
        ("cache_control", request.cache.as_ref().map(cache_control)),
    ]);
    for (key, theirs) in request.options.of(NAME).into_iter().flatten().filter(|(key, _)| *key != "betas") {
        match merged(top.get_mut(key).map(Value::take).unwrap_or_default(), theirs.clone()) {
            Value::Null => drop(top.shift_remove(key)),
            value => drop(top.insert(key.clone(), value)),
        }
    }
    let large = [("system", system.unwrap_or_default()), ("messages", messages.json()), ("tools", tools.json())];
    let mut body = Object::new(out);
    for (key, value) in &top {
        match large.iter().find(|(name, _)| name == key && value.is_null()) {
            Some((_, json)) => body.raw(key, json),
            None => body.some(key, Some(value).filter(|value| !value.is_null())),
        };
    }
    body.end();
    lose_settings(request, NAME, "cache", losses);
    Ok(())
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

/// How much to think, in words, and the form of the answer.
fn output_config(request: &ChatRequest, losses: &mut Losses) -> Option<Value> {
    let effort = match request.reasoning.as_ref().and_then(|reasoning| reasoning.effort.as_ref()) {
        None | Some(Effort::None) => None,
        Some(Effort::Minimal) => {
            losses.lose(Feature::ReasoningEffort, "reasoning.effort", "minimal is sent as low");
            Some(json!("low"))
        }
        Some(effort) => Some(json!(effort)),
    };
    let format = match &request.response_format {
        Some(ResponseFormat::JsonSchema { name, schema, description, strict }) => {
            losses.absent([
                // The title is read as the name.
                (!name.is_empty() && Some(&**name) != title_of(schema), Feature::JsonSchema, "response_format.name"),
                (description.is_some(), Feature::JsonSchema, "response_format.description"),
                (*strict == Some(true), Feature::JsonSchema, "response_format.strict"),
            ]);
            Some(json!({ "type": "json_schema", "schema": schema }))
        }
        Some(ResponseFormat::Json) => {
            losses.lose(Feature::JsonOutput, "response_format", "only JSON by a schema can be asked for");
            None
        }
        _ => None,
    };
    Some(known([("effort", effort), ("format", format)])).filter(|config| !config.is_empty()).map(Value::Object)
}

/// `system`, where there is one, and `messages`. All results of a turn's calls must stand first in the one user
/// turn that follows, so tools' and user's messages are joined there.
fn conversation(request: &ChatRequest, endpoint: &Endpoint, writer: &mut Writer) -> Result<(Option<Vec<u8>>, List)> {
    let is_result = |part: &Part| matches!(part.content, Content::ToolResult(_));
    let has_results = |message: &Message| message.role == Role::Tool || message.parts.iter().any(is_result);
    // What was joined once has results.
    let joins = |turn: &Turn<'_>, message: &Message| {
        let has_some = turn.messages.len() > 1 || turn.messages.first().is_some_and(|(_, first)| has_results(first));
        turn.speaker == Speaker::User && (has_some || has_results(message))
    };
    let mid_system = endpoint.quirks.get("mid_system") == Some("true");
    let (system, turns) = turns(request, mid_system, &mut writer.outcome.losses, joins)?;
    let system = content(&system, writer);
    Ok((system, write_turns(&turns, NAME, |turn| content(turn, writer))))
}

/// The content of a turn: a string where it is one plain text, else a list of blocks; nothing where that is empty.
fn content(turn: &Turn<'_>, writer: &mut Writer) -> Option<Vec<u8>> {
    if let [(_, message)] = &*turn.messages
        && let Some(text) = plain_text(&message.parts)
    {
        return (!text.is_empty()).then(|| json_of(text));
    }
    let place = |i: usize| Place { message: Some(i), ..Place::default() };
    let messages: Vec<_> = turn.messages.iter().map(|(i, message)| (place(*i), &*message.parts)).collect();
    let blocks = writer.blocks(turn.speaker, &messages);
    (!blocks.is_empty()).then(|| blocks.json())
}

fn tools(request: &ChatRequest, losses: &mut Losses) -> List {
    let only = allowed(request, losses);
    let mut tools = List::default();
    for (i, tool) in request.tools.iter().enumerate() {
        let name = match tool {
            Tool::Function(function) => Some(function.name.as_str()),
            Tool::Opaque { json, .. } => json["name"].as_str(),
            _ => None,
        };
        if only.is_some_and(|only| !only.iter().any(|allowed| Some(allowed.as_str()) == name)) {
            continue;
        }
        match tool {
            Tool::Function(function) => tools.object(|to| write_function(function, to)),
            Tool::Opaque { dialect, json } if dialect == NAME => write_json(tools.item(), json),
            _ => losses.lose(Feature::ServerTools, format!("tools[{i}]"), "another provider's tool"),
        }
    }
    tools
}

/// Schemas must be an object's; a function without arguments has the empty object's.
fn write_function(function: &FunctionTool, to: &mut Object<'_>) {
    to.field("name", &function.name).some("description", function.description.as_ref());
    match &function.parameters {
        Some(Value::Object(schema)) if !schema.contains_key("type") => to.object("input_schema", |to| {
            to.field("type", "object").meta(Some(schema), &[]);
        }),
        Some(schema) => to.field("input_schema", schema),
        None => to.field("input_schema", &no_arguments()),
    };
    to.some("strict", function.strict);
    write_rest(to, function.cache.as_ref(), &function.meta, &["name", "description", "input_schema", "strict"]);
}

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
    read_conversation(fields, NAME, &mut request.messages, |fields, key, speaker| {
        let parts = take_content(fields, key, speaker != Speaker::System)?;
        let is_empty = speaker == Speaker::System && plain_text(&parts) == Some("");
        Ok(if is_empty { Vec::new() } else { parts })
    })?;
    fields.each("tools", |json| read_tool(json).map(|tool| request.tools.push(tool)))?;
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
    let cache = take_cache(&mut fields)?;
    Ok(Tool::Function(FunctionTool { cache, ..read_function(&mut fields, NAME, parameters)? }))
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

/// The settings that are there and that the version 2026-10-21 does not have.
fn sampling(request: &ChatRequest) -> impl Iterator<Item = (Feature, &'static str)> {
    let settings = [
        (request.temperature.is_some(), Feature::Temperature, "temperature"),
        (request.top_p.is_some(), Feature::TopP, "top_p"),
        (request.top_k.is_some(), Feature::TopK, "top_k"),
    ];
    settings.into_iter().filter(|(is_there, ..)| *is_there).map(|(_, feature, path)| (feature, path))
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
    let said = is_said.then_some("messages: a document of the assistant's or a citation of the user's");
    match sampling(request).map(|(_, path)| path).chain(said).next() {
        Some(what) => Err(Wrong::new(format!("{what}: is not taken since the version {MODERN_VERSION}"))),
        None => Ok(()),
    }
}
