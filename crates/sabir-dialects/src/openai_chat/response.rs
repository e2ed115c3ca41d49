//! Answers as a server writes them: whole.

use sabir_core::Feature;
use sabir_core::chat::{ChatRequest, ChatResponse, Content, FinishReason, Meta, Part, Source, Usage, to_base64};
use sabir_core::dialect::Responded;
use serde_json::{Map, Value, json};

use super::thoughts::details_of;
use super::{NAME, part};
use crate::openai::{custom_tools, write_citation, write_usage};
use crate::openai_answer::Names;
use crate::shared::{Losses, feature_of};

/// What our answers call themselves.
pub(super) const NAMES: Names =
    Names { dialect: NAME, whole: "chat.completion", chunk: "chat.completion.chunk", id: "chatcmpl-sabir" };

pub(super) fn respond(response: &ChatResponse, request: &ChatRequest) -> Responded {
    let mut told = Told::new(request);
    let mut message = Map::from_iter([("role".into(), "assistant".into()), ("content".into(), Value::Null)]);
    message.insert("refusal".into(), Value::Null);
    for part in &response.parts {
        for (field, value) in told.fields_of(part) {
            match (message.get_mut(field), value) {
                (Some(Value::String(all)), Value::String(more)) => all.push_str(&more),
                (Some(Value::Array(all)), Value::Array(more)) => all.extend(more),
                (_, value) => drop(message.insert(field.to_owned(), value)),
            }
        }
    }
    let is_silent = message.contains_key("tool_calls") || !message["refusal"].is_null();
    if message["content"].is_null() && !is_silent {
        message["content"] = "".into();
    }
    let logprobs = response.meta.get(NAME, "logprobs");
    let choice = json!({"index": 0, "message": message, "logprobs": logprobs, "finish_reason": finish_of(response)});
    let usage = usage_of(&response.usage, &mut told.losses);
    NAMES.respond(response, &choice, usage, told.losses)
}

/// The reason in OpenAI's words; one that it has no word for passes as its provider said it.
pub(super) fn finish_of(response: &ChatResponse) -> &str {
    match &response.finish.reason {
        FinishReason::Pause => "stop",
        reason => reason.as_str(),
    }
}

/// The counters, as far as they are known.
pub(super) fn usage_of(usage: &Usage, losses: &mut Losses) -> Option<Value> {
    let kept = ["cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens", "reasoning_tokens"];
    write_usage(usage, ["prompt", "completion"], &kept, losses)
}

/// What of an answer was told to a client.
#[derive(Debug)]
pub(super) struct Told {
    /// The custom tools that were offered.
    custom: Vec<String>,
    pub(super) parts: usize,
    rank: u8,
    pub(super) losses: Losses,
}

impl Told {
    pub(super) fn new(request: &ChatRequest) -> Self {
        Self { custom: custom_tools(&request.tools, NAME), parts: 0, rank: 0, losses: Losses::default() }
    }

    /// Whether a call is one of a custom tool: by the tool that was offered, or by what the provider said of it.
    pub(super) fn is_custom(&self, name: &str, meta: &Meta) -> bool {
        self.custom.iter().any(|custom| custom == name) || meta.get(NAME, "type").is_some_and(|kind| kind == "custom")
    }

    /// Notes the loss where a part stands after one that a reader takes to come later, once a part: a message has a
    /// field for thoughts (rank 0), text (1) and calls (2), and no order between them.
    pub(super) fn rank(&mut self, rank: u8) {
        if rank < self.rank {
            let path = format!("parts[{}]", self.parts);
            if self.losses.0.last().is_none_or(|last| last.path != path) {
                self.losses.lose(Feature::Order, path, "thoughts come first here, then text, then calls");
            }
        }
        self.rank = self.rank.max(rank);
    }

    /// The fields of a message or delta that a part is told in. Lists are appended to, strings too.
    pub(super) fn fields_of(&mut self, part: &Part) -> Vec<(&'static str, Value)> {
        let said = match &part.content {
            Content::Text { text } => {
                self.rank(1);
                Ok(vec![("content", text.as_str().into())])
            }
            Content::ToolCall(call) => {
                self.rank(2);
                let call = part::call(part, self.is_custom(&call.name, &part.meta));
                Ok(vec![("tool_calls", vec![call].into())])
            }
            Content::Reasoning(thought) => {
                self.rank(0);
                let text =
                    Some(("reasoning_content", thought.text.as_str().into())).filter(|_| !thought.text.is_empty());
                Ok(text.into_iter().chain(without_text(details_of(part, thought))).collect())
            }
            Content::Refusal { text } => Ok(vec![("refusal", text.as_str().into())]),
            Content::Citation(citation) => write_citation(citation, true)
                .map(|annotation| vec![("annotations", vec![annotation].into())])
                .ok_or("a citation needs an address here"),
            Content::Image(media) => media
                .to_url()
                .map(|url| vec![("images", json!([{"type": "image_url", "image_url": {"url": url}}]))])
                .ok_or("an image with its provider cannot be answered here"),
            Content::Audio(media) => match &media.source {
                Source::Bytes(bytes) => {
                    let kept = |field| part.meta.get(NAME, field).cloned().unwrap_or_else(|| "".into());
                    let (id, transcript) = (kept("id"), kept("transcript"));
                    let audio = json!({"id": id, "data": to_base64(bytes), "expires_at": 0, "transcript": transcript});
                    Ok(vec![("audio", audio)])
                }
                _ => Err("only sound that is here can be answered here"),
            },
            Content::Opaque { dialect, json } if dialect == NAME => match json["type"].as_str() {
                Some("file" | "file_citation") => Ok(vec![("annotations", vec![json.clone()].into())]),
                _ => Err("a part of this content cannot be answered as text"),
            },
            Content::Opaque { .. } => Err("a part of another dialect alone"),
            Content::ServerToolUse(_) | Content::ServerToolResult(_) => {
                Err("the provider's own tools are not told here")
            }
            _ => Err("not in this dialect's answers"),
        };
        let fields = said.unwrap_or_else(|note| {
            self.losses.lose(feature_of(&part.content), format!("parts[{}]", self.parts), note);
            Vec::new()
        });
        self.parts += 1;
        fields
    }
}

/// Details of reasoning, without their text: that went out in its own field, and would be read twice.
pub(super) fn without_text(mut details: Vec<Value>) -> Option<(&'static str, Value)> {
    for fields in details.iter_mut().filter_map(Value::as_object_mut) {
        fields.retain(|field, _| field != "text" && field != "summary");
    }
    (!details.is_empty()).then(|| ("reasoning_details", details.into()))
}
