//! Texts of several parts in a dialect that has one text.

use crate::shared::Losses;

/// Texts of several parts, as one.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    pub(crate) text: String,
    /// The first one's place, until it is joined with another.
    first: Option<String>,
    pub(crate) count: usize,
}

impl Texts {
    /// One more text, with what stands between it and the last. That they are joined is said of each.
    pub(crate) fn add(&mut self, path: String, joint: &str, text: &str, losses: &mut Losses) {
        self.begin(path, losses);
        if self.count > 1 {
            self.text.push_str(joint);
        }
        self.text.push_str(text);
    }

    /// One more text that is told in pieces.
    pub(crate) fn begin(&mut self, path: String, losses: &mut Losses) {
        self.count += 1;
        if self.count == 1 {
            self.first = Some(path);
            return;
        }
        for path in self.first.take().into_iter().chain([path]) {
            losses.joined(path);
        }
    }
}
