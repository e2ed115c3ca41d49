//! One HTTP exchange, with or without a socket: the path finds the dialect, the dialect and the simulator answer, and
//! then things go wrong.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request as HttpRequest, Response, StatusCode, Uri};
use sabir_core::drive::{Format, Host};
use sabir_core::models::{ModelInfo, ModelsRequest, ModelsResponse};
use sabir_core::transport::{Body, BoxFuture, whole};
use sabir_core::{Call, Error, ErrorKind, Reply, Request, Result, Secret, Service, Shared};
use sabir_dialects::{paths, spoken};
use serde_json::json;

use crate::batches;
use crate::counters::Counted;
use crate::fault::Fault;
use crate::play::pause;
use crate::simulator::Simulator;

/// On every answer, so that nobody takes it for a provider's.
const SIMULATED: HeaderName = HeaderName::from_static("x-sabir-simulated");

/// The headers in which clients of any dialect send their key.
const KEY_HEADERS: &[&str] = &["x-api-key", "api-key", "x-goog-api-key"];

/// The simulated server gives no answer.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// It takes no connection.
    Refused,
    /// It took the request and hung up.
    HungUp,
}

/// Answers one request.
pub(crate) async fn exchange(simulator: &Simulator, request: HttpRequest<Bytes>) -> Result<Response<Body>, NoAnswer> {
    let is_health = request.method() == Method::GET && request.uri().path() == "/healthz";
    let batching = sabir_dialects::batches::spoken(request.method(), request.uri(), request.headers());
    if let Some(format) = batching {
        let lets_in = simulator.key().is_none_or(|key| has_key(key, request.headers(), request.uri()));
        let mut response = if lets_in {
            batches::exchange(simulator, format, &request).await
        } else {
            let (status, body) = format.refuse(&wrong_key());
            let mut response = Response::new(whole(body));
            *response.status_mut() = status;
            response
        };
        response.headers_mut().insert(SIMULATED, HeaderValue::from_static("true"));
        return Ok(response);
    }
    let mut response = match spoken(request.method(), request.uri(), request.headers()) {
        Some(format @ Format::Models(_)) => format.serve(&Seat::at(simulator).host(), Call::default(), request).await,
        Some(format) => asked(simulator, format, request).await?,
        None if is_health => answer(StatusCode::OK, &json!({ "status": "ok" })),
        None => answer(StatusCode::NOT_FOUND, &not_served(&request)),
    };
    response.headers_mut().insert(SIMULATED, HeaderValue::from_static("true"));
    Ok(response)
}

async fn asked(simulator: &Simulator, spoken: Format, request: HttpRequest<Bytes>) -> Result<Response<Body>, NoAnswer> {
    if let Some(key) = simulator.key()
        && !has_key(key, request.headers(), request.uri())
    {
        return Ok(spoken.refuse(&wrong_key()));
    }
    seated(simulator, spoken, request).await
}

fn wrong_key() -> Error {
    let message = "this simulator wants a key and the request has another or none; send the one it was started with";
    Error::new(ErrorKind::Authentication, message).with_status(StatusCode::UNAUTHORIZED)
}

/// Answers a request that was let in with another one: a line of a batch.
pub(crate) async fn alone(simulator: &Simulator, request: HttpRequest<Bytes>) -> Result<(StatusCode, Bytes)> {
    let none = |what: &str| Error::new(ErrorKind::Provider, what);
    let format = spoken(request.method(), request.uri(), request.headers());
    let format = format.ok_or_else(|| none("the line's url is none that is served"))?;
    let response = seated(simulator, format, request).await.map_err(|_| none("the script gives no answer"))?;
    let (head, mut body) = response.into_parts();
    let mut all = Vec::new();
    while let Some(piece) = std::future::poll_fn(|cx| body.as_mut().poll_next(cx)).await {
        all.extend_from_slice(&piece?);
    }
    Ok((head.status, all.into()))
}

