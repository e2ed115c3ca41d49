//! The sequences by which a terminal shows how a text is meant (ECMA-48, §8.3.117).

/// How something begins and how it ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Codes {
    pub(super) on: &'static str,
    pub(super) off: &'static str,
}

pub(super) const BOLD: Codes = Codes { on: "\x1b[1m", off: "\x1b[22m" };
pub(super) const DIM: Codes = Codes { on: "\x1b[2m", off: "\x1b[22m" };
pub(super) const ITALIC: Codes = Codes { on: "\x1b[3m", off: "\x1b[23m" };
pub(super) const UNDERLINE: Codes = Codes { on: "\x1b[4m", off: "\x1b[24m" };
pub(super) const STRIKE: Codes = Codes { on: "\x1b[9m", off: "\x1b[29m" };
/// Cyan: dim letters are hard to read on many screens, and code is what is read most closely.
pub(super) const CODE: Codes = Codes { on: "\x1b[36m", off: "\x1b[39m" };

/// How a text can be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Heading,
    Strong,
    Emphasis,
    Strike,
    Link,
}

impl Style {
    pub(super) fn codes(self) -> Codes {
        match self {
            Self::Heading | Self::Strong => BOLD,
            Self::Emphasis => ITALIC,
            Self::Strike => STRIKE,
            Self::Link => UNDERLINE,
        }
    }
}
