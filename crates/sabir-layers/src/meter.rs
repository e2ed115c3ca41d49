//! Counts what calls come to: how long they took, what they used and cost, how they failed.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use sabir_core::chat::{Event, EventStream, Events, Usage, Wire};
use sabir_core::{Call, Clock, Layer, Reply, Request, Result, Service, Shared};

use crate::RuntimeClock;
use crate::metrics::{Came, Counting, Metrics};

/// Counts every call into [`Metrics`]. It stands above all other layers, so that it sees what the caller sees: what a
/// retry, a fallback or a cache made of it is told by the answer.
///
/// ```
/// use sabir_layers::{Meter, Metrics};
///
/// let metrics = Metrics::new();
/// let layer = Meter::new(&metrics); // client.with_layer(layer)
/// # drop(layer);
/// assert!(metrics.counted().is_empty());
/// println!("{}", metrics.prometheus());
/// ```
#[derive(Clone, Debug)]
pub struct Meter {
    metrics: Metrics,
    clock: Arc<dyn Clock>,
}

impl Meter {
    /// Counts into these metrics.
    pub fn new(metrics: &Metrics) -> Self {
        Self { metrics: metrics.clone(), clock: Arc::new(RuntimeClock::default()) }
    }

    /// Takes the time from another clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}

impl Layer for Meter {
    fn apply(&self, inner: Shared) -> Shared {
        Shared::new(Metered { inner, meter: self.clone() })
    }
}

#[derive(Debug)]
struct Metered {
    inner: Shared,
    meter: Meter,
}

impl Service for Metered {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        let clock = &self.meter.clock;
        let counting = self.meter.metrics.begun(operation(request), &call.provider, request.model());
        let mut timed = Timed { counting, clock: clock.clone(), begun: clock.now(), first: None, over: false };
        match self.inner.call(call, request).await {
            Ok(Reply::Stream(inner)) => {
                let stream = Metering { inner, timed, last: None, waited: true, at_once: 0 };
                Ok(Reply::Stream(Box::pin(stream)))
            }
            Ok(reply) => {
                match &reply {
                    Reply::Whole(response) => timed.end(Came::Answer(response)),
                    Reply::Embed(response) => timed.end(Came::Other(&response.usage)),
                    Reply::Rerank(response) => timed.end(Came::Other(&response.usage)),
                    _ => timed.end(Came::Other(&Usage::default())),
                }
                Ok(reply)
            }
            Err(error) => {
                timed.end(Came::Failed(&error));
                Err(error)
            }
        }
    }
}

/// What a request asks for, in the words of OpenTelemetry's conventions.
pub(crate) fn operation(request: &Request) -> &'static str {
    match request {
        Request::Chat(_) => "chat",
        Request::Embed(_) => "embeddings",
        Request::Rerank(_) => "rerank",
        Request::Count(_) => "count_tokens",
        _ => "other",
    }
}

/// A call whose time runs. Dropped before its end, it was left by the caller.
struct Timed {
    counting: Counting,
    clock: Arc<dyn Clock>,
    begun: Duration,
    first: Option<Duration>,
    over: bool,
}

impl Timed {
    fn end(&mut self, came: Came<'_>) {
        self.over = true;
        let took = self.clock.now().saturating_sub(self.begun);
        self.counting.ended(came, took, self.first);
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        if !self.over {
            self.end(Came::Dropped);
        }
    }
}

struct Metering {
    inner: EventStream,
    timed: Timed,
    /// When the last event came that was waited for.
    last: Option<Duration>,
    /// Whether the next event had to be waited for: one that is there at once costs no look at the clock.
    waited: bool,
    /// How many events were there at once.
    at_once: u64,
}

impl Metering {
    fn event(&mut self) {
        if !std::mem::take(&mut self.waited) {
            self.at_once += 1;
            return;
        }
        let now = self.timed.clock.now();
        match self.last.replace(now) {
            None => self.timed.first = Some(now.saturating_sub(self.timed.begun)),
            Some(last) => self.timed.counting.between(now.saturating_sub(last)),
        }
    }

    fn end(&mut self, came: Came<'_>) {
        self.timed.counting.at_once(std::mem::take(&mut self.at_once));
        self.timed.end(came);
    }
}

impl Stream for Metering {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Poll::Ready(item) = this.inner.as_mut().poll_next(cx) else {
            this.waited = true;
            return Poll::Pending;
        };
        match &item {
            _ if this.timed.over => {}
            Some(Ok(Event::Done(response))) => this.end(Came::Answer(response)),
            Some(Ok(_)) => this.event(),
            Some(Err(error)) => this.end(Came::Failed(error)),
            None => this.end(Came::Dropped),
        }
        Poll::Ready(item)
    }
}

impl Events for Metering {
    fn wire(mut self: Pin<&mut Self>) -> Wire {
        self.inner.as_mut().wire()
    }
}

#[cfg(test)]
mod tests {
    use sabir_core::chat::{ChatRequest, ChatResponse};
    use sabir_core::{Error, ErrorKind};
    use sabir_testkit::{ManualClock, Outcome, Scripted, Step, Task, block_on_with, check_layer_on, collect};

    use super::*;

