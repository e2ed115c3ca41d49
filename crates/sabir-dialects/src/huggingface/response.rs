//! Whole answers: read from the provider, written to a client.

use http::HeaderMap;
use sabir_core::chat::{ChatRequest, ChatResponse};
use sabir_core::dialect::{Answer, Responded, unreadable};
use sabir_core::drive::client::decode_whole;
use sabir_core::{Error, ErrorKind, Feature, Loss, Result, Sink};
use serde_json::value::RawValue;

use super::wire::{tell_details, write_details};
use super::{NAME, TextGeneration, error};
use crate::json::{Fields, Object, Wrong, count_of};
use crate::shared::Losses;
use crate::texts::Texts;

/// What was answered.
pub(super) fn decode(answer: Answer<'_>) -> Result<ChatResponse> {
    let Answer { status, headers, body } = answer;
    if !status.is_success() {
        return Err(error::decode(status, headers, body));
    }
    let body = body.trim_ascii();
    if body.is_empty() {
        return Err(Error::new(ErrorKind::Decode, "the answer is empty"));
    }
    if body.starts_with(b"data:") {
        // A stream that calls itself JSON.
        return decode_whole(&TextGeneration, status, &HeaderMap::new(), body, true);
    }
    let mut json: &RawValue = serde_json::from_slice(body).map_err(|e| unreadable("the answer", &e))?;
    let mut sink = Sink::whole();
    // A list, or a list of lists for a list of prompts: the first is the answer.
    for _ in 0..2 {
        let Ok(list) = serde_json::from_str::<Vec<&RawValue>>(json.get()) else {
            break;
        };
        if list.len() > 1 {
            sink.loss(Loss::new(Feature::Choices, "", format!("{} more answers are left out", list.len() - 1)));
        }
        json = *list.first().ok_or_else(|| Wrong::new("the list: is empty").unreadable())?;
    }
    let mut fields = Fields::read(json, false).map_err(|e| e.within("the answer").unreadable())?;
    if fields.peek("generated_text").is_none() {
        let nothing = || Error::new(ErrorKind::Decode, "the answer has neither a text nor an error");
        return Err(error::inside(json.get().as_bytes()).unwrap_or_else(nothing));
    }
    count(headers, &mut sink);
    tell(&mut fields, &mut sink).and_then(|()| keep(fields, &mut sink)).map_err(|e| e.unreadable())?;
    Ok(sink.into_response())
}

/// The counters in the headers of Text Generation Inference.
fn count(headers: &HeaderMap, sink: &mut Sink) {
    let number = |name: &str| headers.get(name).and_then(|value| count_of(value.to_str().ok()?));
    let mut usage = sink.response().usage.clone();
    (usage.input, usage.output) = (number("x-prompt-tokens"), number("x-generated-tokens"));
    sink.usage(usage);
}

fn tell(fields: &mut Fields<'_>, sink: &mut Sink) -> Result<(), Wrong> {
    sink.text(&fields.need("generated_text")?);
    match fields.object("details")? {
        Some(details) => tell_details(details, sink),
        None => Ok(()),
    }
}

fn keep(fields: Fields<'_>, sink: &mut Sink) -> Result<(), Wrong> {
    for (key, value) in fields.rest()? {
        sink.response_mut().meta.set(NAME, key, value);
    }
    Ok(())
}

/// What we answer: a list with one answer in it, or that alone where the client posted to `/generate`.
pub(super) fn respond(response: &ChatResponse, request: &ChatRequest) -> Responded {
    let (mut out, mut losses) = (Vec::new(), Losses::default());
    let is_alone = request.options.get(NAME, "route").is_some_and(|route| route == "generate");
    if !is_alone {
        out.push(b'[');
    }
    let mut body = Object::new(&mut out);
    body.field("generated_text", &text_of(response, &mut losses));
    write_details(&mut body, response, true, &mut losses);
    body.meta(response.meta.of(NAME), &["generated_text", "details"]);
    body.end();
    if !is_alone {
        out.push(b']');
    }
    Responded { headers: HeaderMap::new(), body: out.into(), losses: losses.0 }
}

/// All words of an answer.
pub(super) fn text_of(response: &ChatResponse, losses: &mut Losses) -> String {
    let mut texts = Texts::default();
    for (at, part) in response.parts.iter().enumerate() {
        let path = format!("parts[{at}]");
        let Some(words) = losses.words(path.clone(), &part.content) else { continue };
        texts.add(path, "", words, losses);
    }
    texts.text
}
