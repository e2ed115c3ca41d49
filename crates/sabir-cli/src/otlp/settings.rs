//! Where to, what and how often: by OpenTelemetry's own variables, and below them by `gateway.otlp`
//! (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>).

use std::time::Duration;

use sabir::Secret;
use sabir::config::Config;

use super::context::Sampler;
use crate::failure::Failure;
use crate::output::notice;

/// How a collector is told.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where spans go; `None` where none are told.
    pub(super) traces: Option<String>,
    /// Where figures go.
    pub(super) figures: Option<String>,
    pub(super) headers: Vec<(String, Secret)>,
    /// What is told of, as attributes: of which service, above all.
    pub(super) resource: Vec<(String, String)>,
    pub(super) sampler: Sampler,
    pub(super) metrics: bool,
    /// How long an export may take.
    pub(super) timeout: Duration,
    /// The most spans that wait.
    pub(super) queue: usize,
    /// The most spans of one export.
    pub(super) batch: usize,
    /// How long spans wait for more.
    pub(super) delay: Duration,
    /// How often figures are told.
    pub(super) interval: Duration,
}

/// How large a queue may be made.
const LONGEST_QUEUE: usize = 1 << 20;

impl Settings {
    /// As the environment and the configuration say; `None` where nobody is to be told.
    pub(crate) fn of(config: &Config, env: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, Failure> {
        let env = |name: &str| env(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        if env("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let said = &config.gateway.otlp;
        let base = env("OTEL_EXPORTER_OTLP_ENDPOINT").or_else(|| Some(said.endpoint.as_ref()?.0.clone()));
        let to = |signal: &str, path: &str| {
            if env(&format!("OTEL_{signal}_EXPORTER")).is_some_and(|exporter| exporter == "none") {
                return None;
            }
            let own = env(&format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"));
            own.or_else(|| Some(format!("{}/{path}", base.as_deref()?.trim_end_matches('/'))))
        };
        let (traces, figures) = (to("TRACES", "v1/traces"), to("METRICS", "v1/metrics").filter(|_| said.metrics));
        if traces.is_none() && figures.is_none() {
            return Ok(None);
        }
        if let Some(other) = env("OTEL_EXPORTER_OTLP_PROTOCOL").filter(|protocol| protocol != "http/json") {
            // Collectors take JSON where they take protobuf; what speaks gRPC alone cannot be told.
            if other == "grpc" {
                notice("note: OTLP over gRPC is not spoken here; nothing is exported. Say http/json and port 4318");
                return Ok(None);
            }
            notice(&format!("note: OTLP is sent as http/json, not as {other}; collectors take both at the same port"));
        }
        for url in traces.iter().chain(&figures) {
            let is_http = url.starts_with("http://") || url.starts_with("https://");
            if !is_http || url.parse::<http::Uri>().is_err() {
                let message = "the OTLP endpoint is no URL; write http://127.0.0.1:4318, or what your collector has";
                return Err(Failure::usage(message));
            }
        }
        let mut headers = Vec::new();
        for (name, value) in &said.headers {
            headers.push((name.to_lowercase(), value.resolve()?));
        }
        for (name, value) in pairs(&env("OTEL_EXPORTER_OTLP_HEADERS").unwrap_or_default()) {
            headers.retain(|(other, _)| *other != name.to_lowercase());
            headers.push((name.to_lowercase(), value.as_str().into()));
        }
        let number = |name: &str, usual: u64| env(name).and_then(|value| value.parse().ok()).unwrap_or(usual);
        let millis = |name: &str, usual: u64| Duration::from_millis(number(name, usual).max(1));
        let size =
            |name: &str, usual: u64| usize::try_from(number(name, usual)).unwrap_or(usize::MAX).clamp(1, LONGEST_QUEUE);
        let mut resource = pairs(&env("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default());
        let name = env("OTEL_SERVICE_NAME").map(|name| ("service.name".to_owned(), name));
        resource.extend(name);
        for (name, value) in [("service.name", "sabir"), ("service.version", env!("CARGO_PKG_VERSION"))] {
            if !resource.iter().any(|(other, _)| other == name) {
                resource.push((name.to_owned(), value.to_owned()));
            }
        }
        Ok(Some(Self {
            metrics: figures.is_some(),
            traces,
            figures,
            headers,
            resource,
            sampler: Sampler::of(
                env("OTEL_TRACES_SAMPLER").as_deref(),
                env("OTEL_TRACES_SAMPLER_ARG").as_deref(),
                said.sample.0,
            ),
            timeout: millis("OTEL_EXPORTER_OTLP_TIMEOUT", 10_000),
            queue: size("OTEL_BSP_MAX_QUEUE_SIZE", 2_048),
            batch: size("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512),
            delay: millis("OTEL_BSP_SCHEDULE_DELAY", 5_000),
            interval: millis("OTEL_METRIC_EXPORT_INTERVAL", 60_000),
        }))
    }

    /// Whether spans are told.
    pub(crate) fn has_traces(&self) -> bool {
        self.traces.is_some()
    }
}

/// `a=1,b=2`, with percent signs for what cannot stand there (W3C Baggage).
fn pairs(text: &str) -> Vec<(String, String)> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.trim().to_owned(), unescaped(value.trim()))).collect()
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| byte == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(one) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            bytes.push(one);
            rest = &after[2..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
