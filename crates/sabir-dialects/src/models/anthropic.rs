//! `Anthropic`'s list, in pages.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use sabir_core::dialect::{Answer, Asked, Encoded, Responded};
use sabir_core::models::{ModelsRequest, ModelsResponse};
use sabir_core::{Endpoint, Error, Exchange, Result};
use serde_json::{Value, json};

use super::super::exchange::{Shape, get, percent, query, responded, versioned};
use super::{body, date, model, named, rest, rows, taken_count, taken_text, written};

/// The format's name.
const NAME: &str = "anthropic-models";

/// Anthropic's list of models (`GET /v1/models`), and one of them (`GET /v1/models/MODEL`). A page is named by the last model of the one before it.
#[derive(Clone, Copy, Debug)]
pub struct AnthropicModels;

impl Exchange for AnthropicModels {
    type Request = ModelsRequest;
    type Response = ModelsResponse;

    fn name(&self) -> &'static str {
        NAME
    }

    fn encode(&self, request: &ModelsRequest, endpoint: &Endpoint) -> Result<Encoded> {
        let after = request.page.as_ref().map(|id| format!("&after_id={}", percent(id)));
        let path = match &request.model {
            Some(model) => format!("/models/{}", percent(model)),
            None => format!("/models?limit=1000{}", after.unwrap_or_default()),
        };
        let mut encoded = get(versioned(endpoint, "v1", &path)?);
        // The service refuses to answer without one.
        let version = HeaderName::from_static("anthropic-version");
        let usual = HeaderValue::from_static("2023-06-01");
        let set = endpoint.headers.get(&version).cloned();
        encoded.headers.insert(version, set.unwrap_or(usual));
        Ok(encoded)
    }

    fn decode(&self, answer: Answer<'_>) -> Result<ModelsResponse> {
        let (rows, around) = rows(&answer, "data", &["id"])?;
        let mut response = ModelsResponse::default();
        for mut row in rows {
            let mut info = model(&mut row, &["id"])?;
            info.name = taken_text(&mut row, "display_name");
            // The service writes the epoch where it does not know.
            info.created = taken_text(&mut row, "created_at").and_then(|text| date::seconds(&text));
            info.created = info.created.filter(|seconds| *seconds > 0);
            info.context = taken_count(&mut row, "max_input_tokens");
            info.max_output = taken_count(&mut row, "max_tokens");
            row.shift_remove("type");
            info.meta = rest(row, NAME);
            response.models.push(info);
        }
        let more = around.get("has_more").and_then(Value::as_bool) == Some(true);
        let last = around.get("last_id").and_then(Value::as_str).filter(|_| more);
        response.next_page = last.map(str::to_owned);
        Ok(response)
    }

    fn accept(&self, asked: Asked<'_>) -> Result<ModelsRequest> {
        let page = query(asked.path, "after_id").map(std::borrow::Cow::into_owned);
        Ok(ModelsRequest { page, model: named(asked.path) })
    }

    fn respond(&self, response: &ModelsResponse, request: &ModelsRequest) -> Responded {
        let (data, losses) = written(response, NAME, |model, row| {
            row.insert("type".into(), json!("model"));
            row.insert("id".into(), json!(model.id));
            row.insert("display_name".into(), json!(model.name.as_ref().unwrap_or(&model.id)));
            row.insert("created_at".into(), json!(date::text(model.created.unwrap_or(0))));
            row.insert("max_input_tokens".into(), json!(model.context));
            row.insert("max_tokens".into(), json!(model.max_output));
            let lifecycle = model.meta.get(NAME, "lifecycle").cloned();
            row.insert("lifecycle".into(), lifecycle.unwrap_or_else(|| json!("active")));
        });
        let first = response.models.first().map(|model| &model.id);
        let last = response.models.last().map(|model| &model.id);
        let last = response.next_page.as_ref().or(last);
        let more = response.next_page.is_some();
        let page = |data| json!({"data": data, "has_more": more, "first_id": first, "last_id": last});
        responded(body(data, request, page), losses)
    }

    fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
        Shape::Anthropic.refuse(error)
    }
}
