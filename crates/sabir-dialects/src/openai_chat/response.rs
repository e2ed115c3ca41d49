//! Answers as a server writes them: whole.

use sabir_core::chat::{ChatRequest, ChatResponse, Content, FinishReason, Media, Meta, Part, Source, Usage, to_base64};
use sabir_core::dialect::Responded;
use serde_json::{Value, json};

use super::{NAME, part};
use crate::openai::{write_citation, write_usage};
use crate::openai_answer::Names;
use crate::openai_tools::custom_tools;
use crate::reasoning_details::without_text;
use crate::shared::feature_of;
use crate::telling::Telling;

/// What our answers call themselves.
pub(super) const NAMES: Names =
    Names { dialect: NAME, whole: "chat.completion", chunk: "chat.completion.chunk", id: "chatcmpl-sabir" };

pub(super) fn respond(response: &ChatResponse, request: &ChatRequest) -> Responded {
    let mut told = Told::new(request);
    let mut message = json!({"role": "assistant", "content": null, "refusal": null});
    for (at, part) in response.parts.iter().enumerate() {
        told.telling.at = at;
        for (field, value) in told.fields_of(part) {
            match (&mut message[field], value) {
                (Value::String(all), Value::String(more)) => all.push_str(&more),
                (Value::Array(all), Value::Array(more)) => all.extend(more),
                (place, value) => *place = value,
            }
        }
    }
    let is_silent = message.get("tool_calls").is_some() || !message["refusal"].is_null();
    if message["content"].is_null() && !is_silent {
        message["content"] = "".into();
    }
    if let Some(extra) = extra_of(response) {
        message["extra_content"] = extra.clone();
    }
    let logprobs = response.meta.get(NAME, "logprobs");
    let choice = json!({"index": 0, "message": message, "logprobs": logprobs, "finish_reason": finish_of(response)});
    let usage = told.end(response, &response.usage);
    NAMES.respond(response, &choice, usage, told.telling.losses)
}

/// The reason in OpenAI's words; one that it has no word for passes as its provider said it.
pub(super) fn finish_of(response: &ChatResponse) -> &str {
    match &response.finish.reason {
        FinishReason::Pause => "stop",
        reason => reason.as_str(),
    }
}

/// What the provider put beside the message as a whole; it is kept with the last part.
pub(super) fn extra_of(response: &ChatResponse) -> Option<&Value> {
    response.parts.last()?.meta.get(NAME, "message")?.get("extra_content")
}

/// What of an answer was told to a client.
#[derive(Debug)]
pub(super) struct Told {
    /// The custom tools that were offered.
    custom: Vec<String>,
    pub(super) telling: Telling,
}

impl Told {
    pub(super) fn new(request: &ChatRequest) -> Self {
        Self { custom: custom_tools(&request.tools, NAME), telling: Telling::default() }
    }

    /// Whether a call is one of a custom tool: by the tool that was offered, or by what the provider said of it.
    pub(super) fn is_custom(&self, name: &str, meta: &Meta) -> bool {
        self.custom.iter().any(|custom| custom == name) || meta.get(NAME, "type").is_some_and(|kind| kind == "custom")
    }

    /// What is told at the end: the counters, as far as they are known.
    pub(super) fn end(&mut self, response: &ChatResponse, usage: &Usage) -> Option<Value> {
        let losses = &mut self.telling.losses;
        losses.stop_sequence(&response.finish);
        losses.sources_last(&response.parts, |citation| write_citation(citation, true).is_some());
        let kept = ["cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens", "reasoning_tokens"];
        write_usage(usage, ["prompt", "completion"], &kept, losses)
    }

    /// The fields of a message or delta that a part is told in. Lists are appended to, strings too.
    pub(super) fn fields_of(&mut self, part: &Part) -> Vec<(&'static str, Value)> {
        let said = match &part.content {
            Content::Text { text } => {
                self.telling.says(false);
                Ok(vec![("content", text.as_str().into())])
            }
            Content::ToolCall(call) => {
                self.telling.rank(2);
                let call = part::call(part, call, self.is_custom(&call.name, &part.meta));
                Ok(vec![("tool_calls", vec![call].into())])
            }
            Content::Reasoning(thought) => {
                let text = Some(thought.text.as_str()).filter(|text| !text.is_empty());
                self.telling.rank(0);
                let text = text.inspect(|_| self.telling.says(true)).map(|text| ("reasoning_content", text.into()));
                let seals = [thought.signature.as_deref(), thought.encrypted.as_deref()];
                Ok(text.into_iter().chain(without_text(&part.meta, seals, NAME)).collect())
            }
            Content::Refusal { text } => {
                self.telling.refuses();
                Ok(vec![("refusal", text.as_str().into())])
            }
            Content::Citation(citation) => write_citation(citation, true)
                .map(|annotation| vec![("annotations", vec![annotation].into())])
                .ok_or("a citation needs an address here"),
            Content::Image(media) => media
                .to_url()
                .map(|url| vec![("images", json!([{"type": "image_url", "image_url": {"url": url}}]))])
                .ok_or("an image with its provider cannot be answered here"),
            Content::Audio(Media { source: Source::Bytes(bytes), .. }) => {
                let kept = |field| part.meta.get(NAME, field).cloned().unwrap_or_else(|| "".into());
                let (id, transcript) = (kept("id"), kept("transcript"));
                let audio = json!({"id": id, "data": to_base64(bytes), "expires_at": 0, "transcript": transcript});
                Ok(vec![("audio", audio)])
            }
            Content::Audio(_) => Err("only sound that is here can be answered here"),
            // What is said of a text.
            Content::Opaque { dialect, json }
                if dialect == NAME && (json["type"] == "file" || json["type"] == "file_citation") =>
            {
                Ok(vec![("annotations", vec![json.clone()].into())])
            }
            Content::Opaque { .. } => Err("a part that cannot be answered as text"),
            Content::ServerToolUse(_) | Content::ServerToolResult(_) => {
                Err("the provider's own tools are not told here")
            }
            _ => Err("not in this dialect's answers"),
        };
        said.unwrap_or_else(|note| {
            self.telling.losses.lose(feature_of(&part.content), self.telling.path(), note);
            Vec::new()
        })
    }
}
