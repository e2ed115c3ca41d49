//! In which order a route tries its targets.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sabir_core::{Call, Request};

use super::load::Load;
use super::sticky::{Sticky, score};
use super::{Active, Target};
use crate::random::Random;

/// Which target a call goes to first. Those that are left follow in the same spirit, and those that rest stand at the
/// end, whatever the policy says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// In the order in which they stand: a chain of fallbacks.
    #[default]
    Ordered,
    /// By chance, each as often as its weight says.
    Weighted,
    /// Each in its turn.
    RoundRobin,
    /// The one with the fewest calls in flight for its weight; between several, each in its turn.
    LeastBusy,
    /// The faster of two that are drawn by chance, by a peak-sensitive average (which halves in 7 seconds) of the time
    /// to the whole answer, or to the first event of a stream, times the calls in flight and one.
    Latency,
    /// The one with the lowest price; those without a price last.
    Cheapest,
    /// The same one for the same caller, as long as it is well; calls without a key go by weight. When a target is
    /// added or taken away, only its own share of the callers moves.
    Sticky(Sticky),
}

/// What a target without measurements counts for while it has calls in flight, in seconds: more than any real one, so
/// that one call explores it and not all.
const UNKNOWN: f64 = 1e6;

impl Policy {
    /// The order for this call: places in the list of targets.
    pub(super) fn order(
        &self,
        active: &Active,
        random: &Random,
        now: Duration,
        call: &Call,
        request: &Request,
    ) -> Vec<usize> {
        let all = 0..active.route.targets.len();
        let (mut resting, mut well): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
        for at in all {
            match active.loads[at].rests(now) {
                Some(left) => resting.push((left, at)),
                None => well.push(at),
            }
        }
        resting.sort_unstable();
        let mut order = self.sorted(well, active, random, now, call, request);
        order.extend(resting.into_iter().map(|(_, at)| at));
        order
    }

    fn sorted(
        &self,
        mut well: Vec<usize>,
        active: &Active,
        random: &Random,
        now: Duration,
        call: &Call,
        request: &Request,
    ) -> Vec<usize> {
        let targets = &active.route.targets;
        match self {
            Self::Ordered => {}
            Self::Weighted => well = by_weight(well, targets, random),
            Self::RoundRobin => rotate(&mut well, &active.turn),
            Self::LeastBusy => {
                rotate(&mut well, &active.turn);
                // Read once each: calls end while we sort. A weight of 0 counts as a load beyond all others.
                well.sort_by_cached_key(|at| match targets[*at].weight {
                    0 => u128::MAX,
                    weight => ((active.loads[*at].in_flight() as u128) << 32) / u128::from(weight),
                });
            }
            Self::Latency => {
                let stream = matches!(request, Request::Chat(chat) if chat.stream);
                let mut costs: Vec<_> = well.iter().map(|at| (cost(&active.loads[*at], stream, now), *at)).collect();
                if costs.len() > 1 {
                    let (first, second) = (random.index(costs.len()), 1 + random.index(costs.len() - 1));
                    costs.swap(0, first);
                    costs.swap(1, second);
                    costs[..2].sort_by(|(a, _), (b, _)| a.total_cmp(b));
                    costs[1..].sort_by(|(a, _), (b, _)| a.total_cmp(b));
                }
                well = costs.into_iter().map(|(_, at)| at).collect();
            }
            Self::Cheapest => well.sort_by_key(|at| targets[*at].price.unwrap_or(u64::MAX)),
            Self::Sticky(by) => match by.key(call, request) {
                Some(key) => well.sort_by(|a, b| score(&targets[*b], key).total_cmp(&score(&targets[*a], key))),
                None => well = by_weight(well, targets, random),
            },
        }
        well
    }
}

/// Drawn one after the other, each with the chance of its weight among those left; those without weight last.
fn by_weight(mut left: Vec<usize>, targets: &[Target], random: &Random) -> Vec<usize> {
    let weight = |at: &usize| u64::from(targets[*at].weight);
    let mut order = Vec::with_capacity(left.len());
    loop {
        let sum: u64 = left.iter().map(weight).sum();
        if sum == 0 {
            order.append(&mut left);
            return order;
        }
        let mut drawn = random.below(sum);
        let fits = |at: &usize| match drawn.checked_sub(weight(at)) {
            Some(rest) => {
                drawn = rest;
                false
            }
            None => true,
        };
        let at = left.iter().position(fits).expect("what is drawn is below the sum of the weights");
        order.push(left.remove(at));
    }
}

fn rotate(well: &mut [usize], turn: &AtomicUsize) {
    let turn = turn.fetch_add(1, Ordering::Relaxed);
    if let Some(by) = turn.checked_rem(well.len()) {
        well.rotate_left(by);
    }
}

/// What a call of a target is expected to cost in time.
fn cost(load: &Load, stream: bool, now: Duration) -> f64 {
    let (latency, in_flight) = (load.latency(stream, now), u32::try_from(load.in_flight()).unwrap_or(u32::MAX));
    match in_flight {
        0 => latency,
        calls if latency <= 0.0 => UNKNOWN + f64::from(calls),
        calls => latency * (f64::from(calls) + 1.0),
    }
}
