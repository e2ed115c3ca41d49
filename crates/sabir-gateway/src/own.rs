//! What the gateway answers of its own: that it is there, what it counts, and what it does not serve.

use std::fmt::Write as _;

use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use sabir::drive::Format;
use sabir::transport::{Body, whole};
use sabir::{Error, ErrorKind, dialects};
use serde_json::{Value, json};

use crate::Gateway;
use crate::administrator::NotOne;

/// Answers what no dialect was asked for.
pub(crate) async fn answer(gateway: &Gateway, head: &Parts) -> Response<Body> {
    let path = head.uri.path().trim_end_matches('/');
    let is_get = head.method == Method::GET || head.method == Method::HEAD;
    match path {
        "/healthz" if is_get => json_of(StatusCode::OK, &json!({ "status": "ok" })),
        "/readyz" if is_get && gateway.is_draining() => {
            json_of(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "draining" }))
        }
        "/readyz" if is_get => json_of(StatusCode::OK, &json!({ "status": "ready" })),
        "/metrics" if is_get => metrics(gateway, head).await,
        #[cfg(feature = "config")]
        "/v1/usage" if is_get => crate::usage::own(gateway, head).await,
        "/api/version" if is_get => json_of(StatusCode::OK, &json!({ "version": env!("CARGO_PKG_VERSION") })),
        "" if is_get => whole_of(StatusCode::OK, "text/plain; charset=utf-8", "Sabir is running\n".to_owned()),
        _ => not_served(head),
    }
}

async fn metrics(gateway: &Gateway, head: &Parts) -> Response<Body> {
    match gateway.administrator(head).await {
        Ok(_) => {}
        Err(NotOne::Nobody) if gateway.is_open() => {}
        Err(NotOne::Nobody) => {
            return error(StatusCode::UNAUTHORIZED, "the metrics are for the administrator, and there is none here");
        }
        Err(NotOne::Refused(status, why)) => return error(status, &why),
    }
    let text = gateway.client().metrics().prometheus() + &figures(gateway);
    whole_of(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text)
}

/// What the gateway counts itself, as Prometheus text.
fn figures(gateway: &Gateway) -> String {
    let (ended, given_up) = gateway.leavers().counted();
    let mut text = format!(
        "# HELP sabir_gateway_left_total Answers whose client went away: read to their end, or given up.\n\
         # TYPE sabir_gateway_left_total counter\n\
         sabir_gateway_left_total{{became=\"read\"}} {ended}\n\
         sabir_gateway_left_total{{became=\"given_up\"}} {given_up}\n"
    );
    if let Some(rows) = &gateway.now().rows {
        let _ = write!(
            text,
            "# HELP sabir_gateway_request_log_left_out_total Rows that the log of requests had no room for.\n\
             # TYPE sabir_gateway_request_log_left_out_total counter\n\
             sabir_gateway_request_log_left_out_total {}\n",
            rows.log.left_out()
        );
    }
    text
}

/// A path of a dialect with another method, or a path of nobody, told as the client's dialect tells it.
fn not_served(head: &Parts) -> Response<Body> {
    let (method, path) = (&head.method, head.uri.path());
    let other = if *method == Method::POST { Method::GET } else { Method::POST };
    // What stands behind a colon there is something to be done with a model, and no part of its name.
    let is_action = path.split_once("/v1beta/models/").is_some_and(|(_, model)| model.contains(':'));
    let elsewhere = dialects::spoken(&other, &head.uri, &head.headers);
    if let Some(format) = elsewhere.filter(|format| !(is_action && matches!(format, Format::Models(_)))) {
        let message = format!("{method} is not served at {path}; ask by {other}");
        let error = Error::new(ErrorKind::InvalidRequest, message).with_status(StatusCode::METHOD_NOT_ALLOWED);
        let mut response = refuse(format, &error);
        let allowed = HeaderValue::from_str(other.as_str()).expect("GET or POST");
        response.headers_mut().insert(ALLOW, allowed);
        return response;
    }
    let served: Vec<&str> = dialects::paths().map(|(end, _)| end).filter(|end| *end != "/").collect();
    let near = dialects::providers::nearest(path, served.iter().copied().chain(["/v1/models"]));
    let hint = near.map_or_else(
        || format!("paths may end in {}, /models", served.join(", ")),
        |near| format!("did you mean {near}?"),
    );
    let message = format!("nothing is served at {path}; {hint}");
    match dialects::presumed(&head.uri, &head.headers) {
        Some(dialect) => {
            // Where it has no code of its own, some dialects say that a model is not there.
            let error = Error::new(ErrorKind::NotFound, message).with_status(StatusCode::NOT_FOUND);
            let error = error.with_code("path_not_found");
            refuse(Format::Chat(dialect), &error)
        }
        None => error(StatusCode::NOT_FOUND, &message),
    }
}

/// What HTTP itself has a status for, which most dialects have not: a client reads it whatever the body says.
const OF_HTTP: [StatusCode; 4] = [
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
];

/// A refusal in the client's format. Where the client itself was too slow it says so: in most dialects a timeout is the
/// server's.
pub(crate) fn refuse(format: Format, error: &Error) -> Response<Body> {
    let mut response = format.refuse(error);
    if let Some(status) = error.status().filter(|status| OF_HTTP.contains(status)) {
        *response.status_mut() = status;
    }
    response
}

/// An error in the shape that most clients read.
pub(crate) fn error(status: StatusCode, message: &str) -> Response<Body> {
    let kind = match status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        status if status.is_server_error() => "server_error",
        _ => "invalid_request_error",
    };
    json_of(status, &json!({ "error": { "message": message, "type": kind, "code": null, "param": null } }))
}

pub(crate) fn json_of(status: StatusCode, json: &Value) -> Response<Body> {
    whole_of(status, "application/json", json.to_string())
}

fn whole_of(status: StatusCode, content_type: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(whole(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
