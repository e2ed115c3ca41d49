//! A scripted answer, and a scripted failure.

use std::time::Duration;

use http::StatusCode;
use sabir_core::chat::{ChatRequest, ChatResponse, Content, Finish, FinishReason, Part, Reasoning, Usage};
use sabir_core::error::kind_for;
use sabir_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::status_code;
use crate::model::{self, SIGNATURE};

/// What a turn answers: a thought, a text, calls and then any other parts, in this order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Answer {
    /// A thought, which is signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Calls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ScriptedCall>,
    /// More parts of any kind, in the vocabulary's own form.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// Why it ends; without it, for tools where tools are called, and otherwise a stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish: Option<FinishReason>,
    /// What it used; without it, counted as the built-in model counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The answer's id; without it, one made from the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The model that answers; without it, the one that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// A call in a scripted answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedCall {
    /// The call's id; without it, one made from the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The function's name.
    pub name: String,
    /// The arguments; a string is sent as it stands, so that it may be no JSON.
    #[serde(default)]
    pub arguments: Value,
}

impl Answer {
    /// An answer in text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    /// An answer made of parts.
    pub fn parts(parts: impl Into<Vec<Part>>) -> Self {
        Self { parts: parts.into(), ..Self::default() }
    }

    /// Puts a signed thought first.
    #[must_use]
    pub fn reasoning(mut self, thought: impl Into<String>) -> Self {
        self.reasoning = Some(thought.into());
        self
    }

    /// Adds a call.
    #[must_use]
    pub fn tool_call(mut self, name: impl Into<String>, arguments: Value) -> Self {
        self.tool_calls.push(ScriptedCall { id: None, name: name.into(), arguments });
        self
    }

    /// Adds a part.
    #[must_use]
    pub fn part(mut self, part: impl Into<Part>) -> Self {
        self.parts.push(part.into());
        self
    }

    /// Sets why it ends.
    #[must_use]
    pub fn finish(mut self, reason: FinishReason) -> Self {
        self.finish = Some(reason);
        self
    }

    /// Sets what it used.
    #[must_use]
    pub fn usage(mut self, usage: Usage) -> Self {
        self.usage = Some(usage);
        self
    }

    /// The answer to a request.
    pub(crate) fn respond(&self, request: &ChatRequest) -> ChatResponse {
        let seed = model::fingerprint(request);
        let mut parts = Vec::new();
        if let Some(thought) = &self.reasoning {
            let signature = Some(SIGNATURE.to_owned());
            parts.push(Content::Reasoning(Reasoning { text: thought.clone(), signature, encrypted: None }).into());
        }
        parts.extend(self.text.iter().map(Part::text));
        for (number, call) in self.tool_calls.iter().enumerate() {
            let id = call.id.clone().unwrap_or_else(|| format!("call_{seed:016x}_{number}"));
            let arguments = match &call.arguments {
                Value::String(text) => text.clone(),
                Value::Null => "{}".to_owned(),
                json => json.to_string(),
            };
            parts.push(Part::tool_call(id, &call.name, arguments));
        }
        parts.extend(self.parts.iter().cloned());

        let mut response = ChatResponse::default();
        response.id = self.id.clone().unwrap_or_else(|| format!("sim-{seed:016x}"));
        response.model = self.model.clone().unwrap_or_else(|| request.model.clone());
        response.usage = self.usage.clone().unwrap_or_else(|| model::usage(request, &parts));
        response.parts = parts;
        match &self.finish {
            Some(reason) => response.finish = Finish::new(reason.clone()),
            None => response.settle_finish(),
        }
        response
    }
}

/// What a turn fails with: an error status before anything is sent, or, after an answer in a stream, an error in the
/// middle of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Failure {
    /// HTTP status.
    #[serde(with = "status_code")]
    pub status: StatusCode,
    /// What the provider says.
    pub message: String,
    /// The provider's own code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Seconds to wait, sent as `Retry-After` (rounded up, as that header has whole seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<f64>,
    /// What kind of error it is; without it, what status, code and message say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ErrorKind>,
}

impl Failure {
    /// A failure with a status (a number that is none counts as 500) and a message.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, message: message.into(), code: None, retry_after: None, kind: None }
    }

    /// Sets the provider's own code.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Sets how many seconds to wait.
    #[must_use]
    pub fn retry_after_secs(mut self, seconds: f64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Sets the kind.
    #[must_use]
    pub fn kind(mut self, kind: ErrorKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// The error.
    pub(crate) fn to_error(&self) -> Error {
        let code = self.code.as_deref();
        let kind = self.kind.unwrap_or_else(|| kind_for(self.status.as_u16(), code, &self.message));
        let mut error = Error::new(kind, &self.message).with_status(self.status);
        if let Some(code) = code {
            error = error.with_code(code);
        }
        match self.retry_after.map(Duration::try_from_secs_f64) {
            Some(Ok(wait)) => error.with_retry_after(wait),
            _ => error,
        }
    }
}
