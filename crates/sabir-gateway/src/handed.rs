//! Which requests of a connection were handed to the gateway, and which of them are answered.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use sabir::Result;
use sabir_http::listen::Outgoing;

/// Counts a connection's requests. Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handed(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    handed: AtomicUsize,
    over: AtomicUsize,
}

impl Handed {
    /// A request is handed over.
    pub(crate) fn one(&self) -> UnderWay {
        self.0.handed.fetch_add(1, Ordering::Relaxed);
        UnderWay(self.clone())
    }

    /// How many were handed over.
    pub(crate) fn count(&self) -> usize {
        self.0.handed.load(Ordering::Relaxed)
    }

    /// Whether nothing of any answer is still to come from the gateway.
    pub(crate) fn are_over(&self) -> bool {
        self.0.over.load(Ordering::Relaxed) == self.count()
    }
}

/// A request that is being answered, until this is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay(Handed);

impl UnderWay {
    /// Until the body of its answer is dropped.
    pub(crate) fn with(self, body: Outgoing) -> Answering {
        Answering { body, _until: self }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.over.fetch_add(1, Ordering::Relaxed);
    }
}

/// The body of an answer: while it is there, the answer is not over.
#[derive(Debug)]
pub(crate) struct Answering {
    body: Outgoing,
    _until: UnderWay,
}

impl Body for Answering {
    type Data = Bytes;
    type Error = sabir::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
