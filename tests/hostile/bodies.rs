//! Hostile bodies that every dialect can meet: pages, nothing, half of something, errors of every status.

use bytes::Bytes;
use http::StatusCode;
use sabir::drive::Limits;
use sabir::{Error, ErrorKind};

use crate::play::{KEY, items, room, told, whole};
use crate::wires::WIRES;

const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";

/// A body that is no answer.
struct Body {
    name: &'static str,
    status: u16,
    content_type: &'static str,
    text: &'static str,
    kinds: &'static [ErrorKind],
}

const fn body(
    name: &'static str,
    status: u16,
    content_type: &'static str,
    text: &'static str,
    kinds: &'static [ErrorKind],
) -> Body {
    Body { name, status, content_type, text, kinds }
}

/// Where a body says nothing at all it may as well have been cut.
const NOTHING: &[ErrorKind] = &[ErrorKind::Decode, ErrorKind::Truncated];

const BODIES: &[Body] = &[
    body(
        "a page of a proxy",
        502,
        HTML,
        "<html><head><title>502 Bad Gateway</title></head></html>",
        &[ErrorKind::Provider],
    ),
    body("a page of a proxy, as JSON", 502, JSON, "<html><h1>502 Bad Gateway</h1></html>", &[ErrorKind::Provider]),
    body("a page", 200, HTML, "<!DOCTYPE html><html><body>Welcome</body></html>", &[ErrorKind::Decode]),
    body("nothing", 200, JSON, "", NOTHING),
    body("white space", 200, JSON, " \n", NOTHING),
    body("null", 200, JSON, "null", &[ErrorKind::Decode]),
    body("a number", 200, JSON, "42", &[ErrorKind::Decode]),
    body("a text", 200, JSON, "\"words\"", &[ErrorKind::Decode]),
    body("half an object", 200, JSON, "{\"id\":\"a\",\"choices\":[{", NOTHING),
    body("two bytes that are no UTF-8", 200, JSON, "{\"a\":\"\u{0}", NOTHING),
    body("an empty failure", 500, JSON, "", &[ErrorKind::Provider]),
    body("an empty overload", 503, JSON, "", &[ErrorKind::Overloaded]),
    body("an odd limit", 429, JSON, "[[null]]", &[ErrorKind::RateLimit]),
    body("an odd refusal", 401, JSON, "{\"error\":{\"message\":{\"deep\":[1]}}}", &[ErrorKind::Authentication]),
    body(
        "an answer with the status of an error",
        400,
        JSON,
        "{\"choices\":[{\"message\":{\"content\":\"Hi\"}}],\"text\":\"Hi\"}",
        &[ErrorKind::InvalidRequest],
    ),
];

/// Goes on with all dialects, unary and where a stream was asked for, and says at the end which failed.
fn each(body: &Body, check: impl Fn(&Error) -> Result<(), String>, failures: &mut Vec<String>) {
    for wire in WIRES {
        let status = StatusCode::from_u16(body.status).expect("a status");
        let pieces = vec![Bytes::from_static(body.text.as_bytes())];
        let streamed = told(body.name, &items(room(wire), status, body.content_type, pieces, Limits::default()));
        for (how, got) in [("whole", whole(room(wire), status, body.content_type, body.text)), ("streamed", streamed)] {
            let outcome = match got {
                Ok(answer) => Err(format!("it is taken for an answer: {:?}", answer.parts)),
                Err(error) => check(&error),
            };
            failures.extend(outcome.err().map(|why| format!("{}, {}, {how}: {why}", wire.dialect, body.name)));
        }
    }
}

#[test]
fn what_is_no_answer_is_an_error_of_its_kind() {
    let mut failures = Vec::new();
    for body in BODIES {
        let check = |error: &Error| {
            if !body.kinds.contains(&error.kind()) {
                return Err(format!("it is {} and not {:?}: {error}", error.kind(), body.kinds));
            }
            if body.status != 200 && error.status().map(|status| status.as_u16()) != Some(body.status) {
                return Err(format!("its status is {:?}", error.status()));
            }
            let length = error.message().len();
            if (1..1000).contains(&length) { Ok(()) } else { Err(format!("its message has {length} bytes")) }
        };
        each(body, check, &mut failures);
    }
    assert!(failures.is_empty(), "{} fail:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn a_key_that_is_told_back_is_masked() {
    let mut failures = Vec::new();
    for text in [
        r#"{"error":{"message":"Incorrect API key provided: KEY"}}"#,
        r#"{"message":"Incorrect API key provided: KEY"}"#,
        r#"{"error":"Incorrect API key provided: KEY"}"#,
        r#"{"detail":"Incorrect API key provided: KEY"}"#,
        "Incorrect API key provided: KEY",
    ] {
        let text: &'static str = text.replace("KEY", KEY).leak();
        let refused = body("a key", 401, JSON, text, &[ErrorKind::Authentication]);
        let check = |error: &Error| {
            let shown = format!("{error} {error:?} {}", error.message());
            if shown.contains(KEY) || error.kind() != ErrorKind::Authentication { Err(shown) } else { Ok(()) }
        };
        each(&refused, check, &mut failures);
    }
    assert!(failures.is_empty(), "{} fail:\n{}", failures.len(), failures.join("\n"));
}
