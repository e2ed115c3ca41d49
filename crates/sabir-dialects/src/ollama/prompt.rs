//! A conversation as the one prompt of `generate`.

use sabir_core::Feature;
use sabir_core::chat::{ChatRequest, Content, Message, Role, Tool};

use super::said::Said;
use crate::json::Object;
use crate::shared::{Losses, one_prompt, path};

/// Writes `system`, `prompt` and `images`.
pub(super) fn write(request: &ChatRequest, body: &mut Object<'_>, losses: &mut Losses) {
    let (system, messages) = match request.messages.as_slice() {
        [first, rest @ ..] if matches!(first.role, Role::System | Role::Developer) => (Some(first), rest),
        all => (None, all),
    };
    let skipped = request.messages.len() - messages.len();
    if let Some(system) = system {
        let said = say(0, system, losses);
        body.field("system", &said.into_text());
    }
    let mut images = Vec::new();
    let mut turns = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let said = say(skipped + at, message, losses);
        images.extend_from_slice(&said.images);
        turns.push((message, said.into_text()));
    }
    body.field("prompt", &one_prompt(turns, losses));
    if !images.is_empty() {
        body.field("images", &images);
    }
    losses.absent([
        (!request.tools.is_empty(), Feature::Tools, "tools"),
        (request.tool_choice.is_some(), Feature::ToolChoice, "tool_choice"),
    ]);
    if request.tools.iter().any(|tool| matches!(tool, Tool::Opaque { .. })) {
        losses.lose(Feature::Opaque, "tools", "a tool of another dialect alone");
    }
}

fn say(at: usize, message: &Message, losses: &mut Losses) -> Said {
    losses.marks(at, message);
    let mut said = Said::in_request();
    for (n, part) in message.parts.iter().enumerate() {
        if let Content::ToolResult(result) = &part.content {
            losses.lose(Feature::Tools, path(at, n), "a tool's result goes as text");
            for part in &result.parts {
                said.say(path(at, n), false, part, losses);
            }
        } else {
            said.say(path(at, n), false, part, losses);
        }
    }
    said
}
