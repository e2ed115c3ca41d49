//! The formats in which providers take batches of conversations.

mod anthropic;
mod gemini;
mod openai;
#[cfg(test)]
mod tests;

use http::{HeaderMap, Method, StatusCode, Uri};
use sabir_core::batch::{Batch, Batching, Wanted};
use sabir_core::dialect::{Answer, Asked, unreadable};
use sabir_core::{Error, ErrorKind, Result};
use serde_json::Value;

pub use anthropic::AnthropicBatches;
pub use gemini::GeminiBatches;
pub use openai::OpenAiBatches;

/// The formats for batches.
pub fn all() -> &'static [&'static dyn Batching] {
    &[&OpenAiBatches, &AnthropicBatches, &GeminiBatches]
}

/// The format of this name.
pub fn of(name: &str) -> Option<&'static dyn Batching> {
    all().iter().copied().find(|format| format.name() == name)
}

/// The format in which batches are asked for at a path; `None` where none are.
pub fn spoken(method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<&'static dyn Batching> {
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let asked = Asked { method, path, headers, body: &[] };
    // What is wrong with the body is told when it is read.
    all().iter().copied().find(|format| !matches!(format.accept(asked), Ok(None)))
}

/// The path without its query, and its steps behind the last one of this name.
fn behind<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let at = path.rfind(name)?;
    let rest = &path[at + name.len()..];
    (rest.is_empty() || rest.starts_with(['/', ':'])).then_some(rest)
}

/// What is asked for at these steps behind the path of the batches; `created` reads what a new one is made of.
fn wanted(rest: Option<&str>, asked: Asked<'_>, created: impl Fn(&[u8]) -> Result<Wanted>) -> Result<Option<Wanted>> {
    let Some(rest) = rest else { return Ok(None) };
    let (get, post) = (asked.method == Method::GET, asked.method == Method::POST);
    Ok(match rest.trim_start_matches('/').split_once('/') {
        None if rest.is_empty() && get => Some(Wanted::List),
        None if rest.is_empty() && post => Some(created(asked.body)?),
        None if get => Some(Wanted::Status(rest[1..].to_owned())),
        Some((id, "cancel")) if post => Some(Wanted::Cancel(id.to_owned())),
        _ => None,
    })
}

/// The batches of an answer, which has them under this name.
fn listed(answer: &Answer<'_>, name: &str, batch: impl Fn(&Value) -> Batch) -> Result<Vec<Batch>> {
    let list: Value = super::exchange::read(answer)?;
    Ok(list[name].as_array().into_iter().flatten().map(batch).collect())
}

/// The lines of a body of one JSON object a line, each read. Empty lines are none.
fn json_lines<T>(body: &[u8], read: impl Fn(Value) -> Result<T>) -> Result<Vec<T>> {
    let lines = body.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
    lines
        .map(|(at, line)| {
            let value = serde_json::from_slice(line).map_err(|e| unreadable(&format!("line {} of it", at + 1), &e))?;
            read(value)
        })
        .collect()
}

/// Reads results, a JSON object a line.
fn answer_lines<T>(answer: &Answer<'_>, read: impl Fn(Value) -> Result<T>) -> Result<Vec<T>> {
    if !answer.status.is_success() {
        return Err(super::exchange::refused(answer));
    }
    json_lines(answer.body, read)
}

/// A text of an object.
fn text(value: &Value, name: &str) -> Option<String> {
    value[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A text that must be there.
fn required(value: &Value, name: &str) -> Result<String> {
    text(value, name).ok_or_else(|| Error::new(ErrorKind::Decode, format!("the answer has no {name}")))
}

/// What was asked for, and is not there.
fn lacks(what: &str) -> Error {
    Error::new(ErrorKind::InvalidRequest, format!("the body has no {what}")).with_status(StatusCode::BAD_REQUEST)
}

/// The error of a line that was not worked on.
fn undone(why: &str) -> Error {
    let kind = if why == "expired" { ErrorKind::Timeout } else { ErrorKind::Cancelled };
    Error::new(kind, format!("the batch was {why} before this was done")).with_code(format!("batch_{why}"))
}

/// A status as the wire has it.
fn status(number: Option<u64>) -> Option<StatusCode> {
    StatusCode::from_u16(u16::try_from(number?).ok()?).ok()
}
