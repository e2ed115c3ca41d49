//! The administrator's API, under `/admin/v1`: keys, teams and other policies, usage, the configuration, and the log of
//! changes.

mod audit;
mod change;
mod keys;
mod policies;

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use sabir::config::Live;
use sabir::transport::Body;
use sabir::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};

use crate::Gateway;
use crate::administrator::{NotOne, Who};
use crate::own::{error, json_of};
use crate::usage;
use change::Kind;

/// Changes what a gateway does while it runs: one change at a time.
#[derive(Debug)]
pub(crate) struct Operator {
    live: Live,
    changing: Mutex<()>,
}

impl Operator {
    pub(crate) fn new(live: Live) -> Self {
        Self { live, changing: Mutex::default() }
    }

    pub(crate) fn live(&self) -> &Live {
        &self.live
    }

    /// Until it is dropped nobody else changes anything.
    fn alone(&self) -> std::sync::MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who changes something, and what by.
struct Hand<'a> {
    operator: &'a Operator,
    who: Who,
}

impl Hand<'_> {
    fn live(&self) -> &Live {
        self.operator.live()
    }
}

const ROOT: &str = "/admin/v1";

/// Whether a request is for the administrator's API.
pub(crate) fn is_meant(head: &Parts) -> bool {
    head.uri.path().strip_prefix(ROOT).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers the administrator.
pub(crate) async fn answer(gateway: &Gateway, head: &Parts, body: Result<Bytes>) -> Response<Body> {
    let mut response = match admitted(gateway, head).await {
        Ok(who) => match body {
            Ok(body) => routed(gateway, who, head, body).await,
            Err(wrong) => refused(&wrong),
        },
        Err(response) => *response,
    };
    // New keys are in some answers.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn admitted(gateway: &Gateway, head: &Parts) -> std::result::Result<Who, Box<Response<Body>>> {
    let no = |status, message: &str| Err(Box::new(error(status, message)));
    if gateway.operator().get().is_none() {
        return no(StatusCode::NOT_FOUND, "this gateway follows no configuration, and so has no administrator's API");
    }
    match gateway.administrator(head).await {
        Ok(who) => Ok(who),
        Err(NotOne::Refused(status, why)) => no(status, &why),
        // Also where everybody is let in: a page in a browser on this machine must not be able to change keys.
        Err(NotOne::Nobody) => no(StatusCode::FORBIDDEN, "there is no administrator here; set `gateway.admin_key`"),
    }
}

async fn routed(gateway: &Gateway, who: Who, head: &Parts, body: Bytes) -> Response<Body> {
    let path = head.uri.path().strip_prefix(ROOT).unwrap_or_default().trim_matches('/').to_owned();
    let parts: Vec<&str> = path.split('/').collect();
    let method = head.method.as_str();
    let wanted = match (method, parts.as_slice()) {
        ("GET", ["usage"]) => return usage::of_all(gateway.client(), head).await,
        ("GET", ["keys"]) => Wanted::Keys,
        ("GET", ["config"]) => Wanted::Config,
        ("GET", ["audit"]) => Wanted::Audit,
        ("POST", ["reload"]) => Wanted::Reload,
        ("POST", ["keys"]) => Wanted::Issue,
        ("PATCH", ["keys", name]) => Wanted::Change((*name).to_owned()),
        ("DELETE", ["keys", name]) => Wanted::Revoke((*name).to_owned()),
        ("POST", ["keys", name, "rotate"]) => Wanted::Rotate((*name).to_owned()),
        (method, known) => match policy(method, known) {
            Some(wanted) => wanted,
            None => return not_served(&head.method, known),
        },
    };
    let said = match object(&body) {
        Ok(said) => said,
        Err(wrong) => return refused(&wrong),
    };
    let gateway = gateway.clone();
    // Files are written and read, and commands may be run for keys.
    let done = tokio::task::spawn_blocking(move || done(&gateway, who, wanted, said)).await;
    match done {
        Ok(Ok((status, answer))) => json_of(status, &answer),
        Ok(Err(wrong)) => refused(&wrong),
        Err(_) => error(StatusCode::INTERNAL_SERVER_ERROR, "the change could not be made; look into the server's log"),
    }
}

/// What is asked of teams, routes, budgets, limits and policies.
fn policy(method: &str, path: &[&str]) -> Option<Wanted> {
    let kind = policies::kind(path.first()?)?;
    Some(match (method, &path[1..]) {
        ("GET", []) => Wanted::Policies(kind),
        ("PUT", [name]) => Wanted::SetPolicy(kind, (*name).to_owned()),
        ("PATCH", [name]) => Wanted::ChangePolicy(kind, (*name).to_owned()),
        ("DELETE", [name]) => Wanted::RemovePolicy(kind, (*name).to_owned()),
        _ => return None,
    })
}

enum Wanted {
    Keys,
    Config,
    Audit,
    Reload,
    Issue,
    Change(String),
    Revoke(String),
    Rotate(String),
    Policies(Kind),
    SetPolicy(Kind, String),
    ChangePolicy(Kind, String),
    RemovePolicy(Kind, String),
}

fn done(gateway: &Gateway, who: Who, wanted: Wanted, said: Map<String, Value>) -> Result<(StatusCode, Value)> {
    let operator = gateway.operator().get().expect("it was looked for");
    let _alone = operator.alone();
    let operator = &Hand { operator, who };
    Ok(match wanted {
        Wanted::Keys => (StatusCode::OK, keys::list(&operator.live().config())),
        Wanted::Config => (StatusCode::OK, shown(operator.live())),
        Wanted::Audit => (StatusCode::OK, audit::read(&operator.live().config())?),
        Wanted::Reload => {
            audit::note(&operator.live().config(), &operator.who, "reload", ("", ""), &Value::Null, &Value::Null)?;
            gateway.reload()?;
            (StatusCode::OK, json!({ "status": "reloaded" }))
        }
        Wanted::Issue => (StatusCode::CREATED, keys::issue(gateway, operator, said)?),
        Wanted::Change(name) => (StatusCode::OK, keys::change(gateway, operator, &name, said)?),
        Wanted::Revoke(name) => (StatusCode::OK, keys::revoke(gateway, operator, &name)?),
        Wanted::Rotate(name) => (StatusCode::OK, keys::rotate(gateway, operator, &name, &said)?),
        Wanted::Policies(kind) => (StatusCode::OK, policies::list(&operator.live().config(), kind)?),
        Wanted::SetPolicy(kind, name) => policies::set(gateway, operator, (kind, &name), said)?,
        Wanted::ChangePolicy(kind, name) => (StatusCode::OK, policies::change(gateway, operator, (kind, &name), said)?),
        Wanted::RemovePolicy(kind, name) => (StatusCode::OK, policies::remove(gateway, operator, (kind, &name))?),
    })
}

/// What holds, and where it came from; keys are masked.
fn shown(live: &Live) -> Value {
    let config = live.config();
    let said = config
        .show()
        .iter()
        .map(|shown| json!({ "field": shown.field, "value": shown.value, "source": shown.source.to_string() }));
    let doubts: Vec<String> = config.doubts().iter().map(ToString::to_string).collect();
    json!({ "object": "config", "fields": said.collect::<Vec<_>>(), "doubts": doubts })
}

/// The body as an object; nothing is an empty one.
fn object(body: &Bytes) -> Result<Map<String, Value>> {
    let wrong = |why: String| Error::new(ErrorKind::InvalidRequest, why);
    if body.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(said)) => Ok(said),
        Ok(_) => Err(wrong("the body must be a JSON object".to_owned())),
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            Err(wrong(format!("the body is no JSON: line {line}, column {column}")))
        }
    }
}

fn refused(wrong: &Error) -> Response<Body> {
    let status = wrong.status().unwrap_or(match wrong.kind() {
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::InvalidRequest => StatusCode::BAD_REQUEST,
        // What was sent was read, and does not hold together with the rest.
        ErrorKind::Configuration => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    });
    error(status, wrong.message())
}

fn not_served(method: &Method, path: &[&str]) -> Response<Body> {
    let allowed = match path {
        ["usage" | "config" | "audit"] => "GET",
        ["reload"] | ["keys", _, "rotate"] => "POST",
        ["keys"] => "GET, POST",
        ["keys", _] => "PATCH, DELETE",
        [many] if policies::kind(many).is_some() => "GET",
        [many, _] if policies::kind(many).is_some() => "PUT, PATCH, DELETE",
        _ => {
            let message = "nothing is served there; under /admin/v1 are keys, keys/NAME, keys/NAME/rotate; teams, routes, \
                           budgets, limits, policies and NAME below each; usage, config, reload and audit";
            return error(StatusCode::NOT_FOUND, message);
        }
    };
    let mut response = error(StatusCode::METHOD_NOT_ALLOWED, &format!("{method} is not served here; ask by {allowed}"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}
