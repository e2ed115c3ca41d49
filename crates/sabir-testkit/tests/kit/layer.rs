use std::collections::{BTreeSet, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use sabir_core::chat::{Event, EventStream, Events};
use sabir_core::{Call, Clock, Error, ErrorKind, Reply, Request, Result, Service, Shared};
use sabir_testkit::{ManualClock, Report, check_layer, check_layer_on, collect};

/// What a layer does to what passes through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Nothing,
    CallTwice,
    TryAgain,
    TryStreamAgain,
    SwallowError,
    RenameError,
    EndTwice,
    PollPastEnd,
    HoldBack,
    LeakStream,
    LeakCall,
    MixUp,
    ChangeText,
    GiveWhole,
}

#[derive(Debug)]
struct Through {
    inner: Shared,
    does: Does,
    last: Mutex<Option<Request>>,
}

impl Service for Through {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        let mut request = request.clone();
        match self.does {
            Does::CallTwice => drop(self.inner.call(call, &request).await?),
            Does::MixUp => {
                let mut last = self.last.lock().expect("no panic");
                request = last.replace(request.clone()).unwrap_or(request);
            }
            Does::LeakCall => {
                let (inner, call) = (self.inner.clone(), call.clone());
                let running = Box::pin(async move { inner.call(&call, &request).await });
                return Forgetful(Some(running)).await;
            }
            _ => {}
        }
        let mut reply = self.inner.call(call, &request).await;
        if self.does == Does::TryAgain && reply.is_err() {
            reply = self.inner.call(call, &request).await;
        }
        match reply {
            Err(error) if self.does == Does::RenameError => Err(Error::new(ErrorKind::Provider, error.message())),
            Ok(Reply::Stream(stream)) => self.streamed(call, &request, stream).await,
            reply => reply,
        }
    }
}

impl Through {
    async fn streamed(&self, call: &Call, request: &Request, stream: EventStream) -> Result<Reply> {
        let mut changed = match self.does {
            Does::SwallowError | Does::EndTwice | Does::HoldBack | Does::TryStreamAgain | Does::GiveWhole => {
                collect(stream).await
            }
            does => {
                return Ok(Reply::Stream(Box::pin(Changing { inner: Some(stream), does })));
            }
        };
        match (self.does, changed.pop()) {
            (Does::GiveWhole, Some(Ok(Event::Done(response)))) => return Ok(Reply::Whole(response)),
            (Does::SwallowError, Some(Err(error))) => {
                let partial = error.partial().cloned().unwrap_or_default();
                changed.push(Ok(Event::Done(Box::new(partial))));
            }
            (Does::TryStreamAgain, Some(Err(_))) => return self.inner.call(call, request).await,
            (does, last) => {
                changed.extend(last.clone().filter(|_| does == Does::EndTwice));
                changed.extend(last);
            }
        }
        Ok(Reply::Stream(Box::pin(Ready(changed.into()))))
    }
}

struct Ready(VecDeque<Result<Event>>);

impl Events for Ready {}

impl Stream for Ready {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.pop_front())
    }
}

struct Changing {
    inner: Option<EventStream>,
    does: Does,
}

impl Events for Changing {}

impl Stream for Changing {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let does = self.does;
        let inner = self.inner.as_mut().expect("until it is dropped");
        let item = inner.as_mut().poll_next(cx);
        match item {
            Poll::Ready(None) if does == Does::PollPastEnd => inner.as_mut().poll_next(cx),
            Poll::Ready(Some(Ok(Event::Text(text)))) if does == Does::ChangeText => {
                Poll::Ready(Some(Ok(Event::Text(text.to_uppercase()))))
            }
            item => item,
        }
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        if self.does == Does::LeakStream {
            std::mem::forget(self.inner.take());
        }
    }
}

/// A future that lives on when it is dropped.
struct Forgetful<F: Future + Unpin>(Option<F>);

impl<F: Future + Unpin> Future for Forgetful<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let output = Pin::new(self.0.as_mut().expect("until it is ready")).poll(cx);
        if output.is_ready() {
            self.0 = None;
        }
        output
    }
}

impl<F: Future + Unpin> Drop for Forgetful<F> {
    fn drop(&mut self) {
        std::mem::forget(self.0.take());
    }
}

fn check(does: Does) -> Report {
    check_layer(|inner| Shared::new(Through { inner, does, last: Mutex::default() }))
}

#[track_caller]
fn finds(does: Does, checks: &[&str], words: &str) {
    let report = check(does);
    let found: BTreeSet<_> = report.violations().iter().map(|finding| finding.check).collect();
    assert_eq!(found, checks.iter().copied().collect(), "{does:?}: {report}");
    assert!(report.to_string().contains(words), "{does:?}: {report}");
}

#[test]
fn a_right_layer_passes() {
    check(Does::Nothing).assert_ok();
}

#[derive(Debug)]
struct Late(Shared, Arc<dyn Clock>);

impl Service for Late {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        self.1.sleep(Duration::ZERO).await;
        let mut reply = self.0.call(call, request).await;
        if let Ok(Reply::Whole(response)) = &mut reply {
            response.request_id = Some("added".into());
        }
        self.1.sleep(Duration::from_secs(60)).await;
        reply
    }
}

#[test]
fn a_layer_may_wait_on_its_clock_and_add_to_answers() {
    let clock = ManualClock::new();
    check_layer_on(&clock, |inner| Shared::new(Late(inner, Arc::new(clock.clone())))).assert_ok();
    assert!(clock.now() >= Duration::from_secs(300), "{clock:?}");
}

#[test]
fn calling_again_is_found() {
    finds(Does::CallTwice, &["whole", "stream", "error midway"], "the inner service was called 2 times for one call");
    finds(Does::TryAgain, &["error"], "the inner service was called 2 times for one call");
    let report = check(Does::TryStreamAgain).to_string();
    assert!(report.contains("error midway (after two events): the inner service was called 2 times"), "{report}");
}

#[test]
fn errors_that_change_are_found() {
    let report = check(Does::SwallowError).to_string();
    assert!(report.contains("error midway (after two events): the error was swallowed"), "{report}");
    finds(Does::RenameError, &["error"], "became (Provider, \"the sea is no model\", None)");
}

#[test]
fn streams_that_change_are_found() {
    let report = check(Does::EndTwice).to_string();
    assert!(report.contains("stream (an answer): item 10 came after the terminal item"), "{report}");
    finds(Does::PollPastEnd, &["stream"], "polled again after it had said that it is over");
    let report = check(Does::HoldBack).to_string();
    assert!(
        report.contains("first event (of a stream that stands still): the stream does not begin: deadlock"),
        "{report}"
    );
    let report = check(Does::ChangeText).to_string();
    assert!(report.contains("the answer is not what the events told"), "{report}");
    let report = check(Does::GiveWhole).to_string();
    assert!(report.contains("stream (an answer): the stream became an error"), "{report}");
}

#[test]
fn what_lives_on_is_found() {
    finds(
        Does::LeakStream,
        &["stream", "error midway", "dropped stream", "several at once"],
        "lives on after it was left",
    );
    let report = check(Does::LeakCall).to_string();
    assert!(report.contains("dropped call (that waits for an answer): the inner call lives on"), "{report}");
}

#[test]
fn mixed_up_callers_are_found() {
    finds(Does::MixUp, &["several at once"], "got another answer");
}
