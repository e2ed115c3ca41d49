use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Media, Meta, ToolCall, ToolResult};

/// One piece of a message or an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// What it is.
    #[serde(flatten)]
    pub content: Content,
    /// The prompt up to and including this part may be cached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheMark>,
    /// What one dialect alone says of this part; survives every hop.
    #[serde(default, skip_serializing_if = "Meta::is_empty")]
    pub meta: Meta,
}

/// What a part is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Content {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// An image.
    Image(Media),
    /// Sound.
    Audio(Media),
    /// Moving pictures.
    Video(Media),
    /// A file to read, a PDF for instance.
    Document(Document),
    /// A call that the model asks for.
    ToolCall(ToolCall),
    /// The answer to a call.
    ToolResult(ToolResult),
    /// What the model thought.
    Reasoning(Reasoning),
    /// The model's refusal, where the dialect tells it from text.
    Refusal {
        /// The refusal's words.
        text: String,
    },
    /// Where the text before it comes from.
    Citation(Citation),
    /// A tool that the provider runs itself.
    ServerToolUse(ServerToolUse),
    /// What such a tool gave.
    ServerToolResult(ServerToolResult),
    /// Something of one dialect's own that has no common meaning, in that dialect's JSON.
    Opaque {
        /// The dialect whose JSON it is.
        dialect: String,
        /// The part as it came.
        json: Value,
    },
}

/// A file to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// The file. Plain text is bytes of `text/plain`.
    #[serde(flatten)]
    pub media: Media,
    /// Its name or title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// What the model thought: in the open, signed, or sealed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reasoning {
    /// The thought, or the provider's summary of it; empty where it is sealed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The provider's signature, which must go back byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The sealed thought, which must go back byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<String>,
}

/// Where a text comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Citation {
    /// Address of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Title of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The words of the source that are cited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    /// Where in the answer's text the cited passage starts and ends, in the dialect's own unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<(u64, u64)>,
    /// The citation as the dialect wrote it, to be sent back unchanged.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub json: Value,
}

/// A tool that the provider runs itself, asked for by the model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerToolUse {
    /// The use's id.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The input as the model wrote it: JSON text.
    pub input: String,
    /// The dialect's own word for this kind of use (`server_tool_use`, `mcp_tool_use`).
    pub kind: String,
}

/// What a provider's own tool gave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerToolResult {
    /// The id of the use that is answered.
    pub use_id: String,
    /// The dialect's own word for this kind of result (`web_search_tool_result`).
    pub kind: String,
    /// The result, in the dialect's JSON.
    pub json: Value,
}

/// A mark that the prompt up to here may be cached by the provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheMark {
    /// How long, in the provider's words (`5m`, `1h`); `None` for its default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
}

impl Part {
    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Content::Text { text: text.into() }.into()
    }

    /// An image.
    pub fn image(media: Media) -> Self {
        Content::Image(media).into()
    }

    /// A call.
    pub fn tool_call(id: impl Into<String>, name: impl Into<String>, arguments: impl Into<String>) -> Self {
        Content::ToolCall(ToolCall { id: id.into(), name: name.into(), arguments: arguments.into() }).into()
    }

    /// The answer to a call, as text.
    pub fn tool_result(call_id: impl Into<String>, text: impl Into<String>) -> Self {
        let parts = vec![Self::text(text)];
        Content::ToolResult(ToolResult { call_id: call_id.into(), parts, ..ToolResult::default() }).into()
    }

    /// A thought in the open.
    pub fn reasoning(text: impl Into<String>) -> Self {
        Content::Reasoning(Reasoning { text: text.into(), ..Reasoning::default() }).into()
    }

    /// The text, if this is text.
    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text { text } => Some(text),
            _ => None,
        }
    }

    /// Marks the prompt up to here for the provider's cache.
    #[must_use]
    pub fn cached(mut self) -> Self {
        self.cache = Some(CacheMark::default());
        self
    }

    /// Adds what one dialect says of this part.
    #[must_use]
    pub fn with_meta(mut self, dialect: &str, field: &str, value: Value) -> Self {
        self.meta.set(dialect, field, value);
        self
    }
}

impl From<Content> for Part {
    fn from(content: Content) -> Self {
        Self { content, cache: None, meta: Meta::default() }
    }
}

impl From<&str> for Part {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Part {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}
