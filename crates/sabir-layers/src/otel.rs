//! Figures for OpenTelemetry.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};

use crate::metrics::{Labels, Observation, Observe};

/// Records every call with an OpenTelemetry meter, by the names, units and buckets of the conventions for generative AI
/// (<https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics>). Spans are [`Trace`](crate::Trace)'s.
///
/// ```
/// use sabir_layers::{Metrics, OtelMetrics};
///
/// let metrics = Metrics::new();
/// metrics.observe(OtelMetrics::new(&opentelemetry::global::meter("my-program")));
/// ```
#[derive(Debug)]
pub struct OtelMetrics {
    duration: Histogram<f64>,
    first: Histogram<f64>,
    between: Histogram<f64>,
    tokens: Histogram<u64>,
    retries: Counter<u64>,
}

impl OtelMetrics {
    /// Records with this meter.
    pub fn new(meter: &Meter) -> Self {
        let seconds = |name: &'static str, bounds: Vec<f64>| {
            meter.f64_histogram(name).with_unit("s").with_boundaries(bounds).build()
        };
        let long = || (0..14).map(|n| 0.01 * f64::from(1 << n)).collect();
        let short = [0.001, 0.005].into_iter().chain((0..10).map(|n| 0.01 * f64::from(1 << n)));
        let powers_of_four = (0..14).map(|n| f64::from(1 << (2 * n))).collect();
        Self {
            duration: seconds("gen_ai.client.operation.duration", long()),
            first: seconds("gen_ai.client.operation.time_to_first_chunk", long()),
            between: seconds("gen_ai.client.operation.time_per_output_chunk", short.collect()),
            tokens: meter
                .u64_histogram("gen_ai.client.token.usage")
                .with_unit("{token}")
                .with_boundaries(powers_of_four)
                .build(),
            retries: meter.u64_counter("sabir.retries").with_unit("{attempt}").build(),
        }
    }
}

fn attributes(labels: &Labels) -> Vec<KeyValue> {
    vec![
        KeyValue::new("gen_ai.operation.name", labels.operation),
        KeyValue::new("gen_ai.provider.name", labels.provider.clone()),
        KeyValue::new("gen_ai.request.model", labels.model.clone()),
    ]
}

impl Observe for OtelMetrics {
    fn ended(&self, observation: &Observation<'_>) {
        let mut attributes = attributes(observation.labels);
        if let Some(usage) = observation.came.usage() {
            for (kind, tokens) in [("input", usage.input_total()), ("output", usage.output_total())] {
                let Some(tokens) = tokens else { continue };
                attributes.push(KeyValue::new("gen_ai.token.type", kind));
                self.tokens.record(tokens, &attributes);
                attributes.pop();
            }
        }
        for attempt in observation.came.attempts() {
            attributes.push(KeyValue::new("error.type", attempt.kind.as_str()));
            self.retries.add(1, &attributes);
            attributes.pop();
        }
        if let Some(first) = observation.first {
            self.first.record(first.as_secs_f64(), &attributes);
        }
        if let Some(kind) = observation.came.error() {
            attributes.push(KeyValue::new("error.type", kind.as_str()));
        }
        self.duration.record(observation.took.as_secs_f64(), &attributes);
    }

    fn between(&self, labels: &Labels, gap: Duration) {
        self.between.record(gap.as_secs_f64(), &attributes(labels));
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::metrics::MeterProvider as _;
    use opentelemetry_sdk::metrics::data::{
        AggregatedMetrics, HistogramDataPoint, MetricData, ResourceMetrics, ScopeMetrics,
    };
    use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
    use sabir_core::chat::{ChatRequest, ChatResponse};
    use sabir_core::{Call, Layer, Request, Service};
    use sabir_testkit::{ManualClock, Outcome, Scripted, block_on_with};

    use super::*;
    use crate::{Meter, Metrics};

    #[test]
    fn a_call_is_recorded_under_the_names_of_the_conventions() {
        let exporter = InMemoryMetricExporter::default();
        let reader = PeriodicReader::builder(exporter.clone()).build();
        let provider = SdkMeterProvider::builder().with_reader(reader).build();
        let (clock, metrics) = (ManualClock::new(), Metrics::new());
        metrics.observe(OtelMetrics::new(&provider.meter("test")));
        let mut response = ChatResponse::default();
        (response.usage.input, response.usage.output) = (Some(100), Some(20));
        let inner = Scripted::new(&clock, [Outcome::whole(response).after(Duration::from_secs(2))]);
        let outer = Meter::new(&metrics).clock(clock.clone()).apply(inner.shared());
        let request = Request::Chat(ChatRequest::new("m").user("salt"));
        block_on_with(&clock, outer.call(&Call::to("there"), &request)).expect("an answer");
        provider.force_flush().expect("flushed");

        let told = exporter.get_finished_metrics().expect("exported");
        let all: Vec<_> =
            told.iter().flat_map(ResourceMetrics::scope_metrics).flat_map(ScopeMetrics::metrics).collect();
        let find = |name: &str| all.iter().find(|metric| metric.name() == name).expect("recorded").data();
        let AggregatedMetrics::F64(MetricData::Histogram(duration)) = find("gen_ai.client.operation.duration") else {
            panic!("a histogram");
        };
        let point = duration.data_points().next().expect("recorded");
        assert_eq!((point.count(), point.sum()), (1, 2.0));
        let AggregatedMetrics::U64(MetricData::Histogram(tokens)) = find("gen_ai.client.token.usage") else {
            panic!("a histogram");
        };
        let mut sums: Vec<u64> = tokens.data_points().map(HistogramDataPoint::sum).collect();
        sums.sort_unstable();
        assert_eq!(sums, [20, 100]);
    }
}
