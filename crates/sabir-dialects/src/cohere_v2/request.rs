//! Requests, written for the provider.

use sabir_core::chat::{ChatRequest, Content, Effort, Message, Part, ReasoningRequest, Role, Tool, ToolChoice};
use sabir_core::dialect::Encoded;
use sabir_core::{Endpoint, Feature, Result};
use serde_json::json;

use super::NAME;
use super::part::{Said, Speaker};
use crate::cohere::write_format;
use crate::json::{List, Object};
use crate::shared::{Losses, need_messages, path, write_tool};

/// What is asked.
pub(super) fn encode(request: &ChatRequest, endpoint: &Endpoint) -> Result<Encoded> {
    need_messages(!request.messages.is_empty())?;
    let uri = crate::cohere::uri(endpoint, "/v2/chat")?;
    let (mut losses, mut out) = (Losses::default(), Vec::new());
    write_body(request, &mut out, &mut losses);
    Ok(Encoded::post_json(uri, out, losses.0))
}

fn write_body(request: &ChatRequest, out: &mut Vec<u8>, losses: &mut Losses) {
    let mut messages = List::default();
    for (at, message) in request.messages.iter().enumerate() {
        write_message(at, message, &mut messages, losses);
    }
    let (choice, offered) = choice(request, losses);
    let mut tools = List::default();
    for (at, tool) in request.tools.iter().enumerate() {
        write_tool(at, tool, offered.as_deref(), NAME, &mut tools, losses);
    }
    let mut body = Object::with(out, request.options.of(NAME));
    body.field("model", &request.model).raw("messages", messages.json()).list("tools", &tools);
    body.some("strict_tools", strict_tools(request, losses)).some("tool_choice", choice);
    write_format(request, "json_schema", &mut body, losses);
    body.some("max_tokens", request.max_tokens);
    if !request.stop.is_empty() {
        body.field("stop_sequences", &request.stop);
    }
    body.some("temperature", request.temperature).some("seed", request.seed);
    body.some("frequency_penalty", request.frequency_penalty).some("presence_penalty", request.presence_penalty);
    body.some("k", request.top_k).some("p", request.top_p);
    if let Some(wanted) = &request.reasoning {
        write_thinking(wanted, &mut body, losses);
    }
    body.field("stream", &request.stream);
    body.end();
    losses.settings(request, NAME);
}

/// One message: a message of the tool's for each result in it, and one for all else.
fn write_message(at: usize, message: &Message, out: &mut List, losses: &mut Losses) {
    losses.marks(at, message);
    let meta = message.meta.of(NAME);
    let mut rest = Vec::new();
    for (n, part) in message.parts.iter().enumerate() {
        let Content::ToolResult(result) = &part.content else {
            rest.push((path(at, n), part));
            continue;
        };
        if result.is_error {
            losses.lose(Feature::ToolErrors, path(at, n), "that the tool failed is not told");
        }
        let said: Vec<_> = result.parts.iter().map(|part| (path(at, n), part)).collect();
        let (content, _) = say(Speaker::Tool, &said, losses);
        out.object(|to| {
            to.field("role", "tool").field("tool_call_id", &result.call_id);
            to.raw("content", content.unwrap_or_else(|| b"\"\"".to_vec()));
            to.meta(meta, &["role", "tool_call_id", "content"]);
        });
    }
    if rest.is_empty() && !message.parts.is_empty() {
        return;
    }
    let (role, speaker) = match &message.role {
        Role::System | Role::Developer => ("system", Speaker::System),
        Role::Assistant => ("assistant", Speaker::Assistant),
        _ => ("user", Speaker::User),
    };
    let (content, said) = say(speaker, &rest, losses);
    let must_speak = speaker != Speaker::Assistant || said.is_silent();
    out.object(|to| {
        to.field("role", role);
        if let Some(content) = content.or(must_speak.then(|| b"\"\"".to_vec())) {
            to.raw("content", content);
        }
        said.write_rest(to);
        to.meta(meta, &["role", "content", "tool_plan", "tool_calls", "citations"]);
    });
}

/// What parts come to: the content, a string where it is one plain text, and all else.
fn say(speaker: Speaker, parts: &[(String, &Part)], losses: &mut Losses) -> (Option<Vec<u8>>, Said) {
    let mut said = Said::default();
    if let [(_, part)] = parts
        && let Some(text) = part.as_text()
        && part.meta.of(NAME).is_none()
    {
        return (Some(json!(text).to_string().into_bytes()), said);
    }
    for (path, part) in parts {
        said.say(speaker, path.clone(), part, losses);
    }
    let content = (!said.content.is_empty()).then(|| said.content.json());
    (content, said)
}

/// The word for how tools may be used, and the names of those that are offered, where that is not all.
fn choice(request: &ChatRequest, losses: &mut Losses) -> (Option<&'static str>, Option<Vec<String>>) {
    match &request.tool_choice {
        Some(ToolChoice::None) => (Some("NONE"), None),
        Some(ToolChoice::Required) => (Some("REQUIRED"), None),
        Some(ToolChoice::Named(_) | ToolChoice::Allowed { required: true, .. }) => {
            (Some("REQUIRED"), losses.offered(request))
        }
        _ => (None, losses.offered(request)),
    }
}

/// One word for all tools.
fn strict_tools(request: &ChatRequest, losses: &mut Losses) -> Option<bool> {
    let mut said = request.tools.iter().map(|tool| match tool {
        Tool::Function(function) => function.strict,
        _ => None,
    });
    let first = said.next()?;
    if said.clone().all(|strict| strict == first) {
        return first;
    }
    if first == Some(true) || said.any(|strict| strict == Some(true)) {
        losses.lose(Feature::StrictTools, "tools", "all tools are strict or none; none is");
    }
    None
}

fn write_thinking(wanted: &ReasoningRequest, body: &mut Object<'_>, losses: &mut Losses) {
    let is_off = wanted.enabled == Some(false) || wanted.effort == Some(Effort::None);
    if wanted.effort.as_ref().is_some_and(|effort| *effort != Effort::None) {
        losses.lose(Feature::ReasoningEffort, "reasoning.effort", "thinking is on or off, or limited in tokens");
    }
    body.object("thinking", |to| {
        to.field("type", if is_off { "disabled" } else { "enabled" });
        to.some("token_budget", wanted.budget.filter(|_| !is_off));
    });
}
