//! When a client's own body may go on in Chat Completions, which are spoken in most ways.

use sabir_core::Endpoint;
use sabir_core::chat::{ChatRequest, Content, Part, Role, Tool};

use super::Plain;
use crate::openai_chat::NAME;

/// The quirks that are heeded here; where there are others the request is written anew.
const HEEDED: &[&str] =
    &["cache_control", "max_tokens_field", "reasoning_request", "stream_options", "system_role", "top_k"];

/// Fields that are read and written otherwise: of older requests, and of some providers.
const REWRITTEN: &[&str] =
    &["functions", "function_call", "random_seed", "reasoning", "thinking", "thinking_budget", "enable_thinking"];

/// Whether an answer is what the client expects, who may have asked in words that this provider does not take.
pub(super) fn gives_back(plain: &Plain<'_>, request: &ChatRequest, endpoint: &Endpoint) -> bool {
    let is_told_as_asked = if endpoint.quirks.get("stream_options") == Some("false") {
        !plain.has(&["stream_options"])
    } else {
        // What a stream used is always asked for, and told to the client only where it asked for it, too.
        let asked = request.options.get(NAME, "stream_options");
        !request.stream || asked.is_some_and(|options| options["include_usage"] == true)
    };
    endpoint.quirks.names().all(|name| HEEDED.contains(&name)) && is_told_as_asked && !plain.has(REWRITTEN)
}

/// Whether the provider takes all of a body in the words that the client has for it.
pub(super) fn is_usual(plain: &Plain<'_>, request: &ChatRequest, endpoint: &Endpoint) -> bool {
    let quirk = |name, usual| endpoint.quirks.get(name).unwrap_or(usual);
    let takes_marks = endpoint.quirks.get("cache_control").is_some();
    let other_limit = match quirk("max_tokens_field", "max_tokens") {
        "max_tokens" => "max_completion_tokens",
        _ => "max_tokens",
    };
    gives_back(plain, request, endpoint)
        && !plain.has(&[other_limit])
        && (takes_marks || !plain.has(&["cache_control"]))
        && (quirk("reasoning_request", "effort") == "effort" || !plain.has(&["reasoning_effort"]))
        && (quirk("top_k", "false") == "true" || !plain.has(&["top_k"]))
        && (request.tools.is_empty() || endpoint.traits(&request.model).tools_with_reasoning != Some(false))
        && (takes_marks || !request.tools.iter().any(is_marked))
        && request.messages.iter().all(|message| {
            (message.role != Role::Developer || quirk("system_role", "system") == "developer")
                && message.parts.iter().all(|part| is_plain(part, takes_marks))
        })
}

fn is_marked(tool: &Tool) -> bool {
    matches!(tool, Tool::Function(function) if function.cache.is_some())
}

/// Thoughts have many names, and media have no place in a result.
fn is_plain(part: &Part, takes_marks: bool) -> bool {
    let is_media = |part: &Part| part.as_text().is_none();
    match &part.content {
        Content::Reasoning(_) => false,
        Content::ToolResult(result) if result.parts.iter().any(is_media) => false,
        _ => takes_marks || part.cache.is_none(),
    }
}
