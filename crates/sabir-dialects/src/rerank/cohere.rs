//! `Cohere`'s format, version 2, and version 1 where it is asked for.

use bytes::Bytes;
use http::StatusCode;
use sabir_core::dialect::{Answer, Asked, Encoded, Responded};
use sabir_core::rerank::{RerankRequest, RerankResponse};
use sabir_core::{Endpoint, Error, Exchange, Result};
use serde_json::{Value, json};

use super::super::exchange::{Object, Shape, Taken, foreign, missing, responded, text, unversioned};
use super::{documents, rows};

/// The format's name.
const NAME: &str = "cohere-rerank";
/// The option that says which version is spoken.
const VERSION: &str = "api_version";

/// Cohere's rerank (`POST /v2/rerank`). With the option `api_version` = `v1` its first version.
#[derive(Clone, Copy, Debug)]
pub struct CohereRerank;

impl Exchange for CohereRerank {
    type Request = RerankRequest;
    type Response = RerankResponse;

    fn name(&self) -> &'static str {
        NAME
    }

    fn paths(&self) -> &'static [&'static str] {
        &["/v2/rerank"]
    }

    fn encode(&self, request: &RerankRequest, endpoint: &Endpoint) -> Result<Encoded> {
        let mut body = Object::new(request.options.of(NAME));
        body.field("model", &request.model);
        body.field("query", &request.query);
        body.field("documents", &request.documents);
        body.maybe("top_n", request.top_n.as_ref());
        let uri = unversioned(endpoint, if is_v1(request) { "/v1/rerank" } else { "/v2/rerank" })?;
        let losses = foreign(&request.options, NAME);
        Ok(Encoded::post_json(uri, body.end(&[VERSION]), losses))
    }

    fn decode(&self, answer: Answer<'_>) -> Result<RerankResponse> {
        super::decode(answer)
    }

    fn accept(&self, asked: Asked<'_>) -> Result<RerankRequest> {
        let mut body = Taken::body(asked.body)?;
        let first_version = asked.path.contains("/v1/");
        let model = match body.text("model")? {
            None if !first_version => return Err(missing("model")),
            model => model.unwrap_or_default(),
        };
        let mut request = RerankRequest {
            model,
            query: body.required("query")?,
            top_n: body.count("top_n")?,
            ..RerankRequest::default()
        };
        // What these fields choose is chosen here, and the texts are sent on.
        let fields = body.list("rank_fields")?;
        let fields = fields.map(|fields| {
            let names = fields.into_iter().enumerate();
            names.map(|(at, name)| text(name, &format!("rank_fields[{at}]"))).collect::<Result<Vec<_>>>()
        });
        request.documents = documents(&mut body, fields.transpose()?.as_deref())?;
        request.options = body.rest(NAME);
        if first_version {
            request.options.set(NAME, VERSION, "v1".into());
        }
        Ok(request)
    }

    fn respond(&self, response: &RerankResponse, request: &RerankRequest) -> Responded {
        let mut body = Object::new(None);
        body.field("id", &response.id);
        body.field("results", &rows(response, request, NAME));
        let version = if is_v1(request) { "1" } else { "2" };
        let mut units = Object::new(None);
        units.maybe("input_tokens", response.usage.input.as_ref());
        units.maybe("output_tokens", response.usage.output.as_ref());
        units.maybe("search_units", response.usage.tools.get("search_units"));
        let mut meta = Object::new(None);
        meta.field("api_version", &json!({"version": version}));
        meta.raw("billed_units", &units.end(&[]));
        body.raw("meta", &meta.end(&[]));
        responded(body.end(&[]), Vec::new())
    }

    fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
        Shape::Cohere.refuse(error)
    }
}

fn is_v1(request: &RerankRequest) -> bool {
    request.options.get(NAME, VERSION).and_then(Value::as_str) == Some("v1")
}
