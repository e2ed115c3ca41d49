//! Anything that a provider has, at `/raw/PROVIDER/…`: the gateway's key is checked and the provider's put in its place.
//!
//! What is asked at a path of a known format is answered as anywhere else, by this provider. All else is sent on as it is
//! and not read: it counts against limits, stands in ledger and access log, and what it costs is not known.

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, COOKIE, EXPECT, FORWARDED, HOST, HeaderMap, SET_COOKIE,
};
use http::request::Parts;
use http::{Response, StatusCode, Uri};
use sabir::drive::Format;
use sabir::raw::RawRequest;
use sabir::transport::{Body, whole};
use sabir::{Call, Error, ErrorKind, Registry, Reply, Request, Result, Service as _, Shared, Stage};
use sabir_http::listen::strip;

use crate::door::Guest;

/// What the paths begin with.
const PREFIX: &str = "/raw/";

/// Headers that are the client's and the gateway's, and not the provider's business: keys first of all.
const OURS: [&str; 3] = ["x-api-key", "api-key", "x-goog-api-key"];

/// The names that keys have in queries.
const KEYS_IN_QUERIES: [&str; 5] = ["key", "api_key", "api-key", "apikey", "access_token"];

/// A request to one provider.
#[derive(Debug)]
pub(crate) struct Raw {
    /// The provider's id, as the client writes it.
    pub(crate) provider: String,
    /// The path behind it, and the query.
    pub(crate) rest: Uri,
}

impl Raw {
    /// What a path asks for; `None` for a path that is none of these.
    ///
    /// # Errors
    /// `InvalidRequest` for a path that somebody may read otherwise than it is written.
    pub(crate) fn of(uri: &Uri) -> Option<Result<Self>> {
        let (provider, path) = uri.path().strip_prefix(PREFIX)?.split_once('/')?;
        Some(checked(path).and_then(|()| {
            let query: Vec<&str> = uri.query().into_iter().flat_map(|query| query.split('&')).collect();
            let kept: Vec<&str> = query.into_iter().filter(|pair| !is_key(pair)).collect();
            let joint = if kept.is_empty() { "" } else { "?" };
            let rest = format!("/{path}{joint}{}", kept.join("&")).parse().map_err(|_| faulty("the path"))?;
            // Some clients write a colon as `%3A`.
            Ok(Self { provider: provider.replace("%3A", ":").replace("%3a", ":"), rest })
        }))
    }

    /// The format in which something is asked that is read, and who is asked: where the provider is known to speak it.
    pub(crate) fn format(&self, head: &Parts, registry: &Registry) -> Option<(Format, String)> {
        let format = sabir::dialects::spoken(&head.method, &self.rest, &head.headers)?;
        match format {
            // Of models the provider's own list is wanted.
            Format::Models(_) => None,
            Format::Chat(dialect) => {
                let speaks = |id: &str| match registry.get(id) {
                    Ok(provider) => provider.dialect().is_some_and(|spoken| spoken.name() == dialect.name()),
                    // A service of the program's own takes what it is given.
                    Err(_) => registry.contains(id),
                };
                let also = format!("{}:{}", self.provider, dialect.name());
                let id = [self.provider.clone(), also].into_iter().find(|id| speaks(id))?;
                Some((format, id))
            }
            _ => Some((format, self.provider.clone())),
        }
    }

    /// Sends it on, for somebody who may.
    pub(crate) async fn send(self, service: &Shared, call: Call, head: Parts, body: Bytes) -> Result<Response<Body>> {
        let mut headers = head.headers;
        without_ours(&mut headers);
        let path = self.rest.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::Raw(Box::new(RawRequest::new(head.method, path, headers, body)));
        let Reply::Raw(reply) = service.call(&call, &request).await? else {
            return Err(Error::new(ErrorKind::Provider, "a service answered a raw request with something else"));
        };
        let mut response = Response::new(reply.body);
        *response.status_mut() = reply.status;
        *response.headers_mut() = reply.headers;
        strip(response.headers_mut());
        // Its length is another where it was packed, and its cookies are for whoever has the provider's key.
        for name in [CONTENT_LENGTH, SET_COOKIE] {
            response.headers_mut().remove(name);
        }
        without_names(response.headers_mut(), |name| name.starts_with("x-sabir-"));
        Ok(response)
    }
}

/// Whether raw requests are open to somebody.
///
/// # Errors
/// `Permission` where they are not.
pub(crate) fn are_open(guest: &Guest, to_all: bool) -> Result<()> {
    if to_all || guest.may_raw() {
        return Ok(());
    }
    let message = "raw requests are not open here; `raw = true` opens them, for the gateway, a key or a team";
    let error = Error::new(ErrorKind::Permission, message).with_status(StatusCode::FORBIDDEN);
    Err(error.with_stage(Stage::NotSent))
}

/// Whether somebody may ask all models of a provider, by the name that was asked or by its own, since of what is not read it is not known which one it names.
///
/// # Errors
/// `Permission` where it may not.
pub(crate) fn may_all(guest: &Guest, asked: &str, provider: &str) -> Result<()> {
    guest.may_ask(&format!("{asked}/*"), provider, "*")
}

