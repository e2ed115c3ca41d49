//! Keys taken out of what is recorded: by the names they stand under, by how they look, and wherever
//! a key seen in the request turns up again.

use std::borrow::Cow;

use http::{HeaderMap, Uri};
use sabir_core::secret::mask;

/// What stands in a key's place.
const SCRUBBED: &str = "[scrubbed]";

/// The shortest value that is looked for elsewhere: shorter ones occur by chance.
const SHORTEST: usize = 8;

/// Scrubs one exchange. A request and its replay scrub to the same bytes.
#[derive(Debug, Default)]
pub(crate) struct Scrubber {
    /// The key-like values of the request, longest first.
    seen: Vec<Vec<u8>>,
}

impl Scrubber {
    /// A scrubber that knows the keys in this request's headers and query.
    pub(crate) fn for_request(uri: &Uri, headers: &HeaderMap) -> Self {
        let mut scrubber = Self::default();
        for (name, value) in headers {
            if is_credential(name.as_str()) {
                let value = value.as_bytes();
                // `Bearer key`: the key alone is what would be repeated.
                scrubber.remember(value.rsplit(|b| *b == b' ').next().unwrap_or(value));
            }
        }
        for (name, value) in pairs(uri.query().unwrap_or_default()) {
            if is_secret_name(name) {
                scrubber.remember(value.unwrap_or_default().as_bytes());
            }
        }
        scrubber.seen.sort_by_key(|key| std::cmp::Reverse(key.len()));
        scrubber
    }

    fn remember(&mut self, value: &[u8]) {
        if value.len() >= SHORTEST && !self.seen.iter().any(|s| s == value) {
            self.seen.push(value.to_owned());
        }
    }

    /// Scrubs text or any other bytes.
    pub(crate) fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let mut out = Cow::Borrowed(bytes);
        for key in &self.seen {
            if let Some(replaced) = replaced(&out, key) {
                out = Cow::Owned(replaced);
            }
        }
        match masked(&out) {
            Some(masked) => Cow::Owned(masked),
            None => out,
        }
    }

    /// Scrubs text.
    pub(crate) fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }

    /// Scrubs a URL: no credentials in it, and no values under key-like names in its query.
    pub(crate) fn url(&self, uri: &Uri) -> String {
        let origin = match (uri.scheme_str(), uri.host(), uri.port()) {
            (Some(scheme), Some(host), Some(port)) => format!("{scheme}://{host}:{port}"),
            (Some(scheme), Some(host), None) => format!("{scheme}://{host}"),
            _ => String::new(),
        };
        format!("{origin}{}", self.path_and_query(uri))
    }

    /// The part of a URL that a replay compares.
    pub(crate) fn path_and_query(&self, uri: &Uri) -> String {
        let mut out = uri.path().to_owned();
        for (index, (name, value)) in pairs(uri.query().unwrap_or_default()).enumerate() {
            out.push(if index == 0 { '?' } else { '&' });
            out.push_str(name);
            if let Some(value) = value {
                out.push('=');
                out.push_str(if is_secret_name(name) { SCRUBBED } else { value });
            }
        }
        self.text(&out)
    }

    /// The headers as pairs, in order.
    pub(crate) fn headers(&self, headers: &HeaderMap) -> Vec<(String, String)> {
        let shown = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            let value = if is_secret_name(name.as_str()) || value.is_sensitive() {
                SCRUBBED.to_owned()
            } else {
                self.text(&String::from_utf8_lossy(value.as_bytes()))
            };
            (name.as_str().to_owned(), value)
        };
        headers.iter().map(shown).collect()
    }
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| match pair.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (pair, None),
    })
}

/// Names whose value opens something.
fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    matches!(name.as_str(), "key" | "apikey" | "token" | "sig" | "auth" | "code" | "password")
        || ["-key", "-apikey", "-token", "-password"].iter().any(|end| name.ends_with(end))
        || ["authorization", "cookie", "secret", "signature", "credential"].iter().any(|part| name.contains(part))
}

/// Names whose value must not be in a recording: credentials, and who pays.
fn is_secret_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    is_credential(name)
        || lower.contains("organization")
        || matches!(lower.as_str(), "openai-project" | "x-goog-user-project" | "chatgpt-account-id")
}

/// Every occurrence of `key` replaced; `None` when there is none.
fn replaced(bytes: &[u8], key: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut rest, mut found) = (bytes, false);
    while let Some(at) = rest.windows(key.len()).position(|window| window == key) {
        found = true;
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(SCRUBBED.as_bytes());
        rest = &rest[at + key.len()..];
    }
    out.extend_from_slice(rest);
    found.then_some(out)
}

/// What looks like a provider key masked in every stretch of text; `None` when there is none.
fn masked(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut changed = false;
    for chunk in bytes.utf8_chunks() {
        let text = mask(chunk.valid());
        changed |= matches!(text, Cow::Owned(_));
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(chunk.invalid());
    }
    changed.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for secret in [
            "authorization", "Proxy-Authorization", "x-api-key", "api_key", "key", "X-Amz-Security-Token",
            "set-cookie", "openai-organization",
        ] {
            assert!(is_secret_name(secret), "{secret}");
        }
        for open in
            ["content-type", "x-ratelimit-remaining-tokens", "alt", "api-version", "x-request-id", "keyboard", "monkey"]
        {
            assert!(!is_secret_name(open), "{open}");
        }
    }

    #[test]
    fn a_key_seen_in_a_header_or_query_is_found_everywhere() {
        let uri: Uri =
            "https://user:pw@host:1/v1/azure-0123456789abcdef?key=plain-looking&alt=sse&flag".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("api-key", "azure-0123456789abcdef".parse().unwrap());
        let scrubber = Scrubber::for_request(&uri, &headers);
        assert_eq!(scrubber.url(&uri), "https://host:1/v1/[scrubbed]?key=[scrubbed]&alt=sse&flag");
        assert_eq!(scrubber.bytes(b"bad key azure-0123456789abcdef!"), b"bad key [scrubbed]!".as_slice());
        assert_eq!(scrubber.bytes(b"\xff plain-looking \xfe"), b"\xff [scrubbed] \xfe".as_slice());
        assert_eq!(scrubber.headers(&headers), [("api-key".to_owned(), "[scrubbed]".to_owned())]);
    }

    #[test]
    fn what_looks_like_a_key_is_masked_between_other_bytes() {
        let scrubbed = Scrubber::default().bytes(b"\xff sk-proj-a1B2c3D4e5F6g7H8 \xff").into_owned();
        assert_eq!(scrubbed, b"\xff sk-p\xe2\x80\xa6 \xff");
    }
}
