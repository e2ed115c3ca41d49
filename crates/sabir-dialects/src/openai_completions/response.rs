//! Whole answers: read as a client, written as a server.

use http::HeaderMap;
use sabir_core::chat::{ChatRequest, ChatResponse, Content, Finish, FinishReason, Part, Usage};
use sabir_core::dialect::{Answer, Responded, unreadable};
use sabir_core::drive::client::decode_whole;
use sabir_core::{Error, ErrorKind, Feature, Loss, Result, Sink};
use serde_json::{Map, Value, json};

use super::{NAME, OpenAiCompletions, error, wire};

pub(super) fn decode(answer: Answer<'_>) -> Result<ChatResponse> {
    if !answer.status.is_success() {
        return Err(error::decode(answer.status, answer.headers, answer.body));
    }
    let body = answer.body.trim_ascii_start();
    if body.starts_with(b"data:") || body.starts_with(b"event:") || body.starts_with(b":") {
        // Some servers call a stream JSON. Without headers it is read as what it is.
        return decode_whole(&OpenAiCompletions, answer.status, &HeaderMap::new(), body, true);
    }
    let mut sink = Sink::whole();
    let mut teller = Teller::default();
    let told = chunk(body).and_then(|chunk| teller.tell(&chunk, body, &mut sink));
    teller.close(&mut sink);
    match told {
        Ok(()) => Ok(sink.into_response()),
        Err(error) => Err(error.with_partial(sink.into_response())),
    }
}

/// Reads a body, or the data of one event.
pub(super) fn chunk(data: &[u8]) -> Result<wire::Chunk<'_>> {
    match data.first() {
        None => Err(Error::new(ErrorKind::Decode, "the answer is empty")),
        Some(b'{') => serde_json::from_slice(data).map_err(|e| unreadable("the answer", &e)),
        Some(b'<') => Err(Error::new(ErrorKind::Decode, "the answer is a page and no JSON")),
        Some(_) => Err(Error::new(ErrorKind::Decode, "the answer is no JSON object")),
    }
}

/// Tells a sink what an answer or a chunk of one says: one reading for both.
#[derive(Debug, Default)]
pub(super) struct Teller {
    has_finished: bool,
    has_others: bool,
    logprobs: Map<String, Value>,
}

impl Teller {
    /// Whether a reason to finish was given.
    pub(super) fn has_finished(&self) -> bool {
        self.has_finished
    }

    /// `data` is what the chunk was read from, for errors in shapes of their own.
    pub(super) fn tell(&mut self, chunk: &wire::Chunk<'_>, data: &[u8], sink: &mut Sink) -> Result<()> {
        sink.identify(Some(&chunk.id), Some(&chunk.model));
        let failed = chunk.error.is_some() || chunk.choices.is_none() && chunk.usage.is_none();
        for (position, choice) in chunk.choices.iter().flatten().enumerate() {
            let index = choice.index.0.unwrap_or(position as u64);
            if index != 0 {
                if !std::mem::replace(&mut self.has_others, true) {
                    sink.loss(Loss::new(
                        Feature::Choices,
                        format!("choices[{index}]"),
                        "only the first answer is kept",
                    ));
                }
                continue;
            }
            match (&choice.text, choice.message) {
                (None, Some(message)) => {
                    // Some routers answer with a chat's message: it is kept as it came.
                    let json = serde_json::from_str(message.get()).unwrap_or_default();
                    sink.part(Content::Opaque { dialect: NAME.to_owned(), json }.into());
                }
                (text, _) => sink.text(text.as_deref().unwrap_or_default()),
            }
            if let Some(logprobs) = choice.logprobs.and_then(|raw| serde_json::from_str(raw.get()).ok()) {
                self.logprobs(logprobs);
            }
            // Some servers write "" for "not yet", others at the very end: it counts while there is no better word.
            if let Some(word) = &choice.finish_reason
                && (!word.is_empty() || !self.has_finished)
            {
                self.has_finished = !word.is_empty();
                sink.finish(Finish::from_raw(word));
            }
        }
        if let Some(used) = chunk.usage.and_then(|raw| serde_json::from_str(raw.get()).ok()) {
            usage_of(&used, sink);
        }
        let meta = &mut sink.response_mut().meta;
        if let (Some(created), None) = (chunk.created.0, meta.get(NAME, "created")) {
            meta.set(NAME, "created", created.into());
        }
        for (field, text) in [("system_fingerprint", &chunk.system_fingerprint), ("service_tier", &chunk.service_tier)]
        {
            if !text.is_empty() {
                meta.set(NAME, field, (**text).into());
            }
        }
        if !failed {
            return Ok(());
        }
        let error = serde_json::from_slice(data).ok().and_then(|json| error::inside(&json));
        match error {
            Some(error) => Err(error),
            None if chunk.error.is_some() => Ok(()),
            None => Err(Error::new(ErrorKind::Decode, "the answer has neither choices nor an error")),
        }
    }

    /// Each chunk has the tokens of its own text: lists grow, the rest is as it was last said.
    fn logprobs(&mut self, fields: Map<String, Value>) {
        for (key, value) in fields {
            match (self.logprobs.get_mut(&key), value) {
                (_, Value::Null) => {}
                (Some(Value::Array(all)), Value::Array(more)) => all.extend(more),
                (_, value) => drop(self.logprobs.insert(key, value)),
            }
        }
    }

