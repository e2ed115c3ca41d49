//! Servers of the Model Context Protocol behind the gateway's own keys and limits: streamable HTTP at `/mcp/NAME`
//! (specification of 2025-06-18 and later).

mod far;
mod limits;
mod program;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{Method, Response, StatusCode, Uri};
use sabir::config::Config;
use sabir::transport::{Body, whole};
use sabir::{Error, ErrorKind, Result};
use sabir_http::HttpTransport;
use serde_json::json;
use tokio::sync::{Semaphore, watch};

use self::far::Far;
use self::limits::Lots;
use self::program::{Program, Rooms};
use crate::access::Line;
use crate::door::{self, Guest};
use crate::keys::Keys;

/// The most streams at once that wait for what servers say of themselves.
const STREAMS: usize = 1_000;

const ROOT: &str = "/mcp/";

/// The servers that some key may use.
#[derive(Clone, Default)]
pub(crate) struct Servers(Option<Arc<House>>);

struct House {
    http: HttpTransport,
    servers: BTreeMap<String, Server>,
    rooms: Rooms,
    /// What is open to whoever is let in without a key.
    for_all: Vec<String>,
    limits: Lots,
    streams: Arc<Semaphore>,
    closing: Closing,
}

/// Where a server is.
enum Server {
    Far(Box<Far>),
    Program(Arc<Program>),
}

/// Told when the gateway is to end: streams that wait for what may never come would hold it up. Clones are the same.
#[derive(Clone)]
struct Closing(watch::Sender<bool>);

impl Closing {
    fn is_closing(&self) -> bool {
        *self.0.borrow()
    }

    /// Ready when it is to end.
    fn closed(&self) -> impl Future<Output = ()> + Send + Unpin + use<> {
        let mut closing = self.0.subscribe();
        Box::pin(async move { drop(closing.wait_for(|is_closing| *is_closing).await) })
    }
}

/// Whether a request is for one of the servers.
pub(crate) fn is_meant(head: &Parts) -> bool {
    head.uri.path().starts_with(ROOT)
}

impl Servers {
    /// Those that a configuration lets somebody use. What is used of limits stays used, as far as they are the same.
    pub(crate) fn of(config: &Config, before: Option<&Self>) -> Result<Self> {
        let said = &config.gateway;
        let lists = said.keys.values().map(|key| &key.mcp).chain(said.teams.values().map(|team| &team.mcp));
        let used: BTreeSet<&String> = lists.chain([&said.mcp]).flatten().collect();
        if used.is_empty() {
            return Ok(Self(None));
        }
        let before = before.and_then(|before| before.0.as_ref());
        let rooms = before.map(|before| before.rooms.clone()).unwrap_or_default();
        let mut servers = BTreeMap::new();
        for name in used {
            let Some(said) = config.mcp.get(name) else { continue };
            let before = match before.and_then(|before| before.servers.get(name)) {
                Some(Server::Program(before)) => Some(before),
                _ => None,
            };
            let server = match Program::of(name, said, &rooms, before)? {
                Some(program) => Some(Server::Program(program)),
                None => Far::of(name, said)?.map(|far| Server::Far(Box::new(far))),
            };
            servers.extend(server.map(|server| (name.clone(), server)));
        }
        Ok(Self(Some(Arc::new(House {
            http: before.map_or_else(far::transport, |before| Ok(before.http.clone()))?,
            servers,
            rooms,
            for_all: said.mcp.clone(),
            limits: Lots::of(config, before.map(|before| &before.limits)),
            streams: before.map_or_else(|| Arc::new(Semaphore::new(STREAMS)), |before| before.streams.clone()),
            closing: before.map_or_else(|| Closing(watch::Sender::new(false)), |before| before.closing.clone()),
        }))))
    }

    /// Ends the streams that wait for what servers say of themselves, and the sessions in which nothing is under way.
    pub(crate) fn close(&self) {
        let Some(house) = &self.0 else { return };
        house.closing.0.send_replace(true);
        for server in house.servers.values() {
            if let Server::Program(program) = server {
                program.close();
            }
        }
    }

