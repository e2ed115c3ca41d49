//! What a simulator is told to answer.

mod answer;
mod repeat;
mod turn;

#[cfg(test)]
mod tests;

use std::path::Path;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use sabir_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use answer::{Answer, Failure, ScriptedCall};
pub use repeat::Repeat;
pub use turn::{Chunking, Turn, When};

/// An ordered list of turns. Each request takes the first that is not used up and whose `when` fits; where there is
/// none, the built-in model answers, or, where the script is strict, an error says so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Script {
    /// The turns.
    pub turns: Vec<Turn>,
    /// Whether a request that no turn is left for is an error.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
}

impl Script {
    /// A script without turns.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a turn.
    #[must_use]
    pub fn turn(mut self, turn: Turn) -> Self {
        self.turns.push(turn);
        self
    }

    /// Makes a request that no turn is left for an error.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// Reads a script from JSON; the [crate's page](crate) shows the form.
    ///
    /// # Errors
    /// `Configuration`, with the line and what is wrong there.
    pub fn from_json(json: &str) -> Result<Self> {
        serde_json::from_str(json)
            .map_err(|e| Error::new(ErrorKind::Configuration, format!("the script cannot be read: {e}")).with_source(e))
    }

    /// Reads a script from a JSON file.
    ///
    /// # Errors
    /// `Configuration`, with the file's name and what is wrong.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let wrong = |why: &str| Error::new(ErrorKind::Configuration, format!("{}: {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|e| wrong(&e.to_string()).with_source(e))?;
        Self::from_json(&text).map_err(|e| wrong(e.message()))
    }
}

/// An HTTP status as a number.
pub(crate) mod status_code {
    use super::{Deserialize, Deserializer, Serializer, StatusCode};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    pub(crate) fn serialize<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(status.as_u16())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StatusCode, D::Error> {
        let number = u16::deserialize(deserializer)?;
        // An informational status is no answer: a server cannot send one as such.
        StatusCode::from_u16(number)
            .ok()
            .filter(|status| !status.is_informational())
            .ok_or_else(|| serde::de::Error::custom(format!("{number} is no status to answer with; take 200 to 599")))
    }
}

/// Headers as a map of strings.
pub(crate) mod header_map {
    use std::collections::BTreeMap;

    use super::{Deserialize, Deserializer, HeaderMap, HeaderName, HeaderValue, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(headers: &HeaderMap, serializer: S) -> Result<S::Ok, S::Error> {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let map: BTreeMap<&str, String> = headers.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
        map.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HeaderMap, D::Error> {
        let map = BTreeMap::<String, String>::deserialize(deserializer)?;
        map.iter()
            .map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?)))
            .collect::<Option<HeaderMap>>()
            .ok_or_else(|| serde::de::Error::custom("headers: a name or value cannot stand in an HTTP header"))
    }
}
