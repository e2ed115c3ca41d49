//! What an answer has to look like, as people write it: a short form, a JSON Schema, or the file of one.
//!
//! The short form names fields, divided by commas or each on a line of its own: `NAME TYPE: WORDS`. The type is `str`
//! unless it is said, or `int`, `float`, `bool`, or `list of` one of these (`list` alone is one of `str`). A `?` behind
//! the name lets the model leave the field out. What follows a colon tells the model what is meant, or is the type where it
//! is the name of one and none was said before; only in the form with lines it may have a comma in it.

use std::path::Path;

use sabir::dialects::providers::nearest;
use serde_json::{Map, Value, json};

use crate::failure::Failure;

/// The JSON Schema that a text stands for; `several` makes it that of a list.
pub(super) fn schema(text: &str, several: bool) -> Result<Value, Failure> {
    let text = text.trim();
    let one = if text.starts_with('{') {
        json_schema(text, "the schema")?
    } else if is_file(text) {
        let content =
            std::fs::read_to_string(text).map_err(|error| Failure::usage(format!("cannot read {text}: {error}")))?;
        json_schema(&content, text)?
    } else {
        short(text).map_err(Failure::usage)?
    };
    Ok(if several { json!({ "type": "array", "items": one }) } else { one })
}

/// A file that is there, or has the ending of one.
fn is_file(text: &str) -> bool {
    let path = Path::new(text);
    path.extension().is_some_and(|ending| ending == "json") || (!text.contains('\n') && path.is_file())
}

fn json_schema(text: &str, name: &str) -> Result<Value, Failure> {
    let wrong = |why: &dyn std::fmt::Display| Failure::usage(format!("{name} is not JSON: {why}"));
    let value: Value = serde_json::from_str(text).map_err(|error| wrong(&error))?;
    if value.is_object() {
        return Ok(value);
    }
    Err(Failure::usage(format!("{name} is no JSON Schema: it must be an object")))
}

/// The types of the short form, and what JSON Schema calls them.
const TYPES: [(&str, &str); 9] = [
    ("str", "string"),
    ("string", "string"),
    ("int", "integer"),
    ("integer", "integer"),
    ("float", "number"),
    ("number", "number"),
    ("bool", "boolean"),
    ("boolean", "boolean"),
    ("list", ""),
];

/// The schema of an object with these fields, or where the text is wrong and how.
fn short(text: &str) -> Result<Value, String> {
    let separator = if text.contains('\n') { '\n' } else { ',' };
    let (mut properties, mut required) = (Map::new(), Vec::new());
    let mut line = 1;
    let mut column = 1;
    for piece in text.split(separator) {
        let skipped = piece.chars().take_while(|c| c.is_whitespace()).count();
        let place = format!("the schema, line {line}, column {}", column + skipped);
        let is_blank_line = separator == '\n' && piece.trim().is_empty();
        if !is_blank_line {
            let field = field(piece.trim()).map_err(|wrong| format!("{place}: {wrong}"))?;
            if field.is_required {
                required.push(Value::from(field.name));
            }
            if properties.insert(field.name.to_owned(), field.schema).is_some() {
                return Err(format!("{place}: the field {} is there twice", field.name));
            }
        }
        if separator == '\n' {
            line += 1;
        } else {
            column += piece.chars().count() + 1;
        }
    }
    Ok(json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    }))
}

struct Field<'a> {
    name: &'a str,
    schema: Value,
    is_required: bool,
}

fn field(text: &str) -> Result<Field<'_>, String> {
    let (what, about) = text.split_once(':').map_or((text, ""), |(what, about)| (what.trim(), about.trim()));
    let (name, kind) = what.split_once(char::is_whitespace).map_or((what, ""), |(name, kind)| (name, kind.trim()));
    // Who writes `age: integer`, as in most languages, means the type, and no words for the model.
    let (kind, about) = if kind.is_empty() && self::kind(about).is_ok() { (about, "") } else { (kind, about) };
    let (name, is_required) = name.strip_suffix('?').map_or((name, true), |name| (name, false));
    let is_name = |name: &str| name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    if name.is_empty() {
        return Err("a field has no name; write `NAME TYPE`, as in `age int`".to_owned());
    }
    if !is_name(name) {
        return Err(format!("{name:?} is no name of a field: letters, digits, _ and - can be in it"));
    }
    let mut schema = self::kind(kind)?;
    if !about.is_empty() {
        schema["description"] = about.into();
    }
    Ok(Field { name, schema, is_required })
}

