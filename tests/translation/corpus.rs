//! The recordings, taken through other dialects.

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
use sabir::{Call, ChatRequest, ChatResponse, Dialect, Endpoint, Error, Feature, Loss, Request, Service as _};
use sabir_tests::{DIALECTS, Playback, Recording, recordings};

use crate::compare;
use crate::facts::{of_request, of_response};

/// What became of all that went from one dialect to another, by the two names.
pub(crate) type Pairs = BTreeMap<(&'static str, &'static str), Pair>;

/// What became of what went from one dialect to another.
#[derive(Debug, Default)]
pub(crate) struct Pair {
    /// Came back as it was.
    pub(crate) whole: usize,
    /// Came back changed, and every change is in the list of losses.
    pub(crate) listed: usize,
    /// Cannot be said there: a typed error, before anything is sent.
    pub(crate) refused: usize,
    /// Came back with a change that no loss tells of: the recording, and the changes.
    pub(crate) unlisted: Vec<(String, Vec<String>)>,
}

impl Pair {
    fn take(&mut self, recording: &Recording, has_changed: bool, unlisted: Vec<String>) {
        match (unlisted.is_empty(), has_changed) {
            (false, _) => self.unlisted.push((recording.id.clone(), unlisted)),
            (true, true) => self.listed += 1,
            (true, false) => self.whole += 1,
        }
    }
}

pub(crate) fn accept(dialect: &dyn Dialect, path: &str, body: &[u8]) -> Result<ChatRequest, Error> {
    dialect.accept(Asked { method: &Method::POST, path, headers: &HeaderMap::new(), body })
}

/// Every request that a service took, as it is understood, with its recording.
pub(crate) fn asked() -> impl Iterator<Item = (Recording, ChatRequest)> {
    let all = DIALECTS.iter().flat_map(|dialect| recordings(dialect)).filter(|recording| recording.status.is_success());
    all.filter_map(|recording| {
        let body = recording.request.as_ref()?.to_string();
        let request = accept(recording.room(), &recording.path, body.as_bytes()).expect("it is accepted");
        Some((recording, request))
    })
}

/// Takes every request through every dialect.
pub(crate) fn requests() -> Pairs {
    let mut pairs = Pairs::new();
    for (recording, asked) in asked() {
        for to in sabir::dialects::dialects() {
            let pair = pairs.entry((recording.room().name(), to.name())).or_default();
            let between = to.name() != recording.room().name();
            let (read, losses) = match through(*to, &asked) {
                Ok((Ok(read), losses)) => (read, losses),
                Ok((Err(error), _)) => {
                    pair.take(&recording, true, vec![format!("what was written is not understood: {error}")]);
                    continue;
                }
                Err(_) => {
                    pair.refused += 1;
                    continue;
                }
            };
            let (before, after) = (of_request(&asked, between), of_request(&read, between));
            let unlisted = compare::unlisted(&before, &after, &losses, always(to.name()));
            pair.take(&recording, compare::differ(&before, &after), unlisted);
        }
    }
    pairs
}

/// A request, written in a dialect and read again.
pub(crate) fn through(
    dialect: &dyn Dialect,
    request: &ChatRequest,
) -> Result<(Result<ChatRequest, Error>, Vec<Loss>), Error> {
    let endpoint = Endpoint { base_url: "http://there".into(), ..Endpoint::default() };
    let encoded = encode(dialect, request, &endpoint)?;
    let path = encoded.uri.path_and_query().map_or("/", |path| path.as_str());
    Ok((accept(dialect, path, &encoded.body), encoded.losses))
}

/// Takes every answer through every dialect, whole and event by event, and holds the two against each other.
pub(crate) fn answers() -> Pairs {
    let mut pairs = Pairs::new();
    let all = DIALECTS.iter().flat_map(|dialect| recordings(dialect)).filter(|recording| recording.status.is_success());
    for recording in all {
        // What ends in an error is no answer.
        let Ok(events) = events(&recording).into_iter().collect::<Result<Vec<Event>, Error>>() else { continue };
        let Some(Event::Done(response)) = events.last() else { panic!("{} has no end", recording.id) };
        for to in sabir::dialects::dialects() {
            let between = to.name() != recording.room().name();
            let (has_changed, unlisted) = answer(*to, response, &events, between);
            pairs.entry((recording.room().name(), to.name())).or_default().take(&recording, has_changed, unlisted);
        }
    }
    pairs
}

fn answer(to: &dyn Dialect, response: &ChatResponse, events: &[Event], between: bool) -> (bool, Vec<String>) {
    let before = of_response(response, between);
    let (mut has_changed, mut unlisted, mut afters) = (false, Vec::new(), Vec::new());
    for ((read, losses), way) in again(to, response, events).into_iter().zip(["whole", "stream"]) {
        let read = match read {
            Ok(read) => read,
            Err(error) => {
                unlisted.push(format!("{way}: {error}"));
                continue;
            }
        };
        let mut after = of_response(&read, between);
        if way == "stream" {
            // What is said of the answer as a whole comes with its end: too late for a stream's head.
            after.settings.retain(|name, _| !name.starts_with("meta."));
            let meta = before.settings.iter().filter(|(name, _)| name.starts_with("meta."));
            after.settings.extend(meta.map(|(name, value)| (name.clone(), value.clone())));
        }
        has_changed |= compare::differ(&before, &after);
        let changes = compare::unlisted(&before, &after, &losses, &[]);
        unlisted.extend(changes.into_iter().map(|change| format!("{way}: {change}")));
        afters.push((after, losses));
    }
    if let [(whole, losses), (stream, streamed)] = &mut afters[..] {
        // Where both join what was apart, one of them may have joined less: what stood between kept its place.
        if [&*losses, &*streamed].iter().all(|list| list.iter().any(|loss| loss.feature.as_str() == "separate_texts")) {
            [&mut *whole, &mut *stream].into_iter().for_each(compare::join);
        }
        // What only one of them lost differs, and each was held against what was sent; what a loss says to have moved
        // may have moved in one of them only; a stream's remarks may come too late.
        let both =
            |loss: &Loss| streamed.iter().any(|other| (&other.feature, &other.path) == (&loss.feature, &loss.path));
        losses.retain(|loss| loss.feature == Feature::Order || !both(loss));
        losses.extend(streamed.extract_if(.., |loss| loss.feature == Feature::Meta));
        compare::placed_as(&before, whole);
        let changes = compare::unlisted(whole, stream, losses, &[]);
        unlisted.extend(changes.into_iter().map(|change| format!("whole/stream: {change}")));
    }
    (has_changed, unlisted)
}

/// What a dialect cannot do without, and writes where nothing is said of it.
pub(crate) fn always(dialect: &str) -> &'static [&'static str] {
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
pub(crate) fn events(recording: &Recording) -> Vec<Result<Event, Error>> {
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
