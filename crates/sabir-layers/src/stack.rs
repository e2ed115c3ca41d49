//! All layers in the order in which they belong.

use std::sync::Arc;

use sabir_core::transport::BoxFuture;
use sabir_core::{Foreseen, Layer, Shared, TraitsOf};

use crate::breaker::State;
use crate::{
    Breaker, Budget, Cache, Deadline, Guard, Hedge, Keys, Limits, Meter, Metrics, PromptCache, Receipts, Retry, Routes,
    Spend, Timeout, Trace,
};

/// Layers in the one order in which they belong around providers, however they are added:
///
/// | from the caller | stands here because |
/// |---|---|
/// | [`Trace`] | a span is of the whole call, whatever is made of it below |
/// | [`Meter`] | it counts what the caller sees: one call, with its retries and its wait |
/// | [`Guard`] | what it refuses costs nothing, and what it changes is what is cached and sent |
/// | [`Cache`] | a hit needs no provider, no limit and no money |
/// | [`Receipts`] | what a cache has costs nothing, and an attempt that was abandoned below does |
/// | [`Deadline`] | it bounds a call with all that is tried and waited for below, and what had arrived is priced |
/// | [`Routes`] | all that depends on the provider stands below it, and is taken anew by each that is tried |
/// | [`PromptCache`] | marks are for the provider that was chosen |
/// | [`Hedge`] | the second call is an attempt of its own: with a key, a limit and a breaker of its own |
/// | [`Retry`] | each try passes all that stands below |
/// | [`Keys`] | a try after a limit takes another key |
/// | [`Breaker`] | an open one refuses before a limit is spent |
/// | [`Limits`] | what waits here is not late: its time runs from when it is sent |
/// | [`Spend`] | what waits for a limit holds no money, and each attempt reserves anew |
/// | [`Timeout`] | next to the provider: it limits one attempt |
///
/// Nothing goes around them to a socket. A stack is a layer itself: `client.with_layer(stack)`.
///
/// ```
/// use std::time::Duration;
/// use sabir_layers::{Limit, Limits, Retry, Stack};
///
/// // Meter, retry, breaker, limits and timeout with their defaults, and a limit of one's own.
/// let limits = Limits::default().limit(Limit::requests_per_minute(500).for_provider("openai"));
/// let stack = Stack::standard().limits(limits).retry(Retry::default().attempts(5));
/// let metrics = stack.metrics();
/// # drop((stack, metrics));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Stack {
    /// From the caller to the provider.
    floors: [Option<Arc<dyn Layer>>; FLOORS],
    metrics: Metrics,
    /// The breaker, whose state is among the figures.
    breaker: Option<Breaker>,
    /// What budgets there are, to add to.
    spend: Option<Spend>,
}

const FLOORS: usize = 15;

impl Stack {
    /// No layers.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a program that calls a provider should not be without: [`Meter`], [`Retry`], [`Breaker`], [`Limits`] (which
    /// hold to what the provider says of its own) and [`Timeout`], with their defaults.
    pub fn standard() -> Self {
        let stack = Self::new().retry(Retry::default()).breaker(Breaker::default());
        stack.limits(Limits::default()).timeout(Timeout::default()).meter(&Metrics::new())
    }

    /// What the stack's [`Meter`] counts; nothing where there is none.
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    fn floor(mut self, number: usize, layer: impl Layer) -> Self {
        self.floors[number] = Some(Arc::new(layer));
        self
    }

    /// Opens a span for every call.
    #[must_use]
    pub fn trace(self, trace: Trace) -> Self {
        self.floor(0, trace)
    }

    /// Counts every call into these metrics.
    #[must_use]
    pub fn meter(mut self, metrics: &Metrics) -> Self {
        self.metrics = metrics.clone();
        self.floor(1, Meter::new(metrics))
    }

    /// Checks what is asked and answered.
    #[must_use]
    pub fn guard(self, guard: Guard) -> Self {
        self.floor(2, guard)
    }

    /// Keeps answers.
    #[must_use]
    pub fn cache(self, cache: Cache) -> Self {
        self.floor(3, cache)
    }

    /// Puts receipts on answers.
    #[must_use]
    pub fn receipts(self, receipts: Receipts) -> Self {
        self.floor(4, receipts)
    }

    /// Bounds the time of a call with all of its attempts.
    #[must_use]
    pub fn deadline(self, deadline: Deadline) -> Self {
        self.floor(5, deadline)
    }

    /// Chooses among providers.
    #[must_use]
    pub fn routes(self, routes: Routes) -> Self {
        self.floor(6, routes)
    }

    /// Marks prompts for their provider's cache.
    #[must_use]
    pub fn prompt_cache(self, marks: PromptCache) -> Self {
        self.floor(7, marks)
    }

    /// Makes a second call beside a slow one.
    #[must_use]
    pub fn hedge(self, hedge: Hedge) -> Self {
        self.floor(8, hedge)
    }

