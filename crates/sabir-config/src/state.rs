//! What is kept beside a configuration: the keys that a gateway issued while it ran, in the file that `gateway.state`
//! names. It is read as if it stood in the configuration, and so is checked, shown and followed like all of it.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use crate::fault::{Fault, Faults};
use crate::node::{Node, Value};
use crate::{Format, Source, text};

/// Lays the keys of the state over the tree. A file that is not there yet says nothing.
pub(crate) fn lay_over(whole: &mut Node, given: Option<&str>, faults: &mut Vec<Fault>) -> Result<(), Faults> {
    let named = child(whole, "gateway").and_then(|gateway| child(gateway, "state")).and_then(Node::text);
    let Some(path) = named.map(str::to_owned) else { return Ok(()) };
    let name: Arc<str> = path.clone().into();
    let content = match given {
        Some(text) => text.to_owned(),
        None => match read(Path::new(&path)) {
            Ok(Some(text)) => text,
            Ok(None) => return Ok(()),
            Err(error) => return Err(Faults::one(Source::Default, format!("cannot read {path}: {error}"))),
        },
    };
    let state = text::read(&content, Format::Json, &name)?;
    let issued = child(&state, "keys").and_then(Node::table).unwrap_or_default();
    let gateway = child_mut(whole, "gateway").expect("`state` was found in it");
    let Some(keys) = table_mut(gateway, "keys") else { return Ok(()) };
    for (key, node) in issued {
        if keys.iter().any(|(known, _)| known.name == key.name) {
            let message =
                "is in the configuration and was issued, too; revoke the one, or take the other out".to_owned();
            let field = format!("gateway.keys.{}", key.name);
            faults.push(Fault { source: key.source.clone(), field, message });
        } else {
            keys.push((key.clone(), node.clone()));
        }
    }
    Ok(())
}

fn read(path: &Path) -> std::io::Result<Option<String>> {
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut content = String::new();
    file.take(text::LONGEST as u64 + 1).read_to_string(&mut content)?;
    Ok(Some(content))
}

fn child<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    node.table()?.iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
}

fn child_mut<'a>(node: &'a mut Node, name: &str) -> Option<&'a mut Node> {
    let Value::Table(entries) = &mut node.value else { return None };
    entries.iter_mut().find(|(key, _)| key.name == name).map(|(_, node)| node)
}

/// The entries of a table in a table, which is made where it is missing; `None` where something else stands there, of
/// which the reader will tell.
fn table_mut<'a>(node: &'a mut Node, name: &str) -> Option<&'a mut Vec<(crate::node::Key, Node)>> {
    let source = node.source.clone();
    if child(node, name).is_none_or(Node::is_null)
        && let Value::Table(entries) = &mut node.value
    {
        entries.retain(|(key, _)| key.name != name);
        let key = crate::node::Key { name: name.to_owned(), source: source.clone() };
        entries.push((key, Node { value: Value::Table(Vec::new()), source }));
    }
    match child_mut(node, name) {
        Some(Node { value: Value::Table(entries), .. }) => Some(entries),
        _ => None,
    }
}
