//! `Ollama`'s list of what it has loaded on its disk.

use bytes::Bytes;
use http::StatusCode;
use sabir_core::dialect::{Answer, Asked, Encoded, Responded};
use sabir_core::models::{ModelsRequest, ModelsResponse};
use sabir_core::{Endpoint, Error, Exchange, Result};
use serde_json::json;

use super::super::exchange::{Shape, get, responded, unversioned};
use super::{date, model, rest, rows, taken_text, unpaged, unsaid, written};

/// The format's name.
const NAME: &str = "ollama-tags";

/// Ollama's list of models (`GET /api/tags`).
#[derive(Clone, Copy, Debug)]
pub struct OllamaTags;

impl Exchange for OllamaTags {
    type Request = ModelsRequest;
    type Response = ModelsResponse;

    fn name(&self) -> &'static str {
        NAME
    }

    fn encode(&self, _: &ModelsRequest, endpoint: &Endpoint) -> Result<Encoded> {
        unversioned(endpoint, "/api/tags").map(get)
    }

    fn decode(&self, answer: Answer<'_>) -> Result<ModelsResponse> {
        let mut response = ModelsResponse::default();
        for mut row in rows(&answer, "models")?.0 {
            let mut info = model(&mut row, &["model", "name"])?;
            info.name = taken_text(&mut row, "name").filter(|name| *name != info.id);
            info.created = taken_text(&mut row, "modified_at").and_then(|text| date::seconds(&text));
            info.meta = rest(row, NAME);
            response.models.push(info);
        }
        Ok(response)
    }

    fn accept(&self, _: Asked<'_>) -> Result<ModelsRequest> {
        Ok(ModelsRequest::default())
    }

    fn respond(&self, response: &ModelsResponse, _: &ModelsRequest) -> Responded {
        let (models, mut losses) = written(response, NAME, |model, row| {
            row.insert("name".into(), json!(model.name.as_ref().unwrap_or(&model.id)));
            row.insert("model".into(), json!(model.id));
            row.insert("modified_at".into(), json!(date::text(model.created.unwrap_or(0))));
            for (field, usual) in [("size", json!(0)), ("digest", json!("")), ("details", json!({}))] {
                row.insert(field.into(), model.meta.get(NAME, field).cloned().unwrap_or(usual));
            }
        });
        unsaid(&mut losses, response, "context", |model| model.context.is_some());
        unsaid(&mut losses, response, "max_output", |model| model.max_output.is_some());
        unpaged(&mut losses, response);
        responded(json!({"models": models}).to_string(), losses)
    }

    fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
        Shape::Ollama.refuse(error)
    }
}
