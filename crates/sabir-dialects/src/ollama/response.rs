//! Whole answers, and the parts of any: read from the provider, written to a client.

use std::borrow::Cow;

use http::HeaderMap;
use sabir_core::chat::{ChatResponse, Content, Media, Meta, Part, Source, ToolCall, from_base64};
use sabir_core::dialect::{Answer, Responded};
use sabir_core::drive::client::decode_whole;
use sabir_core::{Dialect, Error, ErrorKind, Feature, Result, Sink};
use serde_json::json;
use serde_json::value::RawValue;

use super::Api;
use super::said::Said;
use super::wire::{tell_end, write_end, write_start};
use crate::json::{Fields, List, Object, Wrong, object_text, string_of, text_of};
use crate::lines::are_lines;
use crate::shared::{Complaint, Losses, image_mime, made_id};

/// What was answered.
pub(super) fn decode(api: Api, dialect: &dyn Dialect, answer: Answer<'_>) -> Result<ChatResponse> {
    let Answer { status, headers, body } = answer;
    if !status.is_success() {
        return Err(Complaint::failure(status, headers, body));
    }
    let body = body.trim_ascii();
    if are_lines(body) {
        // A stream, where `stream: false` was not said, or that calls itself JSON.
        return decode_whole(dialect, status, &HeaderMap::new(), body, true);
    }
    let fields = Fields::of_answer(body)?;
    if fields.peek("error").is_some() || ["message", "response", "done"].iter().all(|key| fields.peek(key).is_none()) {
        let nothing = || Error::new(ErrorKind::Decode, "the answer has neither a message nor an error");
        return Err(Complaint::read(body).map_or_else(nothing, Complaint::into_error));
    }
    let mut sink = Sink::whole();
    let mut teller = Teller::new(api);
    teller.line(fields, true, &mut sink).map_err(|e| e.unreadable())?;
    Ok(sink.into_response())
}

/// Tells what lines say: one of a whole answer, many of a stream.
#[derive(Debug)]
pub(super) struct Teller {
    pub(super) api: Api,
    calls: usize,
    logprobs: Vec<serde_json::Value>,
}

impl Teller {
    pub(super) fn new(api: Api) -> Self {
        Self { api, calls: 0, logprobs: Vec::new() }
    }

    /// Tells one line; returns whether it is the last one.
    pub(super) fn line(&mut self, mut fields: Fields<'_>, is_whole: bool, sink: &mut Sink) -> Result<bool, Wrong> {
        sink.identify(None, fields.text("model")?.as_deref());
        if let Some(mut message) = fields.object("message")? {
            sink.reasoning(&message.text("thinking")?.unwrap_or_default());
            sink.text(&message.text("content")?.unwrap_or_default());
            for call in message.objects("tool_calls")? {
                self.call(call, sink)?;
            }
            for image in message.list("images")? {
                tell_image(image, sink);
            }
        }
        sink.reasoning(&fields.text("thinking")?.unwrap_or_default());
        sink.text(&fields.text("response")?.unwrap_or_default());
        for logprobs in fields.list("logprobs")? {
            self.logprobs.push(crate::json::value_of(logprobs)?);
        }
        let is_last = is_whole || fields.peek("done").is_some_and(|done| done.get() == "true");
        if is_last {
            tell_end(self.api, &mut fields, sink)?;
            if !self.logprobs.is_empty() {
                let logprobs = std::mem::take(&mut self.logprobs);
                sink.response_mut().meta.set(self.api.name(), "logprobs", logprobs.into());
            }
            for (key, value) in fields.rest()? {
                sink.response_mut().meta.set(self.api.name(), key, value);
            }
        }
        Ok(is_last)
    }

    fn call(&mut self, mut call: Fields<'_>, sink: &mut Sink) -> Result<(), Wrong> {
        let own = call.text("id")?.filter(|id| !id.is_empty());
        let mut function = call.object("function")?;
        let (mut name, mut arguments) = (None, None);
        if let Some(function) = &mut function {
            name = function.text("name")?;
            arguments = function.take("arguments");
        }
        let name = name.unwrap_or_default();
        // Some models write the object as a string.
        let text = arguments.map(text_of);
        let id = own.as_deref().map_or_else(|| made_id(self.calls, &name), str::to_owned);
        self.calls += 1;
        let index = sink.tool_start(&id, &name).map_err(|e| Wrong::new(e.message()))?;
        if own.is_none() {
            sink.tool_meta(index, self.api.name(), Meta::FORM, json!({"made_id": true}));
        }
        sink.tool_arguments(index, &text.unwrap_or_default());
        sink.tool_end(index);
        Ok(())
    }
}

/// Tells an image, if it is one.
fn tell_image(json: &RawValue, sink: &mut Sink) {
    if let Some(bytes) = string_of(json).and_then(|text| from_base64(&text).ok()) {
        let mime = image_mime(&bytes).map(str::to_owned);
        sink.part(Part::image(Media { source: Source::Bytes(bytes), mime }));
    }
}

/// Writes a call.
pub(super) fn write_call(api: Api, part: &Part, call: &ToolCall, path: String, out: &mut List, losses: &mut Losses) {
    let mut arguments = Cow::Borrowed(object_text(&call.arguments).unwrap_or_default());
    if arguments.is_empty() {
        losses.lose(Feature::Tools, path, "arguments that are not a JSON object became {}");
        arguments = "{}".into();
    } else if arguments.contains(['\n', '\r']) {
        // They can only stand between tokens. A whole answer says what a stream would.
        losses.lose(Feature::Tools, path, "a streamed answer is lines: line ends in arguments became spaces");
        arguments = arguments.replace(['\n', '\r'], " ").into();
    }
    let is_made = part.meta.form(api.name(), "made_id").is_some();
    out.object(|to| {
        to.some("id", Some(&call.id).filter(|id| !is_made && !id.is_empty()));
        to.object("function", |to| {
            to.field("name", &call.name).raw("arguments", &*arguments);
        });
    });
}

/// What we answer.
pub(super) fn respond(api: Api, response: &ChatResponse) -> Responded {
    let (mut losses, mut said, mut calls) = (Losses::default(), Said::default(), List::default());
    for (at, part) in response.parts.iter().enumerate() {
        let path = format!("parts[{at}]");
        match &part.content {
            Content::ToolCall(call) if api == Api::Chat => write_call(api, part, call, path, &mut calls, &mut losses),
            _ => {
                if !calls.is_empty() {
                    losses.order(&*path, "calls stand behind all else in this dialect");
                }
                said.say(path, true, part, &mut losses);
            }
        }
    }
    let mut out = Vec::new();
    let mut body = Object::new(&mut out);
    write_start(api, &mut body, &response.model, Some(response));
    if api == Api::Generate {
        said.write(&mut body, "response");
    } else {
        body.object("message", |to| {
            to.field("role", "assistant");
            said.write(to, "content");
            to.list("tool_calls", &calls);
        });
    }
    write_end(api, &mut body, response, &mut losses);
    body.end();
    Responded { headers: HeaderMap::new(), body: out.into(), losses: losses.0 }
}
