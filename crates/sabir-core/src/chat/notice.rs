use serde::{Deserialize, Serialize};

/// Something that the caller of an answer should know and that is no fault of the answer's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Notice {
    /// A budget that only warns is passed.
    OverBudget {
        /// Which one, in words.
        budget: String,
        /// What it allows, in nano-dollars.
        most: u64,
        /// What is spent or reserved of it, this call included, in nano-dollars.
        used: u64,
    },
    /// The call is not in the ledger, which could not be written to.
    Unrecorded {
        /// Why, in one line.
        reason: String,
    },
}
