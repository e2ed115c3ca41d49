//! Answers as a server writes them, in chunks.

use sabir_core::chat::{ChatRequest, Event};
use sabir_core::dialect::Encoder;
use sabir_core::{Error, Loss};

use super::NAME;
use super::response::{NAMES, finish_of, lose_prompts, text_of, usage, words};
use crate::openai_answer::{Chunks, write_error};
use crate::shared::Losses;

/// Writes chunks.
#[derive(Debug)]
pub(super) struct ChunkEncoder {
    chunks: Chunks,
    losses: Losses,
}

impl ChunkEncoder {
    pub(super) fn new(request: &ChatRequest) -> Self {
        let mut losses = Losses::default();
        lose_prompts(request, &mut losses);
        Self { chunks: Chunks::new(request, NAME), losses }
    }

    fn text(&self, text: &str, out: &mut Vec<u8>) {
        self.chunks.choice(out, |choice| {
            choice.field("text", text).field("index", &0).raw("logprobs", "null").raw("finish_reason", "null");
        });
    }
}

impl Encoder for ChunkEncoder {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        self.chunks.heed(event, &NAMES);
        match event {
            Event::Text(text) => self.text(text, out),
            Event::Part(part) if !words(part).is_empty() => self.text(words(part), out),
            Event::Done(response) => {
                text_of(&response.parts, &mut self.losses);
                let reason = finish_of(response, &mut self.losses);
                self.chunks.choice(out, |choice| {
                    choice.field("text", "").field("index", &0);
                    choice.field("logprobs", &response.meta.get(NAME, "logprobs")).field("finish_reason", reason);
                });
                self.chunks.end(usage(self.chunks.used(response), &mut self.losses), out);
            }
            _ => {}
        }
    }

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        write_error(error, out);
    }

    fn losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.losses.0)
    }
}
