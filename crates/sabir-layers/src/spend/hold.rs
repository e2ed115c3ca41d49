//! What a call holds of its purses: the one place where money is reserved and given back.

use std::sync::Arc;
use std::time::Duration;

use sabir_core::Result;
use sabir_store::{Answer, Cell, Rule, Store, Taken};

use super::purse::Purse;

/// What a call holds, from before it is sent to its end. It is settled once; one that is dropped unsettled counts whole,
/// as of when it was taken.
#[derive(Debug)]
pub(super) struct Hold {
    store: Arc<dyn Store>,
    purses: Arc<[Arc<Purse>]>,
    /// One of each purse, in their order, and then what was taken besides; empty where nothing is held.
    cells: Vec<Cell>,
    /// Which purse the cells are of that were taken besides.
    besides: Vec<usize>,
    /// When it was taken.
    taken: Duration,
}

/// What was not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Short {
    /// Which purse, by its place.
    pub(super) purse: usize,
    /// How long until it would be, as the store says.
    pub(super) wait: Duration,
}

impl Hold {
    /// Of nothing yet.
    pub(super) fn new(store: Arc<dyn Store>, purses: Arc<[Arc<Purse>]>) -> Self {
        Self { store, purses, cells: Vec::new(), besides: Vec::new(), taken: Duration::ZERO }
    }

    /// Takes these amounts from the purses, all or none: of each purse by its place.
    pub(super) async fn take(
        &mut self,
        amount: impl Fn(usize) -> u64,
        now: Duration,
    ) -> Result<std::result::Result<(), Short>> {
        if self.purses.is_empty() {
            return Ok(Ok(()));
        }
        let mut taking = Taking::new(&self.purses, amount);
        let taken = self.store.take(&mut taking.cells, now).get().await?;
        Ok(self.took(taking.done_if(taken == Taken::All), taken, now))
    }

    /// Takes as [`Hold::take`] does, where the store answers at once; `None` where it does not, or has too little: then
    /// nothing was taken.
    pub(super) fn take_at_once(&mut self, amount: impl Fn(usize) -> u64, now: Duration) -> Option<()> {
        if self.purses.is_empty() {
            return Some(());
        }
        let mut taking = Taking::new(&self.purses, amount);
        let Answer::Now(Ok(Taken::All)) = self.store.take(&mut taking.cells, now) else { return None };
        self.took(taking.done_if(true), Taken::All, now).ok()
    }

    fn took(&mut self, cells: Vec<Cell>, taken: Taken, now: Duration) -> std::result::Result<(), Short> {
        match taken {
            Taken::All => {
                self.taken = now;
                self.add(cells);
                Ok(())
            }
            Taken::Short { cell, wait } => Err(Short { purse: cell, wait }),
            // A store knows nothing else.
            _ => Err(Short { purse: 0, wait: Duration::ZERO }),
        }
    }

    /// Takes over what was taken of the same purses, in the same order, besides.
    pub(super) fn absorb(&mut self, mut more: Self) {
        let count = more.purses.len();
        let besides = std::mem::take(&mut more.besides);
        let cells = std::mem::take(&mut more.cells);
        for (at, cell) in cells.into_iter().enumerate() {
            self.put(at.checked_sub(count).map_or(at, |at| besides[at]), cell);
        }
    }

    fn add(&mut self, cells: Vec<Cell>) {
        if self.cells.is_empty() {
            self.cells = cells;
        } else {
            cells.into_iter().enumerate().for_each(|(at, cell)| self.put(at, cell));
        }
    }

    fn put(&mut self, purse: usize, cell: Cell) {
        // Of the same piece of the same window: one take, so that a long stream holds no more of them than pieces.
        let same = (0..self.cells.len()).find(|at| self.of(*at) == purse && self.cells[*at].mark == cell.mark);
        if let Some(at) = same {
            self.cells[at].amount = self.cells[at].amount.saturating_add(cell.amount);
        } else {
            self.cells.push(cell);
            self.besides.push(purse);
        }
    }

    /// Which purse a cell is of.
    fn of(&self, cell: usize) -> usize {
        cell.checked_sub(self.purses.len()).map_or(cell, |at| self.besides[at])
    }

    pub(super) fn purses(&self) -> &[Arc<Purse>] {
        &self.purses
    }

    pub(super) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// More of the same purses, of which nothing is taken yet.
    pub(super) fn again(&self) -> Self {
        Self::new(self.store.clone(), self.purses.clone())
    }

    /// Says what was really spent, of each purse by its place. What is left over is there again at once.
    pub(super) fn settle(&mut self, spent: impl Fn(usize) -> u64, now: Duration) {
        if self.besides.is_empty() {
            // Nearly always: one take of each purse.
            let (purses, cells) = (self.purses.iter(), self.cells.iter());
            cells.enumerate().for_each(|(at, cell)| put_back(&*self.store, cell, spent(at), now));
            purses.zip(&self.cells).for_each(|(purse, cell)| purse.release(cell.amount));
            return self.cells.clear();
        }
        for purse in 0..self.purses.len().min(self.cells.len()) {
            let mut rest = spent(purse);
            let mut next = Some(purse);
            while let Some(at) = next {
                next = (at.max(self.purses.len() - 1) + 1..self.cells.len()).find(|at| self.of(*at) == purse);
                let cell = &self.cells[at];
                let used = if next.is_none() { rest } else { rest.min(cell.amount) };
                rest -= used;
                put_back(&*self.store, cell, used, now);
            }
        }
        self.forget();
    }

    /// After the store has it: so what is spent never looks like more than it is.
    fn forget(&mut self) {
        for at in 0..self.cells.len() {
            self.purses[self.of(at)].release(self.cells[at].amount);
        }
        self.cells.clear();
        self.besides.clear();
    }
}

fn put_back(store: &dyn Store, cell: &Cell, used: u64, now: Duration) {
    // What slides counts from its settlement on.
    if used != cell.amount || matches!(cell.rule, Rule::Rolling { .. }) {
        store.settle(cell, used, now);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.cells.is_empty() {
            return;
        }
        let mut all = vec![0_u64; self.purses.len()];
        for (at, cell) in self.cells.iter().enumerate() {
            let sum = &mut all[self.of(at)];
            *sum = sum.saturating_add(cell.amount);
        }
        self.settle(|purse| all[purse], self.taken);
    }
}

/// Counts as reserved before it is taken, so that what is spent never looks like more than it is.
struct Taking {
    purses: Arc<[Arc<Purse>]>,
    cells: Vec<Cell>,
}

impl Taking {
    fn new(purses: &Arc<[Arc<Purse>]>, amount: impl Fn(usize) -> u64) -> Self {
        let cell = |(at, purse): (usize, &Arc<Purse>)| {
            let amount = amount(at);
            purse.reserve(amount);
            purse.cell(amount)
        };
        Self { purses: purses.clone(), cells: purses.iter().enumerate().map(cell).collect() }
    }

    /// The cells, which count as reserved on where they were taken.
    fn done_if(mut self, is_taken: bool) -> Vec<Cell> {
        if is_taken { std::mem::take(&mut self.cells) } else { Vec::new() }
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        self.purses.iter().zip(&self.cells).for_each(|(purse, cell)| purse.release(cell.amount));
    }
}
