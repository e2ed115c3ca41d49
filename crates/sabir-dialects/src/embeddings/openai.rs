//! `OpenAI`'s format, and that of all who follow it (`Mistral`, `Voyage`, `Perplexity`, vLLM, llama.cpp …).

use bytes::Bytes;
use http::StatusCode;
use sabir_core::chat::{Cost, Usage};
use sabir_core::dialect::{Answer, Asked, Encoded, Responded};
use sabir_core::embed::{EmbedInput, EmbedPurpose, EmbedRequest, EmbedResponse};
use sabir_core::{Endpoint, Error, ErrorKind, Exchange, Feature, Loss, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::exchange::{Object, Shape, Taken, count, foreign, invalid, read, responded, wrong};
use super::vector::{Base64, Vector};
use super::{cannot_embed, model, purpose_loss, texts, word};

/// The format's name.
const NAME: &str = "openai-embeddings";

/// `OpenAI`'s embeddings (`POST /embeddings`).
///
/// Quirks that a row may name: `embed_path`, the path behind the base URL (`/embeddings`); `embed_encoding`, what
/// to set `encoding_format` to (nothing is set); `dimensions_field`, the field for the length of vectors
/// (`dimensions`; `output_dimension` at Mistral and Voyage); `purpose`, how to say what vectors are for: `none`,
/// `input_type` (`query`, `document`: Voyage), `input_type_passage` (`query`, `passage`: NVIDIA) or `task` (Jina).
#[derive(Clone, Copy, Debug)]
pub struct OpenAiEmbeddings;

impl Exchange for OpenAiEmbeddings {
    type Request = EmbedRequest;
    type Response = EmbedResponse;

    fn name(&self) -> &'static str {
        NAME
    }

    fn paths(&self) -> &'static [&'static str] {
        &["/v1/embeddings", "/embeddings"]
    }

    fn quirks(&self) -> &'static [&'static str] {
        &["embed_path", "embed_encoding", "dimensions_field", "purpose"]
    }

    fn encode(&self, request: &EmbedRequest, endpoint: &Endpoint) -> Result<Encoded> {
        let quirk = |name| endpoint.quirks.get(name);
        let mut losses = foreign(&request.options, NAME);
        let mut body = Object::new(request.options.of(NAME));
        body.field("model", &request.model);
        match &*request.inputs {
            [] => return Err(invalid("inputs is empty")),
            [EmbedInput::Tokens(_), ..] => body.field("input", &tokens(&request.inputs)?),
            inputs => body.field("input", &texts(inputs, NAME)?),
        };
        match quirk("dimensions_field") {
            Some("output_dimension") => body.maybe("output_dimension", request.dimensions.as_ref()),
            _ => body.maybe("dimensions", request.dimensions.as_ref()),
        };
        body.maybe("encoding_format", quirk("embed_encoding"));
        body.maybe("user", request.user.as_ref());
        if let Some(purpose) = &request.purpose {
            match said(purpose, quirk("purpose").unwrap_or("none")) {
                Some((field, word)) => {
                    body.field(field, word);
                }
                None => losses.push(purpose_loss("this provider is not told what vectors are for")),
            }
        }
        let uri = endpoint.url(quirk("embed_path").unwrap_or("/embeddings"))?;
        Ok(Encoded::post_json(uri, body.end(&[]), losses))
    }

    fn decode(&self, answer: Answer<'_>) -> Result<EmbedResponse> {
        let wire: Wire = read(&answer)?;
        let mut response = super::answer(ordered(wire.data)?);
        response.id = wire.id.unwrap_or_default();
        response.model = wire.model.unwrap_or_default();
        response.usage = usage(&wire.usage);
        response.cost = cost(&wire.usage["cost"]);
        Ok(response)
    }

    fn accept(&self, asked: Asked<'_>) -> Result<EmbedRequest> {
        let mut body = Taken::body(asked.body)?;
        let mut request = EmbedRequest {
            model: body.required("model")?,
            inputs: inputs(body.take("input").ok_or_else(|| invalid("input is missing"))?)?,
            user: body.text("user")?,
            dimensions: body.count("dimensions")?,
            ..EmbedRequest::default()
        };
        if let Some(dimensions) = body.count("output_dimension")? {
            request.dimensions = Some(dimensions);
        }
        for field in ["input_type", "task"] {
            if let Some(said) = body.text(field)? {
                request.purpose = Some(understood(&said));
            }
        }
        request.options = body.rest(NAME);
        Ok(request)
    }

    fn respond(&self, response: &EmbedResponse, request: &EmbedRequest) -> Responded {
        let mut losses = Vec::new();
        let mut body = Object::new(None);
        body.field("object", "list");
        match word(&request.options, NAME, "encoding_format") {
            Some("base64") => body.field("data", &rows(&response.vectors, Base64)),
            format => {
                if format.is_some_and(|format| format != "float") {
                    let path = format!("options.{NAME}.encoding_format");
                    losses.push(Loss::new(Feature::Options, path, "written as lists of floats"));
                }
                body.field("data", &rows(&response.vectors, |vector| vector))
            }
        };
        body.field("model", model(response, request));
        let input = response.usage.input_total();
        if input.is_none() {
            losses.push(Loss::new(Feature::Usage, "usage.input", "unknown, and written as 0"));
        }
        let (input, output) = (input.unwrap_or(0), response.usage.output_total());
        let mut usage = Object::new(None);
        usage.field("prompt_tokens", &input);
        usage.maybe("completion_tokens", output.as_ref());
        usage.field("total_tokens", &input.saturating_add(output.unwrap_or(0)));
        body.raw("usage", &usage.end(&[]));
        if !response.id.is_empty() {
            body.field("id", &response.id);
        }
        responded(body.end(&[]), losses)
    }

    fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
        Shape::OpenAi.refuse(error)
    }
}

