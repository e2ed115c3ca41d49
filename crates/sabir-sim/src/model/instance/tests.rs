use serde_json::{Value, json};

use super::instance;

/// Whether a value satisfies a schema: by the words that these tests use, and by no code of the generator's.
#[expect(clippy::cast_precision_loss, reason = "sizes here are small")]
fn satisfies(root: &Value, schema: &Value, value: &Value) -> bool {
    let Value::Object(words) = schema else {
        return schema != &Value::Bool(false);
    };
    let size = |value: &Value| match value {
        Value::String(text) => text.chars().count() as f64,
        Value::Array(items) => items.len() as f64,
        other => other.as_f64().unwrap_or(f64::NAN),
    };
    let is = |kind: &str| match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other}"),
    };
    words.iter().all(|(word, told)| match word.as_str() {
        "type" => {
            told.as_str().is_some_and(is)
                || told.as_array().is_some_and(|all| all.iter().filter_map(Value::as_str).any(is))
        }
        "const" => value == told,
        "enum" => told.as_array().unwrap().contains(value),
        "minimum" | "minLength" | "minItems" if words.get("exclusiveMinimum") == Some(&json!(true)) => {
            size(value) > size(told)
        }
        "minimum" | "minLength" | "minItems" => size(value) >= size(told),
        "maximum" | "maxLength" | "maxItems" => size(value) <= size(told),
        "exclusiveMinimum" => told.is_boolean() || size(value) > size(told),
        "exclusiveMaximum" => size(value) < size(told),
        "multipleOf" => (size(value) / size(told)).fract().abs() < 1e-9,
        "required" => told.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()),
        "properties" => {
            told.as_object().unwrap().iter().all(|(name, sub)| value.get(name).is_none_or(|v| satisfies(root, sub, v)))
        }
        "additionalProperties" if told == &Value::Bool(false) => {
            value.as_object().is_none_or(|object| object.keys().all(|name| words["properties"].get(name).is_some()))
        }
        "prefixItems" => {
            told.as_array().unwrap().iter().zip(value.as_array().unwrap()).all(|(sub, v)| satisfies(root, sub, v))
        }
        "items" if words.contains_key("prefixItems") => true,
        "items" => value.as_array().is_none_or(|all| all.iter().all(|v| satisfies(root, told, v))),
        "uniqueItems" => {
            let items = value.as_array().unwrap();
            items.iter().enumerate().all(|(at, item)| !items[..at].contains(item))
        }
        "$ref" => satisfies(root, root.pointer(told.as_str().unwrap().trim_start_matches('#')).unwrap(), value),
        "allOf" => told.as_array().unwrap().iter().all(|sub| satisfies(root, sub, value)),
        "anyOf" | "oneOf" => told.as_array().unwrap().iter().any(|sub| satisfies(root, sub, value)),
        _ => true,
    })
}

#[test]
fn an_instance_satisfies_its_schema() {
    let schemas = json!([
        {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 3}},
         "required": ["city", "days"], "additionalProperties": false},
        {"type": "object", "properties": {"a": {"enum": ["x", "y"]}, "b": {"const": 7}}},
        {"type": "object", "required": ["undescribed"]},
        {"type": "integer", "minimum": 5, "multipleOf": 4},
        {"type": "integer", "maximum": -3},
        {"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 3},
        {"type": "integer", "minimum": 1, "exclusiveMinimum": true},
        {"type": "number", "minimum": 0, "maximum": 0.5},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        {"type": "number", "multipleOf": 0.25, "minimum": 10.1},
        {"type": "string", "minLength": 40},
        {"type": "string", "maxLength": 3},
        {"type": "string", "minLength": 2, "maxLength": 2},
        {"type": ["null", "string"]},
        {"type": "null"},
        {"type": "boolean"},
        {"type": "array", "items": {"type": "string"}, "minItems": 3, "uniqueItems": true},
        {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 10}, "minItems": 4, "uniqueItems": true},
        {"type": "array", "items": {"enum": ["r", "g", "b"]}, "minItems": 3, "uniqueItems": true},
        {"type": "array", "items": {"type": "string", "format": "date"}, "minItems": 2, "uniqueItems": true},
        {"type": "array", "items": {"type": "object"}, "maxItems": 0},
        {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false},
        {"type": "array", "items": false},
        {"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
                   {"properties": {"b": {"type": "boolean"}}, "required": ["b"]}]},
        {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}]},
        {"$ref": "#/$defs/pair", "$defs": {"pair": {"type": "object", "required": ["l"], "properties": {"l": {"$ref": "#/$defs/leaf"}}},
                                           "leaf": {"type": "string"}}},
        // A list that links to itself ends where the schema lets it.
        {"type": "object", "properties": {"value": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
         "required": ["value", "next"], "additionalProperties": false},
        {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#"}}}, "required": ["children"]},
    ]);
    for schema in schemas.as_array().unwrap() {
        let value = instance(schema);
        assert!(satisfies(schema, schema, &value), "{schema}\n{value}");
    }
}

#[test]
fn the_schemas_own_values_come_first() {
    assert_eq!(instance(&json!({"const": 3, "enum": [4]})), json!(3));
    assert_eq!(instance(&json!({"enum": ["b", "a"], "default": "a"})), json!("b"));
    assert_eq!(instance(&json!({"type": "string", "default": "metric", "examples": ["x"]})), json!("metric"));
    assert_eq!(instance(&json!({"type": "string", "examples": ["Paris", "Oslo"]})), json!("Paris"));
    assert_eq!(instance(&json!({"type": "string", "format": "ipv4"})), json!("192.0.2.1"));
    assert_eq!(instance(&json!({"properties": {"city": {}}})), json!({"city": "simulated city"}));
    assert_eq!(
        instance(&json!({"type": "object", "properties": {"a": {"type": "null"}, "b": true}, "required": ["b"]})),
        json!({"b": "simulated b"})
    );
}

#[test]
fn hostile_schemas_make_small_instances() {
    let six = json!(["a", "b", "c", "d", "e", "f"]);
    let many: serde_json::Map<String, Value> =
        "abcdef".chars().map(|c| (c.to_string(), json!({"$ref": "#"}))).collect();
    let large = "x".repeat(100_000);
    let hostile = [
        json!({"$ref": "#"}),
        json!({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}),
        json!({"type": "object", "properties": many, "required": six}),
        json!({"type": "array", "items": {"$ref": "#"}, "minItems": u64::MAX}),
        json!({"type": "array", "items": {"type": "string", "minLength": u64::MAX}, "minItems": 1e30}),
        json!({"type": "array", "minItems": 64, "items": {"type": "array", "minItems": 64, "items": {"default": large}}}),
        json!({"type": "integer", "minimum": 1e308, "maximum": -1e308, "multipleOf": 1e-300}),
        json!({"type": 7, "enum": {}, "required": "x", "properties": [], "items": 3, "anyOf": {}, "$ref": 5}),
        json!({"$ref": "#/nowhere"}),
        json!({"$ref": "https://example.com/schema"}),
        json!({"anyOf": []}),
        json!([1]),
        json!(false),
    ];
    for schema in hostile {
        let size = instance(&schema).to_string().len();
        assert!(size < 300_000, "{size} bytes");
    }
}
