//! What calls cost, line by line.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use sabir_core::chat::{Attempt, ChatResponse, Cost, Usage};
use sabir_core::{Call, Layer, Reply, Request, Result, Service, Shared};
use sabir_prices::{Options, Prices, service_tier};

use crate::{End, Watch, watch};

/// Puts a receipt on every answer: [`ChatResponse::receipt`](sabir_core::chat::ChatResponse::receipt), and its sum as
/// [`ChatResponse::cost`](sabir_core::chat::ChatResponse::cost) where the provider did not say what it cost. Vectors
/// and rankings get the sum alone. Of a stream that broke, what had arrived is priced, where the provider said what it
/// used.
///
/// It stands above what tries again, so that abandoned attempts are on the receipt, and below a cache, whose answers
/// cost nothing. A cost that is there stays as it is: what attempts before it came to is on the receipt
/// ([`Receipt::cost`](sabir_core::chat::Receipt::cost)). An unknown price leaves the cost `None`.
///
/// The price is that of the model which the answer names, and of the model asked for where that one is not listed and
/// the provider is the one asked; an answer that names no provider is of that one. The service tier is the one that the
/// answer tells, else the one asked for. The hour, where a provider charges by it, is that at which the call was made.
///
/// ```
/// use sabir_layers::{Receipts, Stack};
/// use sabir_prices::Prices;
///
/// let receipts = Receipts::new(Prices::default());
/// let stack = Stack::standard().receipts(receipts.clone()); // client.stack(stack)
/// // Later, when there is a newer list:
/// receipts.refresh(Prices::read("#2027-01-31\n=openai\ngpt-6-luna\tin=0.1 out=0.5\n".into())?);
/// # drop(stack);
/// # Ok::<(), sabir_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Receipts {
    prices: Arc<RwLock<Prices>>,
    time: Arc<dyn Fn() -> Option<Duration> + Send + Sync>,
}

impl Default for Receipts {
    /// By the list that was built in.
    fn default() -> Self {
        Self::new(Prices::default())
    }
}

impl fmt::Debug for Receipts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipts").field("prices", &self.prices().version()).finish_non_exhaustive()
    }
}

impl Receipts {
    /// By these prices.
    pub fn new(prices: Prices) -> Self {
        let time = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok();
        Self { prices: Arc::new(RwLock::new(prices)), time: Arc::new(time) }
    }

    /// The prices that hold now.
    pub fn prices(&self) -> Prices {
        self.prices.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes other prices from now on, here and in all clones; calls under way keep those that they began with.
    pub fn refresh(&self, prices: Prices) {
        *self.prices.write().unwrap_or_else(PoisonError::into_inner) = prices;
    }

    /// The time of day; 0 where it is unknown.
    pub(crate) fn now(&self) -> Duration {
        (self.time)().unwrap_or_default()
    }

    /// Looks at the prices that hold now.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Prices) -> T) -> T {
        look(&self.prices.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the time of day, since 1970 in UTC, from elsewhere; `None` where it is unknown.
    #[must_use]
    pub fn time(mut self, time: impl Fn() -> Option<Duration> + Send + Sync + 'static) -> Self {
        self.time = Arc::new(time);
        self
    }
}

impl Layer for Receipts {
    fn apply(&self, inner: Shared) -> Shared {
        Shared::new(Priced { inner, receipts: self.clone() })
    }
}

#[derive(Debug)]
struct Priced {
    inner: Shared,
    receipts: Receipts,
}

impl Service for Priced {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        let (prices, time) = (self.receipts.prices(), (self.receipts.time)());
        let mut reply = self.inner.call(call, request).await?;
        let sum = |model: &str, usage: &Usage| -> Option<Cost> {
            let mut options = Options::default();
            options.time = time;
            prices
                .receipt(&call.provider, if model.is_empty() { request.model() } else { model }, usage, &options)
                .cost()
        };
        match &mut reply {
            Reply::Embed(response) => response.cost = response.cost.or_else(|| sum(&response.model, &response.usage)),
            Reply::Rerank(response) => response.cost = response.cost.or_else(|| sum(&response.model, &response.usage)),
            _ => {}
        }
        let Request::Chat(chat) = request else { return Ok(reply) };
        let tier = service_tier(&chat.options).map(str::to_owned);
        let (provider, model) = (call.provider.clone(), chat.model.clone());
        Ok(watch(reply, Pricing { prices, time, tier, provider, model }))
    }
}

/// What is known of a call before it is answered.
struct Pricing {
    prices: Prices,
    time: Option<Duration>,
    tier: Option<String>,
    provider: String,
    model: String,
}

impl Watch for Pricing {
    fn end(&mut self, end: End<'_>) {
        match end {
            End::Answer(response) => {
                let attempts = std::mem::take(&mut response.attempts);
                self.price(response, &attempts);
                response.attempts = attempts;
            }
            // What had arrived is billed.
            End::Failed(error) => {
                if let Some(mut partial) = error.take_partial() {
                    if !partial.usage.is_unknown() {
                        self.price(&mut partial, error.attempts());
                    }
                    *error = error.clone().with_partial(partial);
                }
            }
            End::Other | End::Dropped => {}
        }
    }
}

impl Pricing {
    fn price(&self, response: &mut ChatResponse, attempts: &[Attempt]) {
        if response.cached.is_some() {
            return;
        }
        let mut options = Options::default();
        options.time = self.time;
        options.service_tier = service_tier(&response.meta).or(self.tier.as_deref());
        let attempts = self.prices.attempts(attempts, &options);
        if let Some(receipt) = &mut response.receipt {
            // Priced where it was answered: what was abandoned on the way is all that is missing.
            if !attempts.is_empty() && receipt.lines.iter().all(|line| line.attempt.is_none()) {
                let own = receipt.cost();
                receipt.add(attempts);
                response.cost = if response.cost == own { receipt.cost() } else { response.cost };
            }
            return;
        }
        options.reported = response.cost;
        let provider = if response.provider.is_empty() { &self.provider } else { &response.provider };
        let is_listed = |model: &str| self.prices.listed(provider, model).is_some();
        let is_alias = *provider == self.provider && !is_listed(&response.model);
        let model = if is_alias { &self.model } else { &response.model };
        let mut receipt = self.prices.receipt(provider, model, &response.usage, &options);
        receipt.add(attempts);
        response.cost = response.cost.or_else(|| receipt.cost());
        response.receipt = Some(Box::new(receipt));
    }
}

#[cfg(test)]
mod tests;
