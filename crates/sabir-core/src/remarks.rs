//! What one dialect alone said of a message, a part, a tool or an answer goes to no other dialect. Each such remark
//! is a loss; what only tells how the same thing was written ([`Meta::FORM`]) is none.

use crate::chat::{ChatRequest, ChatResponse, Content, Meta, Part, Tool};
use crate::{Feature, Loss};

/// The remarks of other dialects on a request.
pub fn lost_from_request(dialect: &str, request: &ChatRequest, losses: &mut Vec<Loss>) {
    for (at, message) in request.messages.iter().enumerate() {
        if !message.meta.is_empty() {
            lost(dialect, &message.meta, || format!("messages[{at}]"), losses);
        }
        lost_from_parts(dialect, &message.parts, &|| format!("messages[{at}]."), losses);
    }
    for (n, tool) in request.tools.iter().enumerate() {
        if let Tool::Function(function) = tool
            && !function.meta.is_empty()
        {
            lost(dialect, &function.meta, || format!("tools[{n}]"), losses);
        }
    }
}

/// The remarks of other dialects on an answer.
pub fn lost_from_response(dialect: &str, response: &ChatResponse, losses: &mut Vec<Loss>) {
    if !response.meta.is_empty() {
        lost(dialect, &response.meta, String::new, losses);
    }
    lost_from_parts(dialect, &response.parts, &String::new, losses);
}

fn lost_from_parts(dialect: &str, parts: &[Part], place: &dyn Fn() -> String, losses: &mut Vec<Loss>) {
    for (n, part) in parts.iter().enumerate() {
        if !part.meta.is_empty() {
            lost(dialect, &part.meta, || format!("{}parts[{n}]", place()), losses);
        }
        if let Content::ToolResult(result) = &part.content {
            lost_from_parts(dialect, &result.parts, &|| format!("{}parts[{n}].", place()), losses);
        }
    }
}

fn lost(dialect: &str, meta: &Meta, place: impl Fn() -> String, losses: &mut Vec<Loss>) {
    for other in meta.dialects().filter(|other| *other != dialect) {
        if meta.of(other).is_some_and(|remarks| remarks.keys().any(|field| field != Meta::FORM)) {
            let place = place();
            let joint = if place.is_empty() { "" } else { "." };
            losses.push(Loss::new(Feature::Meta, format!("{place}{joint}meta.{other}"), "remarks of another dialect"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::chat::{FunctionTool, Message, Role};

    #[test]
    fn each_remark_of_another_dialect_is_a_loss() {
        let signed = Part::tool_call("1", "f", "{}").with_meta("gemini-generate", "thoughtSignature", json!("c2ln"));
        let written = Part::text("x").with_meta("gemini-generate", Meta::FORM, json!({"snake": true}));
        let own = Part::text("y").with_meta("openai-chat", "audio", json!({}));
        let mut request = ChatRequest::new("m").message(Message::new(Role::Assistant, [signed, written, own]));
        let mut tool = FunctionTool { name: "f".into(), ..FunctionTool::default() };
        tool.meta.set("anthropic-messages", "type", json!("custom"));
        request.tools.push(Tool::Function(tool));
        let mut losses = Vec::new();
        lost_from_request("openai-chat", &request, &mut losses);
        let paths: Vec<&str> = losses.iter().map(|loss| loss.path.as_str()).collect();
        assert_eq!(paths, ["messages[0].parts[0].meta.gemini-generate", "tools[0].meta.anthropic-messages"]);
        let mut response = ChatResponse { parts: request.messages.remove(0).parts, ..ChatResponse::default() };
        response.meta.set("ollama-chat", "load_duration", json!(1));
        losses.clear();
        lost_from_response("gemini-generate", &response, &mut losses);
        let paths: Vec<&str> = losses.iter().map(|loss| loss.path.as_str()).collect();
        assert_eq!(paths, ["meta.ollama-chat", "parts[2].meta.openai-chat"]);
    }
}
