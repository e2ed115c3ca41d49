use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sabir_core::chat::{ChatRequest, Content, FunctionTool, Message, Part, Tool};
use sabir_core::{Call, Layer, Reply, Request, Result, Service, Shared};
use serde::Serialize;

use crate::keep::Keep;

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

/// The first place at which `after` does not go on as `before` did; `None` where it only grew.
///
/// Compared is what providers' caches depend on, in their order: the model, the tools, the choice among them, the form
/// of the answer, how much to think, then the messages. Marks for the cache are no part of the prompt.
pub fn first_change(before: &ChatRequest, after: &ChatRequest) -> Option<Change> {
    Prompt::of(before).first_change(&Prompt::of(after))
}

/// For tests: that a prompt only grew from one turn to the next, so that the provider's cache finds all of it.
///
/// ```
/// use sabir_core::chat::ChatRequest;
/// use sabir_layers::prompt_cache::assert_prefix_stable;
///
/// let first = ChatRequest::new("m").system("Be brief.").user("Why is the sea salt?");
/// let second = first.clone().assistant("Rivers bring it.").user("Since when?");
/// assert_prefix_stable(&first, &second);
/// ```
///
/// # Panics
/// Where it changed; the message says where.
#[track_caller]
pub fn assert_prefix_stable(before: &ChatRequest, after: &ChatRequest) {
    if let Some(change) = first_change(before, after) {
        panic!("{change}");
    }
}

/// The layer that compares each request of a conversation with the one before it, and tells what changed. Requests pass
/// as they are. Clones share what is remembered.
#[derive(Clone)]
pub struct PrefixCheck {
    tag: String,
    told: Option<Arc<Told>>,
    /// The last prompt of each conversation, by tenant and name.
    last: Arc<Mutex<Keep<Id, Arc<Prompt>>>>,
}

type Id = (String, String);
type Told = dyn Fn(&str, &Change) + Send + Sync;

/// Bytes of prompts that are remembered.
const SIZE: usize = 16 << 20;

impl Default for PrefixCheck {
    fn default() -> Self {
        Self { tag: "conversation".into(), told: None, last: Arc::new(Mutex::new(Keep::new(SIZE, Duration::MAX))) }
    }
}

impl PrefixCheck {
    /// The tag of a call whose value names the conversation. Calls without it are not looked at.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = tag.into();
        self
    }

    /// Called with the conversation's name whenever its prompt changed.
    pub fn on_change(mut self, told: impl Fn(&str, &Change) + Send + Sync + 'static) -> Self {
        self.told = Some(Arc::new(told));
        self
    }

    /// Compares a request with the one before it of this conversation, and remembers it; `None` for the first, and where
    /// the prompt only grew.
    pub fn check(&self, conversation: &str, request: &ChatRequest) -> Option<Change> {
        self.compare("", conversation, request)
    }

    fn compare(&self, tenant: &str, conversation: &str, request: &ChatRequest) -> Option<Change> {
        let (id, prompt) = ((tenant.to_owned(), conversation.to_owned()), Arc::new(Prompt::of(request)));
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.get(&id, Duration::ZERO);
        last.put(id, prompt.clone(), prompt.size(), Duration::ZERO);
        drop(last);
        let change = before?.0.first_change(&prompt)?;
        if let Some(told) = &self.told {
            told(conversation, &change);
        }
        Some(change)
    }
}

/// A prompt as bytes, and what each stretch of them is.
#[derive(Default)]
struct Prompt {
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
    fn of(request: &ChatRequest) -> Self {
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

    fn size(&self) -> usize {
        self.bytes.len() + self.pieces.len() * size_of::<(Piece, usize)>()
    }

    fn first_change(&self, after: &Self) -> Option<Change> {
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

impl fmt::Debug for PrefixCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrefixCheck").field("tag", &self.tag).finish_non_exhaustive()
    }
}

impl Layer for PrefixCheck {
    fn apply(&self, inner: Shared) -> Shared {
        Shared::new(Checking { check: self.clone(), inner })
    }
}

#[derive(Debug)]
struct Checking {
    check: PrefixCheck,
    inner: Shared,
}

impl Service for Checking {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        let conversation = call.tags.iter().find(|(name, _)| *name == self.check.tag);
        if let (Request::Chat(chat), Some((_, conversation))) = (request, conversation) {
            self.check.compare(&call.tenant, conversation, chat);
        }
        self.inner.call(call, request).await
    }
}
