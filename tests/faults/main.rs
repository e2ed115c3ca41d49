//! Everything that can go wrong between a provider and a caller, in every dialect, with and without the layers that
//! help: how it ends, how often each provider was asked, and how long it took. Time is tokio's, paused: it passes when
//! all wait.

mod leave;
mod table;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use sabir::chat::Event;
use sabir::drive::Origin;
use sabir::{Call, ChatRequest, ChatResponse, Dialect, Endpoint, Layer, Reply, Request, Result, Service, Shared};
use sabir_layers::{Breaker, Retry, Route, Routes, Timeout};
use sabir_sim::{Chunking, Failure, Fault, Loopback, Script, Simulator, Turn};
use tokio::time::Instant;

use crate::table::{End, Failed, Row, of_dialect, rows};

/// Where the middle of an answer is, in bytes: after the first events of a stream in any dialect, before the end of
/// the shortest answer.
const MIDDLE: u64 = 4_000;

/// The most that the backoffs before two further tries can be together.
const BACKOFFS: Duration = Duration::from_millis(300);

/// A sleep ends up to a millisecond late, and there are a few.
const LATE: Duration = Duration::from_millis(10);

/// What the provider does, each time that it is asked.
fn turn(fault: &str) -> Turn {
    let text = Turn::text("Words enough to be cut in the middle. ".repeat(200));
    let text = text.chunking(Chunking::Chars(NonZeroUsize::new(40).expect("not zero")));
    let says = |status, message: &str| Turn::error(Failure::new(status, message));
    let junk = |text: &str| Some(text.to_owned());
    match fault {
        "nothing" => text,
        "refused connection" => text.fault(Fault::Refuse),
        "reset before the head" => text.fault(Fault::HangUp),
        "reset after the head" => text.fault(Fault::ResetAt { bytes: 0 }),
        "reset in the middle" => text.fault(Fault::ResetAt { bytes: MIDDLE }),
        "end in the middle" => text.fault(Fault::CutAt { bytes: MIDDLE }),
        "empty body" => text.fault(Fault::EmptyBody),
        "error in the middle" => text.then_error(Failure::new(529, "too busy").code("overloaded_error")),
        "400" => says(400, "that is no temperature"),
        "401" => says(401, "who are you"),
        "403" => says(403, "not for you"),
        "404" => says(404, "not here"),
        "408" => says(408, "you took too long to ask"),
        "413" => says(413, "that is too much"),
        "429" => says(429, "slow down"),
        "429 for 2 s" => Turn::error(Failure::new(429, "slow down").retry_after_secs(2.0)),
        "429 for 2 min" => Turn::error(Failure::new(429, "slow down").retry_after_secs(120.0)),
        "429 for money" => says(429, "you exceeded your current quota"),
        "500" => says(500, "it broke"),
        "502 with a page" => Turn::model().fault(Fault::page(StatusCode::BAD_GATEWAY, "<html>Bad Gateway</html>")),
        "503" => says(503, "come back later"),
        "529" => says(529, "too busy"),
        "slow head" => text.fault(Fault::SlowHeaders { ms: 50_000 }),
        "too slow a head" => text.fault(Fault::SlowHeaders { ms: 90_000 }),
        "stalled after the head" => text.fault(Fault::Stall { bytes: 0 }),
        "stalled in the middle" => text.fault(Fault::Stall { bytes: MIDDLE }),
        "garbage first" => text.fault(Fault::Garbage { at: 0, text: junk("data: {]\n\n") }),
        "garbage in the middle" => text.fault(Fault::Garbage { at: MIDDLE, text: junk("\n\ndata: {]\n\n") }),
        "page in place of the answer" => text.fault(Fault::page(StatusCode::OK, "<html>Please log in</html>")),
        "wrong content type" => text.fault(Fault::WrongContentType { content_type: "text/html".into() }),
        other => panic!("{other:?} is in the table and not here"),
    }
}

/// The layers around both providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layers {
    None,
    Retry,
    RetryAndRoute,
}

/// Two simulated providers that speak one dialect: the first one fails, the second one does not.
#[derive(Debug)]
struct Two {
    first: Origin,
    second: Origin,
}

impl Service for Two {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        let asked = if call.provider == "second" { &self.second } else { &self.first };
        asked.call(call, request).await
    }
}

fn origin(dialect: &'static dyn Dialect, provider: &str, simulator: &Simulator) -> Origin {
    let endpoint = Endpoint {
        provider: provider.into(),
        base_url: "http://sim.test".into(),
        key: Some("any".into()),
        ..Endpoint::default()
    };
    Origin::new(dialect, endpoint, Arc::new(Loopback::new(simulator.clone())))
}

