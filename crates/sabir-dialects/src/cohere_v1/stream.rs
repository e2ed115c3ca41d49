//! Streamed answers: read from the provider, written to a client.

use sabir_core::chat::{ChatResponse, Content, Event, Finish};
use sabir_core::dialect::{Decoder, Encoder};
use sabir_core::frame::Frame;
use sabir_core::{Error, Feature, Loss, Result, Sink};

use super::response::{Told, calls_and_citations, keep, own_citation, write_response};
use super::wire::{CallDelta, StreamEvent};
use crate::cohere::{code_of, finish_word, inside};
use crate::json::{Fields, Object, Wrong, count_of, object_text, value_of};
use crate::lines;
use crate::shared::Losses;

/// Reads events up to `stream-end`, which says everything again.
#[derive(Debug, Default)]
pub(super) struct LineDecoder {
    told: Told,
}

impl Decoder for LineDecoder {
    fn frame(&mut self, frame: Frame<'_>, sink: &mut Sink) -> Result<()> {
        let Some(data) = lines::json_of(&frame) else { return Ok(()) };
        if let Ok(event) = serde_json::from_slice::<StreamEvent<'_>>(data)
            && self.frequent(&event, sink).map_err(|e| e.unreadable())?
        {
            return Ok(());
        }
        let fields = Fields::of_answer(data)?;
        if frame.event == "error" || fields.peek("event_type").is_none() {
            return inside(data).map_or(Ok(()), Err);
        }
        let failed = self.rare(fields, data, sink).map_err(|e| e.unreadable())?;
        failed.map_or(Ok(()), Err)
    }
}

impl LineDecoder {
    /// Takes one of the frequent events in; `false` for any other.
    fn frequent(&mut self, event: &StreamEvent<'_>, sink: &mut Sink) -> Result<bool, Wrong> {
        let kind = event.event_type.as_ref().map(|kind| &*kind.0);
        if !matches!(kind, Some("text-generation" | "tool-calls-chunk")) {
            return Ok(false);
        }
        let beside = event.tool_call_delta.as_ref().and_then(|delta| delta.text.as_ref());
        for text in event.text.iter().chain(beside).filter(|text| !text.0.is_empty()) {
            self.told.text = true;
            sink.text(&text.0);
        }
        if let Some(delta) = &event.tool_call_delta {
            self.call_delta(delta, sink)?;
        }
        Ok(true)
    }

    fn call_delta(&mut self, delta: &CallDelta<'_>, sink: &mut Sink) -> Result<(), Wrong> {
        let theirs = delta.index.and_then(|index| count_of(index.get()));
        let call = match self.told.in_pieces(theirs, delta.name.is_some()) {
            None if delta.name.is_some() || delta.parameters.is_some() => {
                self.told.start(theirs, delta.name.as_ref().map_or("", |name| &name.0), sink)?;
                self.told.calls.last_mut()
            }
            call => call,
        };
        if let (Some(call), Some(parameters)) = (call, &delta.parameters) {
            call.has_begun |= !parameters.0.is_empty();
            sink.tool_arguments(call.index, &parameters.0);
        }
        Ok(())
    }

    /// Any other event. An error that it tells of is returned.
    fn rare(&mut self, mut event: Fields<'_>, data: &[u8], sink: &mut Sink) -> Result<Option<Error>, Wrong> {
        match &*event.need("event_type")? {
            "stream-start" => sink.identify(event.text("generation_id")?.as_deref(), None),
            "search-queries-generation" | "search-results" => keep(event, sink)?,
            "citation-generation" => {
                for citation in event.list("citations")? {
                    self.told.citations.push(value_of(citation)?);
                }
            }
            "tool-calls-generation" => {
                if let Some(text) = event.text("text")?.filter(|text| !self.told.text && !text.is_empty()) {
                    self.told.text = true;
                    sink.text(&text);
                }
                self.told.whole_calls(event.objects("tool_calls")?, sink)?;
            }
            "stream-end" => {
                if let Some(failed) = inside(data) {
                    return Ok(Some(failed));
                }
                let reason = event.text("finish_reason")?;
                if let Some(response) = event.object("response")? {
                    self.told.whole(response, sink)?;
                }
                if let Some(reason) = reason {
                    sink.finish(Finish::from_raw(&reason));
                }
                self.told.end(sink);
                sink.end();
            }
            _ => {}
        }
        Ok(None)
    }
}

/// Writes events, one a line. What is lost is known at the end, from the whole answer.
#[derive(Debug, Default)]
pub(super) struct LineEncoder {
    started: bool,
    losses: Losses,
}

/// Writes one event as a line.
fn write_event(out: &mut Vec<u8>, kind: &str, data: impl FnOnce(&mut Object<'_>)) {
    lines::write(out, |event| {
        event.field("is_finished", &(kind == "stream-end")).field("event_type", kind);
        data(event);
    });
}

fn write_delta(out: &mut Vec<u8>, index: usize, field: &str, value: &str) {
    write_event(out, "tool-calls-chunk", |event| {
        event.object("tool_call_delta", |delta| {
            delta.field("index", &index).field(field, value);
        });
    });
}

impl LineEncoder {
    fn start(&mut self, id: &str, out: &mut Vec<u8>) {
        self.started = true;
        write_event(out, "stream-start", |event| {
            event.field("generation_id", id);
        });
    }

    /// Everything again, and whole.
    fn done(&mut self, response: &ChatResponse, out: &mut Vec<u8>) {
        let (calls, citations) = calls_and_citations(response, &mut Losses::default());
        if !calls.is_empty() {
            write_event(out, "tool-calls-generation", |event| {
                event.list("tool_calls", &calls);
            });
        }
        if !citations.is_empty() {
            write_event(out, "citation-generation", |event| {
                event.list("citations", &citations);
            });
        }
        write_event(out, "stream-end", |event| {
            event.field("finish_reason", finish_word(&response.finish, "COMPLETE", &mut Losses::default()));
            event.object("response", |whole| write_response(whole, response, &mut self.losses));
        });
        // The events told everything in its order.
        self.losses.0.retain(|loss| loss.feature != Feature::Order);
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    write_event(out, "text-generation", |event| {
        event.field("text", text);
    });
}

impl Encoder for LineEncoder {
    fn content_type(&self) -> &'static str {
        "application/stream+json"
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if !self.started && !matches!(event, Event::Start { .. }) {
            self.start(if let Event::Done(response) = event { &response.id } else { "" }, out);
        }
        match event {
            Event::Start { id, .. } => self.start(id, out),
            Event::Text(text) => write_text(out, text),
            Event::ToolStart { index, name, .. } => write_delta(out, *index, "name", name),
            // Whole: what is no object in the end must not have been told in pieces.
            Event::ToolEnd { index, call, .. } => {
                write_delta(out, *index, "parameters", object_text(&call.arguments).unwrap_or("{}"));
            }
            // Calls and citations are told with the whole answer.
            Event::Part(part) if !matches!(part.content, Content::ToolCall(_)) && own_citation(part).is_none() => {
                if let Some(words) = Losses::default().words(String::new(), &part.content) {
                    write_text(out, words);
                }
            }
            Event::Done(response) => self.done(response, out),
            _ => {}
        }
    }

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        if !self.started {
            self.start("", out);
        }
        write_event(out, "stream-end", |event| {
            event.field("finish_reason", "ERROR").field("message", error.message());
            event.some("error_type", code_of(error));
            event.raw("response", r#"{"text":"","finish_reason":"ERROR"}"#);
        });
    }

    fn losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.losses.0)
    }
}
