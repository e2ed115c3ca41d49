//! Errors of theirs, read from whatever shape they come in. Services that speak one format have many.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use sabir_core::Error;
use sabir_core::error::{kind_for, said};
use serde_json::Value;

/// The most characters of a message that are kept.
const LONGEST: usize = 1000;
/// The most characters that are kept of a body which is no JSON.
const LONGEST_LINE: usize = 300;

/// The error that an answer without success is.
pub(super) fn decode(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    // Google's streaming front wraps errors in a list.
    let json = json.get(0).unwrap_or(&json);
    let (code, message) = find(json);
    let message = message.unwrap_or_else(|| line(status, body, json.is_null()));
    let mut error = said(status, headers, code.as_deref(), &message);
    if let Some(wait) = retry_delay(json).filter(|_| error.retry_after().is_none()) {
        error = error.with_retry_after(wait);
    }
    let id = ["request_id", "id"].iter().find_map(|name| json.get(*name)?.as_str());
    match id {
        Some(id) if error.request_id().is_none() => error.with_request_id(id),
        _ => error,
    }
}

/// The error that the body of a success is; `None` where it says nothing of one.
pub(super) fn instead(body: &[u8]) -> Option<Error> {
    let json: Value = serde_json::from_slice(body).ok()?;
    let (code, message) = find(json.get(0).unwrap_or(&json));
    let message = message?;
    let error = Error::new(kind_for(0, code.as_deref(), &message), message);
    Some(match code {
        Some(code) => error.with_code(code),
        None => error,
    })
}

/// Code and message, in any of the shapes that were met: `error` an object or a text, `message`, `detail` a text or
/// a list of findings, `msg`.
fn find(json: &Value) -> (Option<String>, Option<String>) {
    let error = &json["error"];
    let code = ["code", "type", "error_type", "status"];
    let codes = code.iter().flat_map(|name| [&error[*name], &json[*name]]).filter_map(scalar);
    // A word tells more than a number that repeats the status.
    let (words, numbers): (Vec<_>, Vec<_>) = codes.partition(|c| !c.bytes().all(|b| b.is_ascii_digit()));
    let code = words.into_iter().find(|word| word != "error").or_else(|| numbers.into_iter().next());
    let nested = ["message", "msg", "detail"].iter().map(|name| &error[*name]);
    let own = [error, &json["message"], &json["detail"], &json["msg"], &json["errors"]];
    (code, nested.chain(own).find_map(words_of))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn words_of(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null | Value::Bool(_) => return None,
        Value::String(text) => text.trim().to_owned(),
        // FastAPI's findings: where (`loc`) and what (`msg`).
        Value::Array(items) => {
            let finding = |item: &Value| {
                let what = item["msg"].as_str().map(str::to_owned).or_else(|| words_of(item))?;
                let place = item["loc"].as_array().map(|steps| {
                    let steps = steps.iter().filter_map(scalar).collect::<Vec<_>>();
                    steps.join(".")
                });
                Some(place.map_or_else(|| what.clone(), |place| format!("{place}: {what}")))
            };
            items.iter().filter_map(finding).collect::<Vec<_>>().join("; ")
        }
        Value::Object(fields) if fields.is_empty() => return None,
        other => other.to_string(),
    };
    Some(short(&text, LONGEST)).filter(|text| !text.is_empty())
}

/// `google.rpc.RetryInfo` in the details of an error: `retryDelay` of `48s`.
fn retry_delay(json: &Value) -> Option<Duration> {
    let delay = json["error"]["details"].as_array()?.iter().find_map(|detail| detail["retryDelay"].as_str())?;
    Duration::try_from_secs_f64(delay.strip_suffix('s')?.parse().ok()?).ok()
}

/// What can be said of a body without a message: the title of a page, or its first line.
fn line(status: StatusCode, body: &[u8], not_json: bool) -> String {
    let status = status.as_u16();
    let text = String::from_utf8_lossy(&body[..body.len().min(64 * 1024)]);
    let lower = text.to_ascii_lowercase();
    let title = lower.find("<title>").and_then(|at| {
        let start = at + "<title>".len();
        Some(text[start..start + lower[start..].find("</title>")?].trim())
    });
    let first = || text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("<!"));
    match title.or_else(first).filter(|_| not_json) {
        Some(words) => short(words, LONGEST_LINE),
        None if text.trim().is_empty() => format!("HTTP {status} with an empty body"),
        None => format!("HTTP {status} with a body that gives no reason"),
    }
}

fn short(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
