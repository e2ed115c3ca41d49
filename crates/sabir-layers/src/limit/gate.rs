use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use sabir_store::{Cell, Key, Rate, Rule, Store};

use super::estimate::Need;
use super::learned::Learned;
use super::line::Line;
use super::rule::{Limit, What};
use crate::Place;

/// One thing that a call must get through, and who waits for it.
#[derive(Debug)]
pub(super) struct Gate {
    kind: Kind,
    /// What it says where it refuses: `the limit of 60 requests a minute for openai is reached`.
    said: String,
    pub(super) line: Line,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// Calls at once, in this process.
    Calls { most: u64, taken: AtomicU64 },
    /// What the provider said.
    Learned(Box<Mutex<Learned>>),
    /// A rate, in the store.
    Rate { key: Key, what: What, rate: Rate },
}

impl Gate {
    /// The gate of a limit for all calls of a group.
    pub(super) fn of(limit: &Limit, group: &Place, prefix: &str) -> Self {
        let kind = if limit.what == What::Calls {
            Kind::Calls { most: limit.amount, taken: AtomicU64::new(0) }
        } else {
            let Place { provider, model, key } = group;
            let key = format!("{prefix}limit:{limit}:{}:{provider:?}{model:?}{key:?}", limit.burst);
            let rate = Rate::new(limit.amount, limit.per, limit.burst);
            Kind::Rate { key: key.into(), what: limit.what, rate }
        };
        Self { kind, said: format!("the limit of {limit} for {} is reached", name(group)), line: Line::default() }
    }

    /// The gate of what one place says of itself.
    pub(super) fn learned(place: &Place) -> Self {
        let said = format!("{} says that its own limit is reached", name(place));
        Self { kind: Kind::Learned(Box::default()), said, line: Line::default() }
    }

    #[cfg(test)]
    pub(super) fn kind(&self) -> &Kind {
        &self.kind
    }

    pub(super) fn said(&self) -> &str {
        &self.said
    }

    pub(super) fn knows(&self) -> Option<MutexGuard<'_, Learned>> {
        match &self.kind {
            Kind::Learned(learned) => Some(learned.lock().unwrap_or_else(PoisonError::into_inner)),
            _ => None,
        }
    }

    /// What a call takes from the store for this gate.
    pub(super) fn cell(&self, need: &Need) -> Option<Cell> {
        match &self.kind {
            Kind::Rate { key, what, rate } => {
                Some(Cell { key: key.clone(), rule: Rule::Rate(*rate), amount: need.amount(*what), mark: 0 })
            }
            _ => None,
        }
    }

    /// How much of what this gate counts a call needs.
    pub(super) fn units(&self, need: &Need) -> u64 {
        match &self.kind {
            Kind::Rate { what, .. } => need.amount(*what),
            Kind::Calls { .. } | Kind::Learned(_) => 1,
        }
    }

    /// About how long it takes until so many units got through after all who wait; `None` where that is not known.
    pub(super) fn outlook(&self, units: u64) -> Option<Duration> {
        match &self.kind {
            Kind::Rate { rate, .. } => Some(rate.refill(self.line.units().saturating_add(units))),
            _ => None,
        }
    }

    /// Goes through where calls at once are counted; `false` where there are too many. Other gates have no say here.
    fn enter(&self) -> bool {
        let Kind::Calls { most, taken } = &self.kind else { return true };
        let more = |now: u64| (now < *most).then_some(now + 1);
        taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).is_ok()
    }

    /// Comes out again.
    fn leave(&self) {
        if let Kind::Calls { taken, .. } = &self.kind {
            taken.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// The gates of the rules, by the rule and what it counts together. What nobody holds any more is forgotten:
/// what is used of a rate is in the store, and nobody is inside.
#[derive(Clone, Debug, Default)]
pub(super) struct Gates(Arc<Mutex<HashMap<GateId, Weak<Gate>>>>);

type GateId = (Limit, Place);

impl Gates {
    /// The gate of a rule for a group, which places share.
    pub(super) fn get_or(&self, rule: &Limit, group: Place, prefix: &str) -> Arc<Gate> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = (rule.clone(), group);
        if let Some(gate) = gates.get(&id).and_then(Weak::upgrade) {
            return gate;
        }
        if gates.len() == gates.capacity() {
            gates.retain(|_, gate| gate.strong_count() > 0);
        }
        let gate = Arc::new(Gate::of(rule, &id.1, prefix));
        gates.insert(id, Arc::downgrade(&gate));
        gate
    }
}

/// The gates of one place, in the order in which a call goes through them.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) place: Place,
    pub(super) gates: Vec<Arc<Gate>>,
    /// How many of them, at the start, count calls at once; of the others, all but one that has learned are in the store.
    calls: usize,
}

