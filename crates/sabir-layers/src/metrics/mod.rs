//! What is counted of all calls, in this process, without an exporter; and given to others as Prometheus text or by an
//! [`Observe`].

mod histogram;
mod prometheus;
mod series;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use sabir_core::Call;

use self::series::Series;
pub use self::series::{Came, Counted, Percentiles};

/// What a series of figures is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Labels {
    /// What was done, in the words of OpenTelemetry's conventions: `chat`, `embeddings`; `rerank` and `count_tokens`,
    /// which they have no words for.
    pub operation: &'static str,
    /// The provider that answered; the one that was asked, where none did.
    pub provider: String,
    /// The model that was asked for.
    pub model: String,
}

/// A call that is over, for those who count elsewhere.
#[derive(Debug)]
#[non_exhaustive]
pub struct Observation<'a> {
    /// What it was about.
    pub labels: &'a Labels,
    /// How it came out.
    pub came: Came<'a>,
    /// How long it took.
    pub took: Duration,
    /// How long a stream took to its first event.
    pub first: Option<Duration>,
}

/// Is told of every call: the seam for exporters.
pub trait Observe: fmt::Debug + Send + Sync + 'static {
    /// A call is over.
    fn ended(&self, observation: &Observation<'_>);

    /// A stream's next event came so long after the one before.
    fn between(&self, labels: &Labels, gap: Duration) {
        let _ = (labels, gap);
    }
}

/// More series than any set of providers and models in use: a caller who invents models does not fill the memory. What
/// is beyond is counted together, under `_other`.
const MAX_SERIES: usize = 1_000;

/// All that is counted. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    series: RwLock<BTreeMap<Labels, Arc<Series>>>,
    /// The one that was asked for last: most programs call the same model again and again.
    last: Mutex<Option<(Arc<Labels>, Arc<Series>)>>,
    observers: RwLock<Vec<Arc<dyn Observe>>>,
    gauges: RwLock<Vec<Gauge>>,
    would_refuse: Mutex<BTreeMap<(String, String), u64>>,
}

/// A figure that somebody else keeps.
struct Gauge {
    name: &'static str,
    help: &'static str,
    read: Box<dyn Fn() -> Vec<(String, f64)> + Send + Sync>,
}

