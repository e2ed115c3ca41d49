//! A second call beside a slow one.

mod race;
mod recent;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use sabir_core::{Call, Clock, Layer, Reply, Request, Result, Service, Shared};

use crate::preceded::with_event;
use crate::{PerPlace, Place, RuntimeClock};
use recent::{Latencies, Recent};

/// Makes a second call where the first one is slower than nearly all before it, and takes the answer that comes first:
/// the whole answer, or the first event of a stream. The other call is dropped, and with it cancelled. An error is no
/// answer: while the other call is under way, it is waited for.
///
/// | setting | default | |
/// |---|---|---|
/// | [`after`](Self::after) | the 95th percentile | of the last 128 calls of the same [`Place`]; none before there were 20 |
/// | [`bounds`](Self::bounds) | 50 ms to 30 s | the percentile's, whatever was measured |
/// | [`share`](Self::share) | 5 % | of a place's calls that may have a second one |
///
/// Both calls are paid for. The one that lost is told in
/// [`ChatResponse::attempts`](sabir_core::chat::ChatResponse::attempts) as `Cancelled`, perhaps sent, its use unknown.
/// The second call has the number of the first and [`Call::hedged`], by which this layer knows it, should it meet it
/// again: no third is made.
///
/// It stands below route and keys, so that it knows the place, and above breaker and limits, which each call passes by
/// itself. Whole answers and streams are measured apart. The second call is made in the same future as the first; no
/// task is spawned.
///
/// ```
/// use std::time::Duration;
/// use sabir_core::{Layer, Shared};
/// use sabir_layers::Hedge;
///
/// fn hedged(provider: Shared) -> Shared {
///     Hedge::default().after(Duration::from_millis(800)).share(0.1).apply(provider)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Hedge {
    after: Option<Duration>,
    bounds: (Duration, Duration),
    /// In thousandths.
    share: u64,
    recent: PerPlace<Recent>,
    clock: Arc<dyn Clock>,
}

impl Default for Hedge {
    fn default() -> Self {
        Self {
            after: None,
            bounds: (Duration::from_millis(50), Duration::from_secs(30)),
            share: 50,
            recent: PerPlace::default(),
            clock: Arc::new(RuntimeClock::default()),
        }
    }
}

impl Hedge {
    /// Sets after how long the second call is made, in place of the percentile.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.after = Some(delay);
        self
    }

    /// Sets the shortest and the longest time after which the second call is made, by the percentile.
    #[must_use]
    pub fn bounds(mut self, shortest: Duration, longest: Duration) -> Self {
        self.bounds = (shortest.min(longest), longest);
        self
    }

    /// Sets the share of a place's calls that may have a second one, from 0 to 1, to the thousandth. At no time were
    /// there more; where calls were fast, up to 10 are saved up.
    #[must_use]
    pub fn share(mut self, share: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
        let thousandths = (share.clamp(0.0, 1.0) * 1000.0).round() as u64;
        self.share = thousandths;
        self
    }

    /// Goes by what another one knows of places, and adds to it: how long calls took, and how many second calls they have
    /// earned. For one that is otherwise for some calls of the same places.
    #[must_use]
    pub fn knowing(mut self, other: &Self) -> Self {
        self.recent = other.recent.clone();
        self
    }

    /// Sets the clock; the runtime's otherwise.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// After how long a call is slow; `None` where that is not known.
    fn delay(&self, latencies: &Latencies) -> Option<Duration> {
        let (shortest, longest) = self.bounds;
        self.after.or_else(|| latencies.p95().map(|p95| p95.clamp(shortest, longest)))
    }
}

impl Layer for Hedge {
    fn apply(&self, inner: Shared) -> Shared {
        Shared::new(Hedged { inner, hedge: self.clone() })
    }
}

#[derive(Debug)]
struct Hedged {
    inner: Shared,
    hedge: Hedge,
}

impl Hedged {
    /// One of the calls, until it answers.
    async fn one(&self, call: &Call, request: &Request) -> Result<Reply> {
        with_event(self.inner.call(call, request).await?).await
    }
}

impl Service for Hedged {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        // Of what is not read it is not known what doing it twice would do.
        if call.hedged || matches!(request, Request::Raw(_)) {
            return self.inner.call(call, request).await;
        }
        let recent = self.hedge.recent.get_or(&Place::of(call, request), Recent::default);
        recent.earn(self.hedge.share);
        let stream = matches!(request, Request::Chat(chat) if chat.stream);
        let latencies = if stream { &recent.first } else { &recent.whole };
        let begun = self.hedge.clock.now();
        let reply = match self.hedge.delay(latencies) {
            Some(delay) => self.race(call, request, &recent, latencies, delay).await?,
            None => self.one(call, request).await?,
        };
        latencies.add(self.hedge.clock.now().saturating_sub(begun));
        Ok(reply)
    }
}
