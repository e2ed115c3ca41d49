//! OpenAI's batches: a file of JSON lines is uploaded, a batch is made of it, and its results are two files
//! (platform.openai.com/docs/api-reference/batch). For Chat Completions and Responses.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use sabir_core::batch::{Answered, Batch, Batching, Line, State, Told, Wanted};
use sabir_core::dialect::{Answer, Asked, Encoded};
use sabir_core::{Endpoint, Error, ErrorKind, Result};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::super::exchange::{Shape, get, percent, read, versioned};
use super::{answer_lines, behind, json_lines, lacks, listed, required, status, text, undone, wanted};

/// Between the parts of an upload. JSON lines begin with a brace and have no bare line breaks, so it is in none of them.
const BOUNDARY: &str = "sabir-batch-of-json-lines";
/// The field of a batch's metadata that has its name.
const NAME: &str = "sabir_batch";

/// OpenAI's batches.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenAiBatches;

impl Batching for OpenAiBatches {
    fn name(&self) -> &'static str {
        "openai-batches"
    }

    fn dialects(&self) -> &'static [&'static str] {
        &["openai-chat", "openai-responses"]
    }

    fn wants_one_model(&self) -> bool {
        true
    }

    fn keeps_names(&self) -> bool {
        true
    }

    fn upload(&self, lines: &[Line], endpoint: &Endpoint) -> Result<Option<Encoded>> {
        let mut body = Vec::with_capacity(lines.iter().map(|line| line.body.len() + 160).sum::<usize>() + 512);
        let part = |name: &str, more: &str| {
            format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"{more}\r\n")
        };
        body.extend_from_slice(format!("{}\r\nbatch\r\n", part("purpose", "")).as_bytes());
        let file = part("file", "; filename=\"batch.jsonl\"");
        body.extend_from_slice(format!("{file}content-type: application/jsonl\r\n\r\n").as_bytes());
        for line in lines {
            let head =
                format!(r#"{{"custom_id":{},"method":"POST","url":{},"body":"#, json!(line.id), json!(line.path));
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(&line.body);
            body.extend_from_slice(b"}\n");
        }
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        let mut encoded = Encoded::post_json(versioned(endpoint, "v1", "/files")?, body, Vec::new());
        let kind = HeaderValue::try_from(format!("multipart/form-data; boundary={BOUNDARY}"));
        encoded.headers.insert(CONTENT_TYPE, kind.expect("a header of plain letters"));
        Ok(Some(encoded))
    }

    fn create(&self, lines: &[Line], upload: Option<&str>, name: &str, endpoint: &Endpoint) -> Result<Encoded> {
        let first = lines.first().map(|line| line.path.as_str()).unwrap_or_default();
        let body = json!({
            "input_file_id": upload, "endpoint": first, "completion_window": "24h", "metadata": {NAME: name},
        });
        Ok(Encoded::post_json(versioned(endpoint, "v1", "/batches")?, body.to_string(), Vec::new()))
    }

    fn status(&self, id: &str, endpoint: &Endpoint) -> Result<Encoded> {
        versioned(endpoint, "v1", &format!("/batches/{}", percent(id))).map(get)
    }

    fn cancel(&self, id: &str, endpoint: &Endpoint) -> Result<Encoded> {
        let uri = versioned(endpoint, "v1", &format!("/batches/{}/cancel", percent(id)))?;
        Ok(Encoded::post_json(uri, Bytes::new(), Vec::new()))
    }

    fn list(&self, endpoint: &Endpoint) -> Result<Encoded> {
        versioned(endpoint, "v1", "/batches?limit=100").map(get)
    }

    fn results(&self, batch: &Batch, endpoint: &Endpoint) -> Result<Vec<Encoded>> {
        let file = |id: &String| versioned(endpoint, "v1", &format!("/files/{}/content", percent(id))).map(get);
        batch.files.iter().map(file).collect()
    }

    fn uploaded(&self, answer: Answer<'_>) -> Result<String> {
        required(&read(&answer)?, "id")
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
            let response = &line["response"];
            let answer = match (status(response["status_code"].as_u64()), &line["error"]) {
                (Some(status), _) => Ok((status, response["body"].to_string().into())),
                (None, error) => Err(failed(error)),
            };
            Ok(Answered { id, answer })
        })
    }

    fn accept(&self, asked: Asked<'_>) -> Result<Option<Wanted>> {
        if let Some(rest) = behind(asked.path, "/v1/files") {
            return match rest.trim_start_matches('/').split_once('/') {
                None if asked.method == Method::POST && rest.is_empty() => uploaded(asked.body).map(Some),
                Some((id, "content")) if asked.method == Method::GET => Ok(Some(Wanted::Results(id.to_owned()))),
                _ => Ok(None),
            };
        }
        wanted(behind(asked.path, "/v1/batches"), asked, created)
    }

    fn respond(&self, told: &Told) -> Bytes {
        match told {
            Told::Uploaded(id) => json!({"id": id, "object": "file", "purpose": "batch"}).to_string().into(),
            Told::Batch(batch, _) => written(batch).to_string().into(),
            Told::List(list) => {
                let data: Vec<Value> = list.iter().map(written).collect();
                json!({"object": "list", "data": data, "has_more": false}).to_string().into()
            }
            Told::Results(results) => results.iter().map(line).collect::<String>().into(),
            _ => Bytes::new(),
        }
    }

    fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
        Shape::OpenAi.refuse(error)
    }
}

