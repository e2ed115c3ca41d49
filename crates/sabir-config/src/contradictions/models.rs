//! Models: whether their providers are known, and routes lead somewhere.

use sabir_dialects::providers::{self, nearest};

use super::Found;
use crate::secret::SecretRef;
use crate::sections::{MidStream, Policy, RouteConfig, Settings, Short, TargetConfig};

pub(super) fn check(settings: &mut Settings, found: &mut Found<'_>) {
    default_place(settings, found);
    let settings = &*settings;
    for (name, targets) in &settings.aliases {
        let at = format!("aliases.{name}");
        if settings.routes.contains_key(name) {
            found.fault(&at, format!("there is a route {name:?}, too; give one of them another name"));
        }
        named(settings, name, &at, found);
        places(settings, targets, &at, found);
        prefer_ordered(targets, &at, found);
    }
    for (name, route) in &settings.routes {
        let at = format!("routes.{name}");
        named(settings, name, &at, found);
        places(settings, &route.targets, &format!("{at}.targets"), found);
        self::route(route, &at, found);
    }
    for id in settings.prompt_cache.iter().flat_map(|marks| &marks.providers) {
        known(settings, id, "prompt_cache.providers", found);
    }
    for (at, rule) in settings.limits.rules.iter().enumerate() {
        let at = format!("limits.rules[{at}]");
        if let Some(id) = &rule.provider {
            known(settings, id, &format!("{at}.provider"), found);
        }
        if let Some((id, _)) = rule.model.as_deref().and_then(|model| model.split_once('/')) {
            known(settings, id, &format!("{at}.model"), found);
        }
        if let Some(name) = &rule.route {
            a_route(settings, name, &format!("{at}.route"), found);
        }
    }
}

/// A route or an alias that there must be.
pub(super) fn a_route(settings: &Settings, name: &str, at: &str, found: &mut Found<'_>) {
    if !settings.routes.contains_key(name) && !settings.aliases.contains_key(name) {
        let own: Vec<&str> = settings.routes.keys().chain(settings.aliases.keys()).map(String::as_str).collect();
        found.fault(at, super::policies::missing("route", name, &own, "declare it in `routes`"));
    }
}

/// The provider and the model of requests that name none.
fn default_place(settings: &mut Settings, found: &mut Found<'_>) {
    if let Some(id) = &settings.provider {
        known(settings, id, "provider", found);
    }
    let named = |name: &str| settings.aliases.contains_key(name) || settings.routes.contains_key(name);
    if let Some(model) = settings.model.as_deref().filter(|model| !named(model)) {
        let first = model.split_once('/').map(|(first, _)| first);
        match (first, &settings.provider) {
            (Some(first), None) => known(settings, first, "model", found),
            (None, None) if !is_known(settings, model, found) => {
                let message = format!("no provider is named for {model:?}; write provider/{model}, or set `provider`");
                found.fault("model", message);
            }
            _ => {}
        }
    }
    let stated = settings.model.as_deref().and_then(|model| model.split_once('/'));
    let stated = stated.map(|(id, _)| id.to_owned()).filter(|id| is_known(settings, id, found));
    let key_is_there = settings.api_key.is_some();
    if key_is_there && settings.provider.is_none() && stated.is_none() {
        if settings.model.is_some() {
            let message = "is a key for nobody: `model` names no provider, and `provider` is not set";
            found.fault("api_key", message);
        } else {
            settings.provider = Some("openai".to_owned());
            found.amend("provider", settings.provider.clone(), "api_key");
        }
    }
    if let Some(id) = settings.provider.clone().or(stated) {
        give_key(settings, &id, found);
    }
}

/// Two keys for one provider in the same file say two things.
fn give_key(settings: &Settings, id: &str, found: &mut Found<'_>) {
    let Some(provider) = settings.providers.get(id) else { return };
    let own = matches!(
        &provider.api_key,
        Some(SecretRef::Given(_) | SecretRef::File(_) | SecretRef::Command(_) | SecretRef::Stored { .. })
    );
    if own && found.sources.rank("api_key") == 1 && found.sources.rank(&format!("providers.{id}.api_key")) == 1 {
        found.fault("api_key", format!("{id} has a key of its own in `providers`; keep one of them"));
    }
}

/// Whether an id names a provider: its own, one that is built in, or a service of the program's; perhaps with a dialect
/// behind it.
fn is_known(settings: &Settings, id: &str, found: &Found<'_>) -> bool {
    let own =
        |id: &str| settings.providers.contains_key(id) || found.sources.services.iter().any(|service| service == id);
    let (base, dialect) = id.split_once(':').map_or((id, None), |(base, dialect)| (base, Some(dialect)));
    let serves = |dialect: &str| providers::find(base).is_some_and(|row| row.dialect_called(dialect).is_some());
    own(id) || dialect.map_or_else(|| providers::find(base).is_some(), serves)
}

