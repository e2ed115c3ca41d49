use std::fmt;

/// How a stream breaks the contract. `at` is the item's place in the stream, from 0.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Violation {
    /// The stream ended without a terminal item.
    NoTerminal {
        /// How many items there were.
        items: usize,
    },
    /// Something came after the terminal item.
    AfterTerminal {
        /// The first item after it.
        at: usize,
    },
    /// `Start` came twice or after something else.
    LateStart {
        /// The late one.
        at: usize,
    },
    /// `Start` names another id or model than the answer.
    StartDiffers {
        /// What `Start` said.
        start: String,
        /// What the answer says.
        answer: String,
    },
    /// A delta without content.
    EmptyDelta {
        /// The delta.
        at: usize,
    },
    /// `PartEnd` with neither an open text or thought nor a signature.
    NothingToEnd {
        /// The `PartEnd`.
        at: usize,
    },
    /// A call's number is not the next one.
    ToolIndex {
        /// The `ToolStart`.
        at: usize,
        /// Its number.
        index: usize,
        /// The next number.
        expected: usize,
    },
    /// Arguments or the end of a call that has not started or has ended.
    ToolNotRunning {
        /// The event.
        at: usize,
        /// The call's number.
        index: usize,
    },
    /// `ToolEnd` has another id or name than `ToolStart`.
    ToolRenamed {
        /// The `ToolEnd`.
        at: usize,
        /// The call's number.
        index: usize,
    },
    /// The fragments joined are not the whole call's arguments.
    ToolArguments {
        /// The call's number.
        index: usize,
        /// The fragments, joined.
        fragments: String,
        /// The arguments of the whole call.
        call: String,
    },
    /// A call that had not ended when the answer was done.
    ToolNotEnded {
        /// The call's number.
        index: usize,
    },
    /// The answer's parts are not what the events told.
    PartsDiffer {
        /// Where they differ first: events against answer.
        difference: String,
    },
    /// The answer's usage is not the last `Usage` event.
    UsageDiffers {
        /// Where they differ first: events against answer.
        difference: String,
    },
    /// An error without what had arrived, though something had.
    NoPartial {
        /// How many parts had arrived.
        parts: usize,
        /// The error.
        error: String,
    },
    /// What an error says had arrived is not what the events told.
    PartialDiffers {
        /// Where they differ first: events against partial answer.
        difference: String,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTerminal { items } => write!(f, "the stream ended after {items} items without a terminal one"),
            Self::AfterTerminal { at } => write!(f, "item {at} came after the terminal item"),
            Self::LateStart { at } => write!(f, "item {at} is a Start, and not the first item"),
            Self::StartDiffers { start, answer } => write!(f, "Start said {start:?}, the answer says {answer:?}"),
            Self::EmptyDelta { at } => write!(f, "item {at} is an empty delta"),
            Self::NothingToEnd { at } => write!(f, "item {at} ends a part, and none is open"),
            Self::ToolIndex { at, index, expected } => {
                write!(f, "item {at} starts call {index}; the next number is {expected}")
            }
            Self::ToolNotRunning { at, index } => write!(f, "item {at} is of call {index}, which is not running"),
            Self::ToolRenamed { at, index } => write!(f, "item {at} ends call {index} under another id or name"),
            Self::ToolArguments { index, fragments, call } => {
                write!(f, "the fragments of call {index} are {fragments:?}, the whole call says {call:?}")
            }
            Self::ToolNotEnded { index } => write!(f, "call {index} had not ended when the answer was done"),
            Self::PartsDiffer { difference } => write!(f, "the answer is not what the events told: {difference}"),
            Self::UsageDiffers { difference } => write!(f, "the answer's usage is not the last one told: {difference}"),
            Self::NoPartial { parts, error } => {
                write!(f, "{parts} parts had arrived, and the error carries none of them: {error}")
            }
            Self::PartialDiffers { difference } => {
                write!(f, "the error's partial answer is not what had arrived: {difference}")
            }
        }
    }
}

impl std::error::Error for Violation {}
