//! How often a turn is played.

use serde::{Deserialize, Serialize};

/// For how many requests a turn is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub enum Repeat {
    /// For so many.
    Times(u32),
    /// For all that come.
    Forever,
}

impl Default for Repeat {
    fn default() -> Self {
        Self::Times(1)
    }
}

impl Repeat {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    pub(super) fn is_once(&self) -> bool {
        *self == Self::default()
    }
}

/// `3` or `"forever"`.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Times(u32),
    Word(Word),
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Forever,
}

impl From<Written> for Repeat {
    fn from(written: Written) -> Self {
        match written {
            Written::Times(times) => Self::Times(times),
            Written::Word(Word::Forever) => Self::Forever,
        }
    }
}

impl From<Repeat> for Written {
    fn from(repeat: Repeat) -> Self {
        match repeat {
            Repeat::Times(times) => Self::Times(times),
            Repeat::Forever => Self::Word(Word::Forever),
        }
    }
}
