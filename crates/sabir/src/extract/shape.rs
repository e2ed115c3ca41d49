//! The schema of a type, and values read by it.

use jsonschema::{ValidationError, Validator};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// The JSON Schema (draft 2020-12) of a type, as a model is to see it.
pub fn schema_of<T: JsonSchema + ?Sized>() -> Value {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    let mut schema = schema.to_value();
    if let Some(fields) = schema.as_object_mut() {
        fields.shift_remove("$schema");
    }
    schema
}

/// The field that holds a value that is no object: providers hold answers to objects only.
const FIELD: &str = "value";
/// The most faults that are told of one answer.
const FAULTS: usize = 5;

/// What a value has to look like.
#[derive(Debug)]
pub(super) struct Shape {
    /// The type's name, where a schema's name may stand.
    pub(super) name: String,
    /// The schema of an object: the value, or the object around it.
    pub(super) schema: Value,
    is_wrapped: bool,
    /// `None` for a schema that cannot be used to check, which no type has.
    validator: Option<Validator>,
}

impl Shape {
    pub(super) fn of<T: JsonSchema>() -> Self {
        Self::made(&T::schema_name(), schema_of::<T>())
    }

    /// The shape of a schema that somebody wrote, or what is wrong with it.
    pub(super) fn given(name: &str, schema: Value) -> Result<Self, String> {
        checker(&schema).map_err(|error| format!("{error}, at {:?}", error.instance_path().to_string()))?;
        Ok(Self::made(name, schema))
    }

    fn made(name: &str, schema: Value) -> Self {
        let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let is_object = schema.get("type").is_some_and(|kind| kind == "object") && schema.get("properties").is_some();
        let schema = if is_object { schema } else { wrapped(schema) };
        let validator = checker(&schema).ok();
        Self { name: name.chars().take(64).collect(), schema, is_wrapped: !is_object, validator }
    }

    /// Reads a value, or says what is wrong with it. What a model had to say with null, since it could not leave it
    /// out, is left out again.
    pub(super) fn read<T: DeserializeOwned>(&self, mut json: Value) -> Result<T, String> {
        without_nulls(&self.schema, &self.schema, &mut json, 0);
        let faults: Vec<String> = self
            .validator
            .iter()
            .flat_map(|validator| validator.iter_errors(&json))
            .take(FAULTS)
            .map(|fault| {
                let place = fault.instance_path().to_string();
                format!("{}: {}", if place.is_empty() { "the whole" } else { &place }, fault)
            })
            .collect();
        if !faults.is_empty() {
            return Err(faults.join("; "));
        }
        if self.is_wrapped {
            json = json.get_mut(FIELD).map(Value::take).unwrap_or_default();
        }
        serde_json::from_value(json).map_err(|error| error.to_string())
    }

    /// Of a value that is not whole yet: what stands in the field around it.
    pub(super) fn unwrapped(&self, mut json: Value) -> Option<Value> {
        if self.is_wrapped { json.get_mut(FIELD).map(Value::take) } else { Some(json) }
    }
}

fn checker(schema: &Value) -> Result<Validator, ValidationError<'static>> {
    jsonschema::options().should_validate_formats(false).build(schema)
}

/// An object with the schema's value in it; definitions stay at the root, where references look for them.
fn wrapped(mut schema: Value) -> Value {
    let mut outer = Map::from_iter([("type".to_owned(), json!("object"))]);
    let defs = schema.as_object_mut().and_then(|fields| fields.shift_remove("$defs"));
    outer.insert("properties".into(), json!({ FIELD: schema }));
    outer.insert("required".into(), json!([FIELD]));
    if let Some(defs) = defs {
        outer.insert("$defs".into(), defs);
    }
    Value::Object(outer)
}

/// Takes out the nulls of properties that are not required and do not say that they may be null.
fn without_nulls(root: &Value, schema: &Value, value: &mut Value, depth: usize) {
    /// Deeper than any type's schema goes without leading back to itself.
    const DEEPEST: usize = 128;
    if depth > DEEPEST {
        return;
    }
    let next = |schema: &Value, value: &mut Value| without_nulls(root, schema, value, depth + 1);
    if let Some(defined) = schema["$ref"].as_str().and_then(|target| root.pointer(target.strip_prefix('#')?)) {
        next(defined, value);
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        for schema in schema[key].as_array().into_iter().flatten() {
            next(schema, value);
        }
    }
    match value {
        Value::Object(fields) => {
            if let Some(properties) = schema["properties"].as_object() {
                let required = schema["required"].as_array();
                let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|known| known == name));
                fields.retain(|name, value| {
                    !value.is_null()
                        || is_required(name)
                        || properties.get(name).is_none_or(|schema| takes_null(root, schema))
                });
                for (name, value) in fields {
                    if let Some(schema) = properties.get(name) {
                        next(schema, value);
                    }
                }
            }
        }
        Value::Array(items) if schema.get("items").is_some() => {
            for item in items {
                next(&schema["items"], item);
            }
        }
        _ => {}
    }
}

fn takes_null(root: &Value, schema: &Value) -> bool {
    match &schema["type"] {
        Value::String(kind) if kind == "null" => return true,
        Value::Array(kinds) if kinds.iter().any(|kind| kind == "null") => return true,
        _ => {}
    }
    let any = ["anyOf", "oneOf"].iter().filter_map(|key| schema[*key].as_array()).flatten();
    schema == &Value::Bool(true)
        || schema.as_object().is_some_and(Map::is_empty)
        || any.into_iter().any(|schema| takes_null(root, schema))
        || schema["$ref"]
            .as_str()
            .and_then(|target| root.pointer(target.strip_prefix('#')?))
            .is_some_and(|defined| defined != schema && takes_null(root, defined))
}
