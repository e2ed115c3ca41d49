//! What comes of writing blocks besides them: what is lost, why the whole cannot be sent, and ids that are made up.

use std::borrow::Cow;

use sabir_core::chat::{Meta, Reasoning, ToolCall};
use sabir_core::{Error, ErrorKind, Feature};

use super::{Place, object_text};
use crate::shared::Losses;

/// What comes of writing a request or an answer, besides its blocks.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// We ask a provider; otherwise we answer a client.
    pub(crate) asks: bool,
    pub(crate) losses: Losses,
    /// Why it cannot be asked at all. What we answer is never refused.
    pub(crate) refused: Option<Error>,
    calls_without_id: usize,
    results_without_id: usize,
}

impl Outcome {
    /// Of what is asked of a provider.
    pub(crate) fn of_request() -> Self {
        Self { asks: true, ..Self::default() }
    }

    /// Notes what is lost where.
    pub(crate) fn lose(&mut self, feature: Feature, place: Place, note: &str) {
        self.losses.lose(feature, place, note);
    }

    /// Notes a part of a system prompt that is no text.
    pub(crate) fn no_prompt(&mut self, place: Place) {
        self.lose(Feature::SystemPrompt, place, "only text can be in a system prompt");
    }

    /// The arguments of a call, which must be an object. An answer goes on without them, with this note; a request is
    /// refused.
    pub(crate) fn arguments<'c>(&mut self, call: &'c ToolCall, place: Place, note: &str) -> Option<&'c str> {
        let arguments = object_text(&call.arguments);
        if arguments.is_none() && self.asks {
            let what = format!("{place}: the arguments of a tool call must be a JSON object in this dialect");
            self.refused.get_or_insert(Error::new(ErrorKind::InvalidRequest, what));
        } else if arguments.is_none() {
            self.losses.lose(Feature::Tools, place, note);
        }
        arguments
    }

    /// Whether a thought may be written, and a loss where not. A request may carry back only what the dialect's own
    /// models signed or sealed. `open`: why one that is neither may not go, where that is so.
    pub(crate) fn takes(
        &mut self,
        thought: &Reasoning,
        (meta, dialect): (&Meta, &str),
        open: Option<&str>,
        place: Place,
    ) -> bool {
        let is_open = thought.signature.is_none() && thought.encrypted.is_none();
        let is_foreign = self.asks && !meta.is_empty() && meta.of(dialect).is_none();
        match open {
            Some(note) if is_open => self.losses.lose(Feature::Reasoning, place, note),
            _ if is_foreign && !is_open => {
                self.losses.lose(Feature::Signatures, place, "signed or sealed by another provider; left out");
            }
            _ => return true,
        }
        false
    }

    /// The id with which a call goes: in an answer its own; in a request one that can be sent, of at most `most`
    /// characters. Where there is none it is made of how many had none before.
    pub(crate) fn call_id<'c>(&mut self, id: &'c str, most: usize, made: impl Fn(usize) -> String) -> Cow<'c, str> {
        match id {
            "" => made(counted(&mut self.calls_without_id)).into(),
            id if self.asks => sendable_id(id, most),
            id => id.into(),
        }
    }

    /// The id of the call that a result answers.
    pub(crate) fn result_id<'c>(&mut self, id: &'c str, most: usize, made: impl Fn(usize) -> String) -> Cow<'c, str> {
        match id {
            "" => made(counted(&mut self.results_without_id)).into(),
            id => sendable_id(id, most),
        }
    }
}

/// How many there were before this one.
fn counted(count: &mut usize) -> usize {
    *count += 1;
    *count - 1
}

/// Letters, digits, `_` and `-` are taken in ids; other providers put more into theirs. What is longer than `most`
/// keeps its beginning and gets a checksum of the whole (FNV-1a), so that call and result still meet.
pub(crate) fn sendable_id(id: &str, most: usize) -> Cow<'_, str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if id.len() <= most && id.chars().all(fits) {
        return id.into();
    }
    let clean = |c: char| if fits(c) { c } else { '_' };
    if id.chars().count() <= most {
        return id.chars().map(clean).collect();
    }
    let sum = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, b| (sum ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let start: String = id.chars().take(most.saturating_sub(17)).map(clean).collect();
    format!("{start}_{sum:016x}").into()
}
