//! `Gemini`'s format: many contents at once, or one.

use bytes::Bytes;
use http::StatusCode;
use sabir_core::chat::{Media, Source, to_base64};
use sabir_core::dialect::{Answer, Asked, Encoded, Responded};
use sabir_core::embed::{EmbedInput, EmbedPurpose, EmbedRequest, EmbedResponse};
use sabir_core::{Endpoint, Error, Exchange, Result};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::exchange::{
    Object, Shape, Taken, count, invalid, lacking, percent, read, responded, unescaped, unsupported, versioned,
};
use super::vector::Vector;
use super::{cannot_embed, losses, purpose_loss, word};
use crate::google_model::bare;

/// The format's name.
const NAME: &str = "gemini-embed";
/// The option that says which of the two methods is called, and its word for one content at a time.
const METHOD: &str = "method";
const SINGLE: &str = "embedContent";

/// Gemini's embeddings (`POST /models/MODEL:batchEmbedContents`). With the option `method` = `embedContent` the
/// method for one content. Other options stand in each of the batch's requests.
#[derive(Clone, Copy, Debug)]
pub struct GeminiEmbed;

impl Exchange for GeminiEmbed {
    type Request = EmbedRequest;
    type Response = EmbedResponse;

    fn name(&self) -> &'static str {
        NAME
    }

    fn paths(&self) -> &'static [&'static str] {
        &[":embedContent", ":batchEmbedContents"]
    }

    fn encode(&self, request: &EmbedRequest, endpoint: &Endpoint) -> Result<Encoded> {
        let mut losses = losses(request, NAME);
        let purpose = request.purpose.as_ref().and_then(|purpose| {
            let said = said(purpose);
            if said.is_none() {
                losses.push(purpose_loss("Gemini has no word for it"));
            }
            said
        });
        let model =
            if request.model.contains('/') { request.model.clone() } else { format!("models/{}", request.model) };
        let one = |(at, input)| {
            let mut body = Object::new(request.options.of(NAME));
            body.field("model", &model);
            body.field("content", &json!({"parts": [part(at, input)?]}));
            body.maybe("taskType", purpose);
            body.maybe("outputDimensionality", request.dimensions.as_ref());
            Ok(body.end(&[METHOD]))
        };
        let mut bodies = request.inputs.iter().enumerate().map(one).collect::<Result<Vec<_>>>()?;
        let path = percent(&model);
        let (path, body) = if word(&request.options, NAME, METHOD) == Some(SINGLE) {
            let (Some(body), true) = (bodies.pop(), bodies.is_empty()) else {
                return Err(unsupported("embedContent takes one input"));
            };
            (format!("/{path}:embedContent"), body)
        } else {
            if bodies.is_empty() {
                return Err(invalid("inputs is empty"));
            }
            let body = [&b"{\"requests\":["[..], &bodies.join(&b","[..]), b"]}"].concat();
            (format!("/{path}:batchEmbedContents"), body)
        };
        Ok(Encoded::post_json(versioned(endpoint, "v1beta", &path)?, body, losses))
    }

    fn decode(&self, answer: Answer<'_>) -> Result<EmbedResponse> {
        let wire: Wire = read(&answer)?;
        let predicted = |predictions: Vec<Prediction>| predictions.into_iter().map(|p| p.embeddings).collect();
        let vectors: Option<Vec<Values>> =
            wire.embeddings.or(wire.embedding.map(|one| vec![one])).or(wire.predictions.map(predicted));
        let vectors = vectors.ok_or_else(|| lacking(answer.body, "embeddings"))?;
        // Vertex counts each text apart.
        let counts = vectors.iter().map(|v| count(v.statistics.get("token_count")));
        let counted = counts.collect::<Option<Vec<_>>>().filter(|counts| !counts.is_empty());
        let counted = counted.and_then(|counts| counts.into_iter().try_fold(0_u64, u64::checked_add));
        let mut response = super::answer(vectors.into_iter().map(|v| v.values.0).collect());
        let usage = &wire.usage;
        let details = ["promptTokensDetails", "promptTokenDetails"].iter().find_map(|name| usage[*name].as_array());
        let images = details.and_then(|d| d.iter().find(|part| part["modality"] == "IMAGE"));
        response.usage.image_input = images.and_then(|part| count(part.get("tokenCount")));
        response.usage.input_from_total(count(usage.get("promptTokenCount")).or(counted));
        Ok(response)
    }

    fn accept(&self, asked: Asked<'_>) -> Result<EmbedRequest> {
        let path = asked.path.split('?').next().unwrap_or_default();
        let single = path.ends_with(SINGLE);
        let mut body = Taken::body(asked.body)?;
        let mut request = EmbedRequest::default();
        let items = match body.list("requests")? {
            Some(items) => items,
            None if single || body.has("content") => vec![Value::Object(body.left())],
            None => return Err(invalid("requests is missing")),
        };
        let mut shared: Option<Shared> = None;
        for (at, item) in items.into_iter().enumerate() {
            let (input, own) = one(item, &if single { String::new() } else { format!("requests[{at}].") })?;
            request.inputs.push(input);
            match &shared {
                None => shared = Some(own),
                Some(first) if *first == own => {}
                Some(_) => {
                    let message =
                        format!("requests[{at}] differs from the first in more than its content; send it by itself");
                    return Err(unsupported(message));
                }
            }
        }
        let shared = shared.ok_or_else(|| invalid("requests is empty"))?;
        request.purpose = shared.purpose.as_deref().map(understood);
        request.dimensions = shared.dimensions;
        request.model = shared.model.or_else(|| in_path(path)).ok_or_else(|| invalid("model is missing"))?;
        for (name, value) in shared.options {
            request.options.set(NAME, name, value);
        }
        if single {
            request.options.set(NAME, METHOD, SINGLE.into());
        }
        Ok(request)
    }

    fn respond(&self, response: &EmbedResponse, request: &EmbedRequest) -> Responded {
        #[derive(serde::Serialize)]
        struct Row<'a> {
            values: &'a [f32],
        }
        let mut rows = response.vectors.iter().map(|values| Row { values });
        let mut body = Object::new(None);
        if word(&request.options, NAME, METHOD) == Some(SINGLE) {
            body.field("embedding", &rows.next().unwrap_or(Row { values: &[] }));
        } else {
            body.field("embeddings", &rows.collect::<Vec<_>>());
        }
        if let Some(input) = response.usage.input_total() {
            body.field("usageMetadata", &json!({"promptTokenCount": input}));
        }
        responded(body.end(&[]), Vec::new())
    }

    fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
        Shape::Gemini.refuse(error)
    }
}

