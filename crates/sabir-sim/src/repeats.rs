//! Requests that were sent before: by their `Idempotency-Key` they are answered again and not counted.

use std::collections::{HashMap, VecDeque};

use crate::script::Turn;

/// How many keys are remembered; the oldest goes.
const KEPT: usize = 65_536;
/// The longest key that is looked at, in bytes. UUIDs have 36.
const LONGEST: usize = 255;

/// What requests with a key were answered by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repeats {
    turns: HashMap<String, Turn>,
    order: VecDeque<String>,
    times: u64,
}

impl Repeats {
    /// The turn that answered this key before.
    pub(crate) fn of(&mut self, key: &str) -> Option<Turn> {
        let turn = self.turns.get(key)?.clone();
        self.times += 1;
        Some(turn)
    }

    /// Remembers the turn of a key. One that failed is not remembered: who tries again wants another answer.
    pub(crate) fn keep(&mut self, key: &str, turn: &Turn) {
        if turn.error.is_some() || !turn.faults.is_empty() || key.len() > LONGEST {
            return;
        }
        if self.order.len() == KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.turns.remove(&oldest);
        }
        if self.turns.insert(key.to_owned(), turn.clone()).is_none() {
            self.order.push_back(key.to_owned());
        }
    }

    /// How many requests came again.
    pub(crate) fn times(&self) -> u64 {
        self.times
    }
}
