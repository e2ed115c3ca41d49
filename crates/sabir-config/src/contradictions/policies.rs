//! Policies: whether each is for some calls, says something of them, and names what there is.

use sabir_dialects::providers::nearest;

use super::models::{a_route, known};
use super::{Found, calls, gateway};
use crate::sections::{PolicyConfig, Settings};

/// Labels that a policy names by a field of their own.
const NAMED: [(&str, &str); 3] = [("key", "keys"), ("team", "teams"), ("route", "routes")];

pub(super) fn check(settings: &Settings, found: &mut Found<'_>) {
    for (name, policy) in &settings.policies {
        let at = format!("policies.{name}");
        if !policy.names_calls() {
            let message = "is for no calls: name `keys`, `teams`, `models`, `routes` or `tags`; what is for all calls \
                           is said outside of `policies`";
            found.fault(&at, message);
        }
        if policy.is_empty() {
            let message = "says nothing of its calls: it has none of `deadline`, `retry`, `timeouts`, `guard`, `hedge` \
                           and `cache`";
            found.fault(&at, message);
        }
        callers(settings, policy, &at, found);
        places(settings, policy, &at, found);
        says(settings, policy, &at, found);
    }
}

/// The names of keys and teams that can be known from the configuration. Where the administrator issues keys, they come
/// and go: to revoke one must not be refused because a policy names it.
fn callers(settings: &Settings, policy: &PolicyConfig, at: &str, found: &mut Found<'_>) {
    let gateway = &settings.gateway;
    if gateway.state.is_none() {
        let keys = settings.gateway_keys();
        if !keys.is_empty() {
            for name in policy.keys.iter().filter(|name| !keys.contains(&name.as_str())) {
                let message = missing("key", name, &keys, "declare it in `gateway.keys`");
                found.fault(format!("{at}.keys"), message);
            }
        }
    }
    if !(gateway.keys.is_empty() && gateway.teams.is_empty()) {
        let teams: Vec<&str> = gateway.teams.keys().map(String::as_str).collect();
        for name in policy.teams.iter().filter(|name| !teams.contains(&name.as_str())) {
            found.fault(format!("{at}.teams"), missing("team", name, &teams, "declare it in `gateway.teams`"));
        }
    }
    let is_of_one = |name: &String| {
        let key = gateway.keys.get(name);
        key.is_none_or(|key| key.team.as_ref().is_some_and(|team| policy.teams.contains(team)))
    };
    if !(policy.keys.is_empty() || policy.teams.is_empty() || policy.keys.iter().any(is_of_one)) {
        found.fault(format!("{at}.keys"), "none of these keys is of one of the `teams`: no call is of both");
    }
}

/// What is said of a name that there is not.
pub(super) fn missing(what: &str, name: &str, known: &[&str], else_: &str) -> String {
    let hint =
        nearest(name, known.iter().copied()).map_or_else(|| else_.to_owned(), |near| format!("did you mean {near}?"));
    format!("there is no {what} {name:?}; {hint}")
}

/// Models, routes and labels.
fn places(settings: &Settings, policy: &PolicyConfig, at: &str, found: &mut Found<'_>) {
    let models = format!("{at}.models");
    for model in &policy.models {
        match model.split_once('/') {
            Some((id, _)) if !id.contains('*') => known(settings, id, &models, found),
            None if settings.routes.contains_key(model) || settings.aliases.contains_key(model) => {
                found.fault(&models, format!("{model} is a name of your own; say it under `routes`"));
            }
            _ => {}
        }
        gateway::one_star(model, &models, found);
    }
    for name in &policy.routes {
        a_route(settings, name, &format!("{at}.routes"), found);
    }
    for (tag, values) in &policy.tags {
        let at = format!("{at}.tags.{tag}");
        if let Some((_, field)) = NAMED.iter().find(|(label, _)| label == tag) {
            found.fault(&at, format!("say it under `{field}`"));
        }
        if values.is_empty() {
            found.fault(&at, "is for no value: name one");
        }
    }
}

fn says(settings: &Settings, policy: &PolicyConfig, at: &str, found: &mut Found<'_>) {
    if policy.deadline.is_some_and(|whole| whole.is_zero()) {
        found.fault(format!("{at}.deadline"), "no call is over in no time; set a time, or take it out");
    }
    if !policy.retry.is_empty() {
        calls::waits(&policy.retry.over(&settings.retry), &format!("{at}.retry"), found);
    }
    if !policy.timeouts.is_empty() {
        calls::times(&policy.timeouts.over(&settings.timeouts), &format!("{at}.timeouts"), found);
    }
    if let Some(guard) = &policy.guard
        && guard.max_request.is_none()
        && guard.max_response.is_none()
        && !guard.redact
        && guard.webhook.is_none()
    {
        found.fault(format!("{at}.guard"), "checks nothing; say `max_request`, `max_response`, `redact` or `webhook`");
    }
    if let Some(hedge) = &policy.hedge {
        calls::hedge(hedge, &format!("{at}.hedge"), found);
        let is_made = |hedge: &Option<_>| hedge.as_ref().is_some_and(|hedge: &crate::HedgeConfig| hedge.enabled);
        let is_somewhere = is_made(&settings.hedge) || settings.policies.values().any(|other| is_made(&other.hedge));
        if !hedge.enabled && !is_somewhere {
            found.fault(format!("{at}.hedge"), "no second call is made anywhere; take it out");
        }
    }
    let is_kept = settings.cache.as_ref().is_some_and(|cache| cache.enabled);
    if policy.cache.is_some() && !is_kept {
        found.fault(format!("{at}.cache"), "nothing is kept anywhere; say `cache` for all, or take this out");
    }
}
