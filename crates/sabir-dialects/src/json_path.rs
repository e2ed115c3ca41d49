//! Places in a JSON object by their path (RFC 9535), such as `$.places[0].name`: for arguments of calls that come in
//! pieces, each with where it belongs.

use serde_json::{Map, Value};

/// The deepest path that is followed.
const DEEPEST: usize = 64;

enum Step {
    Field(String),
    Element(usize),
}

/// The place that a path leads to, made where it is the next one. `None` for a path that leads nowhere (a list's element
/// far behind its end): no path sizes an allocation.
pub(crate) fn place<'v>(object: &'v mut Map<String, Value>, path: &str) -> Option<&'v mut Value> {
    let mut steps = steps(path)?.into_iter();
    let Some(Step::Field(name)) = steps.next() else { return None };
    steps.try_fold(object.entry(name).or_insert(Value::Null), enter)
}

/// The place one step deeper, made where it is the next one.
fn enter(place: &mut Value, step: Step) -> Option<&mut Value> {
    match (place, step) {
        (place @ (Value::Object(_) | Value::Null), Step::Field(name)) => Some(&mut place[name]),
        (place @ (Value::Array(_) | Value::Null), Step::Element(at)) => {
            if place.is_null() {
                *place = Value::Array(Vec::new());
            }
            let items = place.as_array_mut()?;
            if at == items.len() {
                items.push(Value::Null);
            }
            items.get_mut(at)
        }
        _ => None,
    }
}

/// The steps of a path of names and numbers; `None` for any other.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() && steps.len() < DEEPEST {
        if let Some(tail) = rest.strip_prefix('.') {
            let end = tail.find(['.', '[']).unwrap_or(tail.len());
            steps.push(Step::Field(tail[..end].to_owned()));
            rest = &tail[end..];
        } else if let Some(tail) = rest.strip_prefix("['").or(rest.strip_prefix("[\"")) {
            let (name, behind) = quoted(tail, rest.chars().nth(1)?)?;
            steps.push(Step::Field(name));
            rest = behind.strip_prefix(']')?;
        } else {
            let (number, behind) = rest.strip_prefix('[')?.split_once(']')?;
            steps.push(Step::Element(number.trim().parse().ok()?));
            rest = behind;
        }
    }
    rest.is_empty().then_some(steps)
}

/// A quoted name and what is behind it.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        if letter == quote {
            return Some((name, &text[at + 1..]));
        }
        name.push(if letter == '\\' { letters.next()?.1 } else { letter });
    }
    None
}
