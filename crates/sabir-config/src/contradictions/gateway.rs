//! The gateway: whether each key opens something, and belongs to a team that there is.

use std::collections::{BTreeMap, HashMap};

use sabir_dialects::providers::nearest;

use super::models::known;
use super::{Found, costs};
use crate::sections::{CallerLimits, GatewayKey, KeyHash, Settings};

/// The labels that the gateway and its routes give to calls themselves.
const OWN_TAGS: [&str; 4] = ["key", "team", "user", "route"];

pub(super) fn check(settings: &Settings, found: &mut Found<'_>) {
    let gateway = &settings.gateway;
    models(settings, &gateway.models, "gateway.models", found);
    oidc(settings, found);
    servers(settings, &gateway.mcp, "gateway.mcp", found);
    let mut opened: HashMap<KeyHash, &str> = HashMap::new();
    for (name, key) in &gateway.keys {
        let at = format!("gateway.keys.{name}");
        self::name(name, &at, found);
        self::key(settings, key, &at, found);
        for hash in key.hash.iter().flat_map(|hashes| hashes.iter()) {
            if let Some(other) = opened.insert(hash.hash, name) {
                found.fault(format!("{at}.hash"), format!("is the hash of the key {other:?}, too; each needs its own"));
            }
        }
        labels(&key.tags, &at, found);
        limits(&key.limits, &at, found);
        for (number, budget) in key.budgets.iter().enumerate() {
            costs::budget(&budget.named("it"), &format!("{at}.budgets[{number}]"), found);
        }
    }
    for (name, team) in &gateway.teams {
        let at = format!("gateway.teams.{name}");
        self::name(name, &at, found);
        models(settings, &team.models, &format!("{at}.models"), found);
        servers(settings, &team.mcp, &format!("{at}.mcp"), found);
        labels(&team.tags, &at, found);
        limits(&team.limits, &at, found);
        for (number, budget) in team.budgets.iter().enumerate() {
            costs::budget(&budget.named("it"), &format!("{at}.budgets[{number}]"), found);
        }
    }
}

/// MCP servers that are offered: ones that there are, by names that can stand in a path.
fn servers(settings: &Settings, names: &[String], at: &str, found: &mut Found<'_>) {
    for name in names {
        if !settings.mcp.contains_key(name) {
            let near = nearest(name, settings.mcp.keys().map(String::as_str));
            let hint = near.map_or_else(|| "declare it in `mcp`".to_owned(), |near| format!("did you mean {near}?"));
            found.fault(at, format!("there is no MCP server {name:?}; {hint}"));
            continue;
        }
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
            found.fault(
                at,
                format!("{name:?} cannot stand in a path; name the server with letters, digits, `-` and `_`"),
            );
        }
    }
}

/// What every token has says nothing of who is an administrator.
const OF_ALL: [&str; 7] = ["iss", "aud", "exp", "nbf", "iat", "jti", "azp"];

fn oidc(settings: &Settings, found: &mut Found<'_>) {
    let Some(said) = &settings.gateway.oidc else { return };
    let at = |field: &str| format!("gateway.oidc.{field}");
    let mut is_secure = |field: &str, url: &str| {
        let uri = url.parse::<http::Uri>().ok().filter(|uri| uri.host().is_some_and(|host| !host.is_empty()));
        let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default();
        let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
        match uri.as_ref().and_then(http::Uri::scheme_str) {
            Some("https") => {}
            Some("http") if is_here => {}
            Some("http") => {
                let message = "has no https: who can change the keys on their way is the administrator";
                found.fault(at(field), message);
            }
            _ => found.fault(at(field), "is no address; write one like https://login.example.com"),
        }
    };
    is_secure("issuer", &said.issuer);
    if let Some(url) = &said.jwks_url {
        is_secure("jwks_url", &url.0);
    }
    if said.issuer.contains(['@', '?', '#']) {
        found.fault(at("issuer"), "is an address without a user, `?` or `#`");
    }
    if OF_ALL.contains(&said.claim.as_str()) {
        let message =
            format!("{} says nothing of who is an administrator; name one like `roles` or `groups`", said.claim);
        found.fault(at("claim"), message);
    }
}

fn key(settings: &Settings, key: &GatewayKey, at: &str, found: &mut Found<'_>) {
    if key.key.is_none() && key.hash.as_ref().is_none_or(|hashes| hashes.is_empty()) {
        found.fault(at, "opens nothing: it has no `hash`; `sabir gateway-key new` makes a key and its hash");
    }
    models(settings, &key.models, &format!("{at}.models"), found);
    servers(settings, &key.mcp, &format!("{at}.mcp"), found);
    let teams = &settings.gateway.teams;
    if let Some(team) = key.team.as_deref().filter(|team| !teams.contains_key(*team)) {
        let near = nearest(team, teams.keys().map(String::as_str));
        let hint =
            near.map_or_else(|| "declare it in `gateway.teams`".to_owned(), |near| format!("did you mean {near}?"));
        found.fault(format!("{at}.team"), format!("there is no team {team:?}; {hint}"));
    }
}

/// Names stand in paths, headers and logs.
fn name(name: &str, at: &str, found: &mut Found<'_>) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    if name.is_empty() || name.len() > 100 || !name.chars().all(is_plain) {
        found.fault(at, "a name has up to 100 letters, digits, `-`, `_`, `.` and `@`");
    }
}

fn labels(tags: &BTreeMap<String, String>, at: &str, found: &mut Found<'_>) {
    for own in OWN_TAGS.iter().filter(|own| tags.contains_key(**own)) {
        found.fault(
            format!("{at}.tags"),
            format!("{own} is a label that the gateway sets itself; name yours otherwise"),
        );
    }
}

fn limits(limits: &CallerLimits, at: &str, found: &mut Found<'_>) {
    let counted = limits.requests.is_some() || limits.tokens.is_some();
    if counted && limits.per.is_none_or(|per| per.is_zero()) {
        found.fault(format!("{at}.limits"), "`requests` and `tokens` need a time: say `per`");
    } else if !counted && limits.per.is_some() {
        found.fault(format!("{at}.limits.per"), "is the time of `requests` and `tokens`, and none of them is there");
    }
}

/// What may be asked: a model of a provider that there is, a name of one's own, or all that begin so.
fn models(settings: &Settings, models: &[String], at: &str, found: &mut Found<'_>) {
    for model in models {
        match model.split_once('/') {
            Some((id, _)) if !id.contains('*') => known(settings, id, at, found),
            Some(_) => {}
            None if model.ends_with('*') || is_own(settings, model) => {}
            None => {
                let own = settings.aliases.keys().chain(settings.routes.keys()).map(String::as_str);
                let hint = nearest(model, own).map_or_else(
                    || format!("write provider/{model}, or declare it in `aliases`"),
                    |near| format!("did you mean {near}?"),
                );
                found.fault(at, format!("{model:?} is no alias, no route and names no provider; {hint}"));
            }
        }
        one_star(model, at, found);
    }
}

/// A star stands for anything at the end of a name, and nowhere else.
pub(super) fn one_star(model: &str, at: &str, found: &mut Found<'_>) {
    if model.trim_end_matches('*').contains('*') || model.ends_with("**") {
        found.fault(at, format!("{model:?} may have one star, at its end: `provider/*`, `provider/name-*`"));
    }
}

/// Whether a name without a provider leads somewhere. Where all such names are of one provider, any may.
fn is_own(settings: &Settings, model: &str) -> bool {
    settings.provider.is_some() || settings.aliases.contains_key(model) || settings.routes.contains_key(model)
}
