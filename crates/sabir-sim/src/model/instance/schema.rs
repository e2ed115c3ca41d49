//! Reading a schema. Where several schemas apply to one value (`$ref`, `allOf`, the chosen branch of `anyOf`), they
//! are its facets: each word is taken from the first that has it, and nothing is copied.

use serde_json::{Map, Value};

/// The most schemas that are looked at for one value; also ends references in a circle.
const FACETS: usize = 64;

/// The document in which `$ref` points.
#[derive(Clone, Copy)]
pub(super) struct Root<'a>(pub(super) &'a Value);

/// All schemas that apply to one value.
pub(super) struct Facets<'a>(Vec<&'a Map<String, Value>>);

impl<'a> Root<'a> {
    /// What applies to a value of this schema; `small` where the smallest branch is to be chosen.
    pub(super) fn facets(self, schema: &'a Value, small: bool) -> Facets<'a> {
        let mut facets = Vec::new();
        let mut waiting = vec![schema];
        while let Some(schema) = waiting.pop() {
            let Value::Object(schema) = schema else { continue };
            if facets.len() == FACETS {
                break;
            }
            facets.push(schema);
            if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|to| self.at(to)) {
                waiting.push(target);
            }
            for list in ["anyOf", "oneOf"] {
                waiting.extend(schema.get(list).and_then(Value::as_array).and_then(|branches| choose(branches, small)));
            }
            if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
                waiting.extend(all.iter().take(FACETS).rev());
            }
        }
        Facets(facets)
    }

    /// The target of a reference within the document: `#`, `#/$defs/name` (RFC 6901).
    fn at(self, reference: &str) -> Option<&'a Value> {
        let pointer = reference.strip_prefix('#')?;
        self.0.pointer(pointer).or_else(|| self.0.pointer(&pointer.replace("%20", " ").replace("%25", "%")))
    }
}

/// The first branch that says something; the smallest where depth asks for it.
fn choose(branches: &[Value], small: bool) -> Option<&Value> {
    let is_null = |branch: &&Value| branch.get("type").and_then(Value::as_str) == Some("null");
    let is_small = |branch: &&Value| {
        let kind = branch.get("type").and_then(Value::as_str).unwrap_or_default();
        matches!(kind, "null" | "boolean" | "integer" | "number" | "string") || branch.get("const").is_some()
    };
    let preferred = if small { branches.iter().find(is_small) } else { branches.iter().find(|b| !is_null(b)) };
    preferred.or(branches.first())
}

impl<'a> Facets<'a> {
    /// A word's value.
    pub(super) fn get(&self, word: &str) -> Option<&'a Value> {
        self.0.iter().find_map(|facet| facet.get(word))
    }

    /// A word's value as a number.
    pub(super) fn number(&self, word: &str) -> Option<f64> {
        self.get(word).and_then(Value::as_f64).filter(|n| n.is_finite())
    }

    /// A word's value as a count.
    pub(super) fn count(&self, word: &str) -> Option<u64> {
        self.get(word).and_then(Value::as_u64)
    }

    /// The type: as said, or by the words that only one type has.
    pub(super) fn kind(&self) -> &'a str {
        let said = match self.get("type") {
            Some(Value::String(kind)) => Some(kind.as_str()),
            Some(Value::Array(kinds)) => {
                let mut kinds = kinds.iter().filter_map(Value::as_str);
                kinds.clone().find(|kind| *kind != "null").or_else(|| kinds.next())
            }
            _ => None,
        };
        let has = |words: &[&str]| words.iter().any(|word| self.get(word).is_some());
        said.unwrap_or_else(|| {
            if has(&["properties", "required", "additionalProperties"]) {
                "object"
            } else if has(&["items", "prefixItems", "minItems"]) {
                "array"
            } else if has(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]) {
                "number"
            } else {
                "string"
            }
        })
    }

    /// The properties that must be there.
    pub(super) fn required(&self) -> Vec<&'a str> {
        let lists = self.0.iter().filter_map(|facet| facet.get("required")?.as_array());
        lists.flatten().filter_map(Value::as_str).take(super::NODES).collect()
    }

    /// All properties that are described.
    pub(super) fn property_names(&self) -> Vec<&'a str> {
        let maps = self.0.iter().filter_map(|facet| facet.get("properties")?.as_object());
        maps.flat_map(Map::keys).map(String::as_str).take(super::NODES).collect()
    }

    /// The schema of a property.
    pub(super) fn property(&self, name: &str) -> Option<&'a Value> {
        let described = self.0.iter().find_map(|facet| facet.get("properties")?.get(name));
        described.or_else(|| self.get("additionalProperties").filter(|schema| schema.is_object()))
    }

    /// The schemas of an array's first items, in both forms that drafts have for them.
    pub(super) fn heads(&self) -> &'a [Value] {
        let list = self.get("prefixItems").or_else(|| self.get("items")).and_then(Value::as_array);
        list.map(Vec::as_slice).unwrap_or_default()
    }
}
