//! Jina's format, which Voyage, `SiliconFlow`, Together, vLLM and llama.cpp speak with few words changed.

use bytes::Bytes;
use http::StatusCode;
use sabir_core::dialect::{Answer, Asked, Encoded, Responded};
use sabir_core::rerank::{RerankRequest, RerankResponse};
use sabir_core::{Endpoint, Error, Exchange, Feature, Loss, Result};
use serde_json::Value;

use super::super::exchange::{Object, Shape, Taken, foreign, responded};
use super::{documents, rows};

/// The format's name.
const NAME: &str = "jina-rerank";
/// The option that says whose words are used, and its word for Voyage's.
const STYLE: &str = "style";
const VOYAGE: &str = "voyage";

/// Jina's rerank (`POST /rerank`). The option `style` = `voyage` asks with `top_k` and answers with `data`.
///
/// Quirks that a row may name: `rerank_path`, the path behind the base URL (`/rerank`); `rerank_style`, as the option.
#[derive(Clone, Copy, Debug)]
pub struct JinaRerank;

impl Exchange for JinaRerank {
    type Request = RerankRequest;
    type Response = RerankResponse;

    fn name(&self) -> &'static str {
        NAME
    }

    fn paths(&self) -> &'static [&'static str] {
        &["/v1/rerank", "/rerank"]
    }

    fn quirks(&self) -> &'static [&'static str] {
        &["rerank_path", "rerank_style"]
    }

    fn encode(&self, request: &RerankRequest, endpoint: &Endpoint) -> Result<Encoded> {
        let quirk = |name| endpoint.quirks.get(name);
        let mut body = Object::new(request.options.of(NAME));
        body.field("model", &request.model);
        body.field("query", &request.query);
        body.field("documents", &request.documents);
        let style = style(request).or(quirk("rerank_style"));
        let top = if style == Some(VOYAGE) { "top_k" } else { "top_n" };
        body.maybe(top, request.top_n.as_ref());
        let uri = endpoint.url(quirk("rerank_path").unwrap_or("/rerank"))?;
        let losses = foreign(&request.options, NAME);
        Ok(Encoded::post_json(uri, body.end(&[STYLE]), losses))
    }

    fn decode(&self, answer: Answer<'_>) -> Result<RerankResponse> {
        super::decode(answer)
    }

    fn accept(&self, asked: Asked<'_>) -> Result<RerankRequest> {
        let mut body = Taken::body(asked.body)?;
        // Only Voyage has these two.
        let voyage = body.has("top_k") || body.has("truncation");
        let mut request = RerankRequest {
            model: body.required("model")?,
            query: body.required("query")?,
            top_n: body.count("top_n")?.or(body.count("top_k")?),
            documents: documents(&mut body, None)?,
            ..RerankRequest::default()
        };
        request.options = body.rest(NAME);
        if voyage {
            request.options.set(NAME, STYLE, VOYAGE.into());
        }
        Ok(request)
    }

    fn respond(&self, response: &RerankResponse, request: &RerankRequest) -> Responded {
        let mut losses = Vec::new();
        let mut body = Object::new(None);
        body.field("object", "list");
        if !response.id.is_empty() {
            body.field("id", &response.id);
        }
        let model = if response.model.is_empty() { &request.model } else { &response.model };
        body.field("model", model);
        let total = response.usage.input_total();
        if total.is_none() {
            losses.push(Loss::new(Feature::Usage, "usage.input", "unknown, and left out"));
        }
        let mut usage = Object::new(None);
        usage.maybe("total_tokens", total.as_ref());
        body.raw("usage", &usage.end(&[]));
        let results = if style(request) == Some(VOYAGE) { "data" } else { "results" };
        body.field(results, &rows(response, request, NAME));
        responded(body.end(&[]), losses)
    }

    fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
        Shape::Detail.refuse(error)
    }
}

fn style(request: &RerankRequest) -> Option<&str> {
    request.options.get(NAME, STYLE).and_then(Value::as_str)
}
