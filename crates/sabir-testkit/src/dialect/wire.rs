//! Answers as bytes, and back.

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use sabir_core::chat::{ChatResponse, Event};
use sabir_core::frame::Framing;
use sabir_core::{Error, Loss};

use super::DialectKit;
use crate::contract::check_events;

/// A streamed answer on the wire.
pub(super) struct Streamed {
    pub content_type: &'static str,
    pub bytes: Bytes,
    pub losses: Vec<Loss>,
    pub framing: Framing,
}

/// What goes into the encoder at the end.
pub(super) enum End<'a> {
    /// Nothing more than the events.
    Events,
    /// An error after them.
    Error(&'a Error),
}

pub(super) fn streamed(kit: &DialectKit, events: &[Event], end: &End<'_>) -> Result<Streamed, String> {
    let request = kit.asked(true)?;
    if !request.stream {
        return Err("a request for a stream is accepted as one for a whole answer".into());
    }
    let mut encoder = kit.dialect.encoder(&request);
    let (content_type, mut out) = (encoder.content_type(), Vec::new());
    for event in events {
        encoder.event(event, &mut out);
    }
    if let End::Error(error) = end {
        encoder.error(error, &mut out);
    }
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
    let framing = kit.dialect.framing(&headers);
    let framing =
        framing.ok_or_else(|| format!("its own stream's content type {content_type} is not read as a stream"))?;
    Ok(Streamed { content_type, bytes: out.into(), losses: encoder.losses(), framing })
}

/// A whole answer read back, and the losses on its way out.
pub(super) fn whole(kit: &DialectKit, response: &ChatResponse) -> Result<(ChatResponse, Vec<Loss>), String> {
    let responded = kit.dialect.respond(response, &kit.asked(false)?);
    let mut headers = responded.headers;
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    let answer = sabir_core::dialect::Answer { status: StatusCode::OK, headers: &headers, body: &responded.body };
    let read = kit.dialect.decode(answer).map_err(|e| format!("its own whole answer cannot be read: {e}"))?;
    Ok((read, responded.losses))
}

/// The answer that a stream's items tell, after the contract was checked.
pub(super) fn told(items: &[sabir_core::Result<Event>]) -> Result<sabir_core::Result<ChatResponse>, String> {
    check_events(items).map_err(|violation| violation.to_string())?;
    match items.last() {
        Some(Ok(Event::Done(response))) => Ok(Ok((**response).clone())),
        Some(Err(error)) => Ok(Err(error.clone())),
        _ => Err("the stream has no end".into()),
    }
}
