//! Arguments of a call that come in parts: values, each at a JSON path (RFC 9535) such as `$.places[0].name`.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::wire::Piece;

/// The deepest path that is followed.
const DEEPEST: usize = 64;

/// The arguments so far.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    root: Map<String, Value>,
}

impl Assembly {
    /// Takes over whole arguments that a call began with.
    pub(super) fn whole(&mut self, args: Value) {
        if let Value::Object(fields) = args {
            self.root.extend(fields);
        }
    }

    /// Puts a piece in its place; a text is appended to the one that is there. A piece whose path leads nowhere
    /// (a list's element far behind its end) is left out: no path sizes an allocation.
    pub(super) fn piece(&mut self, piece: Piece<'_>) {
        let Some(steps) = steps(&piece.path) else { return };
        let Some((Step::Field(name), steps)) = steps.split_first() else {
            return;
        };
        let mut place = self.root.entry(name.as_ref()).or_insert(Value::Null);
        for step in steps {
            let Some(next) = enter(place, step) else { return };
            place = next;
        }
        match (place, piece.text) {
            (Value::String(all), Some(more)) => all.push_str(&more),
            (place, Some(text)) => *place = Value::String(text.0.into_owned()),
            (place, None) => {
                if let Some(number) = piece.number.filter(Value::is_number) {
                    *place = number;
                } else if let Some(flag) = piece.flag {
                    *place = flag.0.into();
                }
            }
        }
    }

    /// The arguments as JSON text.
    pub(super) fn finish(self) -> String {
        Value::Object(self.root).to_string()
    }
}

enum Step<'a> {
    Field(Cow<'a, str>),
    Element(usize),
}

/// The place one step deeper, made where it is the next one.
fn enter<'v>(place: &'v mut Value, step: &Step<'_>) -> Option<&'v mut Value> {
    if place.is_null() {
        *place = match step {
            Step::Field(_) => Value::Object(Map::new()),
            Step::Element(_) => Value::Array(Vec::new()),
        };
    }
    match (place, step) {
        (Value::Object(fields), Step::Field(name)) => Some(fields.entry(name.as_ref()).or_insert(Value::Null)),
        (Value::Array(items), Step::Element(at)) => {
            if *at == items.len() {
                items.push(Value::Null);
            }
            items.get_mut(*at)
        }
        _ => None,
    }
}

/// The steps of a path of names and numbers; `None` for any other.
fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if steps.len() == DEEPEST {
            return None;
        }
        let step = if let Some(tail) = rest.strip_prefix('.') {
            let end = tail.find(['.', '[']).unwrap_or(tail.len());
            rest = &tail[end..];
            Step::Field(tail[..end].into())
        } else {
            let tail = rest.strip_prefix('[')?;
            if let Some(quote @ ('\'' | '"')) = tail.chars().next() {
                let (name, behind) = quoted(&tail[1..], quote)?;
                rest = behind.strip_prefix(']')?;
                Step::Field(name)
            } else {
                let (number, behind) = tail.split_once(']')?;
                rest = behind;
                Step::Element(number.trim().parse().ok()?)
            }
        };
        steps.push(step);
    }
    Some(steps)
}

/// A quoted name and what is behind it.
fn quoted(text: &str, quote: char) -> Option<(Cow<'_, str>, &str)> {
    let mut name = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        if letter == quote {
            return Some((name.into(), &text[at + 1..]));
        }
        name.push(if letter == '\\' { letters.next()?.1 } else { letter });
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Assembly;

    fn assembled(pieces: &Value) -> Value {
        let text = pieces.to_string();
        let mut assembly = Assembly::default();
        for piece in serde_json::from_str::<Vec<_>>(&text).expect("pieces") {
            assembly.piece(piece);
        }
        serde_json::from_str(&assembly.finish()).expect("JSON")
    }

    #[test]
    fn pieces_find_their_places() {
        let pieces = json!([
            {"jsonPath": "$.city", "stringValue": "Má", "willContinue": true},
            {"jsonPath": "$.city", "stringValue": "laga"},
            {"jsonPath": "$.days[0]", "numberValue": 1},
            {"jsonPath": "$.days[1]", "numberValue": 2.5},
            {"jsonPath": "$.deep.er[0]['a.b\\'c'].x", "boolValue": true},
            {"jsonPath": "$.deep[\"none\"]", "nullValue": "NULL_VALUE"},
        ]);
        let expected =
            json!({"city": "Málaga", "days": [1, 2.5], "deep": {"er": [{"a.b'c": {"x": true}}], "none": null}});
        assert_eq!(assembled(&pieces), expected);
    }

    #[test]
    fn hostile_paths_lead_nowhere() {
        let deep = "$".to_owned() + &".a".repeat(100_000);
        let pieces = json!([
            {"jsonPath": "$.list[4000000000]", "stringValue": "x"},
            {"jsonPath": "$.list[-1]", "stringValue": "x"},
            {"jsonPath": "$[0]", "stringValue": "x"},
            {"jsonPath": "$", "stringValue": "x"},
            {"jsonPath": "$['a", "stringValue": "x"},
            {"jsonPath": "$..*", "stringValue": "x"},
            {"jsonPath": "city", "stringValue": "x"},
            {"jsonPath": deep, "stringValue": "x"},
            {"stringValue": "x"},
        ]);
        assert_eq!(assembled(&pieces), json!({"list": [], "": {"*": "x"}}));
    }
}
