//! Fields that a simulated server does not know: servers that claim to be compatible differ in these.

use serde_json::Value;

/// A place in a request's body, and what must stand there: `stream_options`, `response_format.type=json_schema`,
/// `messages.*.role=developer` (`*` is any element of a list).
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    said: String,
    path: Vec<String>,
    value: Option<String>,
}

impl Refused {
    pub(crate) fn new(said: &str) -> Self {
        let (path, value) = match said.split_once('=') {
            Some((path, value)) => (path, Some(value.to_owned())),
            None => (said, None),
        };
        Self { said: said.to_owned(), path: path.split('.').map(str::to_owned).collect(), value }
    }

    /// What is refused, as it was said.
    pub(crate) fn said(&self) -> &str {
        &self.said
    }

    /// Whether a body has it.
    pub(crate) fn is_in(&self, body: &Value) -> bool {
        stands(body, &self.path, self.value.as_deref())
    }
}

fn stands(at: &Value, path: &[String], value: Option<&str>) -> bool {
    let Some((step, rest)) = path.split_first() else {
        return match (at, value) {
            (Value::Null, None) => false,
            (_, None) => true,
            (Value::String(text), Some(value)) => text == value,
            (other, Some(value)) => serde_json::from_str::<Value>(value).is_ok_and(|value| value == *other),
        };
    };
    match at {
        Value::Array(items) if step == "*" => items.iter().any(|item| stands(item, rest, value)),
        Value::Array(items) => {
            step.parse::<usize>().ok().and_then(|at| items.get(at)).is_some_and(|at| stands(at, rest, value))
        }
        Value::Object(fields) => fields.get(step).is_some_and(|at| stands(at, rest, value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_with_their_values() {
        let body = serde_json::json!({"a": {"b": "c"}, "n": 1, "none": null, "l": [{"r": "x"}, {"r": "y"}]});
        for yes in ["a", "a.b", "a.b=c", "n=1", "l.*.r=y", "l.1.r=y", "l.*.r"] {
            assert!(Refused::new(yes).is_in(&body), "{yes}");
        }
        for no in ["b", "a.b=d", "none", "l.0.r=y", "l.*.q", "a.b.c", "n.1"] {
            assert!(!Refused::new(no).is_in(&body), "{no}");
        }
    }
}
