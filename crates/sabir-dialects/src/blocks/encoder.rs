//! Streamed answers, written block by block: which block is open, what its number is, and when it ends.

use std::fmt::Debug;

use sabir_core::chat::{ChatResponse, Content, Event, Meta, Part, Reasoning, ToolCall};
use sabir_core::dialect::Encoder;
use sabir_core::{Error, Loss};
use serde_json::Value;
use serde_json::value::RawValue;

use super::Place;
use crate::places::Places;
use crate::shared::Losses;

/// What may be open and grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Thought,
}

/// More of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Delta<'d> {
    Text(&'d str),
    Citation(&'d Value),
    Thought(&'d str),
    Signature(&'d str),
    /// More of a call's arguments.
    Input(&'d str),
    /// A delta as JSON text.
    Json(&'d [u8]),
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
    const NAME: &'static str;
    /// Of a stream.
    const CONTENT_TYPE: &'static str;
    /// A call of which all is said ends where another block begins. Elsewhere calls may overlap.
    const ONE_AT_A_TIME: bool;
    /// The words of a thought that is sealed are told, in a block before the sealed one.
    const TELLS_WORDS_OF_SEALED: bool;

    /// Writes what must stand before an event: the head of the answer, which is written once.
    fn announce(&mut self, event: &Event, out: &mut Vec<u8>);
    /// How a text or a thought starts; `None` where a block begins with its first delta.
    fn start_of(kind: Kind) -> Option<&'static str>;
    fn start(&mut self, block: usize, start: &[u8], out: &mut Vec<u8>);
    fn delta(&mut self, block: usize, delta: Delta<'_>, out: &mut Vec<u8>);
    fn stop(&mut self, block: usize, out: &mut Vec<u8>);
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
            Event::Text(text) => self.say(Kind::Text, Delta::Text(text), out),
            Event::Reasoning(thought) => self.say(Kind::Thought, Delta::Thought(thought), out),
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
                    self.dialect.delta(call.block, Delta::Input(fragment), out);
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
    matches!(part.content, Content::Citation(_)) && part.meta.form(D::NAME, "apart").is_none()
}

impl<D: BlockEvents> BlockEncoder<D> {
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
            self.dialect.start(block, start, out);
        }
        block
    }

    /// More of a text or a thought, in the block that is open or in a new one.
    fn say(&mut self, kind: Kind, delta: Delta<'_>, out: &mut Vec<u8>) {
        let block = match self.open {
            Some((block, open)) if open == kind => block,
            _ => self.begin(D::start_of(kind).map(str::as_bytes), out),
        };
        self.open = Some((block, kind));
        self.dialect.delta(block, delta, out);
    }

    /// Ends the open text or thought.
    fn close(&mut self, out: &mut Vec<u8>) {
        self.ended = false;
        if let Some((block, _)) = self.open.take() {
            self.dialect.stop(block, out);
        }
    }

    fn stop_calls(&mut self, which: impl Fn(&Call) -> bool, out: &mut Vec<u8>) {
        for call in self.calls.extract_if(.., |call| which(call)) {
            self.dialect.stop(call.block, out);
        }
    }

    fn part_end(&mut self, signature: Option<&str>, meta: &Meta, out: &mut Vec<u8>) {
        self.dialect.complete(None, meta, self.place);
        if let Some(signature) = signature {
            self.say(Kind::Thought, Delta::Signature(signature), out);
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
                self.say(Kind::Text, Delta::Text(text), out);
                self.part_end(None, &part.meta, out);
            }
            Content::Citation(_) => {
                if let Some(citation) = self.dialect.citation(part, self.ended, self.place) {
                    self.say(Kind::Text, Delta::Citation(&citation), out);
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
        self.say(Kind::Thought, Delta::Thought(&thought.text), out);
        self.part_end(thought.signature.as_deref(), meta, out);
    }

    /// Writes a part as blocks of its own.
    fn whole(&mut self, part: &Part, out: &mut Vec<u8>) {
        for Pieces { start, deltas } in self.dialect.pieces(part, self.place) {
            let block = self.begin(start.as_deref(), out);
            for delta in &deltas {
                self.dialect.delta(block, Delta::Json(delta), out);
            }
            self.dialect.stop(block, out);
        }
    }
}