fn kind(text: &str) -> Result<Value, String> {
    let mut words = text.split_whitespace();
    let first = words.next().unwrap_or("str");
    let rest: Vec<&str> = words.collect();
    match (first, &rest[..]) {
        ("list", []) => Ok(json!({ "type": "array", "items": { "type": "string" } })),
        ("list", ["of", of @ ..]) if !of.is_empty() => Ok(json!({ "type": "array", "items": kind(&of.join(" "))? })),
        ("list", _) => Err(format!("{text:?} is no type; write `list of int`")),
        (word, []) => {
            let names = TYPES.iter().map(|(name, _)| *name);
            if let Some((_, kind)) = TYPES.iter().find(|(name, _)| *name == word) {
                return Ok(json!({ "type": kind }));
            }
            let hint = nearest(word, names).map_or_else(String::new, |near| format!("; did you mean {near}?"));
            Err(format!("{word:?} is no type: there are str, int, float, bool and list of one of them{hint}"))
        }
        (_, more) => {
            Err(format!("{:?} is too much after the type; words for the model follow a colon", more.join(" ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_form_is_a_schema() {
        let inline =
            short("name, age? int: in years, tags list of str, scores list of list of float").expect("a schema");
        assert_eq!(
            inline,
            json!({
                "type": "object",
                "properties": {
                    "name": { "type": "string" },
                    "age": { "type": "integer", "description": "in years" },
                    "tags": { "type": "array", "items": { "type": "string" } },
                    "scores": { "type": "array", "items": { "type": "array", "items": { "type": "number" } } },
                },
                "required": ["name", "tags", "scores"],
                "additionalProperties": false,
            })
        );
        let lines = short("name: the full name, as it is written\n\n  married bool\n").expect("a schema");
        assert_eq!(lines["properties"]["name"]["description"], "the full name, as it is written");
        assert_eq!(lines["properties"]["married"]["type"], "boolean");
        let said_so = short("age: integer, tags?: list of int, name: str ing").expect("a schema");
        let plainly = short("age int, tags? list of int, name str: str ing").expect("a schema");
        assert_eq!(said_so, plainly, "as most languages write it");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, says) in [
            (
                "name, age itn",
                "line 1, column 7: \"itn\" is no type: there are str, int, float, bool and list of one of them; did you mean int?",
            ),
            (
                "name\n\n age int years",
                "line 3, column 2: \"years\" is too much after the type; words for the model follow a colon",
            ),
            ("name,, age", "line 1, column 6: a field has no name; write `NAME TYPE`, as in `age int`"),
            ("", "line 1, column 1: a field has no name; write `NAME TYPE`, as in `age int`"),
            ("a, b, a int", "line 1, column 7: the field a is there twice"),
            ("na/me", "line 1, column 1: \"na/me\" is no name of a field: letters, digits, _ and - can be in it"),
            ("tags list int", "line 1, column 1: \"list int\" is no type; write `list of int`"),
            ("tags list of", "line 1, column 1: \"list of\" is no type; write `list of int`"),
            (
                "é, ü? strr",
                "line 1, column 4: \"strr\" is no type: there are str, int, float, bool and list of one of them; did you mean str?",
            ),
        ] {
            assert_eq!(short(text).expect_err(text), format!("the schema, {says}"));
        }
    }

    #[test]
    fn a_list_of_them_and_json() {
        assert_eq!(schema("a", true).expect("a schema")["items"]["required"], json!(["a"]));
        assert_eq!(schema(r#"{"type": "object"}"#, false).expect("a schema"), json!({ "type": "object" }));
        assert!(schema("{", false).is_err() && schema("no/such.json", false).is_err());
    }
}
