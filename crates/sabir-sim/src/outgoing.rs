//! A body on its way out over a socket.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http::header::CONTENT_TYPE;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use sabir_core::transport::Body;
use sabir_core::{Error, Result};

/// A body on its way out.
pub(crate) struct Outgoing {
    /// Pieces that are here already.
    ready: VecDeque<Result<Bytes>>,
    /// What comes after them.
    rest: Option<Body>,
    /// Where the connection is told to end in a reset.
    reset: Arc<AtomicBool>,
}

/// Sends a body that is all here with its length and in one write; a stream of events as it comes.
pub(crate) async fn outgoing(response: Response<Body>, reset: Arc<AtomicBool>) -> Response<Outgoing> {
    let is_stream = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event"));
    let (head, mut body) = response.into_parts();
    let mut ready = VecDeque::new();
    let mut is_whole = false;
    if !is_stream {
        poll_fn(|cx| {
            // The second look tells whether the first piece was all.
            for _ in 0..2 {
                match body.as_mut().poll_next(cx) {
                    Poll::Ready(Some(piece)) => ready.push_back(piece),
                    Poll::Ready(None) => is_whole = true,
                    Poll::Pending => {}
                }
                if is_whole || ready.is_empty() {
                    break;
                }
            }
            Poll::Ready(())
        })
        .await;
    }
    Response::from_parts(head, Outgoing { ready, rest: (!is_whole).then_some(body), reset })
}

impl Outgoing {
    /// A body that is all here.
    pub(crate) fn whole(body: impl Into<Bytes>, reset: Arc<AtomicBool>) -> Self {
        Self { ready: VecDeque::from([Ok(body.into())]), rest: None, reset }
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        let next = match self.ready.pop_front() {
            Some(piece) => Poll::Ready(Some(piece)),
            None => match &mut self.rest {
                Some(body) => body.as_mut().poll_next(cx),
                None => Poll::Ready(None),
            },
        };
        if let Poll::Ready(Some(Err(_))) = next {
            self.reset.store(true, Ordering::Relaxed);
        }
        next.map_ok(Frame::data)
    }

    fn is_end_stream(&self) -> bool {
        self.ready.is_empty() && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.rest.is_some() {
            return SizeHint::default();
        }
        SizeHint::with_exact(self.ready.iter().flatten().map(|piece| piece.len() as u64).sum())
    }
}