/// The words that Gemini has for what it has and we have not.
const OWN_WORDS: [&str; 3] = ["QUESTION_ANSWERING", "FACT_VERIFICATION", "CODE_RETRIEVAL_QUERY"];

fn said(purpose: &EmbedPurpose) -> Option<&str> {
    match purpose {
        EmbedPurpose::Document => Some("RETRIEVAL_DOCUMENT"),
        EmbedPurpose::Query => Some("RETRIEVAL_QUERY"),
        EmbedPurpose::Classification => Some("CLASSIFICATION"),
        EmbedPurpose::Clustering => Some("CLUSTERING"),
        EmbedPurpose::Similarity => Some("SEMANTIC_SIMILARITY"),
        EmbedPurpose::Other(word) if OWN_WORDS.contains(&word.as_str()) => Some(word),
        _ => None,
    }
}

fn understood(word: &str) -> EmbedPurpose {
    match word {
        "RETRIEVAL_DOCUMENT" => EmbedPurpose::Document,
        "RETRIEVAL_QUERY" => EmbedPurpose::Query,
        "CLASSIFICATION" => EmbedPurpose::Classification,
        "CLUSTERING" => EmbedPurpose::Clustering,
        "SEMANTIC_SIMILARITY" => EmbedPurpose::Similarity,
        word => EmbedPurpose::Other(word.to_owned()),
    }
}

fn part(at: usize, input: &EmbedInput) -> Result<Value> {
    match input {
        EmbedInput::Text(text) => Ok(json!({"text": text})),
        EmbedInput::Image(Media { source, mime }) => match (source, mime) {
            (Source::Bytes(bytes), Some(mime)) => {
                Ok(json!({"inlineData": {"mimeType": mime, "data": to_base64(bytes)}}))
            }
            (Source::Url(uri) | Source::FileId(uri), Some(mime)) => {
                Ok(json!({"fileData": {"mimeType": mime, "fileUri": uri}}))
            }
            (Source::Url(uri) | Source::FileId(uri), None) => Ok(json!({"fileData": {"fileUri": uri}})),
            _ => Err(unsupported(format!("inputs[{at}]: Gemini has to know what kind of image it is"))),
        },
        other => Err(cannot_embed(at, other, NAME)),
    }
}

