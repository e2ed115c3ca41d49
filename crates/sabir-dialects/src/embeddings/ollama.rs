//! `Ollama`'s format, and the older one that took a single prompt.

use bytes::Bytes;
use http::StatusCode;
use sabir_core::dialect::{Answer, Asked, Encoded, Responded};
use sabir_core::embed::{EmbedInput, EmbedRequest, EmbedResponse};
use sabir_core::{Endpoint, Error, Exchange, Result};
use serde::Deserialize;
use serde_json::Value;

use super::super::exchange::{
    Object, Shape, Taken, count, invalid, lacking, missing, read, responded, text, unsupported, unversioned, wrong,
};
use super::vector::Vector;
use super::{losses, model, purpose_loss, texts, word};

/// The format's name.
const NAME: &str = "ollama-embed";
/// The option that says which of the two formats is spoken, and its word for the older one.
const METHOD: &str = "method";
const OLD: &str = "embeddings";

/// Ollama's embeddings (`POST /api/embed`). With the option `method` = `embeddings` the older form, which takes one
/// text (`POST /api/embeddings`).
#[derive(Clone, Copy, Debug)]
pub struct OllamaEmbed;

impl Exchange for OllamaEmbed {
    type Request = EmbedRequest;
    type Response = EmbedResponse;

    fn name(&self) -> &'static str {
        NAME
    }

    fn paths(&self) -> &'static [&'static str] {
        &["/api/embed", "/api/embeddings"]
    }

    fn encode(&self, request: &EmbedRequest, endpoint: &Endpoint) -> Result<Encoded> {
        let mut losses = losses(request, NAME);
        if request.purpose.is_some() {
            losses.push(purpose_loss("not in this format"));
        }
        let texts = texts(&request.inputs, NAME)?;
        let mut body = Object::new(request.options.of(NAME));
        body.field("model", &request.model);
        let path = if word(&request.options, NAME, METHOD) == Some(OLD) {
            let [prompt] = *texts else {
                return Err(unsupported("the older form of this format takes one text"));
            };
            body.field("prompt", prompt);
            "/api/embeddings"
        } else {
            match *texts {
                [] => return Err(invalid("inputs is empty")),
                [text] => body.field("input", text),
                _ => body.field("input", &texts),
            };
            "/api/embed"
        };
        body.maybe("dimensions", request.dimensions.as_ref());
        Ok(Encoded::post_json(unversioned(endpoint, path)?, body.end(&[METHOD]), losses))
    }

    fn decode(&self, answer: Answer<'_>) -> Result<EmbedResponse> {
        let wire: Wire = read(&answer)?;
        let vectors = match (wire.embeddings, wire.embedding) {
            (Some(vectors), _) => vectors,
            (None, Some(vector)) => vec![vector],
            (None, None) => return Err(lacking(answer.body, "embeddings")),
        };
        let mut response = super::answer(vectors.into_iter().map(|vector| vector.0).collect());
        response.model = wire.model.unwrap_or_default();
        response.usage.input = count(wire.prompt_eval_count.as_ref());
        Ok(response)
    }

    fn accept(&self, asked: Asked<'_>) -> Result<EmbedRequest> {
        let mut body = Taken::body(asked.body)?;
        let mut request = EmbedRequest {
            model: body.required("model")?,
            dimensions: body.count("dimensions")?,
            ..EmbedRequest::default()
        };
        let old = asked.path.split('?').next().is_some_and(|path| path.ends_with(OLD)) || body.has("prompt");
        request.inputs = if old {
            vec![EmbedInput::Text(body.required("prompt")?)]
        } else {
            match body.take("input").ok_or_else(|| missing("input"))? {
                Value::Array(items) => {
                    let one = |(at, item)| text(item, &format!("input[{at}]")).map(EmbedInput::Text);
                    items.into_iter().enumerate().map(one).collect::<Result<_>>()?
                }
                Value::String(text) => vec![EmbedInput::Text(text)],
                _ => return Err(wrong("input", "a text or a list of texts")),
            }
        };
        request.options = body.rest(NAME);
        if old {
            request.options.set(NAME, METHOD, OLD.into());
        }
        Ok(request)
    }

    fn respond(&self, response: &EmbedResponse, request: &EmbedRequest) -> Responded {
        let mut body = Object::new(None);
        if word(&request.options, NAME, METHOD) == Some(OLD) {
            body.field("embedding", response.vectors.first().map_or(&[][..], Vec::as_slice));
        } else {
            body.field("model", model(response, request));
            body.field("embeddings", &response.vectors);
            body.maybe("prompt_eval_count", response.usage.input_total().as_ref());
        }
        responded(body.end(&[]), Vec::new())
    }

    fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
        Shape::Ollama.refuse(error)
    }
}

#[derive(Deserialize)]
struct Wire {
    model: Option<String>,
    embeddings: Option<Vec<Vector>>,
    embedding: Option<Vector>,
    prompt_eval_count: Option<Value>,
}
