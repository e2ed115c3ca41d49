use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

use sabir_core::chat::ChatRequest;

use crate::text::{Measure, Texts};
use crate::{Count, ModelId};

/// Shorter texts are counted sooner than they are found.
const WORTH_KEEPING: usize = 64;

/// Counts requests, and remembers the texts that it has counted: a prompt that is sent again costs its hash.
///
/// It keeps no text, only 128 bits of a keyed hash and the count, and no more of them than it is told; what was not asked
/// for longest is forgotten. It may be shared.
#[derive(Debug)]
pub struct Counter {
    kept: Mutex<Kept>,
    most: usize,
    keys: [RandomState; 2],
}

#[derive(Debug, Default)]
struct Kept {
    counts: HashMap<(u128, Measure), (Count, u64)>,
    /// By when they were last asked for.
    order: BTreeMap<u64, (u128, Measure)>,
    asked: u64,
    found: u64,
}

impl Default for Counter {
    /// Remembers 4,096 texts, about 600 kB.
    fn default() -> Self {
        Self::new(4096)
    }
}

impl Counter {
    /// A counter that remembers this many texts.
    pub fn new(most: usize) -> Self {
        Self { kept: Mutex::default(), most, keys: [RandomState::new(), RandomState::new()] }
    }

    /// The tokens of a request, as [`count`](crate::count()).
    pub fn count(&self, request: &ChatRequest, model: &ModelId) -> Count {
        crate::request::with(request, model, self)
    }

    /// How many texts were asked for, and how many of them were remembered.
    pub fn asked_and_found(&self) -> (u64, u64) {
        let kept = self.kept();
        (kept.asked, kept.found)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        // A count is written whole or not at all, so that one who panicked has broken nothing.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Texts for Counter {
    fn count(&self, measure: Measure, text: &str) -> Count {
        if text.len() < WORTH_KEEPING || self.most == 0 {
            return measure.count(text);
        }
        let [high, low] = [&self.keys[0], &self.keys[1]].map(|key| u128::from(key.hash_one(text)));
        let key = (high << 64 | low, measure);
        if let Some(count) = self.kept().find(key) {
            return count;
        }
        // Not under the lock: others may look in the meantime.
        let count = measure.count(text);
        self.kept().keep(key, count, self.most);
        count
    }
}

impl Kept {
    fn find(&mut self, key: (u128, Measure)) -> Option<Count> {
        self.asked += 1;
        let now = self.asked;
        let (count, last) = self.counts.get_mut(&key)?;
        self.order.remove(last);
        *last = now;
        self.order.insert(now, key);
        self.found += 1;
        Some(*count)
    }

    fn keep(&mut self, key: (u128, Measure), count: Count, most: usize) {
        self.asked += 1;
        if let Some((_, last)) = self.counts.insert(key, (count, self.asked)) {
            self.order.remove(&last);
        }
        self.order.insert(self.asked, key);
        if self.counts.len() > most
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.counts.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(n: usize) -> String {
        format!("{n} {}", "a text that is worth keeping ".repeat(3))
    }

    #[test]
    fn what_is_remembered_is_what_was_counted_and_never_more_than_told() {
        let counter = Counter::new(2);
        let model = ModelId::new("openai", "gpt-4o");
        let ask = |n| counter.count(&ChatRequest::new("m").user(text(n)), &model);
        let first = ask(1);
        let found = |counter: &Counter| counter.kept().found;
        assert_eq!((ask(1), found(&counter)), (first, 1));
        ask(2);
        ask(1);
        ask(3);
        assert_eq!(counter.kept().counts.len(), 2);
        assert_eq!(counter.kept().order.len(), 2);
        let before = found(&counter);
        assert_eq!(ask(1), first);
        assert_eq!(found(&counter), before + 1, "it was asked for lately, and so the other one is forgotten");
        ask(2);
        assert_eq!(found(&counter), before + 1);
        assert_eq!(first, crate::count(&ChatRequest::new("m").user(text(1)), &model));
    }
}
