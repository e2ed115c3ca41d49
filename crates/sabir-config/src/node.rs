//! What every format is read into: values that know where they stand.

use std::fmt;
use std::sync::Arc;

/// Where a value came from. Ordered: what is greater wins.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Source {
    /// Nobody said anything.
    #[default]
    Default,
    /// A line of a file, counted from 1.
    File {
        /// The file, as it was named.
        file: Arc<str>,
        /// The line.
        line: usize,
    },
    /// A variable of the environment.
    Variable(Arc<str>),
    /// The program, or an argument of the command.
    Explicit,
}

impl Source {
    /// 0 for a default, 1 for a file, 2 for the environment, 3 for what was said explicitly.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File { .. } => 1,
            Self::Variable(_) => 2,
            Self::Explicit => 3,
        }
    }
}

/// `default`, `sabir.toml:3`, `$LLM_MODEL`, `explicit`.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, line } => write!(f, "{file}:{line}"),
            Self::Variable(name) => write!(f, "${name}"),
            Self::Explicit => f.write_str("explicit"),
        }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) source: Source,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Said to be nothing, which is as if nothing were said.
    Null,
    Bool(bool),
    /// A number as it was written: nothing is rounded on the way.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Table(Vec<(Key, Node)>),
}

/// A name in a table.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) source: Source,
}

impl Node {
    /// A word that does not stand in a file.
    pub(crate) fn word(text: impl Into<String>, source: Source) -> Self {
        Self { value: Value::Text(text.into()), source }
    }

    /// The text of a word, a number or a yes or no.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Number(text) | Value::Text(text) => Some(text),
            Value::Bool(yes) => Some(if *yes { "true" } else { "false" }),
            _ => None,
        }
    }

    pub(crate) fn table(&self) -> Option<&[(Key, Node)]> {
        match &self.value {
            Value::Table(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// What it is, for a person. A key in a place where none belongs is masked.
    pub(crate) fn what(&self) -> String {
        match &self.value {
            Value::Text(text) if text.chars().count() > 60 => "a text that is too long".to_owned(),
            Value::Null => "nothing".to_owned(),
            Value::Bool(yes) => yes.to_string(),
            Value::Number(text) => text.clone(),
            Value::Text(text) => format!("{:?}", sabir_core::secret::mask(text)),
            Value::List(_) => "a list".to_owned(),
            Value::Table(_) => "a table".to_owned(),
        }
    }

    /// As JSON, with numbers that have a point as text, so that nothing is rounded.
    pub(crate) fn json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(yes) => (*yes).into(),
            Value::Number(text) => text.parse::<u64>().map_or_else(|_| text.as_str().into(), Into::into),
            Value::Text(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Node::json).collect(),
            Value::Table(entries) => entries
                .iter()
                .map(|(key, node)| (key.name.clone(), node.json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}
