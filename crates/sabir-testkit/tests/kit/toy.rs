//! A dialect of JSON lines: the vocabulary as it is. Right, or wrong in one way.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use sabir_core::chat::{ChatRequest, ChatResponse, Content, Event, Finish, Meta, Part, Usage};
use sabir_core::dialect::{Answer, Asked, Decoder, Encoded, Encoder, Responded, truncated, unreadable};
use sabir_core::error::said;
use sabir_core::frame::{Frame, Framing, ndjson};
use sabir_core::{Dialect, Endpoint, Error, ErrorKind, Feature, Loss, Result, Sink};
use serde_json::{Value, from_slice, from_value, json};

/// What is wrong with a toy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    Nothing,
    SilentTruncation,
    DroppedArguments,
    SwallowedError,
    LostUsage,
    ReorderedParts,
    ForgottenFinish,
    UnstableBytes,
    DroppedTemperature,
    ForeignInSilence,
    PanicOnDamage,
    KindForgotten,
    ErrorAsSuccess,
    EmptyIsAnswer,
    RandomIds,
    PartialAccept,
}

#[derive(Debug)]
pub(crate) struct Toy(Wrong);

/// A toy for the life of the test.
pub(crate) fn toy(wrong: Wrong) -> &'static dyn Dialect {
    Box::leak(Box::new(Toy(wrong)))
}

static COUNT: AtomicUsize = AtomicUsize::new(0);

impl Dialect for Toy {
    fn name(&self) -> &'static str {
        "toy"
    }

    fn encode(&self, request: &ChatRequest, endpoint: &Endpoint) -> Result<Encoded> {
        let (mut request, mut losses) = (request.clone(), Vec::new());
        if self.0 == Wrong::DroppedTemperature {
            request.temperature = None;
        }
        let mut lose = |feature, path: &str| losses.push(Loss::new(feature, path, "of another dialect"));
        if request.options.of("testkit-other").is_some() {
            request.options = Meta::default();
            lose(Feature::Options, "options");
        }
        let foreign = |part: &Part| matches!(&part.content, Content::Opaque { dialect, .. } if dialect != "toy");
        if request.messages.iter().any(|message| message.parts.iter().any(foreign)) {
            request.messages.iter_mut().for_each(|message| message.parts.retain(|part| !foreign(part)));
            lose(Feature::Opaque, "messages");
        }
        if request.tools.iter().any(|tool| matches!(tool, sabir_core::chat::Tool::Opaque { .. })) {
            request.tools.clear();
            lose(Feature::ServerTools, "tools");
        }
        if self.0 == Wrong::ForeignInSilence {
            losses.clear();
        }
        let mut body = json!(request);
        if self.0 == Wrong::UnstableBytes {
            body["nonce"] = COUNT.fetch_add(1, Ordering::Relaxed).into();
        }
        Ok(Encoded::post_json(endpoint.url("/toy")?, body.to_string(), losses))
    }

    fn decode(&self, answer: Answer<'_>) -> Result<ChatResponse> {
        if self.0 == Wrong::EmptyIsAnswer && answer.body.is_empty() {
            return Ok(ChatResponse::default());
        }
        let body = from_slice::<Value>(answer.body);
        if !answer.status.is_success() {
            return Err(match body.as_ref().ok().and_then(|body| body.get("error")).and_then(error_of) {
                Some(error) => error.with_status(answer.status),
                None => said(answer.status, answer.headers, None, "the server failed without words"),
            });
        }
        let body = body.map_err(|e| unreadable("the answer", &e))?;
        let answer = body.get("answer").cloned().unwrap_or_default();
        from_value(answer).map_err(|e| unreadable("the answer", &e))
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(Lines { wrong: self.0, calls: Vec::new() })
    }

    fn framing(&self, headers: &HeaderMap) -> Option<Framing> {
        (headers.get("content-type")? == "application/x-ndjson").then_some(Framing::Ndjson)
    }

    fn accept(&self, asked: Asked<'_>) -> Result<ChatRequest> {
        let request: ChatRequest = from_slice(asked.body).map_err(|e| unreadable("the request", &e))?;
        if request.messages.is_empty() && self.0 != Wrong::PartialAccept {
            return Err(Error::new(ErrorKind::InvalidRequest, "messages: at least one is needed"));
        }
        Ok(request)
    }

    fn respond(&self, response: &ChatResponse, _: &ChatRequest) -> Responded {
        let mut response = response.clone();
        match self.0 {
            Wrong::ReorderedParts => response.parts.sort_by_key(|part| part.as_text().is_none()),
            Wrong::ForgottenFinish => response.finish = Finish::default(),
            _ => {}
        }
        let body = json!({"answer": response}).to_string().into();
        Responded { headers: HeaderMap::new(), body, losses: Vec::new() }
    }

    fn encoder(&self, _: &ChatRequest) -> Box<dyn Encoder> {
        Box::new(Writer(self.0))
    }

    fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
        let status = match error.kind() {
            _ if self.0 == Wrong::ErrorAsSuccess => StatusCode::OK,
            ErrorKind::InvalidRequest | ErrorKind::NotFound => StatusCode::BAD_REQUEST,
            _ => StatusCode::BAD_GATEWAY,
        };
        let kind = if self.0 == Wrong::KindForgotten { ErrorKind::Provider } else { error.kind() };
        (status, json!({"error": {"kind": kind, "message": error.message()}}).to_string().into())
    }
}

