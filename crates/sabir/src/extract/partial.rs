//! JSON that is not whole yet.

use serde_json::Value;

/// What the beginning of a JSON text says so far: open texts, lists and objects are closed, and what cannot be told
/// yet (half a number's or a word's end, a key without a value) is left out. `None` where nothing is said yet.
///
/// ```
/// # use serde_json::json;
/// let said = sabir::extract::complete(r#"{"name": "Ada", "tags": ["first", "sec"#);
/// assert_eq!(said, Some(json!({"name": "Ada", "tags": ["first", "sec"]})));
/// ```
pub fn complete(text: &str) -> Option<Value> {
    let scan = Scan::of(text);
    let mut candidates = [scan.open_text(text), scan.settled(text)].into_iter().flatten();
    candidates.find_map(|json| serde_json::from_str(&json).ok())
}

/// Where a text stands when it breaks off.
struct Scan {
    /// The brackets that close what is open, innermost last.
    closers: Vec<char>,
    /// Whether it breaks off within a text that is a value.
    in_value: bool,
    /// Up to where all is settled, and what was open there.
    settled: Option<(usize, Vec<char>)>,
}

impl Scan {
    fn of(text: &str) -> Self {
        let mut scan = Self { closers: Vec::new(), in_value: false, settled: None };
        let (mut in_text, mut escaped, mut is_key, mut wants_key) = (false, false, false, false);
        for (at, c) in text.char_indices() {
            let end = at + c.len_utf8();
            if in_text {
                match c {
                    _ if escaped => escaped = false,
                    '\\' => escaped = true,
                    '"' => {
                        in_text = false;
                        if !is_key {
                            scan.settle(end);
                        }
                    }
                    _ => {}
                }
                scan.in_value = in_text && !is_key;
                continue;
            }
            match c {
                '"' => {
                    in_text = true;
                    is_key = wants_key;
                    scan.in_value = !is_key;
                }
                '{' | '[' => {
                    scan.closers.push(if c == '{' { '}' } else { ']' });
                    wants_key = c == '{';
                    scan.settle(end);
                }
                '}' | ']' => {
                    scan.closers.pop();
                    scan.settle(end);
                    wants_key = false;
                }
                ':' => wants_key = false,
                ',' => {
                    // A number or a word before it is whole.
                    scan.settle(at);
                    wants_key = scan.closers.last() == Some(&'}');
                }
                _ => {}
            }
        }
        scan
    }

    fn settle(&mut self, end: usize) {
        self.settled = Some((end, self.closers.clone()));
    }

    /// The text with its open string closed.
    fn open_text(&self, text: &str) -> Option<String> {
        // Half an escape goes: `\`, `\u12`, and the first half of a pair.
        let cut = (0..=12.min(text.len())).map(|back| text.len() - back).filter(|at| text.is_char_boundary(*at));
        let closed = |at: usize| format!("{}\"{}", &text[..at], self.closers.iter().rev().collect::<String>());
        self.in_value.then(|| cut.map(closed).find(|json| serde_json::from_str::<Value>(json).is_ok()))?
    }

    fn settled(&self, text: &str) -> Option<String> {
        let (end, closers) = self.settled.as_ref()?;
        Some(format!("{}{}", &text[..*end], closers.iter().rev().collect::<String>()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_beginning_says_what_it_can() {
        let whole = r#"{"a": [1, -2.5e3, true, null, "x\n\u00e9\ud83d\ude00 {["], "b": {"c": {}, "d": ""}, "é": [[]]}"#;
        let value: Value = serde_json::from_str(whole).expect("JSON");
        assert_eq!(complete(whole), Some(value.clone()));
        let mut last = json!(null);
        for at in (0..whole.len()).filter(|at| whole.is_char_boundary(*at)) {
            match complete(&whole[..at]) {
                None => assert_eq!(at, 0, "only nothing says nothing"),
                Some(said) => {
                    assert!(grows(&last, &said), "at {at}: {last} then {said}");
                    last = said;
                }
            }
        }
    }

    /// Whether one says no less than the other.
    fn grows(before: &Value, after: &Value) -> bool {
        match (before, after) {
            (Value::Null, _) => true,
            (Value::String(before), Value::String(after)) => after.starts_with(before.as_str()),
            (Value::Array(before), Value::Array(after)) => {
                before.len() <= after.len() && before.iter().zip(after).all(|(before, after)| grows(before, after))
            }
            (Value::Object(before), Value::Object(after)) => {
                before.iter().all(|(key, before)| after.get(key).is_some_and(|after| grows(before, after)))
            }
            _ => before == after,
        }
    }

    #[test]
    fn what_is_no_json_says_nothing() {
        assert_eq!(complete("Well, "), None);
        assert_eq!(complete("{]"), None);
        assert_eq!(complete(r#"{"a": 12"#), Some(json!({})), "a number may go on");
        assert_eq!(complete(r#"{"a": 12,"#), Some(json!({"a": 12})));
    }
}
