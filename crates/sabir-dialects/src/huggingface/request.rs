//! Requests, written for the provider.

use http::{HeaderName, HeaderValue};
use sabir_core::chat::{ChatRequest, Content, Message, ReasoningRequest, ResponseFormat, Tool};
use sabir_core::dialect::Encoded;
use sabir_core::{Endpoint, Feature, Result};
use serde_json::{Map, Value};

use super::NAME;
use crate::json::Object;
use crate::shared::{Losses, one_prompt, path};

/// The option and the quirk that ask for an answer once the model is loaded.
pub(super) const WAIT: &str = "wait_for_model";

/// The header that does.
pub(super) const WAIT_HEADER: HeaderName = HeaderName::from_static("x-wait-for-model");

/// What is asked.
pub(super) fn encode(request: &ChatRequest, endpoint: &Endpoint) -> Result<Encoded> {
    let given = request.options.of(NAME);
    let route = given.and_then(|given| given.get("route")).and_then(Value::as_str).or(endpoint.quirks.get("route"));
    let is_list = endpoint.base_url.trim_end_matches('/').ends_with("/models");
    let route = route.or(is_list.then_some("models"));
    let uri = match route {
        Some("models") if is_list => endpoint.url(&format!("/{}", request.model)),
        Some("models") => endpoint.url(&format!("/models/{}", request.model)),
        Some("generate") if request.stream => endpoint.url("/generate_stream"),
        Some("generate") => endpoint.url("/generate"),
        _ => endpoint.url(""),
    }?;
    let (mut losses, mut body) = (Losses::default(), Vec::new());
    write_body(request, route, &mut body, &mut losses);
    let mut encoded = Encoded::post_json(uri, body, losses.0);
    let waits = given.and_then(|given| given.get(WAIT)).map(|wait| *wait == true);
    if waits.unwrap_or(endpoint.quirks.get(WAIT) == Some("true")) {
        encoded.headers.insert(WAIT_HEADER, HeaderValue::from_static("true"));
    }
    Ok(encoded)
}

fn write_body(request: &ChatRequest, route: Option<&str>, out: &mut Vec<u8>, losses: &mut Losses) {
    let inputs = inputs(&request.messages, losses);
    let mut given = request.options.of(NAME).cloned().unwrap_or_default();
    given.shift_remove("route");
    given.shift_remove(WAIT);
    let parameters = match given.shift_remove("parameters") {
        Some(Value::Object(parameters)) => parameters,
        _ => Map::new(),
    };
    let is_root = !matches!(route, Some("models" | "generate"));
    let mut body = Object::with(out, Some(&given));
    body.some("model", Some(&request.model).filter(|model| is_root && !model.is_empty()));
    body.field("inputs", &inputs);
    body.write("parameters", |out| {
        let mut to = Object::with(out, Some(&parameters));
        write_parameters(request, &mut to, losses);
        to.end();
    });
    if route != Some("generate") {
        body.field("stream", &request.stream);
    }
    body.end();
    lose_the_rest(request, losses);
}

fn write_parameters(request: &ChatRequest, to: &mut Object<'_>, losses: &mut Losses) {
    // Without it there are neither counters nor the reason of the end.
    to.field("details", &true).field("return_full_text", &false);
    to.some("max_new_tokens", request.max_tokens);
    // Zero is not taken: not to sample at all is what it means.
    match request.temperature {
        Some(zero) if zero <= 0.0 => to.field("do_sample", &false),
        Some(warm) => to.field("do_sample", &true).field("temperature", &warm),
        None => to,
    };
    to.some("top_k", request.top_k).some("top_p", request.top_p);
    to.some("frequency_penalty", request.frequency_penalty);
    if !request.stop.is_empty() {
        to.field("stop", &request.stop);
    }
    to.some("seed", request.seed.filter(|seed| *seed > 0));
    if request.seed.is_some_and(|seed| seed <= 0) {
        losses.lose(Feature::Seed, "seed", "a seed is above zero in this dialect");
    }
    if request.response_format == Some(ResponseFormat::Json) {
        to.raw("grammar", r#"{"type":"json","value":{"type":"object"}}"#);
    }
    if let Some(schema) = losses.schema(request) {
        to.object("grammar", |to| {
            to.field("type", "json").field("value", schema);
        });
    }
}

/// What the dialect has no place for.
fn lose_the_rest(request: &ChatRequest, losses: &mut Losses) {
    let thinks = request.reasoning.as_ref().is_some_and(|wanted| *wanted != ReasoningRequest::default());
    let gone = [
        (!request.tools.is_empty(), Feature::Tools, "tools"),
        (request.tools.iter().any(|tool| matches!(tool, Tool::Opaque { .. })), Feature::Opaque, "tools"),
        (request.tool_choice.is_some(), Feature::ToolChoice, "tool_choice"),
        (request.presence_penalty.is_some(), Feature::PresencePenalty, "presence_penalty"),
        (thinks, Feature::ReasoningEffort, "reasoning"),
    ];
    for (_, feature, path) in gone.into_iter().filter(|(is_there, ..)| *is_there) {
        losses.lose(feature, path, "not in this dialect");
    }
    losses.settings(request, NAME);
}

/// The conversation as one prompt.
fn inputs(messages: &[Message], losses: &mut Losses) -> String {
    let turns = messages.iter().enumerate().map(|(at, message)| (message, text(at, message, losses)));
    let turns = turns.collect();
    one_prompt(turns, losses)
}

/// All words of a message.
fn text(at: usize, message: &Message, losses: &mut Losses) -> String {
    losses.marks(at, message);
    let mut texts = Vec::new();
    for (n, part) in message.parts.iter().enumerate() {
        if let Content::ToolResult(result) = &part.content {
            losses.lose(Feature::Tools, path(at, n), "a tool's result goes as text");
            texts.extend(result.parts.iter().filter_map(|part| losses.words(path(at, n), &part.content)));
        } else {
            texts.extend(losses.words(path(at, n), &part.content));
        }
    }
    if texts.len() > 1 {
        losses.joined(format!("messages[{at}]"));
    }
    texts.join("\n\n")
}
