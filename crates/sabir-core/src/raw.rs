//! Anything else that a provider has: a request that is sent on as it is, and whatever comes back.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use crate::transport::Body;

/// What every such request is booked under in the place of a model, of which nothing is known: no price has this name.
pub const RAW: &str = "raw";

/// A request to a provider that is not read: files, batches, fine-tuning, whatever it has. The provider's key is put in.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct RawRequest {
    /// What it is booked under: [`RAW`].
    pub model: String,
    /// HTTP method.
    pub method: Method,
    /// Path and query, behind the provider's base URL; the base URL's own path may stand before it.
    pub path: String,
    /// Headers, without keys and what is of one connection.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
    /// Means nothing here: nothing is carried over, and nothing lost.
    pub strict: bool,
}

impl RawRequest {
    /// A request.
    pub fn new(method: Method, path: impl Into<String>, headers: HeaderMap, body: Bytes) -> Self {
        Self { model: RAW.to_owned(), method, path: path.into(), headers, body, strict: false }
    }

    /// The path behind a base URL: without what both have.
    pub(crate) fn path_behind(&self, base_url: &str) -> &str {
        let own = base_url.split_once("://").map_or(base_url, |(_, rest)| rest);
        let own = own.find('/').map_or("", |at| own[at..].trim_end_matches('/'));
        let rest = self.path.strip_prefix(own).filter(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
        rest.filter(|_| !own.is_empty()).unwrap_or(&self.path)
    }
}

/// Shows neither what is said nor what the query may hold.
impl fmt::Debug for RawRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawRequest")
            .field("method", &self.method)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// What came back, whatever its status.
#[non_exhaustive]
pub struct RawReply {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers, as they came.
    pub headers: HeaderMap,
    /// The body, as it comes.
    pub body: Body,
}

/// Does not show what is said.
impl fmt::Debug for RawReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawReply").field("status", &self.status).finish_non_exhaustive()
    }
}

impl RawReply {
    /// A reply.
    pub fn new(status: StatusCode, headers: HeaderMap, body: Body) -> Self {
        Self { status, headers, body }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_put_behind_the_base_url_once() {
        for (base, path, expected) in [
            ("https://h/v1", "/v1/files?a=b", "/files?a=b"),
            ("https://h/v1/", "/files", "/files"),
            ("https://h/v1", "/v10/files", "/v10/files"),
            ("https://h/v1", "/v1", ""),
            ("https://h", "/v1/files", "/v1/files"),
            ("https://h:8/api/v1", "/api/v1/x", "/x"),
        ] {
            let raw = RawRequest::new(Method::GET, path, HeaderMap::new(), Bytes::new());
            assert_eq!(raw.path_behind(base), expected, "{base} {path}");
        }
    }
}
