//! What the head of a request says of the length of its body, as its bytes come.

use memchr::memchr;

const LENGTH: &[u8] = b"content-length:";
const CODING: &[u8] = b"transfer-encoding:";

/// Looks for a length beside a coding, each of which says by itself where the body ends. The protocol lets the coding count
/// (RFC 9112 §6.1), and so does hyper, which says nothing of the length; but who reads the one, behind somebody who reads
/// the other, is given requests that nobody sent: it ought to be an error (§6.3).
#[derive(Debug, Default)]
pub(crate) struct Lengths {
    /// The beginning of a line of which the rest has not come.
    cut: [u8; CODING.len()],
    /// How much of it there is.
    filled: usize,
    has_length: bool,
    has_coding: bool,
    /// The head has come to its end.
    is_over: bool,
}

impl Lengths {
    /// Bytes of the head came, the first line with it, and perhaps what is behind it.
    pub(crate) fn come(&mut self, mut bytes: &[u8]) {
        while !self.is_over {
            let end = memchr(b'\n', bytes);
            let piece = &bytes[..end.unwrap_or(bytes.len())];
            if self.filled == 0 && end.is_some() {
                self.line(piece);
            } else {
                let new = piece.len().min(self.cut.len() - self.filled);
                self.cut[self.filled..][..new].copy_from_slice(&piece[..new]);
                self.filled += new;
                if end.is_some() {
                    let cut = self.cut;
                    self.line(&cut[..self.filled]);
                    self.filled = 0;
                }
            }
            let Some(end) = end else { return };
            bytes = &bytes[end + 1..];
        }
    }

    /// A whole line came, or as much of its beginning as is looked at.
    fn line(&mut self, line: &[u8]) {
        match line {
            [] | [b'\r'] => self.is_over = true,
            [b'c' | b'C', ..] => self.has_length |= begins(line, LENGTH),
            [b't' | b'T', ..] => self.has_coding |= begins(line, CODING),
            _ => {}
        }
    }

    /// Whether there are both.
    pub(crate) fn are_two(&self) -> bool {
        self.has_length && self.has_coding
    }
}

fn begins(line: &[u8], name: &[u8]) -> bool {
    line.get(..name.len()).is_some_and(|begins| begins.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether two are found, in pieces of this size.
    fn two(head: &str, size: usize) -> bool {
        let mut lengths = Lengths::default();
        for piece in head.as_bytes().chunks(size) {
            lengths.come(piece);
        }
        lengths.are_two()
    }

    #[test]
    fn two_are_found_however_they_come() {
        for (head, are_two) in [
            ("POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", true),
            ("POST / HTTP/1.1\r\nTRANSFER-ENCODING:chunked\r\nhost: x\r\ncontent-length:1\r\n\r\n", true),
            ("POST / HTTP/1.1\ntransfer-encoding: chunked\ncontent-length: 1\n\n", true),
            ("POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n", false),
            ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\nx: content-length: 1\r\n\r\n", false),
            ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-lengths: 1\r\n\r\n", false),
            ("POST / HTTP/1.1\r\ncontent-length: 30\r\n\r\ntransfer-encoding: chunked\r\n\r\n", false),
            ("POST / HTTP/1.1\ncontent-length: 30\n\ntransfer-encoding: chunked\r\n\r\n", false),
        ] {
            for size in 1..=head.len() {
                assert_eq!(two(head, size), are_two, "{head:?} by {size}");
            }
        }
    }
}