/// An error in no format of a provider's.
pub(crate) fn refuse(error: &Error) -> Response<Body> {
    let status = error.status().unwrap_or(match error.kind() {
        ErrorKind::InvalidRequest | ErrorKind::Unsupported => StatusCode::BAD_REQUEST,
        ErrorKind::Authentication => StatusCode::UNAUTHORIZED,
        ErrorKind::Permission => StatusCode::FORBIDDEN,
        ErrorKind::NotFound | ErrorKind::Configuration => StatusCode::NOT_FOUND,
        ErrorKind::RateLimit | ErrorKind::Quota | ErrorKind::BudgetExceeded => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    });
    let said = serde_json::json!({ "error": { "message": error.message(), "type": error.kind().as_str() } });
    let mut response = Response::new(whole(said.to_string()));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    if let Some(wait) = error.retry_after() {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        response.headers_mut().insert(http::header::RETRY_AFTER, seconds.into());
    }
    response
}

/// Takes out keys, what is of the connection, and what was said of the way here.
fn without_ours(headers: &mut HeaderMap) {
    strip(headers);
    for name in [HOST, CONTENT_LENGTH, ACCEPT_ENCODING, AUTHORIZATION, COOKIE, EXPECT, FORWARDED] {
        headers.remove(name);
    }
    without_names(headers, |name| {
        OURS.contains(&name) || name.starts_with("x-forwarded-") || name.starts_with("x-sabir-") || name == "x-real-ip"
    });
}

fn without_names(headers: &mut HeaderMap, is_out: impl Fn(&str) -> bool) {
    let out: Vec<_> = headers.keys().filter(|name| is_out(name.as_str())).cloned().collect();
    for name in out {
        headers.remove(name);
    }
}

/// A path that every server on the way reads alike: nothing in it goes up or is empty, and nothing is written in escapes
/// that need not be, which could be a slash, or the path of a format, in disguise.
fn checked(path: &str) -> Result<()> {
    let mut escapes = path.split('%').skip(1);
    // RFC 3986 §2.3: what is unreserved is written as it is.
    let is_disguised = escapes.any(|escape| {
        let byte = escape.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        byte.is_none_or(|byte| byte.is_ascii_alphanumeric() || byte < b' ' || b"-._~/\\%".contains(&byte))
    });
    let is_odd = |segment: &str| matches!(segment, "" | "." | "..") || segment.contains(['\\', ';']);
    if is_disguised || path.trim_end_matches('/').split('/').any(is_odd) {
        return Err(faulty("a path with empty, `.` or `..` parts, or with escapes for what needs none,"));
    }
    Ok(())
}

fn is_key(pair: &str) -> bool {
    let name = pair.split_once('=').map_or(pair, |(name, _)| name).to_ascii_lowercase();
    let name = name.replace("%5f", "_").replace("%2d", "-");
    KEYS_IN_QUERIES.contains(&name.as_str())
        || name.contains('%') && KEYS_IN_QUERIES.contains(&unescaped(&name).as_str())
}

/// Letters that are written as `%6b`.
fn unescaped(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16));
        match byte {
            b'%' => match (digit(), digit()) {
                (Some(high), Some(low)) => out.push(u8::try_from(high * 16 + low).unwrap_or(b'?')),
                _ => out.push(b'?'),
            },
            other => out.push(other),
        }
    }
    String::from_utf8_lossy(&out).to_ascii_lowercase()
}

fn faulty(what: &str) -> Error {
    let message = format!("{what} cannot be sent on; write it plainly");
    Error::new(ErrorKind::InvalidRequest, message).with_status(StatusCode::BAD_REQUEST).with_stage(Stage::NotSent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(uri: &'static str) -> Option<String> {
        Raw::of(&Uri::from_static(uri))?.ok().map(|raw| format!("{} {}", raw.provider, raw.rest))
    }

    #[test]
    fn a_path_names_a_provider_and_what_is_behind_it() {
        assert_eq!(rest("/raw/openai/v1/files?limit=2&key=k1").as_deref(), Some("openai /v1/files?limit=2"));
        assert_eq!(rest("/raw/openai/v1/files?%6Bey=k1&API_KEY=2").as_deref(), Some("openai /v1/files"));
        assert_eq!(
            rest("/raw/gemini/v1beta/models/m:embed?monkey=1").as_deref(),
            Some("gemini /v1beta/models/m:embed?monkey=1")
        );
        assert_eq!(rest("/raw/ollama%3Achat/v1/x/").as_deref(), Some("ollama:chat /v1/x/"));
        assert!(Raw::of(&Uri::from_static("/v1/files")).is_none() && Raw::of(&Uri::from_static("/raw/x")).is_none());
        for hidden in [
            "/raw/p/../x", "/raw/p/v1/%2e%2E/x", "/raw/p/v1%2fx", "/raw/p/v1%5Cx", "/raw/p//x", "/raw/p/v1/./x",
            "/raw/p/a%252e/x", "/raw/p/v1;x/y",
        ] {
            let refused = Raw::of(&Uri::from_static(hidden)).expect("raw").expect_err(hidden);
            assert_eq!(refused.status(), Some(StatusCode::BAD_REQUEST));
        }
    }

    #[test]
    fn keys_and_hops_do_not_go_on() {
        let mut headers = HeaderMap::new();
        for name in [
            "authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "host", "x-forwarded-for",
            "x-real-ip", "forwarded", "te", "x-hop", "x-sabir-request-id", "openai-beta", "content-type",
        ] {
            headers.insert(name, http::HeaderValue::from_static("v"));
        }
        headers.insert("connection", http::HeaderValue::from_static("x-hop"));
        without_ours(&mut headers);
        assert_eq!(headers.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(), ["openai-beta", "content-type"]);
    }
}
