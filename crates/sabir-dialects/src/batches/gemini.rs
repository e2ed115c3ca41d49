//! Gemini's batch mode with requests that come with the batch: it is an operation, and the results are in it when it is
//! over (ai.google.dev/gemini-api/docs/batch-api). The whole may be of 20 MB.

use bytes::Bytes;
use http::{Method, StatusCode};
use sabir_core::batch::{Answered, Batch, Batching, Line, State, Told, Wanted};
use sabir_core::dialect::{Answer, Asked, Encoded};
use sabir_core::{Endpoint, Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::super::exchange::{Shape, get, percent, read, versioned};
use super::{behind, lacks, status, text, undone};

const DOES: &str = ":batchGenerateContent";

/// Gemini's batch mode.
#[derive(Clone, Copy, Debug, Default)]
pub struct GeminiBatches;

impl Batching for GeminiBatches {
    fn name(&self) -> &'static str {
        "gemini-batches"
    }

    fn dialects(&self) -> &'static [&'static str] {
        &["gemini-generate"]
    }

    fn wants_one_model(&self) -> bool {
        true
    }

    fn keeps_names(&self) -> bool {
        true
    }

    fn create(&self, lines: &[Line], _: Option<&str>, name: &str, endpoint: &Endpoint) -> Result<Encoded> {
        let model = |line: &Line| Some(line.path.rsplit_once("/models/")?.1.rsplit_once(':')?.0.to_owned());
        let model = lines.first().and_then(model).ok_or_else(|| lacks("request with a model"))?;
        let mut body = Vec::with_capacity(lines.iter().map(|line| line.body.len() + 100).sum::<usize>() + 128);
        let head = format!(r#"{{"batch":{{"display_name":{},"input_config":{{"requests":{{"requests":["#, json!(name));
        body.extend_from_slice(head.as_bytes());
        for (at, line) in lines.iter().enumerate() {
            body.extend_from_slice(if at == 0 { b"{\"request\":" } else { b",{\"request\":" });
            body.extend_from_slice(&line.body);
            body.extend_from_slice(format!(",\"metadata\":{{\"key\":{}}}}}", json!(line.id)).as_bytes());
        }
        body.extend_from_slice(b"]}}}}");
        let uri = versioned(endpoint, "v1beta", &format!("/models/{model}{DOES}"))?;
        Ok(Encoded::post_json(uri, body, Vec::new()))
    }

    fn status(&self, id: &str, endpoint: &Endpoint) -> Result<Encoded> {
        versioned(endpoint, "v1beta", &format!("/{}", percent(id))).map(get)
    }

    fn cancel(&self, id: &str, endpoint: &Endpoint) -> Result<Encoded> {
        let uri = versioned(endpoint, "v1beta", &format!("/{}:cancel", percent(id)))?;
        Ok(Encoded::post_json(uri, "{}", Vec::new()))
    }

    fn list(&self, endpoint: &Endpoint) -> Result<Encoded> {
        versioned(endpoint, "v1beta", "/batches?pageSize=100").map(get)
    }

    fn results(&self, batch: &Batch, endpoint: &Endpoint) -> Result<Vec<Encoded>> {
        Ok(vec![self.status(&batch.id, endpoint)?])
    }

    fn uploaded(&self, _: Answer<'_>) -> Result<String> {
        Err(lacks("upload"))
    }

    fn batch(&self, answer: Answer<'_>) -> Result<Batch> {
        Ok(batch(&read(&answer)?))
    }

    fn batches(&self, answer: Answer<'_>) -> Result<Vec<Batch>> {
        let list: Value = read(&answer)?;
        let listed = list["operations"].as_array().or_else(|| list["batches"].as_array());
        Ok(listed.into_iter().flatten().map(batch).collect())
    }

    fn answered(&self, answer: Answer<'_>) -> Result<Vec<Answered>> {
        let operation: Value = read(&answer)?;
        let places =
            ["/response/inlinedResponses", "/response/output/inlinedResponses", "/metadata/output/inlinedResponses"];
        let found = places.iter().find_map(|place| operation.pointer(place));
        let list = found.and_then(|found| found.as_array().or_else(|| found["inlinedResponses"].as_array()));
        list.into_iter().flatten().map(answered).collect()
    }

    fn accept(&self, asked: Asked<'_>) -> Result<Option<Wanted>> {
        let (get, post) = (asked.method == Method::GET, asked.method == Method::POST);
        let path = asked.path.split('?').next().unwrap_or_default();
        if post && let Some(model) = path.strip_suffix(DOES).and_then(|path| Some(path.rsplit_once("/models/")?.1)) {
            return created(model, asked.body).map(Some);
        }
        let Some(rest) = behind(path, "/v1beta/batches") else { return Ok(None) };
        Ok(match rest.rsplit_once(':') {
            Some((id, "cancel")) if post => Some(Wanted::Cancel(format!("batches{id}"))),
            None if get && rest.is_empty() => Some(Wanted::List),
            None if get => Some(Wanted::Status(format!("batches{rest}"))),
            _ => None,
        })
    }

    fn respond(&self, told: &Told) -> Bytes {
        match told {
            Told::Batch(batch, results) => written(batch, results.as_deref()).to_string().into(),
            Told::List(list) => {
                let list: Vec<Value> = list.iter().map(|batch| written(batch, None)).collect();
                json!({"operations": list}).to_string().into()
            }
            _ => Bytes::from_static(b"{}"),
        }
    }

    fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
        Shape::Gemini.refuse(error)
    }
}

