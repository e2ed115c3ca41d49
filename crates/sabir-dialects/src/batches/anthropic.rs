//! Anthropic's message batches: the requests come with the batch, the results are JSON lines
//! (docs.claude.com/en/api/creating-message-batches). The provider keeps no name for a batch.

use bytes::Bytes;
use http::header::HeaderName;
use http::{Method, StatusCode};
use sabir_core::batch::{Answered, Batch, Batching, Line, State, Told, Wanted};
use sabir_core::dialect::{Answer, Asked, Encoded};
use sabir_core::{Endpoint, Error, Result};
use serde_json::{Value, json};

use super::super::exchange::{Shape, get, percent, read, versioned};
use super::{answer_lines, behind, lacks, listed, required, text, undone, wanted};

/// Where they are, behind the version.
const PATH: &str = "/messages/batches";
const VERSION: HeaderName = HeaderName::from_static("anthropic-version");
/// The version that the dialect sends (docs.claude.com/en/api/versioning).
const USUAL_VERSION: &str = "2023-06-01";

/// Anthropic's message batches.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnthropicBatches;

impl Batching for AnthropicBatches {
    fn name(&self) -> &'static str {
        "anthropic-batches"
    }

    fn dialects(&self) -> &'static [&'static str] {
        &["anthropic-messages"]
    }

    fn wants_one_model(&self) -> bool {
        false
    }

    fn keeps_names(&self) -> bool {
        false
    }

    fn create(&self, lines: &[Line], _: Option<&str>, _: &str, endpoint: &Endpoint) -> Result<Encoded> {
        let mut body = Vec::with_capacity(lines.iter().map(|line| line.body.len() + 100).sum::<usize>() + 32);
        body.extend_from_slice(b"{\"requests\":[");
        for (at, line) in lines.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            body.extend_from_slice(format!("{comma}{{\"custom_id\":{},\"params\":", json!(line.id)).as_bytes());
            body.extend_from_slice(&line.body);
            body.push(b'}');
        }
        body.extend_from_slice(b"]}");
        let mut encoded = Encoded::post_json(versioned(endpoint, "v1", PATH)?, body, Vec::new());
        // What one of the lines needs, the batch is asked with.
        for (name, value) in lines.iter().flat_map(|line| &line.headers) {
            let held = encoded.headers.get_all(name).iter().any(|held| held == value);
            let is_list = name.as_str() == "anthropic-beta";
            if is_list && !held {
                encoded.headers.append(name, value.clone());
            } else {
                encoded.headers.entry(name).or_insert_with(|| value.clone());
            }
        }
        Ok(encoded)
    }

    fn status(&self, id: &str, endpoint: &Endpoint) -> Result<Encoded> {
        asking(endpoint, &format!("{PATH}/{}", percent(id)))
    }

    fn cancel(&self, id: &str, endpoint: &Endpoint) -> Result<Encoded> {
        let mut encoded = asking(endpoint, &format!("{PATH}/{}/cancel", percent(id)))?;
        encoded.method = Method::POST;
        Ok(encoded)
    }

    fn list(&self, endpoint: &Endpoint) -> Result<Encoded> {
        asking(endpoint, &format!("{PATH}?limit=100"))
    }

    /// At the path that is documented: the address that a batch tells is the server's word, and would be sent the key.
    fn results(&self, batch: &Batch, endpoint: &Endpoint) -> Result<Vec<Encoded>> {
        Ok(vec![asking(endpoint, &format!("{PATH}/{}/results", percent(&batch.id)))?])
    }

    fn uploaded(&self, _: Answer<'_>) -> Result<String> {
        Err(lacks("upload"))
    }

    fn batch(&self, answer: Answer<'_>) -> Result<Batch> {
        Ok(batch(&read(&answer)?))
    }

    fn batches(&self, answer: Answer<'_>) -> Result<Vec<Batch>> {
        listed(&answer, "data", batch)
    }

    fn answered(&self, answer: Answer<'_>) -> Result<Vec<Answered>> {
        answer_lines(&answer, |line| {
            let id = required(&line, "custom_id")?;
            let result = &line["result"];
            let answer = match result["type"].as_str().unwrap_or_default() {
                "succeeded" => Ok((StatusCode::OK, result["message"].to_string().into())),
                "expired" => Err(undone("expired")),
                "canceled" => Err(undone("cancelled")),
                _ => {
                    let error = &result["error"];
                    Ok((status_of(error["error"]["type"].as_str().unwrap_or_default()), error.to_string().into()))
                }
            };
            Ok(Answered { id, answer })
        })
    }

    fn accept(&self, asked: Asked<'_>) -> Result<Option<Wanted>> {
        let rest = behind(asked.path, PATH);
        match rest.and_then(|rest| rest.trim_start_matches('/').split_once('/')) {
            Some((id, "results")) if asked.method == Method::GET => Ok(Some(Wanted::Results(id.to_owned()))),
            _ => wanted(rest, asked, created),
        }
    }

    fn respond(&self, told: &Told) -> Bytes {
        match told {
            Told::Batch(batch, _) => written(batch).to_string().into(),
            Told::List(list) => {
                let data: Vec<Value> = list.iter().map(written).collect();
                json!({"data": data, "has_more": false}).to_string().into()
            }
            Told::Results(results) => results.iter().map(line).collect::<String>().into(),
            _ => Bytes::new(),
        }
    }

    fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
        Shape::Anthropic.refuse(error)
    }
}

