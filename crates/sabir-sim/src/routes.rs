//! Which dialect is spoken at which path.

use http::{Method, Uri};
use sabir_core::Dialect;

/// Where a dialect is served.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The dialect.
    pub dialect: &'static dyn Dialect,
    /// The path at which clients look for it; served under any prefix, so that a base URL with a path of its own
    /// (`/openai`, `/api/v1`) works too.
    pub path: &'static str,
}

/// Each dialect's path, as its clients append it, and the part of it that tells it from the others.
const PATHS: &[(&str, &str, &str)] = &[
    ("openai-chat", "/v1/chat/completions", "/chat/completions"),
    ("anthropic-messages", "/v1/messages", "/messages"),
];

/// Every dialect that is built in, with its path.
pub fn routes() -> impl Iterator<Item = Route> {
    PATHS.iter().filter_map(|(name, path, _)| Some(Route { dialect: sabir_dialects::dialect(name)?, path }))
}

/// What a request is for.
pub(crate) enum Wanted {
    /// A conversation in a dialect.
    Chat(&'static dyn Dialect),
    /// The list of models.
    Models,
    /// Whether the server is there.
    Health,
    /// Nothing that is served.
    Nothing,
}

/// What is asked for at a path.
pub(crate) fn wanted(method: &Method, uri: &Uri) -> Wanted {
    let path = uri.path().trim_end_matches('/');
    if method == Method::GET {
        return match path {
            "/healthz" => Wanted::Health,
            _ if path.ends_with("/models") => Wanted::Models,
            _ => Wanted::Nothing,
        };
    }
    let mut found = PATHS.iter().filter(|(.., end)| method == Method::POST && path.ends_with(end));
    let dialect = found.find_map(|(name, ..)| sabir_dialects::dialect(name));
    dialect.map_or(Wanted::Nothing, Wanted::Chat)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialect_has_a_path() {
        let served: Vec<&str> = routes().map(|route| route.dialect.name()).collect();
        for dialect in sabir_dialects::dialects() {
            assert!(served.contains(&dialect.name()), "{} has no path in PATHS", dialect.name());
        }
        for route in routes() {
            let Wanted::Chat(found) = wanted(&Method::POST, &Uri::from_static(route.path)) else {
                panic!("{} is not found at its own path", route.dialect.name());
            };
            assert_eq!(found.name(), route.dialect.name());
        }
    }

    #[test]
    fn prefixes_are_free_and_the_rest_is_not() {
        let at = |method, path: &'static str| wanted(&method, &Uri::from_static(path));
        assert!(matches!(at(Method::POST, "/openai/deployments/x/chat/completions?api-version=1"), Wanted::Chat(_)));
        assert!(matches!(at(Method::GET, "/v1/models"), Wanted::Models));
        assert!(matches!(at(Method::GET, "/healthz"), Wanted::Health));
        assert!(matches!(at(Method::GET, "/v1/messages"), Wanted::Nothing));
        assert!(matches!(at(Method::POST, "/v1/messages/count_tokens"), Wanted::Nothing));
        assert!(matches!(at(Method::DELETE, "/v1/messages"), Wanted::Nothing));
    }
}
