//! A model's arguments in the words of a command.

use serde_json::{Map, Value};

/// The arguments of a call, held against the schema as far as a command relies on it: those that must be there, those
/// that there are, their types, and the words to choose from.
pub(super) fn read(arguments: &str, schema: &Value) -> Result<Map<String, Value>, String> {
    let text = if arguments.trim().is_empty() { "{}" } else { arguments };
    let read: Value = serde_json::from_str(text).map_err(|error| format!("the arguments are not JSON: {error}"))?;
    let Value::Object(read) = read else { return Err("the arguments must be a JSON object".to_owned()) };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !read.contains_key(name) {
            return Err(format!("the argument {name} is missing"));
        }
    }
    for (name, value) in &read {
        match schema["properties"].get(name) {
            Some(schema) => fits(value, schema).map_err(|what| format!("the argument {name} must be {what}"))?,
            None if schema["additionalProperties"] == false => return Err(format!("there is no argument {name}")),
            None => {}
        }
    }
    Ok(read)
}

fn fits(value: &Value, schema: &Value) -> Result<(), String> {
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return Err(format!("one of {}", schema["enum"]));
    }
    let is_it = match schema["type"].as_str() {
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => {
            let items = value.as_array().map(Vec::as_slice);
            items.unwrap_or_default().iter().try_for_each(|item| fits(item, &schema["items"]))?;
            items.is_some()
        }
        Some("object") => value.is_object(),
        _ => true,
    };
    if is_it { Ok(()) } else { Err(format!("of type {}", schema["type"].as_str().unwrap_or_default())) }
}

/// The words of a command with the arguments in them. A word whose argument was left out goes; one that is nothing but
/// a list's name becomes a word for each of its items. What the model says stays one word, whatever is in it, and is no
/// option: where a word begins with it, it may not begin with `-`, unless `--` stands before.
pub(super) fn words(template: &[String], arguments: &Map<String, Value>) -> Result<Vec<String>, String> {
    let mut words: Vec<String> = Vec::new();
    for word in template {
        let only = word.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).map(str::trim);
        let filled = match only.and_then(|name| arguments.get(name)) {
            Some(Value::Array(items)) => items.iter().map(plain).collect(),
            _ => Vec::from_iter(fill(word, arguments)),
        };
        let is_said_first = word.starts_with("{{") && !template.iter().take_while(|w| *w != word).any(|w| w == "--");
        let is_number = |text: &str| text.parse::<f64>().is_ok();
        if is_said_first && let Some(option) = filled.iter().find(|text| text.starts_with('-') && !is_number(text)) {
            let option: String = option.chars().take(40).collect();
            return Err(format!("an argument may not begin with `-` here: {option:?}"));
        }
        words.extend(filled);
    }
    Ok(words)
}

/// One word; `None` where an argument in it was left out.
fn fill(word: &str, arguments: &Map<String, Value>) -> Option<String> {
    let mut filled = String::with_capacity(word.len());
    let mut rest = word;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else { break };
        filled.push_str(before);
        filled.push_str(&plain(arguments.get(name.trim()).filter(|value| !value.is_null())?));
        rest = after;
    }
    filled.push_str(rest);
    Some(filled)
}

/// A text as it is, anything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filled(template: &[&str], arguments: &Value) -> Result<Vec<String>, String> {
        let template: Vec<String> = template.iter().map(|&word| word.to_owned()).collect();
        words(&template, arguments.as_object().expect("an object"))
    }

    #[test]
    fn what_a_model_says_stays_one_word() {
        let hostile = "x; rm -rf / $(id) `id` \"'\n{{b}}";
        for (template, arguments, expected) in [
            (&["echo", "{{a}}"][..], json!({"a": hostile}), vec!["echo", hostile]),
            (&["echo", "a={{a}},b={{ b }}"], json!({"a": 1, "b": true}), vec!["echo", "a=1,b=true"]),
            (&["ls", "--all={{a}}", "{{b}}"], json!({"b": "x"}), vec!["ls", "x"]),
            (&["rm", "{{a}}", "end"], json!({"a": ["b c", "d"]}), vec!["rm", "b c", "d", "end"]),
            (&["rm", "{{a}}"], json!({"a": null}), vec!["rm"]),
            (&["head", "{{n}}"], json!({"n": -5}), vec!["head", "-5"]),
            (&["grep", "--", "{{a}}"], json!({"a": "-r"}), vec!["grep", "--", "-r"]),
            (&["f", "x{{a}}", "{{open"], json!({"a": "-r"}), vec!["f", "x-r", "{{open"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(filled(template, &arguments), Ok(expected), "{template:?}");
        }
    }

    #[test]
    fn a_model_gives_no_options() {
        for arguments in [json!({"a": "--output=/etc/passwd"}), json!({"a": ["x", "-r"]})] {
            let error = filled(&["git", "log", "{{a}}"], &arguments).expect_err("an option");
            assert!(error.starts_with("an argument may not begin with `-` here"), "{error}");
        }
    }

    #[test]
    fn arguments_are_held_against_the_schema() {
        let schema = json!({"type": "object", "required": ["city"], "additionalProperties": false, "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "unit": {"type": "string", "enum": ["c", "f"]},
            "tags": {"type": "array", "items": {"type": "string"}},
        }});
        for (arguments, expected) in [
            (r#"{"city": "Valletta", "days": 3, "unit": "c", "tags": ["a"]}"#, "right"),
            ("", "the argument city is missing"),
            ("{", "the arguments are not JSON: EOF while parsing an object at line 1 column 1"),
            ("[]", "the arguments must be a JSON object"),
            (r#"{"city": 5}"#, "the argument city must be of type string"),
            (r#"{"city": "a", "days": 1.5}"#, "the argument days must be of type integer"),
            (r#"{"city": "a", "unit": "k"}"#, r#"the argument unit must be one of ["c","f"]"#),
            (r#"{"city": "a", "tags": [1]}"#, "the argument tags must be of type string"),
            (r#"{"city": "a", "tags": "b"}"#, "the argument tags must be of type array"),
            (r#"{"city": "a", "town": "b"}"#, "there is no argument town"),
        ] {
            let said = read(arguments, &schema).map_or_else(|error| error, |_| "right".to_owned());
            assert_eq!(said, expected, "{arguments}");
        }
    }
}
