//! Whole answers: read as a client, written as a server.

use http::HeaderMap;
use sabir_core::chat::{ChatRequest, ChatResponse, Citation, Content, FinishReason, Part, Tool};
use sabir_core::dialect::{Answer, Responded};
use sabir_core::drive::client::decode_whole;
use sabir_core::{Error, ErrorKind, Feature, Loss, Result, Sink};
use serde_json::{Map, Value, json};

use super::tell::Teller;
use super::thoughts::details_of;
use super::{NAME, OpenAiChat, error, part, usage, wire};

pub(super) fn decode(answer: Answer<'_>) -> Result<ChatResponse> {
    if !answer.status.is_success() {
        return Err(error::decode(answer.status, answer.headers, answer.body));
    }
    let body = answer.body.trim_ascii_start();
    if body.starts_with(b"data:") || body.starts_with(b"event:") || body.starts_with(b":") {
        // Some servers call a stream JSON. Without headers it is read as what it is.
        return decode_whole(&OpenAiChat, answer.status, &HeaderMap::new(), body, true);
    }
    let mut sink = Sink::whole();
    match decode_object(body, &mut sink) {
        Ok(()) => Ok(sink.into_response()),
        Err(error) => Err(error.with_partial(sink.into_response())),
    }
}

fn decode_object(body: &[u8], sink: &mut Sink) -> Result<()> {
    if body.is_empty() {
        return Err(Error::new(ErrorKind::Decode, "the answer is empty"));
    }
    let chunk = wire::read("the answer", body)?;
    if chunk.choices.is_none() {
        let nothing = || Error::new(ErrorKind::Decode, "the answer has neither choices nor an error");
        return Err(error::instead(body).unwrap_or_else(nothing));
    }
    let mut teller = Teller::whole();
    let told = teller.tell(*chunk, sink);
    teller.close(sink);
    told
}

pub(super) fn respond(response: &ChatResponse, request: &ChatRequest) -> Responded {
    let mut losses = Vec::new();
    let mut message = Map::from_iter([("role".into(), "assistant".into()), ("content".into(), Value::Null)]);
    message.insert("refusal".into(), Value::Null);
    let (mut text, mut has_text) = (String::new(), false);
    let mut order = Order::default();
    for (at, part) in response.parts.iter().enumerate() {
        match &part.content {
            Content::Text { text: more } => {
                order.watch(Place::Text, at, &mut losses);
                has_text = true;
                text.push_str(more);
            }
            Content::ToolCall(_) => {
                order.watch(Place::Call, at, &mut losses);
                append(&mut message, "tool_calls", vec![part::call(part, is_custom(request, part))]);
            }
            _ => {
                if let Content::Reasoning(_) = &part.content {
                    order.watch(Place::Thought, at, &mut losses);
                }
                for (field, value) in fields_of(part, at, &mut losses) {
                    merge(&mut message, field, value);
                }
            }
        }
    }
    let is_silent = message.contains_key("tool_calls") || !message["refusal"].is_null();
    if has_text || !is_silent {
        message["content"] = text.into();
    }
    let meta = response.meta.of(NAME);
    let logprobs = meta.and_then(|fields| fields.get("logprobs")).cloned().unwrap_or_default();
    let mut body = Map::new();
    body.insert("id".into(), id_of(&response.id).into());
    body.insert("object".into(), "chat.completion".into());
    body.insert("created".into(), meta.and_then(|m| m.get("created")).cloned().unwrap_or_else(|| 0.into()));
    body.insert("model".into(), response.model.clone().into());
    let choice = json!({"index": 0, "message": message, "logprobs": logprobs, "finish_reason": finish_of(response)});
    body.insert("choices".into(), vec![choice].into());
    if let Some(usage) = usage::respond(&response.usage) {
        body.insert("usage".into(), usage);
    }
    for (field, value) in meta.into_iter().flatten().filter(|(field, _)| *field != "logprobs") {
        body.entry(field).or_insert_with(|| value.clone());
    }
    Responded { headers: HeaderMap::new(), body: Value::Object(body).to_string().into(), losses }
}

pub(super) fn id_of(id: &str) -> &str {
    if id.is_empty() { "chatcmpl-sabir" } else { id }
}

