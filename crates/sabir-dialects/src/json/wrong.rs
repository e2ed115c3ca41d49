//! What is wrong with a JSON text.

use std::fmt;

use sabir_core::{Error, ErrorKind};

/// What is wrong with a JSON text, and where: `messages[1].content[0].type: is missing`. Never shows a value.
#[derive(Debug)]
pub(crate) struct Wrong(String);

impl Wrong {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    /// The same, as seen from one level further out.
    pub(crate) fn within(self, place: impl fmt::Display) -> Self {
        let joint = if self.0.starts_with(['[', ':']) { "" } else { "." };
        Self(format!("{place}{joint}{}", self.0))
    }

    /// As what is wrong with a client's request.
    pub(crate) fn invalid(&self) -> Error {
        Error::new(ErrorKind::InvalidRequest, format!("the request cannot be read: {self}"))
    }

    /// As what is wrong with a provider's answer.
    pub(crate) fn unreadable(&self) -> Error {
        let message = format!("the answer is not what this dialect sends: {self}");
        Error::new(ErrorKind::Decode, message)
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.trim_start_matches(": "))
    }
}
