use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasherDefault;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sabir_core::{Error, ErrorKind, Result, Stage};

use crate::key::Hashed;
use crate::rate::nanos;
use crate::rolling::Rolling;
use crate::{Answer, Cell, Key, Rule, Store, Taken};

// The same lock, which `scripts/test model` walks through every order of threads.
#[cfg(sabir_model)]
use loom::sync::{Mutex, MutexGuard};
#[cfg(not(sabir_model))]
use std::sync::{Mutex, MutexGuard};

/// Cells in this process. Clones are the same store.
///
/// At most a million keys (or [`Memory::with_keys`]) are held at once. A cell that is full again, or whose window is
/// over, is the same as one that was never there, and so it is forgotten without harm. Where that many are in use, a
/// take of yet another one is an error: forgetting one that is in use would let more through than its rule.
#[derive(Clone)]
pub struct Memory(Arc<Mutex<State>>);

struct State {
    cells: HashMap<Key, Held, BuildHasherDefault<Hashed>>,
    most: usize,
    /// At how many keys to look for idle ones again: each look is paid for by as many new keys.
    sweep_at: usize,
    /// Not before then, so that a full store does not look at every take.
    sweep_after: u64,
}

#[derive(Clone)]
enum Held {
    /// When it is full.
    Full(u64),
    Total {
        used: u64,
        until: u64,
    },
    Rolling(Box<Rolling>),
}

const MOST: usize = 1_000_000;
const FIRST_SWEEP: usize = 1_024;
const SECOND: u64 = 1_000_000_000;

impl Memory {
    /// A store that holds at most so many keys.
    pub fn with_keys(most: usize) -> Self {
        let state = State { cells: HashMap::default(), most, sweep_at: FIRST_SWEEP.min(most), sweep_after: 0 };
        Self(Arc::new(Mutex::new(state)))
    }

    /// How many keys are held.
    pub fn len(&self) -> usize {
        self.state().cells.len()
    }

    /// Whether no key is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::with_keys(MOST)
    }
}

impl Store for Memory {
    fn take<'a>(&'a self, cells: &'a mut [Cell], now: Duration) -> Answer<'a, Taken> {
        Answer::Now(self.state().take(cells, nanos(now)))
    }

    fn settle(&self, cell: &Cell, used: u64, now: Duration) {
        self.state().settle(cell, used, nanos(now));
    }

    fn used<'a>(&'a self, cell: &'a Cell, now: Duration) -> Answer<'a, u64> {
        Answer::Now(Ok(self.state().cells.get(&cell.key).map_or(0, |held| held.used(cell.rule, nanos(now)))))
    }
}

impl State {
    /// Takes from one after the other. Where one has too little, those before it get back what they gave.
    fn take(&mut self, cells: &mut [Cell], now: u64) -> Result<Taken> {
        for at in 0..cells.len() {
            let cell = &mut cells[at];
            let taken = if let Some(held) = self.cells.get_mut(&cell.key) {
                held.take(cell, now)
            } else {
                let mut held = Held::new(cell.rule);
                let taken = held.take(cell, now);
                if taken.is_ok() {
                    if let Err(full) = self.make_room(now) {
                        self.undo(&cells[..at]);
                        return Err(full);
                    }
                    self.cells.insert(cells[at].key.clone(), held);
                }
                taken
            };
            if let Err(wait) = taken {
                self.undo(&cells[..at]);
                return Ok(self.longest(cells, at, wait, now));
            }
        }
        Ok(Taken::All)
    }

    fn undo(&mut self, cells: &[Cell]) {
        for cell in cells {
            if let Some(held) = self.cells.get_mut(&cell.key) {
                held.undo(cell);
            }
        }
    }

    /// Which of the cells makes wait longest, where the one at `first` is the first that does.
    fn longest(&self, cells: &mut [Cell], first: usize, wait: u64, now: u64) -> Taken {
        let mut longest = (first, wait);
        for (at, cell) in cells.iter_mut().enumerate().skip(first + 1) {
            let mut held = self.cells.get(&cell.key).cloned().unwrap_or(Held::new(cell.rule));
            if let Err(wait) = held.take(cell, now)
                && wait > longest.1
            {
                longest = (at, wait);
            }
        }
        Taken::Short { cell: longest.0, wait: Duration::from_nanos(longest.1) }
    }

