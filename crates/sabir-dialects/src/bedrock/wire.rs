//! The frequent event of a stream. Everything else is read field by field.

use serde::{Deserialize, Serialize};

use crate::json::Text;

/// `contentBlockDelta`, with what it brings as it is read or written.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeltaEvent<D> {
    #[serde(default)]
    pub(super) content_block_index: u64,
    pub(super) delta: D,
}

/// The frequent members of its union.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Delta<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) tool_use: Option<More<'a>>,
    #[serde(borrow)]
    pub(super) reasoning_content: Option<More<'a>>,
}

/// More of a call's input, or of a thought.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct More<'a> {
    #[serde(borrow)]
    pub(super) input: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) signature: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) redacted_content: Option<Text<'a>>,
}
