//! Which dialect or format is spoken at which path.

use http::{HeaderMap, Method, Uri};
use sabir_core::Dialect;
use sabir_core::exchange::{Counting, Listing};

/// Every path that is served, as it ends, and its dialect. Any prefix is taken, so that a base URL with a path of its
/// own (`/openai`, `/api/v1`) works too.
pub fn routes() -> impl Iterator<Item = (&'static str, &'static dyn Dialect)> {
    sabir_dialects::dialects().iter().flat_map(|dialect| dialect.paths().iter().map(|path| (*path, *dialect)))
}

/// What a request is for.
pub(crate) enum Wanted {
    /// A conversation in a dialect.
    Chat(&'static dyn Dialect),
    /// How many tokens a conversation is, in a format.
    Count(&'static Counting),
    /// The list of models, or one of them, in a format.
    Models(&'static Listing),
    /// Whether the server is there.
    Health,
    /// Nothing that is served.
    Nothing,
}

/// What is asked for at a path.
pub(crate) fn wanted(method: &Method, uri: &Uri, headers: &HeaderMap) -> Wanted {
    let path = uri.path().trim_end_matches('/');
    if method == Method::GET && path == "/healthz" {
        return Wanted::Health;
    }
    if let Some(name) = listing(method, path, headers) {
        let found = sabir_dialects::listings().iter().copied().find(|format| format.name() == name);
        return found.map_or(Wanted::Nothing, Wanted::Models);
    }
    let counts = |format: &&&'static Counting| format.paths().iter().any(|end| path.ends_with(end));
    if let Some(format) = sabir_dialects::countings().iter().find(counts).filter(|_| method == Method::POST) {
        return Wanted::Count(*format);
    }
    // The longest end wins: `/chat/completions` before `/completions`.
    let is_at = |end: &str| if end == "/" { path.is_empty() } else { path.ends_with(end) };
    let found = routes().filter(|(end, _)| method == Method::POST && is_at(end));
    let dialect = found.max_by_key(|(end, _)| end.len()).map(|(_, dialect)| dialect);
    dialect.map_or(Wanted::Nothing, Wanted::Chat)
}

/// The format in which models are asked for. Several share their paths and differ in what else they say.
fn listing(method: &Method, path: &str, headers: &HeaderMap) -> Option<&'static str> {
    let is_get = method == Method::GET;
    if (is_get && path.ends_with("/api/tags")) || (method == Method::POST && path.ends_with("/api/show")) {
        return Some("ollama-tags");
    }
    let about_models = is_get && (path.ends_with("/models") || path.contains("/models/"));
    about_models.then(|| match path {
        _ if headers.contains_key("anthropic-version") => "anthropic-models",
        _ if path.contains("/v1beta/") => "gemini-models",
        _ => "openai-models",
    })
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
            let Wanted::Chat(found) = wanted(&Method::POST, &uri.parse().expect("a path"), &HeaderMap::new()) else {
                panic!("{path} is not found");
            };
            assert_eq!(found.name(), dialect.name());
        }
    }

    #[test]
    fn prefixes_are_free_and_the_rest_is_not() {
        let at = |method, path: &'static str| wanted(&method, &Uri::from_static(path), &HeaderMap::new());
        assert!(matches!(at(Method::POST, "/openai/deployments/x/chat/completions?api-version=1"), Wanted::Chat(_)));
        for (path, name) in [
            ("/v1/models", "openai-models"),
            ("/v1/models/org/m", "openai-models"),
            ("/v1beta/models/m", "gemini-models"),
            ("/api/tags", "ollama-tags"),
        ] {
            assert!(matches!(at(Method::GET, path), Wanted::Models(format) if format.name() == name), "{path}");
        }
        for (path, name) in [
            ("/v1/messages/count_tokens", "anthropic-count"),
            ("/v1/responses/input_tokens", "openai-count"),
            ("/v1beta/models/m:countTokens", "gemini-count"),
            ("/model/m/count-tokens", "bedrock-count"),
        ] {
            assert!(matches!(at(Method::POST, path), Wanted::Count(format) if format.name() == name), "{path}");
        }
        assert!(matches!(at(Method::POST, "/v1/models"), Wanted::Nothing));
        assert!(matches!(at(Method::GET, "/healthz"), Wanted::Health));
        assert!(matches!(at(Method::GET, "/v1/messages"), Wanted::Nothing));
        assert!(matches!(at(Method::GET, "/v1/messages/count_tokens"), Wanted::Nothing));
        assert!(matches!(at(Method::DELETE, "/v1/messages"), Wanted::Nothing));
    }
}
