//! The task that tells the collector.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use sabir::http::HttpTransport;
use sabir::transport::Transport as _;
use serde_json::Value;
use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::figures::Figures;
use super::json::{self, Span};
use super::settings::Settings;
use crate::output::notice;

/// How often an export is tried, where the collector says that it may come again (OTLP, "Retryable Response Codes").
const ATTEMPTS: u32 = 4;
/// The longest pause between two attempts: spans wait for it in their queue.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The most bytes of a collector's answer that are read.
const LONGEST_ANSWER: usize = 64 << 10;

pub(super) struct Exporter {
    settings: Settings,
    transport: HttpTransport,
    figures: Option<Figures>,
    left_out: Arc<AtomicU64>,
    /// Whether it was said that nothing arrives.
    is_said: bool,
}

impl Exporter {
    pub(super) fn new(
        settings: Settings,
        transport: HttpTransport,
        figures: Option<Figures>,
        left_out: Arc<AtomicU64>,
    ) -> Self {
        Self { settings, transport, figures, left_out, is_said: false }
    }

    /// Tells what comes until it is stopped, and then what is left.
    pub(super) async fn run(mut self, mut spans: Receiver<Span>, mut stopped: oneshot::Receiver<()>) {
        let mut batch = Vec::new();
        let mut next_figures = Instant::now() + self.settings.interval;
        let mut next_spans = None;
        loop {
            // Without spans there is nothing to wait for but the figures.
            let due = next_spans.map_or(next_figures, |next: Instant| next.min(next_figures));
            let room = self.settings.batch - batch.len();
            let is_stopped = tokio::select! {
                more = spans.recv_many(&mut batch, room) => more == 0,
                () = sleep_until(due) => false,
                _ = &mut stopped => true,
            };
            let now = Instant::now();
            if !batch.is_empty() {
                let next = *next_spans.get_or_insert(now + self.settings.delay);
                if is_stopped || now >= next || batch.len() >= self.settings.batch {
                    self.tell_of(&mut batch).await;
                    next_spans = None;
                }
            }
            if is_stopped {
                spans.close();
                while spans.recv_many(&mut batch, self.settings.batch).await > 0 {
                    self.tell_of(&mut batch).await;
                }
                return self.tell_figures().await;
            }
            if now >= next_figures {
                self.tell_figures().await;
                next_figures = Instant::now() + self.settings.interval;
            }
        }
    }

    async fn tell_of(&mut self, batch: &mut Vec<Span>) {
        let many = batch.len() as u64;
        let told = match &self.settings.traces {
            Some(url) => self.send(url, &json::traces(&self.settings.resource, batch)).await,
            None => Ok(()),
        };
        batch.clear();
        if told.is_err() {
            self.left_out.fetch_add(many, Ordering::Relaxed);
        }
        self.say(told);
    }

    async fn tell_figures(&mut self) {
        let Some(figures) = self.figures.as_ref().map(Figures::json).filter(|figures| !figures.is_empty()) else {
            return;
        };
        let Some(url) = &self.settings.figures else { return };
        let told = self.send(url, &json::metrics(&self.settings.resource, &figures)).await;
        self.say(told);
    }

    /// Says once that a collector is not there, and once that it is there again.
    fn say(&mut self, told: Result<(), String>) {
        match told {
            Err(why) if !self.is_said => notice(&format!("note: the OTLP collector was not told: {why}")),
            Ok(()) if self.is_said => {
                let left_out = self.left_out.load(Ordering::Relaxed);
                notice(&format!("The OTLP collector is told again; {left_out} spans were left out so far."));
            }
            _ => return,
        }
        self.is_said = !self.is_said;
    }

    async fn send(&self, url: &str, what: &Value) -> Result<(), String> {
        let body = Bytes::from(what.to_string());
        let mut pause = Duration::from_secs(1);
        let mut attempt = 1;
        loop {
            let (why, again) = match timeout(self.settings.timeout, self.post(url, body.clone())).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(refused)) => refused,
                Err(_) => ("it took too long".to_owned(), Some(Duration::ZERO)),
            };
            let Some(hint) = again.filter(|_| attempt < ATTEMPTS) else { return Err(why) };
            sleep(pause.max(hint).min(LONGEST_PAUSE)).await;
            (attempt, pause) = (attempt + 1, pause * 2);
        }
    }

    /// One attempt. Where it failed: why, and whether it may be tried again, not before so long.
    async fn post(&self, url: &str, body: Bytes) -> Result<(), (String, Option<Duration>)> {
        let mut request = http::Request::post(url).body(body).map_err(|_| ("it has no URL".to_owned(), None))?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("sabir/", env!("CARGO_PKG_VERSION"))));
        for (name, value) in &self.settings.headers {
            let name = HeaderName::try_from(name.as_str());
            let value = HeaderValue::from_str(value.expose()).map(|mut value| {
                value.set_sensitive(true);
                value
            });
            let (Ok(name), Ok(value)) = (name, value) else {
                return Err(("one of its headers cannot be written".to_owned(), None));
            };
            headers.insert(name, value);
        }
        let sent = self.transport.send(request).await;
        let answer = sent.map_err(|error| (error.message().to_owned(), Some(Duration::ZERO)))?;
        let (head, mut body) = answer.into_parts();
        // Read out, so that the connection can be used again.
        let mut read = 0;
        while let Some(Ok(piece)) = body.next().await {
            read += piece.len();
            if read > LONGEST_ANSWER {
                break;
            }
        }
        if head.status.is_success() {
            return Ok(());
        }
        let may_again = matches!(
            head.status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        let hint = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let wait = may_again.then(|| Duration::from_secs(hint.unwrap_or(0)));
        Err((format!("it answered {}", head.status), wait))
    }
}
