//! Looking at what is asked and answered, and changing or refusing it.

mod redact;
mod size;
mod stream;
mod webhook;

use std::fmt::Debug;
use std::sync::Arc;

use sabir_core::chat::ChatResponse;
use sabir_core::transport::BoxFuture;
use sabir_core::{Call, Error, ErrorKind, Foreseen, Layer, Reply, Request, Result, Service, Shared, Stage};

pub use redact::{Redact, redact};
pub use size::MaxSize;
pub use webhook::Webhook;

use crate::calls::{Calls, View, look};

/// Looks at requests before they are sent, and at answers before the caller has them.
///
/// An error refuses. A check says by [`on_stream`](Self::on_stream) how it wants to see streams.
pub trait Check: Debug + Send + Sync + 'static {
    /// Looks at a request; may change it.
    fn request<'a>(&'a self, call: &'a Call, request: &'a mut Request) -> BoxFuture<'a, Result<()>> {
        let _ = (call, request);
        Box::pin(std::future::ready(Ok(())))
    }

    /// Looks at a whole answer; may change it. Of a stream it is asked only where it wants to see all of it.
    fn response<'a>(&'a self, call: &'a Call, response: &'a mut ChatResponse) -> BoxFuture<'a, Result<()>> {
        let _ = (call, response);
        Box::pin(std::future::ready(Ok(())))
    }

    /// How it wants to see streams.
    fn on_stream(&self) -> OnStream {
        OnStream::Pass
    }

    /// Whether it looks at requests here, so that it may also be asked where nothing is to be sent
    /// ([`Layer::foresee`]).
    fn is_local(&self) -> bool {
        true
    }
}

/// How a check sees a stream.
#[derive(Debug)]
#[non_exhaustive]
pub enum OnStream {
    /// Not at all.
    Pass,
    /// Piece by piece, as it passes.
    Filter(Box<dyn Filter>),
    /// Whole: the stream is held back to its end, checked by [`Check::response`], and then told at once.
    Whole,
}

/// Sees the text of one stream piece by piece.
pub trait Filter: Debug + Send {
    /// More text. Gives what may pass now, and keeps the rest until more has come. An error ends the stream.
    fn text(&mut self, piece: &str) -> Result<String>;

    /// The text is over, or something else stands between it and the next: gives what was kept.
    fn rest(&mut self) -> String;
}

/// Puts checks around calls, the first one first. It stands above cache, route and retry: what it refuses costs
/// nothing, and what it changes is what they see.
///
/// ```
/// use sabir_layers::guard::{Guard, MaxSize, Redact};
///
/// let layer = Guard::new().check(MaxSize::request(1 << 20)).check(Redact::default());
/// # drop(layer);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Guard {
    checks: Checks,
    besides: Option<Arc<Besides>>,
}

/// Checks in their order.
type Checks = Arc<[Arc<dyn Check>]>;

/// What is checked besides, in some calls.
#[derive(Debug)]
struct Besides {
    own: Vec<(Calls, Checks)>,
    view: View,
    /// Whether any of them asks where a call goes.
    looks: bool,
}

impl Guard {
    /// No checks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check after those that are there.
    #[must_use]
    pub fn check(self, check: impl Check) -> Self {
        let more: Arc<dyn Check> = Arc::new(check);
        Self { checks: self.checks.iter().cloned().chain([more]).collect(), besides: self.besides }
    }

    /// Adds the checks of other guards, each in some calls: all of those that are for a call are asked, after the checks
    /// that are there.
    pub(crate) fn besides(self, own: impl IntoIterator<Item = (Calls, Self)>, view: View) -> Self {
        let own: Vec<(Calls, Checks)> = own.into_iter().map(|(calls, guard)| (calls, guard.checks)).collect();
        let looks = look(own.iter().map(|(calls, _)| calls));
        Self { besides: Some(Arc::new(Besides { own, view, looks })), ..self }
    }

    /// All checks of a call, where there are more than the usual ones.
    fn more(&self, call: &Call, request: &Request) -> Option<Checks> {
        let besides = self.besides.as_ref()?;
        let seen = besides.view.see(call, request, besides.looks);
        let mut more = besides.own.iter().filter(|(calls, _)| calls.have(&seen)).map(|(_, checks)| checks).peekable();
        more.peek()?;
        Some(self.checks.iter().chain(more.flat_map(|checks| checks.iter())).cloned().collect())
    }
}

impl Layer for Guard {
    fn apply(&self, inner: Shared) -> Shared {
        Shared::new(Guarded { inner, guard: self.clone() })
    }

    fn foresee(&self, mut attempts: Vec<Foreseen>) -> BoxFuture<'_, Vec<Foreseen>> {
        Box::pin(async move {
            for attempt in &mut attempts {
                let more = self.more(&attempt.call, &attempt.request);
                let checks = more.as_ref().unwrap_or(&self.checks);
                for check in checks.iter().filter(|check| check.is_local()) {
                    let refused = check.request(&attempt.call, &mut attempt.request).await.err();
                    attempt.judged("guard", Vec::new(), refused);
                }
            }
            attempts
        })
    }
}

#[derive(Debug)]
struct Guarded {
    inner: Shared,
    guard: Guard,
}

impl Service for Guarded {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        let more = self.guard.more(call, request);
        let checks = more.as_ref().unwrap_or(&self.guard.checks);
        if checks.is_empty() {
            return self.inner.call(call, request).await;
        }
        if let Request::Raw(_) = request {
            let message = "what is checked here must be read, and a raw request is not; ask at the path of a format";
            return Err(Error::new(ErrorKind::Unsupported, message).with_stage(Stage::NotSent));
        }
        let mut checked = request.clone();
        for check in &**checks {
            check.request(call, &mut checked).await?;
        }
        // What was looked at is what is sent: bytes may say to others what nobody read here.
        let mut read = call.passage.as_ref().map(|_| call.clone());
        if let Some(read) = &mut read {
            read.passage = None;
        }
        match self.inner.call(read.as_ref().unwrap_or(call), &checked).await? {
            Reply::Whole(mut response) => {
                for check in &**checks {
                    check.response(call, &mut response).await?;
                }
                Ok(Reply::Whole(response))
            }
            Reply::Stream(events) => Ok(Reply::Stream(stream::guarded(events, call, checks))),
            other => Ok(other),
        }
    }
}

#[cfg(test)]
mod tests;
