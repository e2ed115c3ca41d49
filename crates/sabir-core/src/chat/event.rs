use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;

use super::{Attempt, ChatResponse, Meta, Part, ToolCall, Usage};
use crate::Result;

/// What happens while an answer streams.
///
/// A stream yields any number of these and ends with exactly one terminal item, always last: `Ok(Event::Done)`
/// with the whole answer, or `Err` with what had arrived ([`Error::partial`](crate::Error::partial)).
/// [`Fold`](super::Fold) turns the events back into the answer that the unary call would have given.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The answer begins. Either string may be empty where the provider has not said.
    Start {
        /// The provider's id of the answer.
        id: String,
        /// The model that answers, as the provider names it.
        model: String,
    },
    /// More of a text.
    Text(String),
    /// More of a thought.
    Reasoning(String),
    /// The text or thought that was open is complete; a following delta begins a new part.
    PartEnd {
        /// The signature of a thought.
        signature: Option<String>,
        /// What the dialect says of the part.
        meta: Meta,
    },
    /// The model begins to ask for a tool.
    ToolStart {
        /// Number of the call in this answer, from 0.
        index: usize,
        /// The call's id.
        id: String,
        /// The function's name.
        name: String,
    },
    /// More of a call's arguments: a fragment of JSON text.
    ToolArguments {
        /// Number of the call.
        index: usize,
        /// The fragment.
        fragment: String,
    },
    /// A call is complete.
    ToolEnd {
        /// Number of the call.
        index: usize,
        /// The whole call.
        call: ToolCall,
        /// What the dialect says of it.
        meta: Meta,
    },
    /// A part that came whole.
    Part(Box<Part>),
    /// What was used so far; each replaces the one before.
    Usage(Box<Usage>),
    /// What was told so far is void: the attempt broke off, and another one begins anew. Only a caller that asked for
    /// it is told so.
    Restart(Box<Attempt>),
    /// The end, with the whole answer. Always last.
    Done(Box<ChatResponse>),
}

/// A stream of events with exactly one terminal item. Dropping it cancels the call. [`events`] makes one of any stream.
pub type EventStream = Pin<Box<dyn Events + Send>>;

/// What an [`EventStream`] is: a stream, which may know the bytes that its events were read from.
///
/// A layer that puts a stream of its own around another need not know of bytes: its events have none then, and are
/// written anew for the caller. Only one that gives every event on as it came may give the bytes on as well.
pub trait Events: Stream<Item = Result<Event>> {
    /// The bytes of the events that were given since this was last asked.
    fn wire(self: Pin<&mut Self>) -> Wire {
        Wire::Apart
    }
}

/// The bytes that events were read from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wire {
    /// There are none: somebody wrote these events, or changed them.
    Apart,
    /// They say more than was given: to be asked again after the next event.
    Held,
    /// They say what was given since the last time, and nothing else. Maybe none, where those before had said it.
    Bytes(Bytes),
}

/// Any stream of events as an [`EventStream`], of which no bytes are known.
pub fn events(stream: impl Stream<Item = Result<Event>> + Send + 'static) -> EventStream {
    Box::pin(Told(Box::pin(stream)))
}

struct Told(Pin<Box<dyn Stream<Item = Result<Event>> + Send>>);

impl Stream for Told {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl Events for Told {}
