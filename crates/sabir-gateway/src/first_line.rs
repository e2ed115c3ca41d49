//! The first line of a request, as its bytes come: what is known of one of which nothing else could be read.

use http::request::Parts;
use http::{Method, Request, Uri};

/// How much of it is kept, in bytes.
const KEPT: usize = 1_024;

/// The first line of the request that comes, or, until that does, of the one before it. Its room is used again for the next.
#[derive(Debug, Default)]
pub(crate) struct FirstLine {
    kept: Vec<u8>,
    /// Something of the request that is waited for has come.
    has_begun: bool,
    is_whole: bool,
}

impl FirstLine {
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
            self.kept.clear();
            (self.has_begun, self.is_whole) = (true, false);
        }
        if self.is_whole {
            return false;
        }
        let end = if self.kept.len() < KEPT {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let line = &bytes[..end.unwrap_or(bytes.len())];
            self.kept.extend_from_slice(&line[..line.len().min(KEPT - self.kept.len())]);
            end.is_some()
        } else {
            bytes.contains(&b'\n')
        };
        self.is_whole = end;
        is_first
    }

    /// Whether something of the request has come.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Whether its end has come.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Whether it is a greeting of TLS (RFC 8446 §5.1).
    pub(crate) fn is_tls(&self) -> bool {
        self.kept.starts_with(&[22, 3])
    }

    /// The head of a request with this line: method and path, where they can be read, without the query, in which some
    /// clients send their key; else `-` and `*`.
    pub(crate) fn head(&self) -> Parts {
        let line = String::from_utf8_lossy(&self.kept);
        let mut words = line.trim_end().split(' ');
        let (method, target, version) = (words.next(), words.next(), words.next());
        // A line of something else must not be taken for a path: it may be anything.
        let is_cut = !self.is_whole || self.kept.len() == KEPT;
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
        let mut line = FirstLine::default();
        for piece in pieces {
            line.come(piece);
        }
        let head = line.head();
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
        let mut line = FirstLine::default();
        assert!(line.come(b"GET /"));
        for _ in 0..100 {
            assert!(!line.come(&[b'a'; 1_000]));
        }
        assert!(!line.is_whole() && line.kept.len() == KEPT);
        line.come(b"\r\nhost: x");
        assert!(line.is_whole() && line.kept.len() == KEPT);
        assert_eq!(line.head().uri.path().len(), KEPT - "GET ".len());
    }

    #[test]
    fn a_line_is_known_until_the_next_one_comes() {
        let mut line = FirstLine::default();
        line.come(b"GET /first HTTP/1.1\r\n\r\n");
        line.end();
        assert!(!line.has_begun() && !line.come(b"\r\n") && !line.has_begun());
        assert_eq!(line.head().uri, "/first");
        assert!(line.come(b"GET /se") && line.has_begun());
        assert_eq!(line.head().uri, "/se");
    }
}
