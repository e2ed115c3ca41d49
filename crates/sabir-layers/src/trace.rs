//! A span for every call, in the words of OpenTelemetry's conventions for generative AI.

use sabir_core::chat::{ChatRequest, ChatResponse, Message, Usage};
use sabir_core::{Call, Error, ErrorKind, Layer, Reply, Request, Result, Service, Shared};
use serde::Serialize;
use tracing::field::{Empty, display};
use tracing::{Instrument, Span};

use crate::guard::redact;
use crate::meter::operation;
use crate::{End, Watch, watch};

/// Opens a `tracing` span for every call, at level `INFO`, target `sabir`. With `tracing-opentelemetry` it becomes a
/// span of OpenTelemetry named `chat MODEL`, with the attributes of the conventions for generative AI
/// (<https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans>); without it, lines of a log. Without a
/// subscriber it costs next to nothing.
///
/// A call that fails is an event at level `WARN` in its span. Keys are masked everywhere; what was asked and answered is
/// recorded only where [`content`](Self::content) says so.
///
/// Above retry and route it tells of calls; below them, put there a second time, of attempts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trace {
    recorded: Recorded,
}

/// How much of what was asked and answered is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recorded {
    /// Nothing.
    #[default]
    Nothing,
    /// All of it, but what [`redact`] takes out.
    Redacted,
    /// All of it.
    Everything,
}

impl Trace {
    /// Records what was asked and answered, as `gen_ai.input.messages` and `gen_ai.output.messages`.
    #[must_use]
    pub fn content(mut self, recorded: Recorded) -> Self {
        self.recorded = recorded;
        self
    }
}

impl Layer for Trace {
    fn apply(&self, inner: Shared) -> Shared {
        Shared::new(Traced { inner, recorded: self.recorded })
    }
}

#[derive(Debug)]
struct Traced {
    inner: Shared,
    recorded: Recorded,
}

impl Service for Traced {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        let span = span(call, request, self.recorded);
        if span.is_disabled() {
            return self.inner.call(call, request).await;
        }
        match self.inner.call(call, request).instrument(span.clone()).await {
            Ok(reply) => Ok(watch(reply, Tracing { span, recorded: self.recorded })),
            Err(error) => {
                failed(&span, &error);
                Err(error)
            }
        }
    }
}

fn span(call: &Call, request: &Request, recorded: Recorded) -> Span {
    let operation = operation(request);
    let span = tracing::info_span!(
        target: "sabir",
        "call",
        otel.name = Empty,
        otel.kind = "client",
        otel.status_code = Empty,
        error.type = Empty,
        gen_ai.operation.name = operation,
        gen_ai.provider.name = call.provider,
        gen_ai.request.model = request.model(),
        gen_ai.request.max_tokens = Empty,
        gen_ai.request.temperature = Empty,
        gen_ai.request.top_p = Empty,
        gen_ai.request.top_k = Empty,
        gen_ai.request.seed = Empty,
        gen_ai.request.frequency_penalty = Empty,
        gen_ai.request.presence_penalty = Empty,
        gen_ai.request.stream = Empty,
        gen_ai.response.id = Empty,
        gen_ai.response.model = Empty,
        gen_ai.response.finish_reasons = Empty,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
        gen_ai.usage.cache_read.input_tokens = Empty,
        gen_ai.usage.cache_creation.input_tokens = Empty,
        gen_ai.input.messages = Empty,
        gen_ai.output.messages = Empty,
        sabir.attempt = call.attempt,
        sabir.attempts = Empty,
        sabir.cost.nano_usd = Empty,
    );
    if span.is_disabled() {
        return span;
    }
    span.record("otel.name", display(format_args!("{operation} {}", request.model())));
    if let Request::Chat(chat) = request {
        asked(&span, chat, recorded);
    }
    span
}

fn asked(span: &Span, chat: &ChatRequest, recorded: Recorded) {
    some(span, "gen_ai.request.max_tokens", chat.max_tokens);
    some(span, "gen_ai.request.temperature", chat.temperature);
    some(span, "gen_ai.request.top_p", chat.top_p);
    some(span, "gen_ai.request.top_k", chat.top_k);
    some(span, "gen_ai.request.seed", chat.seed);
    some(span, "gen_ai.request.frequency_penalty", chat.frequency_penalty);
    some(span, "gen_ai.request.presence_penalty", chat.presence_penalty);
    some(span, "gen_ai.request.stream", chat.stream.then_some(true));
    content(span, "gen_ai.input.messages", &chat.messages, recorded);
}

fn some(span: &Span, field: &'static str, value: Option<impl tracing::Value>) {
    if let Some(value) = value {
        span.record(field, value);
    }
}

/// Conversations in Sabir's own words: those of the conventions are still in development.
fn content(span: &Span, field: &'static str, said: &impl Serialize, recorded: Recorded) {
    if recorded == Recorded::Nothing {
        return;
    }
    let Ok(json) = serde_json::to_string(said) else { return };
    match recorded {
        Recorded::Redacted => span.record(field, display(redact(&json))),
        _ => span.record(field, json),
    };
}

/// The message of an error may repeat what was asked; its kind and code do not.
fn failed(span: &Span, error: &Error) {
    ended(span, error.kind());
    if let Some(partial) = error.partial() {
        used(span, &partial.usage);
    }
    let (stage, status, code) = (error.stage(), error.status().map(|status| status.as_u16()), error.code());
    tracing::warn!(target: "sabir", parent: span, ?stage, status, code, "the call failed: {}", error.kind());
}