fn batch(value: &Value) -> Batch {
    let (metadata, mut batch) = (&value["metadata"], Batch::default());
    batch.id = text(value, "name").unwrap_or_default();
    batch.name = text(metadata, "displayName");
    let state = metadata["state"].as_str().unwrap_or_default();
    let error = &value["error"];
    batch.state = match state.rsplit_once("STATE_").map_or(state, |(_, word)| word) {
        "RUNNING" => State::Running,
        "SUCCEEDED" => State::Done,
        "FAILED" => State::Failed,
        "CANCELLED" => State::Cancelled,
        "EXPIRED" => State::Expired,
        _ if value["done"] == true && error.is_object() => State::Failed,
        _ if value["done"] == true => State::Done,
        _ => State::Queued,
    };
    batch.why = text(error, "message");
    // 64-bit numbers are texts in Google's JSON.
    let figures = &metadata["batchStats"];
    let count = |name: &str| match &figures[name] {
        Value::String(text) => text.parse().unwrap_or(0),
        other => other.as_u64().unwrap_or(0),
    };
    batch.counts.total = count("requestCount");
    (batch.counts.done, batch.counts.failed) = (count("successfulRequestCount"), count("failedRequestCount"));
    batch
}

fn answered(one: &Value) -> Result<Answered> {
    let id = text(&one["metadata"], "key");
    let id = id.ok_or_else(|| Error::new(ErrorKind::Decode, "a result has no key, so whose it is cannot be told"))?;
    let error = &one["error"];
    let answer = match &one["response"] {
        response @ Value::Object(_) => Ok((StatusCode::OK, response.to_string().into())),
        _ if error["code"] == 1 => Err(undone("cancelled")),
        _ if error["code"] == 4 => Err(undone("expired")),
        _ => Ok((status_of(error), json!({"error": error}).to_string().into())),
    };
    Ok(Answered { id, answer })
}

/// The status of an error whose code is HTTP's or one of google.rpc.Code.
fn status_of(error: &Value) -> StatusCode {
    let number = match error["code"].as_u64() {
        Some(3 | 9 | 11) => 400,
        Some(5) => 404,
        Some(7) => 403,
        Some(8) => 429,
        Some(14) => 503,
        Some(16) => 401,
        Some(code @ 400..=599) => code,
        _ => 500,
    };
    status(Some(number)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn created(model: &str, body: &[u8]) -> Result<Wanted> {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let batch = &value["batch"];
    let field = |value: &'_ Value, one: &str, other: &str| value.get(one).or_else(|| value.get(other)).cloned();
    let config = field(batch, "input_config", "inputConfig").unwrap_or_default();
    let requests = config["requests"]["requests"].as_array().ok_or_else(|| lacks("batch.input_config.requests"))?;
    let line = |request: &Value| {
        let id = text(&request["metadata"], "key").ok_or_else(|| lacks("metadata.key in a request"))?;
        let body = request["request"].to_string().into();
        Ok(Line { id, path: format!("/v1beta/models/{model}:generateContent"), headers: http::HeaderMap::new(), body })
    };
    let lines = requests.iter().map(line).collect::<Result<_>>()?;
    let name = field(batch, "display_name", "displayName").and_then(|name| Some(name.as_str()?.to_owned()));
    Ok(Wanted::Create { upload: None, lines, name })
}

fn written(batch: &Batch, results: Option<&[Answered]>) -> Value {
    let state = match batch.state {
        State::Running | State::Cancelling => "RUNNING",
        State::Done => "SUCCEEDED",
        State::Failed => "FAILED",
        State::Expired => "EXPIRED",
        State::Cancelled => "CANCELLED",
        _ => "PENDING",
    };
    let figures = json!({
        "requestCount": batch.counts.total.to_string(), "successfulRequestCount": batch.counts.done.to_string(),
        "failedRequestCount": batch.counts.failed.to_string(),
    });
    let metadata = json!({"displayName": batch.name, "state": format!("BATCH_STATE_{state}"), "batchStats": figures});
    let mut operation = json!({"name": batch.id, "metadata": metadata});
    if batch.state.is_over() {
        operation["done"] = true.into();
    }
    if let Some(why) = &batch.why {
        operation["error"] = json!({"code": 3, "message": why});
    } else if let Some(results) = results {
        let list: Vec<Value> = results.iter().map(line).collect();
        operation["response"] = json!({"inlinedResponses": {"inlinedResponses": list}});
    }
    operation
}

fn line(one: &Answered) -> Value {
    let parsed = |body: &Bytes| serde_json::from_slice::<Value>(body).unwrap_or_default();
    let key = json!({"key": one.id});
    match &one.answer {
        Ok((status, body)) if status.is_success() => json!({"response": parsed(body), "metadata": key}),
        Ok((_, body)) => json!({"error": parsed(body)["error"], "metadata": key}),
        Err(error) => {
            let code = if error.code() == Some("batch_expired") { 4 } else { 1 };
            json!({"error": {"code": code, "message": error.message()}, "metadata": key})
        }
    }
}
