//! The layers that a configuration says.

use std::path::PathBuf;
use std::sync::Arc;

use sabir_config::{
    CacheConfig, CallerLimits, Config, Each, GuardConfig, HedgeConfig, LimitMode, LimitRule, Recorded, RetryConfig,
};
use sabir_core::Result;
use sabir_http::HttpTransport;
use sabir_layers::guard::{Guard, MaxSize, Redact, Webhook};
use sabir_layers::{
    Backoff, Breaker, Cache, Deadline, Hedge, Keys, Limit, Limits, Metrics, PromptCache, Receipts, Retry, Spend, Stack,
    Trace,
};
use sabir_store::Ledger;

use super::policies::{self, Usual};
use super::providers::{any_dialect, own_id};
use super::routes;
use super::spend::spend;
use crate::{Env, Registry};

/// The layers that a configuration says, in their order, with what it says of some calls.
///
/// # Errors
/// `Configuration` where a key cannot be fetched.
pub fn stack(config: &Config) -> Result<Stack> {
    let ledger = super::spend::ledger(config)?;
    let keys = super::providers::register(config, &Registry::new(), &Env::none())?;
    Ok(assembled(config, keys, &Kept::default(), ledger.as_ref())?.0)
}

/// What goes on when a configuration is read anew.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    metrics: Metrics,
    limits: Option<Limits>,
    spend: Option<Spend>,
    pub(super) ledger: Option<(PathBuf, Arc<dyn Ledger>)>,
}

pub(super) fn assembled(
    config: &Config,
    keys: Option<Keys>,
    before: &Kept,
    ledger: Option<&Arc<dyn Ledger>>,
) -> Result<(Stack, Kept)> {
    let prices = config.all_prices();
    let said = &config.retry;
    let retry = tries(Retry::default().budget(said.share.0, said.reserve), said);
    let path = config.ledger.as_ref().map(|said| said.path.clone());
    let mut kept = Kept { ledger: path.zip(ledger.cloned()), ..before.clone() };
    let limits = before.limits.iter().fold(limits(config), Limits::after).meter(&before.metrics);
    kept.limits = Some(limits.clone());
    let mut stack = Stack::new().retry(retry.clone()).limits(limits).timeout(policies::timeout(&config.timeouts));
    if config.metrics.enabled {
        stack = stack.meter(&before.metrics);
    }
    let receipts = Receipts::new(prices.clone());
    if config.prices.receipts {
        stack = stack.receipts(receipts.clone());
    }
    if let Some(spend) = spend(config, &receipts, ledger)? {
        let spend = before.spend.iter().fold(spend, Spend::after).meter(&before.metrics);
        kept.spend = Some(spend.clone());
        stack = stack.spend(spend);
    }
    if let Some(limit) = config.deadline {
        stack = stack.deadline(Deadline::after(limit));
    }
    let said = &config.breaker;
    if said.enabled {
        let breaker = Breaker::default()
            .opens_at(said.calls.get(), said.failure_share.0, said.window)
            .open_for(said.open_for, said.longest)
            .probes(said.probes.get())
            .count_rate_limits(said.count_rate_limits);
        stack = stack.breaker(breaker);
    }
    if let Some(routes) = routes::routes(config, &prices) {
        stack = stack.routes(routes);
    }
    if let Some(keys) = keys {
        stack = stack.keys(keys);
    }
    let hedge = config.hedge.as_ref().filter(|said| said.enabled).map(hedge);
    if let Some(hedge) = &hedge {
        stack = stack.hedge(hedge.clone());
    }
    let cache = config.cache.as_ref().filter(|said| said.enabled).map(cache);
    if let Some(cache) = &cache {
        stack = stack.cache(cache.clone());
    }
    if let Some(said) = &config.prompt_cache {
        let marks =
            said.providers.iter().map(|id| own_id(config, id)).fold(PromptCache::default(), PromptCache::for_provider);
        stack = stack.prompt_cache(said.ttl.iter().fold(marks, PromptCache::ttl));
    }
    if let Some(said) = &config.guard {
        stack = stack.guard(guard(said)?);
    }
    if let Some(said) = &config.trace {
        stack = stack.trace(Trace::default().content(match said.content {
            Recorded::Redacted => sabir_layers::Recorded::Redacted,
            Recorded::Everything => sabir_layers::Recorded::Everything,
            _ => sabir_layers::Recorded::Nothing,
        }));
    }
    Ok((policies::lay_over(stack, config, &Usual { retry, hedge, cache })?, kept))
}

/// A retry with these tries and waits; what it may burden a provider with stays its own.
pub(super) fn tries(retry: Retry, said: &RetryConfig) -> Retry {
    let backoff = Backoff::new(said.initial_delay, said.max_delay).factor(said.multiplier);
    let retry = retry.attempts(said.max_attempts.get()).backoff(backoff);
    retry.longest_hint(said.longest_hint).retry_maybe_sent(said.maybe_sent)
}

fn cache(said: &CacheConfig) -> Cache {
    let mut cache = Cache::default().time(said.ttl).size(said.max_size.bytes()).max_follow(said.max_follow);
    if said.only_deterministic {
        cache = cache.only_deterministic();
    }
    if said.tool_calls {
        cache = cache.cache_tool_calls();
    }
    cache
}

