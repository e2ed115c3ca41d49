use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::Loss;

/// What all attempts of one call share: an id, a count of the attempts, and who answers at last. Clones of a
/// [`Call`](crate::Call) walk the same trail, whatever layer made them: so retries, hedges and routes are numbered together.
#[derive(Clone, Debug, Default)]
pub struct Trail(Arc<Walked>);

#[derive(Debug, Default)]
struct Walked {
    id: OnceLock<Arc<str>>,
    attempts: AtomicU32,
    left: AtomicBool,
    failed: AtomicU32,
    answering: Mutex<Option<Box<Answering>>>,
}

/// Who answers a call: told before the answer's end, where only that would tell otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answering {
    /// The provider.
    pub provider: String,
    /// The model that was asked there.
    pub model: String,
    /// What could not be carried into the provider's dialect, and is not in the answer yet.
    pub losses: Vec<Loss>,
    /// Whether the answer was here already.
    pub is_cached: bool,
}

impl Answering {
    /// A model of a provider.
    pub fn of(provider: &str, model: &str) -> Self {
        Self { provider: provider.to_owned(), model: model.to_owned(), ..Self::default() }
    }
}

impl Trail {
    /// A trail whose call has this id already.
    pub fn named(id: impl Into<Arc<str>>) -> Self {
        Self(Arc::new(Walked { id: OnceLock::from(id.into()), ..Walked::default() }))
    }

    /// The call's id, where it has one.
    pub fn id(&self) -> Option<&str> {
        self.0.id.get().map(|id| &**id)
    }

    /// The call's id; one that has none gets this one, for good.
    pub fn id_or(&self, make: impl FnOnce() -> Arc<str>) -> &Arc<str> {
        self.0.id.get_or_init(make)
    }

    /// The number of the next attempt, from 0; no number is given twice.
    pub fn next_attempt(&self) -> u32 {
        self.0.attempts.fetch_add(1, Ordering::Relaxed)
    }

    /// An attempt failed, and another one may be made.
    pub fn fails(&self) {
        self.0.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// How many attempts failed so far.
    pub fn failures(&self) -> u32 {
        self.0.failed.load(Ordering::Relaxed)
    }

    /// Somebody begins to answer, in the place of whoever began before.
    pub fn answers(&self, by: Answering) {
        *self.0.answering.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(by));
    }

    /// Who began to answer last. Not all answers that are whole are told of: those say it themselves.
    pub fn answering(&self) -> Option<Answering> {
        self.0.answering.lock().unwrap_or_else(PoisonError::into_inner).as_deref().cloned()
    }

    /// The call leaves for whoever answers it: no layer can hold it back any more.
    pub fn leaves(&self) {
        self.0.left.store(true, Ordering::Relaxed);
    }

    /// Whether the call has left: an attempt of it may have to be paid.
    pub fn has_left(&self) -> bool {
        self.0.left.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::Answering;
    use crate::Call;

    #[test]
    fn clones_walk_together_and_calls_do_not() {
        let call = Call::to("there");
        let again = call.clone();
        assert_eq!(call.trail.id(), None);
        assert_eq!(&**again.trail.id_or(|| "one".into()), "one");
        assert_eq!(&**call.trail.id_or(|| "two".into()), "one");
        assert_eq!((call.trail.next_attempt(), again.trail.next_attempt()), (0, 1));
        assert_eq!(Call::to("there").trail.next_attempt(), 0);
        assert_eq!(super::Trail::named("mine").id(), Some("mine"));
    }

    #[test]
    fn who_begins_last_answers() {
        let call = Call::to("there");
        let again = call.clone();
        assert_eq!((call.trail.failures(), call.trail.answering()), (0, None));
        call.trail.answers(Answering::of("first", "m"));
        again.trail.fails();
        again.trail.answers(Answering::of("second", "m"));
        assert_eq!((call.trail.failures(), call.trail.answering()), (1, Some(Answering::of("second", "m"))));
    }
}
