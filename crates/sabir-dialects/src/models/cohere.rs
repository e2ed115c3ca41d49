//! `Cohere`'s list, in pages.

use bytes::Bytes;
use http::StatusCode;
use sabir_core::dialect::{Answer, Asked, Encoded, Responded};
use sabir_core::models::{ModelsRequest, ModelsResponse};
use sabir_core::{Endpoint, Error, Exchange, Result};
use serde_json::{Value, json};

use super::super::exchange::{Shape, get, percent, query, responded, unversioned};
use super::{body, model, named, rest, rows, taken_count, unsaid, written};

/// The format's name.
const NAME: &str = "cohere-models";

/// Cohere's list of models (`GET /v1/models`), and one of them (`GET /v1/models/MODEL`).
#[derive(Clone, Copy, Debug)]
pub struct CohereModels;

impl Exchange for CohereModels {
    type Request = ModelsRequest;
    type Response = ModelsResponse;

    fn name(&self) -> &'static str {
        NAME
    }

    fn encode(&self, request: &ModelsRequest, endpoint: &Endpoint) -> Result<Encoded> {
        let page = request.page.as_ref().map(|page| format!("&page_token={}", percent(page)));
        let path = match &request.model {
            Some(model) => format!("/v1/models/{}", percent(model)),
            None => format!("/v1/models?page_size=1000{}", page.unwrap_or_default()),
        };
        unversioned(endpoint, &path).map(get)
    }

    fn decode(&self, answer: Answer<'_>) -> Result<ModelsResponse> {
        let (rows, around) = rows(&answer, "models", &["name"])?;
        let mut response = ModelsResponse::default();
        for mut row in rows {
            let mut info = model(&mut row, &["name"])?;
            info.context = taken_count(&mut row, "context_length");
            info.meta = rest(row, NAME);
            response.models.push(info);
        }
        let next = around.get("next_page_token").and_then(Value::as_str);
        response.next_page = next.filter(|token| !token.is_empty()).map(str::to_owned);
        Ok(response)
    }

    fn accept(&self, asked: Asked<'_>) -> Result<ModelsRequest> {
        let page = query(asked.path, "page_token").map(std::borrow::Cow::into_owned);
        Ok(ModelsRequest { page, model: named(asked.path) })
    }

    fn respond(&self, response: &ModelsResponse, request: &ModelsRequest) -> Responded {
        let (models, mut losses) = written(response, NAME, |model, row| {
            row.insert("name".into(), json!(model.id));
            if let Some(context) = model.context {
                row.insert("context_length".into(), json!(context));
            }
        });
        unsaid(&mut losses, response, "name", |model| model.name.is_some());
        unsaid(&mut losses, response, "created", |model| model.created.is_some());
        unsaid(&mut losses, response, "max_output", |model| model.max_output.is_some());
        let list = |models| match &response.next_page {
            Some(next) => json!({"models": models, "next_page_token": next}),
            None => json!({"models": models}),
        };
        responded(body(models, request, list), losses)
    }

    fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
        Shape::Cohere.refuse(error)
    }
}
