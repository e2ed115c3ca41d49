use std::time::Duration;

use crate::Cell;
use crate::rate::nanos;

/// How many pieces a window slides by: what was taken counts for its window and up to one piece longer.
const PIECES: u64 = 60;

/// What was taken of a rolling window, by pieces of it.
///
/// A take counts until it is settled, and what was used of it from then on until the window after the piece's end is over.
/// So any span as long as the window has all that was used in it counted at its end, whenever between take and settlement
/// that was; and no more than 62 pieces are ever held.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rolling {
    /// Taken and not settled.
    open: u64,
    /// The number of a piece from the clock's start, and what was used in it; the oldest first.
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

    /// When what was taken in a piece counts no more.
    fn end(self, number: u64) -> u64 {
        number.saturating_add(1).saturating_mul(self.piece).saturating_add(self.window)
    }
}

impl Rolling {
    /// Takes; else how long to wait, as far as that does not depend on who settles.
    pub(crate) fn take(&mut self, cell: &Cell, most: u64, window: Duration, now: u64) -> Result<(), u64> {
        let span = Span::of(window);
        self.pieces.retain(|(number, _)| span.end(*number) > now);
        let sum = self.pieces.iter().fold(self.open, |sum, (_, used)| sum.saturating_add(*used));
        let mut missing = sum.saturating_add(cell.amount).saturating_sub(most);
        if missing > 0 {
            let frees = self.pieces.iter().find(|(_, used)| {
                missing = missing.saturating_sub(*used);
                missing == 0
            });
            return Err(frees.map_or(u64::MAX, |(number, _)| span.end(*number).saturating_sub(now)).max(1));
        }
        self.open = self.open.saturating_add(cell.amount);
        Ok(())
    }

    /// Gives back what was taken just now.
    pub(crate) fn undo(&mut self, cell: &Cell) {
        self.open = self.open.saturating_sub(cell.amount);
    }

    /// What was taken is used, as of now.
    pub(crate) fn settle(&mut self, cell: &Cell, window: Duration, used: u64, now: u64) {
        self.undo(cell);
        let span = Span::of(window);
        self.pieces.retain(|(number, _)| span.end(*number) > now);
        if used == 0 {
            return;
        }
        let number = now / span.piece;
        match self.pieces.binary_search_by_key(&number, |(number, _)| *number) {
            Ok(at) => self.pieces[at].1 = self.pieces[at].1.saturating_add(used),
            Err(at) => self.pieces.insert(at, (number, used)),
        }
        self.until = self.until.max(span.end(number));
    }

    /// What counts now.
    pub(crate) fn used(&self, window: Duration, now: u64) -> u64 {
        let span = Span::of(window);
        let counts = self.pieces.iter().filter(|(number, _)| span.end(*number) > now);
        counts.fold(self.open, |sum, (_, used)| sum.saturating_add(*used))
    }

    pub(crate) fn is_idle(&self, now: u64) -> bool {
        self.open == 0 && self.until <= now
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
    fn what_was_used_counts_for_its_window_and_a_piece() {
        let mut rolling = Rolling::default();
        let take = |rolling: &mut Rolling, amount, now| rolling.take(&cell(amount), 100, MINUTE, now);
        assert_eq!(take(&mut rolling, 80, 0), Ok(()));
        // As long as nobody settles, nobody knows.
        assert_eq!(take(&mut rolling, 21, 900 * SECOND), Err(u64::MAX));
        rolling.settle(&cell(80), MINUTE, 60, 900 * SECOND + SECOND / 2);
        assert_eq!(take(&mut rolling, 40, 930 * SECOND), Ok(()));
        rolling.settle(&cell(40), MINUTE, 40, 930 * SECOND);
        assert_eq!(take(&mut rolling, 1, 960 * SECOND), Err(SECOND));
        assert_eq!(take(&mut rolling, 61, 960 * SECOND), Err(31 * SECOND));
        assert_eq!(take(&mut rolling, 101, 960 * SECOND), Err(u64::MAX), "never");
        assert_eq!(take(&mut rolling, 60, 961 * SECOND), Ok(()));
        assert_eq!(rolling.used(MINUTE, 961 * SECOND), 100);
        rolling.settle(&cell(60), MINUTE, 65, 961 * SECOND);
        assert_eq!(rolling.used(MINUTE, 961 * SECOND), 105, "more than was taken");
        assert!(!rolling.is_idle(1_021 * SECOND) && rolling.is_idle(1_022 * SECOND));
    }

    /// Any takes and settlements, also with a clock that goes back: no span as long as the window has more than the most,
    /// whether what was used is told by when it was taken or by when it was settled.
    #[test]
    fn no_window_has_more_than_the_most() {
        let mut seed = 7_u64;
        let mut below = |end: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % end
        };
        for back in [0, SECOND] {
            for _ in 0..20 {
                let (mut rolling, mut now) = (Rolling::default(), 0_u64);
                let (mut open, mut over) = (Vec::new(), Vec::<(u64, u64, u64)>::new());
                for _ in 0..600 {
                    now = (now + below(5 * SECOND)).saturating_sub(below(2) * below(back + 1));
                    let cell = cell(below(40));
                    if rolling.take(&cell, 100, MINUTE, now).is_ok() {
                        open.push((now, cell));
                    }
                    if below(2) == 0 && !open.is_empty() {
                        let at = usize::try_from(below(open.len() as u64)).expect("small");
                        let (begun, cell) = open.swap_remove(at);
                        let used = below(cell.amount + 1);
                        rolling.settle(&cell, MINUTE, used, now);
                        over.push((begun, now, used));
                    }
                    assert!(rolling.pieces.len() <= 64, "{}", rolling.pieces.len());
                }
                for (begun, ended, _) in &over {
                    let sum = |of: fn(&(u64, u64, u64)) -> u64, from: u64| {
                        let within = over.iter().filter(|one| (from..from + 60 * SECOND).contains(&of(one)));
                        within.map(|(_, _, used)| used).sum::<u64>()
                    };
                    // A clock that goes back makes the order of takes another one than that of their times.
                    assert!(back > 0 || sum(|one| one.0, *begun) <= 100, "begun at {begun}");
                    assert!(sum(|one| one.1, *ended) <= 100 || back > 0, "ended at {ended}");
                }
            }
        }
    }
}
