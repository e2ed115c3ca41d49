//! Streamed answers: read from the provider, written to a client.

use sabir_core::chat::{ChatResponse, Event};
use sabir_core::dialect::{Decoder, Encoder};
use sabir_core::frame::Frame;
use sabir_core::{Error, Feature, Loss, Result, Sink};

use super::error;
use super::response::text_of;
use super::wire::{TokenEvent, tell_details, write_details};
use crate::json::{Fields, Object, Text, Wrong};
use crate::shared::Losses;

/// Reads tokens up to the event that has the whole text.
#[derive(Debug)]
pub(super) struct TokenDecoder;

impl Decoder for TokenDecoder {
    fn frame(&mut self, frame: Frame<'_>, sink: &mut Sink) -> Result<()> {
        let data = frame.data.trim_ascii();
        if data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        let event = match serde_json::from_slice::<TokenEvent<'_>>(data) {
            Ok(event) => event,
            // An object in another shape may still be an error.
            Err(e) => {
                return Err(error::inside(data).unwrap_or_else(|| sabir_core::dialect::unreadable("an event", &e)));
            }
        };
        if event.error.is_some() || frame.event == "error" {
            let nothing = || Error::new(sabir_core::ErrorKind::Provider, "an error without words");
            return Err(error::inside(data).unwrap_or_else(nothing));
        }
        if let Some(token) = event.token.filter(|token| token.special != Some(true)) {
            sink.text(&token.text.unwrap_or(Text("".into())).0);
        }
        if event.generated_text.is_some() || event.details.is_some() {
            let told = last(event.generated_text.map(|text| text.0.into_owned()), event.details, sink);
            told.map_err(|e| e.unreadable())?;
            sink.end();
        }
        Ok(())
    }
}

/// The last event repeats the text: trimmed, with the prompt before it, or with what came in no token.
fn last(text: Option<String>, details: Option<&serde_json::value::RawValue>, sink: &mut Sink) -> Result<(), Wrong> {
    if let Some(text) = text {
        let told = sink.response().text();
        if let Some(rest) = text.strip_prefix(&told) {
            sink.text(rest);
        } else if text.trim() != told.trim() {
            let note = "the text that the last event repeats is not that of the tokens; left out";
            sink.loss(Loss::new(Feature::Opaque, "generated_text", note));
        }
    }
    if let Some(details) = details.and_then(|details| Fields::read(details, false).ok()) {
        tell_details(details, sink)?;
    }
    Ok(())
}

/// Writes tokens: one for each piece of text, as we do not know the model's.
#[derive(Debug, Default)]
pub(super) struct TokenEncoder {
    tokens: usize,
    losses: Losses,
}

impl TokenEncoder {
    fn token(&mut self, text: &str, last: Option<&ChatResponse>, out: &mut Vec<u8>) {
        self.tokens += 1;
        out.extend_from_slice(b"data:");
        let mut event = Object::new(out);
        event.field("index", &self.tokens);
        event.object("token", |token| {
            token.field("id", &0).field("text", text).raw("logprob", "null").field("special", &last.is_some());
        });
        if let Some(response) = last {
            event.field("generated_text", &text_of(response, &mut self.losses));
            write_details(&mut event, response, false, &mut self.losses);
        } else {
            event.raw("generated_text", "null").raw("details", "null");
        }
        event.end();
        out.extend_from_slice(b"\n\n");
    }
}

impl Encoder for TokenEncoder {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Text(text) => self.token(text, None, out),
            Event::Part(part) => {
                if let Some(words) = Losses::default().words(String::new(), &part.content) {
                    self.token(words, None, out);
                }
            }
            Event::Done(response) => self.token("", Some(response), out),
            // Everything else is said to be lost at the end, when the whole answer is known.
            _ => {}
        }
    }

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data:");
        error::write(error, out);
        out.extend_from_slice(b"\n\n");
    }

    fn losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.losses.0)
    }
}
