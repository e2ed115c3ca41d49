//! One key of a pool, and what has become of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sabir_core::{Key, Secret};

/// A key as it is given to a pool.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PoolKey {
    /// The key and its name.
    pub key: Key,
    /// Its share of the calls, for the rotations that know shares; 1 unless set. 0 keeps it for when no other is left.
    pub weight: u32,
}

impl PoolKey {
    /// A key under the name by which limits, metrics and states speak of it.
    pub fn new(name: impl Into<String>, secret: impl Into<Secret>) -> Self {
        Self { key: Key { name: name.into(), secret: secret.into() }, weight: 1 }
    }

    /// Sets its share of the calls.
    #[must_use]
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }
}

/// A name and a key.
impl<N: Into<String>, S: Into<Secret>> From<(N, S)> for PoolKey {
    fn from((name, secret): (N, S)) -> Self {
        Self::new(name, secret)
    }
}

impl From<Key> for PoolKey {
    fn from(key: Key) -> Self {
        Self { key, weight: 1 }
    }
}

/// How a key of a pool is, without the key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyState {
    /// Its name.
    pub name: String,
    /// Its share of the calls.
    pub weight: u32,
    /// Calls that use it now.
    pub in_flight: usize,
    /// Calls that have used it since it is in the pool.
    pub calls: u64,
    /// What the provider said when it refused the key; such a key is not used until it is restored or replaced.
    pub drained: Option<String>,
    /// The models that it rests for, and how long still; the name is empty where it rests for all.
    pub rests: Vec<(String, Duration)>,
}

/// The most models that one key rests for: a caller who invents models must not fill the memory.
const MOST_RESTS: usize = 256;

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) key: Key,
    pub(super) weight: u32,
    /// What it is owed of the calls: see [`Rotation`](super::Rotation).
    pub(super) credit: i64,
    pub(super) calls: u64,
    pub(super) drained: Option<String>,
    in_flight: Arc<AtomicUsize>,
    /// Until when it rests, by model.
    rests: Vec<(String, Duration)>,
}

impl Slot {
    pub(super) fn new(key: PoolKey) -> Self {
        let in_flight = Arc::default();
        Self { key: key.key, weight: key.weight, credit: 0, calls: 0, drained: None, in_flight, rests: Vec::new() }
    }

    /// Lends the key to a call.
    pub(super) fn lend(&mut self) -> Lease {
        self.calls = self.calls.saturating_add(1);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Lease { key: self.key.clone(), in_flight: self.in_flight.clone() }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// When it may be asked for a model; `None` where it may now.
    pub(super) fn rests_until(&self, model: &str, now: Duration) -> Option<Duration> {
        let for_it = self.rests.iter().filter(|(of, until)| (of.is_empty() || of == model) && *until > now);
        for_it.map(|(_, until)| *until).max()
    }

    /// Lets it rest for a model, or, without a name, for all.
    pub(super) fn rest(&mut self, model: &str, until: Duration, now: Duration) {
        self.rests.retain(|(of, before)| *before > now && !(of == model && *before <= until));
        if self.rests.len() < MOST_RESTS {
            self.rests.push((model.to_owned(), until));
        }
    }

    pub(super) fn wake(&mut self) {
        self.rests.clear();
    }

    pub(super) fn state(&self, now: Duration) -> KeyState {
        let left = |(of, until): &(String, Duration)| Some((of.clone(), until.checked_sub(now)?));
        KeyState {
            name: self.key.name.clone(),
            weight: self.weight,
            in_flight: self.in_flight(),
            calls: self.calls,
            drained: self.drained.clone(),
            rests: self.rests.iter().filter_map(left).filter(|(_, left)| !left.is_zero()).collect(),
        }
    }
}

/// Puts a key in its place: that of its namesake, if there is one, else the last. What is known of the same key, here
/// or among the old ones, stays known.
pub(super) fn put(slots: &mut Vec<Slot>, old: &mut Vec<Slot>, key: PoolKey) {
    let here = slots.iter().position(|slot| slot.key.name == key.key.name);
    let same = |slot: &Slot| slot.key == key.key;
    let known = match here.filter(|at| same(&slots[*at])) {
        Some(at) => Some(slots.remove(at)),
        None => old.iter().position(same).map(|at| old.swap_remove(at)),
    };
    let weight = key.weight;
    let mut slot = known.unwrap_or_else(|| Slot::new(key));
    (slot.weight, slot.drained) = (weight, None);
    let at = here.unwrap_or(slots.len());
    if slots.get(at).is_some_and(|there| there.key.name == slot.key.name) {
        slots[at] = slot;
    } else {
        slots.insert(at, slot);
    }
}

/// A key in use. Whatever becomes of the pool, the call has its own copy.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) key: Key,
    in_flight: Arc<AtomicUsize>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
