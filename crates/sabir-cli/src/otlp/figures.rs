//! What calls came to, as histograms by the names, units and buckets of the conventions for generative AI
//! (<https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics>).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use sabir::layers::metrics::{Labels, Observation, Observe};
use serde_json::{Value, json};

use super::json::attributes;
use super::nanos;

/// More series than providers and models are in use; what is beyond is not told.
const MOST: usize = 1_000;

/// All that was seen since it was made. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Figures(Arc<All>);

#[derive(Debug)]
struct All {
    since: u64,
    seen: Mutex<BTreeMap<Series, Histogram>>,
}

impl Default for Figures {
    fn default() -> Self {
        Self(Arc::new(All { since: nanos(SystemTime::now()), seen: Mutex::default() }))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    metric: &'static str,
    labels: Labels,
    /// The kind of token, or of error.
    of: Option<(&'static str, &'static str)>,
}

#[derive(Debug, Default)]
struct Histogram {
    counts: Vec<u64>,
    sum: f64,
}

const DURATION: &str = "gen_ai.client.operation.duration";
const FIRST: &str = "gen_ai.client.operation.time_to_first_chunk";
const TOKENS: &str = "gen_ai.client.token.usage";

/// The upper bounds of a metric's buckets, and its unit.
fn shape(metric: &str) -> (Vec<f64>, &'static str) {
    match metric {
        TOKENS => ((0..14).map(|n| f64::from(1 << (2 * n))).collect(), "{token}"),
        _ => ((0..14).map(|n| 0.01 * f64::from(1 << n)).collect(), "s"),
    }
}

impl Figures {
    fn add(&self, metric: &'static str, labels: &Labels, of: Option<(&'static str, &'static str)>, value: f64) {
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let series = Series { metric, labels: labels.clone(), of };
        if seen.len() >= MOST && !seen.contains_key(&series) {
            return;
        }
        let histogram = seen.entry(series).or_default();
        let (bounds, _) = shape(metric);
        histogram.counts.resize(bounds.len() + 1, 0);
        let at = bounds.iter().position(|bound| value <= *bound).unwrap_or(bounds.len());
        histogram.counts[at] += 1;
        histogram.sum += value;
    }

    /// All of it, as OTLP has metrics: sums since the beginning.
    pub(super) fn json(&self) -> Vec<Value> {
        let seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = nanos(SystemTime::now());
        let metric = |name: &'static str| {
            let (bounds, unit) = shape(name);
            let points: Vec<Value> = seen
                .iter()
                .filter(|(series, _)| series.metric == name)
                .map(|(series, histogram)| {
                    let mut said = vec![
                        ("gen_ai.operation.name", series.labels.operation.into()),
                        ("gen_ai.provider.name", series.labels.provider.as_str().into()),
                        ("gen_ai.request.model", series.labels.model.as_str().into()),
                    ];
                    said.extend(series.of.map(|(name, value)| (name, Value::from(value))));
                    json!({
                        "attributes": attributes(&said),
                        "startTimeUnixNano": self.0.since.to_string(),
                        "timeUnixNano": now.to_string(),
                        "count": histogram.counts.iter().sum::<u64>().to_string(),
                        "sum": histogram.sum,
                        "bucketCounts": histogram.counts.iter().map(u64::to_string).collect::<Vec<_>>(),
                        "explicitBounds": bounds,
                    })
                })
                .collect();
            // 2 is cumulative.
            let histogram = json!({ "dataPoints": points, "aggregationTemporality": 2 });
            (!points.is_empty()).then(|| json!({ "name": name, "unit": unit, "histogram": histogram }))
        };
        [DURATION, FIRST, TOKENS].into_iter().filter_map(metric).collect()
    }
}

impl Observe for Figures {
    #[expect(clippy::cast_precision_loss, reason = "no answer has more than 2^53 tokens")]
    fn ended(&self, observation: &Observation<'_>) {
        let labels = observation.labels;
        if let Some(usage) = observation.came.usage() {
            for (kind, tokens) in [("input", usage.input_total()), ("output", usage.output_total())] {
                if let Some(tokens) = tokens {
                    self.add(TOKENS, labels, Some(("gen_ai.token.type", kind)), tokens as f64);
                }
            }
        }
        if let Some(first) = observation.first {
            self.add(FIRST, labels, None, first.as_secs_f64());
        }
        let error = observation.came.error().map(|kind| ("error.type", kind.as_str()));
        self.add(DURATION, labels, error, observation.took.as_secs_f64());
    }

    fn between(&self, _: &Labels, _: Duration) {}
}
