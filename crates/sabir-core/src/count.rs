//! How many tokens a conversation is, asked of the provider before it is sent.

use serde::{Deserialize, Serialize};

use crate::Loss;
use crate::chat::{ChatRequest, Meta};

/// What is to be counted: a request as it would be asked. In JSON it is that request itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CountRequest {
    /// The request. What has no bearing on its input (limits, sampling, labels, whether to stream) is not told to the
    /// provider, and that is no loss.
    pub chat: ChatRequest,
}

impl From<ChatRequest> for CountRequest {
    fn from(chat: ChatRequest) -> Self {
        Self { chat }
    }
}

/// How many tokens a request is, as its provider counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CountResponse {
    /// The provider that counted.
    pub provider: String,
    /// Tokens of the whole input: messages, tools and what the provider adds to them; cached ones included.
    pub input_tokens: u64,
    /// How many of them are in the provider's cache, where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached: Option<u64>,
    /// What could not be carried, and so was not counted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<Loss>,
    /// The provider's id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What one format alone says.
    #[serde(skip_serializing_if = "Meta::is_empty")]
    pub meta: Meta,
}
