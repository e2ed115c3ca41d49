//! Requests, written to the provider.

use sabir_core::chat::{ChatRequest, Content, FunctionTool, ResponseFormat, Role, Tool, ToolChoice};
use sabir_core::dialect::Encoded;
use sabir_core::{Endpoint, Error, ErrorKind, Feature, Result};
use serde_json::{Map, Value, json};

use super::NAME;
use super::block::{Writer, cache_point};
use super::family::{self, Family};
use crate::blocks::{Place, Turn, allowed, choice_word, lose_settings, turns};
use crate::json::{List, Object, known, merged, wrapped};
use crate::percent::percent;
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
    let mut writer = Writer { asks: true, signed_only: family == Family::Claude, ..Writer::default() };
    let mid_system = endpoint.quirks.get("mid_system") == Some("true");
    let (messages, system) = conversation(request, mid_system, &mut writer)?;
    need_messages(request.messages.is_empty() || !messages.is_empty())?;
    let losses = &mut writer.losses;
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
    writer.refused.map_or(Ok(()), Err)?;
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
    Ok(Encoded::post_json(uri, out, writer.losses.0))
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
pub(super) fn choice_json(choice: &ToolChoice) -> Result<Value> {
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
        writer.losses.lose(Feature::SystemPrompt, format!("messages[{i}].role"), note);
    }
    let (system, turns) = turns(request, mid_system, &mut writer.losses, |_, _| true)?;
    let mut blocks = |turn: &Turn<'_>| {
        let mut blocks = List::default();
        for (i, message) in &turn.messages {
            let place = Place { message: Some(*i), ..Place::default() };
            writer.parts(&message.parts, turn.speaker, place, &mut blocks);
        }
        blocks
    };
    let (system, mut messages) = (blocks(&system), List::default());
    for turn in turns {
        let blocks = blocks(&turn);
        // Empty content is refused, wherever it stands.
        if !blocks.is_empty() {
            messages.object(|to| {
                to.field("role", turn.speaker.word()).raw("content", blocks.json());
                to.meta(turn.messages.first().and_then(|(_, message)| message.meta.of(NAME)), &["role", "content"]);
            });
        }
    }
    Ok((messages, system))
}
