use serde::{Deserialize, Serialize};

use super::{Meta, Part, open_words};

open_words! {
    /// Who speaks.
    pub enum Role {
        /// The operator: instructions above the user's.
        System = "system",
        /// The developer, where a provider tells it from the operator; elsewhere the same as `System`.
        Developer = "developer",
        /// The person.
        User = "user",
        /// The model.
        Assistant = "assistant",
        /// A tool's answer.
        Tool = "tool",
    }
}

/// One turn: who speaks, and what, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub parts: Vec<Part>,
    /// The speaker's name, where several share a role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What one dialect alone says of this message.
    #[serde(default, skip_serializing_if = "Meta::is_empty")]
    pub meta: Meta,
}

impl Message {
    /// A message of any role.
    pub fn new(role: Role, parts: impl Into<Vec<Part>>) -> Self {
        Self { role, parts: parts.into(), name: None, meta: Meta::default() }
    }

    /// A message from the operator.
    pub fn system(text: impl Into<String>) -> Self {
        Self::new(Role::System, [Part::text(text)])
    }

    /// A message from the person.
    pub fn user(text: impl Into<String>) -> Self {
        Self::new(Role::User, [Part::text(text)])
    }

    /// A message from the model.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::new(Role::Assistant, [Part::text(text)])
    }

    /// A tool's answer to a call, as text.
    pub fn tool_result(call_id: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(Role::Tool, [Part::tool_result(call_id, text)])
    }

    /// Adds a part.
    #[must_use]
    pub fn with(mut self, part: impl Into<Part>) -> Self {
        self.parts.push(part.into());
        self
    }

    /// All text of the message, joined.
    pub fn text(&self) -> String {
        self.parts.iter().filter_map(Part::as_text).collect()
    }
}

/// A plain string is what the person says.
impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::user(text)
    }
}

/// A plain string is what the person says.
impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::user(text)
    }
}
