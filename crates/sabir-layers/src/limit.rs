//! Limits on requests, tokens and calls at once, kept before anything is sent.
//!
//! A call goes through the gates of all limits that concern it, or waits, or is refused. Requests and tokens are rates
//! by the generic cell rate algorithm ([`Rate`](sabir_store::Rate)): after a pause a burst may go at once, then as many
//! as the rate lets through; over any span no more than `burst + span × rate`. Tokens are taken before a call is sent as
//! they are estimated (input as counted, output as `max_tokens`), and settled by the usage of its answer or the end of
//! its stream; what a provider does not tell stays as it was estimated. A call that needs more tokens than its limit
//! ever holds at once goes alone, when the limit is full, and those after it wait until it is paid off: an estimate that
//! is too high must not lock anybody out.
//!
//! Who has to wait stands in line: first come, first served at each gate; see [`Limits::max_wait`]. A call that was never
//! sent gives everything back; a caller who goes away leaves its line, or the place of its call, at once. Limits on
//! requests and tokens are kept in a [`Store`]; those on calls at once, and what is learned, in this process.
//!
//! Unless told not to ([`Limits::learn`]), a place also holds to what its provider says of its limits in the headers of
//! its answers: that lowers a limit, and never raises one. Where nothing is left, nothing goes before the reset; a
//! refusal (429) that says when to come again closes the place until then.
//!
//! | what | default |
//! |---|---|
//! | limits | none, but those learned |
//! | burst | as much as the limit |
//! | longest wait | 30 s; a call that cannot get through in that time is refused at once |
//! | longest line at one gate | 1,000 calls; one more is refused |
//! | input | a token for 4 bytes of text, 1,000 for each medium, 100 for each tool |
//! | output, where `max_tokens` says nothing | 1,000 |
//! | learn | yes; dates in headers only with [`Limits::dates`] |
//! | store | [`Memory`] |
//! | clock | [`RuntimeClock`] |
//!
//! A refusal is an [`ErrorKind::RateLimit`](sabir_core::ErrorKind::RateLimit) with the stage
//! [`NotSent`](sabir_core::Stage::NotSent); `retry_after` says when to come again, where that is known.
//!
//! ```
//! use sabir_core::Layer as _;
//! use sabir_layers::{Limit, Limits};
//! # use sabir_core::Shared;
//! # fn wrap(inner: Shared) -> Shared {
//! let limits = Limits::default()
//!     .limit(Limit::requests_per_minute(500).for_provider("openai"))
//!     .limit(Limit::tokens_per_minute(200_000).for_model("openai/gpt-6-luna"))
//!     .limit(Limit::concurrent(16));
//! limits.apply(inner)
//! # }
//! ```

mod estimate;
mod gate;
mod lane;
mod learned;
mod line;
mod look;
mod permit;
mod reset;
mod rule;
mod serve;
#[cfg(test)]
mod tests;
mod wait;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use sabir_core::transport::BoxFuture;
use sabir_core::{Call, Clock, Foreseen, Layer, Request, Shared};
use sabir_store::{Memory, Store};

use self::estimate::{Count, Dates, Given, rough};
use self::gate::{Gates, Lane};
pub use self::rule::Limit;
use self::serve::Limited;
use crate::{Metrics, PerPlace, RuntimeClock};

/// The layer that keeps limits. Clones share what is used of them; see the [module](self).
#[derive(Clone, Debug)]
pub struct Limits {
    rules: Vec<Limit>,
    /// Whether some refuse nothing.
    watches: bool,
    /// Those of calls with a label, by it: a call looks only at those of its own labels, however many there are.
    labelled: HashMap<(String, String), Vec<Limit>>,
    learn: bool,
    max_wait: Duration,
    max_waiting: usize,
    count: Count,
    reserve: u64,
    since_1970: Option<Dates>,
    prefix: String,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    lanes: PerPlace<Lane>,
    gates: Gates,
    tickets: Arc<AtomicU64>,
    metrics: Option<Metrics>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            labelled: HashMap::new(),
            watches: false,
            learn: true,
            max_wait: Duration::from_secs(30),
            max_waiting: 1_000,
            count: Given(Arc::new(|_, request| rough(request))),
            reserve: 1_000,
            since_1970: None,
            prefix: String::new(),
            store: Arc::new(Memory::default()),
            clock: Arc::new(RuntimeClock::default()),
            lanes: PerPlace::default(),
            gates: Gates::default(),
            tickets: Arc::default(),
            metrics: None,
        }
    }
}

