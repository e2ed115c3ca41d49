//! The simulator as a transport: HTTP without a socket.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http::{Request, Response};
use sabir_core::transport::{Body, BoxFuture, Timeouts, Transport};
use sabir_core::{Error, ErrorKind, Result, Stage};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::exchange::{NoAnswer, exchange};
use crate::simulator::Simulator;

/// A transport that ends in a simulator in the same process. The host of a request does not matter; its path says
/// which dialect is spoken.
///
/// Time limits hold as on a network, on tokio's clock, which a test can pause. Without delays, faults and limits no
/// runtime is needed.
#[derive(Clone, Debug, Default)]
pub struct Loopback {
    simulator: Simulator,
}

impl Loopback {
    /// A transport to a simulator.
    pub fn new(simulator: Simulator) -> Self {
        Self { simulator }
    }

    /// The simulator at its end.
    pub fn simulator(&self) -> &Simulator {
        &self.simulator
    }
}

impl From<Simulator> for Loopback {
    fn from(simulator: Simulator) -> Self {
        Self::new(simulator)
    }
}

impl Transport for Loopback {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Body>>> {
        Box::pin(async move {
            let limits = request.extensions().get::<Timeouts>().copied().unwrap_or_default();
            let total = from_now(limits.total);
            let answered = {
                let mut exchange = pin!(exchange(&self.simulator, request));
                let mut deadline = Deadline::until(limits.first_byte, total);
                poll_fn(|cx| match exchange.as_mut().poll(cx) {
                    Poll::Pending => deadline.poll(cx, Stage::MaybeSent).map(Err),
                    Poll::Ready(answered) => Poll::Ready(Ok(answered)),
                })
                .await?
            };
            let response = answered.map_err(|no_answer| {
                let (message, stage) = match no_answer {
                    NoAnswer::Refused => {
                        ("cannot reach the simulator: it refused the connection, as its script says", Stage::NotSent)
                    }
                    NoAnswer::HungUp => {
                        ("the simulator hung up before it answered, as its script says", Stage::MaybeSent)
                    }
                };
                Error::new(ErrorKind::Network, message).with_stage(stage)
            })?;
            if limits.idle.is_none() && total.is_none() {
                return Ok(response);
            }
            let deadline = Deadline::until(limits.idle, total);
            Ok(response.map(|body| Box::pin(Limited { body, idle: limits.idle, total, deadline, over: false }) as Body))
        })
    }
}

/// When a call must end, and the limit that says so.
type Total = Option<(Instant, Duration)>;

/// `None` too where the limit is so far away that it is none.
fn from_now(limit: Option<Duration>) -> Total {
    let limit = limit?;
    Some((Instant::now().checked_add(limit)?, limit))
}

/// The time until the next thing must have happened.
struct Deadline(Option<(Pin<Box<Sleep>>, Duration)>);

impl Deadline {
    fn until(next: Option<Duration>, total: Total) -> Self {
        let nearest = [from_now(next), total].into_iter().flatten().min();
        Self(nearest.map(|(at, limit)| (Box::pin(sleep_until(at)), limit)))
    }

    /// Ready with the error once the time has passed.
    fn poll(&mut self, cx: &mut Context<'_>, stage: Stage) -> Poll<Error> {
        let Some((sleep, limit)) = &mut self.0 else {
            return Poll::Pending;
        };
        sleep.as_mut().poll(cx).map(|()| {
            let message = format!("the simulator sent nothing within the limit of {limit:?}");
            Error::new(ErrorKind::Timeout, message).with_stage(stage)
        })
    }
}

/// A body under time limits.
struct Limited {
    body: Body,
    idle: Option<Duration>,
    total: Total,
    deadline: Deadline,
    over: bool,
}

impl Stream for Limited {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.over {
            return Poll::Ready(None);
        }
        match this.body.as_mut().poll_next(cx) {
            Poll::Pending => this.deadline.poll(cx, Stage::Answered).map(|error| {
                this.over = true;
                Some(Err(error))
            }),
            ready @ Poll::Ready(_) => {
                this.deadline = Deadline::until(this.idle, this.total);
                ready
            }
        }
    }
}
