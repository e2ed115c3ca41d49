//! Time limits that differ between providers.

use std::collections::BTreeMap;
use std::time::Duration;

use sabir_config::{Config, ProviderTimeouts, TimeoutsConfig};
use sabir_core::{Call, Layer, Reply, Request, Result, Service, Shared};
use sabir_layers::Timeout;

/// The time limits of all; `None` where a provider has its own, which the stack does not know.
pub(super) fn usual(config: &Config) -> Option<Timeout> {
    let differ = config.providers.values().any(|provider| !provider.timeouts.is_empty());
    (!differ).then(|| timeout(&config.timeouts))
}

/// The time limits of each provider, where they differ. It stands where the stack has its own: next to the provider.
pub(super) fn timeouts(config: &Config) -> Option<TimeoutsByProvider> {
    let own: BTreeMap<String, Timeout> = config
        .providers
        .iter()
        .filter(|(_, provider)| !provider.timeouts.is_empty())
        .map(|(id, provider)| (id.clone(), own(&provider.timeouts, timeout(&config.timeouts))))
        .collect();
    (!own.is_empty()).then(|| TimeoutsByProvider { usual: timeout(&config.timeouts), own })
}

fn timeout(all: &TimeoutsConfig) -> Timeout {
    let limited = Timeout::default().connect(all.connect).whole(all.whole).first_event(all.first_event).idle(all.idle);
    limited.total(all.total.unwrap_or(Duration::MAX))
}

type Set = fn(Timeout, Duration) -> Timeout;

fn own(own: &ProviderTimeouts, mut limits: Timeout) -> Timeout {
    let set: [(Option<Duration>, Set); 5] = [
        (own.connect, Timeout::connect),
        (own.whole, Timeout::whole),
        (own.first_event, Timeout::first_event),
        (own.idle, Timeout::idle),
        (own.total, Timeout::total),
    ];
    for (limit, set) in set {
        limits = limit.into_iter().fold(limits, set);
    }
    limits
}

#[derive(Debug)]
pub(super) struct TimeoutsByProvider {
    usual: Timeout,
    own: BTreeMap<String, Timeout>,
}

impl Layer for TimeoutsByProvider {
    fn apply(&self, inner: Shared) -> Shared {
        let own = self.own.iter().map(|(id, timeout)| (id.clone(), timeout.apply(inner.clone()))).collect();
        Shared::new(Limited { usual: self.usual.apply(inner), own })
    }
}

#[derive(Debug)]
struct Limited {
    usual: Shared,
    own: BTreeMap<String, Shared>,
}

impl Service for Limited {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        let base = || call.provider.split_once(':').and_then(|(id, _)| self.own.get(id));
        let limited = self.own.get(&call.provider).or_else(base).unwrap_or(&self.usual);
        limited.call(call, request).await
    }
}
