use std::time::Duration;

use crate::Cell;
use crate::rate::nanos;

/// How many pieces a window slides by: what was taken counts for its window and up to one piece longer.
const PIECES: u64 = 60;

/// What was taken of a rolling window, by pieces of it.
///
/// What is taken within a piece counts until the window after the piece's end is over. So any span as long as the window
/// has all that was taken in it counted at its end, and no more than 62 pieces are ever held.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rolling {
    /// The number of a piece from the clock's start, and what was taken in it; the oldest first.
    pieces: Vec<(u64, u64)>,
    /// When all of it is forgotten.
    until: u64,
}

#[derive(Clone, Copy)]
struct Span {
    window: u64,
    piece: u64,
}

impl Span {
    fn of(window: Duration) -> Self {
        let window = nanos(window).max(1);
        Self { window, piece: window.div_ceil(PIECES) }
    }

    fn number(self, now: u64) -> u64 {
        now / self.piece
    }

    /// When what was taken in a piece counts no more.
    fn end(self, number: u64) -> u64 {
        number.saturating_add(1).saturating_mul(self.piece).saturating_add(self.window)
    }
}

impl Rolling {
    /// Takes, and marks the cell with the piece; else how long to wait.
    pub(crate) fn take(&mut self, cell: &mut Cell, most: u64, window: Duration, now: u64) -> Result<(), u64> {
        let span = Span::of(window);
        self.pieces.retain(|(number, _)| span.end(*number) > now);
        let mut missing = self.sum().saturating_add(cell.amount).saturating_sub(most);
        if missing > 0 {
            let frees = self.pieces.iter().find(|(_, taken)| {
                missing = missing.saturating_sub(*taken);
                missing == 0
            });
            // More than the window ever holds: it waits for ever.
            return Err(frees.map_or(u64::MAX, |(number, _)| span.end(*number).saturating_sub(now)).max(1));
        }
        cell.mark = span.number(now);
        self.add(span, cell.mark, cell.amount);
        Ok(())
    }

    /// Corrects the piece that was taken from. What was used beyond it is taken now.
    pub(crate) fn settle(&mut self, cell: &Cell, window: Duration, used: u64, now: u64) {
        let span = Span::of(window);
        if let Ok(at) = self.find(cell.mark) {
            self.pieces[at].1 = self.pieces[at].1.saturating_sub(cell.amount.saturating_sub(used));
        }
        if used > cell.amount {
            self.add(span, span.number(now), used - cell.amount);
        }
    }

    /// What counts now.
    pub(crate) fn used(&self, window: Duration, now: u64) -> u64 {
        let span = Span::of(window);
        let counts = self.pieces.iter().filter(|(number, _)| span.end(*number) > now);
        counts.fold(0, |sum, (_, taken)| sum.saturating_add(*taken))
    }

    pub(crate) fn is_idle(&self, now: u64) -> bool {
        self.until <= now
    }

    fn sum(&self) -> u64 {
        self.pieces.iter().fold(0, |sum, (_, taken)| sum.saturating_add(*taken))
    }

    fn find(&self, number: u64) -> Result<usize, usize> {
        self.pieces.binary_search_by_key(&number, |(number, _)| *number)
    }

    fn add(&mut self, span: Span, number: u64, amount: u64) {
        match self.find(number) {
            Ok(at) => self.pieces[at].1 = self.pieces[at].1.saturating_add(amount),
            Err(at) => self.pieces.insert(at, (number, amount)),
        }
        self.until = self.until.max(span.end(number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const SECOND: u64 = 1_000_000_000;

    fn cell(amount: u64) -> Cell {
        Cell::rolling("k", 100, MINUTE, amount)
    }

    #[test]
    fn what_was_taken_counts_for_its_window_and_a_piece() {
        let mut rolling = Rolling::default();
        let mut first = cell(60);
        assert_eq!(rolling.take(&mut first, 100, MINUTE, SECOND / 2), Ok(()));
        assert_eq!(rolling.take(&mut cell(40), 100, MINUTE, 30 * SECOND), Ok(()));
        assert_eq!(rolling.take(&mut cell(1), 100, MINUTE, 60 * SECOND), Err(SECOND));
        assert_eq!(rolling.take(&mut cell(61), 100, MINUTE, 60 * SECOND), Err(31 * SECOND));
        assert_eq!(rolling.take(&mut cell(101), 100, MINUTE, 60 * SECOND), Err(u64::MAX), "never");
        assert_eq!(rolling.take(&mut cell(60), 100, MINUTE, 61 * SECOND), Ok(()));
        // The first piece is over: nothing comes back, and what was used beyond is used now.
        rolling.settle(&first, MINUTE, 50, 61 * SECOND);
        assert_eq!(rolling.used(MINUTE, 61 * SECOND), 100);
        rolling.settle(&first, MINUTE, 65, 61 * SECOND);
        assert_eq!(rolling.used(MINUTE, 61 * SECOND), 105);
        assert!(!rolling.is_idle(121 * SECOND) && rolling.is_idle(122 * SECOND));
    }

    /// Any takes and settlements, also with a clock that goes back: no span as long as the window has more than the most.
    #[test]
    fn no_window_has_more_than_the_most() {
        let mut seed = 7_u64;
        let mut below = |end: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % end
        };
        for _ in 0..30 {
            let (mut rolling, mut now, mut taken) = (Rolling::default(), 0_u64, Vec::<(u64, u64)>::new());
            for _ in 0..600 {
                now = (now + below(5 * SECOND)).saturating_sub(below(2) * below(SECOND));
                let mut cell = cell(below(40));
                if rolling.take(&mut cell, 100, MINUTE, now).is_ok() {
                    let used = below(cell.amount + 1);
                    rolling.settle(&cell, MINUTE, used, now);
                    taken.push((now, used));
                }
                assert!(rolling.pieces.len() <= 64, "{}", rolling.pieces.len());
                for (from, _) in &taken {
                    let within = taken.iter().filter(|(at, _)| (*from..from + 60 * SECOND).contains(at));
                    assert!(within.map(|(_, used)| used).sum::<u64>() <= 100, "from {from}");
                }
            }
        }
    }
}
