//! The recordings as a corpus of translations: every recorded request and every recorded answer, through every other
//! dialect and back. What changes must be in the list of losses.

mod compare;
mod facts;

use std::collections::BTreeMap;
use std::future::Future as _;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use sabir::chat::Event;
use sabir::dialect::Asked;
use sabir::drive::{Origin, decode_whole, encode, respond, streamed_losses};
use sabir_core::Abilities;
use sabir::{Call, ChatRequest, ChatResponse, Dialect, Endpoint, Error, Loss, Request, Service as _};
use sabir_tests::{DIALECTS, Playback, Recording, recordings};

/// What a pair came to.
#[derive(Debug, Default)]
struct Pair {
    all: usize,
    whole: usize,
    listed: usize,
    refused: usize,
    unlisted: Vec<String>,
}

fn accept(dialect: &dyn Dialect, path: &str, body: &[u8]) -> Result<ChatRequest, Error> {
    dialect.accept(Asked { method: &Method::POST, path, headers: &HeaderMap::new(), body })
}

fn through(dialect: &dyn Dialect, request: &ChatRequest) -> Result<(ChatRequest, Vec<Loss>), Error> {
    let endpoint = Endpoint { base_url: "http://there".into(), ..Endpoint::default() };
    let encoded = encode(dialect, request, &endpoint)?;
    let path = encoded.uri.path_and_query().map_or("/", |path| path.as_str());
    let read = accept(dialect, path, &encoded.body)?;
    Ok((read, encoded.losses))
}

#[test]
fn requests_come_through_every_dialect_but_for_what_is_listed() {
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut pairs: BTreeMap<(String, &str), Pair> = BTreeMap::new();
    for from in DIALECTS {
        for recording in recordings(from).iter().filter(|r| r.status.is_success()) {
            let Some(body) = &recording.request else { continue };
            let asked = accept(recording.room(), &recording.path, body.to_string().as_bytes()).expect("accepted");
            for to in sabir::dialects::dialects() {
                let name = format!("{from} > {}", to.name());
                if !name.contains(&only) { continue }
                let pair = pairs.entry((recording.room().name().to_owned(), to.name())).or_default();
                pair.all += 1;
                let between = to.name() != recording.room().name();
                match through(*to, &asked) {
                    Err(error) => {
                        pair.refused += 1;
                        if std::env::var("REFUSED").is_ok() {
                            println!("REFUSED {from} > {} {}: {error}", to.name(), recording.id);
                        }
                    }
                    Ok((read, losses)) => {
                        let (before, after) = (facts::of_request(&asked, between), facts::of_request(&read, between));
                        let changes = compare::unlisted(&before, &after, &losses, always(to.name()));
                        if !compare::differ(&before, &after) {
                            pair.whole += 1;
                        } else if changes.is_empty() {
                            pair.listed += 1;
                        } else {
                            pair.unlisted.push(format!("{name} {}: {}", recording.id, changes.join("\n      ")));
                        }
                    }
                }
            }
        }
    }
    for ((from, to), pair) in &pairs {
        println!("{from} > {to}: {} whole {} listed {} refused {} UNLISTED {}", pair.all, pair.whole, pair.listed, pair.refused, pair.unlisted.len());
        for line in pair.unlisted.iter().take(std::env::var("SHOW").ok().and_then(|n| n.parse().ok()).unwrap_or(1)) {
            println!("   {line}");
        }
    }
}

/// What a dialect cannot do without, and writes where nothing is said of it.
fn always(dialect: &str) -> &'static [&'static str] {
    match dialect {
        // The limit is required.
        "anthropic-messages" => &["max_tokens"],
        // Without it a stream does not tell its usage.
        "openai-chat" => &["options.openai-chat"],
        "openai-completions" => &["options.openai-completions"],
        _ => &[],
    }
}

/// The events of a recorded answer, as they come.
fn events(recording: &Recording) -> Vec<Result<Event, Error>> {
    let playback =
        Playback { status: recording.status, headers: recording.headers.clone(), pieces: vec![recording.body.clone()] };
    let endpoint = Endpoint { base_url: "http://recorded".into(), ..Endpoint::default() };
    let origin = Origin::new(recording.room(), endpoint, Arc::new(playback));
    let asked = Request::Chat(ChatRequest { stream: true, ..ChatRequest::new("any").user("any") });
    let call = Call::default();
    // Everything is there: nothing waits.
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(reply) = pin!(origin.call(&call, &asked)).poll(&mut cx) else { panic!("it waits") };
    let mut stream = match reply.and_then(sabir::Reply::stream) {
        Ok(stream) => stream,
        Err(error) => return vec![Err(error)],
    };
    let mut items = Vec::new();
    while let Poll::Ready(Some(item)) = stream.as_mut().poll_next(&mut cx) {
        items.push(item);
    }
    items
}