pub(super) fn hedge(said: &HedgeConfig) -> Hedge {
    let (shortest, longest) = (said.min_delay, said.max_delay);
    let mut hedge = Hedge::default().share(said.share.0);
    if shortest.is_some() || longest.is_some() {
        hedge = hedge.bounds(shortest.unwrap_or(HEDGED.0), longest.unwrap_or(HEDGED.1));
    }
    said.after.into_iter().fold(hedge, Hedge::after)
}

/// The bounds of a hedge where one of them is not said: its own.
const HEDGED: (std::time::Duration, std::time::Duration) =
    (std::time::Duration::from_millis(50), std::time::Duration::from_secs(30));

pub(super) fn guard(said: &GuardConfig) -> Result<Guard> {
    let mut guard = Guard::new();
    if let Some(most) = said.max_request {
        guard = guard.check(MaxSize::request(most.bytes()));
    }
    if let Some(most) = said.max_response {
        guard = guard.check(MaxSize::response(most.bytes()));
    }
    if said.redact {
        guard = guard.check(Redact);
    }
    if let Some(said) = &said.webhook {
        let mut webhook = Webhook::new(&said.url.0, HttpTransport::new()?)?.timeout(said.timeout);
        if let Some(key) = &said.api_key {
            webhook = webhook.key(key.resolve()?);
        }
        if said.responses {
            webhook = webhook.responses();
        }
        if said.fail_open {
            webhook = webhook.fail_open();
        }
        guard = guard.check(webhook);
    }
    Ok(guard)
}

fn limits(config: &Config) -> Limits {
    let said = &config.limits;
    let waiting = usize::try_from(said.max_waiting.get()).unwrap_or(usize::MAX);
    let mut limits = Limits::default().max_wait(said.max_wait).max_waiting(waiting).learn(said.learn);
    let all = amounts([
        said.requests_per_minute, said.tokens_per_minute, said.input_tokens_per_minute, said.output_tokens_per_minute,
        said.concurrent_calls,
    ]);
    limits = all.map(Limit::together).fold(limits, Limits::limit);
    for (id, provider) in config.providers.iter() {
        let said = &provider.limits;
        let own = amounts([
            said.requests_per_minute, said.tokens_per_minute, said.input_tokens_per_minute,
            said.output_tokens_per_minute, said.concurrent_calls,
        ]);
        limits = own.map(|limit| limit.for_provider(own_id(config, id))).fold(limits, Limits::limit);
    }
    limits = said.rules.iter().flat_map(|said| rule(config, said)).fold(limits, Limits::limit);
    let keys = config.gateway.keys.iter().map(|(name, key)| ("key", name, &key.limits));
    let teams = config.gateway.teams.iter().map(|(name, team)| ("team", name, &team.limits));
    let dry_run = config.gateway.dry_run;
    let own = keys.chain(teams).flat_map(|(tag, name, said)| of_caller(tag, name, said, dry_run));
    own.fold(limits, Limits::limit)
}

/// The limits of a key or a team of the gateway, by the label that it gives to their calls.
fn of_caller<'a>(tag: &'a str, name: &'a str, said: &CallerLimits, dry_run: bool) -> impl Iterator<Item = Limit> + 'a {
    let minute = amounts([
        said.requests_per_minute, said.tokens_per_minute, said.input_tokens_per_minute, said.output_tokens_per_minute,
        said.concurrent_calls,
    ]);
    let requests = said.requests.zip(said.per).map(|(amount, per)| Limit::requests(amount.get(), per));
    let tokens = said.tokens.zip(said.per).map(|(amount, per)| Limit::tokens(amount.get(), per));
    let is_watched = dry_run || said.mode == LimitMode::Watch;
    let of = move |limit: Limit| if is_watched { limit.for_tag(tag, name).watched() } else { limit.for_tag(tag, name) };
    minute.chain(requests).chain(tokens).map(of)
}

type Amount = Option<std::num::NonZeroU64>;

/// Requests, tokens, input tokens and output tokens a minute, and calls at once.
fn amounts(said: [Amount; 5]) -> impl Iterator<Item = Limit> {
    let make: [fn(u64) -> Limit; 5] = [
        Limit::requests_per_minute,
        Limit::tokens_per_minute,
        Limit::input_tokens_per_minute,
        Limit::output_tokens_per_minute,
        Limit::concurrent,
    ];
    said.into_iter().zip(make).filter_map(|(amount, make)| Some(make(amount?.get())))
}

fn rule(config: &Config, said: &LimitRule) -> Vec<Limit> {
    let minute = amounts([
        said.requests_per_minute, said.tokens_per_minute, said.input_tokens_per_minute, said.output_tokens_per_minute,
        said.concurrent_calls,
    ]);
    let requests = said.requests.zip(said.per).map(|(amount, per)| Limit::requests(amount.get(), per));
    let tokens = said.tokens.zip(said.per).map(|(amount, per)| Limit::tokens(amount.get(), per));
    let concerning = |mut limit: Limit| {
        if let Some(burst) = said.burst {
            limit = limit.burst(burst.get());
        }
        if let Some(id) = &said.provider {
            limit = limit.for_provider(own_id(config, id));
        }
        if let Some(model) = &said.model {
            limit = limit.for_model(&any_dialect(config, model));
        }
        if let Some(name) = &said.key {
            limit = limit.for_key(name);
        }
        if let Some(name) = &said.route {
            limit = limit.for_tag("route", name);
        }
        said.each.iter().fold(limit, |limit, each| match each {
            Each::Model => limit.each_model(),
            Each::Key => limit.each_key(),
            _ => limit.each_provider(),
        })
    };
    minute.chain(requests).chain(tokens).map(concerning).collect()
}
