//! Which format is spoken at which path of a server.

use std::sync::LazyLock;

use http::{HeaderMap, Method, Uri};
use sabir_core::Dialect;
use sabir_core::drive::Format;
use sabir_core::exchange::Listing;

/// Every format that is asked by `POST`, and how a path ends at which it is.
pub fn paths() -> impl Iterator<Item = (&'static str, Format)> {
    fn at(paths: &'static [&'static str], format: Format) -> impl Iterator<Item = (&'static str, Format)> {
        paths.iter().map(move |path| (*path, format))
    }
    let chats = crate::dialects().iter().flat_map(|dialect| at(dialect.paths(), Format::Chat(*dialect)));
    let vectors = crate::embeddings().iter().flat_map(|format| at(format.paths(), Format::Embed(*format)));
    let orders = crate::rerankings().iter().flat_map(|format| at(format.paths(), Format::Rerank(*format)));
    let counts = crate::countings().iter().flat_map(|format| at(format.paths(), Format::Count(*format)));
    chats.chain(vectors).chain(orders).chain(counts)
}

/// What is asked for at a path, as official clients ask; `None` where nothing is.
///
/// Any prefix of a path is taken, so that a base URL with a path of its own (`/openai`, `/api/v1`) works too. Where
/// several formats fit, the longest end wins: `/chat/completions` before `/completions`.
pub fn spoken(method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Format> {
    let path = uri.path().trim_end_matches('/');
    if let Some(name) = listing(method, path, headers) {
        let found: Option<&&'static Listing> = crate::listings().iter().find(|format| format.name() == name);
        return found.map(|format| Format::Models(*format));
    }
    if *method != Method::POST {
        return None;
    }
    let is_at = |end: &str| if end == "/" { path.is_empty() } else { path.ends_with(end) };
    LONGEST_FIRST.iter().find(|(end, _)| is_at(end)).map(|(_, format)| *format)
}

/// All of [`paths`]. Of those that are equally long the last comes first.
static LONGEST_FIRST: LazyLock<Vec<(&'static str, Format)>> = LazyLock::new(|| {
    let mut all: Vec<_> = paths().collect();
    all.reverse();
    all.sort_by_key(|(end, _)| std::cmp::Reverse(end.len()));
    all
});

/// The dialect of whoever asks at a path where nothing is served, by what such clients' paths and headers have in common;
/// Chat Completions where nothing tells.
pub fn presumed(uri: &Uri, headers: &HeaderMap) -> Option<&'static dyn Dialect> {
    let path = uri.path();
    crate::dialect(match path {
        _ if headers.contains_key("anthropic-version") => "anthropic-messages",
        _ if path.contains("/v1beta/") || headers.contains_key("x-goog-api-key") => "gemini-generate",
        // `/api/v1` is where aggregators have Chat Completions.
        _ if path.contains("/api/") && !path.contains("/api/v1/") => "ollama-chat",
        _ if path.contains("/model/") => "bedrock-converse",
        _ if path.contains("/v2/") => "cohere-v2-chat",
        _ => "openai-chat",
    })
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

    fn at(method: &Method, path: &str) -> Option<&'static str> {
        spoken(method, &path.parse().expect("a path"), &HeaderMap::new()).map(Format::name)
    }

    #[test]
    fn every_format_is_found_at_its_paths_under_any_prefix() {
        for dialect in crate::dialects() {
            assert!(!dialect.paths().is_empty(), "{} has no path", dialect.name());
        }
        for (end, format) in paths() {
            let path = match end {
                "/" => "/".to_owned(),
                _ if end.starts_with('/') => format!("/any/prefix{end}"),
                _ => format!("/v1beta/models/m{end}"),
            };
            assert_eq!(at(&Method::POST, &path), Some(format.name()), "{path}");
            assert_eq!(at(&Method::DELETE, &path), None, "{path}");
        }
    }

    #[test]
    #[cfg(feature = "default")]
    fn official_clients_find_their_formats() {
        for (path, name) in [
            ("/openai/deployments/x/chat/completions?api-version=1", "openai-chat"),
            ("/v1/completions", "openai-completions"),
            ("/v1/embeddings", "openai-embeddings"),
            ("/v2/embed", "cohere-embed"),
            ("/v1beta/models/m:batchEmbedContents", "gemini-embed"),
            ("/api/embed", "ollama-embed"),
            ("/v2/rerank", "cohere-rerank"),
            ("/v1/rerank", "jina-rerank"),
            ("/v1/messages/count_tokens", "anthropic-count"),
            ("/v1/responses/input_tokens", "openai-count"),
            ("/v1beta/models/m:countTokens", "gemini-count"),
            ("/model/m/count-tokens", "bedrock-count"),
        ] {
            assert_eq!(at(&Method::POST, path), Some(name), "{path}");
        }
        for (path, name) in [
            ("/v1/models", "openai-models"),
            ("/v1/models/org/m", "openai-models"),
            ("/v1beta/models/m", "gemini-models"),
            ("/api/tags", "ollama-tags"),
        ] {
            assert_eq!(at(&Method::GET, path), Some(name), "{path}");
        }
        for (path, name) in [
            ("/v1/nothing", "openai-chat"),
            ("/api/v1/nothing", "openai-chat"),
            ("/v1beta/models/m:nothing", "gemini-generate"),
            ("/api/nothing", "ollama-chat"),
            ("/model/m/nothing", "bedrock-converse"),
            ("/v2/nothing", "cohere-v2-chat"),
        ] {
            let presumed = presumed(&path.parse().expect("a path"), &HeaderMap::new());
            assert_eq!(presumed.map(Dialect::name), Some(name), "{path}");
        }
        for (method, path) in [(Method::POST, "/v1/models"), (Method::GET, "/v1/messages"), (Method::POST, "/v1")] {
            assert_eq!(at(&method, path), None, "{path}");
        }
    }
}
