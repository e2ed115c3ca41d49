//! Two calls, of which the first to answer counts.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use sabir_core::{Call, Error, ErrorKind, Reply, Request, Result};

use super::Hedged;
use super::recent::{Latencies, Recent};
use crate::attempts::{note, tell};

/// A call under way.
type Running<'a> = Pin<&'a mut (dyn Future<Output = Result<Reply>> + Send)>;

impl Hedged {
    /// Makes a call, and a second one where the first has not answered after `delay` and it can be paid for.
    pub(super) async fn race(
        &self,
        call: &Call,
        request: &Request,
        recent: &Recent,
        latencies: &Latencies,
        delay: Duration,
    ) -> Result<Reply> {
        let mut first = pin!(self.one(call, request));
        let mut slow = self.hedge.clock.sleep(delay);
        let in_time = poll_fn(|cx| match first.as_mut().poll(cx) {
            Poll::Ready(reply) => Poll::Ready(Some(reply)),
            Poll::Pending => slow.as_mut().poll(cx).map(|()| None),
        });
        match in_time.await {
            Some(reply) => reply,
            None if recent.spend() => self.both(first, call, request, latencies).await,
            None => first.await,
        }
    }

    /// Makes a second call beside the first.
    async fn both(&self, first: Running<'_>, call: &Call, request: &Request, latencies: &Latencies) -> Result<Reply> {
        let begun = self.hedge.clock.now();
        let mut beside = call.clone();
        beside.hedged = true;
        let second = pin!(self.one(&beside, request));
        let mut running: [Option<Running<'_>>; 2] = [Some(first), Some(second)];
        let mut failed = None;
        let (won, reply) = poll_fn(|cx| {
            for at in 0..running.len() {
                let Some(Poll::Ready(reply)) = running[at].as_mut().map(|call| call.as_mut().poll(cx)) else {
                    continue;
                };
                running[at] = None;
                match reply {
                    Err(error) if running.iter().any(Option::is_some) => failed = Some(error),
                    reply => return Poll::Ready((at, reply)),
                }
            }
            Poll::Pending
        })
        .await;

        let lost = failed.unwrap_or_else(|| Error::new(ErrorKind::Cancelled, "another call for the same was faster"));
        let mut attempts = Vec::new();
        note(&mut attempts, if won == 0 { &beside } else { call }, request.model(), &lost);
        match reply {
            Ok(reply) => {
                if won == 1 {
                    latencies.add(self.hedge.clock.now().saturating_sub(begun));
                }
                Ok(tell(reply, attempts))
            }
            Err(error) => Err(error.with_attempts(attempts)),
        }
    }
}
