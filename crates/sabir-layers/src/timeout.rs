//! Time limits.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use sabir_core::chat::{Event, EventStream, Events, Fold, Wire};
use sabir_core::transport::Timeouts;
use sabir_core::{Call, Clock, Error, Layer, Reply, Request, Result, Service, Shared, Stage};

use crate::RuntimeClock;
use crate::timer::{Limits, Passed, Timer};

/// Ends calls that take too long, with an error of kind `Timeout` that says which limit it was.
///
/// | limit | of | default | by the call, where it says otherwise |
/// |---|---|---|---|
/// | [`connect`](Self::connect) | a connection | 10 s | [`Timeouts::connect`] |
/// | [`whole`](Self::whole) | an answer that comes whole: chat that is not streamed, vectors, an order, a count | 60 s | [`Timeouts::total`] |
/// | [`first_event`](Self::first_event) | a stream, from the call to its first event | 60 s | [`Timeouts::first_byte`] |
/// | [`idle`](Self::idle) | a stream, between two events | 120 s | [`Timeouts::idle`] |
/// | [`total`](Self::total) | a stream, to its end | none | [`Timeouts::total`] |
///
/// The limit on connecting is handed down to the transport, which alone knows when it is connected. All others hold
/// here and are lifted below, so that the transport's own (60 s to the first byte, over HTTP) do not cut a whole answer
/// for which more was allowed. For whole answers a call may set the transport's `first_byte` and `idle` besides.
///
/// The limits hold for each try: this layer belongs below what tries again or elsewhere. What bounds a call with all of
/// its tries is a [`Deadline`](crate::Deadline). Time in which nobody reads a
/// stream does not count as silence. Before the first event the request [may have been sent](Stage::MaybeSent); after
/// it the error carries what had arrived, which is folded as it passes for this.
///
/// ```
/// use std::time::Duration;
/// use sabir_core::{Layer, Shared};
/// use sabir_layers::Timeout;
///
/// fn for_slow_thinkers(provider: Shared) -> Shared {
///     let minutes = |n: u64| Duration::from_secs(60 * n);
///     Timeout::default().whole(minutes(15)).first_event(minutes(5)).apply(provider)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Timeout {
    connect: Duration,
    whole: Duration,
    first_event: Duration,
    idle: Duration,
    total: Duration,
    clock: Arc<dyn Clock>,
}

impl Default for Timeout {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            whole: Duration::from_secs(60),
            first_event: Duration::from_secs(60),
            idle: Duration::from_secs(120),
            total: Duration::MAX,
            clock: Arc::new(RuntimeClock::default()),
        }
    }
}

impl Timeout {
    /// Sets the limit on connecting. As in all limits here, `Duration::MAX` is none.
    #[must_use]
    pub fn connect(mut self, limit: Duration) -> Self {
        self.connect = limit;
        self
    }

    /// Sets the limit on answers that come whole.
    #[must_use]
    pub fn whole(mut self, limit: Duration) -> Self {
        self.whole = limit;
        self
    }

    /// Sets the limit on the time from the call to a stream's first event.
    #[must_use]
    pub fn first_event(mut self, limit: Duration) -> Self {
        self.first_event = limit;
        self
    }

    /// Sets the limit on the time between two events of a stream.
    #[must_use]
    pub fn idle(mut self, limit: Duration) -> Self {
        self.idle = limit;
        self
    }

    /// Sets the limit on the time from the call to a stream's end. Only with such a limit the clock is looked at for
    /// every event.
    #[must_use]
    pub fn total(mut self, limit: Duration) -> Self {
        self.total = limit;
        self
    }

    /// Sets the clock; the runtime's otherwise.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The limits that hold here, and those for what is below.
    fn limits(&self, asked: &Timeouts, streams: bool) -> (Limits, Timeouts) {
        let (here, below) = if streams {
            let first = asked.first_byte.unwrap_or(self.first_event);
            let idle = asked.idle.unwrap_or(self.idle);
            (Limits { streams, first, idle, total: asked.total.unwrap_or(self.total) }, (None, None))
        } else {
            let total = asked.total.unwrap_or(self.whole);
            (Limits { streams, first: total, idle: total, total }, (asked.first_byte, asked.idle))
        };
        let below = Timeouts {
            connect: Some(asked.connect.unwrap_or(self.connect)),
            first_byte: below.0.or(Some(Duration::MAX)),
            idle: below.1.or(Some(Duration::MAX)),
            total: Some(Duration::MAX),
        };
        (here, below)
    }
}

