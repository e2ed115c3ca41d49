//! A room of conversations against the descriptions of its service.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use sabir::chat::Event;
use sabir::dialect::{Answer, Asked, Encoded};
use sabir::drive::Origin;
use sabir::frame::Framer;
use sabir::{Call, ChatRequest, Dialect, Endpoint, Request, Result, Service as _};
use sabir_tests::{DIALECTS, Playback, Recording, deviations, recordings};
use serde_json::{Value, json};

use crate::asked;
use crate::schemas::{Body, Schemas};
use crate::subjects::Subject;
use crate::tally::{Row, same};

type Room = &'static dyn Dialect;

pub(crate) fn run(subject: &Subject, room: Room, schemas: &Schemas) -> Row {
    let mut row = Row { name: subject.name, ..Row::default() };
    let endpoint = subject.endpoint();
    let otherwise = deviations();
    for recording in subject.corpora().flat_map(recordings) {
        let asked = request(subject, room, &endpoint, &recording, schemas, &mut row);
        if subject.asks_only() {
            continue;
        }
        if recording.expected.is_some() && DIALECTS.contains(&recording.dialect.as_str()) {
            // `recordings.rs` holds every answer to this, and the list of deviations to being true.
            row.read.count(!otherwise.contains_key(&recording.id));
        }
        let asked = asked.unwrap_or_else(|| ChatRequest { stream: recording.stream, ..ChatRequest::new("any") });
        if !recording.status.is_success() {
            refusal(subject, room, &recording, schemas, &mut row);
        } else if recording.stream && room.framing(&recording.headers).is_some() {
            stream(subject, room, &recording, &asked, schemas, &mut row);
        } else {
            whole(subject, room, &recording, &asked, schemas, &mut row);
        }
    }
    own_requests(subject, room, &endpoint, schemas, &mut row);
    // The room's other rows differ in what they ask.
    if subject.name == subject.room {
        own_answers(subject, room, schemas, &mut row);
    }
    row
}

/// What a client asked, accepted and encoded again.
fn request(
    subject: &Subject,
    room: Room,
    endpoint: &Endpoint,
    recording: &Recording,
    schemas: &Schemas,
    row: &mut Row,
) -> Option<ChatRequest> {
    let body = recording.request.as_ref().filter(|_| recording.status.is_success())?;
    let text = body.to_string();
    let headers = HeaderMap::new();
    let asked = Asked { method: &Method::POST, path: &recording.path, headers: &headers, body: text.as_bytes() };
    let accepted = room.accept(asked);
    let outcome = accepted.as_ref().map(|_| ()).map_err(ToString::to_string);
    row.note(|row| &mut row.accepted, "accept", &recording.id, outcome);
    let accepted = accepted.ok()?;
    let encoded = room.encode(&accepted, endpoint);
    if let Ok(encoded) = &encoded {
        let kept = again(room, encoded).and_then(|again| same(&accepted, &again));
        let outcome = if encoded.losses.is_empty() { kept } else { Ok(()) };
        row.note(|row| &mut row.same, "same", &recording.id, outcome);
    }
    if schemas.check(subject.slots(Body::Request), body) == Some(Ok(())) {
        let outcome = match &encoded {
            Ok(encoded) => subject.valid(Body::Request, &encoded.body, schemas),
            Err(error) => Err(format!("it cannot be encoded: {error}")),
        };
        row.note(|row| &mut row.requests, "request", &recording.id, outcome);
    } else {
        row.requests.apart += 1;
    }
    Some(accepted)
}

/// What we asked, as a server of ours would understand it.
fn again(room: Room, encoded: &Encoded) -> Result<ChatRequest, String> {
    let path = encoded.uri.path_and_query().map_or("/", |path| path.as_str());
    let asked = Asked { method: &encoded.method, path, headers: &encoded.headers, body: &encoded.body };
    room.accept(asked).map_err(|error| error.to_string())
}

/// Whether the recorded body itself is as it is described.
fn recorded(subject: &Subject, body: Body, recording: &Recording, schemas: &Schemas) -> bool {
    let value = serde_json::from_slice::<Value>(&recording.body);
    value.is_ok_and(|value| schemas.check(subject.slots(body), &value) == Some(Ok(())))
}

fn whole(subject: &Subject, room: Room, recording: &Recording, asked: &ChatRequest, schemas: &Schemas, row: &mut Row) {
    if !recorded(subject, Body::Response, recording, schemas) {
        row.answers.apart += 1;
        return;
    }
    let answer = Answer { status: recording.status, headers: &recording.headers, body: &recording.body };
    let outcome = match room.decode(answer) {
        Ok(response) => subject.valid(Body::Response, &room.respond(&response, asked).body, schemas),
        Err(error) => Err(format!("an answer is read as an error: {error}")),
    };
    row.note(|row| &mut row.answers, "answer", &recording.id, outcome);
}

