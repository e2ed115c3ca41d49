use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

/// What all attempts of one call share: an id, and a count of the attempts. Clones of a [`Call`](crate::Call) walk the
/// same trail, whatever layer made them: so retries, hedges and routes are numbered together.
#[derive(Clone, Debug, Default)]
pub struct Trail(Arc<Walked>);

#[derive(Debug, Default)]
struct Walked {
    id: OnceLock<Arc<str>>,
    attempts: AtomicU32,
    left: AtomicBool,
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
}
