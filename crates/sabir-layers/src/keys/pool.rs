//! The keys of one provider, and which of them is next.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sabir_core::{Clock, Error, ErrorKind, Key, Stage};

use super::rotation::Rotation;
use super::slot::{KeyState, Lease, PoolKey, Slot, put};
use crate::RuntimeClock;

/// Several keys of one provider, changed at run time. Clones are the same pool.
///
/// | what the provider answers | the key | the call |
/// |---|---|---|
/// | 401 or 403 for a key that it does not know (`Authentication`) | drained: not used until it is restored or replaced | goes to the next key |
/// | `Permission`: the key may not do this | stays | goes to the next key |
/// | `RateLimit` with a time to wait | rests so long for this model | goes to the next key |
/// | `RateLimit` without one | stays | goes to the next key |
/// | `Quota` | rests for all models, so long as the provider says, else a minute | goes to the next key |
/// | anything else | stays | ends with it |
///
/// A call tries no key twice, and no more than 16. Where no key is left, it ends with the last error; where none could
/// be tried, with `RateLimit` and the time until the first one is ready, or `Authentication` where all are drained.
/// Once a stream has begun its key is judged by how it ends, and the call is not made again.
#[derive(Clone)]
pub struct KeyPool {
    slots: Arc<Mutex<Vec<Slot>>>,
    rotation: Rotation,
    clock: Arc<dyn Clock>,
    on_drain: Option<Arc<OnDrain>>,
}

type OnDrain = dyn Fn(&str, &Error) + Send + Sync;

/// How long a key rests whose account is used up, where the provider does not say.
const QUOTA_REST: Duration = Duration::from_secs(60);

impl KeyPool {
    /// A pool of these keys. Where two have the same name, the later one counts.
    pub fn new<K: Into<PoolKey>>(keys: impl IntoIterator<Item = K>) -> Self {
        let pool = Self {
            slots: Arc::default(),
            rotation: Rotation::default(),
            clock: Arc::new(RuntimeClock::default()),
            on_drain: None,
        };
        pool.replace(keys);
        pool
    }

    /// Sets how a key is chosen; each in its turn otherwise.
    #[must_use]
    pub fn rotation(mut self, rotation: Rotation) -> Self {
        self.rotation = rotation;
        self
    }

    /// Sets the clock; the runtime's otherwise.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Is told the name of a key that is drained, and the provider's error: to raise an alarm, or to fetch a new key.
    /// Called once for each, in the middle of the call that found out, so that it must not block.
    #[must_use]
    pub fn on_drain(mut self, tell: impl Fn(&str, &Error) + Send + Sync + 'static) -> Self {
        self.on_drain = Some(Arc::new(tell));
        self
    }

    /// Puts other keys in the place of all. Calls under way keep theirs. A key that was there, with the same secret,
    /// keeps its counts and its rests; one that was drained is used again.
    pub fn replace<K: Into<PoolKey>>(&self, keys: impl IntoIterator<Item = K>) {
        let keys: Vec<PoolKey> = keys.into_iter().map(Into::into).collect();
        let mut slots = self.slots();
        let mut old = std::mem::take(&mut *slots);
        for key in keys {
            put(&mut slots, &mut old, key);
        }
    }

    /// Adds a key, in place of one of the same name.
    pub fn add(&self, key: impl Into<PoolKey>) {
        let mut slots = self.slots();
        put(&mut slots, &mut Vec::new(), key.into());
    }

    /// Takes a key out; calls under way keep it. Whether it was there.
    pub fn remove(&self, name: &str) -> bool {
        let mut slots = self.slots();
        let before = slots.len();
        slots.retain(|slot| slot.key.name != name);
        slots.len() < before
    }

    /// Uses a drained key again, and ends its rests. Whether it is there.
    pub fn restore(&self, name: &str) -> bool {
        let mut slots = self.slots();
        let slot = slots.iter_mut().find(|slot| slot.key.name == name);
        slot.map(|slot| {
            slot.drained = None;
            slot.wake();
        })
        .is_some()
    }

