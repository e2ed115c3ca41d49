//! The frequent event of a stream. Everything else is read field by field.

use crate::json::Text;
use crate::lenient::lenient_objects;

lenient_objects! {
    /// `contentBlockDelta`.
    #[serde(rename_all = "camelCase")]
    DeltaEvent {
        content_block_index: u64,
        delta: Delta<'a>,
    }
    /// The frequent members of its union.
    #[serde(rename_all = "camelCase")]
    Delta {
        text: Option<Text<'a>>,
        tool_use: Option<More<'a>>,
        reasoning_content: Option<More<'a>>,
    }
    /// More of a call's input, or of a thought.
    #[serde(rename_all = "camelCase")]
    More {
        input: Option<Text<'a>>,
        text: Option<Text<'a>>,
        signature: Option<Text<'a>>,
        redacted_content: Option<Text<'a>>,
    }
}