fn batch(value: &Value) -> Batch {
    let mut batch = Batch::default();
    batch.id = text(value, "id").unwrap_or_default();
    batch.name = text(&value["metadata"], NAME);
    batch.state = match value["status"].as_str().unwrap_or_default() {
        "in_progress" | "finalizing" => State::Running,
        "completed" => State::Done,
        "failed" => State::Failed,
        "expired" => State::Expired,
        "cancelling" => State::Cancelling,
        "cancelled" => State::Cancelled,
        _ => State::Queued,
    };
    let counts = &value["request_counts"];
    let count = |name: &str| counts[name].as_u64().unwrap_or(0);
    (batch.counts.total, batch.counts.done, batch.counts.failed) =
        (count("total"), count("completed"), count("failed"));
    let first = &value["errors"]["data"][0];
    batch.why = text(first, "message").or_else(|| text(first, "code"));
    batch.files = ["output_file_id", "error_file_id"].iter().filter_map(|name| text(value, name)).collect();
    batch
}

/// The error of a line that has no response.
fn failed(error: &Value) -> Error {
    let code = text(error, "code");
    match code.as_deref() {
        Some("batch_expired") => undone("expired"),
        Some("batch_cancelled") => undone("cancelled"),
        _ => {
            let message = text(error, "message").unwrap_or_else(|| "the provider gives no answer and no reason".into());
            let told = Error::new(ErrorKind::Provider, message);
            code.into_iter().fold(told, Error::with_code)
        }
    }
}

/// A line of an upload.
#[derive(serde::Deserialize)]
struct Sent<'a> {
    custom_id: String,
    url: String,
    #[serde(borrow)]
    body: &'a RawValue,
}

fn uploaded(body: &[u8]) -> Result<Wanted> {
    // What the one client of ours, and SDKs, send: the file is the part whose lines begin with braces.
    let lines = body.split(|byte| *byte == b'\n').filter(|line| line.first() == Some(&b'{'));
    let lines = lines.collect::<Vec<_>>().join(&b'\n');
    let read = |line: Value| {
        let line = line.to_string();
        let sent: Sent<'_> = serde_json::from_str(&line).map_err(|_| lacks("custom_id, url or body in a line"))?;
        let body = Bytes::copy_from_slice(sent.body.get().as_bytes());
        Ok(Line { id: sent.custom_id, path: sent.url, headers: http::HeaderMap::new(), body })
    };
    json_lines(&lines, read).map(Wanted::Upload)
}

fn created(body: &[u8]) -> Result<Wanted> {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let upload = text(&value, "input_file_id").ok_or_else(|| lacks("input_file_id"))?;
    Ok(Wanted::Create { upload: Some(upload), lines: Vec::new(), name: text(&value["metadata"], NAME) })
}

fn written(batch: &Batch) -> Value {
    let status = match batch.state {
        State::Running => "in_progress",
        State::Done => "completed",
        State::Failed => "failed",
        State::Expired => "expired",
        State::Cancelling => "cancelling",
        State::Cancelled => "cancelled",
        _ => "validating",
    };
    let errors = batch.why.as_ref().map(|why| json!({"object": "list", "data": [{"code": "invalid", "message": why}]}));
    json!({
        "id": batch.id, "object": "batch", "status": status, "errors": errors, "output_file_id": batch.files.first(),
        "error_file_id": batch.files.get(1), "completion_window": "24h", "metadata": {NAME: batch.name},
        "request_counts": {"total": batch.counts.total, "completed": batch.counts.done, "failed": batch.counts.failed},
    })
}

fn line(one: &Answered) -> String {
    let (response, error) = match &one.answer {
        Ok((status, body)) => {
            let body: Value = serde_json::from_slice(body).unwrap_or_default();
            (json!({"status_code": status.as_u16(), "request_id": one.id, "body": body}), Value::Null)
        }
        Err(error) => (Value::Null, json!({"code": error.code(), "message": error.message()})),
    };
    let line = json!({"id": one.id, "custom_id": one.id, "response": response, "error": error});
    format!("{line}\n")
}
