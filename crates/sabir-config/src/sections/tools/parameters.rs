use serde_json::{Map, Value as Json, json};

use crate::field::{Kind, Setting};
use crate::node::{Key, Node, Value};
use crate::scope::Scope;

/// The arguments of a tool, as a JSON Schema of type `object`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters(pub Json);

impl Parameters {
    /// Whether there is an argument of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0["properties"].get(name).is_some()
    }
}

impl Default for Parameters {
    /// No arguments.
    fn default() -> Self {
        Self(json!({ "type": "object", "properties": {} }))
    }
}

impl Setting for Parameters {
    const KIND: Kind = Kind::Parameters;
    const OPTIONAL: bool = true;

    fn read(node: Option<&Node>, scope: &mut Scope<'_>) -> Option<Self> {
        let Some(node) = node else { return Some(Self::default()) };
        let Some(entries) = node.table() else {
            scope.expected(node, "arguments by name", "{ city = \"string: The city\" }");
            return None;
        };
        let has =
            |name: &str, fits: fn(&Node) -> bool| entries.iter().any(|(key, node)| key.name == name && fits(node));
        // `type = "object"` alone could be an argument called `type`; that it is called so and has no type is a fault.
        if has("type", |node| node.text() == Some("object")) || has("properties", |node| node.table().is_some()) {
            return whole(node, scope);
        }
        let mut properties = Map::new();
        let mut required = Vec::new();
        for (key, node) in entries {
            let (schema, is_required) = argument(key, node, scope)?;
            properties.insert(key.name.clone(), schema);
            required.extend(is_required.then(|| Json::from(key.name.as_str())));
        }
        Some(Self(json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })))
    }
}

/// A JSON Schema as it stands.
fn whole(node: &Node, scope: &mut Scope<'_>) -> Option<Parameters> {
    let mut schema = node.schema();
    if let Some(object) = schema.as_object_mut() {
        object.entry("type").or_insert_with(|| "object".into());
        object.entry("properties").or_insert_with(|| json!({}));
    }
    if schema["type"] != "object" || !schema["properties"].is_object() {
        scope.fault(&node.source, "must be a JSON Schema of type object, with properties");
        return None;
    }
    Some(Parameters(schema))
}

/// `"integer?: How many"`, or a JSON Schema of this argument.
fn argument(key: &Key, node: &Node, scope: &mut Scope<'_>) -> Option<(Json, bool)> {
    if node.table().is_some() {
        return Some((node.schema(), true));
    }
    let text = match &node.value {
        Value::Text(text) => text.as_str(),
        _ => "",
    };
    let (kind, about) = text.split_once(':').map_or((text, ""), |(kind, about)| (kind, about.trim()));
    let (kind, is_required) = kind.trim().strip_suffix('?').map_or((kind.trim(), true), |kind| (kind, false));
    let (kind, is_list) = kind.strip_suffix("[]").map_or((kind, false), |kind| (kind, true));
    let one = match kind {
        "string" | "integer" | "number" | "boolean" => json!({ "type": kind }),
        words if words.contains('|') && words.split('|').all(|word| !word.trim().is_empty()) => {
            json!({ "type": "string", "enum": words.split('|').map(str::trim).collect::<Vec<_>>() })
        }
        _ => {
            let types = "string, integer, number, boolean or words to choose from (a|b)";
            let message = format!("{} must say its type first ({types}), not {}", key.name, node.what());
            scope.fault(&node.source, message);
            return None;
        }
    };
    let mut schema = if is_list { json!({ "type": "array", "items": one }) } else { one };
    if !about.is_empty() {
        schema["description"] = about.into();
    }
    Some((schema, is_required))
}

impl Node {
    /// As JSON, numbers as they were written.
    fn schema(&self) -> Json {
        match &self.value {
            Value::Number(text) => {
                text.parse::<serde_json::Number>().map_or_else(|_| text.as_str().into(), Json::Number)
            }
            Value::List(items) => items.iter().map(Node::schema).collect(),
            Value::Table(entries) => {
                entries.iter().map(|(key, node)| (key.name.clone(), node.schema())).collect::<Map<_, _>>().into()
            }
            _ => self.json(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, Loader};

    fn parameters(written: &str) -> Json {
        let text = format!("[tools.t]\ndescription = \"d\"\ncommand = \"c\"\nparameters = {written}\n");
        let config = Loader::new().text("sabir.toml", text, Format::Toml).load().expect(written);
        config.tools["t"].parameters.0.clone()
    }

    #[test]
    fn the_short_form_is_a_schema() {
        let short = r#"{ city = "string: The city: a name", days = "integer?", unit = "c | f?: Unit", tags = "string[]",
            box = { type = "array", minItems = 4, items = { type = "number", minimum = -1.5 } } }"#;
        let expected = json!({
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "The city: a name"},
                "days": {"type": "integer"},
                "unit": {"type": "string", "enum": ["c", "f"], "description": "Unit"},
                "tags": {"type": "array", "items": {"type": "string"}},
                "box": {"type": "array", "minItems": 4, "items": {"type": "number", "minimum": -1.5}},
            },
            "required": ["city", "tags", "box"],
            "additionalProperties": false,
        });
        assert_eq!(parameters(&short.replace('\n', " ")), expected);
        assert_eq!(parameters("{}")["properties"], json!({}));
    }

    #[test]
    fn a_schema_stays_as_it_is() {
        let whole = r#"{ type = "object", properties = { a = { type = "string" } }, required = ["a"] }"#;
        let expected = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]});
        assert_eq!(parameters(whole), expected);
    }
}
