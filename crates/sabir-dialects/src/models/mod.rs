//! The formats in which providers list their models, and tell what they know of one.

mod anthropic;
mod cohere;
mod date;
mod gemini;
mod ollama;
mod openai;

use sabir_core::chat::Meta;
use sabir_core::dialect::Answer;
use sabir_core::exchange::Listing;
use sabir_core::models::{ModelInfo, ModelsRequest, ModelsResponse};
use sabir_core::{Error, ErrorKind, Feature, Loss, Result};
use serde_json::{Map, Value};

use super::exchange::{count, lacking, read, unescaped};

pub use anthropic::AnthropicModels;
pub use cohere::CohereModels;
pub use gemini::GeminiModels;
pub use ollama::OllamaTags;
pub use openai::OpenAiModels;

/// The formats for lists of models.
pub fn all() -> &'static [&'static Listing] {
    &[&OpenAiModels, &AnthropicModels, &GeminiModels, &CohereModels, &OllamaTags]
}

type Row = Map<String, Value>;

/// Reads a list: its rows (under `name`, or the body itself where that is a list), and the fields around them. What has
/// a model's name (in one of the fields `ids`) and no list is that model's row.
fn rows(answer: &Answer<'_>, name: &str, ids: &[&str]) -> Result<(Vec<Row>, Row)> {
    let (rows, around) = match read::<Value>(answer)? {
        Value::Array(rows) => (Some(rows), Map::new()),
        Value::Object(mut fields) => match fields.shift_remove(name) {
            Some(Value::Array(rows)) => (Some(rows), fields),
            // A server without models.
            Some(Value::Null) => (Some(Vec::new()), fields),
            Some(one @ Value::Object(_)) => (Some(vec![one]), fields),
            None if is_model(&fields, ids) => (Some(vec![Value::Object(fields)]), Map::new()),
            _ => (None, fields),
        },
        _ => (None, Map::new()),
    };
    let rows = rows.ok_or_else(|| lacking(answer.body, name))?;
    let row = |row| match row {
        Value::Object(fields) => Ok(fields),
        _ => Err(Error::new(ErrorKind::Decode, format!("a row of {name} is no object"))),
    };
    Ok((rows.into_iter().map(row).collect::<Result<_>>()?, around))
}

fn is_model(fields: &Row, ids: &[&str]) -> bool {
    !fields.contains_key("error") && ids.iter().any(|name| fields.get(*name).is_some_and(Value::is_string))
}

/// The model that a path of the form `…/models/MODEL` names; `None` for the list.
fn named(path: &str) -> Option<String> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let (_, model) = path.split_once("/models/")?;
    // In a path, a plus is no space.
    let model = unescaped(&model.trim_end_matches('/').replace('+', "%2B")).into_owned();
    Some(model).filter(|model| !model.is_empty())
}

/// The body of an answer: the one row that was asked for, or the list that `around` makes of all.
fn body(rows: Vec<Value>, request: &ModelsRequest, around: impl FnOnce(Vec<Value>) -> Value) -> String {
    let one = || rows.first().cloned().unwrap_or_else(|| Value::Object(Map::new()));
    if request.model.is_some() { one().to_string() } else { around(rows).to_string() }
}

/// A model made of the first of these fields that is a text. What is left of the row goes to its `meta`.
fn model(row: &mut Row, names: &[&str]) -> Result<ModelInfo> {
    let id = names.iter().find_map(|name| taken_text(row, name));
    let mut model = ModelInfo::default();
    model.id = id.ok_or_else(|| Error::new(ErrorKind::Decode, "a model in the list has no name"))?;
    Ok(model)
}

/// Takes a text that is not empty.
fn taken_text(row: &mut Row, name: &str) -> Option<String> {
    let is_text = row.get(name)?.as_str().is_some_and(|text| !text.is_empty());
    match row.shift_remove(name).filter(|_| is_text) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// Takes a counter. One of zero says nothing: services write it where they do not know.
fn taken_count(row: &mut Row, name: &str) -> Option<u64> {
    let number = count(row.get(name))?;
    row.shift_remove(name);
    Some(number).filter(|number| *number > 0)
}

/// What is left of a row, under a format's name.
fn rest(row: Row, format: &str) -> Meta {
    let mut meta = Meta::default();
    for (name, value) in row.into_iter().filter(|(_, value)| !value.is_null()) {
        meta.set(format, name, value);
    }
    meta
}

/// The rows as they go: each made by `write`, with what the format alone says of the model behind it.
fn written(response: &ModelsResponse, format: &str, write: impl Fn(&ModelInfo, &mut Row)) -> (Vec<Value>, Vec<Loss>) {
    let row = |model: &ModelInfo| {
        let mut row = Map::new();
        write(model, &mut row);
        for (name, value) in model.meta.of(format).into_iter().flatten() {
            row.entry(name).or_insert_with(|| value.clone());
        }
        Value::Object(row)
    };
    let mut losses = Vec::new();
    if response.models.iter().any(|model| model.meta.dialects().any(|dialect| dialect != format)) {
        losses.push(Loss::new(Feature::ModelFacts, "models[].meta", "facts of another format"));
    }
    (response.models.iter().map(row).collect(), losses)
}

/// The loss of a fact that a format has no field for, once for the whole list.
fn unsaid(losses: &mut Vec<Loss>, response: &ModelsResponse, name: &str, known: impl Fn(&ModelInfo) -> bool) {
    if response.models.iter().any(known) {
        losses.push(Loss::new(Feature::ModelFacts, format!("models[].{name}"), "no field in this format"));
    }
}

/// The loss of the next page, in a format whose lists have one page.
fn unpaged(losses: &mut Vec<Loss>, response: &ModelsResponse) {
    if response.next_page.is_some() {
        losses.push(Loss::new(Feature::ModelFacts, "next_page", "lists of this format have one page"));
    }
}

#[cfg(test)]
mod tests;
