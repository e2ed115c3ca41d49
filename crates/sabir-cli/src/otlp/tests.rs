use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sabir::config::{Format, Loader};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tracing_subscriber::prelude::*;

use super::context::Sampler;
use super::{Settings, Spans, json};

fn settings(said: &str, env: &[(&str, &str)]) -> Option<Settings> {
    let config = Loader::new().text("sabir.toml", said, Format::Toml).load().expect("a configuration");
    let env: HashMap<&str, &str> = env.iter().copied().collect();
    Settings::of(&config, |name| env.get(name).map(|value| (*value).to_owned())).expect("settings")
}

/// What is told of the spans that `open` opens, with room for so many.
fn told(room: usize, open: impl FnOnce()) -> (Vec<Value>, u64) {
    let (queue, mut spans) = mpsc::channel(room);
    let left_out = Arc::new(AtomicU64::new(0));
    let seen = Spans::new(queue, left_out.clone(), Sampler::of(None, None, 1.0));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(seen), open);
    let mut all = Vec::new();
    while let Ok(span) = spans.try_recv() {
        all.push(span);
    }
    let request = json::traces(&[("service.name".into(), "test".into())], &all);
    let spans = request["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().expect("a list").clone();
    (spans, left_out.load(Ordering::Relaxed))
}

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn spans_are_told_as_otlp_has_them_and_go_on_with_the_clients_trace() {
    let (spans, _) = told(8, || {
        let outer = tracing::info_span!("request", otel.name = "POST /v1", otel.kind = "server", traceparent = PARENT);
        let inner = outer.in_scope(|| {
            tracing::info_span!(
                "call",
                otel.kind = "client",
                otel.status_code = tracing::field::Empty,
                gen_ai.usage.input_tokens = 7_u64,
                gen_ai.request.temperature = 0.5,
                gen_ai.response.finish_reasons = tracing::field::Empty,
                stream = true,
            )
        });
        inner.record("gen_ai.response.finish_reasons", tracing::field::display("[\"stop\"]"));
        inner.record("gen_ai.usage.input_tokens", 8_u64);
        inner.record("otel.status_code", "ERROR");
        tracing::warn!(parent: &inner, status = 429, "the call failed");
    });
    let [inner, outer] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!(outer["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(
        (&outer["parentSpanId"], &outer["name"], &outer["kind"]),
        (&json!("00f067aa0ba902b7"), &json!("POST /v1"), &json!(2))
    );
    assert_eq!((&inner["traceId"], &inner["parentSpanId"]), (&outer["traceId"], &outer["spanId"]));
    assert_eq!((&inner["name"], &inner["kind"], &inner["status"]), (&json!("call"), &json!(3), &json!({ "code": 2 })));
    assert_eq!(
        inner["attributes"],
        json!([
            { "key": "gen_ai.usage.input_tokens", "value": { "intValue": "8" } },
            { "key": "gen_ai.request.temperature", "value": { "doubleValue": 0.5 } },
            { "key": "stream", "value": { "boolValue": true } },
            { "key": "gen_ai.response.finish_reasons", "value": { "arrayValue": { "values": [{ "stringValue": "stop" }] } } },
        ])
    );
    assert_eq!(
        (&inner["events"][0]["name"], &inner["events"][0]["attributes"][0]["key"]),
        (&json!("the call failed"), &json!("status"))
    );
    let time =
        |span: &Value, name: &str| span[name].as_str().and_then(|text| text.parse::<u64>().ok()).expect("a time");
    assert!(time(outer, "startTimeUnixNano") <= time(inner, "startTimeUnixNano"));
    assert!(time(inner, "startTimeUnixNano") <= time(inner, "endTimeUnixNano"));
    assert!(!outer["attributes"].to_string().contains("traceparent"), "{outer}");
}

#[test]
fn a_trace_that_nobody_wants_is_not_told_and_a_full_queue_holds_nobody_up() {
    let unsampled = PARENT.replace("-01", "-00");
    let (spans, left_out) = told(8, || {
        let outer = tracing::info_span!("request", traceparent = unsampled);
        drop(outer.in_scope(|| tracing::info_span!("call")));
    });
    assert_eq!((spans.len(), left_out), (0, 0));
    let (spans, left_out) = told(2, || (0..5).for_each(|_| drop(tracing::info_span!("request"))));
    assert_eq!((spans.len(), left_out), (2, 3));
}

#[test]
fn the_variables_of_opentelemetry_say_where_to_and_the_configuration_below_them() {
    assert!(settings("", &[]).is_none(), "nobody is told unless that is said");
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://there:4318/");
    let told = settings("", &[endpoint]).expect("told");
    assert_eq!(told.traces.as_deref(), Some("http://there:4318/v1/traces"));
    assert_eq!(told.figures.as_deref(), Some("http://there:4318/v1/metrics"));
    assert_eq!(told.resource[0], ("service.name".to_owned(), "sabir".to_owned()));

    let said = "[gateway.otlp]\nendpoint = \"http://here:4318\"\nmetrics = false\nheaders = { X-Key = \"hush\" }\n";
    let told =
        settings(said, &[("OTEL_SERVICE_NAME", "mine"), ("OTEL_RESOURCE_ATTRIBUTES", "a=b%20c,d=e")]).expect("told");
    assert_eq!((told.traces.as_deref(), told.figures), (Some("http://here:4318/v1/traces"), None));
    let resource = |name: &str| told.resource.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
    assert_eq!((resource("service.name"), resource("a")), (Some("mine"), Some("b c")));
    assert!(told.headers[0].0 == "x-key" && !format!("{:?}", told.headers).contains("hush"));

    let told = settings(
        said,
        &[
            endpoint,
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://own/x"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%3Db"),
        ],
    );
    let told = told.expect("told");
    assert_eq!((told.traces.as_deref(), told.headers[0].1.expose()), (Some("https://own/x"), "a=b"));
    for off in [("OTEL_SDK_DISABLED", "true"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")] {
        assert!(settings("", &[endpoint, off]).is_none(), "{off:?}");
    }
    let told = settings("", &[endpoint, ("OTEL_TRACES_EXPORTER", "none")]).expect("figures");
    assert!(!told.has_traces() && told.metrics);
    let config = Loader::new().load().expect("a configuration");
    let wrong = |name: &str| (name == endpoint.0).then(|| "there:4317".to_owned());
    assert!(Settings::of(&config, wrong).is_err(), "no URL");
}
