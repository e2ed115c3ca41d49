//! What the parts of one message come to: one text, one thought, images.

use sabir_core::Feature;
use sabir_core::chat::{Content, Part, Source, to_base64};

use crate::json::Object;
use crate::shared::{Losses, image_mime};
use crate::texts::Texts;

/// What was said, calls and results excepted.
#[derive(Debug, Default)]
pub(super) struct Said {
    text: Texts,
    thought: Texts,
    pub(super) images: Vec<String>,
    /// What stands between texts that were apart.
    joint: &'static str,
}

impl Said {
    /// For a message of a request.
    pub(super) fn in_request() -> Self {
        Self { joint: "\n\n", ..Self::default() }
    }

    /// Says one more part. `thinks`: thoughts have a place.
    pub(super) fn say(&mut self, path: String, thinks: bool, part: &Part, losses: &mut Losses) {
        match &part.content {
            Content::Image(media) => match &media.source {
                Source::Bytes(bytes) => {
                    if media.mime.is_some() && media.mime.as_deref() != image_mime(bytes) {
                        losses.lose(Feature::Images, path, "the image's type is not told, its bytes say it");
                    }
                    self.images.push(to_base64(bytes));
                }
                Source::FileId(_) => losses.lose(Feature::FileIds, path, "an image goes by its bytes; left out"),
                _ => losses.lose(Feature::MediaUrls, path, "an image goes by its bytes, fetch it first; left out"),
            },
            Content::Reasoning(thought) if thinks => {
                if thought.signature.is_some() || thought.encrypted.is_some() {
                    losses.signature(&*path);
                } else if thought.text.is_empty() {
                    losses.part(&*path, &part.content);
                }
                if self.text.count > 0 {
                    losses.order(&*path, "thoughts stand before text in this dialect");
                }
                if !thought.text.is_empty() {
                    self.thought.add(path, self.joint, &thought.text, losses);
                }
            }
            content => {
                let Some(text) = losses.words(path.clone(), content) else { return };
                if !self.images.is_empty() {
                    losses.order(&*path, "images stand behind the text in this dialect");
                }
                self.text.add(path, self.joint, text, losses);
            }
        }
    }

    /// All texts, as one.
    pub(super) fn into_text(self) -> String {
        self.text.text
    }

    /// Writes what was said, the text under `key`.
    pub(super) fn write(&self, to: &mut Object<'_>, key: &str) {
        to.field(key, &self.text.text).some("thinking", Some(&self.thought.text).filter(|text| !text.is_empty()));
        to.some("images", Some(&self.images).filter(|images| !images.is_empty()));
    }
}
