//! Streamed answers, written block by block: which block is open, what its number is, and when it ends.

use std::fmt::Debug;

use sabir_core::chat::{ChatRequest, ChatResponse, Content, Event, Meta, Part, Reasoning, ToolCall};
use sabir_core::dialect::Encoder;
use sabir_core::{Error, Loss};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Place;
use crate::json::{Object, write_json};
use crate::places::Places;
use crate::shared::Losses;

/// The names of a dialect's events, of their fields, and what stands around what they bring.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) start: &'static str,
    pub(crate) delta: &'static str,
    pub(crate) stop: &'static str,
    /// The field for a block's number.
    pub(crate) number: &'static str,
    /// The field for what a block starts with.
    pub(crate) block: &'static str,
    pub(crate) text: Grown,
    pub(crate) thought: Grown,
    pub(crate) signature: Around,
    pub(crate) citation: Around,
    /// More of a call's arguments.
    pub(crate) input: Around,
}

/// A block that grows: how it starts, where it does not begin with its first delta, and its deltas.
#[derive(Debug)]
pub(crate) struct Grown(pub(crate) Option<&'static str>, pub(crate) Around);

/// The JSON text before and after the value of a delta.
#[derive(Debug)]
pub(crate) struct Around(pub(crate) &'static str, pub(crate) &'static str);

impl Around {
    /// A delta of this value.
    pub(crate) fn delta<T: Serialize + ?Sized>(&self, value: &T) -> Vec<u8> {
        let mut delta = Vec::new();
        self.write(value, &mut delta);
        delta
    }

    fn write<T: Serialize + ?Sized>(&self, value: &T, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.as_bytes());
        write_json(out, value);
        out.extend_from_slice(self.1.as_bytes());
    }
}

/// A block that came whole, in the pieces in which it would have come: each is JSON text.
#[derive(Debug)]
pub(crate) struct Pieces {
    /// How it starts; `None` where a block begins with its first delta.
    pub(crate) start: Option<Vec<u8>>,
    pub(crate) deltas: Vec<Vec<u8>>,
}

/// How a dialect writes what a stream of blocks is made of.
pub(crate) trait BlockEvents: Debug + Default + Send {
    /// The dialect.
    const DIALECT: &'static str;
    /// Of a stream.
    const CONTENT_TYPE: &'static str;
    const NAMES: Names;
    /// A call of which all is said ends where another block begins. Elsewhere calls may overlap.
    const ONE_AT_A_TIME: bool;
    /// The words of a thought that is sealed are told, in a block before the sealed one.
    const TELLS_WORDS_OF_SEALED: bool;

    /// Writes an event as the stream frames it.
    fn frame(&mut self, name: &str, out: &mut Vec<u8>, data: impl FnOnce(&mut Object<'_>));
    /// Writes what must stand before an event: the head of the answer, which is written once.
    fn announce(&mut self, event: &Event, out: &mut Vec<u8>);
    /// A text or thought is complete, or a call. Too late for what stands at its start.
    fn complete(&mut self, call: Option<&ToolCall>, meta: &Meta, place: Place);
    /// A citation as it is told; `None` where it cannot be, which is noted. `cites`: a text stands before it.
    fn citation(&mut self, part: &Part, cites: bool, place: Place) -> Option<Value>;
    /// Any other part in pieces. What cannot be told is noted.
    fn pieces(&mut self, part: &Part, place: Place) -> Vec<Pieces>;
    /// Writes the end of the answer.
    fn done(&mut self, response: &ChatResponse, out: &mut Vec<u8>);
    fn error(&mut self, error: &Error, out: &mut Vec<u8>);
    fn losses(&self) -> &Losses;
}

/// Writes one streamed answer.
#[derive(Debug, Default)]
pub(crate) struct BlockEncoder<D> {
    dialect: D,
    blocks: usize,
    /// The text or thought that is open, by its block's number.
    open: Option<(usize, Kind)>,
    /// The open text is complete but for its citations.
    ended: bool,
    /// The calls that are open.
    calls: Vec<Call>,
    place: Place,
    places: Places,
}

/// What may be open and grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Thought,
}

#[derive(Debug)]
struct Call {
    number: usize,
    block: usize,
    arguments: String,
}

impl<D: BlockEvents> Encoder for BlockEncoder<D> {
    fn content_type(&self) -> &'static str {
        D::CONTENT_TYPE
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        self.place.part = self.places.of(event);
        self.dialect.announce(event, out);
        if self.ended && !matches!(event, Event::Part(part) if is_of_open_text::<D>(part)) {
            self.close(out);
        }
        match event {
            Event::Text(text) => self.say(Kind::Text, &D::NAMES.text.1, text, out),
            Event::Reasoning(thought) => self.say(Kind::Thought, &D::NAMES.thought.1, thought, out),
            Event::PartEnd { signature, meta } => self.part_end(signature.as_deref(), meta, out),
            Event::ToolStart { index, id, name } => {
                let call = self.dialect.pieces(&Part::tool_call(id, name, ""), self.place);
                if let Some(Pieces { start, .. }) = call.first() {
                    let block = self.begin(start.as_deref(), out);
                    self.calls.push(Call { number: *index, block, arguments: String::new() });
                }
            }
            Event::ToolArguments { index, fragment } => {
                if let Some(call) = self.calls.iter_mut().rfind(|call| call.number == *index) {
                    if D::ONE_AT_A_TIME {
                        call.arguments.push_str(fragment);
                    }
                    let block = call.block;
                    self.delta(block, out, |out| D::NAMES.input.write(fragment, out));
                }
            }
            Event::ToolEnd { index, call, meta } => {
                self.dialect.complete(Some(call), meta, self.place);
                self.stop_calls(|call| call.number == *index, out);
            }
            Event::Part(part) => self.part(part, out),
            Event::Done(response) => {
                self.close(out);
                self.stop_calls(|_| true, out);
                self.dialect.done(response, out);
            }
            _ => {}
        }
    }

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        self.dialect.error(error, out);
    }

    fn losses(&mut self) -> Vec<Loss> {
        self.dialect.losses().0.clone()
    }
}

