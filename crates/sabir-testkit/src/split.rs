//! Cutting bytes in pieces, in every way in which a network may.

use bytes::Bytes;

use crate::random::Random;

/// How many cuts in several pieces are tried besides the ones at every byte.
const SEVERAL: usize = 32;

/// Calls `check` with the bytes cut in two at each place (before the first byte and after the last one too), one
/// byte a piece, and in several pieces at places that are the same in every run. The bytes are never copied.
pub fn every_split(bytes: &Bytes, mut check: impl FnMut(&[Bytes])) {
    for at in 0..=bytes.len() {
        check(&[bytes.slice(..at), bytes.slice(at..)]);
    }
    check(&one_byte_each(bytes));
    let mut random = Random::new(bytes.len() as u64);
    for _ in 0..SEVERAL {
        let mut cuts: Vec<usize> = (0..2 + random.below(8)).map(|_| random.below(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        check(&cut_at(bytes, &cuts));
    }
}

/// The bytes one by one.
pub fn one_byte_each(bytes: &Bytes) -> Vec<Bytes> {
    (0..bytes.len()).map(|at| bytes.slice(at..=at)).collect()
}

/// The bytes cut at these places, which are in order; the same place twice makes an empty piece.
fn cut_at(bytes: &Bytes, cuts: &[usize]) -> Vec<Bytes> {
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain(std::iter::once(bytes.len()));
    starts.zip(ends).map(|(start, end)| bytes.slice(start..end)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_split_joins_to_the_whole_and_meets_every_byte() {
        let bytes = Bytes::from_static(b"0123456789");
        let (mut seen, mut in_two) = (0, Vec::new());
        every_split(&bytes, |pieces| {
            seen += 1;
            assert_eq!(pieces.concat(), bytes);
            if pieces.len() == 2 {
                in_two.push(pieces[0].len());
            }
        });
        assert_eq!(seen, 11 + 1 + SEVERAL);
        assert_eq!(in_two[..11], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    }

    #[test]
    fn nothing_can_be_split_too() {
        every_split(&Bytes::new(), |pieces| assert!(pieces.concat().is_empty()));
    }
}