async fn seated(
    simulator: &Simulator,
    spoken: Format,
    request: HttpRequest<Bytes>,
) -> Result<Response<Body>, NoAnswer> {
    if let Some(field) = simulator.refused_in(request.body()) {
        let message = format!("this simulator was started to refuse {field}");
        let error = Error::new(ErrorKind::InvalidRequest, message).with_status(StatusCode::BAD_REQUEST);
        return Ok(spoken.refuse(&error));
    }
    let mut guard = simulator.enter();
    let key = request.headers().get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    let seat = Seat { format: spoken.name(), key, ..Seat::at(simulator) };
    let wire = seat.wire.clone();
    let mut response = spoken.serve(&seat.host(), Call::default(), request).await;
    let wire = std::mem::take(&mut *wire.lock().unwrap_or_else(PoisonError::into_inner));

    response.headers_mut().extend(wire.headers);
    for fault in &wire.faults {
        let no_answer = match fault {
            Fault::Refuse => Some(NoAnswer::Refused),
            Fault::HangUp => Some(NoAnswer::HungUp),
            _ => None,
        };
        if let Some(no_answer) = no_answer {
            guard.finish();
            return Err(no_answer);
        }
        pause(fault.delay()).await;
        response = fault.apply(response);
    }
    Ok(response.map(|body| Box::pin(Counted::new(body, guard, |_| false)) as Body))
}

/// What a turn does to the bytes.
#[derive(Debug, Default)]
struct Wire {
    headers: HeaderMap,
    faults: Vec<Fault>,
}

/// The simulator as the service of one exchange: leaves what its turn does to the bytes where the exchange finds it.
#[derive(Debug)]
struct Seat {
    simulator: Simulator,
    /// The format that is spoken.
    format: &'static str,
    /// The request's `Idempotency-Key`.
    key: Option<String>,
    wire: Arc<Mutex<Wire>>,
}

impl Seat {
    fn at(simulator: &Simulator) -> Self {
        Self { simulator: simulator.clone(), format: "", key: None, wire: Arc::default() }
    }

    fn host(self) -> Simulated {
        Simulated(Shared::new(self))
    }
}

impl Service for Seat {
    async fn call<'a>(&'a self, _: &'a Call, request: &'a Request) -> Result<Reply> {
        let mut turn = self.simulator.take_turn_once(self.format, self.key.as_deref(), request)?;
        let wire = Wire { headers: std::mem::take(&mut turn.headers), faults: std::mem::take(&mut turn.faults) };
        *self.wire.lock().unwrap_or_else(PoisonError::into_inner) = wire;
        Simulator::perform(&turn, request).await
    }
}

/// Who answers the clients of the simulator.
struct Simulated(Shared);

impl Host for Simulated {
    fn service(&self) -> &Shared {
        &self.0
    }

    fn models(&self, wanted: ModelsRequest) -> BoxFuture<'_, Result<ModelsResponse>> {
        Box::pin(async { Ok(models(wanted)) })
    }
}

/// Whether a request has a key, where any dialect puts one.
fn has_key(key: &Secret, headers: &HeaderMap, uri: &Uri) -> bool {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let bearer = text(AUTHORIZATION.as_str()).and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    let query = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.strip_prefix("key="));
    bearer.into_iter().chain(KEY_HEADERS.iter().filter_map(|name| text(name))).chain(query).any(|k| k == key.expose())
}

fn answer(status: StatusCode, json: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(whole(json.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Any model's name is answered; a list must name one.
fn models(wanted: ModelsRequest) -> ModelsResponse {
    let mut model = ModelInfo::default();
    model.id = wanted.model.unwrap_or_else(|| "simulator".into());
    model.meta.set("openai-models", "owned_by", "sabir".into());
    let mut list = ModelsResponse::default();
    list.models.push(model);
    list
}

fn not_served(request: &HttpRequest<Bytes>) -> serde_json::Value {
    let served: Vec<String> = paths().map(|(path, format)| format!("POST …{path} ({})", format.name())).collect();
    let message = format!(
        "the simulator does not serve {} {}; it serves {}, GET /v1/models, GET /healthz",
        request.method(),
        request.uri().path(),
        served.join(", ")
    );
    json!({ "error": { "message": message, "type": "not_found", "code": "not_found" } })
}
