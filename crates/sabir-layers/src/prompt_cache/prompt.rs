use std::fmt;

use sabir_core::chat::{ChatRequest, Content, FunctionTool, Message, Part, Tool};
use serde::Serialize;

/// Where a prompt first differs from the one before it, other than by having grown at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// How many bytes are the same, of the prompt as it is compared: its model, tools, settings and messages as JSON, one
    /// after the other.
    pub offset: usize,
    /// What differs: `model`, `tools[2]`, `tool_choice`, `messages[3]` (its role or name), `messages[3].parts[0]`.
    pub path: String,
}

/// One line, without a word of the prompt.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the prompt changes at {}, after {} bytes: no cache finds what follows", self.path, self.offset)
    }
}

/// A prompt as bytes, and what each stretch of them is.
#[derive(Default)]
pub(super) struct Prompt {
    bytes: Vec<u8>,
    /// What it is, and where it ends.
    pieces: Vec<(Piece, usize)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    Field(&'static str),
    Tool(usize),
    Message(usize),
    Part(usize, usize),
}

impl Prompt {
    pub(super) fn of(request: &ChatRequest) -> Self {
        let mut prompt = Self::default();
        prompt.push(Piece::Field("model"), &request.model);
        for (at, tool) in request.tools.iter().enumerate() {
            match tool {
                Tool::Function(function) if function.cache.is_some() => {
                    prompt.push(Piece::Tool(at), &Tool::Function(FunctionTool { cache: None, ..function.clone() }));
                }
                tool => prompt.push(Piece::Tool(at), tool),
            }
        }
        prompt.push(Piece::Field("tool_choice"), &request.tool_choice);
        prompt.push(Piece::Field("response_format"), &request.response_format);
        prompt.push(Piece::Field("reasoning"), &request.reasoning);
        for (at, message) in request.messages.iter().enumerate() {
            let Message { role, name, meta, parts } = message;
            prompt.push(Piece::Message(at), &(role, name, meta));
            for (number, part) in parts.iter().enumerate() {
                prompt.push(Piece::Part(at, number), &unmarked(part));
            }
        }
        prompt
    }

    fn push(&mut self, piece: Piece, value: &impl Serialize) {
        // Writing to memory does not fail; what has no JSON is compared as far as it came.
        let _ = serde_json::to_writer(&mut self.bytes, value);
        self.pieces.push((piece, self.bytes.len()));
    }

    pub(super) fn size(&self) -> usize {
        self.bytes.len() + self.pieces.len() * size_of::<(Piece, usize)>()
    }

    pub(super) fn first_change(&self, after: &Self) -> Option<Change> {
        let mut start = 0;
        for (at, (piece, end)) in self.pieces.iter().enumerate() {
            let mine = &self.bytes[start..*end];
            // Up to here both are the same, so they begin at the same place.
            let theirs = match after.pieces.get(at) {
                Some((other, end)) if other == piece => &after.bytes[start..*end],
                _ => &[],
            };
            if mine != theirs {
                let same = mine.iter().zip(theirs).take_while(|(mine, theirs)| mine == theirs).count();
                return Some(Change { offset: start + same, path: piece.to_string() });
            }
            start = *end;
        }
        None
    }
}

/// The part without marks.
fn unmarked(part: &Part) -> Part {
    let mut part = part.clone();
    part.cache = None;
    if let Content::ToolResult(result) = &mut part.content {
        result.parts = result.parts.iter().map(unmarked).collect();
    }
    part
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => f.write_str(name),
            Self::Tool(at) => write!(f, "tools[{at}]"),
            Self::Message(at) => write!(f, "messages[{at}]"),
            Self::Part(at, number) => write!(f, "messages[{at}].parts[{number}]"),
        }
    }
}

/// Never a prompt.
impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prompt").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}
