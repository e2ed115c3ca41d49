use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::Response;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use sabir_core::transport::Body;
use sabir_core::{Error, Result};

/// The body of an answer on its way out. One that is all there is sent with its length and in one write; a stream as it
/// comes.
pub struct Outgoing {
    /// Pieces that are here already.
    ready: VecDeque<Result<Bytes>>,
    /// What comes after them.
    rest: Option<Body>,
    /// Set where it breaks off in an error.
    broken: Option<Arc<AtomicBool>>,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("is_whole", &self.rest.is_none()).finish_non_exhaustive()
    }
}

impl Outgoing {
    /// The answer with its body on its way. Whether that is all there is looked at without waiting for it.
    pub fn of(response: Response<Body>) -> Response<Self> {
        response.map(|mut body| {
            let mut ready = VecDeque::new();
            let mut cx = Context::from_waker(Waker::noop());
            // The second look tells whether the first piece was all. Who is not woken by these looks is looked at again
            // before anything is waited for.
            for _ in 0..2 {
                match body.as_mut().poll_next(&mut cx) {
                    Poll::Ready(Some(piece)) => ready.push_back(piece),
                    Poll::Ready(None) => return Self { ready, rest: None, broken: None },
                    Poll::Pending => break,
                }
            }
            Self { ready, rest: Some(body), broken: None }
        })
    }

    /// Sets `broken` should it break off in an error.
    #[must_use]
    pub fn tells(mut self, broken: Arc<AtomicBool>) -> Self {
        self.broken = Some(broken);
        self
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        let next = match (self.ready.pop_front(), &mut self.rest) {
            (Some(piece), _) => Poll::Ready(Some(piece)),
            (None, Some(body)) => body.as_mut().poll_next(cx),
            (None, None) => Poll::Ready(None),
        };
        if let (Poll::Ready(Some(Err(_))), Some(broken)) = (&next, &self.broken) {
            broken.store(true, Ordering::Relaxed);
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
