use serde::{Deserialize, Serialize};

use super::open_words;

open_words! {
    /// Why an answer ended, in Sabir's words.
    pub enum FinishReason {
        /// The model came to its end, or to a stop sequence.
        Stop = "stop",
        /// The output or context limit was reached.
        Length = "length",
        /// The model asks for tools.
        ToolCalls = "tool_calls",
        /// The provider or the model refused to go on.
        ContentFilter = "content_filter",
        /// The provider paused a long turn; send the answer back to go on.
        Pause = "pause",
        /// The provider says that it failed.
        Error = "error",
    }
}

/// Why an answer ended: in Sabir's words, and in the provider's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finish {
    /// In Sabir's words.
    pub reason: FinishReason,
    /// The provider's own word, as it came; `None` where it gave none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// The stop sequence that was met, where the provider names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_sequence: Option<String>,
}

impl Finish {
    /// A finish in Sabir's words alone.
    pub fn new(reason: FinishReason) -> Self {
        Self { reason, raw: None, stop_sequence: None }
    }

    /// A finish read from a provider's word. The words of all dialects are disjoint enough for one table;
    /// a word that is not in it stays as [`FinishReason::Other`].
    pub fn from_raw(raw: &str) -> Self {
        let reason = match raw {
            "stop" | "end" | "eos" | "eos_token" | "end_turn" | "stop_sequence" | "STOP" | "COMPLETE"
            | "STOP_SEQUENCE" | "completed" | "done" | "" => FinishReason::Stop,
            "length"
            | "max_tokens"
            | "MAX_TOKENS"
            | "model_length"
            | "ERROR_LIMIT"
            | "CONTINUATION"
            | "max_output_tokens"
            | "model_context_window_exceeded" => FinishReason::Length,
            "tool_calls" | "tool_use" | "TOOL_CALL" | "function_call" => FinishReason::ToolCalls,
            "content_filter"
            | "refusal"
            | "SAFETY"
            | "RECITATION"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT"
            | "IMAGE_RECITATION"
            | "MODEL_ARMOR"
            | "guardrail_intervened"
            | "content_filtered"
            | "ERROR_TOXIC"
            | "sensitive" => FinishReason::ContentFilter,
            "pause_turn" => FinishReason::Pause,
            "error"
            | "ERROR"
            | "TIMEOUT"
            | "network_error"
            | "MALFORMED_FUNCTION_CALL"
            | "MALFORMED_RESPONSE"
            | "UNEXPECTED_TOOL_CALL"
            | "TOO_MANY_TOOL_CALLS"
            | "malformed_model_output"
            | "malformed_tool_use" => FinishReason::Error,
            other => FinishReason::Other(other.to_owned()),
        };
        Self { reason, raw: Some(raw.to_owned()), stop_sequence: None }
    }
}

impl Default for Finish {
    /// A plain stop of which the provider said nothing.
    fn default() -> Self {
        Self::new(FinishReason::Stop)
    }
}
