//! Google's `Schema` (a subset of `OpenAPI` 3.0's) as JSON Schema, for the fields that have both forms.

use serde_json::{Map, Value};

/// A schema as JSON Schema: types in lower case, `nullable` as a type of its own, and no hints to Google alone.
pub(super) fn to_json_schema(schema: &Value) -> Value {
    let Value::Object(fields) = schema else { return schema.clone() };
    let mut out = Map::new();
    for (name, value) in fields {
        let value = match (super::wire::camel(name).as_ref(), value) {
            (_, Value::Null) | ("nullable" | "propertyOrdering" | "example", _) => continue,
            ("type", Value::String(word)) => match word.to_ascii_lowercase() {
                word if word == "type_unspecified" => continue,
                word => word.into(),
            },
            // The enum as an integer.
            ("type", Value::Number(number)) => {
                match number.as_u64().and_then(|n| TYPES.get(usize::try_from(n).ok()?)) {
                    Some(word) if !word.is_empty() => (*word).into(),
                    _ => continue,
                }
            }
            ("properties" | "defs", Value::Object(inner)) => {
                Value::Object(inner.iter().map(|(name, inner)| (name.clone(), to_json_schema(inner))).collect())
            }
            ("items" | "additionalProperties", inner) => to_json_schema(inner),
            ("anyOf", Value::Array(inner)) => inner.iter().map(to_json_schema).collect(),
            // 64-bit integers are strings in Google's JSON.
            (
                "minItems" | "maxItems" | "minProperties" | "maxProperties" | "minLength" | "maxLength",
                Value::String(n),
            ) => n.parse::<u64>().map_or_else(|_| value.clone(), Value::from),
            _ => value.clone(),
        };
        out.insert(super::wire::camel(name).into_owned(), value);
    }
    if fields.get("nullable") == Some(&Value::Bool(true)) {
        if let Some(kind @ Value::String(_)) = out.get_mut("type") {
            *kind = Value::Array(vec![kind.take(), "null".into()]);
        }
        if let Some(Value::Array(values)) = out.get_mut("enum") {
            values.push(Value::Null);
        }
    }
    Value::Object(out)
}

/// The types, by their number in the protocol buffer; 0 is none.
const TYPES: &[&str] = &["", "string", "number", "integer", "boolean", "array", "object", "null"];
