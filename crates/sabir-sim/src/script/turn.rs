//! One turn of a script: for which requests, what it answers, and how that comes.

use std::num::NonZeroUsize;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use sabir_core::chat::{ChatRequest, Content};
use serde::{Deserialize, Serialize};

use super::{Answer, Failure, Repeat, header_map};
use crate::fault::Fault;
use crate::model::last_user_text;

/// What becomes of one request, or of several where it repeats.
///
/// With an answer and an error, a stream tells the answer and then fails; a unary call only fails. With neither, the
/// built-in model answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Turn {
    /// Which requests it is for; all where nothing is said.
    #[serde(skip_serializing_if = "When::is_any")]
    pub when: When,
    /// What it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// How it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// How long before the first event or the whole answer.
    #[serde(rename = "delay_before_ms", with = "millis", skip_serializing_if = "Duration::is_zero")]
    pub delay_before: Duration,
    /// How long between two events of a stream.
    #[serde(rename = "delay_between_ms", with = "millis", skip_serializing_if = "Duration::is_zero")]
    pub delay_between: Duration,
    /// How texts and arguments are cut into events of a stream.
    #[serde(skip_serializing_if = "Chunking::is_default")]
    pub chunking: Chunking,
    /// What goes wrong with the bytes, in this order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    /// Headers of the HTTP answer, beside the dialect's: rate limits, request ids.
    #[serde(with = "header_map", skip_serializing_if = "HeaderMap::is_empty")]
    pub headers: HeaderMap,
    /// For how many requests.
    #[serde(skip_serializing_if = "Repeat::is_once")]
    pub repeat: Repeat,
}

/// Which requests a turn is for: those for which everything that is said holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct When {
    /// The model's name contains this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The last text of the user contains this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_contains: Option<String>,
    /// The last message gives a tool's result whose text contains this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_contains: Option<String>,
}

/// How a text is cut into the events of a stream. The cut pieces are the text again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Chunking {
    /// After each white space. Arguments, which have hardly any, after every eight characters.
    #[default]
    Words,
    /// Not at all.
    Whole,
    /// After so many characters.
    Chars(NonZeroUsize),
}

impl Turn {
    /// A turn of the built-in model.
    pub fn model() -> Self {
        Self::default()
    }

    /// A turn that answers.
    pub fn answer(answer: Answer) -> Self {
        Self { answer: Some(answer), ..Self::default() }
    }

    /// A turn that answers with a text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::answer(Answer::text(text))
    }

    /// A turn that fails.
    pub fn error(error: Failure) -> Self {
        Self { error: Some(error), ..Self::default() }
    }

    /// Makes a stream fail after the answer's events.
    #[must_use]
    pub fn then_error(mut self, error: Failure) -> Self {
        self.error = Some(error);
        self
    }

    /// Keeps the turn for requests for a model whose name contains this.
    #[must_use]
    pub fn when_model(mut self, contains: impl Into<String>) -> Self {
        self.when.model = Some(contains.into());
        self
    }

    /// Keeps the turn for requests whose last message gives a tool's result that contains this.
    #[must_use]
    pub fn when_result(mut self, contains: impl Into<String>) -> Self {
        self.when.result_contains = Some(contains.into());
        self
    }

    /// Keeps the turn for requests whose last text of the user contains this.
    #[must_use]
    pub fn when_user(mut self, contains: impl Into<String>) -> Self {
        self.when.user_contains = Some(contains.into());
        self
    }

    /// Sets how long before the first event or the whole answer.
    #[must_use]
    pub fn delay_before(mut self, delay: Duration) -> Self {
        self.delay_before = delay;
        self
    }

    /// Sets how long between two events of a stream.
    #[must_use]
    pub fn delay_between(mut self, delay: Duration) -> Self {
        self.delay_between = delay;
        self
    }

    /// Sets how texts are cut into events.
    #[must_use]
    pub fn chunking(mut self, chunking: Chunking) -> Self {
        self.chunking = chunking;
        self
    }

    /// Adds something that goes wrong with the bytes.
    #[must_use]
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Adds a header of the HTTP answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Sets for how many requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.repeat = Repeat::Times(times);
        self
    }

    /// Makes it for all requests that come.
    #[must_use]
    pub fn forever(mut self) -> Self {
        self.repeat = Repeat::Forever;
        self
    }
}

impl When {
    /// Whether a request fits.
    pub(crate) fn fits(&self, request: &ChatRequest) -> bool {
        self.model.as_ref().is_none_or(|model| request.model.contains(model))
            && self.user_contains.as_ref().is_none_or(|text| last_user_text(request).contains(text))
            && self.result_contains.as_ref().is_none_or(|text| last_results(request).contains(text))
    }

    fn is_any(&self) -> bool {
        *self == Self::default()
    }
}

/// The text of the tools' results in the last message.
fn last_results(request: &ChatRequest) -> String {
    let parts = request.messages.last().map_or(&[][..], |message| &message.parts);
    let results = parts.iter().filter_map(|part| match &part.content {
        Content::ToolResult(result) => Some(result.text()),
        _ => None,
    });
    results.collect()
}

impl Chunking {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A duration in whole milliseconds.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
