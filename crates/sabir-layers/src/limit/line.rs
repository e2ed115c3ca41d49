use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Who waits at a gate, by when they came: a ticket is older the lower it is.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// As many as stand in it, to be read without its lock.
    length: AtomicUsize,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    by_ticket: BTreeMap<u64, (Arc<Notify>, u64)>,
    /// What all of them need.
    units: u64,
}

impl Line {
    pub(super) fn is_empty(&self) -> bool {
        self.length.load(Ordering::SeqCst) == 0
    }

    pub(super) fn len(&self) -> usize {
        self.length.load(Ordering::SeqCst)
    }

    /// Whether somebody waits who came before this one.
    pub(super) fn has_older(&self, ticket: u64) -> bool {
        !self.is_empty() && self.waiting().by_ticket.first_key_value().is_some_and(|(first, _)| *first < ticket)
    }

    /// What those need who came before this one: all of them, in the usual case that this one is the newest.
    pub(super) fn units(&self) -> u64 {
        if self.is_empty() { 0 } else { self.waiting().units }
    }

    /// Stands in line, unless there are as many as may.
    pub(super) fn join(&self, ticket: u64, notify: Arc<Notify>, units: u64, most: usize) -> bool {
        let mut waiting = self.waiting();
        if waiting.by_ticket.len() >= most {
            return false;
        }
        waiting.units = waiting.units.saturating_add(units);
        waiting.by_ticket.insert(ticket, (notify, units));
        self.length.store(waiting.by_ticket.len(), Ordering::SeqCst);
        true
    }

    /// Leaves the line, and wakes who is first now.
    pub(super) fn leave(&self, ticket: u64) {
        let mut waiting = self.waiting();
        if let Some((_, units)) = waiting.by_ticket.remove(&ticket) {
            waiting.units = waiting.units.saturating_sub(units);
        }
        self.length.store(waiting.by_ticket.len(), Ordering::SeqCst);
        waiting.wake(None);
    }

    /// Wakes who is first, unless it is the one who says so: there may be room.
    pub(super) fn wake(&self, but: Option<u64>) {
        if !self.is_empty() {
            self.waiting().wake(but);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn wake(&self, but: Option<u64>) {
        if let Some((first, (notify, _))) = self.by_ticket.first_key_value()
            && Some(*first) != but
        {
            notify.notify_one();
        }
    }
}