    /// Tries again.
    #[must_use]
    pub fn retry(self, retry: Retry) -> Self {
        self.floor(9, retry)
    }

    /// Chooses among a provider's keys.
    #[must_use]
    pub fn keys(self, keys: Keys) -> Self {
        self.floor(10, keys)
    }

    /// Leaves places alone that fail.
    #[must_use]
    pub fn breaker(mut self, breaker: Breaker) -> Self {
        self.breaker = Some(breaker.clone());
        self.floor(11, breaker)
    }

    /// Keeps to limits.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        self.floor(12, limits)
    }

    /// Keeps budgets and writes the ledger.
    #[must_use]
    pub fn spend(mut self, spend: Spend) -> Self {
        self.spend = Some(spend.clone());
        self.floor(13, spend)
    }

    /// Adds a budget to those of the stack.
    ///
    /// ```
    /// use sabir_layers::{Budget, Stack, Window};
    /// let stack = Stack::standard().budget(Budget::per(Window::day(), "5".parse()?));
    /// # drop(stack);
    /// # Ok::<(), sabir_core::Error>(())
    /// ```
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        let spend = self.spend.take().unwrap_or_default();
        self.spend(spend.budget(budget))
    }

    /// What there is of budgets, to ask how they stand; `None` where there are none.
    pub fn budgets(&self) -> Option<Spend> {
        self.spend.clone()
    }

    /// Where it is looked up how much models write at most, unless the stack's [`Spend`] was told.
    #[must_use]
    pub fn traits(mut self, traits: TraitsOf) -> Self {
        match self.spend.take() {
            Some(spend) if !spend.has_traits() => self.spend(spend.traits(traits)),
            spend => Self { spend, ..self },
        }
    }

    /// Bounds the time of each attempt.
    #[must_use]
    pub fn timeout(self, timeout: Timeout) -> Self {
        self.floor(14, timeout)
    }
}

impl Layer for Stack {
    fn apply(&self, inner: Shared) -> Shared {
        if let Some(breaker) = self.breaker.clone() {
            let help = "Breakers: 0 closed, 0.5 half open, 1 open.";
            self.metrics.gauge("sabir_breaker_open", help, move || {
                let openness = |state| match state {
                    State::Closed => 0.0,
                    State::HalfOpen => 0.5,
                    State::Open { .. } => 1.0,
                };
                breaker.states().into_iter().map(|(place, state)| (place.to_string(), openness(state))).collect()
            });
        }
        self.floors.iter().flatten().rev().fold(inner, |inner, layer| layer.apply(inner))
    }

    fn place(&self, name: &str) -> Option<(String, String)> {
        self.floors.iter().flatten().find_map(|layer| layer.place(name))
    }

    fn foresee(&self, mut attempts: Vec<Foreseen>) -> BoxFuture<'_, Vec<Foreseen>> {
        Box::pin(async move {
            for layer in self.floors.iter().flatten() {
                attempts = layer.foresee(attempts).await;
            }
            attempts
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sabir_core::chat::{ChatRequest, ChatResponse};
    use sabir_core::{Call, Error, ErrorKind, Request, Service};
    use sabir_testkit::{ManualClock, Outcome, Scripted, block_on_with, check_layer_on};

    use super::*;

    fn on(clock: &ManualClock) -> Stack {
        Stack::new()
            .timeout(Timeout::default().clock(clock.clone()))
            .limits(Limits::default().clock(clock.clone()))
            .breaker(Breaker::default().clock(clock.clone()))
            .retry(Retry::default().clock(clock.clone()))
            .deadline(Deadline::after(Duration::from_secs(100_000)).clock(clock.clone()))
            .cache(Cache::default().clock(clock.clone()))
            .trace(Trace::default())
    }

    #[test]
    fn all_together_change_nothing() {
        let clock = ManualClock::new();
        check_layer_on(&clock, |inner| on(&clock).apply(inner)).assert_ok();
    }

    #[test]
    fn the_order_is_the_same_however_it_was_said() {
        let clock = ManualClock::new();
        let late = Outcome::whole(ChatResponse::default()).after(Duration::from_secs(70));
        let failed = Outcome::Fail(Error::new(ErrorKind::Overloaded, "not now"));
        let inner = Scripted::new(&clock, [late, failed, Outcome::whole(ChatResponse::default())]);
        let outer = on(&clock).apply(inner.shared());
        let (call, request) = (Call::to("there"), Request::Chat(ChatRequest::new("m").user("salt")));
        let ask = || outer.call(&call, &request);
        let reply = block_on_with(&clock, ask()).expect("an answer");
        let answer = reply.whole().expect("a whole one");
        let kinds: Vec<ErrorKind> = answer.attempts.iter().map(|attempt| attempt.kind).collect();
        // The time limit is each attempt's, and the retry stands above it.
        assert_eq!(kinds, [ErrorKind::Timeout, ErrorKind::Overloaded]);
        // The cache stands above the retry.
        block_on_with(&clock, ask()).expect("an answer");
        assert_eq!(inner.calls(), 3);
    }
}