/// An answer, written in a dialect and read again: whole, and event by event.
fn again(to: &dyn Dialect, response: &ChatResponse, events: &[Event]) -> [(Result<ChatResponse, Error>, Vec<Loss>); 2] {
    let asked = |stream| {
        // Where a stream tells its usage only when asked to.
        let wanted = serde_json::json!({"include_usage": true});
        let request = ChatRequest::new(response.model.clone()).option(to.name(), "stream_options", wanted);
        ChatRequest { stream, ..request }
    };
    let responded = respond(to, response, &asked(false));
    let whole = decode_whole(to, StatusCode::OK, &HeaderMap::new(), &responded.body, false);
    let mut encoder = to.encoder(&asked(true));
    let mut out = Vec::new();
    for event in events {
        encoder.event(event, &mut out);
    }
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(encoder.content_type()))]);
    let streamed = decode_whole(to, StatusCode::OK, &headers, &out, true);
    [(whole, responded.losses), (streamed, streamed_losses(to, &mut *encoder, response))]
}

#[test]
fn answers_come_through_every_dialect_but_for_what_is_listed() {
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut pairs: BTreeMap<(String, &str), Pair> = BTreeMap::new();
    for from in DIALECTS {
        for recording in recordings(from).iter().filter(|r| r.status.is_success()) {
            let items = events(recording);
            // What ends in an error is no answer.
            let Ok(events) = items.into_iter().collect::<Result<Vec<Event>, Error>>() else { continue };
            let Some(Event::Done(response)) = events.last() else { panic!("{} has no end", recording.id) };
            for to in sabir::dialects::dialects() {
                let name = format!("{from} > {}", to.name());
                if !name.contains(&only) {
                    continue;
                }
                let pair = pairs.entry((recording.room().name().to_owned(), to.name())).or_default();
                pair.all += 1;
                let between = to.name() != recording.room().name();
                let before = facts::of_response(response, between);
                let mut lines = Vec::new();
                let (mut same, mut afters) = (true, Vec::new());
                for ((read, losses), way) in again(*to, response, &events).into_iter().zip(["whole", "stream"]) {
                    let read = match read {
                        Ok(read) => read,
                        Err(error) => {
                            lines.push(format!("{way}: {error}"));
                            continue;
                        }
                    };
                    let mut after = facts::of_response(&read, between);
                    if way == "stream" {
                        // What is said of the answer as a whole comes with its end: too late for a stream's head.
                        after.settings.retain(|name, _| !name.starts_with("meta."));
                        let meta = before.settings.iter().filter(|(name, _)| name.starts_with("meta."));
                        after.settings.extend(meta.map(|(name, value)| (name.clone(), value.clone())));
                    }
                    let changes = compare::unlisted(&before, &after, &losses, &[]);
                    lines.extend(changes.into_iter().map(|change| format!("{way}: {change}")));
                    same &= !compare::differ(&before, &after);
                    afters.push(after);
                }
                if let [whole, stream] = &afters[..] {
                    let changes = compare::unlisted(whole, stream, &[], &[]);
                    lines.extend(changes.into_iter().map(|change| format!("whole/stream: {change}")));
                }
                if same && lines.is_empty() {
                    pair.whole += 1;
                } else if lines.is_empty() {
                    pair.listed += 1;
                } else {
                    pair.unlisted.push(format!("{name} {}: {}", recording.id, lines.join("\n      ")));
                }
            }
        }
    }
    for ((from, to), pair) in &pairs {
        println!("{from} > {to}: {} whole {} listed {} refused {} UNLISTED {}", pair.all, pair.whole, pair.listed, pair.refused, pair.unlisted.len());
        for line in pair.unlisted.iter().take(std::env::var("SHOW").ok().and_then(|n| n.parse().ok()).unwrap_or(1)) {
            println!("   {line}");
        }
    }
}

#[test]
fn requests_that_services_took_have_no_fault() {
    let mut failures = Vec::new();
    for from in DIALECTS {
        for recording in recordings(from).iter().filter(|r| r.status.is_success()) {
            let Some(body) = &recording.request else { continue };
            let asked = accept(recording.room(), &recording.path, body.to_string().as_bytes()).expect("accepted");
            let abilities = Abilities::default();
            let traits = sabir::dialects::catalog::traits(&recording.provider, &asked.model);
            if let Err(error) = sabir_core::check::check(&asked, &abilities, &traits) {
                failures.push(format!("{from} {} {}: {error}", recording.provider, recording.id));
            }
        }
    }
    assert!(failures.is_empty(), "{} would be refused:\n{}", failures.len(), failures.join("\n"));
}
