//! What an exchange used, counted the same way each time: four characters are one token.

use sabir_core::chat::{ChatRequest, Content, Document, Media, Part, Source, Tool, Usage};

/// Tokens of any image; nobody looks into it.
const IMAGE: u64 = 85;
/// Tokens of any other medium whose text is not at hand.
const MEDIUM: u64 = 250;
/// Characters of one token.
pub(super) const CHARS: u64 = 4;

/// Tokens of a text.
pub(super) fn tokens(text: &str) -> u64 {
    (text.chars().count() as u64).div_ceil(CHARS)
}

/// What the request and the answer's parts use.
pub(crate) fn usage(request: &ChatRequest, answer: &[Part]) -> Usage {
    let is_thought = |p: &&Part| matches!(p.content, Content::Reasoning(_));
    let mut usage = Usage::default();
    usage.input = Some(input(request));
    usage.output = Some(answer.iter().filter(|p| !is_thought(p)).map(part).sum());
    if answer.iter().any(|p| is_thought(&p)) {
        usage.reasoning = Some(answer.iter().filter(is_thought).map(part).sum());
    }
    usage
}

/// Tokens of a request.
pub(super) fn input(request: &ChatRequest) -> u64 {
    let messages: u64 = request.messages.iter().flat_map(|m| &m.parts).map(part).sum();
    let tools: u64 = request.tools.iter().map(tool).sum();
    messages + tools
}

/// Tokens of a part.
pub(super) fn part(part: &Part) -> u64 {
    match &part.content {
        Content::Text { text } | Content::Refusal { text } => tokens(text),
        Content::Reasoning(reasoning) => tokens(&reasoning.text),
        Content::ToolCall(call) => tokens(&call.name) + tokens(&call.arguments),
        Content::ToolResult(result) => result.parts.iter().map(self::part).sum(),
        Content::Image(_) => IMAGE,
        Content::Document(Document { media: Media { source: Source::Bytes(bytes), mime }, .. })
            if mime.as_deref().is_some_and(|m| m.starts_with("text/")) =>
        {
            (bytes.len() as u64).div_ceil(CHARS)
        }
        Content::Audio(_) | Content::Video(_) | Content::Document(_) => MEDIUM,
        _ => 0,
    }
}

fn tool(tool: &Tool) -> u64 {
    match tool {
        Tool::Function(function) => {
            let schema = function.parameters.as_ref().map(|p| tokens(&p.to_string())).unwrap_or_default();
            tokens(&function.name) + tokens(function.description.as_deref().unwrap_or_default()) + schema
        }
        _ => MEDIUM,
    }
}
