//! Routes by their names, and what is known of their targets.

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sabir_core::ErrorKind;

use super::Route;
use super::load::Load;
use crate::PerPlace;

/// What stands for the provider of a call that goes to a route.
pub(super) const ROUTE: &str = "route";

/// A route at work. A call keeps the one that it began with.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) route: Route,
    /// What is known of each target.
    pub(super) loads: Vec<Arc<Load>>,
    pub(super) turn: AtomicUsize,
}

/// How a target of a route is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TargetHealth {
    /// The provider's id.
    pub provider: String,
    /// The model.
    pub model: String,
    /// Calls under way, by all routes that lead there.
    pub in_flight: usize,
    /// Failures since the last success.
    pub failures: u32,
    /// What the last of them was.
    pub last_failure: Option<ErrorKind>,
    /// How long it still rests.
    pub rests: Option<Duration>,
    /// How long whole answers took of late; `None` where that is not known, or no more.
    pub latency: Option<Duration>,
    /// How long the first event of a stream took of late.
    pub first_event: Option<Duration>,
}

/// All routes, by the provider and the model that a call of them names.
#[derive(Debug, Default)]
pub(super) struct Table {
    routes: RwLock<HashMap<String, HashMap<String, Arc<Active>>>>,
    loads: PerPlace<Load>,
}

impl Table {
    pub(super) fn set(&self, route: Route) {
        let (provider, model) = split(&route.name);
        let (provider, model) = (provider.to_owned(), model.to_owned());
        let loads = route.targets.iter().map(|target| self.loads.get_or(&target.place(), Load::default)).collect();
        let active = Arc::new(Active { route, loads, turn: AtomicUsize::new(0) });
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        routes.entry(provider).or_default().insert(model, active);
    }

    pub(super) fn remove(&self, name: &str) -> bool {
        let (provider, model) = split(name);
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        routes.get_mut(provider).and_then(|models| models.remove(model)).is_some()
    }

    /// The route that a call goes to. A call without a provider names a route, if anything.
    pub(super) fn find(&self, provider: &str, model: &str) -> Option<Arc<Active>> {
        let provider = if provider.is_empty() { ROUTE } else { provider };
        self.routes.read().unwrap_or_else(PoisonError::into_inner).get(provider)?.get(model).cloned()
    }

    /// The route of a name, with the provider and model that a call of it names.
    pub(super) fn named<'n>(&self, name: &'n str) -> Option<(&'n str, &'n str, Arc<Active>)> {
        let (provider, model) = split(name);
        Some((provider, model, self.find(provider, model)?))
    }

    /// The providers that routes lead to, without their dialects.
    pub(super) fn providers(&self) -> Vec<String> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let targets = routes.values().flat_map(HashMap::values).flat_map(|active| &active.route.targets);
        targets.map(|target| target.provider.split(':').next().unwrap_or_default().to_owned()).collect()
    }

    pub(super) fn names(&self) -> Vec<String> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<String> =
            routes.values().flat_map(HashMap::values).map(|active| active.route.name.clone()).collect();
        names.sort_unstable();
        names
    }
}

/// `fast` and `route/fast` are the same name.
fn split(name: &str) -> (&str, &str) {
    name.split_once('/').unwrap_or((ROUTE, name))
}

impl Active {
    /// The same at this moment, apart: who looks at it takes nobody's turn.
    pub(super) fn unmoved(&self) -> Self {
        let turn = AtomicUsize::new(self.turn.load(std::sync::atomic::Ordering::Relaxed));
        Self { route: self.route.clone(), loads: self.loads.clone(), turn }
    }

    pub(super) fn health(&self, now: Duration) -> Vec<TargetHealth> {
        let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero());
        let one = |(target, load): (&super::Target, &Arc<Load>)| {
            let (failures, last_failure) = load.failures();
            TargetHealth {
                provider: target.provider.clone(),
                model: target.model.clone(),
                in_flight: load.in_flight(),
                failures,
                last_failure,
                rests: load.rests(now),
                latency: seconds(load.latency(false, now)),
                first_event: seconds(load.latency(true, now)),
            }
        };
        self.route.targets.iter().zip(&self.loads).map(one).collect()
    }
}
