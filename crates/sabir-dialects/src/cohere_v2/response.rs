//! Whole answers: read from the provider, written to a client.

use http::HeaderMap;
use sabir_core::chat::{ChatResponse, Content, Finish, Meta};
use sabir_core::dialect::{Answer, Responded};
use sabir_core::{Error, ErrorKind, Result, Sink};
use serde_json::value::RawValue;

use super::NAME;
use super::part::{Said, Speaker};
use super::wire::{plan_part, read_citation};
use crate::cohere::{BESIDE_TOKENS, failure, finish_word, inside, read_usage, write_usage};
use crate::json::{Fields, Object, Wrong, string_of, value_of};
use crate::shared::Losses;

/// What was answered.
pub(super) fn decode(answer: Answer<'_>) -> Result<ChatResponse> {
    let Answer { status, headers, body } = answer;
    if !status.is_success() {
        return Err(failure(status, headers, body));
    }
    let mut fields = Fields::of_answer(body)?;
    if !fields.peek("message").is_some_and(|message| message.get().starts_with('{')) {
        let nothing = || Error::new(ErrorKind::Decode, "the answer has neither a message nor an error");
        return Err(inside(body).unwrap_or_else(nothing));
    }
    let mut sink = Sink::whole();
    let told = tell(&mut fields, &mut sink).and_then(|()| {
        fields.take("message");
        for (key, value) in fields.rest()? {
            sink.response_mut().meta.set(NAME, key, value);
        }
        Ok(())
    });
    told.map_err(|e| e.unreadable())?;
    Ok(sink.into_response())
}

fn tell(fields: &mut Fields<'_>, sink: &mut Sink) -> Result<(), Wrong> {
    sink.identify(fields.text("id")?.as_deref(), None);
    if let Some(message) = fields.object("message")? {
        tell_message(message, sink)?;
    }
    if let Some(reason) = fields.text("finish_reason")? {
        sink.finish(Finish::from_raw(&reason));
    }
    if let Some(usage) = fields.object("usage")? {
        let usage = read_usage(NAME, usage, &mut sink.response_mut().meta)?;
        sink.usage(usage);
    }
    Ok(())
}

fn tell_message(mut message: Fields<'_>, sink: &mut Sink) -> Result<(), Wrong> {
    for block in message.list("content")? {
        let meta = tell_block(block, sink)?;
        sink.part_end(None, meta);
    }
    if let Some(plan) = message.text("tool_plan")?.filter(|plan| !plan.is_empty()) {
        sink.part(plan_part(&plan));
    }
    for call in message.objects("tool_calls")? {
        let index = start_call(call, sink)?;
        sink.tool_end(index);
    }
    for citation in message.list("citations")? {
        sink.part(read_citation(citation)?);
    }
    Ok(())
}

/// A block of the content, or the beginning of one. What else it says of itself is returned.
pub(super) fn tell_block(json: &RawValue, sink: &mut Sink) -> Result<Meta, Wrong> {
    if let Some(text) = string_of(json) {
        sink.text(&text);
        return Ok(Meta::default());
    }
    let mut block = Fields::read(json, false)?;
    if block.text("type")?.is_some_and(|kind| kind != "text" && kind != "thinking") {
        let (dialect, json) = (NAME.to_owned(), value_of(json)?);
        sink.part(Content::Opaque { dialect, json }.into());
        return Ok(Meta::default());
    }
    sink.reasoning(&block.text("thinking")?.unwrap_or_default());
    sink.text(&block.text("text")?.unwrap_or_default());
    block.meta(NAME)
}

/// A call that begins, with the arguments that are there already. Returns its number.
pub(super) fn start_call(mut call: Fields<'_>, sink: &mut Sink) -> Result<usize, Wrong> {
    let id = call.text("id")?.unwrap_or_default();
    let mut function = call.object("function")?;
    let (mut name, mut arguments) = (None, None);
    if let Some(function) = &mut function {
        (name, arguments) = (function.text("name")?, function.text("arguments")?);
    }
    let index = sink.tool_start(&id, &name.unwrap_or_default()).map_err(|e| Wrong::new(e.message()))?;
    sink.tool_arguments(index, &arguments.unwrap_or_default());
    Ok(index)
}

/// What we answer.
pub(super) fn respond(response: &ChatResponse) -> Responded {
    let (mut losses, mut said, mut out) = (Losses::default(), Said::default(), Vec::new());
    for (at, part) in response.parts.iter().enumerate() {
        said.say(Speaker::Assistant, format!("parts[{at}]"), part, &mut losses);
    }
    let mut body = Object::new(&mut out);
    body.field("id", &response.id);
    body.object("message", |message| {
        message.field("role", "assistant").list("content", &said.content);
        said.write_rest(message);
    });
    body.field("finish_reason", finish_word(&response.finish, "TOOL_CALL", &mut losses));
    losses.usage(&response.usage, &["cache_read", "reasoning"]);
    write_usage(&mut body, "usage", &response.usage, Some(&response.meta), NAME);
    let written = ["tokens", "id", "message", "finish_reason", "usage"];
    body.meta(response.meta.of(NAME), &[&written, BESIDE_TOKENS].concat());
    body.end();
    Responded { headers: HeaderMap::new(), body: out.into(), losses: losses.0 }
}
