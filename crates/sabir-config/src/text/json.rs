//! JSON, by `serde_json`, which reads it exactly; the places come from where each value's text stands in the whole.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{DEEPEST, Lines};
use crate::fault::Faults;
use crate::node::{Key, Node, Value};

pub(super) fn read(text: &str, lines: &Lines) -> Result<Node, Faults> {
    let broken = |error: serde_json::Error| {
        let (message, end) = (error.to_string(), format!(" at line {} column {}", error.line(), error.column()));
        let message = message.strip_suffix(&end).unwrap_or(&message);
        Faults::one(lines.line(error.line()), format!("cannot be read as JSON: {message}"))
    };
    // Each level is read again for the one below it: the depth is bounded, and so is the work.
    let whole: &RawValue = serde_json::from_str(text).map_err(broken)?;
    node(whole, text, lines, DEEPEST)
}

fn node(raw: &RawValue, text: &str, lines: &Lines, depth: usize) -> Result<Node, Faults> {
    // What is borrowed from the text stands in it.
    let at = (raw.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    let fault = |message: String| lines.fault(at, message);
    if depth == 0 {
        return Err(fault(format!("stands in more than {DEEPEST} lists and tables")));
    }
    let broken = |error: serde_json::Error| fault(format!("cannot be read as JSON: {error}"));
    let value = match raw.get().as_bytes().first() {
        Some(b'{') => {
            let Entries(entries) = serde_json::from_str(raw.get()).map_err(broken)?;
            let (mut read, mut names) = (Vec::new(), HashSet::new());
            for (name, value) in entries {
                let node = node(value, text, lines, depth - 1)?;
                if !names.insert(name.clone()) {
                    return Err(Faults::one(node.source, format!("{name:?} stands here twice")));
                }
                read.push((Key { name, source: node.source.clone() }, node));
            }
            Value::Table(read)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(broken)?;
            Value::List(items.into_iter().map(|item| node(item, text, lines, depth - 1)).collect::<Result<_, _>>()?)
        }
        Some(b'"') => Value::Text(serde_json::from_str(raw.get()).map_err(broken)?),
        Some(b't') => Value::Bool(true),
        Some(b'f') => Value::Bool(false),
        Some(b'n') => Value::Null,
        _ => Value::Number(raw.get().to_owned()),
    };
    Ok(Node { value, source: lines.at(at) })
}

/// The entries of an object, in order.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry::<String, &'de RawValue>()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Object)
    }
}
