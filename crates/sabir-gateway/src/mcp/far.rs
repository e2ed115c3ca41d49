//! A server at an address: what it is asked and answers goes through, with its own credentials for the client's.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri};
use sabir::config::McpConfig;
use sabir::transport::{Body, Timeouts, Transport as _};
use sabir::{Error, ErrorKind, Result};
use sabir_http::HttpTransport;

use super::refused;

/// How long it may take to be connected to.
const CONNECT: Duration = Duration::from_secs(10);
/// What the protocol's own headers begin with: the session, the version, and what later versions add.
const OWN: &str = "mcp-";

/// What of a request goes on. All else is between the client and the gateway: credentials first of all.
const ASKED: [HeaderName; 3] = [ACCEPT, CONTENT_TYPE, HeaderName::from_static("last-event-id")];
/// What of an answer goes on.
const ANSWERED: [HeaderName; 4] = [CONTENT_TYPE, CACHE_CONTROL, ALLOW, RETRY_AFTER];

/// What carries requests. Streams may be silent for as long as there is nothing to say.
pub(super) fn transport() -> Result<HttpTransport> {
    let limits = Timeouts {
        connect: Some(CONNECT),
        first_byte: Some(Duration::MAX),
        idle: Some(Duration::MAX),
        ..Timeouts::default()
    };
    HttpTransport::builder().timeouts(limits).build()
}

/// A server at an address.
pub(super) struct Far {
    name: String,
    uri: Uri,
    headers: HeaderMap,
    timeout: Duration,
}

impl Far {
    /// `None` where it is a program and at no address.
    pub(super) fn of(name: &str, said: &McpConfig) -> Result<Option<Self>> {
        let Some(url) = &said.url else { return Ok(None) };
        let wrong = |what: String| Error::new(ErrorKind::Configuration, format!("mcp.{name}.{what}"));
        let uri = url.0.parse().map_err(|_| wrong("url: is no address".to_owned()))?;
        let mut headers = HeaderMap::new();
        for (header, secret) in &said.headers {
            let key: HeaderName =
                header.parse().map_err(|_| wrong(format!("headers: {header:?} is no name of a header")))?;
            let mut value = HeaderValue::from_str(secret.resolve()?.expose())
                .map_err(|_| wrong(format!("headers.{header}: cannot stand in a header")))?;
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        Ok(Some(Self { name: name.to_owned(), uri, headers, timeout: said.timeout }))
    }

    /// Hands a request on.
    pub(super) async fn ask(&self, http: &HttpTransport, head: &Parts, body: Bytes) -> Result<Response<Body>> {
        let mut request = Request::new(body);
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = self.uri.clone();
        let goes = |name: &HeaderName| ASKED.contains(name) || name.as_str().starts_with(OWN);
        *request.headers_mut() = picked(&head.headers, goes);
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        if head.method != Method::GET {
            request.extensions_mut().insert(Timeouts { total: Some(self.timeout), ..Timeouts::default() });
        }
        let (mut answer, body) = http.send(request).await.map_err(|error| self.unreached(&error))?.into_parts();
        if answer.status.is_redirection() {
            return Err(refused(StatusCode::BAD_GATEWAY, format!("the MCP server {} sends elsewhere", self.name)));
        }
        if answer.status == StatusCode::UNAUTHORIZED {
            // The client's own key was right; a new one would not help it.
            let message = format!("the MCP server {} does not take the gateway's credentials", self.name);
            return Err(refused(StatusCode::BAD_GATEWAY, message));
        }
        let goes = |name: &HeaderName| ANSWERED.contains(name) || name.as_str().starts_with(OWN);
        answer.headers = picked(&answer.headers, goes);
        let mut response = Response::new(body);
        (*response.status_mut(), *response.headers_mut()) = (answer.status, answer.headers);
        Ok(response)
    }

    /// Where it is, is the operator's affair.
    fn unreached(&self, error: &Error) -> Error {
        let (kind, what) = match error.kind() {
            ErrorKind::Timeout => (ErrorKind::Timeout, "does not answer in time"),
            _ => (ErrorKind::Network, "cannot be reached"),
        };
        Error::new(kind, format!("the MCP server {} {what}", self.name))
    }
}

fn picked(headers: &HeaderMap, goes: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    let mut picked = HeaderMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| goes(name)) {
        picked.append(name.clone(), value.clone());
    }
    picked
}
