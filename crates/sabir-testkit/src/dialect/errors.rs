//! Errors, as answers and inside streams.

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use sabir_core::chat::Event;
use sabir_core::dialect::Answer;
use sabir_core::{Error, ErrorKind};

use super::DialectKit;
use super::wire::{End, streamed, told};
use crate::Report;
use crate::player::MODEL;

/// The kinds that a provider answers with, each with a message that gives no hint of the kind.
const ANSWERED: &[ErrorKind] = &[
    ErrorKind::Authentication,
    ErrorKind::Permission,
    ErrorKind::RateLimit,
    ErrorKind::Quota,
    ErrorKind::Timeout,
    ErrorKind::InvalidRequest,
    ErrorKind::ContextTooLong,
    ErrorKind::ContentFiltered,
    ErrorKind::NotFound,
    ErrorKind::Overloaded,
    ErrorKind::Provider,
];

/// The kinds that are ours alone: a client must see an error, of whatever kind.
const OURS: &[ErrorKind] = &[
    ErrorKind::Configuration,
    ErrorKind::Cancelled,
    ErrorKind::Network,
    ErrorKind::Decode,
    ErrorKind::Truncated,
    ErrorKind::BudgetExceeded,
    ErrorKind::Unsupported,
];

/// The kinds that come in the middle of real streams.
const MIDWAY: &[ErrorKind] = &[ErrorKind::Overloaded, ErrorKind::RateLimit, ErrorKind::Provider];

const WORDS: &str = "The \"tide\" is out.";

pub(super) fn check(kit: &DialectKit, report: &mut Report) {
    for kind in ANSWERED.iter().chain(OURS) {
        report.check("refusal", kind.as_str(), || refusal(kit, *kind));
    }
    for kind in MIDWAY {
        report.check("error midway", kind.as_str(), || midway(kit, *kind));
    }
    report.check("error midway", "before anything else", || {
        let wire = streamed(kit, &[], &End::Error(&Error::new(ErrorKind::Overloaded, WORDS)))?;
        let items = kit.player().play(wire.content_type, &[wire.bytes]);
        told(&items)?.map_or_else(|error| said(ErrorKind::Overloaded, &error), |_| Err(swallowed()))
    });
}

fn refusal(kit: &DialectKit, kind: ErrorKind) -> Result<(), String> {
    let (status, body) = kit.dialect.refuse(&Error::new(kind, WORDS));
    if !status.is_client_error() && !status.is_server_error() {
        return Err(format!("the status is {status}, which is no error"));
    }
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    match kit.dialect.decode(Answer { status, headers: &headers, body: &body }) {
        Ok(_) => Err(swallowed()),
        Err(error) if OURS.contains(&kind) => said(error.kind(), &error),
        Err(error) => said(kind, &error).map_err(|e| format!("status {}: {e}", status.as_u16())),
    }
}

fn midway(kit: &DialectKit, kind: ErrorKind) -> Result<(), String> {
    let events = [
        Event::Start { id: "resp_1".into(), model: MODEL.into() },
        Event::Text("Hello, ".into()),
        Event::Text("wor".into()),
    ];
    let wire = streamed(kit, &events, &End::Error(&Error::new(kind, WORDS)))?;
    let items = kit.player().play(wire.content_type, &[wire.bytes]);
    let Err(error) = told(&items)? else {
        return Err(swallowed());
    };
    let partial = error.partial().map(sabir_core::chat::ChatResponse::text);
    if partial.as_deref() != Some("Hello, wor") {
        return Err(format!("the text that had arrived became {partial:?}"));
    }
    said(kind, &error)
}

fn swallowed() -> String {
    "the error is taken for an answer".into()
}

fn said(kind: ErrorKind, error: &Error) -> Result<(), String> {
    if error.kind() != kind {
        return Err(format!("the kind became {}", error.kind()));
    }
    // A dialect without a code for a kind says it in words, before or after.
    if !error.message().contains(WORDS) {
        return Err(format!("the message {WORDS:?} became {:?}", error.message()));
    }
    Ok(())
}
