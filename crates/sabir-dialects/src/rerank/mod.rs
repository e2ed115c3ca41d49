//! The formats in which documents are put in order: Cohere's, and the one that Jina, Voyage, vLLM and llama.cpp share.

mod cohere;
mod jina;

use std::collections::HashSet;

use sabir_core::dialect::Answer;
use sabir_core::exchange::Reranking;
use sabir_core::rerank::{Ranked, RerankRequest, RerankResponse};
use sabir_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::exchange::{Taken, count, lacking, read, text, unsupported, wrong};

pub use cohere::CohereRerank;
pub use jina::JinaRerank;

/// The formats for orders of documents.
pub fn all() -> &'static [&'static Reranking] {
    &[&CohereRerank, &JinaRerank]
}

/// The option by which a client wants the documents back beside their places.
const RETURN: &str = "return_documents";

#[derive(Deserialize)]
struct Wire {
    id: Option<String>,
    model: Option<String>,
    results: Option<Vec<Row>>,
    /// Voyage's word for the results.
    data: Option<Vec<Row>>,
    #[serde(default)]
    usage: Value,
    #[serde(default)]
    meta: Value,
}

#[derive(Deserialize)]
struct Row {
    index: u32,
    #[serde(alias = "score")]
    relevance_score: f64,
}

/// Reads an answer of any of the formats, which differ in the names of few fields.
fn decode(answer: Answer<'_>) -> Result<RerankResponse> {
    let wire: Wire = read(&answer)?;
    let rows = wire.results.or(wire.data).ok_or_else(|| lacking(answer.body, "results"))?;
    let mut seen = HashSet::new();
    if !rows.iter().all(|row| seen.insert(row.index)) {
        return Err(Error::new(ErrorKind::Decode, "the answer ranks a document twice"));
    }
    let mut response = RerankResponse::default();
    response.id = wire.id.unwrap_or_default();
    response.model = wire.model.unwrap_or_default();
    let ranked = rows.into_iter().map(|row| Ranked { index: row.index, score: row.relevance_score });
    response.ranking = ranked.collect();
    response.ranking.sort_by(|a, b| b.score.total_cmp(&a.score));
    let (usage, meta) = (&wire.usage, &wire.meta);
    let units = |name: &str| {
        let tokens = count(meta.pointer(&format!("/tokens/{name}")));
        tokens.or_else(|| count(meta.pointer(&format!("/billed_units/{name}"))))
    };
    let input = count(usage.get("prompt_tokens")).or_else(|| count(usage.get("total_tokens")));
    response.usage.input = input.or_else(|| units("input_tokens"));
    response.usage.output = units("output_tokens");
    let searches = units("search_units").map(|n| ("search_units".to_owned(), n));
    response.usage.tools.extend(searches);
    Ok(response)
}

/// Takes the documents out of a request: texts, or objects of which `fields` count, else `text`, else all.
fn documents(body: &mut Taken, fields: Option<&[String]>) -> Result<Vec<String>> {
    let items = body.list("documents")?.ok_or_else(|| wrong("documents", "a list"))?;
    let one = |(at, item)| document(item, fields, &format!("documents[{at}]"));
    items.into_iter().enumerate().map(one).collect()
}

fn document(item: Value, fields: Option<&[String]>, path: &str) -> Result<String> {
    let Value::Object(mut object) = item else {
        return text(item, path);
    };
    if fields.is_none()
        && let Some(Value::String(text)) = object.shift_remove("text")
    {
        return Ok(text);
    }
    // As Cohere advises to write structured documents: YAML, a line a field.
    let counts = |name: &str| fields.is_none_or(|fields| fields.iter().any(|field| field == name));
    let mut lines = Vec::new();
    for (name, value) in object.iter().filter(|(name, _)| counts(name)) {
        match value {
            Value::String(value) => lines.push(format!("{name}: {value}")),
            Value::Number(_) | Value::Bool(_) => lines.push(format!("{name}: {value}")),
            _ => return Err(unsupported(format!("{path}: only texts can be ordered"))),
        }
    }
    Ok(lines.join("\n"))
}

#[derive(Serialize)]
struct RowOut<'a> {
    index: u32,
    relevance_score: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<Text<'a>>,
}

#[derive(Serialize)]
struct Text<'a> {
    text: &'a str,
}

/// The places as they go, with the documents where the client wants them back.
fn rows<'a>(response: &RerankResponse, request: &'a RerankRequest, format: &str) -> Vec<RowOut<'a>> {
    let with_documents = request.options.get(format, RETURN).is_some_and(|wanted| wanted == true);
    let row = |place: &Ranked| RowOut {
        index: place.index,
        relevance_score: place.score,
        document: usize::try_from(place.index)
            .ok()
            .filter(|_| with_documents)
            .and_then(|at| request.documents.get(at))
            .map(|text| Text { text }),
    };
    response.ranking.iter().map(row).collect()
}

#[cfg(test)]
mod tests;
