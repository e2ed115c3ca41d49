use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use sabir_core::{Result, Secret, Transport};
use sabir_prices::Usd;
use serde_json::json;

use crate::hook::Hook;

/// So much of a budget is spent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Alert {
    /// Which budget, in words.
    pub budget: String,
    /// Whose purse of it (`client "acme"`); empty where all share one.
    pub purse: String,
    /// The threshold, in percent.
    pub percent: u8,
    /// What the budget allows.
    pub most: Usd,
    /// What is spent of it.
    pub spent: Usd,
    /// When its window is over, since 1970; `None` where it slides.
    pub until: Option<Duration>,
}

type Call = dyn Fn(&Alert) + Send + Sync;

/// Whoever is told.
#[derive(Clone, Default)]
pub(super) struct Alarm {
    calls: Vec<Arc<Call>>,
    webhooks: Vec<Arc<AlertWebhook>>,
}

impl Alarm {
    pub(super) fn call(&mut self, call: impl Fn(&Alert) + Send + Sync + 'static) {
        self.calls.push(Arc::new(call));
    }

    pub(super) fn send(&mut self, webhook: AlertWebhook) {
        self.webhooks.push(Arc::new(webhook));
    }

    pub(super) fn ring(&self, alert: &Alert) {
        tracing::warn!(
            budget = alert.budget,
            purse = alert.purse,
            percent = alert.percent,
            "so much of a budget is spent"
        );
        self.calls.iter().for_each(|call| call(alert));
        self.webhooks.iter().for_each(|webhook| deliver(webhook.clone(), alert.clone()));
    }
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alarm").field("calls", &self.calls.len()).field("webhooks", &self.webhooks).finish()
    }
}

/// Tells a server of yours that a budget is spent to a threshold.
///
/// It is sent `{"budget", "purse", "percent", "most_nano_usd", "spent_nano_usd", "until"}` by `POST`; what it answers is
/// nobody's matter but its status. It is sent once: an alert that cannot be delivered is a warning in the log.
#[derive(Clone, Debug)]
pub struct AlertWebhook(Hook);

impl AlertWebhook {
    /// A webhook that has 10 seconds to take an alert.
    ///
    /// # Errors
    /// `Configuration` for what is no URL.
    pub fn new(url: &str, transport: impl Transport) -> Result<Self> {
        Hook::new("the webhook for alerts", url, transport, Duration::from_secs(10)).map(Self)
    }

    /// Sends `Authorization: Bearer KEY`.
    #[must_use]
    pub fn key(self, key: impl Into<Secret>) -> Self {
        Self(self.0.key(key.into()))
    }

    /// How long it has to take an alert.
    #[must_use]
    pub fn timeout(self, limit: Duration) -> Self {
        Self(self.0.timeout(limit))
    }

    async fn post(&self, alert: &Alert) -> Result<()> {
        let body = json!({
            "budget": alert.budget, "purse": alert.purse, "percent": alert.percent, "most_nano_usd": alert.most.0,
            "spent_nano_usd": alert.spent.0, "until": alert.until.map(|until| until.as_secs()),
        });
        self.0.post(&body).await.map(drop)
    }
}

/// Sends an alert in a task of its own: it outlives the call that it comes of, which waits for nothing. Where there is no
/// runtime, in a thread of its own.
fn deliver(webhook: Arc<AlertWebhook>, alert: Alert) {
    let sending = async move {
        if let Err(error) = webhook.post(&alert).await {
            let budget = alert.budget.as_str();
            tracing::warn!(budget, "an alert could not be delivered to its webhook: {}", error.message());
        }
    };
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(sending);
    } else if thread::Builder::new().name("sabir-alert".into()).spawn(move || wait_for(sending)).is_err() {
        tracing::warn!("an alert could not be delivered: there is neither a runtime nor a thread to send it");
    }
}

/// Runs a future on this thread.
fn wait_for(future: impl Future<Output = ()>) {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    while future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        thread::park();
    }
}