/// The lists of token ids that the inputs are, which are not mixed with texts.
fn tokens<'a>(inputs: &'a [EmbedInput]) -> Result<Vec<&'a [u32]>> {
    let tokens = |(at, input): (usize, &'a EmbedInput)| match input {
        EmbedInput::Tokens(tokens) => Ok(tokens.as_slice()),
        other => Err(cannot_embed(at, other, NAME)),
    };
    inputs.iter().enumerate().map(tokens).collect()
}

/// How a purpose is said: field and word.
fn said<'a>(purpose: &'a EmbedPurpose, way: &str) -> Option<(&'static str, &'a str)> {
    let field = match way {
        "input_type" | "input_type_passage" => "input_type",
        "task" => "task",
        _ => return None,
    };
    let word = match (purpose, way) {
        (EmbedPurpose::Other(word), _) => word,
        (EmbedPurpose::Query, "task") => "retrieval.query",
        (EmbedPurpose::Document, "task") => "retrieval.passage",
        (EmbedPurpose::Classification, "task") => "classification",
        (EmbedPurpose::Clustering, "task") => "separation",
        (EmbedPurpose::Similarity, "task") => "text-matching",
        (EmbedPurpose::Query, _) => "query",
        (EmbedPurpose::Document, "input_type_passage") => "passage",
        (EmbedPurpose::Document, _) => "document",
        _ => return None,
    };
    Some((field, word))
}

/// A purpose in any of the words that are said for it.
fn understood(word: &str) -> EmbedPurpose {
    match word {
        "retrieval.query" => EmbedPurpose::Query,
        "retrieval.passage" | "passage" => EmbedPurpose::Document,
        "separation" => EmbedPurpose::Clustering,
        "text-matching" => EmbedPurpose::Similarity,
        word => EmbedPurpose::from(word),
    }
}

/// The inputs that `input` holds: a text, texts, token ids, or lists of token ids.
fn inputs(input: Value) -> Result<Vec<EmbedInput>> {
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    let ids = |items: &[Value]| items.iter().map(id).collect::<Option<Vec<u32>>>();
    match input {
        Value::String(text) => Ok(vec![EmbedInput::Text(text)]),
        Value::Array(items) if items.first().is_some_and(Value::is_number) => {
            let ids = ids(&items).ok_or_else(|| wrong("input", "token ids"))?;
            Ok(vec![EmbedInput::Tokens(ids)])
        }
        Value::Array(items) => {
            let one = |(at, item): (usize, Value)| match item {
                Value::String(text) => Ok(EmbedInput::Text(text)),
                Value::Array(items) => {
                    let ids = ids(&items).ok_or_else(|| wrong(&format!("input[{at}]"), "token ids"))?;
                    Ok(EmbedInput::Tokens(ids))
                }
                _ => Err(wrong(&format!("input[{at}]"), "a text or token ids")),
            };
            items.into_iter().enumerate().map(one).collect()
        }
        _ => Err(wrong("input", "a text or a list")),
    }
}

#[derive(Deserialize)]
struct Wire {
    id: Option<String>,
    data: Vec<RowIn>,
    model: Option<String>,
    #[serde(default)]
    usage: Value,
}

#[derive(Deserialize)]
struct RowIn {
    index: Option<u64>,
    embedding: Vector,
}

#[derive(Serialize)]
struct Row<T> {
    object: &'static str,
    index: usize,
    embedding: T,
}

fn rows<'a, T>(vectors: &'a [Vec<f32>], embedding: impl Fn(&'a [f32]) -> T) -> Vec<Row<T>> {
    let row = |(index, vector): (usize, &'a Vec<f32>)| Row { object: "embedding", index, embedding: embedding(vector) };
    vectors.iter().enumerate().map(row).collect()
}

/// The vectors in the order of their indexes. Where no row has an index, or every one the first (some routers do
/// that), they stand in the order of the inputs already.
fn ordered(rows: Vec<RowIn>) -> Result<Vec<Vec<f32>>> {
    if rows.iter().all(|row| row.index.unwrap_or(0) == 0) {
        return Ok(rows.into_iter().map(|row| row.embedding.0).collect());
    }
    let mut places: Vec<Option<Vec<f32>>> = rows.iter().map(|_| None).collect();
    for row in rows {
        let place = row.index.and_then(|at| places.get_mut(usize::try_from(at).ok()?));
        let Some(place @ None) = place else {
            let message =
                "the vectors' indexes are not those of the inputs: one is missing, out of range or twice there";
            return Err(Error::new(ErrorKind::Decode, message));
        };
        *place = Some(row.embedding.0);
    }
    Ok(places.into_iter().flatten().collect())
}

fn usage(wire: &Value) -> Usage {
    let mut usage = Usage::default();
    usage.cache_read = count(wire.pointer("/prompt_tokens_details/cached_tokens"));
    usage.image_input = count(wire.pointer("/prompt_tokens_details/image_tokens"));
    let output = count(wire.get("completion_tokens"));
    // Voyage gives the total alone.
    let total = count(wire.get("total_tokens")).map(|total| total.saturating_sub(output.unwrap_or(0)));
    usage.input_from_total(count(wire.get("prompt_tokens")).or(total));
    usage.output = output;
    usage
}

/// What routers say that a call cost, in dollars: `OpenRouter` a number, `Perplexity` an object.
fn cost(wire: &Value) -> Option<Cost> {
    let dollars = wire.get("total_cost").unwrap_or(wire);
    Cost::reported(&dollars.as_number()?.to_string())
}