impl Limits {
    /// Adds a limit, unless it is there already. All limits that concern a call hold at once. What was learned so far is
    /// forgotten.
    pub fn limit(mut self, limit: Limit) -> Self {
        self.watches |= limit.watched;
        let rules = match limit.tag.clone() {
            Some(tag) => self.labelled.entry(tag).or_default(),
            None => &mut self.rules,
        };
        if !rules.contains(&limit) {
            rules.push(limit);
        }
        (self.lanes, self.gates) = (PerPlace::default(), Gates::default());
        self
    }

    /// Whether to hold to what providers say of their limits.
    pub fn learn(mut self, learn: bool) -> Self {
        self.learn = learn;
        self.lanes = PerPlace::default();
        self
    }

    /// Counts in these metrics what a limit would have refused that is only watched ([`Metrics::would_refuse`]).
    pub fn meter(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// How long a call may wait; with nothing, it is refused at once.
    pub fn max_wait(mut self, time: Duration) -> Self {
        self.max_wait = time;
        self
    }

    /// Refuses at once instead of waiting.
    pub fn refuse(self) -> Self {
        self.max_wait(Duration::ZERO)
    }

    /// How many calls may wait at one gate.
    pub fn max_waiting(mut self, calls: usize) -> Self {
        self.max_waiting = calls;
        self
    }

    /// Counts the tokens of a request's input. It is called for every call that comes by, in the caller's task: the
    /// default is rough, because it does not look into texts.
    pub fn count_with(mut self, count: impl Fn(&Call, &Request) -> u64 + Send + Sync + 'static) -> Self {
        self.count = Given(Arc::new(count));
        self
    }

    /// How many tokens of output to expect of a request that does not say how many it wants at most.
    pub fn reserve_output(mut self, tokens: u64) -> Self {
        self.reserve = tokens;
        self
    }

    /// Tells the time since 1970, to read the dates that some providers write for their resets.
    pub fn dates(mut self, since_1970: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        self.since_1970 = Some(Given(Arc::new(since_1970)));
        self
    }

    /// Keeps what is used in this store, under keys that begin with `prefix`: layers that share a store and a prefix
    /// share the limits that are the same in both.
    pub fn store(mut self, store: Arc<dyn Store>, prefix: impl Into<String>) -> Self {
        (self.store, self.prefix) = (store, prefix.into());
        (self.lanes, self.gates) = (PerPlace::default(), Gates::default());
        self
    }

    /// Goes on where others left off: what is used of a limit that is the same in both stays used. What was learned is
    /// learned anew.
    pub fn after(mut self, before: &Self) -> Self {
        (self.store, self.prefix) = (before.store.clone(), before.prefix.clone());
        (self.gates, self.tickets, self.clock) = (before.gates.clone(), before.tickets.clone(), before.clock.clone());
        self.lanes = PerPlace::default();
        self
    }

    /// Takes the time from this clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}

impl Layer for Limits {
    fn apply(&self, inner: Shared) -> Shared {
        Shared::new(Limited { limits: Arc::new(self.clone()), inner })
    }

    fn providers(&self) -> Vec<String> {
        self.rules.iter().chain(self.labelled.values().flatten()).filter_map(Limit::provider).collect()
    }

    fn foresee(&self, mut attempts: Vec<Foreseen>) -> BoxFuture<'_, Vec<Foreseen>> {
        Box::pin(async move {
            for attempt in &mut attempts {
                let holds = self.concerning(&attempt.call, &attempt.request);
                let refused = self.would_admit(&attempt.call, &attempt.request).await.err();
                attempt.judged("limits", holds, refused);
            }
            attempts
        })
    }
}