/// Whether a part is a citation that belongs into the block of the text before it.
fn is_of_open_text<D: BlockEvents>(part: &Part) -> bool {
    matches!(part.content, Content::Citation(_)) && part.meta.form(D::DIALECT, "apart").is_none()
}

impl<D: BlockEvents> BlockEncoder<D> {
    pub(crate) fn new(_: &ChatRequest) -> Self {
        Self::default()
    }

    /// Begins a block, after everything that is known to be complete has ended. Returns its number.
    fn begin(&mut self, start: Option<&[u8]>, out: &mut Vec<u8>) -> usize {
        self.close(out);
        if D::ONE_AT_A_TIME {
            // Arguments that are whole cannot go on. Half ones may: their block stays open, told apart by its number.
            self.stop_calls(|call| serde_json::from_str::<&RawValue>(&call.arguments).is_ok(), out);
        }
        let block = self.blocks;
        self.blocks += 1;
        if let Some(start) = start {
            self.dialect.frame(D::NAMES.start, out, |event| {
                event.field(D::NAMES.number, &block).raw(D::NAMES.block, start);
            });
        }
        block
    }

    /// More of a text or a thought, in the block that is open or in a new one.
    fn say<T: Serialize + ?Sized>(&mut self, kind: Kind, delta: &Around, value: &T, out: &mut Vec<u8>) {
        let block = match (self.open, kind) {
            (Some((block, open)), _) if open == kind => block,
            (_, Kind::Text) => self.begin(D::NAMES.text.0.map(str::as_bytes), out),
            (_, Kind::Thought) => self.begin(D::NAMES.thought.0.map(str::as_bytes), out),
        };
        self.open = Some((block, kind));
        self.delta(block, out, |out| delta.write(value, out));
    }

    fn delta(&mut self, block: usize, out: &mut Vec<u8>, delta: impl FnOnce(&mut Vec<u8>)) {
        self.dialect.frame(D::NAMES.delta, out, |event| {
            event.field(D::NAMES.number, &block).write("delta", delta);
        });
    }

    fn stop(&mut self, block: usize, out: &mut Vec<u8>) {
        self.dialect.frame(D::NAMES.stop, out, |event| {
            event.field(D::NAMES.number, &block);
        });
    }

    /// Ends the open text or thought.
    fn close(&mut self, out: &mut Vec<u8>) {
        self.ended = false;
        if let Some((block, _)) = self.open.take() {
            self.stop(block, out);
        }
    }

    fn stop_calls(&mut self, which: impl Fn(&Call) -> bool, out: &mut Vec<u8>) {
        let stopped: Vec<Call> = self.calls.extract_if(.., |call| which(call)).collect();
        for call in &stopped {
            self.stop(call.block, out);
        }
    }

    fn part_end(&mut self, signature: Option<&str>, meta: &Meta, out: &mut Vec<u8>) {
        self.dialect.complete(None, meta, self.place);
        if let Some(signature) = signature {
            self.say(Kind::Thought, &D::NAMES.signature, signature, out);
        }
        match self.open {
            // Its citations may follow, and belong into the block.
            Some((_, Kind::Text)) => self.ended = true,
            _ => self.close(out),
        }
    }

    /// A part that came whole.
    fn part(&mut self, part: &Part, out: &mut Vec<u8>) {
        match &part.content {
            Content::Text { text } => {
                self.say(Kind::Text, &D::NAMES.text.1, text, out);
                self.part_end(None, &part.meta, out);
            }
            Content::Citation(_) => {
                if let Some(citation) = self.dialect.citation(part, self.ended, self.place) {
                    self.say(Kind::Text, &D::NAMES.citation, &citation, out);
                    self.ended = true;
                }
            }
            Content::Reasoning(thought) if thought.encrypted.is_none() => self.thought(thought, &part.meta, out),
            Content::Reasoning(thought) if D::TELLS_WORDS_OF_SEALED && !thought.text.is_empty() => {
                self.thought(thought, &part.meta, out);
                let sealed = Content::Reasoning(Reasoning { text: String::new(), ..thought.clone() });
                self.whole(&Part { content: sealed, ..part.clone() }, out);
            }
            _ => self.whole(part, out),
        }
    }

    fn thought(&mut self, thought: &Reasoning, meta: &Meta, out: &mut Vec<u8>) {
        self.say(Kind::Thought, &D::NAMES.thought.1, &thought.text, out);
        self.part_end(thought.signature.as_deref(), meta, out);
    }

    /// Writes a part as blocks of its own.
    fn whole(&mut self, part: &Part, out: &mut Vec<u8>) {
        for Pieces { start, deltas } in self.dialect.pieces(part, self.place) {
            let block = self.begin(start.as_deref(), out);
            for delta in &deltas {
                self.delta(block, out, |out| out.extend_from_slice(delta));
            }
            self.stop(block, out);
        }
    }
}