impl fmt::Debug for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells somebody else of every call, too.
    pub fn observe(&self, observer: impl Observe) {
        self.0.observers.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(observer));
    }

    /// Shows a figure that somebody else keeps (breakers' states, keys at rest) in the Prometheus text: `read` gives
    /// each with what it is of, which becomes the label `of`. The name is Prometheus's (`sabir_breaker_open`); a figure that had it is replaced.
    pub fn gauge(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> Vec<(String, f64)> + Send + Sync + 'static,
    ) {
        let gauge = Gauge { name, help, read: Box::new(read) };
        let mut gauges = self.0.gauges.write().unwrap_or_else(PoisonError::into_inner);
        gauges.retain(|other| other.name != name);
        gauges.push(gauge);
    }

    /// How often what is only watched would have refused: the label `key` of the calls, empty for those that have none, the
    /// limit or budget in words, and how often.
    pub fn would_refuse(&self) -> Vec<(String, String, u64)> {
        let all = self.0.would_refuse.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|((key, rule), times)| (key.clone(), rule.clone(), *times)).collect()
    }

    /// What is only watched would have refused a call.
    pub(crate) fn would_have_refused(&self, call: &Call, rule: String) {
        let key = call.tags.iter().find(|(name, _)| name == "key").map_or(String::new(), |(_, key)| key.clone());
        let mut all = self.0.would_refuse.lock().unwrap_or_else(PoisonError::into_inner);
        let mut name = (key, rule);
        if all.len() >= MAX_SERIES && !all.contains_key(&name) {
            name = ("_other".to_owned(), "_other".to_owned());
        }
        *all.entry(name).or_default() += 1;
    }

    /// What was counted so far, by what it is about.
    pub fn counted(&self) -> Vec<(Labels, Counted)> {
        let series = self.0.series.read().unwrap_or_else(PoisonError::into_inner);
        series.iter().map(|(labels, series)| (labels.clone(), series.count())).collect()
    }

    /// All of it together.
    pub fn total(&self) -> Counted {
        let series = self.0.series.read().unwrap_or_else(PoisonError::into_inner);
        series.values().fold(Counted::default(), |sum, series| sum.plus(&series.count()))
    }

    /// All of it as Prometheus's text format, version 0.0.4.
    pub fn prometheus(&self) -> String {
        let gauges = self.0.gauges.read().unwrap_or_else(PoisonError::into_inner);
        let gauges = gauges.iter().map(|gauge| (gauge.name, gauge.help, (gauge.read)()));
        prometheus::text(&self.counted(), &self.would_refuse(), gauges)
    }

    /// A call is in flight.
    pub(crate) fn begun(&self, operation: &'static str, provider: &str, model: &str) -> Counting {
        let is_of =
            |labels: &Labels| labels.provider == provider && labels.model == model && labels.operation == operation;
        let mut last = self.0.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (labels, series) = if let Some(known) = last.as_ref().filter(|(labels, _)| is_of(labels)) {
            known.clone()
        } else {
            let labels = Labels { operation, provider: provider.to_owned(), model: model.to_owned() };
            let series = self.series(&labels);
            last.insert((Arc::new(labels), series)).clone()
        };
        series.in_flight.fetch_add(1, Relaxed);
        Counting { series, labels, metrics: self.clone() }
    }

    fn series(&self, labels: &Labels) -> Arc<Series> {
        if let Some(found) = self.0.series.read().unwrap_or_else(PoisonError::into_inner).get(labels) {
            return found.clone();
        }
        let mut all = self.0.series.write().unwrap_or_else(PoisonError::into_inner);
        let labels = match all.len() {
            0..MAX_SERIES => labels.clone(),
            _ => Labels { operation: labels.operation, provider: "_other".into(), model: "_other".into() },
        };
        all.entry(labels).or_default().clone()
    }
}

/// A call that is being counted. It is in flight until this is dropped.
#[derive(Debug)]
pub(crate) struct Counting {
    metrics: Metrics,
    labels: Arc<Labels>,
    series: Arc<Series>,
}

impl Counting {
    pub(crate) fn between(&self, gap: Duration) {
        self.series.between.time(gap);
        for observer in &*self.metrics.0.observers.read().unwrap_or_else(PoisonError::into_inner) {
            observer.between(&self.labels, gap);
        }
    }

    /// Events that came at once after the ones before.
    pub(crate) fn at_once(&self, events: u64) {
        self.series.between.add(0, events);
    }

    pub(crate) fn ended(&mut self, came: Came<'_>, took: Duration, first: Option<Duration>) {
        let answered_by = match &came {
            Came::Answer(response) => Some(response.provider.as_str()),
            Came::Failed(error) => error.provider(),
            Came::Other(_) | Came::Dropped => None,
        };
        let elsewhere = answered_by.filter(|provider| !provider.is_empty() && *provider != self.labels.provider);
        if let Some(provider) = elsewhere {
            let labels = Labels { provider: provider.to_owned(), ..(*self.labels).clone() };
            let series = self.metrics.series(&labels);
            series.ended(&came, took);
            self.tell(&labels, &series, came, took, first);
        } else {
            self.series.ended(&came, took);
            self.tell(&self.labels, &self.series, came, took, first);
        }
    }

    fn tell(&self, labels: &Labels, series: &Series, came: Came<'_>, took: Duration, first: Option<Duration>) {
        if let Some(first) = first {
            series.first.time(first);
        }
        let observers = self.metrics.0.observers.read().unwrap_or_else(PoisonError::into_inner);
        if !observers.is_empty() {
            let observation = Observation { labels, came, took, first };
            observers.iter().for_each(|observer| observer.ended(&observation));
        }
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.series.in_flight.fetch_sub(1, Relaxed);
    }
}