    /// How all keys are, in the order in which they were given.
    pub fn states(&self) -> Vec<KeyState> {
        let now = self.clock.now();
        self.slots().iter().map(|slot| slot.state(now)).collect()
    }

    /// The next key for a model that is not among those tried.
    pub(super) fn take(&self, model: &str, tried: &[String]) -> Option<Lease> {
        let now = self.clock.now();
        let mut slots = self.slots();
        let usable = |slot: &Slot| {
            slot.drained.is_none() && slot.rests_until(model, now).is_none() && !tried.contains(&slot.key.name)
        };
        self.rotation.choose(slots.iter_mut().filter(|slot| usable(slot)).collect()).map(Slot::lend)
    }

    /// The key that [`take`](Self::take) would give, without taking it.
    pub(crate) fn next(&self, model: &str) -> Option<Key> {
        let now = self.clock.now();
        let mut slots = self.slots();
        let credits: Vec<i64> = slots.iter().map(|slot| slot.credit).collect();
        let usable = |slot: &Slot| slot.drained.is_none() && slot.rests_until(model, now).is_none();
        let usable = slots.iter_mut().filter(|slot| usable(slot)).collect();
        let next = self.rotation.choose(usable).map(|slot| slot.key.clone());
        slots.iter_mut().zip(credits).for_each(|(slot, credit)| slot.credit = credit);
        next
    }

    /// Judges a key by an error. Whether another key may do better.
    pub(super) fn judge(&self, key: &Key, model: &str, error: &Error) -> bool {
        let now = self.clock.now();
        let mut slots = self.slots();
        // A key that was replaced under way is not there any more, whatever bears its name.
        let slot = slots.iter_mut().find(|slot| slot.key == *key);
        match (error.kind(), error.retry_after()) {
            (ErrorKind::Authentication, _) => {
                let Some(slot) = slot.filter(|slot| slot.drained.is_none()) else { return true };
                slot.drained = Some(error.message().to_owned());
                drop(slots);
                if let Some(tell) = &self.on_drain {
                    tell(&key.name, error);
                }
            }
            (ErrorKind::RateLimit, Some(wait)) => {
                if let Some(slot) = slot {
                    slot.rest(model, now.saturating_add(wait), now);
                }
            }
            (ErrorKind::Quota, wait) => {
                if let Some(slot) = slot {
                    slot.rest("", now.saturating_add(wait.unwrap_or(QUOTA_REST)), now);
                }
            }
            (ErrorKind::RateLimit | ErrorKind::Permission, _) => {}
            _ => return false,
        }
        true
    }

    /// How long until a key is ready for a model; `None` where none will be by itself.
    pub(super) fn ready_in(&self, model: &str) -> Option<Duration> {
        let now = self.clock.now();
        let slots = self.slots();
        let until = slots.iter().filter(|slot| slot.drained.is_none()).map(|slot| slot.rests_until(model, now));
        until.map(|until| until.unwrap_or(now).saturating_sub(now)).min()
    }

    /// The error where no key can be tried.
    pub(super) fn none_ready(&self, provider: &str, model: &str) -> Error {
        let keys = self.slots().len();
        let error = match self.ready_in(model) {
            _ if keys == 0 => {
                let message = format!("the key pool of {provider} is empty; add a key to it");
                Error::new(ErrorKind::Configuration, message)
            }
            Some(wait) => {
                let message = format!("all {keys} keys of {provider} rest; the first is ready in {wait:.1?}");
                Error::new(ErrorKind::RateLimit, message).with_retry_after(wait)
            }
            None => {
                let message = format!("{provider} refused all {keys} keys of its pool; replace or restore them");
                Error::new(ErrorKind::Authentication, message)
            }
        };
        error.with_stage(Stage::NotSent).with_provider(provider).with_model(model)
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for KeyPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("KeyPool");
        f.field("rotation", &self.rotation).field("keys", &self.states()).finish_non_exhaustive()
    }
}
