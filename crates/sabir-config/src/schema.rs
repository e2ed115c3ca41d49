//! The JSON Schema of the file, for editors.

use serde_json::{Map, Value, json};

use crate::Settings;
use crate::field::{Field, Kind, Section};

/// The JSON Schema (2020-12) of a configuration, made of the definitions of its fields. What refers to variables
/// (`${NAME}`) is allowed wherever a word is.
pub fn schema() -> Value {
    let mut whole = section(Settings::SECTION);
    if let Some(object) = whole.as_object_mut() {
        object.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        object.insert("title".into(), "Sabir's configuration".into());
    }
    whole
}

fn section(section: &Section) -> Value {
    let mut properties = Map::new();
    for field in section.fields {
        properties.insert(field.name.into(), described(field));
        for also in field.also {
            let mut again = described(field);
            again["description"] = format!("The same as {}.", field.name).into();
            again["deprecated"] = true.into();
            properties.insert((*also).into(), again);
        }
    }
    json!({
        "description": section.about.trim(),
        "type": ["object", "null"],
        "properties": properties,
        "additionalProperties": false,
    })
}

fn described(field: &Field) -> Value {
    let mut schema = kind(field.kind);
    let mut about = field.about.trim().to_owned();
    if !field.env.is_empty() {
        about.extend([" In the environment: ", &field.env.join(", "), "."]);
    }
    schema["description"] = about.into();
    if let Some(default) = field.default {
        schema["default"] = written(default);
    }
    schema
}

/// A default as it stands in JSON.
fn written(default: &str) -> Value {
    match default {
        "true" => true.into(),
        "false" => false.into(),
        _ => default.parse::<u64>().map_or_else(|_| default.into(), Value::from),
    }
}

fn kind(of: Kind) -> Value {
    match of {
        Kind::Leaf(leaf) if leaf.secret => json!({ "anyOf": [
            { "type": ["string", "null"] },
            { "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": false, "properties": {
                "env": { "type": "string", "description": "A variable of the environment." },
                "file": { "type": "string", "description": "A file, beginning where the configuration stands." },
                "command": {
                    "description": "A program that writes the key, and its arguments.",
                    "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" }, "minItems": 1 }],
                },
            } },
        ] }),
        Kind::YesOrNo => words(&["true", "false"], "boolean"),
        Kind::Leaf(leaf) => {
            let mut text = json!({ "type": "string" });
            if !leaf.pattern.is_empty() {
                text["pattern"] = format!("{}|[$][{{]", leaf.pattern).into();
            }
            let number = leaf.number.then(|| json!({ "type": "number", "minimum": 0 }));
            let other =
                if leaf.pattern.is_empty() { json!({ "type": ["number", "null"] }) } else { json!({ "type": "null" }) };
            let any: Vec<Value> = [Some(text), number, Some(other)].into_iter().flatten().collect();
            json!({ "anyOf": any })
        }
        Kind::Choice(choices) => {
            let words: Vec<&str> = choices.iter().map(|choice| choice.word).collect();
            self::words(&words, "null")
        }
        Kind::Section(fields) => section(fields),
        Kind::Short(fields) => json!({ "anyOf": [{ "type": "string" }, section(fields)] }),
        Kind::List(item) => json!({ "type": ["array", "null"], "items": kind(*item) }),
        Kind::OneOrMore(item) => json!({ "anyOf": [kind(*item), { "type": "array", "items": kind(*item) }] }),
        Kind::Map(item) => json!({ "type": ["object", "null"], "additionalProperties": kind(*item) }),
        Kind::Named(item) => json!({ "anyOf": [
            { "type": ["object", "null"], "additionalProperties": kind(*item) },
            { "type": "array", "items": kind(*item) },
        ] }),
        Kind::Parameters => json!({ "type": ["object", "null"] }),
        Kind::Prices => json!({ "type": ["object", "null"], "additionalProperties": { "type": "object" } }),
    }
}

/// One of these words, a reference to a variable, or another type.
fn words(words: &[&str], other: &str) -> Value {
    json!({ "anyOf": [{ "enum": words }, { "type": other }, { "type": "string", "pattern": "[$][{]" }] })
}
