//! Google's `Schema` (a subset of `OpenAPI` 3.0's) as JSON Schema, for the fields that have both forms.

use serde_json::{Map, Value};

use crate::proto_json::{camel, word};

/// The types, by their number in the protocol buffer.
const TYPES: &[&str] = &["TYPE_UNSPECIFIED", "string", "number", "integer", "boolean", "array", "object", "null"];

/// Whether a schema has hints to Google alone, which its translation leaves out.
pub(crate) fn says_more(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => {
            let is_hint = |name: &str| matches!(name, "propertyOrdering" | "property_ordering" | "example");
            fields.iter().any(|(name, inner)| is_hint(name) || says_more(inner))
        }
        Value::Array(items) => items.iter().any(says_more),
        _ => false,
    }
}

/// A schema as JSON Schema: types in lower case, `nullable` as a type of its own, and no hints to Google alone.
pub(crate) fn to_json_schema(schema: &Value) -> Value {
    let Value::Object(fields) = schema else { return schema.clone() };
    let mut out = Map::new();
    for (name, value) in fields {
        let name = camel(name.into()).into_owned();
        let value = match (name.as_str(), value) {
            (_, Value::Null) | ("nullable" | "propertyOrdering" | "example", _) => continue,
            ("type", said @ (Value::String(_) | Value::Number(_))) => {
                match word(said, TYPES).map(str::to_ascii_lowercase) {
                    Some(word) if word != "type_unspecified" => word.into(),
                    _ => continue,
                }
            }
            ("properties" | "defs", Value::Object(inner)) => {
                inner.iter().map(|(name, inner)| (name.clone(), to_json_schema(inner))).collect()
            }
            ("items" | "additionalProperties", inner) => to_json_schema(inner),
            ("anyOf", Value::Array(inner)) => inner.iter().map(to_json_schema).collect(),
            // 64-bit integers are strings in Google's JSON.
            (limit, Value::String(n)) if limit.starts_with("min") || limit.starts_with("max") => {
                n.parse::<u64>().map_or_else(|_| value.clone(), Value::from)
            }
            _ => value.clone(),
        };
        out.insert(name, value);
    }
    if fields.get("nullable") == Some(&Value::Bool(true)) {
        if let Some(kind @ Value::String(_)) = out.get_mut("type") {
            *kind = Value::Array(vec![kind.take(), "null".into()]);
        }
        if let Some(Value::Array(values)) = out.get_mut("enum") {
            values.push(Value::Null);
        }
    }
    out.into()
}
