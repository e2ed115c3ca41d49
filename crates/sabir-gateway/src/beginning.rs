//! The head of a request, as its bytes come: what is known of one that nobody else could read.

use http::request::Parts;
use http::{Method, Request, Uri};
use memchr::memchr;

use crate::lengths::Lengths;

/// How much of its first line is kept, in bytes.
const KEPT: usize = 1_024;

/// The request that comes, or, until that does, the one before it. The room for its first line is used again for the next.
#[derive(Debug, Default)]
pub(crate) struct Beginning {
    line: Vec<u8>,
    /// Something of the request that is waited for has come.
    has_begun: bool,
    /// The first line has.
    has_line: bool,
    lengths: Lengths,
}

impl Beginning {
    /// The next bytes will be those of another request.
    pub(crate) fn end(&mut self) {
        self.has_begun = false;
    }

    /// Bytes came, from the socket. Whether they are the first of a request.
    pub(crate) fn come(&mut self, bytes: &[u8]) -> bool {
        let mut bytes = bytes;
        let is_first = !self.has_begun;
        if is_first {
            // Empty lines before a request are none of it (RFC 9112 §2.2).
            while let [b'\r' | b'\n', rest @ ..] = bytes {
                bytes = rest;
            }
            if bytes.is_empty() {
                return false;
            }
            self.line.clear();
            (self.has_begun, self.has_line, self.lengths) = (true, false, Lengths::default());
        }
        self.lengths.come(bytes);
        if !self.has_line {
            let end = memchr(b'\n', bytes);
            let line = &bytes[..end.unwrap_or(bytes.len())];
            self.line.extend_from_slice(&line[..line.len().min(KEPT - self.line.len())]);
            self.has_line = end.is_some();
        }
        is_first
    }

    /// Whether something of the request has come.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Whether its first line has.
    pub(crate) fn has_line(&self) -> bool {
        self.has_line
    }

    /// Whether it says two lengths of its body.
    pub(crate) fn has_two_lengths(&self) -> bool {
        self.has_begun && self.lengths.are_two()
    }

    /// Whether it is a greeting of TLS (RFC 8446 §5.1).
    pub(crate) fn is_tls(&self) -> bool {
        self.line.starts_with(&[22, 3])
    }

    /// The head of a request with this line: method and path, where they can be read, without the query, in which some
    /// clients send their key; else `-` and `*`.
    pub(crate) fn head(&self) -> Parts {
        let line = String::from_utf8_lossy(&self.line);
        let mut words = line.trim_end().split(' ');
        let (method, target, version) = (words.next(), words.next(), words.next());
        // A line of something else must not be taken for a path: it may be anything.
        let is_cut = !self.has_line || self.line.len() == KEPT;
        let is_request = version.map_or(is_cut, |version| "HTTP/".starts_with(version.get(..5).unwrap_or(version)));
        let path = target.filter(|_| is_request).and_then(|target| target.split(['?', '#']).next());
        let uri = path.and_then(|path| path.parse::<Uri>().ok()).filter(|uri| uri.path().starts_with('/'));
        let method = method.filter(|_| uri.is_some()).and_then(|method| Method::from_bytes(method.as_bytes()).ok());
        let (mut head, ()) = Request::new(()).into_parts();
        head.method = method.unwrap_or_else(|| Method::from_bytes(b"-").expect("a token"));
        head.uri = uri.unwrap_or_else(|| Uri::from_static("*"));
        head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is known when these pieces have come.
    fn known(pieces: &[&[u8]]) -> (String, String) {
        let mut beginning = Beginning::default();
        for piece in pieces {
            beginning.come(piece);
        }
        let head = beginning.head();
        (head.method.to_string(), head.uri.to_string())
    }

    fn is(method: &str, path: &str) -> (String, String) {
        (method.to_owned(), path.to_owned())
    }

    #[test]
    fn a_line_is_read_however_it_comes() {
        let text = b"POST /v1/messages?key=sk-1 HTTP/1.1\r\nhost: x\r\n";
        assert_eq!(known(&[text]), is("POST", "/v1/messages"));
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(known(&bytes), is("POST", "/v1/messages"));
        assert_eq!(known(&[b"\r\n", b"\nGET http://user@host/api/tags HTTP/9\n"]).1, "http://user@host/api/tags");
        assert_eq!(known(&[b"P(ST /api/chat HTTP/1.1\r\n"]), is("-", "/api/chat"));
        assert_eq!(known(&[b"POST /api/chat?\xff\x00 HTTP/1.1\r\n"]), is("POST", "/api/chat"));
        assert_eq!(known(&[b"POST /api/chat"]), is("POST", "/api/chat"));
        assert_eq!(known(&[b"POST /api/chat HT"]), is("POST", "/api/chat"));
    }

    #[test]
    fn what_is_no_line_of_a_request_is_not_told() {
        for none in
            [&b""[..], b"secret", b"secret /word\r\n", b"a /secret of mine\r\n", b"\x16\x03\x01 /x HTTP/1", b"x: y\r\n"]
        {
            let (method, path) = known(&[none]);
            assert!(method == "-" && (path == "*" || path == "/x"), "{none:?}: {method} {path}");
        }
    }

    #[test]
    fn only_so_much_is_kept() {
        let mut beginning = Beginning::default();
        assert!(beginning.come(b"GET /"));
        for _ in 0..100 {
            assert!(!beginning.come(&[b'a'; 1_000]));
        }
        assert!(!beginning.has_line() && beginning.line.len() == KEPT);
        beginning.come(b"\r\nhost: x");
        assert!(beginning.has_line() && beginning.line.len() == KEPT);
        assert_eq!(beginning.head().uri.path().len(), KEPT - "GET ".len());
    }

    #[test]
    fn a_line_is_known_until_the_next_one_comes() {
        let mut beginning = Beginning::default();
        beginning.come(b"GET /first HTTP/1.1\r\n\r\n");
        beginning.end();
        assert!(!beginning.has_begun() && !beginning.come(b"\r\n") && !beginning.has_begun());
        assert_eq!(beginning.head().uri, "/first");
        assert!(beginning.come(b"GET /se") && beginning.has_begun());
        assert_eq!(beginning.head().uri, "/se");
    }
}
