//! TOML, by the `toml` crate's parser, which bounds its own depth.

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

use super::Lines;
use crate::fault::{Fault, Faults};
use crate::node::{Key, Node, Value};

pub(super) fn read(text: &str, lines: &Lines) -> Result<Node, Faults> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let fault = |error: ::toml::de::Error| {
        let source = lines.at(error.span().map_or(0, |span| span.start));
        let message = format!("cannot be read as TOML: {}", error.message().replace('\n', "; "));
        Fault { source, field: String::new(), message }
    };
    if let Some(faults) = Faults::of(errors.into_iter().map(fault).collect()) {
        return Err(faults);
    }
    Ok(Node { source: lines.at(0), value: self::table(table.into_inner(), lines) })
}

fn table(table: DeTable<'_>, lines: &Lines) -> Value {
    let mut entries: Vec<(usize, Key, Node)> = table
        .into_iter()
        .map(|(name, value)| {
            let at = name.span().start;
            let source = lines.at(at);
            (at, Key { name: name.into_inner().into_owned(), source }, node(value, lines))
        })
        .collect();
    // In the order in which they were written: faults and lists are told in it.
    entries.sort_by_key(|(at, ..)| *at);
    Value::Table(entries.into_iter().map(|(_, key, node)| (key, node)).collect())
}

fn node(spanned: Spanned<DeValue<'_>>, lines: &Lines) -> Node {
    let source = lines.at(spanned.span().start);
    let value = match spanned.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) if number.radix() == 10 => Value::Number(number.as_str().to_owned()),
        DeValue::Integer(number) => Value::Number(number.to_string()),
        DeValue::Float(number) => Value::Number(number.as_str().to_owned()),
        DeValue::Boolean(yes) => Value::Bool(yes),
        DeValue::Datetime(time) => Value::Text(time.to_string()),
        DeValue::Array(items) => Value::List(items.into_iter().map(|item| node(item, lines)).collect()),
        DeValue::Table(entries) => table(entries, lines),
    };
    Node { value, source }
}
