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
            let sum = row
                .0
                .iter()
                .zip(weights)
                .fold(0_u64, |sum, (count, weight)| sum.saturating_add(part(count).saturating_mul(*weight)));
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

/// 20 recordings, off by 0.0% (median), 2.9% (nine of ten), bounds 45% apart.
pub(crate) static GPT_OSS: Line = Line {
    low: [57_273, 4_903, 524, 0, 2_650, 857, 0, 0, 5_882, 5_349],
    mid: [60_000, 7_000, 1_000, 11_050, 2_650, 950, 0, 1_383, 6_950, 5_350],
    high: [71_209, 7_700, 1_109, 12_155, 25_166, 1_045, 0, 1_527, 7_645, 7_949],
};

/// 235 recordings, off by 0.5% (median), 14.8% (nine of ten), bounds 210% apart.
pub(crate) static GPT: Line = Line {
    low: [1_501, 3_894, 900, 10_460, 0, 471, 4_909, 464, 0, 3_300],
    mid: [3_000, 4_000, 1_000, 16_889, 0, 630, 4_909, 818, 0, 4_926],
    high: [24_684, 4_401, 1_194, 18_578, 0, 6_174, 5_401, 900, 0, 107_154],
};

/// 104 recordings, off by 0.0% (median), 10.7% (nine of ten), bounds 29% apart.
pub(crate) static GPT_REASONING: Line = Line {
    low: [1_800, 3_599, 900, 7_019, 0, 652, 13_226, 99, 0, 4_999],
    mid: [2_000, 4_000, 1_000, 16_857, 0, 701, 24_602, 100, 0, 5_000],
    high: [2_200, 5_134, 1_100, 97_167, 0, 1_100, 33_000, 110, 0, 7_150],
};

/// 170 recordings, off by 7.2% (median), 33.0% (nine of ten), bounds 97% apart.
pub(crate) static CLAUDE: Line = Line {
    low: [6_293, 7, 899, 118_973, 0, 1_683, 0, 1_844, 7, 27_454],
    mid: [6_635, 224, 1_071, 318_133, 239, 1_683, 0, 3_791, 29_083, 56_443],
    high: [15_034, 247, 1_284, 656_780, 264, 1_852, 714_634, 4_170, 31_992, 971_484],
};

/// 135 recordings, off by 20.0% (median), 63.4% (nine of ten), bounds 162% apart.
pub(crate) static GEMINI: Line = Line {
    low: [0, 0, 720, 0, 0, 301, 0, 0, 0, 0],
    mid: [1_000, 0, 1_000, 0, 3_333, 733, 0, 0, 0, 1_667],
    high: [9_900, 0, 1_100, 0, 4_092, 1_863, 0, 0, 0, 94_982],
};

/// 17 recordings, off by 0.0% (median), 47.0% (nine of ten), bounds 172% apart.
pub(crate) static NOVA: Line = Line {
    low: [0, 0, 0, 313_109, 5_882, 959, 0, 0, 0, 14_661],
    mid: [3_000, 0, 1_000, 349_647, 5_882, 1_221, 0, 0, 0, 14_662],
    high: [35_200, 0, 3_301, 384_612, 6_471, 5_803, 0, 0, 0, 101_035],
};

/// 58 recordings, off by 38.5% (median), 97.7% (nine of ten), bounds 297% apart.
pub(crate) static COMMAND: Line = Line {
    low: [0, 0, 825, 22_749, 49_943, 0, 0, 0, 1_266_450, 0],
    mid: [0, 0, 1_191, 838_859, 49_944, 189, 0, 18_214, 1_400_038, 24_653],
    high: [1_045_000, 426_800, 3_301, 922_746, 60_501, 208, 0, 20_035, 1_540_042, 27_118],
};

/// 43 recordings, off by 4.8% (median), 35.4% (nine of ten), bounds 149% apart.
pub(crate) static MISTRAL: Line = Line {
    low: [2_699, 0, 900, 0, 0, 1_530, 0, 0, 9_909, 1_318],
    mid: [2_727, 0, 1_182, 0, 4_909, 1_909, 0, 0, 9_909, 1_318],
    high: [16_317, 0, 1_300, 0, 5_401, 12_091, 0, 0, 10_901, 1_451],
};

/// 56 recordings, off by 32.6% (median), 60.2% (nine of ten), bounds 146% apart.
pub(crate) static LLAMA: Line = Line {
    low: [0, 0, 506, 0, 46_230, 1_423, 0, 0, 0, 1_500],
    mid: [0, 10_000, 1_000, 78_231, 46_231, 1_423, 0, 0, 0, 1_500],
    high: [38_500, 11_000, 1_100, 705_100, 50_854, 1_566, 0, 0, 0, 1_651],
};

/// 48 recordings, off by 1.1% (median), 27.5% (nine of ten), bounds 650% apart.
pub(crate) static QWEN: Line = Line {
    low: [2_700, 3_000, 899, 76_050, 7_760, 775, 0, 0, 0, 9_000],
    mid: [7_000, 3_000, 1_000, 97_080, 7_760, 840, 0, 0, 0, 12_000],
    high: [201_300, 3_301, 3_301, 106_789, 76_725, 924, 0, 0, 0, 13_201],
};

/// 33 recordings, off by 2.8% (median), 41.8% (nine of ten), bounds 96% apart.
pub(crate) static DEEPSEEK: Line = Line {
    low: [2_700, 0, 900, 206_054, 0, 1_192, 0, 0, 518, 14_726],
    mid: [2_963, 0, 1_037, 225_667, 0, 1_407, 0, 0, 519, 28_519],
    high: [91_134, 0, 1_141, 300_372, 0, 1_549, 0, 0, 571, 31_371],
};

/// 22 recordings, off by 13.8% (median), 93.4% (nine of ten), bounds 113% apart.
pub(crate) static GROK: Line = Line {
    low: [0, 0, 729, 121_530, 0, 1_481, 0, 1_932, 0, 4_589],
    mid: [0, 1_893, 730, 161_705, 0, 2_206, 0, 2_459, 0, 4_590],
    high: [200_751, 14_300, 803, 177_876, 19_527, 2_427, 55_001, 2_705, 0, 68_750],
};

/// 1012 recordings, off by 24.3% (median), 88.6% (nine of ten), bounds 3265% apart.
pub(crate) static GENERAL: Line = Line {
    low: [0, 720, 720, 984, 0, 301, 0, 0, 0, 0],
    mid: [2_179, 3_750, 1_036, 10_327, 0, 830, 0, 0, 0, 6_118],
    high: [1_045_000, 426_800, 3_301, 11_360, 0, 2_423, 0, 0, 0, 6_730],
};
