//! What holds for some calls otherwise than for all: by policies, and the time limits of providers.

use std::time::Duration;

use sabir_config::{Config, PolicyConfig, TimeoutsConfig};
use sabir_core::Result;
use sabir_layers::{Cache, Calls, Deadline, Hedge, Retry, Stack, Timeout};

use super::providers::{own_id, own_model};
use super::stack::{guard, hedge, tries};

/// The labels that the gateway gives to calls.
const KEY: &str = "key";
const TEAM: &str = "team";

/// What holds for all, of which policies' own are clones: they share what it counts and keeps.
pub(super) struct Usual {
    pub(super) retry: Retry,
    pub(super) hedge: Option<Hedge>,
    pub(super) cache: Option<Cache>,
}

/// Adds what is said of some calls, in the order in which it decides: first policies, then providers.
pub(super) fn lay_over(mut stack: Stack, config: &Config, usual: &Usual) -> Result<Stack> {
    let known = usual.hedge.clone().unwrap_or_default();
    for (_, policy) in config.policies_in_order() {
        if !policy.timeouts.is_empty() {
            // Of a provider with limits of its own these are laid over those.
            for (calls, limits) in of_providers(config) {
                let own = Stack::new().timeout(timeout(&policy.timeouts.over(&limits)));
                stack = stack.for_calls(concerned(config, policy, calls), own);
            }
        }
        stack = stack.for_calls(concerned(config, policy, Calls::new()), own(config, policy, usual, &known)?);
    }
    let own = |stack: Stack, (calls, limits)| stack.for_calls(calls, Stack::new().timeout(timeout(&limits)));
    Ok(of_providers(config).fold(stack, own))
}

/// The calls of each provider that has time limits of its own, and those limits.
fn of_providers(config: &Config) -> impl Iterator<Item = (Calls, TimeoutsConfig)> {
    let own = config.providers.iter().filter(|(_, provider)| !provider.timeouts.is_empty());
    own.map(|(id, provider)| (Calls::new().providers([own_id(config, id)]), provider.timeouts.over(&config.timeouts)))
}

pub(super) fn timeout(said: &TimeoutsConfig) -> Timeout {
    let limited = Timeout::default().connect(said.connect).whole(said.whole).first_event(said.first_event);
    limited.idle(said.idle).total(said.total.unwrap_or(Duration::MAX))
}

/// Those of these calls that a policy is for.
fn concerned(config: &Config, policy: &PolicyConfig, mut calls: Calls) -> Calls {
    for (label, values) in [(KEY, &policy.keys), (TEAM, &policy.teams)] {
        if !values.is_empty() {
            calls = calls.tag(label, values);
        }
    }
    for (label, values) in &policy.tags {
        calls = calls.tag(label, values.iter());
    }
    calls.models(policy.models.iter().map(|model| own_model(config, model))).routes(&policy.routes)
}

/// The floors of a policy.
fn own(config: &Config, policy: &PolicyConfig, usual: &Usual, known: &Hedge) -> Result<Stack> {
    let mut stack = Stack::new();
    if let Some(limit) = policy.deadline {
        stack = stack.deadline(Deadline::after(limit));
    }
    if !policy.retry.is_empty() {
        stack = stack.retry(tries(usual.retry.clone(), &policy.retry.over(&config.retry)));
    }
    if !policy.timeouts.is_empty() {
        stack = stack.timeout(timeout(&policy.timeouts.over(&config.timeouts)));
    }
    if let Some(said) = &policy.guard {
        stack = stack.guard(guard(said)?);
    }
    stack = match &policy.hedge {
        Some(said) if said.enabled => stack.hedge(hedge(said).knowing(known)),
        Some(_) => stack.no_hedge(),
        None => stack,
    };
    Ok(match (policy.cache, &usual.cache) {
        (Some(true), Some(cache)) => stack.cache(cache.clone()),
        (Some(false), _) => stack.no_cache(),
        _ => stack,
    })
}
