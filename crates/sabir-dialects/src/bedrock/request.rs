//! Requests: written to the provider, read from a client.

use sabir_core::chat::{ChatRequest, Content, Effort, FunctionTool, ResponseFormat, Role, Tool, ToolChoice};
use sabir_core::dialect::{Asked, Encoded};
use sabir_core::{Endpoint, Error, ErrorKind, Feature, Result};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::NAME;
use super::block::{Writer, cache_point, read_blocks, read_cache_point};
use super::family::{self, Family};
use crate::blocks::{
    Outcome, Place, Turn, allowed, choice_word, lose_settings, read_conversation, read_function, turns, write_turns,
};
use crate::json::{Fields, List, Object, Wrong, known, merged, value_of, wrapped};
use crate::percent::{percent, unescaped};
use crate::shared::{Losses, need_messages, no_arguments};

/// What is asked, as an HTTP request.
pub(super) fn encode(request: &ChatRequest, endpoint: &Endpoint) -> Result<Encoded> {
    if request.model.is_empty() {
        return Err(Error::new(ErrorKind::InvalidRequest, "no model is named, and this dialect has it in the path"));
    }
    let family = Family::of(&request.model, endpoint.quirks.get("model_family"));
    let operation = if request.stream { "converse-stream" } else { "converse" };
    // The `:` of versions and the `/` of ARNs are encoded too.
    let uri = endpoint.url(&format!("/model/{}/{operation}", percent(&request.model, "-_.~")))?;
    let (outcome, signed_only) = (Outcome::of_request(), family == Family::Claude);
    let mut writer = Writer { outcome, signed_only, ..Writer::default() };
    let mid_system = endpoint.quirks.get("mid_system") == Some("true");
    let (messages, system) = conversation(request, mid_system, &mut writer)?;
    need_messages(request.messages.is_empty() || !messages.is_empty())?;
    let losses = &mut writer.outcome.losses;
    let inference = known([
        ("maxTokens", request.max_tokens.map(Value::from)),
        ("temperature", request.temperature.map(Value::from)),
        ("topP", request.top_p.map(Value::from)),
        ("stopSequences", (!request.stop.is_empty()).then(|| json!(request.stop))),
    ]);
    let ours = [
        ("inferenceConfig", inference),
        ("toolConfig", tool_config(request, losses)?),
        ("outputConfig", output_config(request, losses)),
        ("additionalModelRequestFields", family::fields(request, family, losses)),
        ("requestMetadata", request_metadata(request, losses)),
    ];
    lose_settings(request, NAME, "metadata", losses);
    writer.outcome.refused.map_or(Ok(()), Err)?;
    // The caller's own options have the last word.
    let mut options = request.options.of(NAME).cloned().unwrap_or_default();
    let mut top = Map::new();
    for (key, ours) in ours {
        let value = merged(ours.into(), options.shift_remove(key).unwrap_or_else(|| json!({})));
        top.extend(Some((key.to_owned(), value)).filter(|(_, value)| *value != json!({})));
    }
    top.append(&mut options);
    let mut out = Vec::with_capacity(1024);
    let mut body = Object::with(&mut out, Some(&top));
    body.raw("messages", messages.json()).list("system", &system);
    body.end();
    Ok(Encoded::post_json(uri, out, writer.outcome.losses.0))
}

/// Labels, and among them the end user's id, which has no place of its own here.
fn request_metadata(request: &ChatRequest, losses: &mut Losses) -> Map<String, Value> {
    if request.user.is_some() && request.metadata.contains_key("user") {
        losses.lose(Feature::User, "user", "a label of that name is there");
    }
    let labels = request.metadata.iter().map(|(key, value)| (key.as_str(), value));
    let user = request.user.iter().filter(|_| !request.metadata.contains_key("user")).map(|user| ("user", user));
    labels.chain(user).map(|(key, value)| (key.to_owned(), value.as_str().into())).collect()
}

fn output_config(request: &ChatRequest, losses: &mut Losses) -> Map<String, Value> {
    let mut lose = |feature, path: &str, note: &str| losses.lose(feature, path, note);
    let mut schema = None;
    match &request.response_format {
        Some(ResponseFormat::JsonSchema { name, schema: inner, description, strict }) => {
            let inner = known([
                ("schema", Some(inner.to_string().into())),
                ("name", Some(name.as_str().into()).filter(|_| !name.is_empty())),
                ("description", description.as_deref().map(Value::from)),
            ]);
            schema = Some(json!({ "type": "json_schema", "structure": { "jsonSchema": inner } }));
            if strict.is_some() {
                let note = "not said: the schema is always followed to the letter here";
                lose(Feature::JsonSchema, "response_format.strict", note);
            }
        }
        Some(ResponseFormat::Text) => {
            lose(Feature::JsonOutput, "response_format", "text is what comes unasked; not said");
        }
        Some(_) => lose(Feature::JsonOutput, "response_format", "only JSON by a schema can be asked for"),
        None => {}
    }
    known([("textFormat", schema), ("effort", family::effort(request).map(Value::from))])
}