    /// Ready when no program runs any more that was started here.
    pub(crate) async fn are_over(&self) {
        if let Some(house) = &self.0 {
            house.rooms.are_empty().await;
        }
    }

    /// Answers a request to one of them. Its body is read when it is known who asks.
    pub(crate) async fn answer(
        &self,
        keys: Option<&Keys>,
        head: &Parts,
        body: impl Future<Output = Result<Bytes>>,
        line: Option<&Line>,
    ) -> Response<Body> {
        let asked = async {
            let guest = door::let_in(keys, &head.headers, &head.uri)?;
            let name = head.uri.path().strip_prefix(ROOT).unwrap_or_default().trim_end_matches('/');
            if let Some(line) = line {
                line.is_for_mcp(name, guest.name());
            }
            if !is_from_here(head) {
                return Err(refused(StatusCode::FORBIDDEN, "a page of another origin may not ask here"));
            }
            let house = self.0.as_ref().ok_or_else(|| nowhere(name))?;
            house.hand_on(&guest, name, head, body).await
        };
        asked.await.unwrap_or_else(|error| refusal(&error))
    }
}

impl House {
    async fn hand_on(
        &self,
        guest: &Guest,
        name: &str,
        head: &Parts,
        body: impl Future<Output = Result<Bytes>>,
    ) -> Result<Response<Body>> {
        if !guest.may_use(name, &self.for_all) {
            // The same for what is not there: names of servers are not for everybody.
            return Err(nowhere(name));
        }
        let server = self.servers.get(name).ok_or_else(|| nowhere(name))?;
        match head.method {
            Method::POST => {
                // Its place is taken as long as its answer goes on.
                let place = self.limits.admit(guest, name).await?;
                let answer = self.ask(server, guest, head, body.await?).await?;
                Ok(answer.map(|body| Box::pin(body.map(move |piece| (piece, &place).0)) as Body))
            }
            Method::GET => {
                let place = self.streams.clone().try_acquire_owned();
                let place = place.map_err(|_| {
                    refused(StatusCode::SERVICE_UNAVAILABLE, "too many streams are open here; try again later")
                })?;
                let answer = self.ask(server, guest, head, Bytes::new()).await?;
                let closed = self.closing.closed();
                let until_then =
                    move |body: Body| Box::pin(body.take_until(closed).map(move |piece| (piece, &place).0)) as Body;
                Ok(answer.map(until_then))
            }
            Method::DELETE => self.ask(server, guest, head, Bytes::new()).await,
            _ => Err(refused(StatusCode::METHOD_NOT_ALLOWED, "ask by POST, GET or DELETE")),
        }
    }

    async fn ask(&self, server: &Server, guest: &Guest, head: &Parts, body: Bytes) -> Result<Response<Body>> {
        match server {
            Server::Far(far) => far.ask(&self.http, head, body).await,
            Server::Program(program) => program.ask(guest.name(), head, body, &self.closing).await,
        }
    }
}

/// Whether a request is of no page in a browser, or of one on this machine. A page elsewhere may reach a gateway that asks
/// for no key by a name of its own that leads to this machine; the protocol wants that refused.
fn is_from_here(head: &Parts) -> bool {
    let Some(origin) = head.headers.get(ORIGIN) else { return true };
    let Some(uri) = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok()) else { return false };
    let host = uri.host().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn nowhere(name: &str) -> Error {
    let message = format!("there is no MCP server {name:?} here that this key may use");
    refused(StatusCode::NOT_FOUND, message)
}

fn refused(status: StatusCode, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidRequest, message).with_status(status)
}

/// A refusal: a status, and an error of JSON-RPC that answers no request of its own.
fn refusal(error: &Error) -> Response<Body> {
    let status = error.status().unwrap_or(match error.kind() {
        ErrorKind::InvalidRequest => StatusCode::BAD_REQUEST,
        ErrorKind::RateLimit => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    });
    let code = error.code().and_then(|code| code.parse().ok()).unwrap_or(-32_000_i64);
    let said = json!({ "jsonrpc": "2.0", "id": null, "error": { "code": code, "message": error.message() } });
    let mut response = Response::new(whole(said.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("POST, GET, DELETE"));
    }
    if let Some(wait) = error.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)));
    }
    response
}
