//! What a program writes, line by line, with a bound.

use std::io;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

/// Lines of what is read.
pub(super) struct Lines<R> {
    from: BufReader<R>,
    line: Vec<u8>,
    /// The most bytes of a line.
    longest: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(from: R, longest: usize) -> Self {
        Self { from: BufReader::new(from), line: Vec::new(), longest }
    }

    /// The next line, without its end; `None` at the end of all. Nothing is lost where it is dropped before it is ready.
    ///
    /// # Errors
    /// `InvalidData` where a line is too long; what reading gives.
    pub(super) async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let come = self.from.fill_buf().await?;
            if come.is_empty() {
                // What has no end may be half of a message.
                return Ok(None);
            }
            let end = come.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(come.len());
            if self.line.len() + taken > self.longest {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.line.extend_from_slice(&come[..taken]);
            self.from.consume(taken + usize::from(end.is_some()));
            if end.is_some() {
                return Ok(Some(std::mem::take(&mut self.line)));
            }
        }
    }

    /// Reads to the end of all, of which nothing is wanted.
    pub(super) async fn leave(&mut self) {
        while let Ok(come) = self.from.fill_buf().await {
            let read = come.len();
            if read == 0 {
                return;
            }
            self.from.consume(read);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn lines_come_whole_up_to_their_bound() {
        let mut lines = Lines::new(&b"one\n\nthree\r\n12345678\nhalf"[..], 8);
        for line in ["one", "", "three\r", "12345678"] {
            assert_eq!(lines.next().await.expect("read").as_deref(), Some(line.as_bytes()));
        }
        assert_eq!(lines.next().await.expect("read"), None);
        let text = "ü\n\nzwölf\n".as_bytes();
        for cut in 0..=text.len() {
            let mut lines = Lines::new(text[..cut].chain(&text[cut..]), 8);
            for line in ["ü", "", "zwölf"] {
                assert_eq!(lines.next().await.expect("read").as_deref(), Some(line.as_bytes()), "cut at {cut}");
            }
        }
        let mut lines = Lines::new(&b"ok\n123456789\n"[..], 8);
        assert!(lines.next().await.is_ok());
        assert_eq!(lines.next().await.map_err(|error| error.kind()), Err(io::ErrorKind::InvalidData));
    }
}
