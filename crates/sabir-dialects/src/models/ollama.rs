//! `Ollama`'s list of what it has loaded on its disk, and what it knows of one of these models.

use bytes::Bytes;
use http::StatusCode;
use sabir_core::dialect::{Answer, Asked, Encoded, Responded};
use sabir_core::models::{ModelInfo, ModelsRequest, ModelsResponse};
use sabir_core::{Endpoint, Error, Exchange, Result};
use serde_json::{Map, Value, json};

use super::super::exchange::{Shape, Taken, count, get, read, responded, unversioned};
use super::{Row, body, date, model, rest, rows, taken_text, unpaged, unsaid, written};

/// The format's name.
const NAME: &str = "ollama-tags";

/// The fields of which an answer about one model has some: none has the model's name.
const SHOWN: [&str; 4] = ["model_info", "details", "capabilities", "template"];

/// Ollama's list of models (`GET /api/tags`), and one of them (`POST /api/show`).
#[derive(Clone, Copy, Debug)]
pub struct OllamaTags;

impl Exchange for OllamaTags {
    type Request = ModelsRequest;
    type Response = ModelsResponse;

    fn name(&self) -> &'static str {
        NAME
    }

    fn encode(&self, request: &ModelsRequest, endpoint: &Endpoint) -> Result<Encoded> {
        match &request.model {
            Some(model) => {
                let uri = unversioned(endpoint, "/api/show")?;
                Ok(Encoded::post_json(uri, json!({ "model": model }).to_string(), Vec::new()))
            }
            None => unversioned(endpoint, "/api/tags").map(get),
        }
    }

    fn decode(&self, answer: Answer<'_>) -> Result<ModelsResponse> {
        let mut response = ModelsResponse::default();
        if let Value::Object(fields) = read::<Value>(&answer)?
            && !fields.contains_key("models")
            && SHOWN.iter().any(|name| fields.contains_key(*name))
        {
            response.models.push(shown(fields));
            return Ok(response);
        }
        for mut row in rows(&answer, "models", &[])?.0 {
            let mut info = model(&mut row, &["model", "name"])?;
            info.name = taken_text(&mut row, "name").filter(|name| *name != info.id);
            info.created = taken_text(&mut row, "modified_at").and_then(|text| date::seconds(&text));
            info.meta = rest(row, NAME);
            response.models.push(info);
        }
        Ok(response)
    }

    fn accept(&self, asked: Asked<'_>) -> Result<ModelsRequest> {
        let path = asked.path.split('?').next().unwrap_or_default().trim_end_matches('/');
        if !path.ends_with("/api/show") && asked.body.trim_ascii().is_empty() {
            return Ok(ModelsRequest::default());
        }
        let mut fields = Taken::body(asked.body)?;
        // The older word.
        let name = fields.text("name")?;
        fields.text("model")?.or(name).map_or_else(|| fields.required("model"), Ok).map(ModelsRequest::one)
    }

    fn respond(&self, response: &ModelsResponse, request: &ModelsRequest) -> Responded {
        let is_one = request.model.is_some();
        let (models, mut losses) = written(response, NAME, |model, row| {
            if is_one {
                return show(model, row);
            }
            row.insert("name".into(), json!(model.name.as_ref().unwrap_or(&model.id)));
            row.insert("model".into(), json!(model.id));
            row.insert("modified_at".into(), json!(date::text(model.created.unwrap_or(0))));
            for (field, usual) in [("size", json!(0)), ("digest", json!("")), ("details", json!({}))] {
                row.insert(field.into(), model.meta.get(NAME, field).cloned().unwrap_or(usual));
            }
        });
        unsaid(&mut losses, response, "name", |model| is_one && model.name.is_some());
        unsaid(&mut losses, response, "context", |model| !is_one && model.context.is_some());
        unsaid(&mut losses, response, "max_output", |model| model.max_output.is_some());
        unpaged(&mut losses, response);
        responded(body(models, request, |models| json!({ "models": models })), losses)
    }

    fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
        Shape::Ollama.refuse(error)
    }
}

/// What is said of one model. Its context is under the name of its architecture: `qwen3.context_length`.
fn shown(mut fields: Row) -> ModelInfo {
    let mut info = ModelInfo::default();
    let facts = fields.get("model_info").and_then(Value::as_object);
    let of = |name: &str| count(facts?.get(name)).filter(|n| *n > 0);
    let architecture = facts.and_then(|facts| facts.get("general.architecture")?.as_str());
    let any = || facts?.keys().filter(|name| name.ends_with(".context_length")).find_map(|name| of(name));
    info.context = architecture.and_then(|word| of(&format!("{word}.context_length"))).or_else(any);
    info.created = taken_text(&mut fields, "modified_at").and_then(|text| date::seconds(&text));
    info.meta = rest(fields, NAME);
    info
}

/// Writes what is said of one model.
fn show(model: &ModelInfo, row: &mut Row) {
    row.insert("modified_at".into(), json!(date::text(model.created.unwrap_or(0))));
    let known = model.meta.get(NAME, "model_info").cloned();
    let facts = || {
        let context = model.context.map(|context| ("model.context_length".to_owned(), json!(context)));
        let mut facts = Map::from_iter([("general.architecture".to_owned(), json!("model"))]);
        facts.extend(context);
        Value::Object(facts)
    };
    row.insert("model_info".into(), known.unwrap_or_else(facts));
    for (field, usual) in [("details", json!({})), ("capabilities", json!(["completion"]))] {
        row.insert(field.into(), model.meta.get(NAME, field).cloned().unwrap_or(usual));
    }
}
