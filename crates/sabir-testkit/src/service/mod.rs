//! The suite for layers.

mod fixture;

use std::time::Duration;

use fixture::{answer, echo, left, next, request, request_words, same, same_error, settled};
use sabir_core::chat::{ChatResponse, Event, EventStream, Part};
use sabir_core::transport::BoxFuture;
use sabir_core::{Call, Error, ErrorKind, Reply, Result, Service, Shared};

use crate::answers::events_of;
use crate::contract::{check_events, collect};
use crate::run::{Task, join_all, try_block_on};
use crate::{ManualClock, Outcome, Report, Scripted, Step};

/// Checks that a layer which has nothing to object to lets everything through as it is: answers, streams, errors,
/// and that the caller went away. `build` puts the layer around an inner service; it is called once a check.
///
/// | check | what it asks |
/// |---|---|
/// | `whole` | a whole answer passes, asked for once |
/// | `stream` | a stream passes event by event, is read to its end and not past it |
/// | `error` | an error in place of a reply passes |
/// | `error midway` | an error inside a stream passes, last, and nothing is asked again |
/// | `first event` | an event passes before the next one is there |
/// | `dropped stream`, `dropped call` | dropping the outer one drops the inner one |
/// | `several at once` | each caller gets the answer to what it asked |
pub fn check_layer(build: impl Fn(Shared) -> Shared) -> Report {
    check_layer_on(&ManualClock::new(), build)
}

/// [`check_layer`] for a layer that takes a clock: whenever all wait, this one goes on.
pub fn check_layer_on(clock: &ManualClock, build: impl Fn(Shared) -> Shared) -> Report {
    let kit = Kit { clock: clock.clone(), build };
    let mut report = Report::new("the layer");
    report.check("whole", "an answer", || kit.whole());
    report.check("stream", "an answer", || kit.stream());
    for stream in [false, true] {
        let case = if stream { "in place of a stream" } else { "in place of an answer" };
        report.check("error", case, || kit.error(stream));
    }
    report.check("error midway", "after two events", || kit.error_midway());
    report.check("first event", "of a stream that stands still", || kit.stream_left(false));
    report.check("dropped stream", "after its first event", || kit.stream_left(true));
    for stream in [false, true] {
        let case = if stream { "that waits for a stream" } else { "that waits for an answer" };
        report.check("dropped call", case, || kit.call_left(stream));
    }
    report.check("several at once", "eight", || kit.several());
    report
}

struct Kit<B> {
    clock: ManualClock,
    build: B,
}

impl<B: Fn(Shared) -> Shared> Kit<B> {
    fn echoing(&self) -> (Scripted, Shared) {
        let inner = Scripted::answering(&self.clock, |_, request| echo(request));
        let outer = (self.build)(inner.shared());
        (inner, outer)
    }

    fn doing(&self, outcome: Outcome) -> (Scripted, Shared) {
        let inner = Scripted::answering(&self.clock, move |_, _| outcome.clone());
        let outer = (self.build)(inner.shared());
        (inner, outer)
    }

    /// The outer error is a call that never ends.
    fn ask(&self, outer: &Shared, stream: bool) -> Result<Result<Reply>, String> {
        try_block_on(&self.clock, outer.call(&Call::to("testkit"), &request("salt", stream)))
    }

    fn open(&self, outer: &Shared) -> Result<EventStream, String> {
        let reply = self.ask(outer, true).map_err(|e| format!("the stream does not begin: {e}"))?;
        reply.and_then(Reply::stream).map_err(|e| format!("the stream became an error: {e}"))
    }

    fn read(&self, stream: EventStream) -> Result<Vec<Result<Event>>, String> {
        let items = try_block_on(&self.clock, collect(stream))?;
        check_events(&items).map_err(|violation| violation.to_string())?;
        Ok(items)
    }

    fn whole(&self) -> Result<(), String> {
        let (inner, outer) = self.echoing();
        let reply = self.ask(&outer, false)?.and_then(Reply::whole);
        let read = reply.map_err(|e| format!("the answer became an error: {e}"))?;
        same(&answer("salt"), &read)?;
        settled(&inner)
    }

    fn stream(&self) -> Result<(), String> {
        let (inner, outer) = self.echoing();
        let items = self.read(self.open(&outer)?)?;
        let sent = events_of(&answer("salt"));
        for (at, sent) in sent.iter().enumerate() {
            match (sent, items.get(at)) {
                (Event::Done(sent), Some(Ok(Event::Done(read)))) => same(sent, read)?,
                (sent, Some(Ok(read))) if sent == read => {}
                (sent, read) => return Err(format!("item {at} was {sent:?} and became {read:?}")),
            }
        }
        if inner.polled_past_end() > 0 {
            return Err("the inner stream was polled again after it had said that it is over".into());
        }
        settled(&inner)
    }

