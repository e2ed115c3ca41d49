//! Where two JSON values differ first, in words.

use serde_json::Value;

/// Where two values differ first, as `messages[0].text: "a" became "b"`; `None` where they are equal. Keys are
/// compared by name, in any order.
pub fn first_difference(before: &Value, after: &Value) -> Option<String> {
    differ("", before, after)
}

fn differ(path: &str, before: &Value, after: &Value) -> Option<String> {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
            keys.into_iter().find_map(|key| {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => differ(&path, a, b),
                    (Some(a), None) => Some(format!("{path}: {} is gone", short(a))),
                    (None, Some(b)) => Some(format!("{path}: {} was added", short(b))),
                    (None, None) => None,
                }
            })
        }
        (Value::Array(a), Value::Array(b)) => {
            let within = a.iter().zip(b).enumerate();
            within.into_iter().find_map(|(at, (a, b))| differ(&format!("{path}[{at}]"), a, b)).or_else(|| {
                let (from, to) = (a.len(), b.len());
                let extra = a.get(to).or_else(|| b.get(from)).map(short).unwrap_or_default();
                (from != to).then(|| format!("{path}: {from} items became {to}; {extra}"))
            })
        }
        _ if before == after => None,
        _ => Some(format!("{path}: {} became {}", short(before), short(after))),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(160) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::first_difference;
    use serde_json::json;

    #[test]
    fn the_first_difference_is_named_with_its_path() {
        let said = |a, b| first_difference(&a, &b).unwrap_or_default();
        assert_eq!(said(json!({"a": [1, {"b": 2}]}), json!({"a": [1, {"b": 3}]})), "a[1].b: 2 became 3");
        assert_eq!(said(json!({"a": 1, "b": 2}), json!({"b": 2})), "a: 1 is gone");
        assert_eq!(said(json!({}), json!({"c": null})), "c: null was added");
        assert_eq!(said(json!([1]), json!([1, 2])), ": 1 items became 2; 2");
        assert_eq!(said(json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1})), "");
    }
}
