//! The load: so many requests, so many at once, at a rate where one is said.

use std::collections::BTreeMap;
use std::time::Duration;

use sabir::chat::Event;
use sabir::{ChatRequest, ChatResponse, Client, Error};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::histogram::Histogram;
use crate::failure::Failure;
use crate::progress::Progress;

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Load {
    pub(super) request: ChatRequest,
    pub(super) requests: u64,
    pub(super) concurrency: usize,
    /// Requests a second; as fast as answers come where nothing is said.
    pub(super) rate: Option<f64>,
}

/// What was measured. Times are in microseconds.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pub(super) elapsed: Duration,
    pub(super) answered: u64,
    /// By the kind of error.
    pub(super) errors: BTreeMap<&'static str, u64>,
    pub(super) total: Histogram,
    pub(super) first: Histogram,
    pub(super) between: Histogram,
    /// Tokens a second of one answer, from its first token to its last.
    pub(super) pace: Histogram,
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) nano_usd: u64,
    /// Answers whose price is unknown.
    pub(super) unpriced: u64,
    /// Whether Ctrl-C ended it.
    pub(super) interrupted: bool,
}

/// One answer.
struct Sample {
    total: u64,
    first: Option<u64>,
    between: Vec<u64>,
    response: ChatResponse,
}

/// The most gaps of one answer that are kept.
const GAPS: usize = 100_000;

impl Load {
    pub(super) async fn run(&self, client: &Client) -> Result<Measured, Failure> {
        let mut measured = Measured::default();
        let mut progress = Progress::new(self.requests, 0);
        let mut under_way = JoinSet::new();
        let begun = Instant::now();
        let (mut sent, mut ended) = (0_u64, 0_u64);
        let mut interrupted = Box::pin(tokio::signal::ctrl_c());
        while sent < self.requests || !under_way.is_empty() {
            let is_room = sent < self.requests && under_way.len() < self.concurrency;
            let due = self.due(begun, sent);
            tokio::select! {
                done = under_way.join_next(), if !under_way.is_empty() => {
                    let done = done.and_then(Result::ok);
                    ended += 1;
                    measured.take(done.unwrap_or_else(|| Err(super::lost())));
                    let errors = measured.errors.values().sum::<u64>();
                    progress.at(ended, || match errors {
                        0 => String::new(),
                        errors => format!("{errors} failed"),
                    });
                }
                () = tokio::time::sleep_until(due.unwrap_or(begun)), if is_room => {
                    under_way.spawn(ask(client.clone(), self.numbered(sent), due));
                    sent += 1;
                }
                _ = &mut interrupted => {
                    measured.interrupted = true;
                    under_way.abort_all();
                    break;
                }
            }
        }
        progress.end();
        measured.elapsed = begun.elapsed();
        Ok(measured)
    }

    /// When a request is due, where there is a rate.
    fn due(&self, begun: Instant, number: u64) -> Option<Instant> {
        // Some 10⁵ requests a second for years are below 2⁵³.
        #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
        let seconds = number as f64 / self.rate?;
        begun.checked_add(Duration::try_from_secs_f64(seconds).ok()?)
    }

    /// A number stands first in the prompt, so that no cache of the provider's answers for the model.
    fn numbered(&self, number: u64) -> ChatRequest {
        let mut request = self.request.clone();
        let said = request.messages.pop().map(|message| message.text()).unwrap_or_default();
        request.user(format!("({number}) {said}"))
    }
}

/// Asks once. With a rate, time counts from when the request was due, also where it had to wait for others: a slow server
/// must not look fast because it was asked less.
async fn ask(client: Client, request: ChatRequest, due: Option<Instant>) -> Result<Sample, Error> {
    let begun = due.unwrap_or_else(Instant::now);
    let micros = |since: Instant, until: Instant| {
        u64::try_from(until.saturating_duration_since(since).as_micros()).unwrap_or(u64::MAX)
    };
    if !request.stream {
        let response = client.chat(request).await?;
        return Ok(Sample { total: micros(begun, Instant::now()), first: None, between: Vec::new(), response });
    }
    let mut stream = client.stream(request).await?;
    let (mut first, mut last, mut between) = (None, begun, Vec::new());
    while let Some(event) = stream.next().await {
        let now = Instant::now();
        match event? {
            Event::Text(_) | Event::Reasoning(_) | Event::ToolArguments { .. } => {
                if first.is_none() {
                    first = Some(micros(begun, now));
                } else if between.len() < GAPS {
                    between.push(micros(last, now));
                }
                last = now;
            }
            Event::Done(response) => {
                return Ok(Sample { total: micros(begun, now), first, between, response: *response });
            }
            _ => {}
        }
    }
    Err(sabir::dialect::truncated())
}

impl Measured {
    fn take(&mut self, done: Result<Sample, Error>) {
        let sample = match done {
            Ok(sample) => sample,
            Err(error) => {
                *self.errors.entry(error.kind().as_str()).or_default() += 1;
                return;
            }
        };
        self.answered += 1;
        self.total.record(sample.total);
        let usage = &sample.response.usage;
        let output = usage.output_total().unwrap_or(0);
        if let Some(first) = sample.first {
            self.first.record(first);
            if let Some(pace) = (output.saturating_sub(1) * 1_000_000).checked_div(sample.total - first)
                && !sample.between.is_empty()
            {
                self.pace.record(pace);
            }
        }
        sample.between.iter().for_each(|gap| self.between.record(*gap));
        self.input += usage.input_total().unwrap_or(0);
        self.output += output;
        match sample.response.cost {
            Some(cost) => self.nano_usd = self.nano_usd.saturating_add(cost.nano_usd),
            None => self.unpriced += 1,
        }
    }
}
