//! The parts of a message, written: requests and answers share them.

use sabir_core::Feature;
use sabir_core::chat::{Content, Part};
use serde_json::{Map, Value};

use super::NAME;
use super::wire::{citation_json, plan_of};
use crate::json::{List, Object, write_json};
use crate::shared::Losses;

/// Who speaks, as far as it decides what may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    System,
    User,
    Assistant,
    Tool,
}

/// What the parts of one message come to.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) content: List,
    blocks: usize,
    pub(super) plan: String,
    pub(super) calls: List,
    pub(super) citations: List,
    /// The place of the last text before them.
    last: Option<String>,
}

impl Said {
    /// Says one more part.
    pub(super) fn say(&mut self, speaker: Speaker, path: String, part: &Part, losses: &mut Losses) {
        match &part.content {
            Content::ToolCall(call) if speaker == Speaker::Assistant => {
                if !self.citations.is_empty() {
                    losses.order(path, "citations stand behind all else in this dialect");
                }
                self.calls.object(|to| write_call(to, &call.id, &call.name, &call.arguments));
            }
            Content::Citation(citation) if speaker == Speaker::Assistant => {
                write_json(self.citations.item(), &citation_json(citation, self.blocks.checked_sub(1)));
            }
            Content::Opaque { dialect, json } if dialect == NAME && plan_of(json).is_some() => {
                self.plan.push_str(plan_of(json).unwrap_or_default());
            }
            _ => {
                let Some(block) = block_of(speaker, &path, part, losses) else { return };
                if !self.calls.is_empty() || !self.citations.is_empty() {
                    // Of the text that they stood behind, too: it is followed by another now.
                    for path in self.last.take().into_iter().chain([path]) {
                        losses.order(path, "calls and citations stand behind all text in this dialect");
                    }
                } else {
                    self.last = Some(path);
                }
                self.blocks += 1;
                self.content.object(|to| block.write(to, part.meta.of(NAME)));
            }
        }
    }

    /// Writes the fields of a message but for its content.
    pub(super) fn write_rest(&self, to: &mut Object<'_>) {
        to.some("tool_plan", Some(&self.plan).filter(|plan| !plan.is_empty()));
        to.list("tool_calls", &self.calls).list("citations", &self.citations);
    }

    pub(super) fn is_silent(&self) -> bool {
        self.content.is_empty() && self.calls.is_empty() && self.plan.is_empty()
    }
}

pub(super) fn write_call(to: &mut Object<'_>, id: &str, name: &str, arguments: &str) {
    to.field("id", id).field("type", "function");
    to.object("function", |to| {
        to.field("name", name).field("arguments", arguments);
    });
}

/// A block of a message's content.
pub(super) enum Block<'p> {
    Text(&'p str),
    Thinking(&'p str),
    Image(String),
    /// What a tool gave was a document; its fields but for the data.
    Document(&'p str, &'p Value),
    Own(&'p Value),
}

impl Block<'_> {
    pub(super) fn write(&self, to: &mut Object<'_>, meta: Option<&Map<String, Value>>) {
        let detail = meta.and_then(|meta| meta.get("detail"));
        match self {
            Self::Text(text) => to.field("type", "text").field("text", text),
            Self::Thinking(text) => to.field("type", "thinking").field("thinking", text),
            Self::Image(url) => to.field("type", "image_url").object("image_url", |to| {
                to.field("url", url).some("detail", detail);
            }),
            Self::Document(data, rest) => to.field("type", "document").object("document", |to| {
                to.raw("data", data).meta(rest.as_object(), &["data"]);
            }),
            Self::Own(json) => {
                to.meta(json.as_object(), &[]);
                return;
            }
        };
        to.meta(meta, &["type", "text", "thinking", "image_url", "document", "detail"]);
    }
}

/// The block that a part is; `None` where there is none, which is said.
pub(super) fn block_of<'p>(speaker: Speaker, path: &str, part: &'p Part, losses: &mut Losses) -> Option<Block<'p>> {
    match &part.content {
        Content::Text { text } => {
            let document = part.meta.get(NAME, "document").filter(|_| speaker == Speaker::Tool);
            return Some(match (document, crate::json::object_text(text)) {
                (Some(rest), Some(data)) => Block::Document(data, rest),
                _ => Block::Text(text),
            });
        }
        Content::Opaque { dialect, json } if dialect == NAME && json.is_object() => return Some(Block::Own(json)),
        Content::Reasoning(thought) if speaker == Speaker::Assistant => {
            if thought.signature.is_some() || thought.encrypted.is_some() {
                losses.signature(path);
            } else if thought.text.is_empty() {
                losses.part(path, &part.content);
            }
            return Some(Block::Thinking(&thought.text)).filter(|_| !thought.text.is_empty());
        }
        Content::Image(media) if speaker == Speaker::User => {
            losses.untold_type(path, &part.content);
            if let Some(url) = media.to_url() {
                return Some(Block::Image(url));
            }
            losses.lose(Feature::FileIds, path, "an image with its provider cannot be sent");
        }
        content => return losses.words(path.to_owned(), content).map(Block::Text),
    }
    None
}
