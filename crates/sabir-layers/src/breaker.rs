//! Leaving a place alone that fails.

mod followed;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sabir_core::transport::BoxFuture;
use sabir_core::{Call, Clock, Error, ErrorKind, Foreseen, Layer, Reply, Request, Result, Service, Shared, Stage};

use self::followed::Followed;
pub use crate::circuit::State;
use crate::circuit::{Circuit, Rules, Verdict};
use crate::{PerPlace, Place, RuntimeClock, watch};

/// Stops calling a [`Place`] that fails, and looks from time to time whether it has recovered.
///
/// | state | calls | until |
/// |---|---|---|
/// | closed | pass | half of at least 10 calls within 30 s failed |
/// | open | are refused at once: `Overloaded`, never sent, with the time left as [`Error::retry_after`] | 10 s have passed, doubled after each probe that fails, up to 2 min |
/// | half open | one passes, to see; others are refused | it answers or a stream tells something: closed; it fails: open |
///
/// | setting | default | |
/// |---|---|---|
/// | [`opens_at`](Self::opens_at) | 10 calls, 0.5 of them, 30 s | the window slides by a tenth of itself |
/// | [`open_for`](Self::open_for) | 10 s, at most 2 min | |
/// | [`probes`](Self::probes) | 1 | as many must succeed |
/// | [`count_rate_limits`](Self::count_rate_limits) | no | a rate limit says that the place is well |
///
/// What counts as failed is the provider's doing: `Network`, `Timeout`, `Overloaded`, `Provider`, `Truncated` and
/// `Decode`, in place of an answer or in the middle of a stream. What the caller does counts neither way: a request
/// that is wrong, a key that is not known, a call that is dropped, which frees its probe. Nor do refusals by other
/// policies below (overload and rate limits of what was never sent).
///
/// ```
/// use std::time::Duration;
/// use sabir_core::{Layer, Shared};
/// use sabir_layers::Breaker;
///
/// fn guarded(provider: Shared) -> (Shared, Breaker) {
///     let breaker = Breaker::default()
///         .opens_at(20, 0.8, Duration::from_secs(60))
///         .on_change(|place, state| eprintln!("{place}: {state:?}"));
///     // What it knows is in the value: kept, it tells of all that it guards.
///     (breaker.apply(provider), breaker)
/// }
/// # let breaker = Breaker::default();
/// for (place, state) in breaker.states() {
///     println!("{place}: {state:?}");
/// }
/// ```
#[derive(Clone)]
pub struct Breaker {
    rules: Rules,
    rate_limits: bool,
    circuits: PerPlace<Circuit>,
    on_change: Option<Arc<OnChange>>,
    clock: Arc<dyn Clock>,
}

type OnChange = dyn Fn(&Place, State) + Send + Sync;

impl Default for Breaker {
    fn default() -> Self {
        let rules = Rules {
            calls: 10,
            ratio: 0.5,
            window: Duration::from_secs(30),
            open: Duration::from_secs(10),
            longest: Duration::from_secs(120),
            probes: 1,
        };
        Self {
            rules,
            rate_limits: false,
            circuits: PerPlace::default(),
            on_change: None,
            clock: Arc::new(RuntimeClock::default()),
        }
    }
}

impl Breaker {
    /// Sets when it opens: where there were at least so many calls within the window and so large a share of them
    /// failed.
    #[must_use]
    pub fn opens_at(mut self, calls: u32, share: f64, window: Duration) -> Self {
        (self.rules.calls, self.rules.ratio, self.rules.window) = (calls, share, window);
        self
    }

    /// Sets for how long it is open, and for how long at most where the place does not recover.
    #[must_use]
    pub fn open_for(mut self, first: Duration, longest: Duration) -> Self {
        (self.rules.open, self.rules.longest) = (first, longest);
        self
    }

    /// Sets how many calls pass at once while it is half open, all of which must succeed for it to close. At least 1.
    #[must_use]
    pub fn probes(mut self, probes: u32) -> Self {
        self.rules.probes = probes.max(1);
        self
    }

    /// Sets whether a rate limit of the provider counts as a failure.
    #[must_use]
    pub fn count_rate_limits(mut self, count: bool) -> Self {
        self.rate_limits = count;
        self
    }

    /// Sets whom to tell of changes. It is called where the change happens, so it should be quick.
    #[must_use]
    pub fn on_change(mut self, tell: impl Fn(&Place, State) + Send + Sync + 'static) -> Self {
        self.on_change = Some(Arc::new(tell));
        self
    }

    /// Sets the clock; the runtime's otherwise.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The state of every place that was called.
    pub fn states(&self) -> Vec<(Place, State)> {
        let now = self.clock.now();
        self.circuits.all().into_iter().map(|(place, circuit)| (place, circuit.state(now))).collect()
    }

    fn verdict(&self, error: &Error) -> Verdict {
        use ErrorKind::{Decode, Network, Overloaded, Provider, RateLimit, Timeout, Truncated};
        let sent = error.stage() != Stage::NotSent;
        match error.kind() {
            Network | Timeout | Provider | Truncated | Decode => Verdict::Bad,
            Overloaded if sent => Verdict::Bad,
            RateLimit if sent && self.rate_limits => Verdict::Bad,
            _ => Verdict::Neither,
        }
    }

    fn tell(&self, place: &Place, change: Option<State>) {
        if let (Some(state), Some(tell)) = (change, &self.on_change) {
            tell(place, state);
        }
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("rules", &self.rules).field("clock", &self.clock).finish_non_exhaustive()
    }
}

impl Layer for Breaker {
    fn apply(&self, inner: Shared) -> Shared {
        Shared::new(Breaking { breaker: Arc::new(self.clone()), inner })
    }

    fn foresee(&self, mut attempts: Vec<Foreseen>) -> BoxFuture<'_, Vec<Foreseen>> {
        let states = self.states();
        for attempt in &mut attempts {
            let place = Place::of(&attempt.call, &attempt.request);
            let state = states.iter().find(|(known, _)| *known == place).map(|(_, state)| state);
            if let Some(State::Open { .. }) = state {
                let message = format!("the breaker of {place} is open: it failed too often of late");
                attempt.judged("breaker", Vec::new(), Some(Error::new(ErrorKind::Overloaded, message)));
            }
        }
        Box::pin(std::future::ready(attempts))
    }
}

#[derive(Debug)]
struct Breaking {
    breaker: Arc<Breaker>,
    inner: Shared,
}

impl Service for Breaking {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        let breaker = &self.breaker;
        let (place, circuit) = breaker.circuits.of(call, request, Circuit::default);
        let (pass, change) = circuit.admit(&breaker.rules, breaker.clock.now());
        breaker.tell(&place, change);
        let pass = pass.map_err(|refusal| refusal.error(&place))?;
        let mut followed = Followed::new(breaker.clone(), circuit, place, pass);
        match self.inner.call(call, request).await {
            Ok(reply) => Ok(watch(reply, followed)),
            Err(error) => {
                followed.over(breaker.verdict(&error));
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests;