fn ended(span: &Span, kind: ErrorKind) {
    span.record("otel.status_code", "ERROR");
    span.record("error.type", kind.as_str());
}

fn used(span: &Span, usage: &Usage) {
    some(span, "gen_ai.usage.input_tokens", usage.input_total());
    some(span, "gen_ai.usage.output_tokens", usage.output_total());
    some(span, "gen_ai.usage.cache_read.input_tokens", usage.cache_read);
    some(span, "gen_ai.usage.cache_creation.input_tokens", usage.cache_write);
}

struct Tracing {
    span: Span,
    recorded: Recorded,
}

impl Tracing {
    fn answered(&self, response: &ChatResponse) {
        let span = &self.span;
        // Through a route another provider may have answered than the one that was asked.
        some(span, "gen_ai.provider.name", Some(response.provider.as_str()).filter(|provider| !provider.is_empty()));
        some(span, "gen_ai.response.id", Some(response.id.as_str()).filter(|id| !id.is_empty()));
        some(span, "gen_ai.response.model", Some(response.model.as_str()).filter(|model| !model.is_empty()));
        span.record("gen_ai.response.finish_reasons", display(format_args!("[{:?}]", response.finish.reason.as_str())));
        used(span, &response.usage);
        some(span, "sabir.attempts", Some(response.attempts.len() + 1).filter(|attempts| *attempts > 1));
        some(span, "sabir.cost.nano_usd", response.cost.map(|cost| cost.nano_usd));
        let message: [Message; 1] = [response.to_message()];
        content(span, "gen_ai.output.messages", &message, self.recorded);
    }
}

impl Watch for Tracing {
    fn end(&mut self, end: End<'_>) {
        match end {
            End::Answer(response) => self.answered(response),
            End::Failed(error) => failed(&self.span, error),
            End::Dropped => ended(&self.span, ErrorKind::Cancelled),
            End::Other => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use sabir_core::chat::Part;
    use sabir_testkit::{ManualClock, Outcome, Scripted, block_on, check_layer};
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;

    /// Keeps everything that is recorded, as `name=value`.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<String>>>);

    impl Visit for Kept {
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            self.0.lock().expect("not poisoned").push(format!("{field}={value:?}"));
        }
    }

    impl Subscriber for Kept {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, span: &Attributes<'_>) -> Id {
            span.record(&mut self.clone());
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, values: &Record<'_>) {
            values.record(&mut self.clone());
        }
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, event: &Event<'_>) {
            event.record(&mut self.clone());
        }
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    /// Everything that is recorded of one call.
    fn recorded(layer: Trace, outcome: Outcome) -> String {
        let kept = Kept::default();
        let outer = layer.apply(Scripted::new(&ManualClock::new(), [outcome]).shared());
        let request = Request::Chat(ChatRequest::new("m").user("write to a.b@example.com").max_tokens(7));
        tracing::subscriber::with_default(kept.clone(), || {
            let _ = block_on(outer.call(&Call::to("there"), &request));
        });
        kept.0.lock().expect("not poisoned").join("\n")
    }

    fn answer() -> Outcome {
        let mut response = ChatResponse::default();
        response.parts = vec![Part::text("c@d.example it is")];
        (response.usage.input, response.usage.cache_read, response.usage.output) = (Some(5), Some(3), Some(2));
        Outcome::whole(response)
    }

    #[test]
    fn it_changes_nothing() {
        check_layer(|inner| Trace::default().apply(inner)).assert_ok();
        let kept = Kept::default();
        tracing::subscriber::with_default(kept, || check_layer(|inner| Trace::default().apply(inner)).assert_ok());
    }

    #[test]
    fn a_call_is_told_in_the_words_of_the_conventions_without_what_was_said() {
        let told = recorded(Trace::default(), answer());
        for field in [
            "otel.name=chat m",
            "gen_ai.operation.name=\"chat\"",
            "gen_ai.provider.name=\"there\"",
            "gen_ai.request.max_tokens=7",
            "gen_ai.usage.input_tokens=8",
            "gen_ai.usage.output_tokens=2",
            "gen_ai.usage.cache_read.input_tokens=3",
            "gen_ai.response.finish_reasons=[\"stop\"]",
        ] {
            assert!(told.lines().any(|line| line == field), "{field} is not in\n{told}");
        }
        assert!(!told.contains("example"), "{told}");
    }

    #[test]
    fn what_was_said_is_told_when_asked_for_and_redacted_when_asked_for() {
        let told = recorded(Trace::default().content(Recorded::Redacted), answer());
        assert!(told.contains("write to [e-mail]") && told.contains("[e-mail] it is") && !told.contains("example"));
        let told = recorded(Trace::default().content(Recorded::Everything), answer());
        assert!(told.contains("a.b@example.com") && told.contains("c@d.example"));
    }

    #[test]
    fn a_failure_is_told_by_its_kind_alone() {
        let error = Error::new(ErrorKind::RateLimit, "too many of: write to a.b@example.com").with_code("slow_down");
        let told = recorded(Trace::default(), Outcome::Fail(error));
        assert!(told.contains("error.type=\"rate_limit\"") && told.contains("slow_down"), "{told}");
        assert!(!told.contains("example"), "{told}");
    }
}