fn refusal(subject: &Subject, room: Room, recording: &Recording, schemas: &Schemas, row: &mut Row) {
    if !recorded(subject, Body::Error, recording, schemas) {
        row.refusals.apart += 1;
        return;
    }
    let answer = Answer { status: recording.status, headers: &recording.headers, body: &recording.body };
    let outcome = match room.decode(answer) {
        Err(error) => subject.valid(Body::Error, &room.refuse(&error).1, schemas),
        Ok(_) => Err("an error is read as an answer".to_owned()),
    };
    row.note(|row| &mut row.refusals, "error", &recording.id, outcome);
}

fn stream(subject: &Subject, room: Room, recording: &Recording, asked: &ChatRequest, schemas: &Schemas, row: &mut Row) {
    let theirs = frames(room, &recording.headers, recording.body.clone());
    let described = |frame: &Value| schemas.check(subject.slots(Body::Stream), frame) == Some(Ok(()));
    if !theirs.is_ok_and(|theirs| !theirs.is_empty() && theirs.iter().all(described)) {
        row.streams.apart += 1;
        return;
    }
    let outcome = written(room, &events(room, recording), asked).and_then(|frames| {
        row.events += frames.len();
        frames.iter().try_for_each(|frame| subject.described(Body::Stream, frame, schemas))
    });
    row.note(|row| &mut row.streams, "stream", &recording.id, outcome);
}

/// What our encoder makes of these items, cut into frames again.
fn written(room: Room, items: &[Result<Event>], asked: &ChatRequest) -> Result<Vec<Value>, String> {
    let mut encoder = room.encoder(asked);
    let mut out = Vec::new();
    for item in items {
        match item {
            Ok(event) => encoder.event(event, &mut out),
            Err(error) => encoder.error(error, &mut out),
        }
    }
    let kind = HeaderValue::from_static(encoder.content_type());
    let headers = [(http::header::CONTENT_TYPE, kind)].into_iter().collect();
    let frames = frames(room, &headers, out.into())?;
    if frames.is_empty() { Err("nothing is written".to_owned()) } else { Ok(frames) }
}

/// The JSON in each frame; of binary messages `{event type: payload}`.
fn frames(room: Room, headers: &HeaderMap, body: bytes::Bytes) -> Result<Vec<Value>, String> {
    let framing = room.framing(headers).ok_or("it is no stream by its headers")?;
    let mut framer = Framer::new(framing);
    framer.push(body);
    framer.finish();
    let mut all = Vec::new();
    while let Some(frame) = framer.next().map_err(|error| error.to_string())? {
        if frame.data.trim_ascii() == b"[DONE]" || frame.data.trim_ascii().is_empty() {
            continue;
        }
        let value: Value =
            serde_json::from_slice(frame.data).map_err(|error| format!("no JSON in a frame: {error}"))?;
        let binary = framing == sabir::frame::Framing::EventStream;
        all.push(if binary { json!({frame.event: value}) } else { value });
    }
    Ok(all)
}

/// The items of a recorded stream, through the whole stack.
fn events(room: Room, recording: &Recording) -> Vec<Result<Event>> {
    let playback =
        Playback { status: StatusCode::OK, headers: recording.headers.clone(), pieces: vec![recording.body.clone()] };
    let endpoint = Endpoint { base_url: "http://recorded".into(), ..Endpoint::default() };
    let origin = Origin::new(room, endpoint, Arc::new(playback));
    let asked = Request::Chat(ChatRequest { stream: true, ..ChatRequest::new("any").user("any") });
    sabir_testkit::block_on(async {
        let mut stream = match origin.call(&Call::default(), &asked).await.and_then(sabir::Reply::stream) {
            Ok(stream) => stream,
            Err(error) => return vec![Err(error)],
        };
        let mut items = Vec::new();
        while let Some(item) = std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
            items.push(item);
        }
        items
    })
}

/// What no client happened to ask.
fn own_requests(subject: &Subject, room: Room, endpoint: &Endpoint, schemas: &Schemas, row: &mut Row) {
    for (name, request) in asked::chats() {
        match room.encode(&request, endpoint) {
            Ok(encoded) => {
                let outcome = subject.valid(Body::Request, &encoded.body, schemas);
                row.note(|row| &mut row.own_requests, "own-request", name, outcome);
            }
            // A typed refusal before anything is sent.
            Err(_) => row.own_requests.apart += 1,
        }
    }
}

/// What no service happened to answer.
fn own_answers(subject: &Subject, room: Room, schemas: &Schemas, row: &mut Row) {
    for answer in sabir_testkit::answers() {
        let asked = |stream| ChatRequest { stream, ..ChatRequest::new("test-model").user("Hello") };
        let name = answer.name.replace(' ', "-");
        let outcome = subject.valid(Body::Response, &room.respond(&answer.response, &asked(false)).body, schemas);
        row.note(|row| &mut row.own_answers, "own-answer", &name, outcome);
        let items: Vec<_> = answer.events.into_iter().map(Ok).collect();
        let outcome = written(room, &items, &asked(true))
            .and_then(|frames| frames.iter().try_for_each(|frame| subject.described(Body::Stream, frame, schemas)));
        row.note(|row| &mut row.own_answers, "own-stream", &name, outcome);
    }
}
