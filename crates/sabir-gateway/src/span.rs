//! A span for each request, around those of its calls, which goes on with the trace of its client.

use futures_util::StreamExt as _;
use http::request::Parts;
use http::{Response, StatusCode};
use sabir::transport::Body;
use tracing::Span;
use tracing::field::{Empty, display};

use crate::door::Guest;

/// Opens the span of a request (target `sabir_gateway`), by the conventions for HTTP servers
/// (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>). Its field `traceparent` is what the client sent, for
/// whoever tells of it. Without a subscriber it is none.
pub(crate) fn begin(head: &Parts, id: &str) -> Span {
    let span = tracing::info_span!(
        target: "sabir_gateway",
        "request",
        otel.name = Empty,
        otel.kind = "server",
        otel.status_code = Empty,
        error.type = Empty,
        http.request.method = head.method.as_str(),
        http.response.status_code = Empty,
        // Without the query, in which some clients send their key.
        url.path = head.uri.path(),
        sabir.request_id = id,
        sabir.key = Empty,
        sabir.team = Empty,
        traceparent = head.headers.get("traceparent").and_then(|value| value.to_str().ok()),
    );
    if !span.is_disabled() {
        span.record("otel.name", display(format_args!("{} {}", head.method, head.uri.path())));
    }
    span
}

/// Whose request it is.
pub(crate) fn is_of(span: &Span, guest: &Guest) {
    for (name, value) in [("sabir.key", guest.name()), ("sabir.team", guest.team())] {
        if let Some(value) = value {
            span.record(name, value);
        }
    }
}

/// Ends a span with its answer's body.
pub(crate) fn until_end(span: &Span, response: Response<Body>) -> Response<Body> {
    answered(span, response.status());
    if span.is_disabled() {
        return response;
    }
    let span = span.clone();
    response.map(|body| {
        Box::pin(body.inspect(move |_| {
            // Held as long as the body is.
            let _ = &span;
        })) as Body
    })
}

/// With which status it was answered. What is the client's own fault is no failure of a server's span.
pub(crate) fn answered(span: &Span, status: StatusCode) {
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", status.as_str());
    }
}
