//! What nobody should send, and somebody does.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use sabir_core::ErrorKind;
use sabir_core::chat::ChatRequest;
use sabir_core::dialect::{self, Asked};
use sabir_core::drive::Limits;
use sabir_core::frame::Framing;

use super::DialectKit;
use super::wire::{End, streamed, told};
use crate::player::MODEL;
use crate::{Answer, Report, mutations};

/// The frame limit that `bounds` tries, in bytes, and the pieces that it sends.
const LIMIT: usize = 64 << 10;
const PIECE: usize = 8 << 10;

pub(super) fn check(kit: &DialectKit, answers: &[Answer], report: &mut Report) {
    report.check("bounds", "a frame without an end", || endless_frame(kit));
    let each = kit.mutations / answers.len().max(1);
    for answer in answers {
        report.check("damage", answer.name, || damaged_stream(kit, answer, each));
        report.check("damage", &format!("{}, whole", answer.name), || damaged_whole(kit, answer, each / 4));
    }
    report.check("damage", "request", || damaged_request(kit, kit.mutations / 8));
    for (name, status, content_type, body) in NO_ANSWERS {
        report.check("no answer", name, || no_answer(kit, *status, content_type, body));
    }
}

fn endless_frame(kit: &DialectKit) -> Result<(), String> {
    let wire = streamed(kit, &[], &End::Events)?;
    let start: &[u8] = match wire.framing {
        Framing::Sse => b"data: \"",
        // The prelude of a message of 16 MB, but for its checksum.
        Framing::EventStream => b"\x01\x00\x00\x00\x00\x00\x00\x10",
        _ => b"\"",
    };
    let piece = Bytes::from(vec![b'a'; PIECE]);
    let mut pieces = vec![Bytes::from_static(start)];
    pieces.extend(std::iter::repeat_n(piece, 16 * LIMIT / PIECE));
    let player = kit.player().limits(Limits { frame: LIMIT, ..Limits::default() });
    let items = player.play(wire.content_type, &pieces);
    let Err(error) = told(&items)? else {
        return Err("it is taken for an answer".into());
    };
    if error.kind() != ErrorKind::Decode {
        return Err(format!("the error is of another kind: {error}"));
    }
    if player.pulled() > 2 * LIMIT {
        return Err(format!("{} bytes were read, with a limit of {LIMIT}", player.pulled()));
    }
    Ok(())
}

fn damaged_stream(kit: &DialectKit, answer: &Answer, count: usize) -> Result<(), String> {
    let wire = streamed(kit, &answer.events, &End::Events)?;
    let player = kit.player();
    let mut outcome = Ok(());
    mutations(&wire.bytes, count, |bytes| {
        if outcome.is_ok() {
            let read = told(&player.play(wire.content_type, &[Bytes::copy_from_slice(bytes)]));
            outcome = read.map(drop).map_err(|e| format!("{e}, of {:?}", String::from_utf8_lossy(bytes)));
        }
    });
    outcome
}

fn damaged_whole(kit: &DialectKit, answer: &Answer, count: usize) -> Result<(), String> {
    let body = kit.dialect.respond(&answer.response, &kit.asked(false)?).body;
    let headers = headers("application/json");
    for status in [StatusCode::OK, StatusCode::BAD_REQUEST] {
        let mut succeeded = false;
        mutations(&body, count, |body| {
            succeeded |= kit.dialect.decode(dialect::Answer { status, headers: &headers, body }).is_ok();
        });
        if succeeded && !status.is_success() {
            return Err(format!("an answer with status {status} is taken for a success"));
        }
    }
    Ok(())
}

/// That it does not panic is all there is to check: much damage leaves a request that can be read.
fn damaged_request(kit: &DialectKit, count: usize) -> Result<(), String> {
    let requests = crate::requests::requests(kit.dialect.name());
    let each = (count / requests.len()).max(1);
    for asking in requests {
        let Ok(encoded) = kit.dialect.encode(&asking.request, &kit.endpoint) else {
            continue;
        };
        let path = encoded.uri.path_and_query().map_or("/", |path| path.as_str());
        mutations(&encoded.body, each, |body| {
            drop(kit.dialect.accept(Asked { method: &encoded.method, path, headers: &encoded.headers, body }));
        });
    }
    let trip = kit.round_trip(&ChatRequest::new(MODEL).user("Hello").max_tokens(1))?;
    let path = trip.encoded.uri.path_and_query().map_or("/", |path| path.as_str());
    for body in [&b""[..], b"null", b"[]", b"{}", b"\"a\"", b"{\"messages\":1}", b"\xff"] {
        if kit.dialect.accept(Asked { method: &Method::POST, path, headers: &trip.encoded.headers, body }).is_ok() {
            return Err(format!("{:?} is accepted as a request", String::from_utf8_lossy(body)));
        }
    }
    Ok(())
}

/// What is no answer: its name, status, content type and body.
const NO_ANSWERS: &[(&str, StatusCode, &str, &str)] = &[
    ("an empty body", StatusCode::OK, "application/json", ""),
    ("null", StatusCode::OK, "application/json", "null"),
    ("a list", StatusCode::OK, "application/json", "[]"),
    ("a number", StatusCode::OK, "application/json", "42"),
    ("half an object", StatusCode::OK, "application/json", "{\"id\": \"a"),
    ("a page", StatusCode::OK, "text/html", "<html><body>Hello</body></html>"),
    ("a page of a proxy", StatusCode::BAD_GATEWAY, "text/html", "<html><h1>502 Bad Gateway</h1></html>"),
    ("an empty error", StatusCode::SERVICE_UNAVAILABLE, "application/json", ""),
    ("an odd error", StatusCode::TOO_MANY_REQUESTS, "application/json", "[[]]"),
];

fn no_answer(kit: &DialectKit, status: StatusCode, content_type: &'static str, body: &str) -> Result<(), String> {
    let headers = headers(content_type);
    let Err(error) = kit.dialect.decode(dialect::Answer { status, headers: &headers, body: body.as_bytes() }) else {
        return Err("it is taken for an answer".into());
    };
    let wanted = match status.as_u16() {
        429 => ErrorKind::RateLimit,
        502 => ErrorKind::Provider,
        503 => ErrorKind::Overloaded,
        _ if matches!(error.kind(), ErrorKind::Truncated | ErrorKind::Provider) => error.kind(),
        _ => ErrorKind::Decode,
    };
    if error.kind() != wanted {
        return Err(format!("the kind is {} and not {wanted}: {error}", error.kind()));
    }
    if error.message().is_empty() || error.message().len() > 1000 {
        return Err(format!("the message has {} bytes", error.message().len()));
    }
    Ok(())
}

fn headers(content_type: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))])
}
