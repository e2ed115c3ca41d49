//! What is lost of an answer or a message where its parts go into fields.

use sabir_core::chat::{Content, Event};

use crate::places::Places;
use crate::shared::Losses;
use crate::texts::Texts;

/// An answer as it is told in a dialect that has a field for thoughts, one for text and one for calls: what stands
/// apart elsewhere is joined there, and has no order.
#[derive(Debug, Default)]
pub(crate) struct Telling {
    /// The number of the part that is being told.
    pub(crate) at: usize,
    pub(crate) losses: Losses,
    places: Places,
    rank: u8,
    /// Texts, thoughts and refusals that began, and the part that began last.
    begun: [Texts; 3],
    last: Option<usize>,
}

impl Telling {
    /// Finds the part that an event tells of. Every event must be told, once.
    pub(crate) fn heed(&mut self, event: &Event) {
        self.at = self.places.of(event);
    }

    /// Where the part stands that is being told.
    pub(crate) fn path(&self) -> String {
        format!("parts[{}]", self.at)
    }

    /// A text or a thought is told, or more of it.
    pub(crate) fn says(&mut self, is_thought: bool) {
        self.rank(u8::from(!is_thought));
        if self.last.replace(self.at) != Some(self.at) {
            self.begun[usize::from(is_thought)].begin(self.path(), &mut self.losses);
        }
    }

    /// A refusal is told, in a dialect that has a field for it.
    pub(crate) fn refuses(&mut self) {
        self.begun[2].begin(self.path(), &mut self.losses);
    }

    /// Notes, once a part, where it stands after one that a reader takes to come later: thoughts have the rank 0, text
    /// 1, calls 2.
    pub(crate) fn rank(&mut self, rank: u8) {
        if rank < self.rank && self.losses.0.last().is_none_or(|last| last.path != self.path()) {
            self.losses.order(self.path(), "thoughts come first here, then text, then calls");
        }
        self.rank = self.rank.max(rank);
    }
}

/// The latest part of a message of a request, in a dialect where text comes first, then a refusal, then calls.
#[derive(Debug, Default)]
pub(crate) struct Latest(u8);

impl Latest {
    /// Notes where a part stands after one that a reader takes to come later.
    pub(crate) fn say(&mut self, path: impl FnOnce() -> String, content: &Content, losses: &mut Losses) {
        let rank = match content {
            Content::Text { .. } => 0,
            Content::Refusal { .. } => 1,
            Content::ToolCall(_) => 2,
            _ => self.0,
        };
        if rank < self.0 {
            losses.order(path(), "text comes first here, then refusals, then calls");
        }
        self.0 = self.0.max(rank);
    }
}
