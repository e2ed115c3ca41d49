//! What the command writes: answers to standard output, everything else to standard error.

use std::io::{self, Write as _};

use sabir::chat::{Content, Event, Usage};
use sabir::{ChatResponse, Error};
use serde_json::{Map, Value, json};

use crate::failure::Failure;

/// Writes to standard output at once.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| Failure::io("cannot write the answer", &e))
}

/// Writes bytes to standard output.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|e| Failure::io("cannot write the result", &e))
}

/// Writes one JSON value and a line end.
pub(crate) fn print_json(value: &Value) -> Result<(), Failure> {
    print(&format!("{value}\n"))
}

/// Writes a line to standard error. Nothing can be done where that is closed.
pub(crate) fn notice(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes to standard error without a line end.
pub(crate) fn whisper(text: &str) {
    let mut err = io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

/// An answer as one JSON object.
pub(crate) fn answer(response: &ChatResponse) -> Value {
    let mut object = json!({
        "id": response.id,
        "model": response.model,
        "text": response.text(),
        "reasoning": response.reasoning(),
        "tool_calls": response.tool_calls().map(|call| json!({
            "id": call.id,
            "name": call.name,
            "arguments": serde_json::from_str::<Value>(&call.arguments).ok(),
            "arguments_raw": call.arguments,
        })).collect::<Vec<_>>(),
        "finish_reason": response.finish.reason,
        "finish_reason_raw": response.finish.raw.as_deref().map(raw_word),
        "usage": usage(&response.usage),
        "parts": response.parts,
        "losses": response.losses,
    });
    let optional = [
        ("provider", (!response.provider.is_empty()).then(|| json!(response.provider))),
        ("refusal", response.refusal().map(Value::from)),
        ("cost", response.cost.map(|cost| json!(cost))),
        ("request_id", response.request_id.as_ref().map(|id| json!(id))),
        (
            "latency_ms",
            response.latency.map(|latency| {
                json!({
                    "first": latency.first.map(|d| d.as_secs_f64() * 1000.0),
                    "total": latency.total.as_secs_f64() * 1000.0,
                })
            }),
        ),
        ("rate_limits", (!response.rate_limits.is_empty()).then(|| json!(response.rate_limits))),
        ("meta", (!response.meta.is_empty()).then(|| json!(response.meta))),
    ];
    for (name, value) in optional {
        if let (Some(value), Some(object)) = (value, object.as_object_mut()) {
            object.insert(name.to_owned(), value);
        }
    }
    object
}

/// A provider's own word; some answer with numbers where they are asked to.
fn raw_word(word: &str) -> Value {
    word.parse::<u32>().map_or_else(|_| word.into(), Value::from)
}

/// An error as one JSON object.
pub(crate) fn error(error: &Error) -> Value {
    json!({ "error": {
        "kind": error.kind(),
        "status": error.status().map(|s| s.as_u16()),
        "code": error.code(),
        "message": error.message(),
        "retry_after": error.retry_after().map(|d| d.as_secs_f64()),
        "retryable": error.is_retryable(),
        "stage": error.stage(),
        "request_id": error.request_id(),
        "partial": error.partial().map(answer),
    } })
}

/// The disjoint buckets, and the totals; null where unknown.
pub(crate) fn usage(usage: &Usage) -> Value {
    let mut buckets = match json!(usage) {
        Value::Object(buckets) => buckets,
        _ => Map::new(),
    };
    buckets.insert("input_total".into(), json!(usage.input_total()));
    buckets.insert("output_total".into(), json!(usage.output_total()));
    Value::Object(buckets)
}

/// An event as one JSON object.
pub(crate) fn event(event: &Event) -> Value {
    match event {
        Event::Start { id, model } => json!({ "type": "start", "id": id, "model": model }),
        Event::Text(delta) => json!({ "type": "text", "delta": delta }),
        Event::Reasoning(delta) => json!({ "type": "reasoning", "delta": delta }),
        Event::PartEnd { signature, meta } => json!({ "type": "part_end", "signature": signature, "meta": meta }),
        Event::ToolStart { index, id, name } => json!({ "type": "tool_start", "index": index, "id": id, "name": name }),
        Event::ToolArguments { index, fragment } => {
            json!({ "type": "tool_arguments", "index": index, "fragment": fragment })
        }
        Event::ToolEnd { index, call, meta } => {
            json!({ "type": "tool_end", "index": index, "call": call, "meta": meta })
        }
        Event::Part(part) => json!({ "type": "part", "part": part }),
        Event::Usage(u) => json!({ "type": "usage", "usage": usage(u) }),
        Event::Done(response) => json!({ "type": "done", "response": answer(response) }),
        other => json!({ "type": "other", "debug": format!("{other:?}") }),
    }
}

/// A line about a part that is neither text nor reasoning, for people.
pub(crate) fn part_in_words(content: &Content) -> Option<String> {
    match content {
        Content::Citation(c) => {
            Some(format!("[source] {}", c.url.as_deref().or(c.title.as_deref()).unwrap_or("(unnamed)")))
        }
        Content::Refusal { text } => Some(format!("[refusal] {text}")),
        Content::ServerToolUse(tool) => Some(format!("[provider tool] {} {}", tool.name, tool.input)),
        Content::Image(_) => Some("[image]".to_owned()),
        Content::Audio(_) => Some("[audio]".to_owned()),
        _ => None,
    }
}
