//! Prometheus's text format, version 0.0.4 (<https://prometheus.io/docs/instrumenting/exposition_formats>). Names are those of
//! OpenTelemetry's conventions for generative AI, as its exporters write them for Prometheus; what they have no name
//! for begins with `sabir_`.

use std::fmt::Write as _;

use super::histogram::Seen;
use super::{Counted, Labels};

/// 10 ms · 2^n to 164 s, as powers of two of the histogram's units.
const TIMES: std::ops::RangeInclusive<u32> = 10..=24;
/// 4^n to 67 million tokens.
const TOKENS: std::ops::RangeInclusive<u32> = 0..=13;

pub(super) fn text(
    counted: &[(Labels, Counted)],
    would_refuse: &[(String, String, u64)],
    gauges: impl Iterator<Item = (&'static str, &'static str, Vec<(String, f64)>)>,
) -> String {
    let mut page = Page(String::new());
    let times = [
        ("gen_ai_client_operation_duration_seconds", "How long calls took."),
        ("gen_ai_client_operation_time_to_first_chunk_seconds", "How long streams took to their first event."),
        ("gen_ai_client_operation_time_per_output_chunk_seconds", "From one event of a stream to the next."),
    ];
    for (at, (name, help)) in times.into_iter().enumerate() {
        page.head(name, help, "histogram");
        for (labels, counted) in counted.iter().filter(|(_, counted)| counted.seen[at].count() > 0) {
            page.histogram(name, &said(labels), &counted.seen[at], TIMES.map(|n| (n, 0.01 * f64::from(1 << (n - 10)))));
        }
    }
    let name = "gen_ai_client_token_usage";
    page.head(name, "Tokens of a call.", "histogram");
    for (labels, counted) in counted {
        for (at, kind) in [(3, "input"), (4, "output")] {
            let labels = format!("{},gen_ai_token_type=\"{kind}\"", said(labels));
            page.histogram(name, &labels, &counted.seen[at], TOKENS.map(|n| (2 * n, f64::from(1 << (2 * n)))));
        }
    }
    page.all("sabir_calls_total", "Calls that are over.", counted, |c| vec![(String::new(), c.calls)]);
    page.all("sabir_errors_total", "Calls that ended in an error.", counted, |c| each("error_type", &c.errors));
    page.all("sabir_retries_total", "Attempts that failed before another one.", counted, |c| {
        each("error_type", &c.retries)
    });
    page.all("sabir_fallbacks_total", "Calls that another provider answered.", counted, |c| one(c.fallbacks));
    page.all("sabir_limit_hits_total", "Calls that a limit of ours refused.", counted, |c| one(c.limit_hits));
    page.all("sabir_tokens_total", "Tokens by kind.", counted, |c| each("kind", &c.tokens));
    page.all("sabir_cost_nano_usd_total", "What answers cost whose price is known.", counted, |c| one(c.nano_usd));
    page.all("sabir_unpriced_total", "Answers whose cost is not known.", counted, |c| one(c.unpriced));
    page.all("sabir_cache_hits_total", "Answers from the cache.", counted, |c| one(c.cache_hits));
    page.all("sabir_cache_misses_total", "Answers that were not in it.", counted, |c| one(c.cache_misses));
    let name = "sabir_would_refuse_total";
    page.head(name, "Calls that a limit or budget would have refused that is only watched.", "counter");
    for (key, rule, times) in would_refuse {
        page.line(name, &format!("key=\"{}\",rule=\"{}\"", escaped(key), escaped(rule)), times);
    }
    page.head("sabir_in_flight", "Calls that are not over.", "gauge");
    for (labels, counted) in counted {
        page.line("sabir_in_flight", &said(labels), &counted.in_flight);
    }
    for (name, help, figures) in gauges {
        page.head(name, help, "gauge");
        for (of, figure) in figures {
            page.line(name, &format!("of=\"{}\"", escaped(&of)), &figure);
        }
    }
    page.0
}

struct Page(String);

impl Page {
    fn head(&mut self, name: &str, help: &str, kind: &str) {
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &str, value: &dyn std::fmt::Display) {
        let _ = writeln!(self.0, "{name}{{{labels}}} {value}");
    }

    fn all(
        &mut self,
        name: &str,
        help: &str,
        counted: &[(Labels, Counted)],
        figures: impl Fn(&Counted) -> Vec<(String, u64)>,
    ) {
        self.head(name, help, "counter");
        for (labels, counted) in counted {
            for (more, figure) in figures(counted) {
                self.line(name, &format!("{}{more}", said(labels)), &figure);
            }
        }
    }

    fn histogram(&mut self, name: &str, labels: &str, seen: &Seen, bounds: impl Iterator<Item = (u32, f64)>) {
        let count = seen.count();
        for (power, bound) in bounds {
            self.line(&format!("{name}_bucket"), &format!("{labels},le=\"{bound}\""), &seen.up_to(power));
        }
        self.line(&format!("{name}_bucket"), &format!("{labels},le=\"+Inf\""), &count);
        if name.ends_with("_seconds") {
            self.line(&format!("{name}_sum"), labels, &seen.seconds());
        } else {
            self.line(&format!("{name}_sum"), labels, &seen.sum);
        }
        self.line(&format!("{name}_count"), labels, &count);
    }
}

fn one(figure: u64) -> Vec<(String, u64)> {
    vec![(String::new(), figure)]
}

fn each(label: &str, figures: &std::collections::BTreeMap<&'static str, u64>) -> Vec<(String, u64)> {
    figures.iter().map(|(name, figure)| (format!(",{label}=\"{name}\""), *figure)).collect()
}

fn said(labels: &Labels) -> String {
    format!(
        "gen_ai_operation_name=\"{}\",gen_ai_provider_name=\"{}\",gen_ai_request_model=\"{}\"",
        labels.operation,
        escaped(&labels.provider),
        escaped(&labels.model)
    )
}

/// A label's value: a model's name may be anything.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
