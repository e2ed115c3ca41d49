//! What can be looked at without asking anybody.

use sabir::config::Config;
use sabir::dialects::providers::{self, ProviderRow};
use sabir::http::HttpTransport;
use sabir::ledger::{Filter, Ledger as _, Sqlite};
use sabir::prices::Prices;
use sabir::{Env, Secret};

use super::{Finding, State};
use crate::local;
use crate::usage::default_path;

pub(super) fn versions() -> Vec<Finding> {
    let (os, machine) = (std::env::consts::OS, std::env::consts::ARCH);
    let prices = Prices::default();
    vec![
        Finding::note("sabir", format!("{} on {os}, {machine}", env!("CARGO_PKG_VERSION"))),
        Finding::note("prices", format!("list of {}, {} models", prices.version(), prices.models().count())),
    ]
}

pub(super) fn config(config: &Config) -> Finding {
    match config.file() {
        Some(path) => Finding::good("config", format!("{} is right", path.display())),
        None => Finding::note("config", "no file; what variables say, and defaults"),
    }
}

/// The ledger, where there is one: it is opened and read, as `sabir usage` does.
pub(super) fn ledger(config: Option<&Config>) -> Finding {
    let said = config.and_then(|config| config.ledger.as_ref()).map(|ledger| ledger.path.clone());
    let Some(path) = said.or_else(default_path) else {
        return Finding::note("ledger", "none: there is no home folder for one");
    };
    let shown = path.display();
    if !path.exists() {
        return Finding::note("ledger", format!("none yet; {shown} will be made by the first call"));
    }
    let read = Sqlite::open(&path).and_then(|ledger| ledger.report(&Filter::default(), &[]));
    match read {
        Ok(groups) => {
            let attempts: u64 = groups.iter().map(|group| group.attempts).sum();
            Finding::good("ledger", format!("{shown}, {} attempts", crate::table::grouped(attempts)))
        }
        Err(error) => Finding::wrong(
            "ledger",
            error.to_string(),
            format!("look at who may write {shown}; moved away, it is made anew, and what was spent is forgotten"),
        ),
    }
}

/// The file of `sabir keys`.
pub(super) fn key_file() -> Option<Finding> {
    let file = local::key_file()?;
    let shown = file.path().display().to_string();
    Some(match file.read() {
        Ok(keys) if keys.is_empty() => Finding::note("key file", format!("none; `sabir keys set` makes {shown}")),
        Ok(keys) => Finding::good("key file", format!("{shown}, {} keys", keys.len())),
        Err(error) => Finding::wrong("key file", error.message(), "until then none of its keys is used"),
    })
}

/// Each provider's key, and where it was found.
pub(super) fn keys(config: Option<&Config>, env: &Env) -> Vec<Finding> {
    let stored = local::key_file().and_then(|file| file.read().ok()).unwrap_or_default();
    let mut all = Vec::new();
    if let Some(config) = config {
        for (id, said) in config.providers.iter() {
            if let Some(key) = &said.api_key {
                all.push(match key.resolve() {
                    Ok(secret) => {
                        Finding::good("key", format!("{id}: {} from {key}, in the configuration", secret.masked()))
                    }
                    Err(error) => Finding::wrong(
                        "key",
                        format!("{id}: {}", error.message()),
                        "put that right in the configuration",
                    ),
                });
            }
            for (name, said) in said.keys.iter() {
                all.push(match said.key.resolve() {
                    Ok(secret) => {
                        Finding::good("key", format!("{id}: {} named {name:?}, in the configuration", secret.masked()))
                    }
                    Err(error) => Finding::wrong(
                        "key",
                        format!("{id}: {}", error.message()),
                        "put that right in the configuration",
                    ),
                });
            }
        }
    }
    for row in providers::rows().iter().filter(|row| row.retired.is_none()) {
        if let Some((variable, key)) = variable(row, env) {
            all.push(match http::HeaderValue::from_str(key.expose()) {
                Ok(_) => Finding::good("key", format!("{}: {} from {variable}", row.id, key.masked())),
                Err(_) => Finding::wrong(
                    "key",
                    format!("{}: {variable} has signs that no header can hold", row.id),
                    "look for line breaks and quotes in it",
                ),
            });
        } else if let Some(key) = stored.get(row.id) {
            all.push(Finding::good("key", format!("{}: {} from `sabir keys`", row.id, key.masked())));
        }
    }
    if all.is_empty() {
        let none =
            Finding::new(State::Warning, "key", "none is found: the built-in simulator answers, or a local Ollama");
        all.push(none.advice("`sabir keys set PROVIDER`, or set a variable like OPENAI_API_KEY"));
    }
    all
}

/// The variable that holds a provider's key, where one is set.
fn variable(row: &ProviderRow, env: &Env) -> Option<(&'static str, Secret)> {
    let mut names = row.token_env.iter().chain(row.key_env);
    names.find_map(|name| Some((*name, Secret::new(env.get(name)?))))
}

/// The proxies that the environment names, without what may be a password.
pub(super) fn proxies() -> Vec<Finding> {
    let mut all = Vec::new();
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        let upper = name.to_ascii_uppercase();
        let set = [name, &upper].into_iter().find_map(|name| Some((name, std::env::var(name).ok()?)));
        let Some((name, value)) = set.filter(|(_, value)| !value.is_empty()) else { continue };
        all.push(Finding::note("proxy", format!("{name} = {}", without_password(&value))));
    }
    match HttpTransport::builder().roots_from_env(false).build() {
        Ok(_) if all.is_empty() => all.push(Finding::note("proxy", "none: providers are asked directly")),
        Ok(_) => {}
        Err(error) => all.push(Finding::wrong("proxy", error.message(), "set it right, or unset it")),
    }
    all
}

/// A URL without what stands before the `@`.
fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        (None, Some((_, host))) => format!("…@{host}"),
        _ => url.to_owned(),
    }
}

/// Whom TLS trusts.
pub(super) fn roots() -> Vec<Finding> {
    let mut all =
        vec![Finding::note("tls", "trusts the web's certificate authorities, which are built in (webpki-roots)")];
    let named = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    match (HttpTransport::builder().proxy_from_env(false).build(), named("SSL_CERT_FILE")) {
        (Ok(_), Some(file)) => {
            all.push(Finding::good("tls", format!("trusts those of SSL_CERT_FILE, too: {}", file.display())));
        }
        (Ok(_), None) => {}
        (Err(error), _) => all.push(Finding::wrong("tls", error.message(), "set it right, or unset it")),
    }
    if named("SSL_CERT_DIR").is_some() {
        let advice = "put the certificates that are meant into one file, and name it in SSL_CERT_FILE";
        all.push(Finding::new(State::Warning, "tls", "SSL_CERT_DIR is set, and not read").advice(advice));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_proxies_are_left_out() {
        for (url, shown) in [
            ("http://me:secret@proxy:3128", "http://…@proxy:3128"),
            ("me:p@ss@proxy:1", "…@proxy:1"),
            ("http://proxy:3128", "http://proxy:3128"),
            ("localhost,.internal", "localhost,.internal"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
