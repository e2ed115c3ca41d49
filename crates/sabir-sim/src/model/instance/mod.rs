//! An instance of a JSON Schema: arguments of simulated calls, and answers by a schema.

mod number;
mod schema;
mod string;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use schema::{Facets, Root};

/// The most nodes of an instance, so that no schema makes a large one. Values that the schema gives count by size.
const NODES: usize = 2_000;
/// From this depth on the smallest choice is taken.
const DEEP: usize = 6;
/// Deeper than this, everything is null.
const DEEPEST: usize = 32;
/// The most items that an array is given.
const ITEMS: u64 = 64;

/// An instance of a schema. The same schema gives the same instance.
///
/// In order: `const`, the first of `enum`, `default`, the first of `examples`, then a value by `type` within its
/// bounds (`minimum`, `multipleOf`, `minLength`, `format`, `minItems`, `uniqueItems` and their kin). Objects get what
/// is required, or all properties where nothing is. `$ref` within the schema, `allOf`, `anyOf` and `oneOf` are
/// followed. Not looked at: `pattern`, `not`, `if`, `dependentRequired`, `patternProperties`.
pub fn instance(schema: &Value) -> Value {
    let mut walk = Walk { root: Root(schema), left: NODES };
    walk.value(schema, Place { name: "value", depth: 0, number: 0 })
}

/// Where in the instance a value goes.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The property that it belongs to.
    name: &'a str,
    depth: usize,
    /// Its number in an array of different items, from 0.
    number: u64,
}

struct Walk<'a> {
    root: Root<'a>,
    left: usize,
}

impl<'a> Walk<'a> {
    fn value(&mut self, schema: &'a Value, place: Place<'a>) -> Value {
        if self.left == 0 {
            return Value::Null;
        }
        self.left -= 1;
        if place.depth > DEEPEST {
            return Value::Null;
        }
        let facets = self.root.facets(schema, place.depth >= DEEP);
        if let Some(given) = given(&facets, place.number) {
            return self.copied(given);
        }
        match facets.kind() {
            "null" => Value::Null,
            "boolean" => Value::Bool(place.number.is_multiple_of(2)),
            "integer" => number::within(&facets, true, place.number),
            "number" => number::within(&facets, false, place.number),
            "array" => self.array(&facets, place),
            "object" => self.object(&facets, place.depth),
            _ => Value::String(string::within(&facets, place.name, place.number)),
        }
    }

    fn object(&mut self, facets: &Facets<'a>, depth: usize) -> Value {
        let required = facets.required();
        let wanted = if required.is_empty() && depth < DEEP { facets.property_names() } else { required };
        let mut object = Map::new();
        for name in wanted {
            if self.left == 0 {
                break;
            }
            let schema = facets.property(name).unwrap_or(&Value::Bool(true));
            let place = Place { name, depth: depth + 1, number: 0 };
            object.insert(name.to_owned(), self.value(schema, place));
        }
        Value::Object(object)
    }

    fn array(&mut self, facets: &Facets<'a>, place: Place<'a>) -> Value {
        let heads = facets.heads();
        let rest = facets.get("items").filter(|items| !items.is_array());
        let least = facets.count("minItems").unwrap_or(0);
        let most = facets.count("maxItems").unwrap_or(ITEMS).min(ITEMS);
        let usual = if heads.is_empty() {
            u64::from(place.depth < DEEP && rest != Some(&Value::Bool(false)))
        } else {
            heads.len() as u64
        };
        let items = (0..usual.max(least).min(most)).zip(heads.iter().map(Some).chain(std::iter::repeat(None)));
        let mut array = Vec::new();
        for (number, head) in items {
            if self.left == 0 {
                break;
            }
            let schema = head.or(rest).unwrap_or(&Value::Bool(true));
            array.push(self.value(schema, Place { name: place.name, depth: place.depth + 1, number }));
        }
        Value::Array(array)
    }

    /// A value of the schema's own, if it is not larger than what is left to give.
    fn copied(&mut self, value: &Value) -> Value {
        let size =
            if value.is_object() || value.is_array() || value.is_string() { value.to_string().len() / 32 } else { 0 };
        self.left = self.left.saturating_sub(size);
        if self.left == 0 && size > 0 { Value::Null } else { value.clone() }
    }
}

/// A value that the schema itself gives; for a later item of an array, another one where there are several.
fn given<'a>(facets: &Facets<'a>, number: u64) -> Option<&'a Value> {
    if let Some(value) = facets.get("const") {
        return Some(value);
    }
    let nth = |list: &'a Vec<Value>| {
        let at = usize::try_from(number).unwrap_or(usize::MAX) % list.len().max(1);
        list.get(at)
    };
    if let Some(value) = facets.get("enum").and_then(Value::as_array).and_then(nth) {
        return Some(value);
    }
    if let Some(value) = facets.get("default").filter(|_| number == 0) {
        return Some(value);
    }
    let examples = facets.get("examples").and_then(Value::as_array)?;
    examples.get(usize::try_from(number).ok()?)
}
