//! What the gateway does, told to a collector of OpenTelemetry: spans and figures, by OTLP over HTTP, in JSON
//! (<https://opentelemetry.io/docs/specs/otlp/>). Nothing here holds up an answer: what does not fit into a queue is left
//! out, and counted.

mod context;
mod export;
mod figures;
mod json;
mod settings;
mod spans;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use sabir::http::HttpTransport;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

pub(crate) use self::settings::Settings;
pub(crate) use self::spans::Spans;
use crate::failure::Failure;

/// How long what is left is told when the gateway stops.
const LAST: Duration = Duration::from_secs(5);

/// An exporter at work.
pub(crate) struct Otlp {
    stop: oneshot::Sender<()>,
    exporting: JoinHandle<()>,
}

impl Otlp {
    /// Tells a collector from now on, on the runtime that this is called in: of the spans that [`Spans`] sees, and of what
    /// is counted here.
    pub(crate) fn start(settings: Settings, metrics: &sabir::layers::Metrics) -> Result<(Self, Spans), Failure> {
        let (queue, spans) = mpsc::channel(settings.queue);
        let left_out = Arc::new(AtomicU64::new(0));
        let seen = Spans::new(queue, left_out.clone(), settings.sampler);
        let transport = HttpTransport::new()?;
        let figures = settings.metrics.then(figures::Figures::default);
        if let Some(figures) = &figures {
            metrics.observe(figures.clone());
        }
        let (stop, stopped) = oneshot::channel();
        let exporter = export::Exporter::new(settings, transport, figures, left_out);
        let exporting = tokio::spawn(exporter.run(spans, stopped));
        Ok((Self { stop, exporting }, seen))
    }

    /// Tells what is left, as far as that takes no longer than five seconds.
    pub(crate) async fn end(self) {
        drop(self.stop);
        let _ = tokio::time::timeout(LAST, self.exporting).await;
    }
}

/// Nanoseconds since 1970.
fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Counts what is left out, and says how much that was before.
fn one_more(left_out: &AtomicU64) -> u64 {
    left_out.fetch_add(1, Ordering::Relaxed)
}