impl Layer for Timeout {
    fn apply(&self, inner: Shared) -> Shared {
        Shared::new(Timed { timeout: self.clone(), inner })
    }
}

#[derive(Debug)]
struct Timed {
    timeout: Timeout,
    inner: Shared,
}

impl Service for Timed {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        let streams = matches!(request, Request::Chat(chat) if chat.stream);
        let (limits, below) = self.timeout.limits(&call.timeouts, streams);
        let mut call = call.clone();
        call.timeouts = below;
        let timer = Timer::new(self.timeout.clock.clone(), limits);
        bounded(timer, Passed::error, self.inner.call(&call, request), &call, request).await
    }
}

/// How a limit that has passed is told, of which provider and how far the call had got.
pub(crate) type Told = fn(Passed, &str, Stage) -> Error;

/// An answer under a timer, which goes on to watch a stream.
pub(crate) async fn bounded(
    mut timer: Timer,
    told: Told,
    answer: impl Future<Output = Result<Reply>>,
    call: &Call,
    request: &Request,
) -> Result<Reply> {
    let reply = {
        let mut answer = pin!(answer);
        poll_fn(|cx| match answer.as_mut().poll(cx) {
            Poll::Ready(reply) => Poll::Ready(reply),
            Poll::Pending => timer.poll(cx).map(|passed| {
                let error = told(passed, &call.provider, Stage::MaybeSent);
                Err(error.with_provider(&call.provider).with_model(request.model()))
            }),
        })
        .await?
    };
    match reply {
        Reply::Stream(inner) => {
            let (provider, model) = (call.provider.clone(), request.model().to_owned());
            let (inner, fold) = (Some(inner), Fold::default());
            Ok(Reply::Stream(Box::pin(Streamed { inner, timer, told, fold, provider, model, last: None })))
        }
        other => Ok(other),
    }
}

/// A stream under time limits. It is dropped with its terminal item, and so is the call below.
struct Streamed {
    inner: Option<EventStream>,
    timer: Timer,
    told: Told,
    /// What had arrived, for an error.
    fold: Fold,
    provider: String,
    model: String,
    /// The bytes of the end, of what is dropped with it.
    last: Option<Wire>,
}

impl Events for Streamed {
    fn wire(mut self: Pin<&mut Self>) -> Wire {
        let this = &mut *self;
        match &mut this.inner {
            Some(inner) => inner.as_mut().wire(),
            None => this.last.take().unwrap_or(Wire::Apart),
        }
    }
}

impl Stream for Streamed {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else {
            return Poll::Ready(None);
        };
        // An event is large: it is looked at where it is.
        let item = inner.as_mut().poll_next(cx);
        let passed = match &item {
            Poll::Ready(Some(Ok(event))) if !matches!(event, Event::Done(_)) => match this.timer.came() {
                None => {
                    this.fold.apply(event);
                    return item;
                }
                Some(passed) => passed,
            },
            Poll::Ready(_) => {
                this.last = Some(inner.as_mut().wire());
                this.inner = None;
                return item;
            }
            Poll::Pending => match this.timer.poll(cx) {
                Poll::Ready(passed) => passed,
                Poll::Pending => return item,
            },
        };
        this.inner = None;
        let begun = this.timer.has_begun();
        let error = (this.told)(passed, &this.provider, if begun { Stage::Answered } else { Stage::MaybeSent });
        let error = error.with_provider(&this.provider).with_model(&this.model);
        if !begun {
            return Poll::Ready(Some(Err(error)));
        }
        let mut partial = std::mem::take(&mut this.fold).into_response();
        partial.provider.clone_from(&this.provider);
        Poll::Ready(Some(Err(error.with_partial(partial))))
    }
}

#[cfg(test)]
mod tests;
