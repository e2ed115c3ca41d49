//! Streamed answers, read as a client: events up to the one that ends the response.

use sabir_core::dialect::{Decoder, truncated, unreadable};
use sabir_core::frame::Frame;
use sabir_core::{Error, ErrorKind, Result, Sink};
use serde_json::Value;
use serde_json::value::RawValue;

use super::error;
use super::response::{conclude, identify, silent};
use super::tell::{Kind, Teller};
use crate::json::{Fields, parsed};
use crate::lenient::{Count, Text, lenient_objects};

lenient_objects! {
    /// One event, of any kind.
    Event {
        #[serde(rename = "type")]
        kind: Text<'a>,
        delta: Text<'a>,
        output_index: Count,
        content_index: Count,
        summary_index: Count,
        item: Option<&'a RawValue>,
        part: Option<&'a RawValue>,
        annotation: Option<&'a RawValue>,
        response: Option<&'a RawValue>,
        error: Option<&'a RawValue>,
    }
}

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
        match data.first() {
            None => return Ok(()),
            // Not this dialect's end: where it comes, it comes after that.
            Some(_) if data == b"[DONE]" => return Err(truncated()),
            Some(b'{') => {}
            Some(_) if frame.event == "error" => return Err(told(data)),
            Some(b'<') => return Err(Error::new(ErrorKind::Decode, "the answer is a page")),
            Some(_) => return Err(Error::new(ErrorKind::Decode, "the answer is no event of this dialect")),
        }
        let event: Event<'_> = serde_json::from_slice(data).map_err(|e| unreadable("an event of the answer", &e))?;
        let kind = if event.kind.is_empty() { frame.event } else { &event.kind };
        let at = event.output_index.0.unwrap_or(self.latest);
        let number = event.summary_index.0.or(event.content_index.0).unwrap_or(0);
        let response = || event.response.and_then(|raw| Fields::read(raw, false).ok());
        match kind {
            "response.output_text.delta" => self.teller.delta(at, Kind::Text, number, &event.delta, sink),
            "response.reasoning_summary_text.delta" => self.teller.delta(at, Kind::Summary, number, &event.delta, sink),
            "response.reasoning_text.delta" => self.teller.delta(at, Kind::Thought, number, &event.delta, sink),
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.teller.arguments(at, &event.delta, sink);
            }
            "response.output_text.annotation.added" => {
                self.teller.annotations(at).extend(event.annotation.and_then(parsed));
            }
            "response.content_part.done" => {
                let annotations = |mut part: Value| part.get_mut("annotations").map(Value::take);
                if let Some(Value::Array(all)) = event.part.and_then(parsed).and_then(annotations)
                    && !all.is_empty()
                {
                    *self.teller.annotations(at) = all;
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
                if let Some(mut fields) = response() {
                    identify(&mut fields, sink);
                }
            }
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                let nothing = || Error::new(ErrorKind::Decode, "the answer's last event is without its response");
                let status = kind.strip_prefix("response.").unwrap_or(kind);
                conclude(response().ok_or_else(nothing)?, status, &mut self.teller, sink)?;
                sink.end();
            }
            "error" => return Err(told(data)),
            _ if event.error.is_some() => return Err(told(data)),
            "" => return error::instead(data).map_or(Ok(()), Err),
            // What happens inside the provider's own tools, and what later versions tell: its item has it whole.
            _ => {}
        }
        Ok(())
    }
}

/// The error that an event is.
fn told(data: &[u8]) -> Error {
    error::instead(data).unwrap_or_else(silent)
}