/// What all requests of a batch have in common: a request of ours has room for one of each.
#[derive(PartialEq)]
struct Shared {
    model: Option<String>,
    purpose: Option<String>,
    dimensions: Option<u32>,
    options: Map<String, Value>,
}

/// One request of a batch. The service takes both spellings of a name.
fn one(item: Value, path: &str) -> Result<(EmbedInput, Shared)> {
    let mut item = Taken::object(item, path.trim_end_matches('.'))?;
    let content = item.take("content").ok_or_else(|| invalid(format!("{path}content is missing")))?;
    let mut content = Taken::object(content, &format!("{path}content"))?;
    let mut inputs = Vec::new();
    for part in content.list("parts")?.into_iter().flatten() {
        inputs.push(input(part, &format!("{path}content.parts[{}]", inputs.len()))?);
    }
    let purpose = item.text("taskType")?.or(item.text("task_type")?);
    let dimensions = item.count("outputDimensionality")?.or(item.count("output_dimensionality")?);
    let shared = Shared {
        model: item.text("model")?.map(|model| bare(&model).to_owned()),
        purpose: purpose.filter(|word| word != "TASK_TYPE_UNSPECIFIED"),
        dimensions,
        options: item.left(),
    };
    Ok((joined(inputs, path)?, shared))
}

/// Parts of one content make one vector; texts can be joined to one.
fn joined(mut inputs: Vec<EmbedInput>, path: &str) -> Result<EmbedInput> {
    if inputs.len() < 2 {
        return inputs.pop().ok_or_else(|| invalid(format!("{path}content.parts is empty")));
    }
    let text = |input| match input {
        EmbedInput::Text(text) => Ok(text),
        _ => Err(unsupported(format!("{path}content mixes texts and media, which cannot be carried"))),
    };
    let texts = inputs.into_iter().map(text).collect::<Result<Vec<_>>>()?;
    Ok(EmbedInput::Text(texts.join("\n")))
}

fn input(part: Value, path: &str) -> Result<EmbedInput> {
    let mut part = Taken::object(part, path)?;
    if let Some(text) = part.text("text")? {
        return Ok(EmbedInput::Text(text));
    }
    if let Some(data) = part.take("inlineData").or_else(|| part.take("inline_data")) {
        let mut data = Taken::object(data, path)?;
        let mime = data.text("mimeType")?.or(data.text("mime_type")?);
        return Media::base64(&data.required("data")?, mime.as_deref()).map(EmbedInput::Image);
    }
    if let Some(data) = part.take("fileData").or_else(|| part.take("file_data")) {
        let mut data = Taken::object(data, path)?;
        let uri = data.text("fileUri")?.or(data.text("file_uri")?);
        let mut media = Media::url(uri.ok_or_else(|| invalid(format!("{path}.fileData.fileUri is missing")))?);
        media.mime = data.text("mimeType")?.or(data.text("mime_type")?);
        return Ok(EmbedInput::Image(media));
    }
    Err(invalid(format!("{path} must be a text, inlineData or fileData")))
}

/// A model's name as it stands in a path: `models/gemini-embedding-001:batchEmbedContents`.
fn in_path(path: &str) -> Option<String> {
    let (path, _) = path.rsplit_once(':')?;
    let (_, name) = path.rsplit_once("models/")?;
    Some(unescaped(name).into_owned()).filter(|name| !name.is_empty())
}

#[derive(Deserialize)]
struct Wire {
    embedding: Option<Values>,
    embeddings: Option<Vec<Values>>,
    /// What Vertex's older method answers.
    predictions: Option<Vec<Prediction>>,
    #[serde(default, rename = "usageMetadata")]
    usage: Value,
}

#[derive(Deserialize)]
struct Prediction {
    embeddings: Values,
}

#[derive(Deserialize)]
struct Values {
    values: Vector,
    #[serde(default)]
    statistics: Value,
}
