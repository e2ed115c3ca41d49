//! What stands around calls.

use std::num::NonZeroU32;
use std::time::Duration;

use super::Found;
use crate::sections::{Each, HedgeConfig, LimitRule, RetryConfig, Settings, TimeoutsConfig};

pub(super) fn check(settings: &mut Settings, found: &mut Found<'_>) {
    retry(settings, found);
    let settings = &*settings;
    timeouts(settings, found);
    let breaker = &settings.breaker;
    found.at_most("breaker", ("open_for", breaker.open_for), ("longest", breaker.longest));
    if breaker.failure_share.0 <= 0.0 {
        found.fault("breaker.failure_share", "at 0 it opens though nothing fails; set a share, or enabled = false");
    }
    for (at, rule) in settings.limits.rules.iter().enumerate() {
        limit_rule(rule, &format!("limits.rules[{at}]"), found);
    }
    if let Some(hedge) = &settings.hedge {
        self::hedge(hedge, "hedge", found);
    }
    if settings.cache.as_ref().is_some_and(|cache| cache.enabled && cache.max_size.0 == 0) {
        found.fault("cache.max_size", "nothing can be kept in 0 bytes; set a size, or enabled = false");
    }
    if settings.cache.as_ref().is_some_and(|cache| cache.enabled && cache.ttl.is_zero()) {
        found.fault("cache.ttl", "nothing is kept for no time; set a time, or enabled = false");
    }
    if settings.prompt_cache.as_ref().is_some_and(|marks| marks.providers.is_empty()) {
        found.fault("prompt_cache", "nothing is marked without `providers`; name them, or take the section out");
    }
}

/// What a hedge takes at least and at most of what it measured, where nothing is said; see `sabir_layers::Hedge`.
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(30);

pub(super) fn hedge(hedge: &HedgeConfig, at: &str, found: &mut Found<'_>) {
    let bounded = ["min_delay", "max_delay"].into_iter().find(|name| found.sources.is_said(&format!("{at}.{name}")));
    if let (Some(_), Some(bound)) = (hedge.after, bounded) {
        found.fault(format!("{at}.{bound}"), "has no effect where `after` says the time; keep one of them");
    }
    let (shortest, longest) = (hedge.min_delay.unwrap_or(SHORTEST), hedge.max_delay.unwrap_or(LONGEST));
    found.at_most(at, ("min_delay", shortest), ("max_delay", longest));
    if hedge.enabled && hedge.share.0 <= 0.0 {
        found.fault(format!("{at}.share"), "at 0 no second call is ever made; set a share, or take the section out");
    }
}

fn retry(settings: &mut Settings, found: &mut Found<'_>) {
    let (attempts, retries) = (found.sources.rank("retry.max_attempts"), found.sources.rank("retry.max_retries"));
    if let Some(more) = settings.retry.max_retries {
        if attempts == retries {
            found.fault("retry.max_retries", "max_attempts says it, too (it is one more); keep one of them");
        } else if retries > attempts {
            let all = NonZeroU32::MIN.saturating_add(more);
            settings.retry.max_attempts = all;
            found.amend("retry.max_attempts", Some(all.to_string()), "retry.max_retries");
        }
    }
    waits(&settings.retry, "retry", found);
}

/// The waits between tries, said here or for all.
pub(super) fn waits(retry: &RetryConfig, at: &str, found: &mut Found<'_>) {
    found.at_most(at, ("initial_delay", retry.initial_delay), ("max_delay", retry.max_delay));
    if retry.multiplier < 1.0 {
        found.fault(format!("{at}.multiplier"), "waits would become shorter with each try; it must be at least 1");
    }
}

/// The time limits that hold where some are said here.
pub(super) fn times(all: &TimeoutsConfig, at: &str, found: &mut Found<'_>) {
    found.at_most(at, ("connect", all.connect), ("whole", all.whole));
    found.at_most(at, ("connect", all.connect), ("first_event", all.first_event));
    if let Some(total) = all.total {
        found.at_most(at, ("first_event", all.first_event), ("total", total));
    }
}

fn timeouts(settings: &Settings, found: &mut Found<'_>) {
    let all = &settings.timeouts;
    times(all, "timeouts", found);
    if settings.timeout.is_some_and(|whole| whole.is_zero()) {
        found.fault("timeout", "no call is done in no time; set a time, or take it out");
    }
    if settings.deadline.is_some_and(|whole| whole.is_zero()) {
        found.fault("deadline", "no call is over in no time; set a time, or take it out");
    }
    let mut sections = vec!["timeouts".to_owned()];
    sections.extend(settings.providers.keys().map(|id| format!("providers.{id}.timeouts")));
    sections.extend(settings.policies.keys().map(|name| format!("policies.{name}.timeouts")));
    for field in sections.iter().flat_map(|at| [format!("{at}.whole"), format!("{at}.total")]) {
        if found.sources.is_said(&field) && (1..=found.sources.rank(&field)).contains(&found.sources.rank("timeout")) {
            found.fault(field, "has no effect: `timeout` stands in its place, for every attempt; keep one of them");
        }
    }
    for (id, provider) in settings.providers.iter().filter(|(_, provider)| !provider.timeouts.is_empty()) {
        times(&provider.timeouts.over(all), &format!("providers.{id}.timeouts"), found);
    }
}

fn limit_rule(rule: &LimitRule, at: &str, found: &mut Found<'_>) {
    let minute =
        [rule.requests_per_minute, rule.tokens_per_minute, rule.input_tokens_per_minute, rule.output_tokens_per_minute];
    let span = [rule.requests, rule.tokens];
    let amounts = minute.iter().chain(&span).chain([&rule.concurrent_calls]).flatten().count();
    if amounts == 0 {
        found.fault(at, "limits nothing; say how much, as requests_per_minute does");
    }
    match (span.iter().any(Option::is_some), rule.per) {
        (true, None) => found.fault(at, "requests and tokens need `per`: in which time; or say requests_per_minute"),
        (false, Some(_)) => {
            found.fault(format!("{at}.per"), "is the time of `requests` or `tokens`, and neither is there");
        }
        (true, Some(per)) if per.is_zero() => found.fault(format!("{at}.per"), "there is no time in no time"),
        _ => {}
    }
    if rule.burst.is_some() && (rule.concurrent_calls.is_some() || amounts > 1) {
        found.fault(format!("{at}.burst"), "is of one limit in a time; give each limit a rule of its own");
    }
    let alone = |what: Each| rule.each.contains(&what);
    if rule.provider.is_some() && alone(Each::Provider) {
        found.fault(format!("{at}.each"), "there is but one provider here: `provider` names it");
    }
    if rule.model.is_some() && alone(Each::Model) {
        found.fault(format!("{at}.each"), "there is but one model here: `model` names it");
    }
    if rule.key.is_some() && alone(Each::Key) {
        found.fault(format!("{at}.each"), "there is but one key here: `key` names it");
    }
    let of = rule.model.as_deref().and_then(|model| model.split_once('/')).map(|(id, _)| id);
    if let (Some(id), Some(provider)) = (of, &rule.provider)
        && id != provider
    {
        found
            .fault(format!("{at}.model"), format!("is a model of {id}, and `provider` is {provider}: no call is both"));
    }
}