fn tool_config(request: &ChatRequest, losses: &mut Losses) -> Result<Map<String, Value>> {
    let mut withholds = false;
    let choice = request.tool_choice.as_ref().filter(|choice| **choice != ToolChoice::None);
    if choice != request.tool_choice.as_ref() {
        // A conversation with calls in it is refused where no tools are defined.
        let mut parts = request.messages.iter().flat_map(|message| &message.parts);
        let keeps = parts.any(|part| matches!(part.content, Content::ToolCall(_) | Content::ToolResult(_)));
        let note = if keeps { "the tools may be used all the same" } else { "said by leaving the tools out" };
        losses.lose(Feature::ToolChoice, "tool_choice", note);
        withholds = !keeps;
    }
    let only = allowed(request, losses);
    let only = if withholds { Some(&[][..]) } else { only };
    let mut tools = Vec::new();
    for (i, tool) in request.tools.iter().enumerate() {
        match tool {
            Tool::Function(function) if losses.is_withheld(i, function, only) => {}
            Tool::Opaque { .. } if withholds => losses.lose(Feature::ToolChoice, format!("tools[{i}]"), "left out"),
            Tool::Function(function) => {
                tools.push(tool_spec(function));
                tools.extend(function.cache.as_ref().map(cache_point));
            }
            Tool::Opaque { dialect, json } if dialect == NAME => tools.push(json.clone()),
            _ => losses.lose(Feature::ServerTools, format!("tools[{i}]"), "another provider's tool"),
        }
    }
    if tools.is_empty() {
        return Ok(Map::new());
    }
    let choice = choice.map(choice_json).transpose()?;
    Ok(known([("tools", Some(tools.into())), ("toolChoice", choice)]))
}

/// A choice of tools in this dialect's words.
fn choice_json(choice: &ToolChoice) -> Result<Value> {
    let (word, name) = choice_word(choice)?;
    Ok(json!({ word: name.map_or_else(|| json!({}), |name| json!({ "name": name })) }))
}

fn tool_spec(function: &FunctionTool) -> Value {
    let mut spec = known([
        ("name", Some(function.name.as_str().into())),
        ("description", function.description.as_deref().map(Value::from)),
        ("inputSchema", Some(wrapped("json", function.parameters.clone().unwrap_or_else(no_arguments)))),
        ("strict", function.strict.map(Value::from)),
    ]);
    for (key, value) in function.meta.of(NAME).into_iter().flatten() {
        spec.entry(key).or_insert_with(|| value.clone());
    }
    wrapped("toolSpec", spec)
}

/// `messages` and `system`. The person and the model must take turns, so neighbouring messages of one speaker become
/// one; a tool's results are the person's to tell.
fn conversation(request: &ChatRequest, mid_system: bool, writer: &mut Writer) -> Result<(List, List)> {
    for (i, _) in request.messages.iter().enumerate().filter(|(_, message)| message.role == Role::Developer) {
        let note = "the developer speaks as the system";
        writer.outcome.losses.lose(Feature::SystemPrompt, format!("messages[{i}].role"), note);
    }
    let (system, turns) = turns(request, mid_system, &mut writer.outcome.losses, |_, _| true)?;
    let mut blocks = |turn: &Turn<'_>| {
        let mut blocks = List::default();
        for (i, message) in &turn.messages {
            let place = Place { message: Some(*i), ..Place::default() };
            writer.parts(&message.parts, turn.speaker, place, &mut blocks);
        }
        blocks
    };
    let system = blocks(&system);
    let content = |turn: &Turn<'_>| Some(blocks(turn)).filter(|said| !said.is_empty()).map(|said| said.json());
    Ok((write_turns(&turns, NAME, content), system))
}

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
    read_conversation(fields, NAME, &mut request.messages, |fields, key, speaker| {
        read_blocks(fields, key, Some(speaker))
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
        if let Some(effort) = config.text("effort")? {
            request.reasoning.get_or_insert_default().effort = Some(Effort::from(&*effort));
        }
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
        read_function(spec, NAME, schema)
    })?;
    if let Some(function) = function {
        tools.push(Tool::Function(function));
        return Ok(());
    }
    if let Some(Tool::Function(last)) = tools.last_mut()
        && last.cache.is_none()
    {
        last.cache = fields.inside("cachePoint", read_cache_point)?.flatten();
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
