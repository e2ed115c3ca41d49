//! Tools in OpenAI's dialects, and the choice of them. Chat Completions puts what a function is into a field of its own,
//! Responses beside its type; what is no function is the dialect's alone.

use sabir_core::Feature;
use sabir_core::chat::{CacheMark, FunctionTool, Tool, ToolChoice};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::json::{Fields, List, Object, Wrong, value_of, write_json};
use crate::openai::{tagged, untagged};
use crate::shared::{self, Losses};

/// Reads a tool as Chat Completions has it.
pub(crate) fn read_nested(json: &RawValue, dialect: &str) -> Result<Tool, Wrong> {
    let mut fields = Fields::read(json, true)?;
    let is_own = fields.text("type")?.is_some_and(|kind| kind != "function");
    if is_own && fields.peek("function").is_none() {
        return Ok(Tool::Opaque { dialect: dialect.to_owned(), json: value_of(json)? });
    }
    let function = fields.inside("function", |function| read_function(function, dialect))?;
    let mut tool = function.ok_or_else(|| Wrong::new("function: is missing"))?;
    tool.cache = fields.understood("cache_control", read_mark);
    tool.meta.merge(fields.meta(dialect)?);
    Ok(Tool::Function(tool))
}

/// Reads what a function is.
pub(crate) fn read_function(fields: &mut Fields<'_>, dialect: &str) -> Result<FunctionTool, Wrong> {
    Ok(FunctionTool { strict: fields.get("strict")?, ..shared::read_function(fields, dialect)? })
}

/// A mark in Anthropic's style: `{"type": "ephemeral", "ttl": "5m"}`.
pub(crate) fn read_mark(json: &Value) -> Option<CacheMark> {
    let ttl = json.get("ttl").and_then(Value::as_str).map(str::to_owned);
    (json.get("type")? == "ephemeral").then_some(CacheMark { ttl })
}

/// Reads a tool as Responses has it.
pub(crate) fn read_flat(json: &RawValue, dialect: &str) -> Result<Tool, Wrong> {
    let mut fields = Fields::read(json, true)?;
    if fields.need("type")? != "function" {
        return Ok(Tool::Opaque { dialect: dialect.to_owned(), json: value_of(json)? });
    }
    // Some clients write functions as Chat Completions has them.
    if let Some(inner) = fields.object("function")? {
        fields.extend(inner);
    }
    Ok(Tool::Function(FunctionTool {
        name: fields.need("name")?.into_owned(),
        description: fields.string("description")?,
        parameters: fields.value("parameters")?,
        strict: fields.get("strict")?,
        cache: None,
        meta: fields.meta(dialect)?,
    }))
}

/// Writes tools as Responses has them.
pub(crate) fn write_flat(tools: &[Tool], dialect: &str, losses: &mut Losses) -> List {
    let mut list = List::default();
    for (at, tool) in tools.iter().enumerate() {
        let path = || format!("tools[{at}]");
        let function = match tool {
            Tool::Function(function) => function,
            Tool::Opaque { dialect: own, json } if own == dialect => {
                write_json(list.item(), json);
                continue;
            }
            _ => {
                losses.lose(Feature::Opaque, path(), "a tool of another dialect alone");
                continue;
            }
        };
        if function.cache.is_some() {
            losses.lose(Feature::CacheMarks, path(), "tools take no marks here");
        }
        let mut to = Object::with(list.item(), function.meta.of(dialect));
        to.field("type", "function").field("name", &function.name).some("description", function.description.as_ref());
        // OpenAI wants both to be there: null is its default.
        to.field("parameters", &function.parameters).field("strict", &function.strict);
        to.end();
    }
    list
}

/// The names of the custom tools, whose calls have other words.
pub(crate) fn custom_tools(tools: &[Tool], dialect: &str) -> Vec<String> {
    let name_of = |tool: &Tool| match tool {
        Tool::Opaque { dialect: own, json } if own == dialect && json["type"] == "custom" => {
            untagged(json, "custom")["name"].as_str().map(str::to_owned)
        }
        _ => None,
    };
    tools.iter().filter_map(name_of).collect()
}

/// A choice of tools; `None` for one that has no word in the vocabulary.
pub(crate) fn read_choice(json: &Value) -> Option<ToolChoice> {
    fn kind_of(json: &Value) -> Option<&str> {
        json.get("type").map_or(Some("function"), Value::as_str)
    }
    let name_of = |json: &Value| {
        let name = untagged(json, "function").get("name")?.as_str()?;
        (kind_of(json)? == "function").then(|| name.to_owned())
    };
    match json.as_str().or_else(|| kind_of(json))? {
        "auto" => Some(ToolChoice::Auto),
        "none" => Some(ToolChoice::None),
        // Some servers' word for it.
        "required" | "any" => Some(ToolChoice::Required),
        "function" => name_of(json).map(ToolChoice::Named),
        "allowed_tools" => {
            let allowed = untagged(json, "allowed_tools");
            let names = allowed.get("tools")?.as_array()?.iter().map(name_of).collect::<Option<_>>()?;
            Some(ToolChoice::Allowed { names, required: allowed.get("mode").is_some_and(|mode| mode == "required") })
        }
        _ => None,
    }
}

/// Writes a choice of tools.
pub(crate) fn write_choice(choice: &ToolChoice, is_nested: bool) -> Value {
    let named =
        |name: &String| tagged("function", Map::from_iter([("name".to_owned(), name.as_str().into())]), is_nested);
    match choice {
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Named(name) => named(name),
        ToolChoice::Allowed { names, required } => {
            let mode = if *required { "required" } else { "auto" };
            let tools: Vec<Value> = names.iter().map(named).collect();
            let fields = [("mode".to_owned(), mode.into()), ("tools".to_owned(), tools.into())];
            tagged("allowed_tools", Map::from_iter(fields), is_nested)
        }
        _ => "auto".into(),
    }
}
