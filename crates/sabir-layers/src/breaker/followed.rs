//! One call under way, as far as a breaker follows it.

use std::sync::Arc;

use sabir_core::chat::Event;

use super::Breaker;
use crate::circuit::{Circuit, Pass, Verdict};
use crate::{End, Place, Watch};

/// One call that was let through. Dropped before it is over, it says nothing, and frees its probe.
pub(super) struct Followed {
    breaker: Arc<Breaker>,
    circuit: Arc<Circuit>,
    place: Arc<Place>,
    pass: Pass,
    over: bool,
}

impl Followed {
    pub(super) fn new(breaker: Arc<Breaker>, circuit: Arc<Circuit>, place: Arc<Place>, pass: Pass) -> Self {
        Self { breaker, circuit, place, pass, over: false }
    }

    fn settle(&mut self, verdict: Verdict) {
        let now = self.breaker.clock.now();
        let change = self.circuit.settle(&self.breaker.rules, now, &mut self.pass, verdict);
        self.breaker.tell(&self.place, change);
    }

    /// The call is over.
    pub(super) fn over(&mut self, verdict: Verdict) {
        self.over = true;
        self.settle(verdict);
    }
}

impl Watch for Followed {
    fn event(&mut self, event: &Event) {
        // Some providers greet before they know whether they can answer.
        if self.pass.is_probe && !matches!(event, Event::Start { .. }) {
            self.settle(Verdict::Good);
        }
    }

    fn end(&mut self, end: End<'_>) {
        let verdict = match end {
            End::Answer(_) | End::Other => Verdict::Good,
            End::Failed(error) => self.breaker.verdict(error),
            _ => Verdict::Neither,
        };
        self.over(verdict);
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        if !self.over {
            self.over(Verdict::Neither);
        }
    }
}
