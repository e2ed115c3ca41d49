use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sabir_core::{Call, Error, ErrorKind, Request, Result, Stage};
use sabir_store::{Cell, Filter, Rule};
use tokio::sync::OnceCell;

use super::Budget;

#[cfg(sabir_model)]
use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
#[cfg(not(sabir_model))]
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A budget and its purses.
#[derive(Debug)]
pub(super) struct Fund {
    pub(super) budget: Budget,
    id: String,
    purses: Mutex<HashMap<String, Arc<Purse>>>,
}

/// More purses than any budget has that is meant: who invents names must not fill the memory.
const MOST: usize = 100_000;

/// How long a window's purse is kept after its end: a stream that goes on then is of the window that it began in.
const LATE: Duration = Duration::from_secs(3_600);

/// What one window of one purse has, as far as this process knows of it. What is spent is the store's to know.
#[derive(Debug)]
pub(super) struct Purse {
    /// Of whom; empty where all share one.
    pub(super) name: String,
    /// Of which nothing is taken, to ask how much is.
    pub(super) level: Cell,
    pub(super) from: Duration,
    /// `None` where the window slides.
    pub(super) until: Option<Duration>,
    /// Nano-dollars that calls under way hold.
    reserved: AtomicU64,
    /// When it was last asked for, in seconds since 1970.
    asked: AtomicU64,
    /// How many of the budget's alerts were told.
    told: AtomicUsize,
    /// Its rows in the ledger.
    pub(super) rows: (Filter, Option<String>),
    /// Whether what was spent before this process began is in the store.
    pub(super) loaded: OnceCell<()>,
}

impl Fund {
    pub(super) fn new(budget: Budget, number: usize, prefix: &str) -> Self {
        let id = format!("{prefix}budget:{}", budget.id(number));
        Self { budget, id, purses: Mutex::default() }
    }

    /// The purse of a call in the window of this time; `None` for a budget that has no purses.
    ///
    /// # Errors
    /// Where there are too many already.
    pub(super) fn purse(&self, call: &Call, request: &Request, now: Duration) -> Result<Option<Arc<Purse>>> {
        let Some(window) = &self.budget.window else { return Ok(None) };
        let name = self.budget.scope.purse(call, request);
        let mut purses = self.purses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(purse) = purses.get(&name).filter(|purse| purse.is_of(now)) {
            purse.touch(now);
            return Ok(Some(purse.clone()));
        }
        if purses.len() >= MOST && !purses.contains_key(&name) {
            // Nobody spends of the others, and their window is over.
            purses.retain(|_, purse| Arc::strong_count(purse) > 1 || !purse.is_over(now));
            if purses.len() >= MOST {
                let message =
                    format!("the budget of {} has {MOST} purses and may have no more: tell fewer apart", self.budget);
                return Err(Error::new(ErrorKind::Overloaded, message).with_stage(Stage::NotSent));
            }
        }
        let (from, until) = window.around(now);
        let start = until.map_or_else(|| "sliding".to_owned(), |_| from.as_secs().to_string());
        let most = if self.budget.is_hard() { self.budget.most.0 } else { u64::MAX };
        let rule = match (until, window.span()) {
            (Some(until), _) => Rule::Total { most, until: until.saturating_add(LATE) },
            (None, span) => Rule::Rolling { most, window: span.unwrap_or_default() },
        };
        let purse = Arc::new(Purse {
            level: Cell { key: format!("{}:{start}:{name}", self.id).into(), rule, amount: 0, mark: 0 },
            from,
            until,
            reserved: AtomicU64::new(0),
            asked: AtomicU64::new(now.as_secs()),
            told: AtomicUsize::new(0),
            rows: self.budget.scope.rows(call, request),
            loaded: OnceCell::new(),
            name: name.clone(),
        });
        purses.insert(name, purse.clone());
        Ok(Some(purse))
    }

    /// All purses whose window is open, in the order of their names.
    pub(super) fn open(&self, now: Duration) -> Vec<Arc<Purse>> {
        let purses = self.purses.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open: Vec<_> = purses.values().filter(|purse| purse.is_of(now)).cloned().collect();
        open.sort_by(|a, b| a.name.cmp(&b.name));
        open
    }
}

impl Purse {
    fn is_of(&self, now: Duration) -> bool {
        self.until.is_none_or(|until| (self.from..until).contains(&now))
    }

    /// It is asked for.
    pub(super) fn touch(&self, now: Duration) {
        self.asked.store(now.as_secs(), Ordering::Relaxed);
    }

    /// Whether nothing that was spent of it still counts.
    fn is_over(&self, now: Duration) -> bool {
        let span = match self.level.rule {
            // And a piece.
            Rule::Rolling { window, .. } => window.saturating_mul(2),
            _ => return !self.is_of(now),
        };
        Duration::from_secs(self.asked.load(Ordering::Relaxed)).saturating_add(span) < now
    }

    /// A take of so much from it.
    pub(super) fn cell(&self, amount: u64) -> Cell {
        Cell { amount, ..self.level.clone() }
    }

    /// How long until something comes back by itself; `None` where nothing ever does.
    pub(super) fn wait(&self, stated: Duration, now: Duration) -> Option<Duration> {
        match self.until {
            Some(until) => Some(until.saturating_sub(now)),
            None => Some(stated).filter(|wait| *wait < Duration::from_nanos(u64::MAX)),
        }
    }

    pub(super) fn reserved(&self) -> u64 {
        self.reserved.load(Ordering::Acquire)
    }

    pub(super) fn reserve(&self, amount: u64) {
        self.reserved.fetch_add(amount, Ordering::AcqRel);
    }

    pub(super) fn release(&self, amount: u64) {
        self.reserved.fetch_sub(amount, Ordering::AcqRel);
    }

    /// Which of these percentages of a budget are now reached for the first time, by their place. One that slides may
    /// fall below them again.
    pub(super) fn reached(&self, percent: &[u8], most: u64, spent: u64) -> std::ops::Range<usize> {
        let is_reached = |percent: &u8| u128::from(spent) * 100 >= u128::from(most) * u128::from(*percent);
        let now = percent.iter().take_while(|percent| is_reached(percent)).count();
        let before = if self.until.is_some() {
            self.told.fetch_max(now, Ordering::AcqRel)
        } else {
            self.told.swap(now, Ordering::AcqRel)
        };
        before.min(now)..now
    }
}