    fn settle(&mut self, cell: &Cell, used: u64, now: u64) {
        if let Some(held) = self.cells.get_mut(&cell.key) {
            held.settle(cell, used, now);
        } else if used > cell.amount {
            let mut held = Held::new(cell.rule);
            held.settle(cell, used, now);
            // Of a store that is full, one late correction is lost; it was told so by errors already.
            if self.make_room(now).is_ok() {
                self.cells.insert(cell.key.clone(), held);
            }
        }
    }

    /// Makes sure that one more key can be held.
    fn make_room(&mut self, now: u64) -> Result<()> {
        if self.cells.len() < self.sweep_at {
            return Ok(());
        }
        if now >= self.sweep_after {
            self.cells.retain(|_, held| !held.is_idle(now));
            self.sweep_at = (self.cells.len() * 2).clamp(FIRST_SWEEP, self.most.max(FIRST_SWEEP)).min(self.most);
            self.sweep_after = now.saturating_add(SECOND);
        }
        if self.cells.len() < self.most {
            self.sweep_at = self.sweep_at.max(self.cells.len() + 1);
            return Ok(());
        }
        let message =
            format!("the store holds {} keys, all in use, and may hold no more: give it more room", self.most);
        Err(Error::new(ErrorKind::Overloaded, message).with_stage(Stage::NotSent))
    }
}

impl Held {
    fn new(rule: Rule) -> Self {
        match rule {
            Rule::Rate(_) => Self::Full(0),
            Rule::Total { until, .. } => Self::Total { used: 0, until: nanos(until) },
            Rule::Rolling { .. } => Self::Rolling(Box::default()),
        }
    }

    /// Takes, and marks the cell; else how long to wait.
    fn take(&mut self, cell: &mut Cell, now: u64) -> std::result::Result<(), u64> {
        match (cell.rule, self) {
            (Rule::Rate(rate), Self::Full(full)) => {
                *full = rate.take(*full, cell.amount, now)?;
                cell.mark = *full;
            }
            (Rule::Total { most, .. }, Self::Total { used, until }) => {
                if *until <= now {
                    *used = 0;
                }
                let sum = used.saturating_add(cell.amount);
                if sum > most {
                    return Err(until.saturating_sub(now).max(1));
                }
                (*used, cell.mark) = (sum, *until);
            }
            (Rule::Rolling { most, window }, Self::Rolling(rolling)) => return rolling.take(cell, most, window, now),
            // One key with rules of two kinds: as if it had just been made.
            (rule, held) => {
                *held = Self::new(rule);
                return held.take(cell, now);
            }
        }
        Ok(())
    }

    /// Nothing came between the take and this: the cell is as it was, or as full.
    fn undo(&mut self, cell: &Cell) {
        match (cell.rule, self) {
            (Rule::Rate(rate), Self::Full(full)) => *full = rate.settle(*full, cell.amount, 0, cell.mark, 0),
            (_, Self::Total { used, .. }) => *used = used.saturating_sub(cell.amount),
            (_, Self::Rolling(rolling)) => rolling.undo(cell),
            _ => {}
        }
    }

    fn settle(&mut self, cell: &Cell, really: u64, now: u64) {
        match (cell.rule, self) {
            (Rule::Rate(rate), Self::Full(full)) => {
                *full = rate.settle(*full, cell.amount, really, cell.mark, now);
            }
            (Rule::Total { .. }, Self::Total { used, .. }) => {
                *used = used.saturating_sub(cell.amount).saturating_add(really);
            }
            (Rule::Rolling { window, .. }, Self::Rolling(rolling)) => rolling.settle(cell, window, really, now),
            _ => {}
        }
    }

    fn used(&self, rule: Rule, now: u64) -> u64 {
        match (rule, self) {
            (Rule::Rate(rate), Self::Full(full)) => rate.missing(*full, now),
            (Rule::Total { .. }, Self::Total { used, until }) if *until > now => *used,
            (Rule::Rolling { window, .. }, Self::Rolling(rolling)) => rolling.used(window, now),
            _ => 0,
        }
    }

