//! Requests as a client writes them.

use sabir_core::chat::{ChatRequest, Content, Message, Part, Role, Tool};
use sabir_core::dialect::Encoded;
use sabir_core::{Endpoint, Error, ErrorKind, Feature, Result};
use serde_json::Value;

use super::NAME;
use crate::json::Object;
use crate::openai_answer::{options, write_settings};
use crate::shared::{Losses, path};

pub(super) fn encode(request: &ChatRequest, endpoint: &Endpoint) -> Result<Encoded> {
    let uri = endpoint.url("/completions")?;
    let (mut out, mut losses) = (Vec::new(), Losses::default());
    let options = options(request, NAME, &endpoint.quirks);
    let mut body = Object::with(&mut out, Some(&options));
    body.some("model", Some(&request.model).filter(|model| !model.is_empty()));
    if !options.contains_key("prompt") {
        body.field("prompt", &prompt(&request.messages, &mut losses)?);
    }
    let takes_top_k = endpoint.quirks.get("top_k") == Some("true");
    write_settings(&mut body, request, ["max_tokens", "seed"], takes_top_k, &mut losses);
    body.some("user", request.user.as_ref()).some("stream", request.stream.then_some(true));
    body.end();
    unsupported(request, &mut losses);
    Ok(Encoded::post_json(uri, out, losses.0))
}

/// The one message's text, or the token numbers that it is.
fn prompt(messages: &[Message], losses: &mut Losses) -> Result<Value> {
    let [Message { role: Role::User, parts, name, .. }] = messages else {
        let message = format!(
            "this dialect takes one prompt and no conversation: send one message of the user's (there are {} \
             messages), or use a chat dialect",
            messages.len()
        );
        return Err(Error::new(ErrorKind::Unsupported, message));
    };
    if name.is_some() {
        losses.lose(Feature::Names, "messages[0].name", "not in this dialect");
    }
    if let [Part { content: Content::Opaque { dialect, json }, .. }] = parts.as_slice()
        && dialect == NAME
    {
        return Ok(json.clone());
    }
    let (mut prompt, mut texts) = (String::new(), 0);
    for (n, part) in parts.iter().enumerate() {
        let mut lose = |feature, note: &str| losses.lose(feature, path(0, n), note);
        if part.cache.is_some() {
            lose(Feature::CacheMarks, "not in this dialect");
        }
        match &part.content {
            Content::Text { text } => {
                prompt.push_str(text);
                texts += 1;
                if texts == 2 {
                    lose(Feature::Other("parts".to_owned()), "texts are joined to one prompt");
                }
            }
            Content::Image(_) => lose(Feature::Images, "a prompt is text"),
            Content::Audio(_) => lose(Feature::Audio, "a prompt is text"),
            Content::Video(_) => lose(Feature::Video, "a prompt is text"),
            Content::Document(_) => lose(Feature::Documents, "a prompt is text"),
            Content::Opaque { .. } => lose(Feature::Opaque, "a part of one dialect alone"),
            _ => lose(Feature::Tools, "a prompt is text"),
        }
    }
    Ok(prompt.into())
}

fn unsupported(request: &ChatRequest, losses: &mut Losses) {
    for (at, tool) in request.tools.iter().enumerate() {
        let feature = if let Tool::Opaque { .. } = tool { Feature::Opaque } else { Feature::Tools };
        losses.lose(feature, format!("tools[{at}]"), "not in this dialect");
    }
    losses.absent([
        (request.tool_choice.is_some(), Feature::ToolChoice, "tool_choice"),
        (request.parallel_tool_calls.is_some(), Feature::ParallelTools, "parallel_tool_calls"),
        (request.response_format.is_some(), Feature::JsonOutput, "response_format"),
        (request.reasoning.is_some(), Feature::ReasoningEffort, "reasoning"),
        (request.cache.is_some(), Feature::CacheMarks, "cache"),
        (request.cache_key.is_some(), Feature::CacheKey, "cache_key"),
        (!request.metadata.is_empty(), Feature::Metadata, "metadata"),
    ]);
    losses.options(request, NAME);
}
