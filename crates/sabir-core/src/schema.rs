//! JSON Schemas, made to fit what a provider takes. Every provider takes a subset of its own; what had to go is told,
//! and is still true of the answer that is wanted.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// What a provider takes of JSON Schema. The default is all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SchemaRules {
    /// Every property must be required: those that are not become nullable instead.
    pub all_required: bool,
    /// Objects must say that they have no other properties.
    pub closed: bool,
    /// A definition must not lead back to itself.
    pub no_recursion: bool,
    /// `oneOf` and `allOf` are not known: the first goes as `anyOf`, the second only where it holds one schema.
    pub only_any_of: bool,
    /// The keywords that set bounds to values and are not taken.
    pub unknown: &'static [&'static str],
}

/// The keywords that only set bounds to values of the right type.
pub const BOUNDS: &[&str] = &[
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern",
    "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties",
];

/// A schema that fits.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// The schema as it can be sent.
    pub schema: Value,
    /// What it no longer says, by JSON pointer: `/properties/age/minimum`.
    pub dropped: Vec<String>,
}

impl SchemaRules {
    /// The schema as these rules take it; `None` where they take none like it: a recursive one, or one with an open
    /// set of properties where objects must be closed.
    pub fn fit(&self, schema: &Value) -> Option<Fitted> {
        if self.no_recursion && is_recursive(schema) {
            return None;
        }
        let mut fitting = Fitting { rules: self, dropped: Vec::new(), is_open: false };
        let schema = fitting.schema(schema, "");
        (!fitting.is_open).then_some(Fitted { schema, dropped: fitting.dropped })
    }
}

struct Fitting<'r> {
    rules: &'r SchemaRules,
    dropped: Vec<String>,
    is_open: bool,
}

impl Fitting<'_> {
    fn schema(&mut self, schema: &Value, at: &str) -> Value {
        let Value::Object(fields) = schema else { return schema.clone() };
        let mut out = Map::new();
        let mut bounds = Vec::new();
        for (key, value) in fields {
            let path = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
            match key.as_str() {
                // What the schema was made with says nothing of the value.
                "$schema" => {}
                // One word out of one.
                "const" if self.rules.unknown.contains(&"const") => {
                    out.insert("enum".into(), Value::Array(vec![value.clone()]));
                }
                _ if self.rules.unknown.contains(&key.as_str()) => {
                    bounds.push(format!("{key}: {value}"));
                    self.dropped.push(path);
                }
                "oneOf" | "allOf" if self.rules.only_any_of => self.combined(key, value, &path, &mut out),
                "properties" | "$defs" | "definitions" | "patternProperties" => {
                    out.insert(key.clone(), self.each_field(value, &path));
                }
                "anyOf" | "oneOf" | "allOf" | "prefixItems" => {
                    out.insert(key.clone(), self.each_item(value, &path));
                }
                "items" | "not" | "contains" | "additionalProperties" => {
                    out.insert(key.clone(), self.schema(value, &path));
                }
                _ => {
                    out.insert(key.clone(), value.clone());
                }
            }
        }
        // In words, what cannot be said in keywords: the model reads descriptions.
        if !bounds.is_empty() {
            let said = out.get("description").and_then(Value::as_str).map(|text| format!("{text} "));
            out.insert("description".into(), format!("{}({})", said.unwrap_or_default(), bounds.join(", ")).into());
        }
        self.object(fields, &mut out);
        Value::Object(out)
    }

    /// What objects have to say of their properties.
    fn object(&mut self, fields: &Map<String, Value>, out: &mut Map<String, Value>) {
        let is_object = fields.get("type").is_some_and(|kind| kind == "object") || fields.contains_key("properties");
        if !is_object {
            return;
        }
        if self.rules.closed {
            let is_map = fields.get("additionalProperties").is_some_and(|other| !matches!(other, Value::Bool(_)));
            self.is_open |= is_map || (!fields.contains_key("properties") && !fields.contains_key("$ref"));
            out.insert("additionalProperties".into(), false.into());
        }
        if self.rules.all_required
            && let Some(Value::Object(properties)) = out.get_mut("properties")
        {
            let required: BTreeSet<&str> = fields
                .get("required")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            for (_, property) in properties.iter_mut().filter(|(name, _)| !required.contains(name.as_str())) {
                *property = nullable(property);
            }
            let all: Vec<Value> = properties.keys().map(|name| name.clone().into()).collect();
            out.insert("required".into(), all.into());
        }
    }

    fn combined(&mut self, key: &str, value: &Value, path: &str, out: &mut Map<String, Value>) {
        let schemas = value.as_array().map_or(&[][..], Vec::as_slice);
        match (key, schemas) {
            ("oneOf", _) => {
                let any = self.each_item(value, path);
                out.insert("anyOf".into(), any);
            }
            ("allOf", [one]) => {
                let one = self.schema(one, &format!("{path}/0"));
                for (key, value) in one.as_object().into_iter().flatten() {
                    out.entry(key).or_insert_with(|| value.clone());
                }
            }
            _ => self.dropped.push(path.to_owned()),
        }
    }

    fn each_field(&mut self, value: &Value, path: &str) -> Value {
        let Value::Object(fields) = value else { return value.clone() };
        let fitted = fields.iter().map(|(name, schema)| (name.clone(), self.schema(schema, &format!("{path}/{name}"))));
        Value::Object(fitted.collect())
    }

    fn each_item(&mut self, value: &Value, path: &str) -> Value {
        let Value::Array(items) = value else { return value.clone() };
        let fitted = items.iter().enumerate().map(|(n, schema)| self.schema(schema, &format!("{path}/{n}")));
        Value::Array(fitted.collect())
    }
}

