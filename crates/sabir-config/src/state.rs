//! What is kept beside a configuration: what a gateway's administrator set while it ran, in the file that `gateway.state`
//! names. It is read as if it stood in the configuration, and so is checked, shown and followed like all of it.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use crate::fault::{Fault, Faults};
use crate::node::{Key, Node, Value};
use crate::{Format, Source, text};

/// A table of the state, each of whose entries has a name.
struct Kept {
    /// Its name in the state.
    name: &'static str,
    /// Where it belongs in a configuration: from the outermost, each with the other words for it.
    place: &'static [&'static [&'static str]],
    /// As what it stands there.
    stands: Stands,
}

enum Stands {
    /// By its name.
    Named,
    /// In a list, with its name.
    Listed,
    /// In a list, where nothing has a name.
    Nameless,
}

const KEPT: [Kept; 6] = [
    Kept { name: "keys", place: &[&["gateway"], &["keys"]], stands: Stands::Named },
    Kept { name: "teams", place: &[&["gateway"], &["teams"]], stands: Stands::Named },
    Kept { name: "routes", place: &[&["routes"]], stands: Stands::Named },
    Kept { name: "policies", place: &[&["policies"]], stands: Stands::Named },
    Kept { name: "budgets", place: &[&["budgets"]], stands: Stands::Listed },
    Kept { name: "limits", place: &[&["limits", "rate_limits"], &["rules"]], stands: Stands::Nameless },
];

/// Lays the state over the tree. A file that is not there yet says nothing.
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
    for kept in &KEPT {
        let entries = child(&state, kept.name).and_then(Node::table).unwrap_or_default();
        if !entries.is_empty() {
            faults.extend(entries.iter().filter_map(|(key, node)| told_elsewhere(kept, key, node)));
            put(whole, kept, entries, faults);
        }
    }
    Ok(())
}

/// Whom prompts are told to, and what secrets are fetched for it, by files and commands, is for who runs the machine to say.
fn told_elsewhere(kept: &Kept, key: &Key, policy: &Node) -> Option<Fault> {
    let guards = ["guard", "guards"].into_iter().filter_map(|name| child(policy, name));
    let webhook = guards.filter_map(|guard| child(guard, "webhook")).find(|webhook| !webhook.is_null())?;
    let message = "sends elsewhere what is asked, and is said in the configuration alone".to_owned();
    let field = format!("{}.{}.guard.webhook", kept.name, key.name);
    Some(Fault { source: webhook.source.clone(), field, message })
}

/// Puts entries of the state where they belong. Where something else stands there the reader will tell of it.
fn put(whole: &mut Node, kept: &Kept, entries: &[(Key, Node)], faults: &mut Vec<Fault>) {
    let (last, outer) = kept.place.split_last().expect("a place has a name");
    let Some(outer) = outer.iter().try_fold(whole, |node, words| made(node, words, Value::Table(Vec::new()))) else {
        return;
    };
    let empty = if matches!(kept.stands, Stands::Named) { Value::Table(Vec::new()) } else { Value::List(Vec::new()) };
    let Some(place) = made(outer, last, empty) else { return };
    for (key, node) in entries {
        let mut node = node.clone();
        match (&mut place.value, &kept.stands) {
            (Value::Table(there), Stands::Named) if there.iter().any(|(known, _)| known.name == key.name) => {
                let message =
                    "is in the configuration and was set by the administrator, too; take the one or the other out";
                let place: Vec<&str> = kept.place.iter().map(|words| words[0]).collect();
                let field = format!("{}.{}", place.join("."), key.name);
                faults.push(Fault { source: key.source.clone(), field, message: message.to_owned() });
            }
            (Value::Table(there), Stands::Named) => there.push((key.clone(), node)),
            (Value::List(there), Stands::Listed) => {
                if let Value::Table(fields) = &mut node.value {
                    let name = Key { name: "name".to_owned(), source: key.source.clone() };
                    fields.retain(|(field, _)| field.name != "name");
                    fields.push((name, Node::word(&key.name, key.source.clone())));
                }
                there.push(node);
            }
            (Value::List(there), Stands::Nameless) => there.push(node),
            _ => return,
        }
    }
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

/// What has one of these names in a table; it is made, as this, where nothing has. `None` where it is no table.
fn made<'a>(node: &'a mut Node, words: &[&str], empty: Value) -> Option<&'a mut Node> {
    let source = node.source.clone();
    let Value::Table(entries) = &mut node.value else { return None };
    entries.retain(|(key, node)| !(words.contains(&key.name.as_str()) && node.is_null()));
    let at = entries.iter().position(|(key, _)| words.contains(&key.name.as_str())).unwrap_or_else(|| {
        let key = Key { name: words[0].to_owned(), source: source.clone() };
        entries.push((key, Node { value: empty, source }));
        entries.len() - 1
    });
    Some(&mut entries[at].1)
}
