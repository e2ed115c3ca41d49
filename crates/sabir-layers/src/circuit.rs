//! What a breaker knows of one place: a state machine that is told the time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sabir_core::{Error, ErrorKind, Stage};

use crate::Place;
use crate::window::Window;

/// Whether calls of a place are let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// They are.
    Closed,
    /// They are not.
    Open {
        /// For how long they have not been.
        since: Duration,
        /// How long until one is let through to try.
        left: Duration,
    },
    /// A few are, to see whether the place has recovered.
    HalfOpen,
}

/// When a circuit opens and closes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) calls: u32,
    pub(crate) ratio: f64,
    pub(crate) window: Duration,
    pub(crate) open: Duration,
    pub(crate) longest: Duration,
    pub(crate) probes: u32,
}

/// A call that was let through. It belongs to the time in which it began: what comes of it when the state has changed
/// since says nothing about the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pass {
    pub(crate) era: u64,
    pub(crate) is_probe: bool,
}

/// What came of a call, as far as it is the place's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    Bad,
    /// Not the place's doing, or not known.
    Neither,
}

/// Why a call is not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) since: Duration,
    /// Nothing is known while others try.
    pub(crate) left: Option<Duration>,
}

impl Refusal {
    pub(crate) fn error(self, place: &Place) -> Error {
        // A probe takes about as long as a call.
        const PROBE: Duration = Duration::from_secs(1);
        let then = match self.left {
            Some(left) => format!("the next one is let through in {left:.1?}"),
            None => "one that tries it is under way".to_owned(),
        };
        let message = format!("the breaker of {place} is open since {:.1?}: too many calls failed; {then}", self.since);
        Error::new(ErrorKind::Overloaded, message)
            .with_stage(Stage::NotSent)
            .with_retry_after(self.left.unwrap_or(PROBE))
            .with_provider(&place.provider)
            .with_model(&place.model)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Circuit(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Counts the changes.
    era: u64,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Closed(Window),
    /// `tries`: how often it was half open since it was closed.
    Open {
        since: Duration,
        until: Duration,
        tries: u32,
    },
    HalfOpen {
        since: Duration,
        tries: u32,
        running: u32,
        passed: u32,
    },
}

impl Default for Phase {
    fn default() -> Self {
        Self::Closed(Window::default())
    }
}

impl Circuit {
    /// Lets a call through, or says why not. With the new state where that changed.
    pub(crate) fn admit(&self, rules: &Rules, now: Duration) -> (Result<Pass, Refusal>, Option<State>) {
        let mut inner = self.lock();
        let mut changed = None;
        if let Phase::Open { since, until, tries } = inner.phase
            && now >= until
        {
            inner.turn(Phase::HalfOpen { since, tries: tries.saturating_add(1), running: 0, passed: 0 });
            changed = Some(State::HalfOpen);
        }
        let era = inner.era;
        let answer = match &mut inner.phase {
            Phase::Closed(_) => Ok(Pass { era, is_probe: false }),
            Phase::Open { since, until, .. } => {
                Err(Refusal { since: now.saturating_sub(*since), left: Some(until.saturating_sub(now)) })
            }
            Phase::HalfOpen { running, passed, .. } if *running + *passed < rules.probes.max(1) => {
                *running += 1;
                Ok(Pass { era, is_probe: true })
            }
            Phase::HalfOpen { since, .. } => Err(Refusal { since: now.saturating_sub(*since), left: None }),
        };
        (answer, changed)
    }

    /// Notes what came of a call. A probe becomes an ordinary call by that, of the time that it began if any. With the
    /// new state where that changed.
    pub(crate) fn settle(&self, rules: &Rules, now: Duration, pass: &mut Pass, verdict: Verdict) -> Option<State> {
        let mut inner = self.lock();
        let was_probe = std::mem::take(&mut pass.is_probe);
        if pass.era != inner.era {
            return None;
        }
        let next = match &mut inner.phase {
            Phase::Closed(window) => {
                match verdict {
                    Verdict::Good => window.count(rules.window, now, false),
                    Verdict::Bad => window.count(rules.window, now, true),
                    Verdict::Neither => return None,
                }
                let (all, bad) = window.sums();
                if verdict == Verdict::Good || all < f64::from(rules.calls) || bad < rules.ratio * all {
                    return None;
                }
                Phase::Open { since: now, until: now.saturating_add(rules.open), tries: 0 }
            }
            Phase::HalfOpen { since, tries, running, passed } if was_probe => {
                *running = running.saturating_sub(1);
                match verdict {
                    Verdict::Bad => {
                        let longer = rules.open.saturating_mul(1_u32.checked_shl(*tries).unwrap_or(u32::MAX));
                        let until = now.saturating_add(longer.min(rules.longest.max(rules.open)));
                        Phase::Open { since: *since, until, tries: *tries }
                    }
                    Verdict::Good => {
                        *passed += 1;
                        if *passed < rules.probes {
                            return None;
                        }
                        Phase::default()
                    }
                    Verdict::Neither => return None,
                }
            }
            _ => return None,
        };
        inner.turn(next);
        pass.era = inner.era;
        Some(inner.state(now))
    }

    pub(crate) fn state(&self, now: Duration) -> State {
        self.lock().state(now)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn turn(&mut self, phase: Phase) {
        self.era += 1;
        self.phase = phase;
    }

    fn state(&self, now: Duration) -> State {
        match self.phase {
            Phase::Closed(_) => State::Closed,
            Phase::Open { since, until, .. } if now < until => {
                State::Open { since: now.saturating_sub(since), left: until.saturating_sub(now) }
            }
            // Whoever comes next is let through.
            Phase::Open { .. } | Phase::HalfOpen { .. } => State::HalfOpen,
        }
    }
}