/// The schema, or null.
fn nullable(schema: &Value) -> Value {
    let nothing = json!({"type": "null"});
    let mut schema = schema.clone();
    let is_bare = schema.get("enum").is_none() && schema.get("const").is_none();
    match schema.get_mut("type") {
        Some(Value::String(kind)) if kind == "null" => return schema,
        Some(kind @ Value::String(_)) if is_bare => {
            *kind = json!([kind, "null"]);
            return schema;
        }
        Some(Value::Array(kinds)) if is_bare => {
            if !kinds.iter().any(|kind| kind == "null") {
                kinds.push("null".into());
            }
            return schema;
        }
        _ => {}
    }
    if let Some(Value::Array(any)) = schema.get_mut("anyOf") {
        if !any.contains(&nothing) {
            any.push(nothing);
        }
        return schema;
    }
    json!({"anyOf": [schema, nothing]})
}

/// Whether a definition leads back to itself, or to the whole.
pub fn is_recursive(schema: &Value) -> bool {
    fn walk(root: &Value, schema: &Value, inside: &mut Vec<String>) -> bool {
        match schema {
            Value::Object(fields) => {
                if let Some(Value::String(target)) = fields.get("$ref") {
                    if target == "#" || inside.contains(target) {
                        return true;
                    }
                    let defined = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
                    inside.push(target.clone());
                    let leads_back = defined.is_some_and(|defined| walk(root, defined, inside));
                    inside.pop();
                    if leads_back {
                        return true;
                    }
                }
                let used = fields.iter().filter(|(key, _)| !matches!(key.as_str(), "$defs" | "definitions"));
                used.into_iter().any(|(_, field)| walk(root, field, inside))
            }
            Value::Array(items) => items.iter().any(|item| walk(root, item, inside)),
            _ => false,
        }
    }
    walk(schema, schema, &mut Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: SchemaRules = SchemaRules {
        all_required: true,
        closed: true,
        no_recursion: false,
        only_any_of: true,
        unknown: &["minLength"],
    };

    #[test]
    fn optional_properties_become_nullable_and_bounds_become_words() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "name": {"type": "string", "minLength": 2, "description": "Who."},
                "age": {"type": "integer", "minimum": 0},
                "kind": {"enum": ["a", "b"], "type": "string"},
                "pet": {"oneOf": [{"type": "string"}, {"$ref": "#/$defs/Pet"}]},
                "home": {"allOf": [{"$ref": "#/$defs/Pet"}], "description": "Where."}
            },
            "required": ["name"],
            "$defs": {"Pet": {"type": "object", "properties": {"legs": {"type": ["integer", "null"]}}}}
        });
        let fitted = STRICT.fit(&schema).expect("it fits");
        assert_eq!(
            fitted.schema,
            json!({
                "type": "object",
                "properties": {
                    "name": {"type": "string", "description": "Who. (minLength: 2)"},
                    "age": {"type": ["integer", "null"], "minimum": 0},
                    "kind": {"anyOf": [{"enum": ["a", "b"], "type": "string"}, {"type": "null"}]},
                    "pet": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Pet"}, {"type": "null"}]},
                    "home": {"anyOf": [{"$ref": "#/$defs/Pet", "description": "Where."}, {"type": "null"}]}
                },
                "required": ["name", "age", "kind", "pet", "home"],
                "$defs": {"Pet": {
                    "type": "object",
                    "properties": {"legs": {"type": ["integer", "null"]}},
                    "additionalProperties": false,
                    "required": ["legs"]
                }},
                "additionalProperties": false
            })
        );
        assert_eq!(fitted.dropped, ["/properties/name/minLength"]);
        assert_eq!(STRICT.fit(&fitted.schema).expect("it fits").schema, fitted.schema, "once is enough");
    }

    #[test]
    fn a_constant_is_a_choice_of_one() {
        let rules = SchemaRules { unknown: &["const"], ..SchemaRules::default() };
        let fitted = rules.fit(&json!({"type": "string", "const": "circle"})).expect("it fits");
        assert_eq!((fitted.schema, fitted.dropped.len()), (json!({"type": "string", "enum": ["circle"]}), 0));
    }

    #[test]
    fn what_cannot_be_taken_is_not_bent() {
        let tree = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        assert!(is_recursive(&tree) && STRICT.fit(&tree).is_some());
        let rules = SchemaRules { no_recursion: true, ..SchemaRules::default() };
        assert_eq!(rules.fit(&tree), None);
        let through = json!({"$ref": "#/$defs/A", "$defs": {"A": {"items": {"$ref": "#/$defs/A"}}, "B": {}}});
        assert_eq!(rules.fit(&through), None);
        let twice = json!({"items": [{"$ref": "#/$defs/B"}, {"$ref": "#/$defs/B"}], "$defs": {"B": {}}});
        assert!(!is_recursive(&twice), "used twice is not recursive");
        let map = json!({"type": "object", "additionalProperties": {"type": "string"}});
        assert_eq!(STRICT.fit(&map), None, "a map has no list of its properties");
        assert_eq!(SchemaRules::default().fit(&map).expect("it fits").schema, map);
    }
}