    fn error(&self, stream: bool) -> Result<(), String> {
        // Of a kind that does not pass by itself, so that trying again is wrong too.
        let sent = Error::new(ErrorKind::InvalidRequest, "the sea is no model").with_code("no_model");
        let (inner, outer) = self.doing(Outcome::Fail(sent.clone()));
        match self.ask(&outer, stream)? {
            Ok(reply) => Err(format!("the error became {reply:?}")),
            Err(error) => same_error(&sent, &error).and_then(|()| settled(&inner)),
        }
    }

    fn error_midway(&self) -> Result<(), String> {
        let mut partial = ChatResponse::default();
        partial.parts = vec![Part::text("You sa")];
        let sent = Error::new(ErrorKind::Overloaded, "the tide came in").with_partial(partial);
        let start = Event::Start { id: String::new(), model: String::new() };
        let items = [Ok(start), Ok(Event::Text("You sa".into())), Err(sent.clone())];
        let (inner, outer) = self.doing(Outcome::events(items));
        let items = self.read(self.open(&outer)?)?;
        match items.last() {
            Some(Err(error)) => same_error(&sent, error).and_then(|()| settled(&inner)),
            _ => Err("the error was swallowed: the stream ended as if all were well".into()),
        }
    }

    /// A stream that gives two events and stands still; the second one is awaited, then the stream is left.
    fn stream_left(&self, check_drop: bool) -> Result<(), String> {
        let start = Event::Start { id: String::new(), model: String::new() };
        let steps = [start, Event::Text("You".into())].map(|event| Step::Item(Ok(event)));
        let steps = steps.into_iter().chain([Step::Forever]).collect();
        let (inner, outer) = self.doing(Outcome::Stream(steps));
        let mut stream = self.open(&outer)?;
        let mut first = Task::new(async { (next(&mut stream).await, next(&mut stream).await) });
        let arrived = first.until_idle().is_ready();
        drop(first);
        if !check_drop {
            return if arrived { Ok(()) } else { Err("events that are there are held back".into()) };
        }
        drop(stream);
        left(&inner)
    }

    fn call_left(&self, stream: bool) -> Result<(), String> {
        let (inner, outer) = self.doing(Outcome::Forever);
        let (call, request) = (Call::to("testkit"), request("salt", stream));
        let mut waiting = Task::new(outer.call(&call, &request));
        if waiting.until_idle().is_ready() {
            return Err("the call was over though the inner one was not".into());
        }
        if inner.calls() == 0 {
            return Err("the inner service was not called".into());
        }
        drop(waiting);
        left(&inner)
    }

    fn several(&self) -> Result<(), String> {
        let inner = Scripted::answering(&self.clock, |_, request| {
            // The later ones are answered first.
            let words = request_words(request);
            let wait = 10_u64.saturating_sub(words.parse().unwrap_or_default());
            echo(request).after(Duration::from_millis(wait))
        });
        let outer = (self.build)(inner.shared());
        let outer = &outer;
        let calls = (0..8_u32).map(|n| -> BoxFuture<'_, Result<(), String>> {
            Box::pin(async move {
                let words = n.to_string();
                let reply = outer.call(&Call::to("testkit"), &request(&words, n % 2 == 0)).await;
                let read = match reply.map_err(|e| format!("call {n} failed: {e}"))? {
                    Reply::Whole(response) => *response,
                    Reply::Stream(stream) => {
                        let items = collect(stream).await;
                        check_events(&items).map_err(|violation| format!("call {n}: {violation}"))?;
                        let Some(Ok(Event::Done(response))) = items.into_iter().next_back() else {
                            return Err(format!("the stream of call {n} failed"));
                        };
                        *response
                    }
                    other => return Err(format!("call {n} got {other:?}")),
                };
                same(&answer(&words), &read).map_err(|e| format!("call {n} got another answer: {e}"))
            })
        });
        try_block_on(&self.clock, join_all(calls.collect()))?.into_iter().collect::<Result<(), _>>()?;
        if inner.in_flight() > 0 {
            return Err(format!("{} inner calls are still under way after all answers", inner.in_flight()));
        }
        Ok(())
    }
}
