//! OTLP in JSON: identifiers are hexadecimal, whole numbers are text, kinds are numbers.

use serde_json::{Map, Value, json};

use super::context::Context;

/// A span that is over.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) context: Context,
    pub(super) parent: Option<u64>,
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Nanoseconds since 1970.
    pub(super) begun: u64,
    pub(super) ended: u64,
    pub(super) attributes: Vec<(&'static str, Value)>,
    pub(super) events: Vec<Happened>,
    pub(super) has_failed: bool,
}

/// What happened in a span.
#[derive(Debug)]
pub(super) struct Happened {
    pub(super) time: u64,
    pub(super) name: String,
    pub(super) attributes: Vec<(&'static str, Value)>,
}

/// On which side of a call a span is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Internal = 1,
    Server = 2,
    Client = 3,
}

impl Span {
    fn json(&self) -> Value {
        let mut span = Map::new();
        span.insert("traceId".into(), format!("{:032x}", self.context.trace).into());
        span.insert("spanId".into(), format!("{:016x}", self.context.span).into());
        if let Some(parent) = self.parent {
            span.insert("parentSpanId".into(), format!("{parent:016x}").into());
        }
        span.insert("name".into(), self.name.as_str().into());
        span.insert("kind".into(), (self.kind as u8).into());
        span.insert("startTimeUnixNano".into(), self.begun.to_string().into());
        span.insert("endTimeUnixNano".into(), self.ended.to_string().into());
        span.insert("attributes".into(), attributes(&self.attributes));
        let events = self.events.iter().map(|event| {
            json!({
                "timeUnixNano": event.time.to_string(),
                "name": event.name,
                "attributes": attributes(&event.attributes),
            })
        });
        span.insert("events".into(), events.collect());
        // 2 is an error; that all went well is for others to say.
        span.insert("status".into(), if self.has_failed { json!({ "code": 2 }) } else { json!({}) });
        Value::Object(span)
    }
}

/// A request to export spans.
pub(super) fn traces(resource: &[(String, String)], spans: &[Span]) -> Value {
    let spans: Vec<Value> = spans.iter().map(Span::json).collect();
    json!({ "resourceSpans": [{ "resource": self::resource(resource), "scopeSpans": [{ "scope": scope(), "spans": spans }] }] })
}

/// A request to export figures.
pub(super) fn metrics(resource: &[(String, String)], metrics: &[Value]) -> Value {
    json!({ "resourceMetrics": [{
        "resource": self::resource(resource),
        "scopeMetrics": [{ "scope": scope(), "metrics": metrics }],
    }] })
}

fn resource(said: &[(String, String)]) -> Value {
    let attributes: Vec<Value> =
        said.iter().map(|(name, value)| json!({ "key": name, "value": { "stringValue": value } })).collect();
    json!({ "attributes": attributes })
}

fn scope() -> Value {
    json!({ "name": "sabir", "version": env!("CARGO_PKG_VERSION") })
}

/// Names and values, as pairs.
pub(super) fn attributes(said: &[(&'static str, Value)]) -> Value {
    said.iter().map(|(name, value)| json!({ "key": name, "value": any(value) })).collect()
}

/// `AnyValue`.
fn any(value: &Value) -> Value {
    match value {
        Value::Bool(is_so) => json!({ "boolValue": is_so }),
        Value::Number(number) if number.is_f64() => json!({ "doubleValue": number }),
        Value::Number(number) => json!({ "intValue": number.to_string() }),
        Value::Array(values) => json!({ "arrayValue": { "values": values.iter().map(any).collect::<Vec<_>>() } }),
        Value::String(text) => json!({ "stringValue": text }),
        other => json!({ "stringValue": other.to_string() }),
    }
}