fn error_of(error: &Value) -> Option<Error> {
    let kind: ErrorKind = from_value(error.get("kind")?.clone()).ok()?;
    Some(Error::new(kind, error.get("message")?.as_str()?))
}

#[derive(Debug)]
struct Writer(Wrong);

impl Encoder for Writer {
    fn content_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        let line = match event {
            Event::Start { id, model } => json!({"start": [id, model]}),
            Event::Text(text) => json!({"text": text}),
            Event::Reasoning(text) => json!({"thought": text}),
            Event::PartEnd { signature, meta } => json!({"end": [signature, meta]}),
            Event::ToolStart { index, id, name } => json!({"call": [index, id, name]}),
            Event::ToolArguments { index, fragment } => json!({"arguments": [index, fragment]}),
            Event::ToolEnd { index, .. } => json!({"called": index}),
            Event::Part(part) => json!({"part": part}),
            Event::Usage(_) if self.0 == Wrong::LostUsage => return,
            Event::Usage(usage) => json!({"usage": usage}),
            Event::Done(response) => json!({"done": response.finish}),
            _ => return,
        };
        ndjson::write(out, line.to_string().as_bytes());
    }

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        let line = json!({"error": {"kind": error.kind(), "message": error.message()}});
        ndjson::write(out, line.to_string().as_bytes());
    }
}

#[derive(Debug)]
struct Lines {
    wrong: Wrong,
    calls: Vec<usize>,
}

impl Decoder for Lines {
    fn frame(&mut self, frame: Frame<'_>, sink: &mut Sink) -> Result<()> {
        let line = from_slice::<Value>(frame.data);
        if self.wrong == Wrong::PanicOnDamage {
            assert!(line.is_ok(), "the line cannot be read");
        }
        let line = line.map_err(|e| unreadable("a line", &e))?;
        let Some((word, said)) = line.as_object().and_then(|line| line.iter().next()) else {
            return Ok(());
        };
        let text = |at: usize| said.get(at).and_then(Value::as_str);
        let call = |value: Option<&Value>| {
            let number = value.and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
            number.and_then(|n| self.calls.get(n).copied())
        };
        match word.as_str() {
            "start" => sink.identify(text(0), text(1)),
            "text" => sink.text(said.as_str().unwrap_or_default()),
            "thought" => sink.reasoning(said.as_str().unwrap_or_default()),
            "end" => {
                let meta = said.get(1).cloned().and_then(|meta| from_value(meta).ok());
                sink.part_end(text(0), meta.unwrap_or_default());
            }
            "call" => {
                let mut id = text(1).unwrap_or_default().to_owned();
                if self.wrong == Wrong::RandomIds {
                    id = COUNT.fetch_add(1, Ordering::Relaxed).to_string();
                }
                self.calls.push(sink.tool_start(&id, text(2).unwrap_or_default())?);
            }
            "arguments" => match call(said.get(0)) {
                Some(index) if self.wrong != Wrong::DroppedArguments || index == 0 => {
                    sink.tool_arguments(index, text(1).unwrap_or_default());
                }
                _ => {}
            },
            "called" => call(Some(said)).into_iter().for_each(|index| sink.tool_end(index)),
            "part" => sink.part(from_value(said.clone()).map_err(|e| unreadable("a part", &e))?),
            "usage" => sink.usage(from_value::<Usage>(said.clone()).map_err(|e| unreadable("the usage", &e))?),
            "done" => {
                sink.finish(from_value(said.clone()).map_err(|e| unreadable("the finish", &e))?);
                sink.end();
            }
            "error" if self.wrong == Wrong::SwallowedError => sink.end(),
            "error" => return Err(error_of(said).unwrap_or_else(truncated)),
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, sink: &mut Sink) -> Result<()> {
        let anything = !sink.response().parts.is_empty();
        match self.wrong {
            Wrong::SilentTruncation if anything => Ok(()),
            Wrong::EmptyIsAnswer if !anything => Ok(()),
            _ => Err(truncated()),
        }
    }
}
