//! Which dialect is spoken at which path.

use http::{Method, Uri};
use sabir_core::Dialect;

/// Every path that is served, as it ends, and its dialect. Any prefix is taken, so that a base URL with a path of its
/// own (`/openai`, `/api/v1`) works too.
pub fn routes() -> impl Iterator<Item = (&'static str, &'static dyn Dialect)> {
    sabir_dialects::dialects().iter().flat_map(|dialect| dialect.paths().iter().map(|path| (*path, *dialect)))
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
    // The longest end wins: `/chat/completions` before `/completions`.
    let is_at = |end: &str| if end == "/" { path.is_empty() } else { path.ends_with(end) };
    let found = routes().filter(|(end, _)| method == Method::POST && is_at(end));
    let dialect = found.max_by_key(|(end, _)| end.len()).map(|(_, dialect)| dialect);
    dialect.map_or(Wanted::Nothing, Wanted::Chat)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialect_has_a_path() {
        for dialect in sabir_dialects::dialects() {
            assert!(!dialect.paths().is_empty(), "{} has no path", dialect.name());
        }
        for (path, dialect) in routes() {
            let uri = match path {
                "/" => "/".to_owned(),
                _ if path.starts_with('/') => format!("/any/prefix{path}"),
                _ => format!("/v1beta/models/m{path}"),
            };
            let Wanted::Chat(found) = wanted(&Method::POST, &uri.parse().expect("a path")) else {
                panic!("{path} is not found");
            };
            assert_eq!(found.name(), dialect.name());
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
