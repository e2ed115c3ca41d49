use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Content, Cost, Finish, FinishReason, Message, Meta, Notice, Part, Receipt, Role, ToolCall, Usage};
use crate::passage::Passed;
use crate::{Call, Error, ErrorKind, Loss, Stage};

/// A whole answer, and all that is known of how it came.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ChatResponse {
    /// The provider's id of the answer; empty where it gives none.
    pub id: String,
    /// The model that answered, as the provider names it.
    pub model: String,
    /// The provider that answered.
    pub provider: String,
    /// What was answered, in order.
    pub parts: Vec<Part>,
    /// Why it ended.
    pub finish: Finish,
    /// What it used.
    pub usage: Usage,
    /// What it cost, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// What it cost line by line, where a layer priced it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Box<Receipt>>,
    /// What could not be carried between the dialects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<Loss>,
    /// What the caller should know besides: a budget that is passed, a ledger that could not be written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
    /// The attempts before this one, and why they failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// Whether it came from a cache; `None` where none was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached: Option<Cached>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// The provider's id of the request, to quote to its support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What the provider's headers say of its limits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rate_limits: Vec<RateLimit>,
    /// What one dialect alone says of the answer.
    #[serde(skip_serializing_if = "Meta::is_empty")]
    pub meta: Meta,
    /// The body as it came, when asked for.
    #[serde(skip)]
    pub raw: Option<Bytes>,
    /// The body as it came, to be given on to a client of the same dialect where nobody changed the answer.
    #[serde(skip)]
    pub passed: Option<Box<Passed>>,
}

/// An attempt that failed before another one was made, or was left for one that answered first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attempt {
    /// Where it went.
    pub provider: String,
    /// The model asked for.
    pub model: String,
    /// The name of the key, where it was one of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How it failed; `Cancelled` where another one was faster.
    pub kind: ErrorKind,
    /// How far it got: what was not sent cost nothing.
    pub stage: Stage,
    /// The error in one line.
    pub message: String,
    /// What the provider had said of its use before it broke off.
    #[serde(default)]
    pub usage: Usage,
}

impl Attempt {
    /// The attempt that ended in this error.
    pub fn failed(call: &Call, model: &str, error: &Error) -> Self {
        Self {
            provider: error.provider().unwrap_or(&call.provider).to_owned(),
            model: error.model().unwrap_or(model).to_owned(),
            key: call.key.as_ref().map(|key| key.name.clone()),
            kind: error.kind(),
            stage: error.stage(),
            message: error.message().to_owned(),
            usage: error.partial().map(|partial| partial.usage.clone()).unwrap_or_default(),
        }
    }
}

/// What a cache had to do with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cached {
    /// It was there, for so long.
    Hit {
        /// Since it was answered.
        age: Duration,
    },
    /// It was not there; it is now, if it may be kept.
    Miss,
}

/// How long an answer took, from the call to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// To the first event of content; `None` for a unary call.
    pub first: Option<Duration>,
    /// To the end.
    pub total: Duration,
}

/// One limit of a provider's, as its response headers tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// What is limited, in the header's words: `requests`, `tokens`, `input-tokens`.
    pub name: String,
    /// How many in a window.
    pub limit: Option<u64>,
    /// How many are left.
    pub remaining: Option<u64>,
    /// When the window is full again, in the header's own form (`6m0s`, a date, seconds).
    pub reset: Option<String>,
}

impl ChatResponse {
    /// All text of the answer, joined in order.
    pub fn text(&self) -> String {
        self.parts.iter().filter_map(Part::as_text).collect()
    }

    /// All open thoughts of the answer, joined in order; `None` where there are none.
    pub fn reasoning(&self) -> Option<String> {
        let mut thoughts = self.parts.iter().filter_map(|p| match &p.content {
            Content::Reasoning(r) if !r.text.is_empty() => Some(r.text.as_str()),
            _ => None,
        });
        let first = thoughts.next()?.to_owned();
        Some(thoughts.fold(first, |all, t| all + t))
    }

    /// The refusal's words, where the dialect tells a refusal from text.
    pub fn refusal(&self) -> Option<&str> {
        self.parts.iter().find_map(|p| match &p.content {
            Content::Refusal { text } => Some(text.as_str()),
            _ => None,
        })
    }

    /// The calls that the model asks for, in order.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.parts.iter().filter_map(|p| match &p.content {
            Content::ToolCall(call) => Some(call),
            _ => None,
        })
    }

    /// The answer as a message, to continue the conversation with.
    pub fn to_message(&self) -> Message {
        Message::new(Role::Assistant, self.parts.clone())
    }

    /// A stop of an answer that asks for tools is a stop for tools, whatever the provider calls it; a cut or
    /// refused answer stays what it is.
    pub fn settle_finish(&mut self) {
        if self.finish.reason == FinishReason::Stop && self.tool_calls().next().is_some() {
            self.finish.reason = FinishReason::ToolCalls;
        }
    }
}

/// Reads rate-limit headers: `x-ratelimit-{limit,remaining,reset}-NAME` and
/// `anthropic-ratelimit-NAME-{limit,remaining,reset}`.
pub(crate) fn rate_limits(headers: &http::HeaderMap) -> Vec<RateLimit> {
    let mut found: BTreeMap<&str, RateLimit> = BTreeMap::new();
    for (header, value) in headers {
        let header = header.as_str();
        let Ok(value) = value.to_str() else { continue };
        let (name, field) = if let Some(rest) = header.strip_prefix("x-ratelimit-") {
            let Some((field, name)) = rest.split_once('-') else {
                continue;
            };
            (name, field)
        } else if let Some(rest) = header.strip_prefix("anthropic-ratelimit-") {
            let Some((name, field)) = rest.rsplit_once('-') else {
                continue;
            };
            (name, field)
        } else {
            continue;
        };
        let limit = found.entry(name).or_insert_with(|| RateLimit { name: name.to_owned(), ..RateLimit::default() });
        match field {
            "limit" => limit.limit = value.parse().ok(),
            "remaining" => limit.remaining = value.parse().ok(),
            "reset" => limit.reset = Some(value.to_owned()),
            _ => {}
        }
    }
    found.into_values().collect()
}
