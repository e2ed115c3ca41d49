//! Streamed answers, one line of JSON after the other: read from the provider, written to a client.

use sabir_core::chat::{ChatResponse, Content, Event, Part};
use sabir_core::dialect::{Decoder, Encoder};
use sabir_core::frame::Frame;
use sabir_core::{Error, ErrorKind, Feature, Loss, Result, Sink};

use super::response::{Teller, write_call};
use super::said::Said;
use super::wire::{Line, write_end, write_start};
use super::{Api, error};
use crate::json::{Fields, List, Object};
use crate::lines;
use crate::shared::Complaint;
use crate::telling::Telling;

/// Reads lines up to the one that is `done`.
#[derive(Debug)]
pub(super) struct LineDecoder {
    teller: Teller,
}

impl LineDecoder {
    pub(super) fn new(api: Api) -> Self {
        Self { teller: Teller::new(api) }
    }
}

impl Decoder for LineDecoder {
    fn frame(&mut self, frame: Frame<'_>, sink: &mut Sink) -> Result<()> {
        let Some(data) = lines::json_of(&frame) else { return Ok(()) };
        if let Ok(line) = serde_json::from_slice::<Line<'_>>(data)
            && line.is_frequent()
        {
            sink.identify(None, line.model.as_ref().map(|model| &*model.0));
            let message = line.message.as_ref();
            let thought = message.and_then(|message| message.thinking.as_ref()).or(line.thinking.as_ref());
            if let Some(thought) = thought {
                sink.reasoning(&thought.0);
            }
            let text = message.and_then(|message| message.content.as_ref()).or(line.response.as_ref());
            if let Some(text) = text {
                sink.text(&text.0);
            }
            return Ok(());
        }
        let fields = Fields::of_answer(data)?;
        if fields.peek("error").is_some() {
            let nothing = || Error::new(ErrorKind::Provider, "an error without words");
            return Err(Complaint::read(data).map_or_else(nothing, Complaint::into_error));
        }
        if self.teller.line(fields, false, sink).map_err(|e| e.unreadable())? {
            sink.end();
        }
        Ok(())
    }
}

/// Writes lines.
#[derive(Debug)]
pub(super) struct LineEncoder {
    api: Api,
    model: String,
    telling: Telling,
}

impl LineEncoder {
    pub(super) fn new(api: Api) -> Self {
        Self { api, model: String::new(), telling: Telling::default() }
    }

    /// Writes one line.
    fn line(&self, response: Option<&ChatResponse>, out: &mut Vec<u8>, fields: impl FnOnce(&mut Object<'_>)) {
        lines::write(out, |line| {
            write_start(self.api, line, &self.model, response);
            fields(line);
        });
    }

    /// Writes a line that has more of the message.
    fn message(&self, out: &mut Vec<u8>, text: &str, more: impl FnOnce(&mut Object<'_>)) {
        self.line(None, out, |line| {
            if self.api == Api::Generate {
                line.field("response", text);
                more(line);
            } else {
                line.object("message", |message| {
                    message.field("role", "assistant").field("content", text);
                    more(message);
                });
            }
            line.field("done", &false);
        });
    }

    fn text(&mut self, is_thought: bool, text: &str, out: &mut Vec<u8>) {
        self.telling.says(is_thought);
        self.message(out, if is_thought { "" } else { text }, |message| {
            message.some("thinking", Some(text).filter(|_| is_thought));
        });
    }

    fn part(&mut self, part: &Part, out: &mut Vec<u8>) {
        if matches!(part.content, Content::Refusal { .. }) {
            self.telling.says(false);
        }
        let path = self.telling.path();
        if let (Content::ToolCall(call), Api::Chat) = (&part.content, self.api) {
            let mut calls = List::default();
            write_call(self.api, part, call, path, &mut calls, &mut self.telling.losses);
            self.message(out, "", |message| {
                message.list("tool_calls", &calls);
            });
        } else {
            let mut said = Said::default();
            said.say(path, true, part, &mut self.telling.losses);
            self.line(None, out, |line| {
                if self.api == Api::Generate {
                    said.write(line, "response");
                } else {
                    line.object("message", |message| {
                        message.field("role", "assistant");
                        said.write(message, "content");
                    });
                }
                line.field("done", &false);
            });
        }
    }
}

impl Encoder for LineEncoder {
    fn content_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        self.telling.heed(event);
        match event {
            Event::Start { model, .. } => self.model.clone_from(model),
            Event::Text(text) => self.text(false, text, out),
            Event::Reasoning(text) => self.text(true, text, out),
            Event::PartEnd { signature, .. } => {
                if signature.is_some() {
                    self.telling.losses.signature(self.telling.path());
                }
            }
            // A call goes whole, at its end.
            Event::ToolStart { .. } | Event::ToolArguments { .. } | Event::Usage(_) => {}
            Event::ToolEnd { call, meta, .. } => {
                let mut part = Part::from(Content::ToolCall(call.clone()));
                part.meta = meta.clone();
                self.part(&part, out);
            }
            Event::Part(part) => self.part(part, out),
            Event::Done(response) => {
                if self.model.is_empty() {
                    self.model.clone_from(&response.model);
                }
                let mut losses = std::mem::take(&mut self.telling.losses);
                self.line(Some(response), out, |line| {
                    if self.api == Api::Generate {
                        line.field("response", "");
                    } else {
                        line.object("message", |message| {
                            message.field("role", "assistant").field("content", "");
                        });
                    }
                    write_end(self.api, line, response, &mut losses);
                });
                self.telling.losses = losses;
            }
            _ => self.telling.losses.lose(Feature::Streaming, "events", "an event that this dialect has not"),
        }
    }

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        error::write(error, 0, out);
        out.push(b'\n');
    }

    fn losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.telling.losses.0)
    }
}
