//! Answers read in every way in which they may arrive, for the tests of the rooms.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use sabir_core::chat::{ChatRequest, ChatResponse, Event, Meta};
use sabir_core::dialect::{Answer, Asked, Encoded};
use sabir_core::frame::Framer;
use sabir_core::{Dialect, Endpoint, Result, Sink};

fn headers(kind: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))])
}

/// A whole answer.
pub(crate) fn whole(dialect: &dyn Dialect, status: u16, body: &str) -> Result<ChatResponse> {
    let status = StatusCode::from_u16(status).expect("a status");
    dialect.decode(Answer { status, headers: &headers("application/json"), body: body.as_bytes() })
}

/// A streamed answer; the same however its bytes are cut in two.
pub(crate) fn stream(dialect: &dyn Dialect, kind: &'static str, body: &str) -> Result<ChatResponse> {
    let read = |pieces: &[&[u8]]| {
        let mut framer = Framer::new(dialect.framing(&headers(kind)).expect("a stream"));
        let (mut decoder, mut sink) = (dialect.decoder(), Sink::whole());
        for piece in pieces {
            framer.push(Bytes::copy_from_slice(piece));
            while let Some(frame) = framer.next()? {
                decoder.frame(frame, &mut sink)?;
                if sink.has_ended() {
                    return Ok(sink.into_response());
                }
            }
        }
        framer.finish();
        while let Some(frame) = framer.next()? {
            decoder.frame(frame, &mut sink)?;
        }
        if !sink.has_ended() {
            decoder.finish(&mut sink)?;
        }
        Ok(sink.into_response())
    };
    let whole = read(&[body.as_bytes()]);
    for at in 0..body.len() {
        let (a, b) = body.as_bytes().split_at(at);
        assert_eq!(read(&[a, b]), whole, "cut at {at}");
    }
    whole
}

/// An answer of calls, written and read again: whole, and as a stream.
pub(crate) fn told_again(dialect: &dyn Dialect, response: &ChatResponse) -> (ChatResponse, ChatResponse) {
    let request = ChatRequest::new("m");
    let (mut encoder, mut out) = (dialect.encoder(&request), Vec::new());
    for (index, call) in response.tool_calls().cloned().enumerate() {
        encoder.event(&Event::ToolStart { index, id: call.id.clone(), name: call.name.clone() }, &mut out);
        encoder.event(&Event::ToolArguments { index, fragment: call.arguments.clone() }, &mut out);
        encoder.event(&Event::ToolEnd { index, call, meta: Meta::default() }, &mut out);
    }
    encoder.event(&Event::Done(Box::new(response.clone())), &mut out);
    let body = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("JSON is UTF-8");
    let told = whole(dialect, 200, &body(&dialect.respond(response, &request).body)).expect("an answer");
    (told, stream(dialect, encoder.content_type(), &body(&out)).expect("a stream"))
}

pub(crate) fn accept(dialect: &dyn Dialect, path: &str, body: &str) -> Result<ChatRequest> {
    let headers = headers("application/json");
    dialect.accept(Asked { method: &Method::POST, path, headers: &headers, body: body.as_bytes() })
}

pub(crate) fn encode(dialect: &dyn Dialect, request: &ChatRequest) -> Encoded {
    let endpoint = Endpoint { base_url: "https://api.test".into(), ..Endpoint::default() };
    dialect.encode(request, &endpoint).expect("it can be said")
}

/// The body that a request becomes when it was accepted: what the client said, as we say it.
pub(crate) fn again(dialect: &dyn Dialect, body: &str) -> String {
    let encoded = encode(dialect, &accept(dialect, "/", body).expect("it is accepted"));
    assert_eq!(encoded.losses, [], "its own requests lose nothing");
    String::from_utf8(encoded.body.to_vec()).expect("JSON is UTF-8")
}
