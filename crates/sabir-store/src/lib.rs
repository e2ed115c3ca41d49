//! Where what several calls share is kept: what of a limit is used up, what of a budget is spent.
//!
//! A [`Store`] holds [`Cell`]s by key. A cell is a rate that refills ([`Rate`], for limits), a total that only grows until
//! it is over ([`Rule::Total`], for budgets of a day) or one that slides ([`Rule::Rolling`], for budgets of any 24 hours). A
//! call takes from all of its cells or from none, and
//! settles later what it really used. [`Memory`] keeps them in this process and is the default; a store that several
//! processes share implements the same methods.
//!
//! A [`Ledger`] keeps what was spent, a row for each attempt. A [`RequestLog`] keeps what a server was asked and how that
//! ended, a row for each request.
//!
//! ```
//! use std::time::Duration;
//! use sabir_store::{Cell, Memory, Rate, Store, Taken};
//!
//! let store = Memory::default();
//! let minute = Duration::from_secs(60);
//! let mut cells = [Cell::rate("tokens", Rate::new(6_000, minute, 6_000), 4_000)];
//! assert_eq!(store.take(&mut cells, Duration::ZERO).now().unwrap().unwrap(), Taken::All);
//! // 1,000 were enough: the rest is there again, and another 4,000 can be had at once.
//! store.settle(&cells[0], 1_000, Duration::ZERO);
//! assert_eq!(store.take(&mut cells, Duration::ZERO).now().unwrap().unwrap(), Taken::All);
//! // 5,000 of 6,000 are used: 3,000 are missing, at 100 a second.
//! let short = Taken::Short { cell: 0, wait: Duration::from_secs(30) };
//! assert_eq!(store.take(&mut cells, Duration::ZERO).now().unwrap().unwrap(), short);
//! ```

mod key;
mod ledger;
mod memory;
mod rate;
mod requests;
mod rolling;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::fmt::Debug;
use std::time::Duration;

use sabir_core::Result;
use sabir_core::transport::BoxFuture;

pub use key::Key;
pub use ledger::{Dimension, Ended, Filter, Group, Ledger, MemoryLedger, Opened, Outcome, Spent};
pub use memory::Memory;
pub use rate::Rate;
pub use requests::{RequestLog, RequestRow};
#[cfg(feature = "sqlite")]
pub use sqlite::{Health, Sqlite, SqliteRequests};

/// Keeps cells.
pub trait Store: Debug + Send + Sync + 'static {
    /// Takes from every cell what it says, or nothing from any of them, as one step that no other take comes between.
    ///
    /// `now` is the caller's clock, and every take and settlement of one key must use the same one. A store that several
    /// processes share uses the clock of its server instead. What a future had taken when it was dropped unfinished may
    /// stay taken.
    ///
    /// # Errors
    /// Where the store cannot be asked, or holds as many keys as it may: nothing was taken.
    fn take<'a>(&'a self, cells: &'a mut [Cell], now: Duration) -> Answer<'a, Taken>;

    /// Says what was really used of a cell that was taken from, once: what is left over goes back, what was used beyond
    /// it is taken now, also where the cell has no room for it.
    ///
    /// It is called where a call is dropped, and so it must not wait: a store that is elsewhere sends it on its way, and
    /// what becomes of it is the store's own affair.
    fn settle(&self, cell: &Cell, used: u64, now: Duration);

    /// How much of a cell is taken now, whatever amount it says itself.
    ///
    /// # Errors
    /// Where the store cannot be asked.
    fn used<'a>(&'a self, cell: &'a Cell, now: Duration) -> Answer<'a, u64>;
}

/// One thing that is limited, and how much of it one call takes.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The key: cells of one key are one cell, and share one rule.
    pub key: Key,
    /// How it fills.
    pub rule: Rule,
    /// How much is taken.
    pub amount: u64,
    /// Written by the store when it takes, for it to know the take by when it is settled. Of a rate: when what was taken
    /// has flowed off, in nanoseconds of the clock; what has flowed off cannot be given back.
    pub mark: u64,
}

/// How a cell fills.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Rule {
    /// All the time, up to a burst.
    Rate(Rate),
    /// Never, until its window is over. The window's name belongs into the key, so that the next one begins anew.
    Total {
        /// The most that may be taken.
        most: u64,
        /// When the window is over and the cell is forgotten.
        until: Duration,
    },
    /// What is taken counts until it is settled, what was used then until it is older than the window: in no span of that
    /// length more than `most` is used. A take of it must be settled, also where all of it was used.
    Rolling {
        /// The most that may be taken in any window.
        most: u64,
        /// How long the window is.
        window: Duration,
    },
}

/// What became of a take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Taken {
    /// Everything was taken.
    All,
    /// Nothing was taken.
    Short {
        /// The number of the cell with the longest wait.
        cell: usize,
        /// How long until it would have enough, if nobody else took from it. For a total: until its window is over.
        wait: Duration,
    },
}

/// An answer that is here already, or comes: what is in memory needs no future.
pub enum Answer<'a, T> {
    /// It is here.
    Now(Result<T>),
    /// It comes.
    Later(BoxFuture<'a, Result<T>>),
}

impl<T> Answer<'_, T> {
    /// The answer, where it is here.
    pub fn now(self) -> Option<Result<T>> {
        match self {
            Self::Now(answer) => Some(answer),
            Self::Later(_) => None,
        }
    }

    /// Waits for the answer.
    ///
    /// # Errors
    /// As the method that gave it.
    pub async fn get(self) -> Result<T> {
        match self {
            Self::Now(answer) => answer,
            Self::Later(answer) => answer.await,
        }
    }
}

impl<T: Debug> Debug for Answer<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Now(answer) => f.debug_tuple("Now").field(answer).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}

impl Cell {
    /// A cell that refills.
    pub fn rate(key: impl Into<Key>, rate: Rate, amount: u64) -> Self {
        Self { key: key.into(), rule: Rule::Rate(rate), amount, mark: 0 }
    }

    /// A cell of a window that is over at `until`.
    pub fn total(key: impl Into<Key>, most: u64, until: Duration, amount: u64) -> Self {
        Self { key: key.into(), rule: Rule::Total { most, until }, amount, mark: 0 }
    }

    /// A cell of a window that slides.
    pub fn rolling(key: impl Into<Key>, most: u64, window: Duration, amount: u64) -> Self {
        Self { key: key.into(), rule: Rule::Rolling { most, window }, amount, mark: 0 }
    }
}
