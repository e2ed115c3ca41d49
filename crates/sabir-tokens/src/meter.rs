use crate::calibrated::Line;
use crate::runs::{MAX_RUN, PER_CUT};
use crate::table::{Merges, rule};
use crate::text::Measure;
use crate::{Count, ModelId, Precision};

/// Counts what a model writes while it passes by, in whatever pieces it comes.
///
/// A text is counted up to where one word ends and the next begins (a space between, and an ASCII letter after it): there
/// the encodings divide it anyway, so that the sum is the count of the whole, however it was cut. What comes after the last
/// such place is kept, up to 4096 bytes; only where a text has none for so long it is divided all the same, and the count
/// is a `Bound`. An estimate by features adds up its roundings, and so is wider than that of the whole.
///
/// ```
/// # use sabir_tokens::{Meter, ModelId, count_text};
/// let model = ModelId::new("openai", "gpt-4o");
/// let mut meter = Meter::new(&model);
/// for piece in ["The s", "ea is sa", "lt", "y."] {
///     meter.push(piece);
/// }
/// # #[cfg(feature = "openai")]
/// assert_eq!(meter.count(), count_text("The sea is salty.", &model));
/// ```
#[derive(Debug)]
pub struct Meter {
    measure: Measure,
    line: Option<&'static Line>,
    counted: Count,
    tail: String,
}

impl Meter {
    /// A meter for what a model writes.
    pub fn new(model: &ModelId) -> Self {
        let rule = rule(model);
        let line = (rule.vocabulary == Merges::Closed).then_some(rule.line);
        Self { measure: rule.measure(), line, counted: Count::default(), tail: String::new() }
    }

    /// The next piece.
    pub fn push(&mut self, piece: &str) {
        let mut rest = piece;
        // Never more than a run is kept, however long the piece is.
        while !rest.is_empty() {
            let mut end = rest.len().min(MAX_RUN);
            while !rest.is_char_boundary(end) {
                end -= 1;
            }
            let (now, later) = rest.split_at(end);
            rest = later;
            // A place may be known only now that its letter comes, two bytes on.
            let from = self.tail.len().saturating_sub(2);
            self.tail.push_str(now);
            if let Some(at) = last_place(self.tail.as_bytes(), from) {
                self.counted += self.measure.count(&self.tail[..at], &[]);
                self.tail.drain(..at);
            }
            if self.tail.len() > MAX_RUN {
                let cut = self.measure.count(&self.tail, &[]);
                self.counted += Count {
                    precision: cut.precision.max(Precision::Bound),
                    low: cut.low.saturating_sub(PER_CUT),
                    high: cut.high + PER_CUT,
                    ..cut
                };
                self.tail.clear();
            }
        }
    }

    /// What has passed until now.
    pub fn count(&self) -> Count {
        let text = self.counted + self.measure.count(&self.tail, &[]);
        self.line.map_or(text, |line| line.text(text))
    }
}

/// The last place from `from` on at which the encodings divide a text whatever comes before and after it.
fn last_place(text: &[u8], from: usize) -> Option<usize> {
    let mut places = text.get(from..)?.windows(3);
    let found = places.rposition(|w| {
        !w[0].is_ascii_whitespace() && w[0].is_ascii() && w[0] != 0x0b && w[1] == b' ' && w[2].is_ascii_alphabetic()
    })?;
    Some(from + found + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count_text;

    #[cfg(feature = "openai")]
    #[test]
    fn however_it_is_cut_it_is_the_same() {
        let text = "It's 12 345 o'clock;  the\n\n sea \t is \u{a0}salty — naïve 世界 x\u{b} y, 'Tis so. ".repeat(3);
        let model = ModelId::new("openai", "gpt-4o");
        let whole = count_text(&text, &model);
        let chars: Vec<char> = text.chars().collect();
        for size in 1..40 {
            let mut meter = Meter::new(&model);
            for piece in chars.chunks(size) {
                meter.push(&piece.iter().collect::<String>());
            }
            assert_eq!(meter.count().tokens, whole.tokens, "pieces of {size}");
        }
    }

    #[test]
    fn what_never_ends_a_word_is_bounded() {
        let text = "字".repeat(20_000);
        let mut meter = Meter::new(&ModelId::new("openai", "gpt-4o"));
        for piece in text.as_bytes().chunks(3000) {
            meter.push(std::str::from_utf8(piece).expect("whole characters"));
            assert!(meter.tail.len() <= MAX_RUN);
        }
        assert!(meter.count().holds(count_text(&text, &ModelId::new("openai", "gpt-4o")).tokens));
    }
}
