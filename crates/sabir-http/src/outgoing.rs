//! The request body: one piece, and a note of the moment when a connection took it up.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Instant;

/// When a connection began to write the request: before this, nothing was sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken(Arc<OnceLock<Instant>>);

impl Taken {
    /// For a client below that does not tell.
    pub(crate) fn now() -> Self {
        let taken = Self::default();
        taken.mark();
        taken
    }

    pub(crate) fn mark(&self) {
        self.0.get_or_init(Instant::now);
    }

    pub(crate) fn at(&self) -> Option<Instant> {
        self.0.get().copied()
    }
}

/// The body that hyper is given.
///
/// Both of hyper's protocols ask [`is_end_stream`](Body::is_end_stream) first when they write a request's
/// head, and never before: that is how [`Taken`] learns of it without a channel.
#[derive(Debug)]
pub(crate) struct Outgoing {
    data: Bytes,
    taken: Taken,
}

impl Outgoing {
    pub(crate) fn new(data: Bytes, taken: Taken) -> Self {
        Self { data, taken }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.data.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.data)))))
    }

    fn is_end_stream(&self) -> bool {
        self.taken.mark();
        self.data.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.len() as u64)
    }
}
