//! Streamed answers, read as a client: events up to the one that ends the response.

use sabir_core::dialect::{Decoder, truncated, unreadable};
use sabir_core::frame::Frame;
use sabir_core::{Error, ErrorKind, Result, Sink};
use serde_json::Value;
use serde_json::value::RawValue;

use super::response::conclude;
use super::tell::{Kind, Teller};
use super::{error, wire};

/// Reads events. Their names are in the data; `event:` lines say the same, where there are any.
#[derive(Debug, Default)]
pub(super) struct EventDecoder {
    teller: Teller,
    /// The item that began last, for events that do not say which they belong to.
    latest: u64,
}

impl Decoder for EventDecoder {
    fn frame(&mut self, frame: Frame<'_>, sink: &mut Sink) -> Result<()> {
        let data = frame.data.trim_ascii();
        if data.is_empty() {
            return Ok(());
        }
        if data == b"[DONE]" {
            // Not this dialect's end: where it comes, it comes after that.
            return Err(truncated());
        }
        if data[0] != b'{' {
            return Err(if frame.event == "error" { told(data) } else { no_object(data) });
        }
        let event: wire::Event<'_> =
            serde_json::from_slice(data).map_err(|e| unreadable("an event of the answer", &e))?;
        let kind = if event.kind.is_empty() { frame.event } else { &event.kind };
        let at = event.output_index.0.unwrap_or(self.latest);
        let number = event.content_index.0.or(event.summary_index.0).unwrap_or(0);
        match kind {
            "response.output_text.delta" => self.teller.delta(at, Kind::Text, number, &event.delta, sink),
            "response.reasoning_summary_text.delta" => {
                let number = event.summary_index.0.unwrap_or(0);
                self.teller.delta(at, Kind::Summary, number, &event.delta, sink);
            }
            "response.reasoning_text.delta" => self.teller.delta(at, Kind::Thought, number, &event.delta, sink),
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.teller.arguments(at, &event.delta, sink);
            }
            "response.output_text.annotation.added" => {
                if let Some(json) = event.annotation.and_then(parsed) {
                    self.teller.annotation(at, json);
                }
            }
            "response.content_part.done" => {
                if let Some(part) = event.part.and_then(parsed) {
                    self.teller.annotations(at, &part);
                }
            }
            "response.output_item.added" => {
                self.latest = at;
                if let Some(json) = event.item.and_then(parsed) {
                    self.teller.added(at, &json, sink)?;
                }
            }
            "response.output_item.done" => {
                if let Some(json) = event.item.and_then(parsed) {
                    self.teller.item(at, json, sink)?;
                }
            }
            "response.created" | "response.in_progress" | "response.queued" => {
                if let Some(fields) = event.response.and_then(fields) {
                    sink.identify(Some(&fields.text("id")), Some(&fields.text("model")));
                }
            }
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                let fields = event.response.and_then(fields);
                let fields = fields.ok_or_else(|| no_object(b"a last event without its response"))?;
                let status = kind.strip_prefix("response.").unwrap_or(kind);
                conclude(&fields, status, &mut self.teller, sink)?;
                sink.end();
            }
            "error" => return Err(told(data)),
            _ if event.error.is_some() => return Err(told(data)),
            "" => {
                if let Some(error) = serde_json::from_slice(data).ok().and_then(|json| error::inside(&json)) {
                    return Err(error);
                }
            }
            // What happens inside the provider's own tools, and what later versions tell: its item has it whole.
            _ => {}
        }
        Ok(())
    }
}

/// The error that an event is.
fn told(data: &[u8]) -> Error {
    let silent = || Error::new(ErrorKind::Provider, "the answer failed, and its provider does not say why");
    serde_json::from_slice(data).ok().and_then(|json| error::inside(&json)).unwrap_or_else(silent)
}

fn no_object(data: &[u8]) -> Error {
    let what = if data.starts_with(b"<") { "a page" } else { "no event of this dialect" };
    Error::new(ErrorKind::Decode, format!("the answer is {what}"))
}

fn fields(raw: &RawValue) -> Option<wire::Answer<'_>> {
    serde_json::from_str(raw.get()).ok()
}

fn parsed(raw: &RawValue) -> Option<Value> {
    serde_json::from_str(raw.get()).ok()
}