    fn chat(stream: bool) -> Request {
        let mut request = ChatRequest::new("m").user("salt");
        request.stream = stream;
        Request::Chat(request)
    }

    fn answer() -> ChatResponse {
        let mut response = ChatResponse::default();
        (response.usage.input, response.usage.output) = (Some(100), Some(20));
        response
    }

    #[test]
    fn it_changes_nothing() {
        let clock = ManualClock::new();
        let metrics = Metrics::new();
        check_layer_on(&clock, |inner| Meter::new(&metrics).clock(clock.clone()).apply(inner)).assert_ok();
        assert!(metrics.counted().iter().all(|(_, counted)| counted.in_flight == 0));
    }

    #[test]
    fn calls_streams_errors_and_leavers_are_counted() {
        let (clock, metrics) = (ManualClock::new(), Metrics::new());
        let second = Duration::from_secs(1);
        let text = |words: &str| Step::Item(Ok(Event::Text(words.into())));
        let stream = vec![
            Step::Wait(second),
            text("a"),
            text("b"),
            Step::Wait(second / 2),
            text("c"),
            Step::Item(Ok(Event::Done(Box::new(answer())))),
        ];
        let inner = Scripted::new(
            &clock,
            [
                Outcome::whole(answer()).after(2 * second),
                Outcome::Fail(Error::new(ErrorKind::RateLimit, "slow down").with_provider("elsewhere")),
                Outcome::Stream(stream),
                Outcome::Stream(vec![Step::Forever]),
            ],
        );
        let outer = Meter::new(&metrics).clock(clock.clone()).apply(inner.shared());
        let call = Call::to("there");
        block_on_with(&clock, outer.call(&call, &chat(false))).expect("an answer");
        block_on_with(&clock, outer.call(&call, &chat(false))).expect_err("a refusal");
        let reply = block_on_with(&clock, outer.call(&call, &chat(true))).expect("a stream");
        block_on_with(&clock, collect(reply.stream().expect("a stream")));
        let reply = block_on_with(&clock, outer.call(&call, &chat(true))).expect("a stream");
        let mut left = Task::new(collect(reply.stream().expect("a stream")));
        assert!(left.until_idle().is_pending());
        assert_eq!(metrics.counted()[1].1.in_flight, 1);
        drop(left);

        let all = metrics.counted();
        let [(elsewhere, refused), (there, counted)] = &all[..] else { panic!("{all:?}") };
        assert_eq!((elsewhere.provider.as_str(), there.provider.as_str()), ("elsewhere", "there"));
        assert_eq!((refused.calls, refused.errors["rate_limit"]), (1, 1));
        assert_eq!((counted.calls, counted.in_flight, counted.errors["cancelled"]), (3, 0, 1));
        assert_eq!((counted.tokens["input"], counted.tokens["output"], counted.unpriced), (200, 40, 2));
        let near = |found: Option<Duration>, exact: f64| {
            let found = found.expect("seen").as_secs_f64();
            assert!((found / exact - 1.0).abs() < 1.0 / 16.0, "{found} for {exact}");
        };
        near(counted.duration.p99, 2.0);
        near(counted.first_event.p50, 1.0);
        near(counted.between_events.p99, 0.5);

        let total = metrics.total();
        assert_eq!((total.calls, total.errors.len(), total.tokens["input"]), (4, 2, 200));
        near(total.duration.p99, 2.0);

        let text = metrics.prometheus();
        let is_there = |line: &str| assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        let labels = "gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"there\",gen_ai_request_model=\"m\"";
        is_there(&format!("sabir_calls_total{{{labels}}} 3"));
        is_there(&format!("gen_ai_client_operation_duration_seconds_bucket{{{labels},le=\"1.28\"}} 1"));
        is_there(&format!("gen_ai_client_operation_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 3"));
        is_there(&format!("gen_ai_client_token_usage_bucket{{{labels},gen_ai_token_type=\"input\",le=\"64\"}} 0"));
        is_there(&format!("gen_ai_client_token_usage_sum{{{labels},gen_ai_token_type=\"input\"}} 200"));
    }

    #[test]
    fn refusals_of_our_own_limits_are_told_from_a_provider_s() {
        let (clock, metrics) = (ManualClock::new(), Metrics::new());
        let theirs = Error::new(ErrorKind::RateLimit, "slow down");
        let ours = theirs.clone().with_stage(sabir_core::Stage::NotSent);
        let outer = Meter::new(&metrics).apply(Scripted::new(&clock, [theirs, ours].map(Outcome::Fail)).shared());
        for _ in 0..2 {
            block_on_with(&clock, outer.call(&Call::to("there"), &chat(false))).expect_err("a refusal");
        }
        assert_eq!((metrics.total().errors["rate_limit"], metrics.total().limit_hits), (2, 1));
    }

    #[test]
    fn figures_of_others_are_shown() {
        let metrics = Metrics::new();
        metrics.gauge("sabir_breaker_open", "Breakers that are open.", || vec![("a/\"m\"".into(), 1.0)]);
        assert!(metrics.prometheus().contains("sabir_breaker_open{of=\"a/\\\"m\\\"\"} 1\n"));
    }
}
