//! Tools: parameters one by one here, a JSON Schema everywhere else.

use std::borrow::Cow;

use sabir_core::Feature;
use sabir_core::chat::{FunctionTool, Tool};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::NAME;
use crate::json::{Fields, List, Wrong, write_json};
use crate::shared::Losses;

/// Writes a tool.
pub(super) fn write_tool(at: usize, tool: &Tool, offered: Option<&[String]>, out: &mut List, losses: &mut Losses) {
    let path = format!("tools[{at}]");
    let function = match tool {
        Tool::Function(function) => function,
        Tool::Opaque { dialect, json } if dialect == NAME => return write_json(out.item(), json),
        _ => return losses.lose(Feature::Opaque, path, "a tool of another dialect alone"),
    };
    if losses.is_withheld(at, function, offered) {
        return;
    }
    let mut lose = |feature, note: &str| losses.lose(feature, &*path, note);
    if function.description.as_deref() == Some("") {
        lose(Feature::Tools, "a description without words is as none");
    }
    if function.cache.is_some() {
        lose(Feature::CacheMarks, "not in this dialect");
    }
    if function.strict == Some(true) {
        lose(Feature::StrictTools, "arguments cannot be held to a schema in this dialect");
    }
    let definitions = match (function.meta.get(NAME, "parameter_definitions"), &function.parameters) {
        (Some(own), _) => Some(own.clone()),
        (None, Some(schema)) => {
            let (definitions, is_whole) = definitions_of(schema);
            if !is_whole {
                lose(Feature::Tools, "of each parameter only type, description and whether it is required are sent");
            }
            Some(definitions)
        }
        (None, None) => None,
    };
    out.object(|to| {
        to.field("name", &function.name);
        to.field("description", function.description.as_deref().unwrap_or_default());
        to.some("parameter_definitions", definitions);
        to.meta(function.meta.of(NAME), &["name", "description", "parameter_definitions"]);
    });
}

/// Reads a tool.
pub(super) fn read_tool(json: &RawValue) -> Result<Tool, Wrong> {
    let mut fields = Fields::read(json, true)?;
    let mut tool = FunctionTool {
        name: fields.need("name")?.into_owned(),
        description: fields.string("description")?.filter(|description| !description.is_empty()),
        ..FunctionTool::default()
    };
    let definitions = fields.value("parameter_definitions")?;
    tool.meta = fields.meta(NAME)?;
    if let Some(definitions) = definitions {
        let Some(parameters) = definitions.as_object() else {
            return Err(Wrong::new("parameter_definitions: is not an object"));
        };
        let schema = schema_of(parameters);
        if definitions_of(&schema) != (definitions.clone(), true) {
            tool.meta.set(NAME, "parameter_definitions", definitions);
        }
        tool.parameters = Some(schema);
    }
    Ok(Tool::Function(tool))
}

/// What of a schema can be said parameter by parameter, and whether that is all of it.
fn definitions_of(schema: &Value) -> (Value, bool) {
    let nothing = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&nothing);
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut definitions = Map::new();
    for (name, property) in properties {
        let mut definition = Map::new();
        if let Some(description) = property["description"].as_str() {
            definition.insert("description".to_owned(), description.into());
        }
        definition.insert("type".to_owned(), python_type(property).into());
        definition.insert("required".to_owned(), required.contains(&name.as_str()).into());
        definitions.insert(name.clone(), definition.into());
    }
    let is_whole = schema_of(&definitions) == *schema;
    (definitions.into(), is_whole)
}

/// The schema that says what definitions say.
fn schema_of(definitions: &Map<String, Value>) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (name, definition) in definitions {
        let mut property = definition["type"].as_str().map(json_type).unwrap_or_default();
        if let Some(description) = definition["description"].as_str() {
            property.insert("description".to_owned(), description.into());
        }
        properties.insert(name.clone(), property.into());
        if definition["required"] == true {
            required.push(Value::from(name.clone()));
        }
    }
    let mut schema = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

/// A type in Python's words, as Cohere wants them.
fn python_type(property: &Value) -> Cow<'_, str> {
    match property["type"].as_str() {
        Some("integer") => "int".into(),
        Some("number") => "float".into(),
        Some("boolean") => "bool".into(),
        Some("object") => "dict".into(),
        Some("array") if property["items"].is_object() => format!("List[{}]", python_type(&property["items"])).into(),
        Some("array") => "list".into(),
        Some("string") | None => "str".into(),
        Some(other) => other.into(),
    }
}

/// A type in Python's words as a schema.
fn json_type(word: &str) -> Map<String, Value> {
    let lower = word.to_ascii_lowercase();
    let mut schema = Map::new();
    if let Some(items) = lower.strip_prefix("list[").and_then(|rest| rest.strip_suffix(']')) {
        schema.insert("type".to_owned(), "array".into());
        // One level is enough: what is deeper is kept as it came.
        schema.insert("items".to_owned(), json!({"type": plain_type(items)}));
    } else {
        schema.insert("type".to_owned(), plain_type(&lower).into());
    }
    schema
}

fn plain_type(word: &str) -> &'static str {
    match word {
        "int" | "integer" => "integer",
        "float" | "number" => "number",
        "bool" | "boolean" => "boolean",
        "dict" | "object" | "map" => "object",
        _ if word.starts_with("list") || word == "array" => "array",
        _ if word.starts_with("dict") => "object",
        _ => "string",
    }
}
