//! What is counted of the calls of one kind to one model of one provider.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sabir_core::chat::{Attempt, Cached, ChatResponse, Usage};
use sabir_core::{Error, ErrorKind, Stage};

use super::histogram::{Histogram, Seen};

/// How a call came out, as far as it is counted.
#[derive(Debug)]
#[non_exhaustive]
pub enum Came<'a> {
    /// With an answer.
    Answer(&'a ChatResponse),
    /// With something that is no conversation: vectors, an order, a count.
    Other(&'a Usage),
    /// With an error.
    Failed(&'a Error),
    /// The caller went away.
    Dropped,
}

impl Came<'_> {
    /// The attempts that failed on the way.
    pub fn attempts(&self) -> &[Attempt] {
        match self {
            Self::Answer(response) => &response.attempts,
            Self::Failed(error) => error.attempts(),
            Self::Other(_) | Self::Dropped => &[],
        }
    }

    /// What was used, as far as it is known.
    pub fn usage(&self) -> Option<&Usage> {
        match self {
            Self::Answer(response) => Some(&response.usage),
            Self::Other(usage) => Some(usage),
            Self::Failed(error) => error.partial().map(|partial| &partial.usage),
            Self::Dropped => None,
        }
    }

    /// The kind of error that it ended with; a caller who left has cancelled.
    pub fn error(&self) -> Option<ErrorKind> {
        match self {
            Self::Failed(error) => Some(error.kind()),
            Self::Dropped => Some(ErrorKind::Cancelled),
            Self::Answer(_) | Self::Other(_) => None,
        }
    }
}

/// The buckets of [`Usage`], by name.
pub(super) fn buckets(usage: &Usage) -> [(&'static str, Option<u64>); 10] {
    [
        ("input", usage.input),
        ("cache_read", usage.cache_read),
        ("cache_write", usage.cache_write),
        ("cache_write_1h", usage.cache_write_1h),
        ("audio_input", usage.audio_input),
        ("image_input", usage.image_input),
        ("output", usage.output),
        ("reasoning", usage.reasoning),
        ("audio_output", usage.audio_output),
        ("image_output", usage.image_output),
    ]
}

#[derive(Debug, Default)]
pub(super) struct Series {
    pub(super) in_flight: AtomicI64,
    pub(super) duration: Histogram,
    pub(super) first: Histogram,
    pub(super) between: Histogram,
    input: Histogram,
    output: Histogram,
    tokens: [AtomicU64; 10],
    nano_usd: AtomicU64,
    unpriced: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    errors: Kinds,
    retries: Kinds,
    fallbacks: AtomicU64,
    limit_hits: AtomicU64,
}

impl Series {
    pub(super) fn ended(&self, came: &Came<'_>, took: Duration) {
        self.duration.time(took);
        if let Some(kind) = came.error() {
            self.errors.add(kind);
        }
        if let Came::Failed(error) = came
            && (error.kind(), error.stage()) == (ErrorKind::RateLimit, Stage::NotSent)
        {
            self.limit_hits.fetch_add(1, Relaxed);
        }
        for attempt in came.attempts() {
            self.retries.add(attempt.kind);
        }
        if let Came::Answer(response) = came {
            self.answered(response);
        }
        let Some(usage) = came.usage() else { return };
        for ((_, tokens), sum) in buckets(usage).into_iter().zip(&self.tokens) {
            sum.fetch_add(tokens.unwrap_or(0), Relaxed);
        }
        for (histogram, tokens) in [(&self.input, usage.input_total()), (&self.output, usage.output_total())] {
            if let Some(tokens) = tokens {
                histogram.add(tokens, 1);
            }
        }
    }

    fn answered(&self, response: &ChatResponse) {
        match &response.cost {
            Some(cost) => self.nano_usd.fetch_add(cost.nano_usd, Relaxed),
            None => self.unpriced.fetch_add(1, Relaxed),
        };
        match response.cached {
            Some(Cached::Hit { .. }) => drop(self.hits.fetch_add(1, Relaxed)),
            Some(_) => drop(self.misses.fetch_add(1, Relaxed)),
            None => {}
        }
        let elsewhere = |attempt: &Attempt| attempt.provider != response.provider;
        if response.attempts.last().is_some_and(elsewhere) {
            self.fallbacks.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn count(&self) -> Counted {
        let (duration, first, between) = (self.duration.seen(), self.first.seen(), self.between.seen());
        Counted {
            calls: duration.count(),
            in_flight: u64::try_from(self.in_flight.load(Relaxed)).unwrap_or(0),
            errors: self.errors.all(),
            retries: self.retries.all(),
            fallbacks: self.fallbacks.load(Relaxed),
            limit_hits: self.limit_hits.load(Relaxed),
            cache_hits: self.hits.load(Relaxed),
            cache_misses: self.misses.load(Relaxed),
            tokens: buckets(&Usage::default())
                .iter()
                .zip(&self.tokens)
                .map(|((name, _), sum)| (*name, sum.load(Relaxed)))
                .filter(|(_, sum)| *sum > 0)
                .collect(),
            nano_usd: self.nano_usd.load(Relaxed),
            unpriced: self.unpriced.load(Relaxed),
            duration: Percentiles::of(&duration),
            first_event: Percentiles::of(&first),
            between_events: Percentiles::of(&between),
            seen: [duration, first, between, self.input.seen(), self.output.seen()],
        }
    }
}

/// Errors by their kind. Rare enough for a lock.
#[derive(Debug, Default)]
struct Kinds(Mutex<BTreeMap<&'static str, u64>>);

impl Kinds {
    fn add(&self, kind: ErrorKind) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(kind.as_str()).or_default() += 1;
    }

    fn all(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What was counted so far.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Counted {
    /// Calls that are over, however they ended.
    pub calls: u64,
    /// Calls that are not over.
    pub in_flight: u64,
    /// Calls that ended in an error, by its kind; what the caller left is `cancelled`.
    pub errors: BTreeMap<&'static str, u64>,
    /// Attempts that failed before another one was made, by the kind of their error.
    pub retries: BTreeMap<&'static str, u64>,
    /// Calls that another provider answered than the one that failed before.
    pub fallbacks: u64,
    /// Calls that a limit of ours refused; those that waited for one and went on are not among them.
    pub limit_hits: u64,
    /// Answers that came from the cache.
    pub cache_hits: u64,
    /// Answers that were not in it.
    pub cache_misses: u64,
    /// Tokens by bucket of [`Usage`]; those of which there were none are left out.
    pub tokens: BTreeMap<&'static str, u64>,
    /// What the answers cost whose cost is known, in nano-dollars.
    pub nano_usd: u64,
    /// Answers whose cost is not known: they are not in `nano_usd`.
    pub unpriced: u64,
    /// How long calls took.
    pub duration: Percentiles,
    /// How long streams took to their first event.
    pub first_event: Percentiles,
    /// How long it was from one event of a stream to the next.
    pub between_events: Percentiles,
    /// Duration, first event, between events, tokens in, tokens out.
    pub(super) seen: [Seen; 5],
}

impl Counted {
    /// Both together.
    pub(super) fn plus(mut self, other: &Self) -> Self {
        let by_kind =
            [(&mut self.errors, &other.errors), (&mut self.retries, &other.retries), (&mut self.tokens, &other.tokens)];
        for (mine, theirs) in by_kind {
            for (kind, n) in theirs {
                *mine.entry(kind).or_default() += n;
            }
        }
        for (mine, theirs) in self.seen.iter_mut().zip(&other.seen) {
            mine.add(theirs);
        }
        let [duration, first, between, ..] = &self.seen;
        Self {
            calls: self.calls + other.calls,
            in_flight: self.in_flight + other.in_flight,
            fallbacks: self.fallbacks + other.fallbacks,
            limit_hits: self.limit_hits + other.limit_hits,
            cache_hits: self.cache_hits + other.cache_hits,
            cache_misses: self.cache_misses + other.cache_misses,
            nano_usd: self.nano_usd.saturating_add(other.nano_usd),
            unpriced: self.unpriced + other.unpriced,
            duration: Percentiles::of(duration),
            first_event: Percentiles::of(first),
            between_events: Percentiles::of(between),
            ..self
        }
    }
}

/// How long something took: for half of all cases, for all but five in a hundred, for all but one in a hundred; within
/// 1/16. `None` where there was none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentiles {
    /// The median.
    pub p50: Option<Duration>,
    /// The 95th percentile.
    pub p95: Option<Duration>,
    /// The 99th percentile.
    pub p99: Option<Duration>,
}

impl Percentiles {
    fn of(seen: &Seen) -> Self {
        Self { p50: seen.time(0.5), p95: seen.time(0.95), p99: seen.time(0.99) }
    }
}
