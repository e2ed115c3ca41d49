use std::sync::Arc;
use std::time::Duration;

use sabir_core::chat::{RateLimit, Usage};
use sabir_core::{Error, ErrorKind, Result, Stage};
use sabir_store::{Cell, Taken};

use super::Limits;
use super::estimate::Need;
use super::gate::{Denied, Lane, settle};
use super::learned::{Marks, Told};
use crate::{End, Watch};

/// What a call holds of its limits, from before it is sent to its end. Dropping it frees the place of a call at once;
/// tokens that were reserved and never accounted for stay taken.
pub(super) struct Permit {
    limits: Arc<Limits>,
    lane: Arc<Lane>,
    need: Need,
    marks: Option<Marks>,
    cells: Vec<Cell>,
    state: State,
    /// The call's ticket, if it had to wait.
    ticket: Option<u64>,
    /// When the answer began.
    answered: Duration,
    /// When something last happened to the call.
    now: Duration,
    streams: bool,
}

#[derive(PartialEq)]
enum State {
    /// It holds nothing.
    Outside,
    /// Not through all gates yet: what was taken goes back.
    Entering,
    Through,
}

impl Permit {
    /// A permit that holds nothing yet.
    pub(super) fn new(limits: Arc<Limits>, lane: Arc<Lane>, need: Need) -> Self {
        let (marks, cells, state, ticket) = (None, Vec::new(), State::Outside, None);
        let (answered, now, streams) = (Duration::ZERO, Duration::ZERO, false);
        Self { limits, lane, need, marks, cells, state, ticket, answered, now, streams }
    }

    /// One of the same call for other gates, that holds nothing yet.
    pub(super) fn beside(&self, lane: Lane) -> Self {
        Self::new(self.limits.clone(), Arc::new(lane), self.need)
    }

    /// Goes through all gates of its lane, or through none.
    pub(super) async fn enter(&mut self, ticket: Option<u64>) -> Result<Result<(), Denied>> {
        (self.ticket, self.now) = (ticket, self.limits.clock.now());
        if let Err(denied) = self.lane.enter(ticket) {
            return Ok(Err(denied));
        }
        self.state = State::Entering;
        if let Some((gate, learned)) = self.lane.learned() {
            let taken = learned.knows().map(|mut learned| learned.take(&self.need, self.now));
            match taken.transpose() {
                Ok(marks) => self.marks = marks,
                Err((_, wait)) => return Ok(Err(self.denied(gate, wait))),
            }
        }
        let first = self.lane.first_in_store();
        if first < self.lane.gates.len() {
            let mut cells = Vec::with_capacity(self.lane.gates.len() - first);
            cells.extend(self.lane.gates[first..].iter().filter_map(|gate| gate.cell(&self.need)));
            if let Taken::Short { cell, wait } = self.limits.store.take(&mut cells, self.now).get().await? {
                return Ok(Err(self.denied(first + cell, wait)));
            }
            self.cells = cells;
        }
        self.state = State::Through;
        Ok(Ok(()))
    }

    /// Gives back what was taken on the way to the gate that stays shut.
    fn denied(&mut self, gate: usize, wait: Duration) -> Denied {
        self.over();
        Denied { gate, wait: Some(wait) }
    }

    /// The answer begins.
    pub(super) fn answered(&mut self, streams: bool) {
        self.streams = streams;
        self.answered = self.limits.clock.now();
        self.now = self.answered;
    }

    /// Accounts for what an answer used.
    pub(super) fn used(&self, usage: &Usage) {
        self.settle(self.need.used(usage));
    }

    /// The call failed. One that was never sent gets everything back.
    pub(super) fn failed(&self, error: &Error) {
        if error.stage() == Stage::NotSent {
            return self.settle(Need::NOTHING);
        }
        if let Some(partial) = error.partial() {
            self.used(&partial.usage);
        }
        let refused = error.kind() == ErrorKind::RateLimit && error.stage() == Stage::Answered;
        self.learn(error.rate_limits(), error.retry_after().filter(|_| refused));
    }

    /// The call will not be made.
    pub(super) fn give_back(&self) {
        self.settle(Need::NOTHING);
    }

    fn settle(&self, used: Need) {
        if used == self.need {
            return;
        }
        let now = self.now;
        if let (Some((_, learned)), Some(marks)) = (self.lane.learned(), &self.marks)
            && let Some(mut learned) = learned.knows()
        {
            learned.settle(marks, &self.need, &used, now);
        }
        settle(&*self.limits.store, &self.lane, &self.cells, &used, now);
    }

    fn learn(&self, limits: &[RateLimit], retry_after: Option<Duration>) {
        if limits.is_empty() && retry_after.is_none() {
            return;
        }
        if let Some((_, gate)) = self.lane.learned()
            && let Some(mut learned) = gate.knows()
        {
            let (at, now) = (self.answered, self.now);
            let since_1970 = self.limits.since_1970.as_ref().map(|date| (date.0)());
            learned.observe(&Told { limits, retry_after, at, now, since_1970 });
        }
    }

    fn over(&mut self) {
        match std::mem::replace(&mut self.state, State::Outside) {
            State::Entering => {
                self.settle(Need::NOTHING);
                self.marks = None;
                self.lane.leave(self.ticket);
            }
            State::Through => self.lane.leave(None),
            State::Outside => {}
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn lane(&self) -> &Arc<Lane> {
        &self.lane
    }

    pub(super) fn need(&self) -> &Need {
        &self.need
    }
}

impl Watch for Permit {
    fn end(&mut self, end: End<'_>) {
        // A whole answer is over when it begins: the clock need not be asked again.
        if self.streams {
            self.now = self.limits.clock.now();
        }
        match end {
            End::Answer(response) => {
                self.used(&response.usage);
                self.learn(&response.rate_limits, None);
            }
            End::Failed(error) => self.failed(error),
            End::Other | End::Dropped => {}
        }
        self.over();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.over();
    }
}