    fn is_idle(&self, now: u64) -> bool {
        match self {
            Self::Full(full) => *full <= now,
            Self::Total { until, .. } => *until <= now,
            Self::Rolling(rolling) => rolling.is_idle(now),
        }
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("keys", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rate;

    const MINUTE: Duration = Duration::from_secs(60);

    fn take(store: &Memory, cells: &mut [Cell], now: Duration) -> Taken {
        store.take(cells, now).now().expect("here").expect("room")
    }

    fn rate(key: &str, amount: u64, units: u64) -> Cell {
        Cell::rate(key, Rate::new(amount, MINUTE, amount), units)
    }

    #[test]
    fn all_or_none_and_the_longest_wait() {
        let store = Memory::default();
        assert_eq!(take(&store, &mut [rate("a", 60, 60)], Duration::ZERO), Taken::All);
        let mut cells = [rate("b", 60, 10), rate("a", 60, 1), rate("c", 60, 5)];
        let short = Taken::Short { cell: 1, wait: Duration::from_secs(1) };
        assert_eq!(take(&store, &mut cells, Duration::ZERO), short);
        assert_eq!(take(&store, &mut [rate("b", 60, 60), rate("c", 60, 60)], Duration::ZERO), Taken::All);
        let short = Taken::Short { cell: 0, wait: Duration::from_secs(10) };
        assert_eq!(take(&store, &mut cells, Duration::ZERO), short);
    }

    #[test]
    fn a_total_grows_until_its_window_is_over() {
        let store = Memory::default();
        let cell = |amount| Cell::total("spent", 100, MINUTE, amount);
        let mut first = [cell(80)];
        assert_eq!(take(&store, &mut first, Duration::ZERO), Taken::All);
        assert_eq!(take(&store, &mut [cell(21)], Duration::ZERO), Taken::Short { cell: 0, wait: MINUTE });
        store.settle(&first[0], 30, Duration::ZERO);
        assert_eq!(take(&store, &mut [cell(70)], Duration::from_secs(59)), Taken::All);
        assert_eq!(
            take(&store, &mut [cell(1)], Duration::from_secs(59)),
            Taken::Short { cell: 0, wait: Duration::from_secs(1) }
        );
        assert_eq!(take(&store, &mut [cell(1)], MINUTE), Taken::All, "a new window");
    }

    #[test]
    fn what_is_used_can_be_seen() {
        let store = Memory::default();
        let mut cells = [rate("a", 60, 10), Cell::total("b", 100, MINUTE, 20), Cell::rolling("c", 100, MINUTE, 30)];
        let used = |cells: &[Cell], now| {
            cells.iter().map(|cell| store.used(cell, now).now().expect("here").expect("a number")).collect::<Vec<_>>()
        };
        assert_eq!(used(&cells, Duration::ZERO), [0, 0, 0]);
        assert_eq!(take(&store, &mut cells, Duration::ZERO), Taken::All);
        assert_eq!(used(&cells, Duration::ZERO), [10, 20, 30]);
        let mut short = cells.clone();
        short[2].amount = 71;
        assert!(matches!(take(&store, &mut short, Duration::ZERO), Taken::Short { cell: 2, .. }));
        assert_eq!(used(&cells, Duration::ZERO), [10, 20, 30], "all or none");
        for cell in &cells {
            store.settle(cell, 5, Duration::ZERO);
        }
        assert_eq!(used(&cells, Duration::ZERO), [5, 5, 5]);
        assert_eq!(used(&cells, 3 * MINUTE), [0, 0, 0]);
    }

    #[test]
    fn a_cell_that_was_forgotten_still_takes_what_was_used_beyond() {
        let store = Memory::default();
        let mut cells = [rate("a", 60, 1)];
        take(&store, &mut cells, Duration::ZERO);
        store.state().cells.clear();
        store.settle(&cells[0], 0, MINUTE);
        assert!(store.is_empty(), "what is full has nothing to get back");
        store.settle(&cells[0], 61, MINUTE);
        let short = Taken::Short { cell: 0, wait: Duration::from_secs(1) };
        assert_eq!(take(&store, &mut [rate("a", 60, 1)], MINUTE), short);
    }

    #[test]
    fn idle_keys_are_forgotten_and_busy_ones_are_not() {
        let store = Memory::with_keys(2_000);
        for key in 0..2_000 {
            take(&store, &mut [rate(&format!("old {key}"), 60, 60)], Duration::ZERO);
        }
        let mut one_more = [rate("new", 60, 1), rate("newer", 60, 1)];
        let refused = store.take(&mut one_more, Duration::from_secs(59)).now().expect("here").expect_err("full");
        assert_eq!((refused.kind(), refused.stage()), (ErrorKind::Overloaded, Stage::NotSent));
        assert_eq!(store.len(), 2_000);
        assert_eq!(take(&store, &mut one_more, 2 * MINUTE), Taken::All);
        assert_eq!(store.len(), 2);
        let small = Memory::with_keys(1);
        assert!(small.take(&mut one_more, Duration::ZERO).now().expect("here").is_err());
        assert_eq!(
            take(&small, &mut [rate("new", 60, 60)], Duration::ZERO),
            Taken::All,
            "the half that was taken is back"
        );
    }
}
