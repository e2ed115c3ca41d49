//! Most chunks differ from one before in a single string: more text, more of a thought, more of some arguments.
//! The bytes around that string are remembered, so that the next chunk of the kind is compared and not parsed again.

use std::borrow::Cow;

use super::wire::{Body, Chunk, Message};
use crate::lenient::Text;

/// What the one string is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Thought,
    /// Arguments of the call with this index.
    Arguments(u64),
}

/// A chunk that tells one string and nothing else.
#[derive(Debug)]
pub(super) struct Shortcut {
    kind: Kind,
    before: Vec<u8>,
    after: Vec<u8>,
    /// `after` ends where a string of padding begins, which is the last thing in the chunk.
    is_padded: bool,
}

/// Fields against attacks by length, of random content (OpenAI, Mistral).
const PADDING: [&[u8]; 2] = [b"\"obfuscation\":\"", b"\"p\":\""];

impl Shortcut {
    /// The shortcut to chunks like this one, if it is of a kind that has one.
    pub(super) fn learn(data: &[u8], chunk: &Chunk<'_>) -> Option<Self> {
        let (kind, told) = only_string(chunk)?;
        let start = (told.as_ptr() as usize).checked_sub(data.as_ptr() as usize)?;
        let (before, rest) = data.split_at_checked(start)?;
        let after = rest.strip_prefix(told.as_bytes())?;
        let padding = PADDING.iter().find_map(|field| {
            let end = after.windows(field.len()).rposition(|w| w == *field)? + field.len();
            padding_is_last(&after[end..]).then_some(end)
        });
        let after = &after[..padding.unwrap_or(after.len())];
        Some(Self { kind, before: before.to_vec(), after: after.to_vec(), is_padded: padding.is_some() })
    }

    /// What a chunk of the same shape tells. `None`: it has another shape, or escapes in its string.
    pub(super) fn read<'a>(&self, data: &'a [u8]) -> Option<(Kind, &'a str)> {
        let rest = data.strip_prefix(self.before.as_slice())?;
        let end = rest.iter().position(|b| matches!(b, b'"' | b'\\') || *b < b' ')?;
        let after = rest[end..].strip_prefix(self.after.as_slice())?;
        let is_whole = if self.is_padded { padding_is_last(after) } else { after.is_empty() };
        let told = std::str::from_utf8(&rest[..end]).ok()?;
        is_whole.then_some((self.kind, told))
    }
}

/// Whether these are the rest of a plain string and the end of the chunk.
fn padding_is_last(rest: &[u8]) -> bool {
    let plain = |b: &u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\');
    rest.strip_suffix(b"\"}").is_some_and(|padding| padding.iter().all(plain))
}

/// The one string that a chunk tells, borrowed from its bytes; `None` where it tells anything else as well.
fn only_string<'c>(chunk: &'c Chunk<'_>) -> Option<(Kind, &'c str)> {
    let [choice] = chunk.choices.as_ref()?.0.as_slice() else {
        return None;
    };
    let is_quiet = chunk.usage.0.is_none()
        && chunk.x_groq.0.is_none()
        && chunk.base_resp.0.is_none()
        && [chunk.error, chunk.citations, chunk.search_results].iter().all(Option::is_none)
        && [choice.error, choice.logprobs].iter().all(Option::is_none)
        && choice.finish_reason.is_none()
        && choice.index.0.unwrap_or(0) == 0
        && choice.message.0.is_none();
    let delta = choice.delta.0.as_deref().filter(|delta| is_quiet && is_plain(delta))?;
    let thought = if delta.reasoning_content.is_empty() { &delta.reasoning } else { &delta.reasoning_content };
    match (&delta.content, delta.tool_calls.0.as_slice()) {
        (Body::Text(Cow::Borrowed(text)), []) if !text.is_empty() && thought.is_empty() => Some((Kind::Text, text)),
        (content, _) if !content.is_empty() => None,
        (_, []) => Some((Kind::Thought, borrowed(thought)?)),
        (_, [call]) if thought.is_empty() && call.id.is_empty() => {
            let function = call.function.0.as_ref().filter(|function| function.name.is_empty())?;
            let is_plain = call.custom.0.is_none() && call.extra_content.is_none();
            let arguments = borrowed(&function.arguments).filter(|_| is_plain)?;
            Some((Kind::Arguments(call.index.0?), arguments))
        }
        _ => None,
    }
}

fn is_plain(delta: &Message<'_>) -> bool {
    delta.refusal.is_empty()
        && delta.reasoning_details.0.is_empty()
        && delta.function_call.0.is_none()
        && delta.annotations.0.is_empty()
        && delta.audio.0.is_none()
        && delta.images.0.is_empty()
        && delta.extra_content.is_none()
        && (delta.reasoning.is_empty() || delta.reasoning_content.is_empty())
}

fn borrowed<'c>(text: &'c Text<'_>) -> Option<&'c str> {
    match &text.0 {
        Cow::Borrowed(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}
