//! Arguments of a call that come in parts: values, each at a JSON path (RFC 9535) such as `$.places[0].name`.

use serde_json::{Map, Value};

use super::wire::Piece;

/// The deepest path that is followed.
const DEEPEST: usize = 64;

enum Step {
    Field(String),
    Element(usize),
}

/// Puts a piece in its place; a text is appended to the one that is there. A piece whose path leads nowhere (a list's
/// element far behind its end) is left out: no path sizes an allocation.
pub(super) fn put(arguments: &mut Map<String, Value>, piece: Piece<'_>) {
    let Some(steps) = steps(&piece.path) else { return };
    let mut steps = steps.into_iter();
    let Some(Step::Field(name)) = steps.next() else { return };
    let mut place = arguments.entry(name).or_insert(Value::Null);
    for step in steps {
        let Some(next) = enter(place, step) else { return };
        place = next;
    }
    match (place, piece.text, piece.number, piece.flag) {
        (Value::String(all), Some(more), ..) => all.push_str(&more),
        (place, Some(text), ..) => *place = text.0.into(),
        (place, None, Some(number @ Value::Number(_)), _) => *place = number,
        (place, None, _, Some(flag)) => *place = flag.0.into(),
        _ => {}
    }
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
