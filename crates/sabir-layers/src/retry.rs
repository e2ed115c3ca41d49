//! Trying again.

use std::sync::Arc;
use std::time::Duration;

use sabir_core::{Call, Clock, Error, ErrorKind, Layer, Reply, Request, Result, Service, Shared, Stage};

use crate::allowance::{Allowance, Purse};
use crate::attempts::{note, tell};
use crate::preceded::with_event;
use crate::random::Random;
use crate::{Backoff, PerPlace, RuntimeClock};

/// Tries a call again where that can help: where [`Error::is_retryable`] says so (a time limit, a full or broken
/// provider, a limit that passes; never a quota that is used up or a request that is wrong), after a [`Backoff`] or
/// after the time that the provider asks for, and only as often as it can be afforded.
///
/// | setting | default | |
/// |---|---|---|
/// | [`attempts`](Self::attempts) | 3 | tries in all |
/// | [`backoff`](Self::backoff) | 100 ms to 2 s, doubled | drawn anew between nothing and that |
/// | [`longest_hint`](Self::longest_hint) | 60 s | asked to wait longer, it gives the error back at once |
/// | [`retry_maybe_sent`](Self::retry_maybe_sent) | yes | what may have reached the provider, too |
/// | [`budget`](Self::budget) | 0.2 a call, and 10 | retries of one provider; without any left, errors pass |
///
/// A stream is tried again as long as it has told nothing: its first item is awaited here, and where that is an error,
/// no caller has seen anything of it. After the first event errors pass. Each try sees its number in
/// [`Call::attempt`]; what failed is told in [`ChatResponse::attempts`](sabir_core::chat::ChatResponse::attempts) or
/// [`Error::attempts`].
///
/// A request that may have been sent and has no answer may be paid for twice when it is sent again, and answered but
/// once: it changes nothing at the provider, so it is by default. What was never sent, and what the provider refused
/// with an error status, costs nothing and is always sent again.
///
/// Below it belongs what every try must pass anew (breaker, limits, budgets, time limits), above it what chooses other
/// places: with a route above, a short [`longest_hint`](Self::longest_hint) lets it turn to another provider instead
/// of waiting for this one.
///
/// ```
/// use std::time::Duration;
/// use sabir_core::{Layer, Shared};
/// use sabir_layers::{Backoff, Retry};
///
/// fn patient(provider: Shared) -> Shared {
///     let backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(20));
///     Retry::default().attempts(6).backoff(backoff).budget(0.5, 100).apply(provider)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Retry {
    attempts: u32,
    backoff: Backoff,
    longest_hint: Duration,
    maybe_sent: bool,
    allowance: Allowance,
    purses: PerPlace<Purse>,
    random: Arc<Random>,
    clock: Arc<dyn Clock>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 3,
            backoff: Backoff::default(),
            // What the official SDKs of OpenAI and Anthropic obey at most.
            longest_hint: Duration::from_secs(60),
            maybe_sent: true,
            allowance: Allowance::new(0.2, 10),
            purses: PerPlace::default(),
            random: Arc::default(),
            clock: Arc::new(RuntimeClock::default()),
        }
    }
}

impl Retry {
    /// Sets how often a call is made in all. 1, and 0, try nothing again.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets how long to wait where the provider does not say.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Sets the longest time that a provider may ask to wait ([`Error::retry_after`]). It is waited for in full; where
    /// it is longer, the error is given back instead.
    #[must_use]
    pub fn longest_hint(mut self, longest: Duration) -> Self {
        self.longest_hint = longest;
        self
    }

    /// Sets whether to send again what may have reached the provider, or broke off in the middle of its answer: it may
    /// be paid for twice.
    #[must_use]
    pub fn retry_maybe_sent(mut self, retry: bool) -> Self {
        self.maybe_sent = retry;
        self
    }

    /// Sets how many retries a provider is burdened with: over any stretch of time at most `share` of its calls (to
    /// the thousandth) and `reserve` more. A share of as much as there are attempts never runs out. Begins anew.
    #[must_use]
    pub fn budget(mut self, share: f64, reserve: u32) -> Self {
        self.allowance = Allowance::new(share, reserve);
        self.purses = PerPlace::default();
        self
    }

    /// Draws the same waits in every run: for tests.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.random = Arc::new(Random::seeded(seed));
        self
    }

    /// Sets the clock; the runtime's otherwise.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// How long to wait before trying again, after so many retries; `None` where this error is the last.
    fn wait(&self, error: &Error, retries: u32, purse: &Purse) -> Option<Duration> {
        let hint = error.retry_after().unwrap_or_default();
        let may = error.is_retryable()
            && error.kind() != ErrorKind::Quota
            && (self.maybe_sent || costs_nothing(error))
            && retries.saturating_add(1) < self.attempts
            && hint <= self.longest_hint
            && purse.spend();
        may.then(|| hint.max(self.backoff.wait(retries, &self.random)))
    }
}

/// Whether what ended in this error is certain not to be paid for.
fn costs_nothing(error: &Error) -> bool {
    match error.stage() {
        Stage::NotSent => true,
        Stage::Answered => error.status().is_some_and(|status| !status.is_success()),
        _ => false,
    }
}

impl Layer for Retry {
    fn apply(&self, inner: Shared) -> Shared {
        Shared::new(Retrying { retry: self.clone(), inner })
    }
}

#[derive(Debug)]
struct Retrying {
    retry: Retry,
    inner: Shared,
}

impl Service for Retrying {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        let retry = &self.retry;
        let purse = retry.purses.of_provider(call, || retry.allowance.purse());
        purse.earn(retry.allowance);
        let (mut again, mut retries, mut failed) = (None, 0, Vec::new());
        loop {
            let this = again.as_ref().unwrap_or(call);
            let error = match self.inner.call(this, request).await {
                Ok(reply) => match with_event(reply).await {
                    Ok(reply) => return Ok(tell(reply, failed)),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            let Some(wait) = retry.wait(&error, retries, &purse) else {
                return Err(error.with_attempts(failed));
            };
            note(&mut failed, this, request.model(), &error);
            drop(error);
            retry.clock.sleep(wait).await;
            retries += 1;
            again.get_or_insert_with(|| call.clone()).attempt += 1;
        }
    }
}

#[cfg(test)]
mod tests;