/// Where a call did not get through.
pub(super) struct Denied {
    /// The number of the gate in its lane.
    pub(super) gate: usize,
    /// How long until it would, where that is known.
    pub(super) wait: Option<Duration>,
}

impl Lane {
    pub(super) fn new(place: Place, mut gates: Vec<Arc<Gate>>) -> Self {
        gates.sort_by_key(|gate| match gate.kind {
            Kind::Calls { .. } => 0,
            Kind::Learned(_) => 1,
            Kind::Rate { .. } => 2,
        });
        let calls = gates.iter().filter(|gate| matches!(gate.kind, Kind::Calls { .. })).count();
        Self { place, gates, calls }
    }

    /// The same with more gates.
    pub(super) fn with(&self, more: Vec<Arc<Gate>>) -> Self {
        Self::new(self.place.clone(), self.gates.iter().cloned().chain(more).collect())
    }

    /// The gate that has learned, with its number.
    pub(super) fn learned(&self) -> Option<(usize, &Gate)> {
        let at = self.calls;
        self.gates.get(at).filter(|gate| matches!(gate.kind, Kind::Learned(_))).map(|gate| (at, &**gate))
    }

    /// The number of the first gate that is in the store.
    pub(super) fn first_in_store(&self) -> usize {
        self.calls + usize::from(self.learned().is_some())
    }

    /// Goes in wherever calls at once are counted.
    pub(super) fn enter(&self, ticket: Option<u64>) -> Result<(), Denied> {
        for at in 0..self.calls {
            if !self.gates[at].enter() {
                self.gates[..at].iter().for_each(|gate| gate.leave());
                self.wake(ticket);
                return Err(Denied { gate: at, wait: None });
            }
        }
        Ok(())
    }

    /// Comes out wherever calls at once are counted.
    pub(super) fn leave(&self, ticket: Option<u64>) {
        self.gates[..self.calls].iter().for_each(|gate| gate.leave());
        self.wake(ticket);
    }

    /// Wakes who is first at each gate. A call that failed to get in and gives back what it had taken names its own
    /// ticket: only those who came after it are woken then, and so waking comes to an end.
    pub(super) fn wake(&self, but: Option<u64>) {
        self.gates.iter().for_each(|gate| gate.line.wake(but));
    }

    /// Whether nobody waits at any gate.
    pub(super) fn is_free(&self) -> bool {
        self.gates.iter().all(|gate| gate.line.is_empty())
    }
}

/// A group in words.
fn name(group: &Place) -> String {
    let Place { provider, model, key } = group;
    let named = match (provider.as_str(), model.as_str()) {
        ("", "") => "all calls".to_owned(),
        ("", model) => model.to_owned(),
        (provider, "") => provider.to_owned(),
        (provider, model) => format!("{provider}/{model}"),
    };
    if key.is_empty() { named } else { format!("{named} ({key})") }
}

/// Gives back what was taken of the store.
pub(super) fn settle(store: &dyn Store, lane: &Lane, cells: &[Cell], used: &Need, now: Duration) {
    for (cell, gate) in cells.iter().zip(&lane.gates[lane.first_in_store()..]) {
        let units = gate.units(used);
        if units != cell.amount {
            store.settle(cell, units, now);
        }
    }
}
