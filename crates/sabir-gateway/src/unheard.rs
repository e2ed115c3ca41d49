//! What is said to a request that did not become one: its head is too long, its lengths contradict each other, it is no
//! HTTP at all, or it did not come to its end.

use std::fmt::Write as _;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Version};
use sabir::drive::Format;
use sabir::transport::Body;
use sabir::{Error, ErrorKind, Stage, dialects};

use crate::access::Line;
use crate::beginning::Beginning;
use crate::incoming::Left;
use crate::{Gateway, headers, own};

/// The longest head of a request, in bytes.
pub(crate) const LONGEST_HEAD: usize = 64 << 10;
/// The most headers of one; hyper's own figure, of HTTP/1.
const HEADERS: usize = 100;

/// Why something is no request; hyper does not say which of it is so.
const FAULTY: &str = "this is no request of HTTP/1.1: its first line is faulty, or a header is, or its lengths contradict \
                      each other; send one Content-Length, or Transfer-Encoding: chunked";
const TLS: &str = "this is TLS, and plain HTTP is spoken here; ask at http://, not https://";

/// What hyper refuses with a bare status, or what did not come in time (408): the whole answer, as it is written.
pub(crate) fn instead(gateway: &Gateway, status: StatusCode, come: &Beginning, time: Duration) -> Vec<u8> {
    let head = come.head();
    // It is one long line that filled the room, and no header has come.
    let is_line = status == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE && !come.has_line();
    let status = if is_line { StatusCode::URI_TOO_LONG } else { status };
    let message = match status {
        StatusCode::REQUEST_TIMEOUT => {
            format!("the head of the request did not come to its end in {} s", time.as_secs())
        }
        StatusCode::URI_TOO_LONG => format!(
            "the URL of the request is longer than the {LONGEST_HEAD} bytes that are taken here for it and all headers; send a \
             shorter one"
        ),
        // hyper says the same of both.
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            more_than(&format!("the {LONGEST_HEAD} bytes, or the {HEADERS} headers,"))
        }
        _ if come.is_tls() => TLS.to_owned(),
        _ => FAULTY.to_owned(),
    };
    written(refuse(gateway, &head, status, &message), head.method != Method::HEAD)
}

/// Whether a head is too long. hyper reads some that are: its limit is where it makes no more room. A URL that is too long
/// by itself never gets here, since no `Uri` holds it.
pub(crate) fn is_too_long<B>(request: &Request<B>) -> bool {
    // What counts beside name and value: `: ` and the line's end, or what RFC 9113 §6.5.2 says.
    let around = if request.version() == Version::HTTP_2 { 32 } else { 4 };
    let url = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + around);
    url + headers.sum::<usize>() > LONGEST_HEAD
}

/// Refuses such a request.
pub(crate) async fn refuse_long<B>(gateway: &Gateway, request: Request<B>) -> Response<Body>
where
    B: http_body::Body<Data = Bytes>,
{
    let (head, body) = request.into_parts();
    let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    let mut refused = refuse(gateway, &head, status, &more_than(&format!("the {LONGEST_HEAD} bytes")));
    if head.version <= Version::HTTP_11 {
        // As where hyper refuses it.
        refused.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Left::of(&head).forget(pin!(body), refused).await
}

fn more_than(most: &str) -> String {
    format!("the head of the request has more than {most} that are taken here; send fewer headers, or shorter ones")
}

/// The refusal in the dialect of the path, with a line in the access log as any other has it.
fn refuse(gateway: &Gateway, head: &Parts, status: StatusCode, message: &str) -> Response<Body> {
    let (id, now) = (headers::request_id(), gateway.now());
    let line = Line::begin(now.log.as_ref(), now.rows.as_ref(), &id, head);
    let kind = if status == StatusCode::REQUEST_TIMEOUT { ErrorKind::Timeout } else { ErrorKind::InvalidRequest };
    let mut response = match format(head) {
        Some(format) => {
            if let Some(line) = &line {
                line.is_in(format);
            }
            format.refuse(&Error::new(kind, message).with_status(status).with_stage(Stage::NotSent))
        }
        None => own::error(status, message),
    };
    // It is HTTP that is refused, and not what is said by it.
    *response.status_mut() = status;
    headers::tell(&mut response, &id);
    match line {
        Some(line) => line.end_with(response),
        None => response,
    }
}

/// The format of a path, whatever the method; of a path of nobody, and where none could be read, the one that it looks like.
fn format(head: &Parts) -> Option<Format> {
    let asked_by = |method| dialects::spoken(method, &head.uri, &head.headers);
    let spoken = asked_by(&head.method).or_else(|| asked_by(&Method::POST)).or_else(|| asked_by(&Method::GET));
    spoken.or_else(|| dialects::presumed(&head.uri, &head.headers).map(Format::Chat))
}

/// An answer as HTTP/1.1 has it, which ends its connection.
fn written(response: Response<Body>, has_body: bool) -> Vec<u8> {
    let (mut head, mut body) = response.into_parts();
    let mut said = Vec::new();
    // All of it is there.
    while let Some(Some(Ok(piece))) = body.next().now_or_never() {
        said.extend_from_slice(&piece);
    }
    let date = httpdate::fmt_http_date(SystemTime::now());
    let mut text = format!("HTTP/1.1 {}\r\n", head.status);
    let _ = write!(text, "{CONNECTION}: close\r\n{CONTENT_LENGTH}: {}\r\n{DATE}: {date}\r\n", said.len());
    for (name, value) in head.headers.drain() {
        let (Some(name), Ok(value)) = (name, value.to_str()) else { continue };
        let _ = write!(text, "{name}: {value}\r\n");
    }
    text.push_str("\r\n");
    let mut answer = text.into_bytes();
    if has_body {
        answer.extend_from_slice(&said);
    }
    answer
}
