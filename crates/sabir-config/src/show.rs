//! What holds, and where it came from.

use crate::Source;
use crate::field::Kind;
use crate::node::{Node, Value};

/// A value that holds, with where it came from. Keys are masked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shown {
    /// The field, with those around it: `retry.max_attempts`.
    pub field: String,
    /// The value, as it may be shown.
    pub value: String,
    /// Where it came from.
    pub source: Source,
}

impl Shown {
    pub(crate) fn of(path: &str, kind: Kind, node: &Node) -> Vec<Self> {
        let one = |field: String, value: String, source: &Source| Self { field, value, source: source.clone() };
        match (&node.value, kind) {
            (_, Kind::Leaf(leaf)) if leaf.secret => vec![one(path.to_owned(), masked(node), &node.source)],
            (Value::List(items), _) => {
                items.iter().enumerate().flat_map(|(at, item)| Self::of(&format!("{path}[{at}]"), kind, item)).collect()
            }
            (Value::Table(entries), _) => {
                entries.iter().flat_map(|(key, item)| Self::of(&format!("{path}.{}", key.name), kind, item)).collect()
            }
            _ => vec![one(path.to_owned(), node.text().unwrap_or_default().to_owned(), &node.source)],
        }
    }
}

/// Where a key is kept, or its first characters.
fn masked(node: &Node) -> String {
    match &node.value {
        Value::Table(entries) => {
            let kept = entries.first().map_or("", |(key, _)| key.name.as_str());
            let named = entries.first().and_then(|(_, node)| match &node.value {
                Value::List(words) => words.first().and_then(Node::text),
                _ => node.text().and_then(|text| text.split_whitespace().next()),
            });
            format!("{kept} {}", named.unwrap_or_default())
        }
        _ => match node.text().unwrap_or_default() {
            text if text.starts_with("file:") || text.starts_with("env:") => text.to_owned(),
            text if text.starts_with("cmd:") => text.split_whitespace().next().unwrap_or_default().to_owned(),
            text => sabir_core::Secret::new(text).masked(),
        },
    }
}
