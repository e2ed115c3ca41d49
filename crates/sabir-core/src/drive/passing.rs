//! The bytes of a streamed answer, kept until the events that they say are told.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Pieces of a body, given on as far as whole frames of it were read: what comes after them can be something else.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    kept: VecDeque<Bytes>,
    /// How many bytes were added.
    added: usize,
    /// How many were given on.
    given: usize,
    /// How many are of frames that were read.
    read: usize,
    /// Whether something was read that may not be given on yet.
    held: bool,
}

impl Pieces {
    pub(super) fn push(&mut self, piece: Bytes) {
        self.added += piece.len();
        self.kept.push_back(piece);
    }

    /// A frame that ends here was read; `None` where nothing can follow it.
    pub(super) fn read_to(&mut self, end: Option<usize>) {
        match end {
            Some(end) => self.read = end.min(self.added),
            None => self.held = true,
        }
    }

    pub(super) fn is_held(&self) -> bool {
        self.held
    }

    /// The answer is over: whatever else came is of its end.
    pub(super) fn read_all(&mut self) {
        (self.read, self.held) = (self.added, false);
    }

    /// What was read and not given on yet; copied only where it is of several pieces.
    pub(super) fn take(&mut self) -> Bytes {
        let mut left = self.read - self.given;
        self.given = self.read;
        let mut next = |left: &mut usize| {
            let first = self.kept.front_mut()?;
            let part = first.split_to(first.len().min(*left));
            *left -= part.len();
            if first.is_empty() {
                self.kept.pop_front();
            }
            Some(part)
        };
        let mut taken = if left > 0 { next(&mut left).unwrap_or_default() } else { Bytes::new() };
        if left > 0 {
            let mut all = BytesMut::from(taken);
            while left > 0
                && let Some(part) = next(&mut left)
            {
                all.extend_from_slice(&part);
            }
            taken = all.freeze();
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_on_ends_with_a_frame() {
        let mut pieces = Pieces::default();
        assert!(pieces.take().is_empty());
        pieces.push(Bytes::from_static(b"one two th"));
        assert!(pieces.take().is_empty(), "nothing of it was read");
        pieces.read_to(Some(4));
        assert_eq!(pieces.take(), "one ");
        assert!(pieces.take().is_empty());
        pieces.push(Bytes::from_static(b"ree "));
        pieces.push(Bytes::from_static(b"four"));
        pieces.read_to(Some(14));
        assert_eq!(pieces.take(), "two three ");
        pieces.read_to(None);
        assert!(pieces.is_held() && pieces.take().is_empty());
        pieces.read_all();
        assert_eq!(pieces.take(), "four");
        assert!(pieces.kept.is_empty());
    }
}
