use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use sabir_core::transport::BoxFuture;
use sabir_core::{Error, ErrorKind, Result, Stage};
use tokio::sync::Notify;

use super::gate::{Denied, Lane};
use super::permit::Permit;
use crate::Place;

/// Waits until a call gets through all gates of its lane.
///
/// Each gate has a line. A call tries its luck only where nobody who came before it waits at any of its gates, and it
/// stands in the line of every gate that once stopped it until it is through. So the order of a gate's line is that in
/// which the calls came, the oldest of all calls is never held up by another, and calls that share a gate with one that
/// waits elsewhere are not held up by it.
pub(super) async fn admit(permit: &mut Permit) -> Result<()> {
    if permit.lane().is_free() && permit.enter(None).await?.is_ok() {
        return Ok(());
    }
    // In a box, so that a call that need not wait does not carry the room for it.
    Box::pin(stand_in_line(permit)).await
}

async fn stand_in_line(permit: &mut Permit) -> Result<()> {
    let lane = permit.lane().clone();
    let ticket = permit.limits().tickets.fetch_add(1, Ordering::SeqCst);
    let mut waiter = Waiter { lane: &lane, ticket, notify: Arc::default(), joined: Vec::new() };
    let deadline = permit.limits().clock.now().saturating_add(permit.limits().max_wait);
    loop {
        let denied = match waiter.behind() {
            Some(gate) => Denied { gate, wait: None },
            None => match permit.enter(Some(ticket)).await? {
                Ok(()) => return Ok(()),
                Err(denied) => denied,
            },
        };
        let limits = permit.limits();
        let gate = &lane.gates[denied.gate];
        let left = deadline.saturating_sub(limits.clock.now());
        let newly = !waiter.joined.contains(&denied.gate);
        let units = gate.units(permit.need());
        let wait = denied.wait.or_else(|| gate.outlook(if newly { units } else { 0 }));
        // What stands in the line is before this call only while this call is the newest.
        let hopeless = wait.is_some_and(|wait| wait > left) && (denied.wait.is_some() || waiter.joined.is_empty());
        if left.is_zero() || hopeless {
            return Err(refusal(gate.said(), "", &lane.place, wait));
        }
        if newly {
            // Who has just joined looks again: the gate may have opened before the line knew of it.
            // Who waits already is let into a second line, full or not: it came before those.
            let most = if waiter.joined.is_empty() { limits.max_waiting } else { usize::MAX };
            if !waiter.join(denied.gate, units, most) {
                let full = format!(" and {} calls wait for it, as many as may", gate.line.len());
                return Err(refusal(gate.said(), &full, &lane.place, wait));
            }
            continue;
        }
        let sleep = limits.clock.sleep(denied.wait.map_or(left, |wait| wait.min(left)));
        either(sleep, waiter.notify.notified()).await;
    }
}

/// A call that waits. Dropping it leaves all lines and lets the next one go.
struct Waiter<'a> {
    lane: &'a Lane,
    ticket: u64,
    notify: Arc<Notify>,
    /// The numbers of the gates in whose line it stands.
    joined: Vec<usize>,
}

impl Waiter<'_> {
    /// A gate at which somebody waits who came earlier.
    fn behind(&self) -> Option<usize> {
        self.lane.gates.iter().position(|gate| gate.line.has_older(self.ticket))
    }

    fn join(&mut self, gate: usize, units: u64, most: usize) -> bool {
        let joined = self.lane.gates[gate].line.join(self.ticket, self.notify.clone(), units, most);
        if joined {
            self.joined.push(gate);
        }
        joined
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        for gate in &self.joined {
            self.lane.gates[*gate].line.leave(self.ticket);
        }
    }
}

/// Ready when one of them is.
async fn either(mut sleep: BoxFuture<'static, ()>, notified: impl Future<Output = ()>) {
    let mut notified = pin!(notified);
    poll_fn(|cx| match sleep.as_mut().poll(cx) {
        Poll::Pending => notified.as_mut().poll(cx),
        Poll::Ready(()) => Poll::Ready(()),
    })
    .await;
}

fn refusal(said: &str, more: &str, place: &Place, wait: Option<Duration>) -> Error {
    let hint = match wait {
        // Milliseconds, rounded up: who comes back then is let in.
        Some(wait) => format!("; try again in {:?}", Duration::from_millis(millis(wait))),
        None => "; try again later".to_owned(),
    };
    let error = Error::new(ErrorKind::RateLimit, format!("{said}{more}{hint}"))
        .with_stage(Stage::NotSent)
        .with_provider(&place.provider)
        .with_model(&place.model);
    match wait {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
