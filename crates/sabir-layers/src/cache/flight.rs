use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::OwnedMutexGuard;

use super::key::Key;

/// Who asks for what at the moment: of several who ask the same, one leads, and the others wait for their turn. Whoever
/// leads gives the lead to the next by ending, in whatever way.
#[derive(Clone, Debug, Default)]
pub(super) struct Flights(Arc<Mutex<HashMap<Key, Weak<Lead>>>>);

/// Held by who leads. `true` where the answer is not one to wait for.
type Lead = tokio::sync::Mutex<bool>;

/// The lead among those who ask the same. Dropping it lets the next one lead.
#[derive(Debug)]
pub(super) struct Flight {
    // Dropped in this order: the seat can only tell that nobody is left once the lead is given up.
    lead: OwnedMutexGuard<bool>,
    _seat: Seat,
}

/// One who asks, leading or waiting. The last one to go clears up.
#[derive(Debug)]
struct Seat {
    flights: Flights,
    key: Key,
    lead: Option<Arc<Lead>>,
}

impl Flights {
    /// Waits for the lead, in the order in which they came.
    pub(super) async fn join(&self, key: Key) -> Flight {
        let lead = {
            let mut all = self.all();
            all.get(&key).and_then(Weak::upgrade).unwrap_or_else(|| {
                let lead = Arc::default();
                all.insert(key, Arc::downgrade(&lead));
                lead
            })
        };
        let seat = Seat { flights: self.clone(), key, lead: Some(lead.clone()) };
        Flight { lead: lead.lock_owned().await, _seat: seat }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Key, Weak<Lead>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    /// Whether who led before found that there is nothing to wait for.
    pub(super) fn is_open(&self) -> bool {
        *self.lead
    }

    /// The answer is not kept: who waits need not take turns.
    pub(super) fn open(&mut self) {
        *self.lead = true;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut all = self.flights.all();
        self.lead = None;
        if all.get(&self.key).is_some_and(|lead| lead.strong_count() == 0) {
            all.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use sabir_testkit::Task;

    use super::*;

    #[test]
    fn the_lead_goes_round_and_nothing_is_left_behind() {
        let flights = Flights::default();
        let mut tasks: Vec<_> = (0..4).map(|_| Task::new(flights.join([0; 32]))).collect();
        let Poll::Ready(first) = tasks[0].until_idle() else { panic!("nobody leads") };
        assert!(tasks[1..].iter_mut().all(|task| task.until_idle().is_pending()));
        drop(tasks.remove(1));
        drop(first);
        let Poll::Ready(mut second) = tasks[1].until_idle() else { panic!("the lead was given up") };
        assert!(!second.is_open() && tasks[2].until_idle().is_pending());
        second.open();
        drop(second);
        let Poll::Ready(third) = tasks[2].until_idle() else { panic!("the lead was given up") };
        assert!(third.is_open());
        assert_eq!(flights.all().len(), 1);
        drop((third, tasks));
        assert_eq!(flights.all().len(), 0);
    }
}
