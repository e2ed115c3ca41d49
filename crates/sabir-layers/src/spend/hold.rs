//! What a call holds of its purses: the one place where money is reserved and given back.

use std::sync::Arc;
use std::time::Duration;

use sabir_core::Result;
use sabir_store::{Cell, Rule, Store, Taken};

use super::purse::Purse;

/// What a call holds, from before it is sent to its end. It is settled once; one that is dropped unsettled counts whole,
/// as of when it was taken.
#[derive(Debug)]
pub(super) struct Hold {
    store: Arc<dyn Store>,
    purses: Vec<Arc<Purse>>,
    /// Of each purse at least one.
    cells: Vec<Cell>,
    /// Which purse each cell is of.
    of: Vec<usize>,
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
    pub(super) fn new(store: Arc<dyn Store>, purses: Vec<Arc<Purse>>) -> Self {
        Self { store, purses, cells: Vec::new(), of: Vec::new(), taken: Duration::ZERO }
    }

    /// Takes these amounts from the purses, all or none.
    pub(super) async fn take(&mut self, amounts: &[u64], now: Duration) -> Result<std::result::Result<(), Short>> {
        if self.purses.is_empty() {
            return Ok(Ok(()));
        }
        let taking = Taking::new(&self.purses, amounts);
        let mut cells: Vec<Cell> = self.purses.iter().zip(amounts).map(|(purse, amount)| purse.cell(*amount)).collect();
        match self.store.take(&mut cells, now).get().await? {
            Taken::All => {
                taking.done();
                self.taken = now;
                self.add(cells);
                Ok(Ok(()))
            }
            Taken::Short { cell, wait } => Ok(Err(Short { purse: cell, wait })),
            // A store knows nothing else.
            _ => Ok(Err(Short { purse: 0, wait: Duration::ZERO })),
        }
    }

    /// Takes over what was taken of the same purses, in the same order, besides.
    pub(super) fn absorb(&mut self, mut more: Self) {
        let (cells, of) = (std::mem::take(&mut more.cells), std::mem::take(&mut more.of));
        for (at, cell) in of.into_iter().zip(cells) {
            self.put(at, cell);
        }
    }

    fn add(&mut self, cells: Vec<Cell>) {
        if self.cells.is_empty() {
            self.of = (0..cells.len()).collect();
            self.cells = cells;
        } else {
            cells.into_iter().enumerate().for_each(|(at, cell)| self.put(at, cell));
        }
    }

    fn put(&mut self, at: usize, cell: Cell) {
        // Of the same piece of the same window: one take, so that a long stream holds no more of them than pieces.
        let same = self.of.iter().zip(&mut self.cells).find(|(of, held)| **of == at && held.mark == cell.mark);
        if let Some((_, held)) = same {
            held.amount = held.amount.saturating_add(cell.amount);
        } else {
            self.cells.push(cell);
            self.of.push(at);
        }
    }

    pub(super) fn purses(&self) -> &[Arc<Purse>] {
        &self.purses
    }

    pub(super) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Says what was really spent, of each purse by its place. What is left over is there again at once.
    pub(super) fn settle(&mut self, spent: impl Fn(usize) -> u64, now: Duration) {
        let mut rest: Vec<u64> = (0..self.purses.len()).map(spent).collect();
        for at in 0..self.cells.len() {
            let (cell, of) = (&self.cells[at], self.of[at]);
            let is_last = !self.of[at + 1..].contains(&of);
            let used = if is_last { rest[of] } else { rest[of].min(cell.amount) };
            rest[of] -= used;
            // What slides counts from its settlement on.
            if used != cell.amount || matches!(cell.rule, Rule::Rolling { .. }) {
                self.store.settle(cell, used, now);
            }
        }
        self.forget();
    }

    /// After the store has it: so what is spent never looks like more than it is.
    fn forget(&mut self) {
        for (cell, of) in self.cells.drain(..).zip(self.of.drain(..)) {
            self.purses[of].release(cell.amount);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let of =
            |purse| self.cells.iter().zip(&self.of).filter(move |(_, of)| **of == purse).map(|(cell, _)| cell.amount);
        let all: Vec<u64> = (0..self.purses.len()).map(|purse| of(purse).fold(0, u64::saturating_add)).collect();
        self.settle(|purse| all[purse], self.taken);
    }
}

/// Counts as reserved before it is taken, so that what is spent never looks like more than it is.
struct Taking<'a> {
    purses: &'a [Arc<Purse>],
    amounts: &'a [u64],
}

impl<'a> Taking<'a> {
    fn new(purses: &'a [Arc<Purse>], amounts: &'a [u64]) -> Self {
        purses.iter().zip(amounts).for_each(|(purse, amount)| purse.reserve(*amount));
        Self { purses, amounts }
    }

    fn done(self) {
        std::mem::forget(self);
    }
}

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        self.purses.iter().zip(self.amounts).for_each(|(purse, amount)| purse.release(*amount));
    }
}
