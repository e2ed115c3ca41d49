//! `Gemini`'s list, in pages.

use bytes::Bytes;
use http::StatusCode;
use sabir_core::dialect::{Answer, Asked, Encoded, Responded};
use sabir_core::models::{ModelsRequest, ModelsResponse};
use sabir_core::{Endpoint, Error, Exchange, Result};
use serde_json::{Value, json};

use super::super::exchange::{Shape, get, percent, query, responded, versioned};
use super::{body, model, named, rest, rows, taken_count, taken_text, unsaid, written};
use crate::google_model::bare;

/// The format's name.
const NAME: &str = "gemini-models";

/// Beginnings of names that are not in the collection `models/`: tuned models, and Vertex's.
const COLLECTIONS: [&str; 3] = ["tunedModels/", "publishers/", "projects/"];

/// Gemini's list of models (`GET /models`), and one of them (`GET /models/MODEL`).
#[derive(Clone, Copy, Debug)]
pub struct GeminiModels;

impl Exchange for GeminiModels {
    type Request = ModelsRequest;
    type Response = ModelsResponse;

    fn name(&self) -> &'static str {
        NAME
    }

    fn encode(&self, request: &ModelsRequest, endpoint: &Endpoint) -> Result<Encoded> {
        let page = request.page.as_ref().map(|page| format!("&pageToken={}", percent(page)));
        let path = match request.model.as_deref().map(bare) {
            Some(tuned) if tuned.starts_with("tunedModels/") => format!("/{}", percent(tuned)),
            Some(model) => format!("/models/{}", percent(model)),
            None => format!("/models?pageSize=1000{}", page.unwrap_or_default()),
        };
        versioned(endpoint, "v1beta", &path).map(get)
    }

    fn decode(&self, answer: Answer<'_>) -> Result<ModelsResponse> {
        // A list without models is not written at all.
        let none = answer.body.iter().filter(|b| !b.is_ascii_whitespace()).eq(b"{}");
        let (rows, around) =
            if none && answer.status.is_success() { Default::default() } else { rows(&answer, "models", &["name"])? };
        let mut response = ModelsResponse::default();
        for mut row in rows {
            let mut info = model(&mut row, &["name"])?;
            info.id = bare(&info.id).into();
            info.name = taken_text(&mut row, "displayName");
            info.context = taken_count(&mut row, "inputTokenLimit");
            info.max_output = taken_count(&mut row, "outputTokenLimit");
            info.meta = rest(row, NAME);
            response.models.push(info);
        }
        let next = around.get("nextPageToken").and_then(Value::as_str);
        response.next_page = next.filter(|token| !token.is_empty()).map(str::to_owned);
        Ok(response)
    }

    fn accept(&self, asked: Asked<'_>) -> Result<ModelsRequest> {
        let token = query(asked.path, "pageToken").or_else(|| query(asked.path, "page_token"));
        // Tuned models are a collection of their own.
        let tuned = || Some(&asked.path[asked.path.find("/tunedModels/")? + 1..]);
        let model = named(asked.path).or_else(|| named(&format!("/models/{}", tuned()?)));
        Ok(ModelsRequest { page: token.map(std::borrow::Cow::into_owned), model })
    }

    fn respond(&self, response: &ModelsResponse, request: &ModelsRequest) -> Responded {
        let (models, mut losses) = written(response, NAME, |model, row| {
            let whole = COLLECTIONS.iter().any(|collection| model.id.starts_with(collection));
            let name = if whole { model.id.clone() } else { format!("models/{}", model.id) };
            let fields = [
                ("name", json!(name)),
                ("displayName", json!(model.name)),
                ("inputTokenLimit", json!(model.context)),
                ("outputTokenLimit", json!(model.max_output)),
            ];
            row.extend(fields.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.to_owned(), v)));
            // Clients choose by what a model can do.
            let methods = model.meta.get(NAME, "supportedGenerationMethods").cloned();
            let methods = methods.unwrap_or_else(|| json!(["generateContent", "countTokens"]));
            row.insert("supportedGenerationMethods".into(), methods);
        });
        unsaid(&mut losses, response, "created", |model| model.created.is_some());
        let list = |models| match &response.next_page {
            Some(next) => json!({"models": models, "nextPageToken": next}),
            None => json!({"models": models}),
        };
        responded(body(models, request, list), losses)
    }

    fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
        Shape::Gemini.refuse(error)
    }
}
