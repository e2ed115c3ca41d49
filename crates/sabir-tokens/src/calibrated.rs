//! What is not published, as straight lines through recordings.
//!
//! Written by `scripts/calibrate-tokens` from `tests/recordings`: requests, with what their providers said they came
//! to. Each line has three rows: the likeliest (least absolute deviations), and the lowest and highest that all
//! recordings of its models lie between, a tenth wider.

use crate::Count;
use crate::shape::{ROW, Row};

/// Tokens for each entry of a [`Row`], in thousandths.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) low: [u64; ROW],
    pub(crate) mid: [u64; ROW],
    pub(crate) high: [u64; ROW],
}

impl Line {
    /// The estimate for a request.
    pub(crate) fn count(&self, row: &Row) -> Count {
        let of = |weights: &[u64; ROW], part: fn(&Count) -> u64| {
            let sum = row.0.iter().zip(weights).fold(0_u64, |sum, (count, weight)| {
                sum.saturating_add(part(count).saturating_mul(*weight))
            });
            sum / 1000
        };
        let high = of(&self.high, |count| count.high).saturating_add(1);
        Count::estimate(of(&self.mid, |count| count.tokens), of(&self.low, |count| count.low), high)
    }

    /// The estimate for a text that stands in no message.
    pub(crate) fn text(&self, text: Count) -> Count {
        let of = |tokens: u64, weight: u64| tokens.saturating_mul(weight) / 1000;
        let [low, mid, high] = [self.low[TEXT], self.mid[TEXT], self.high[TEXT]];
        Count::estimate(of(text.tokens, mid), of(text.low, low), of(text.high, high).saturating_add(1))
    }
}

/// Where the text stands in a row.
const TEXT: usize = 2;

pub(crate) static GPT: Line = Line { low: [0; ROW], mid: [1000; ROW], high: [9000; ROW] };
pub(crate) static GPT_REASONING: Line = Line { low: [0; ROW], mid: [1000; ROW], high: [9000; ROW] };
pub(crate) static GPT_OSS: Line = Line { low: [0; ROW], mid: [1000; ROW], high: [9000; ROW] };
pub(crate) static CLAUDE: Line = Line { low: [0; ROW], mid: [1000; ROW], high: [9000; ROW] };
pub(crate) static GEMINI: Line = Line { low: [0; ROW], mid: [1000; ROW], high: [9000; ROW] };
pub(crate) static NOVA: Line = Line { low: [0; ROW], mid: [1000; ROW], high: [9000; ROW] };
pub(crate) static COMMAND: Line = Line { low: [0; ROW], mid: [1000; ROW], high: [9000; ROW] };
pub(crate) static MISTRAL: Line = Line { low: [0; ROW], mid: [1000; ROW], high: [9000; ROW] };
pub(crate) static LLAMA: Line = Line { low: [0; ROW], mid: [1000; ROW], high: [9000; ROW] };
pub(crate) static QWEN: Line = Line { low: [0; ROW], mid: [1000; ROW], high: [9000; ROW] };
pub(crate) static DEEPSEEK: Line = Line { low: [0; ROW], mid: [1000; ROW], high: [9000; ROW] };
pub(crate) static GROK: Line = Line { low: [0; ROW], mid: [1000; ROW], high: [9000; ROW] };
pub(crate) static GENERAL: Line = Line { low: [0; ROW], mid: [1000; ROW], high: [9000; ROW] };
