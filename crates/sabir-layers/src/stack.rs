//! All layers in the order in which they belong.

use std::sync::Arc;

use sabir_core::transport::BoxFuture;
use sabir_core::{Foreseen, Layer, Shared, TraitsOf};

use crate::breaker::State;
use crate::calls::View;
use crate::chosen::Chosen;
use crate::{
    Breaker, Budget, Cache, Calls, Deadline, Guard, Hedge, Keys, Limits, Meter, Metrics, PromptCache, Receipts, Retry,
    Routes, Spend, Timeout, Trace,
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
///
/// Some calls may have floors of their own, in the place of these: [`for_calls`](Self::for_calls).
#[derive(Clone, Debug, Default)]
pub struct Stack {
    /// From the caller to the provider.
    floors: [Floor; FLOORS],
    /// What is otherwise for some calls, the first that is for a call before the others.
    own: Vec<(Calls, Self)>,
    metrics: Metrics,
    /// The guard, to which those of some calls are added.
    guard: Option<Guard>,
    /// The routes, by which it is known where calls may go.
    routes: Option<Routes>,
    /// The breaker, whose state is among the figures.
    breaker: Option<Breaker>,
    /// What budgets there are, to add to.
    spend: Option<Spend>,
}

const FLOORS: usize = 15;
const GUARD: usize = 2;
const CACHE: usize = 3;
const ROUTES: usize = 6;
const HEDGE: usize = 8;

/// What a stack says of one of its floors.
#[derive(Clone, Debug, Default)]
enum Floor {
    /// Nothing: none is there, and some calls have what all have.
    #[default]
    Unsaid,
    /// That none is there.
    Empty,
    /// What is there.
    There(Arc<dyn Layer>),
}

impl Floor {
    fn layer(&self) -> Option<&Arc<dyn Layer>> {
        match self {
            Self::There(layer) => Some(layer),
            Self::Unsaid | Self::Empty => None,
        }
    }
}

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
        self.floors[number] = Floor::There(Arc::new(layer));
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
    pub fn guard(mut self, guard: Guard) -> Self {
        self.guard = Some(guard.clone());
        self.floor(GUARD, guard)
    }

    /// Keeps answers.
    #[must_use]
    pub fn cache(self, cache: Cache) -> Self {
        self.floor(CACHE, cache)
    }

    /// Keeps no answers: for [some calls](Self::for_calls).
    #[must_use]
    pub fn no_cache(mut self) -> Self {
        self.floors[CACHE] = Floor::Empty;
        self
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
    pub fn routes(mut self, routes: Routes) -> Self {
        self.routes = Some(routes.clone());
        self.floor(ROUTES, routes)
    }

    /// Marks prompts for their provider's cache.
    #[must_use]
    pub fn prompt_cache(self, marks: PromptCache) -> Self {
        self.floor(7, marks)
    }

    /// Makes a second call beside a slow one.
    #[must_use]
    pub fn hedge(self, hedge: Hedge) -> Self {
        self.floor(HEDGE, hedge)
    }

    /// Makes no second call: for [some calls](Self::for_calls).
    #[must_use]
    pub fn no_hedge(mut self) -> Self {
        self.floors[HEDGE] = Floor::Empty;
        self
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

    /// For these calls the floors that `own` has stand in the place of those of this stack. Of several that are for a call,
    /// those that were added first go before the others, each floor by itself.
    ///
    /// Guards add up instead: all that are for a call are asked, and the usual one too, so that nobody's guard is lost by
    /// what is said of somebody else.
    ///
    /// What is kept and counted is each layer's own, and clones share it: a retry that is for some calls is to be a clone of
    /// the usual one (`usual.clone().attempts(5)`), so that both burden a provider with one share of retries; a cache keeps what it
    /// keeps, and a hedge is told whose figures to go by ([`Hedge::knowing`]). Names are everybody's: routes of `own`, and
    /// what `own` says of some calls itself, count for nothing.
    ///
    /// ```
    /// use sabir_layers::guard::MaxSize;
    /// use sabir_layers::{Cache, Calls, Guard, Retry, Stack};
    ///
    /// let retry = Retry::default();
    /// let patient = Stack::new().retry(retry.clone().attempts(6)).no_cache();
    /// let guarded = Stack::new().guard(Guard::new().check(MaxSize::request(1 << 20)));
    /// let stack = Stack::standard().retry(retry).cache(Cache::default());
    /// let stack = stack.for_calls(Calls::new().tag("key", ["ada"]), patient);
    /// let stack = stack.for_calls(Calls::new().models(["openai/*"]), guarded);
    /// # drop(stack);
    /// ```
    #[must_use]
    pub fn for_calls(mut self, calls: Calls, own: Self) -> Self {
        self.own.push((calls, own));
        self
    }

    /// What stands on a floor, for whichever calls.
    fn standing(&self, number: usize) -> Option<Arc<dyn Layer>> {
        let usual = self.floors[number].layer().cloned();
        let own = |(calls, own): &(Calls, Self)| match &own.floors[number] {
            Floor::Unsaid => None,
            said => Some((calls.clone(), said.layer().cloned())),
        };
        let view = || if number < ROUTES { View::Above(self.routes.clone()) } else { View::Below };
        match number {
            ROUTES => usual,
            GUARD => {
                let guard = |(calls, own): &(Calls, Self)| Some((calls.clone(), own.guard.clone()?));
                let more: Vec<(Calls, Guard)> = self.own.iter().filter_map(guard).collect();
                if more.is_empty() {
                    return usual;
                }
                Some(Arc::new(self.guard.clone().unwrap_or_default().besides(more, view())))
            }
            _ => {
                let own: Vec<_> = self.own.iter().filter_map(own).collect();
                if own.is_empty() { usual } else { Some(Arc::new(Chosen::new(usual, own, view()))) }
            }
        }
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
        let standing = (0..FLOORS).rev().filter_map(|number| self.standing(number));
        standing.fold(inner, |inner, layer| layer.apply(inner))
    }

    fn place(&self, name: &str) -> Option<(String, String)> {
        self.floors.iter().filter_map(Floor::layer).find_map(|layer| layer.place(name))
    }

    fn providers(&self) -> Vec<String> {
        let standing = self.floors.iter().filter_map(Floor::layer).flat_map(|layer| layer.providers());
        let own = self.own.iter().flat_map(|(calls, own)| calls.named().chain(own.providers()));
        standing.chain(own).collect()
    }

    fn foresee(&self, mut attempts: Vec<Foreseen>) -> BoxFuture<'_, Vec<Foreseen>> {
        Box::pin(async move {
            for layer in (0..FLOORS).filter_map(|number| self.standing(number)) {
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
    fn floors_that_nothing_is_said_of_stand_as_they_are() {
        let clock = ManualClock::new();
        let stack = on(&clock).for_calls(Calls::new().tag("key", ["ada"]), Stack::new().no_cache());
        for number in (0..FLOORS).filter(|number| *number != CACHE) {
            let (usual, standing) = (stack.floors[number].layer(), stack.standing(number));
            let is_same = match (usual, &standing) {
                (Some(usual), Some(standing)) => Arc::ptr_eq(usual, standing),
                (usual, standing) => usual.is_none() && standing.is_none(),
            };
            assert!(is_same, "floor {number}");
        }
        let (usual, chosen) = (stack.floors[CACHE].layer(), stack.standing(CACHE));
        assert!(!Arc::ptr_eq(usual.expect("a cache"), &chosen.expect("a choice")));
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
