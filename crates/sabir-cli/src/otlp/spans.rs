//! The spans that the layers and the gateway open, on their way to a collector.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::SystemTime;

use serde_json::Value;
use tokio::sync::mpsc::Sender;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context as Around;
use tracing_subscriber::registry::LookupSpan;

use super::context::{Context, Sampler};
use super::json::{Happened, Kind, Span};
use super::{nanos, one_more};

/// The most events of one span that are told.
const MOST_EVENTS: usize = 32;
/// The longest text that is told, in bytes: of what was asked and answered, where the configuration says so.
const LONGEST: usize = 64 << 10;

/// Gathers spans, and queues them when they are over.
pub(crate) struct Spans {
    queue: Sender<Span>,
    left_out: Arc<AtomicU64>,
    sampler: Sampler,
}

impl Spans {
    pub(super) fn new(queue: Sender<Span>, left_out: Arc<AtomicU64>, sampler: Sampler) -> Self {
        Self { queue, left_out, sampler }
    }
}

/// What is noted of a span while it is open.
struct Open {
    span: Span,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, around: Around<'_, S>) {
        let Some(here) = around.span(id) else { return };
        let mut said = Said::default();
        attributes.record(&mut said);
        let above = here.parent().and_then(|parent| parent.extensions().get::<Open>().map(|open| open.span.context));
        let parent = above.or_else(|| Context::of(said.traceparent.as_deref()?));
        let mut span = Span {
            context: self.sampler.below(parent),
            parent: parent.map(|parent| parent.span),
            name: here.name().to_owned(),
            kind: Kind::default(),
            begun: nanos(SystemTime::now()),
            ended: 0,
            attributes: Vec::new(),
            events: Vec::new(),
            has_failed: false,
        };
        said.put_into(&mut span);
        here.extensions_mut().insert(Open { span });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, around: Around<'_, S>) {
        let Some(here) = around.span(id) else { return };
        let mut extensions = here.extensions_mut();
        let Some(open) = extensions.get_mut::<Open>().filter(|open| open.span.context.is_sampled) else { return };
        let mut said = Said::default();
        values.record(&mut said);
        said.put_into(&mut open.span);
    }

    fn on_event(&self, event: &Event<'_>, around: Around<'_, S>) {
        let Some(here) = around.event_span(event) else { return };
        let mut extensions = here.extensions_mut();
        let Some(open) = extensions.get_mut::<Open>().filter(|open| open.span.context.is_sampled) else { return };
        if open.span.events.len() < MOST_EVENTS {
            let mut said = Said::default();
            event.record(&mut said);
            let name = said.message.unwrap_or_else(|| event.metadata().name().to_owned());
            let happened = Happened { time: nanos(SystemTime::now()), name, attributes: said.attributes };
            open.span.events.push(happened);
        }
    }

    fn on_close(&self, id: Id, around: Around<'_, S>) {
        let Some(here) = around.span(&id) else { return };
        let Some(Open { mut span }) = here.extensions_mut().remove::<Open>() else { return };
        if !span.context.is_sampled {
            return;
        }
        span.ended = nanos(SystemTime::now());
        if self.queue.try_send(span).is_err() {
            one_more(&self.left_out);
        }
    }
}

/// The fields of a span or event. Some are for whoever tells of it (`otel.…`), as `tracing-opentelemetry` has them.
#[derive(Default)]
struct Said {
    attributes: Vec<(&'static str, Value)>,
    name: Option<String>,
    kind: Option<Kind>,
    has_failed: bool,
    traceparent: Option<String>,
    message: Option<String>,
}

impl Said {
    fn put_into(self, span: &mut Span) {
        span.name = self.name.unwrap_or_else(|| std::mem::take(&mut span.name));
        span.kind = self.kind.unwrap_or(span.kind);
        span.has_failed |= self.has_failed;
        for (name, value) in self.attributes {
            // What is recorded again is said anew: a provider, after a route found another.
            match span.attributes.iter_mut().find(|(other, _)| *other == name) {
                Some((_, before)) => *before = value,
                None => span.attributes.push((name, value)),
            }
        }
    }

    fn text(&mut self, field: &Field, text: &str) {
        match field.name() {
            "otel.name" => self.name = Some(text.to_owned()),
            "otel.kind" => {
                self.kind = Some(match text {
                    "server" => Kind::Server,
                    "client" => Kind::Client,
                    _ => Kind::Internal,
                });
            }
            "otel.status_code" => self.has_failed = text == "ERROR",
            "traceparent" => self.traceparent = Some(text.to_owned()),
            "message" => self.message = Some(text.to_owned()),
            // A list, by the conventions.
            name @ "gen_ai.response.finish_reasons" => {
                self.attributes.push((name, serde_json::from_str(text).unwrap_or_else(|_| text.into())));
            }
            name => {
                let end = (0..=LONGEST.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
                self.attributes.push((name, text[..end].into()));
            }
        }
    }
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.attributes.push((field.name(), value.into()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.attributes.push((field.name(), value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.attributes.push((field.name(), value.into()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.attributes.push((field.name(), value.into()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, &format!("{value:?}"));
    }
}