/// A request without a body, of the version that the endpoint has or the usual one.
fn asking(endpoint: &Endpoint, path: &str) -> Result<Encoded> {
    let mut encoded = get(versioned(endpoint, "v1", path)?);
    if !endpoint.headers.contains_key(VERSION) {
        encoded.headers.insert(VERSION, http::HeaderValue::from_static(USUAL_VERSION));
    }
    Ok(encoded)
}

/// The status that an error of this type has when it is asked by itself (docs.claude.com/en/api/errors).
fn status_of(kind: &str) -> StatusCode {
    let number = match kind {
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        "invalid_request_error" => 400,
        _ => 500,
    };
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn batch(value: &Value) -> Batch {
    let mut batch = Batch::default();
    batch.id = text(value, "id").unwrap_or_default();
    let counts = &value["request_counts"];
    let count = |name: &str| counts[name].as_u64().unwrap_or(0);
    let done = count("succeeded");
    let failed = count("errored").saturating_add(count("canceled")).saturating_add(count("expired"));
    batch.counts.total = done.saturating_add(failed).saturating_add(count("processing"));
    (batch.counts.done, batch.counts.failed) = (done, failed);
    batch.state = match value["processing_status"].as_str().unwrap_or_default() {
        // It ends in one way, whatever became of its lines: each of them says it.
        "ended" if count("expired") > 0 => State::Expired,
        "ended" if count("canceled") > 0 => State::Cancelled,
        "ended" => State::Done,
        "canceling" => State::Cancelling,
        _ => State::Running,
    };
    batch
}

fn created(body: &[u8]) -> Result<Wanted> {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let requests = value["requests"].as_array().ok_or_else(|| lacks("requests"))?;
    let line = |request: &Value| {
        let id = text(request, "custom_id").ok_or_else(|| lacks("custom_id in a request"))?;
        let body = request["params"].to_string().into();
        Ok(Line { id, path: "/v1/messages".to_owned(), headers: http::HeaderMap::new(), body })
    };
    let lines = requests.iter().map(line).collect::<Result<_>>()?;
    Ok(Wanted::Create { upload: None, lines, name: None })
}

fn written(batch: &Batch) -> Value {
    let status = match batch.state {
        State::Cancelling => "canceling",
        state if state.is_over() => "ended",
        _ => "in_progress",
    };
    let (counts, left) = (batch.counts, batch.counts.total.saturating_sub(batch.counts.done + batch.counts.failed));
    let of = |state: State| if batch.state == state { counts.failed } else { 0 };
    let (expired, cancelled) = (of(State::Expired), of(State::Cancelled));
    json!({
        "id": batch.id, "type": "message_batch", "processing_status": status,
        "request_counts": {
            "processing": left, "succeeded": counts.done, "errored": counts.failed - expired - cancelled,
            "canceled": cancelled, "expired": expired,
        },
    })
}

fn line(one: &Answered) -> String {
    let parsed = |body: &Bytes| serde_json::from_slice::<Value>(body).unwrap_or_default();
    let result = match &one.answer {
        Ok((status, body)) if status.is_success() => json!({"type": "succeeded", "message": parsed(body)}),
        Ok((_, body)) => json!({"type": "errored", "error": parsed(body)}),
        Err(error) if error.code() == Some("batch_expired") => json!({"type": "expired"}),
        Err(_) => json!({"type": "canceled"}),
    };
    format!("{}\n", json!({"custom_id": one.id, "result": result}))
}
