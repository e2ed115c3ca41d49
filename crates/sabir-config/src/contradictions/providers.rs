//! Providers: who is known, and how.

use sabir_dialects::providers::{self, ProviderRow, nearest};

use super::Found;
use crate::sections::{AuthConfig, ProviderConfig, Rotation, Settings};

pub(super) fn check(settings: &mut Settings, found: &mut Found<'_>) {
    twice(settings, found);
    for (id, provider) in &mut settings.providers.0 {
        let at = format!("providers.{id}");
        if provider.name.as_ref().is_some_and(|name| name != id) {
            found.fault(format!("{at}.name"), format!("says otherwise than the name that stands over it, {id}"));
        }
        if let Some(row) = row(id, provider, &at, found) {
            speaks(row, provider, &at, found);
            let no_key = provider.api_key.is_none() && provider.keys.is_empty() && provider.auth.is_none();
            if provider.like.is_some() && row.key_required && no_key {
                let message =
                    format!("has no key of its own, and that of {} is another account's; set api_key", row.id);
                found.fault(at.as_str(), message);
            }
        }
        keys(provider, &at, found);
        for name in provider.headers.keys() {
            if name.parse::<http::HeaderName>().is_err() {
                found.fault(format!("{at}.headers.{name}"), "is no name of a header (RFC 9110, 5.1)");
            }
        }
        let known = || providers::rows().iter().flat_map(|row| row.quirks).map(|(name, _)| *name);
        for name in provider.quirks.keys().filter(|name| !known().any(|quirk| quirk == *name)) {
            // A room may document more than the rows use: what is near nothing passes.
            if let Some(near) = nearest(name, known()) {
                found.fault(format!("{at}.quirks.{name}"), format!("is no quirk; did you mean `{near}`?"));
            }
        }
    }
}

/// What is said of an alias is said of its provider: of two sections one would be lost.
fn twice(settings: &Settings, found: &mut Found<'_>) {
    let is_itself = |id: &str| settings.providers.get(id).is_some_and(|said| said.like.is_none());
    for id in settings.providers.keys().filter(|id| is_itself(id)) {
        let row = providers::find(id).filter(|row| row.id != *id && is_itself(row.id));
        if let Some(row) = row {
            let message = format!("is another name of {}, which has a section of its own; keep one of them", row.id);
            found.fault(format!("providers.{id}"), message);
        }
    }
}

/// The row that it is laid over; `None` for one of its own.
fn row(id: &str, provider: &ProviderConfig, at: &str, found: &mut Found<'_>) -> Option<&'static ProviderRow> {
    let like = provider.like.as_deref();
    let Some(row) = providers::find(like.unwrap_or(id)) else {
        if let Some(like) = like {
            found.fault(format!("{at}.like"), format!("there is no built-in provider {like:?}{}", meant(like)));
        } else if provider.base_url.is_none() {
            found.fault(at, format!("is not built in{}; one of your own needs `base_url`", meant(id)));
        } else if let Some(dialect) = &provider.dialect {
            let known = || sabir_dialects::dialects().iter().map(|dialect| dialect.name());
            if !known().any(|name| name == dialect) {
                let near = nearest(dialect, known()).map_or_else(
                    || format!("the known ones are {}", known().collect::<Vec<_>>().join(", ")),
                    |near| format!("did you mean {near}?"),
                );
                found.fault(format!("{at}.dialect"), format!("there is no dialect {dialect:?}; {near}"));
            }
        }
        return None;
    };
    if let Some(why) = row.retired {
        found.fault(at, format!("{} is gone: {why}", row.name));
    }
    Some(row)
}

fn meant(id: &str) -> String {
    providers::did_you_mean(id).map_or_else(String::new, |near| format!("; did you mean {near}?"))
}

/// Whether a built-in provider serves the dialect that is wanted of it.
fn speaks(row: &ProviderRow, provider: &ProviderConfig, at: &str, found: &mut Found<'_>) {
    let Some(dialect) = &provider.dialect else { return };
    if row.dialect_called(dialect).is_none() {
        let served: Vec<&str> = row.dialects().map(|(name, _)| name).collect();
        found.fault(
            format!("{at}.dialect"),
            format!("{} does not serve {dialect:?}; it serves {}", row.id, served.join(", ")),
        );
    }
}

fn keys(provider: &mut ProviderConfig, at: &str, found: &mut Found<'_>) {
    let one = format!("{at}.api_key");
    if !provider.keys.is_empty() && provider.api_key.is_some() {
        if found.sources.rank(&one) == 1 {
            found.fault(one, "api_key and keys are both there; put the one among the others");
        } else {
            // A variable that happens to be set does not take the place of a pool that somebody wrote down.
            provider.api_key = None;
            found.amend(&one, None, &one);
        }
    }
    if provider.auth == Some(AuthConfig::None) && (provider.api_key.is_some() || !provider.keys.is_empty()) {
        found.fault(format!("{at}.auth"), "there is a key, and none is to be sent; take one of them out");
    }
    let weighted = provider.keys.iter().find(|(_, key)| key.weight.is_some());
    if let (Some((name, _)), Rotation::RoundRobin) = (weighted, provider.rotation) {
        let message = "a weight has no effect where each key has its turn; set rotation to weighted or least_busy";
        found.fault(format!("{at}.keys.{name}.weight"), message);
    }
    if provider.keys.is_empty() && found.sources.is_said(&format!("{at}.rotation")) {
        found.fault(format!("{at}.rotation"), "there is nothing to choose from: `keys` is empty");
    }
}
