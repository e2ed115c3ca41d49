//! `OpenAI`'s list, and those of all who follow it and say more in it.

use bytes::Bytes;
use http::StatusCode;
use sabir_core::dialect::{Answer, Asked, Encoded, Responded};
use sabir_core::models::{ModelsRequest, ModelsResponse};
use sabir_core::{Endpoint, Error, Exchange, Result};
use serde_json::{Map, Value, json};

use super::super::exchange::{Shape, count, get, percent, responded};
use super::{body, model, named, rest, rows, taken_count, taken_text, unpaged, written};

/// The format's name.
const NAME: &str = "openai-models";

/// `OpenAI`'s list of models (`GET /models`), and one of them (`GET /models/MODEL`).
#[derive(Clone, Copy, Debug)]
pub struct OpenAiModels;

impl Exchange for OpenAiModels {
    type Request = ModelsRequest;
    type Response = ModelsResponse;

    fn name(&self) -> &'static str {
        NAME
    }

    fn encode(&self, request: &ModelsRequest, endpoint: &Endpoint) -> Result<Encoded> {
        let one = request.model.as_ref().map(|model| format!("/{}", percent(model)));
        endpoint.url(&format!("/models{}", one.unwrap_or_default())).map(get)
    }

    fn decode(&self, answer: Answer<'_>) -> Result<ModelsResponse> {
        let mut response = ModelsResponse::default();
        for mut row in rows(&answer, "data", &["id", "name"])?.0 {
            let mut info = model(&mut row, &["id", "name"])?;
            info.name = ["display_name", "name"].iter().find_map(|name| taken_text(&mut row, name));
            info.created = taken_count(&mut row, "created");
            info.context = CONTEXT.iter().find_map(|name| taken_count(&mut row, name));
            info.context = info.context.or_else(|| nested(&row, &["/meta/n_ctx", "/meta/n_ctx_train"]));
            info.max_output = OUTPUT.iter().find_map(|name| taken_count(&mut row, name));
            info.max_output = info.max_output.or_else(|| nested(&row, &["/top_provider/max_completion_tokens"]));
            row.shift_remove("object");
            row.retain(|name, value| name != "owned_by" || value != "");
            info.meta = rest(row, NAME);
            response.models.push(info);
        }
        Ok(response)
    }

    fn accept(&self, asked: Asked<'_>) -> Result<ModelsRequest> {
        Ok(ModelsRequest { model: named(asked.path), ..ModelsRequest::default() })
    }

    fn respond(&self, response: &ModelsResponse, request: &ModelsRequest) -> Responded {
        let (data, mut losses) = written(response, NAME, |model, row| {
            row.insert("id".into(), json!(model.id));
            row.insert("object".into(), json!("model"));
            row.insert("created".into(), json!(model.created.unwrap_or(0)));
            let owner = model.meta.get(NAME, "owned_by").cloned();
            row.insert("owned_by".into(), owner.unwrap_or_else(|| json!("")));
            // What OpenAI does not say is said in OpenRouter's words.
            let more = [
                ("name", json!(model.name)),
                ("context_length", json!(model.context)),
                ("max_completion_tokens", json!(model.max_output)),
            ];
            row.extend(more.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.to_owned(), v)));
        });
        unpaged(&mut losses, response);
        responded(body(data, request, |data| json!({"object": "list", "data": data})), losses)
    }

    fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
        Shape::OpenAi.refuse(error)
    }
}

/// The names under which the most tokens of a prompt stand: OpenRouter's, vLLM's, Mistral's, Groq's, Together's.
const CONTEXT: [&str; 5] =
    ["context_length", "max_model_len", "max_context_length", "context_window", "max_input_tokens"];
/// The names under which the most tokens of an answer stand.
const OUTPUT: [&str; 2] = ["max_completion_tokens", "max_output_tokens"];

/// A counter that stands deeper in a row, and stays there.
fn nested(row: &Map<String, Value>, paths: &[&str]) -> Option<u64> {
    paths.iter().find_map(|path| {
        let (outer, inner) = path.strip_prefix('/')?.split_once('/')?;
        count(row.get(outer)?.get(inner)).filter(|n| *n > 0)
    })
}
