//! How many of how many.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// How many held, of how many that were asked, and how many were not asked because the recorded one does not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) held: usize,
    pub(crate) asked: usize,
    pub(crate) apart: usize,
}

impl Tally {
    /// Counts one that was asked.
    pub(crate) fn count(&mut self, held: bool) {
        self.asked += 1;
        self.held += usize::from(held);
    }
}

/// `12 of 13 (2)`, or a dash where nothing was asked.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.asked, self.apart) {
            (0, 0) => f.write_str("–"),
            (asked, 0) => write!(f, "{} of {asked}", self.held),
            (asked, apart) => write!(f, "{} of {asked} ({apart})", self.held),
        }
    }
}

/// What came out for one dialect, on one set of recordings.
#[derive(Debug, Default)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Recorded answers that are read as the oracle reads them.
    pub(crate) read: Tally,
    /// Recorded requests that are accepted.
    pub(crate) accepted: Tally,
    /// Accepted requests that mean the same once they were encoded and accepted again.
    pub(crate) same: Tally,
    /// Accepted requests that are valid once they were encoded again.
    pub(crate) requests: Tally,
    /// Whole answers.
    pub(crate) answers: Tally,
    /// Errors.
    pub(crate) refusals: Tally,
    /// Streams.
    pub(crate) streams: Tally,
    /// Events that our streams had.
    pub(crate) events: usize,
    /// Requests of our own.
    pub(crate) own_requests: Tally,
    /// Answers of the test kit, whole and streamed.
    pub(crate) own_answers: Tally,
    /// What did not hold: direction, id, why.
    pub(crate) failures: Vec<(&'static str, String, String)>,
}

impl Row {
    /// Notes how something came out.
    pub(crate) fn note(
        &mut self,
        column: fn(&mut Self) -> &mut Tally,
        direction: &'static str,
        id: &str,
        outcome: Result<(), String>,
    ) {
        column(self).count(outcome.is_ok());
        if let Err(why) = outcome {
            self.failures.push((direction, id.to_owned(), why));
        }
    }

    /// For a person at a terminal.
    pub(crate) fn line(&self) -> String {
        let Self { name, accepted, same, requests, answers, refusals, streams, own_requests, own_answers, .. } = self;
        format!(
            "{name}: accepted {accepted}, same {same}, requests {requests}, answers {answers}, errors {refusals}, \
             streams {streams}, own requests {own_requests}, own answers {own_answers}"
        )
    }
}

/// Whether two requests say the same; else where they first differ. That a stream is asked to count what was used is no
/// difference: we always ask for that. Nor is "off" and "no effort", or "on" beside an effort.
pub(crate) fn same(before: &impl Serialize, after: &impl Serialize) -> Result<(), String> {
    let [mut before, mut after] = [serde_json::to_value(before), serde_json::to_value(after)].map(|v| v.expect("JSON"));
    for request in [&mut before, &mut after] {
        without_stream_options(request);
        in_words_of_effort(request);
    }
    sabir_testkit::first_difference(&before, &after).map_or(Ok(()), Err)
}

fn without_stream_options(request: &mut Value) {
    let Some(options) = request.get_mut("options").and_then(Value::as_object_mut) else { return };
    for own in options.values_mut().filter_map(Value::as_object_mut) {
        own.remove("stream_options");
    }
    options.retain(|_, own| own.as_object().is_none_or(|own| !own.is_empty()));
    if options.is_empty() {
        request.as_object_mut().expect("it has options").remove("options");
    }
}

fn in_words_of_effort(request: &mut Value) {
    let Some(reasoning) = request.get_mut("reasoning").and_then(Value::as_object_mut) else { return };
    match (reasoning.get("enabled").and_then(Value::as_bool), reasoning.get("effort")) {
        (Some(false), None) => {
            reasoning.remove("enabled");
            reasoning.insert("effort".into(), "none".into());
        }
        (Some(enabled), Some(effort)) if enabled != (effort == "none") => {
            reasoning.remove("enabled");
        }
        _ => {}
    }
}