/// A field of a message or delta that a part is told in; texts and calls have ways of their own. Lists are appended
/// to, strings too.
pub(super) fn fields_of(part: &Part, at: usize, losses: &mut Vec<Loss>) -> Vec<(&'static str, Value)> {
    let mut lose = |feature: Feature, note: &str| {
        losses.push(Loss::new(feature, format!("parts[{at}]"), note));
        Vec::new()
    };
    match &part.content {
        Content::Text { text } => vec![("content", text.clone().into())],
        Content::Refusal { text } => vec![("refusal", text.clone().into())],
        Content::Reasoning(reasoning) => {
            let mut fields = Vec::new();
            if !reasoning.text.is_empty() {
                fields.push(("reasoning_content", reasoning.text.clone().into()));
            }
            // The text went out in its own field: in the details it would be read twice.
            let details = details_of(part, reasoning).unwrap_or_default().into_iter().map(part::without_text);
            let details: Vec<Value> = details.collect();
            if !details.is_empty() {
                fields.push(("reasoning_details", details.into()));
            }
            fields
        }
        Content::Citation(citation) => match annotation_of(citation) {
            Some(annotation) => vec![("annotations", vec![annotation].into())],
            None => lose(Feature::Citations, "a citation needs an address here"),
        },
        Content::Image(media) => match media.to_url() {
            Some(url) => vec![("images", json!([{"type": "image_url", "image_url": {"url": url}}]))],
            None => lose(Feature::Images, "an image with its provider cannot be answered here"),
        },
        Content::Audio(media) => match part::audio_of(part, media) {
            Some(audio) => vec![("audio", audio)],
            None => lose(Feature::Audio, "only sound that is here can be answered here"),
        },
        Content::Opaque { dialect, json } if dialect == NAME => match json.get("type").and_then(Value::as_str) {
            Some("file" | "file_citation") => vec![("annotations", vec![json.clone()].into())],
            _ => lose(Feature::Opaque, "a part of this content cannot be answered as text"),
        },
        Content::Opaque { dialect, .. } => lose(Feature::Opaque, &format!("a part of {dialect} alone")),
        Content::ServerToolUse(_) | Content::ServerToolResult(_) => {
            lose(Feature::ServerTools, "the provider's own tools are not told here")
        }
        Content::Video(_) => lose(Feature::Video, "not in this dialect's answers"),
        _ => lose(Feature::Documents, "not in this dialect's answers"),
    }
}

/// Watches the order of thoughts, text and calls: a message has a field for each, and no order between them.
#[derive(Debug, Default)]
pub(super) struct Order {
    reached: Place,
}

/// Where a reader takes something to stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    #[default]
    Thought,
    Text,
    Call,
}

impl Order {
    /// Notes the loss where a part stands after one that a reader takes to come later; once a part.
    pub(super) fn watch(&mut self, place: Place, at: usize, losses: &mut Vec<Loss>) {
        let path = format!("parts[{at}]");
        if place < self.reached && losses.last().is_none_or(|last| last.path != path) {
            losses.push(Loss::new(Feature::Order, path, "thoughts come first here, then text, then calls"));
        }
        self.reached = self.reached.max(place);
    }
}

/// Adds a field to a message: a string or list to one that is there already.
fn merge(message: &mut Map<String, Value>, field: &str, value: Value) {
    match (message.get_mut(field), value) {
        (Some(Value::String(all)), Value::String(more)) => all.push_str(&more),
        (_, Value::Array(more)) => append(message, field, more),
        (_, value) => {
            message.insert(field.to_owned(), value);
        }
    }
}

fn append(message: &mut Map<String, Value>, field: &str, more: Vec<Value>) {
    match message.get_mut(field) {
        Some(Value::Array(all)) => all.extend(more),
        _ => {
            message.insert(field.to_owned(), more.into());
        }
    }
}

/// Whether a call is one of a custom tool: by what the provider said of it, or by the tool that was offered.
pub(super) fn is_custom(request: &ChatRequest, part: &Part) -> bool {
    let Content::ToolCall(call) = &part.content else {
        return false;
    };
    part.meta.get(NAME, "type").is_some_and(|kind| kind == "custom") || offers_custom(request, &call.name)
}

pub(super) fn offers_custom(request: &ChatRequest, name: &str) -> bool {
    request.tools.iter().any(|tool| match tool {
        Tool::Opaque { dialect, json } => dialect == NAME && json["type"] == "custom" && json["custom"]["name"] == name,
        _ => false,
    })
}

fn annotation_of(citation: &Citation) -> Option<Value> {
    if citation.json.get("url_citation").is_some() {
        return Some(citation.json.clone());
    }
    let url = citation.url.as_ref()?;
    // Where the passage stands must be said; 0 to 0 where nobody did.
    let (start, end) = citation.span.unwrap_or_default();
    let mut cited = json!({"url": url, "title": citation.title.as_deref().unwrap_or(url)});
    cited["start_index"] = start.into();
    cited["end_index"] = end.into();
    if let Some(quote) = &citation.quote {
        cited["content"] = quote.clone().into();
    }
    Some(json!({"type": "url_citation", "url_citation": cited}))
}

/// The reason in OpenAI's words; one that it has no word for passes as its provider said it.
pub(super) fn finish_of(response: &ChatResponse) -> &str {
    match &response.finish.reason {
        FinishReason::Pause => "stop",
        reason => reason.as_str(),
    }
}