    /// Tells what only the end makes whole.
    pub(super) fn close(&mut self, sink: &mut Sink) {
        if !self.logprobs.is_empty() {
            let logprobs = std::mem::take(&mut self.logprobs);
            sink.response_mut().meta.set(NAME, "logprobs", logprobs.into());
        }
    }
}

/// Takes the counters apart: the prompt contains what was cached, the completion what was thought.
fn usage_of(wire: &wire::Usage, sink: &mut Sink) {
    let mut usage = Usage::default();
    let detail =
        |details: &Option<wire::Details>, of: fn(&wire::Details) -> wire::Count| details.as_ref().and_then(|d| of(d).0);
    usage.cache_read = detail(&wire.prompt_tokens_details, |details| details.cached_tokens);
    usage.reasoning = detail(&wire.completion_tokens_details, |details| details.reasoning_tokens);
    usage.input_from_total(wire.prompt_tokens.0);
    usage.output_from_total(wire.completion_tokens.0);
    if !usage.is_unknown() {
        sink.usage(usage);
    }
}

pub(super) fn respond(response: &ChatResponse, request: &ChatRequest) -> Responded {
    let (mut losses, mut text) = (Vec::new(), String::new());
    for (at, part) in response.parts.iter().enumerate() {
        text.push_str(text_of(part, at, &mut losses));
    }
    lose_prompts(request, &mut losses);
    let meta = response.meta.of(NAME);
    let logprobs = meta.and_then(|fields| fields.get("logprobs")).cloned().unwrap_or_default();
    let mut body = json!({
        "id": id_of(&response.id),
        "object": "text_completion",
        "created": meta.and_then(|fields| fields.get("created")).cloned().unwrap_or_else(|| 0.into()),
        "model": response.model,
        "choices": [{"text": text, "index": 0, "logprobs": logprobs, "finish_reason": finish_of(response, &mut losses)}],
    });
    if let Some(usage) = usage(&response.usage, &mut losses) {
        body["usage"] = usage;
    }
    for (name, value) in meta.into_iter().flatten().filter(|(name, _)| !matches!(name.as_str(), "logprobs" | "created"))
    {
        body[name] = value.clone();
    }
    Responded { headers: HeaderMap::new(), body: body.to_string().into(), losses }
}

pub(super) fn id_of(id: &str) -> &str {
    if id.is_empty() { "cmpl-sabir" } else { id }
}

/// Of several prompts, or for several answers, one is answered.
pub(super) fn lose_prompts(request: &ChatRequest, losses: &mut Vec<Loss>) {
    for name in ["prompt", "n"].into_iter().filter(|name| request.options.get(NAME, name).is_some()) {
        losses.push(Loss::new(Feature::Choices, format!("options.{NAME}.{name}"), "one prompt has one answer here"));
    }
}

/// A part's words; what else it is, is lost.
pub(super) fn text_of<'p>(part: &'p Part, at: usize, losses: &mut Vec<Loss>) -> &'p str {
    let (text, feature) = match &part.content {
        Content::Text { text } => return text,
        Content::Refusal { text } => (text.as_str(), Feature::Refusals),
        Content::ToolCall(_) | Content::ToolResult(_) => ("", Feature::Tools),
        Content::Reasoning(_) => ("", Feature::Reasoning),
        Content::Citation(_) => ("", Feature::Citations),
        Content::ServerToolUse(_) | Content::ServerToolResult(_) => ("", Feature::ServerTools),
        Content::Image(_) => ("", Feature::Images),
        Content::Audio(_) => ("", Feature::Audio),
        Content::Video(_) => ("", Feature::Video),
        Content::Document(_) => ("", Feature::Documents),
        _ => ("", Feature::Opaque),
    };
    let note = if text.is_empty() { "a completion is text" } else { "a refusal goes as text" };
    losses.push(Loss::new(feature, format!("parts[{at}]"), note));
    text
}

/// The reason in OpenAI's words; one that it has no word for passes as its provider said it.
pub(super) fn finish_of<'r>(response: &'r ChatResponse, losses: &mut Vec<Loss>) -> &'r str {
    match &response.finish.reason {
        FinishReason::ToolCalls | FinishReason::Pause => {
            let note = "a completion can only stop";
            losses.push(Loss::new(Feature::Other("finish_reason".to_owned()), "finish", note));
            "stop"
        }
        reason => reason.as_str(),
    }
}

/// The counters that are known; `None` where the totals are not.
pub(super) fn usage(usage: &Usage, losses: &mut Vec<Loss>) -> Option<Value> {
    let (input, output) = (usage.input_total(), usage.output_total());
    if input.is_none() && output.is_none() {
        return None;
    }
    let apart = [
        usage.cache_write,
        usage.cache_write_1h,
        usage.audio_input,
        usage.image_input,
        usage.audio_output,
        usage.image_output,
    ];
    if apart.into_iter().flatten().any(|count| count > 0) || input.is_none() || output.is_none() {
        losses.push(Loss::new(
            Feature::Usage,
            "usage",
            "counters that this dialect has no place for are in the totals",
        ));
    }
    let (input, output) = (input.unwrap_or(0), output.unwrap_or(0));
    let total = input.saturating_add(output);
    let mut body = json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": total});
    if let Some(cached) = usage.cache_read {
        body["prompt_tokens_details"] = json!({ "cached_tokens": cached });
    }
    if let Some(thought) = usage.reasoning {
        body["completion_tokens_details"] = json!({ "reasoning_tokens": thought });
    }
    Some(body)
}
