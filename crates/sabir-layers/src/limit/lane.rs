//! Which gates a call goes through.

use std::sync::Arc;

use sabir_core::{Call, Request};

use super::gate::{Gate, Lane};
use super::permit::Permit;
use super::{Limit, Limits};
use crate::Place;

impl Limits {
    /// The gates of a call that can refuse it.
    pub(super) fn lane(&self, call: &Call, request: &Request) -> Arc<Lane> {
        let make = || {
            let place = Place::of(call, request);
            let gates = self.rules.iter().filter(|rule| !rule.watched).filter_map(|rule| self.gate(rule, &place));
            let learned = self.learn.then(|| Arc::new(Gate::learned(&place)));
            let gates = gates.chain(learned).collect();
            Lane::new(place, gates)
        };
        let lane = self.lanes.of(call, request, make).1;
        if self.labelled.is_empty() {
            return lane;
        }
        let own = self.of_labels(call).filter(|rule| !rule.watched);
        let own: Vec<_> = own.filter_map(|rule| self.gate(rule, &lane.place)).collect();
        if own.is_empty() { lane } else { Arc::new(lane.with(own)) }
    }

    /// What a call holds of the limits that refuse nothing. Where one of them would refuse, it says so, and counts as if it
    /// had.
    pub(super) async fn look_on(&self, call: &Call, permit: &Permit) -> Option<Permit> {
        if !self.watches {
            return None;
        }
        let place = &permit.lane().place;
        let watched = self.rules.iter().chain(self.of_labels(call)).filter(|rule| rule.watched);
        let (rules, gates): (Vec<_>, Vec<_>) = watched.filter_map(|rule| Some((rule, self.gate(rule, place)?))).unzip();
        if gates.is_empty() {
            return None;
        }
        let mut watched = permit.beside(Lane::new(place.clone(), gates));
        match watched.enter(None).await {
            Ok(Ok(())) => return Some(watched),
            Ok(Err(denied)) => {
                let said = watched.lane().gates[denied.gate].said();
                tracing::warn!(%place, "{said}; it is only watched, and the call goes on");
                if let Some(metrics) = &self.metrics {
                    metrics.would_have_refused(call, rules[denied.gate].to_string());
                }
            }
            Err(error) => tracing::warn!(%place, "a limit cannot be watched: {}", error.message()),
        }
        None
    }

    /// The limits of a call's labels.
    pub(super) fn of_labels<'a>(&'a self, call: &'a Call) -> impl Iterator<Item = &'a Limit> {
        // One that has a label twice does not go through its gates twice.
        let labels = call.tags.iter().enumerate().filter(|(at, tag)| !call.tags[..*at].contains(tag));
        labels.filter_map(|(_, tag)| self.labelled.get(tag)).flatten()
    }

    /// The gate of a rule, where it is about this place.
    fn gate(&self, rule: &Limit, place: &Place) -> Option<Arc<Gate>> {
        Some(self.gates.get_or(rule, rule.group(place)?, &self.prefix))
    }
}