pub(super) fn known(settings: &Settings, id: &str, at: &str, found: &mut Found<'_>) {
    if is_known(settings, id, found) {
        return;
    }
    let own = settings.providers.keys().map(String::as_str);
    let all = own.chain(providers::rows().iter().filter(|row| row.retired.is_none()).map(|row| row.id));
    let hint =
        nearest(id, all).map_or_else(|| "declare it in `providers`".to_owned(), |near| format!("did you mean {near}?"));
    found.fault(at, format!("there is no provider {id:?}; {hint}"));
}

/// A name of one's own must not hide a provider's models by accident.
fn named(settings: &Settings, name: &str, at: &str, found: &mut Found<'_>) {
    if name.is_empty() || name.contains(char::is_whitespace) {
        found.fault(at, "a name has no space in it, and is not empty");
    }
    if is_known(settings, name, found) {
        found.fault(at, format!("{name} is a provider; give this another name"));
    }
}

fn places(settings: &Settings, targets: &[Short<TargetConfig>], at: &str, found: &mut Found<'_>) {
    if targets.is_empty() {
        found.fault(at, "leads nowhere: name at least one model");
    }
    let mut seen: Vec<&str> = Vec::new();
    for target in targets {
        let model = target.model.as_str();
        match model.split_once('/') {
            Some((id, rest)) if !rest.is_empty() => known(settings, id, at, found),
            _ if settings.routes.contains_key(model) || settings.aliases.contains_key(model) => {
                found.fault(at, format!("{model} is a name of your own; name the models themselves: provider/model"));
            }
            _ => found.fault(at, format!("{model:?} names no provider; write provider/{model}")),
        }
        if seen.contains(&model) {
            found.fault(at, format!("{model} is there twice; keep one of them"));
        }
        seen.push(model);
    }
}

/// An alias has no policy to which weights and prices could matter.
fn prefer_ordered(targets: &[Short<TargetConfig>], at: &str, found: &mut Found<'_>) {
    if targets.iter().any(|target| target.weight.is_some() || target.price.is_some() || target.prefill) {
        found.fault(at, "an alias takes its models in their order; with weights, prices or prefill it must be a route");
    }
}

fn route(route: &RouteConfig, at: &str, found: &mut Found<'_>) {
    let knows_weights = matches!(route.policy, Policy::Weighted | Policy::LeastBusy | Policy::Sticky);
    if !knows_weights && route.targets.iter().any(|target| target.weight.is_some()) {
        let message = format!(
            "weights have no effect with the policy {}; it may be weighted, least_busy or sticky",
            route.policy
        );
        found.fault(format!("{at}.policy"), message);
    }
    if route.policy == Policy::Weighted
        && !route.targets.is_empty()
        && route.targets.iter().all(|t| t.weight == Some(0))
    {
        found.fault(format!("{at}.targets"), "all weights are 0: no target is ever first; give one of them a weight");
    }
    if route.policy != Policy::Cheapest && route.targets.iter().any(|target| target.price.is_some()) {
        found.fault(
            format!("{at}.policy"),
            format!("prices have no effect with the policy {}; it must be cheapest", route.policy),
        );
    }
    match (&route.sticky_by, route.policy) {
        (None, Policy::Sticky) => {
            found.fault(format!("{at}.policy"), "sticky needs `sticky_by`: user, tenant or tag:NAME");
        }
        (Some(_), policy) if policy != Policy::Sticky => {
            found
                .fault(format!("{at}.sticky_by"), format!("has no effect with the policy {policy}; it must be sticky"));
        }
        _ => {}
    }
    let goes_on = matches!(route.mid_stream, MidStream::Continue | MidStream::ContinueOrRestart);
    if route.mid_stream == MidStream::Continue && !route.targets.iter().any(|target| target.prefill) {
        let message = "no target goes on with an answer that was begun; set `prefill` on those that do";
        found.fault(format!("{at}.mid_stream"), message);
    } else if !goes_on && route.targets.iter().any(|target| target.prefill) {
        let message =
            format!("prefill has no effect with {}; it needs continue or continue_or_restart", route.mid_stream);
        found.fault(format!("{at}.mid_stream"), message);
    }
    if route.mid_stream != MidStream::Fail && route.targets.len() == 1 {
        found.fault(format!("{at}.mid_stream"), "there is no other target to turn to");
    }
    if route.rest_after == 0 && found.sources.is_said(&format!("{at}.rest_for")) {
        found.fault(format!("{at}.rest_for"), "has no effect where rest_after is 0");
    }
}