/// A call, read to its end.
async fn ask(service: &Shared, layers: Layers, stream: bool) -> Result<ChatResponse> {
    // Some dialects cannot do without a limit; a large one limits nothing.
    let (provider, model) = if layers == Layers::RetryAndRoute { ("route", "either") } else { ("first", "m") };
    let mut chat = ChatRequest::new(model).user("x").max_tokens(100_000);
    chat.stream = stream;
    let mut call = Call::to(provider);
    if layers == Layers::None {
        // What the HTTP transport does by itself.
        call.timeouts = sabir::http::DEFAULT_TIMEOUTS;
    }
    match service.call(&call, &Request::Chat(chat)).await? {
        Reply::Stream(events) => {
            let items = sabir_testkit::collect(events).await;
            sabir_testkit::check_events(&items).expect("the contract");
            match items.into_iter().next_back().expect("a terminal item")? {
                Event::Done(response) => Ok(*response),
                other => panic!("{other:?} is last"),
            }
        }
        reply => reply.whole(),
    }
}

/// Plays one case and says what is not as the table has it.
async fn play(dialect: &'static dyn Dialect, row: &Row, layers: Layers) -> Result<(), String> {
    let first = Simulator::scripted(Script::new().turn(turn(row.fault).forever()));
    let second = Simulator::scripted(Script::new().turn(Turn::text("From the other one.").forever()));
    let providers = Two { first: origin(dialect, "first", &first), second: origin(dialect, "second", &second) };
    let mut service = Shared::new(providers);
    if layers != Layers::None {
        let below = Breaker::default().apply(Timeout::default().apply(service));
        service = Retry::default().apply(below);
    }
    if layers == Layers::RetryAndRoute {
        service = Routes::new([Route::named("either", ["first/m", "second/m"])]).apply(service);
    }
    let start = Instant::now();
    let result = ask(&service, layers, row.stream).await;
    let took = start.elapsed();

    let (end, tries) = if layers == Layers::None { (row.alone, 1) } else { (row.each, row.tries) };
    let elsewhere = layers == Layers::RetryAndRoute && row.other;
    let error = result.as_ref().err().map(|error| Failed {
        kind: error.kind(),
        stage: error.stage(),
        partial: error.partial().is_some_and(|partial| !partial.text().is_empty()),
    });
    expect("it ended with", &end.error.filter(|_| !elsewhere), &error)?;
    expect("requests to the first provider", &tries, &first.served())?;
    expect("requests to the second provider", &u64::from(elsewhere), &second.served())?;
    expect("calls left", &0, &(first.in_flight() + second.in_flight()))?;
    let failed_before = match &result {
        Ok(response) => {
            let words = if elsewhere { "From the other one." } else { "Words enough" };
            expect("the answer's beginning", &true, &response.text().starts_with(words))?;
            response.attempts.len()
        }
        Err(error) => error.attempts().len(),
    };
    expect("attempts told", &(tries - 1 + u64::from(elsewhere)), &u64::try_from(failed_before).unwrap_or_default())?;
    let (least, most) = time(row, end, tries);
    if took < least || took > most {
        return Err(format!("it took {took:?}, not {least:?} to {most:?}"));
    }
    Ok(())
}

/// How long it may take: each try and the waits between them, which are drawn where the provider does not say.
fn time(row: &Row, end: End, tries: u64) -> (Duration, Duration) {
    let waits = row.wait.unwrap_or_default() * (tries - 1);
    let least = Duration::from_secs(end.seconds * tries + waits);
    let drawn = if row.wait.is_none() && tries > 1 { BACKOFFS } else { Duration::ZERO };
    (least, least + drawn + LATE)
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, found: &T) -> Result<(), String> {
    if expected == found { Ok(()) } else { Err(format!("{what}: {found:?}, not {expected:?}")) }
}

async fn play_all(layers: Layers) {
    let dialects = sabir::dialects::dialects();
    let rows = rows();
    assert!(dialects.len() >= 11 && rows.len() > 50, "{} dialects, {} rows", dialects.len(), rows.len());
    let mut wrong = Vec::new();
    for dialect in dialects {
        for row in rows.iter().map(|row| of_dialect(row, dialect.name())) {
            if let Err(why) = play(*dialect, &row, layers).await {
                let asked = if row.stream { "stream" } else { "whole" };
                wrong.push(format!("{} | {} | {asked}: {why}", dialect.name(), row.fault));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases of {}:\n{}", wrong.len(), rows.len() * dialects.len(), wrong.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn without_layers() {
    play_all(Layers::None).await;
}

#[tokio::test(start_paused = true)]
async fn with_retries() {
    play_all(Layers::Retry).await;
}

#[tokio::test(start_paused = true)]
async fn with_retries_and_another_provider() {
    play_all(Layers::RetryAndRoute).await;
}
