//! One name for several targets.

mod continued;
mod ewma;
mod fallover;
mod journey;
mod load;
mod midstream;
mod named;
mod policy;
mod sticky;
mod table;
mod target;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use sabir_core::transport::BoxFuture;
use sabir_core::{Call, Clock, Foreseen, Layer, Reply, Request, Result, Service, Shared};

pub use fallover::Fallover;
pub(crate) use journey::ROUTE_TAG;
pub use midstream::MidStream;
pub use named::Route;
pub use policy::Policy;
pub use sticky::Sticky;
pub(crate) use table::Active;
pub use table::TargetHealth;
pub use target::Target;

use crate::RuntimeClock;
use crate::attempts::tell;
use crate::random::Random;
use journey::{Asked, Journey, label};
use midstream::MidStreamed;
use table::Table;

/// Sends each call whose model is the name of a [`Route`] to one of its targets, and to the next one where that fails.
/// Other calls pass.
///
/// Calls get the label `route` with the route's name, by which limits, budgets and ledgers below know them.
///
/// Each target is tried at most once a call (twice where it asks for a short wait: [`Fallover`]). The attempts that
/// failed are told in [`ChatResponse::attempts`](sabir_core::chat::ChatResponse::attempts) or
/// [`Error::attempts`](sabir_core::Error::attempts), with what the provider had said of their use; where all fail, the
/// last error is given. A stream that fails before it has told anything of its answer goes to the next target as a call
/// does: as long as there is one, the events that only begin an answer are held back. What becomes of a stream that
/// fails later is the route's [`MidStream`].
///
/// It stands above retry, breaker, limits and budgets: each attempt passes those of its own place. Above a call's
/// attempts it has the provider `route` and the route's name as its model.
///
/// A client asks this layer before it looks for a provider ([`Layer::place`]), so that the name of a route is a model
/// like any other:
///
/// ```
/// use sabir_core::{Layer, Shared};
/// use sabir_layers::{Policy, Route, Routes, Target};
///
/// fn with_routes(provider: Shared) -> Shared {
///     let cheap = [Target::new("deepseek", "deepseek-chat").price(420), Target::new("openai", "gpt-6-nano").price(350)];
///     let routes = Routes::new([
///         Route::named("fast", ["groq/llama-3.3-70b", "openai/gpt-6-luna"]),
///         Route::named("cheap", cheap).policy(Policy::Cheapest),
///     ]);
///     assert!(routes.is_available("fast"));
///     assert_eq!(routes.place("fast"), Some(("route".to_owned(), "fast".to_owned())));
///     routes.apply(provider)
/// }
/// ```
///
/// Routes can be set and removed at run time; calls under way keep the one that they began with.
#[derive(Clone, Debug)]
pub struct Routes {
    table: Arc<Table>,
    random: Arc<Random>,
    clock: Arc<dyn Clock>,
}

impl Routes {
    /// These routes. Of two with the same name the later one counts.
    pub fn new(routes: impl IntoIterator<Item = Route>) -> Self {
        let new = Self { table: Arc::default(), random: Arc::default(), clock: Arc::new(RuntimeClock::default()) };
        routes.into_iter().for_each(|route| new.set(route));
        new
    }

    /// Sets the clock; the runtime's otherwise.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Draws the same targets in every run: for tests.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.random = Arc::new(Random::seeded(seed));
        self
    }

    /// Sets a route, in place of one of the same name. What is known of its targets stays known.
    pub fn set(&self, route: Route) {
        self.table.set(route);
    }

    /// Removes a route. Whether it was there.
    pub fn remove(&self, name: &str) -> bool {
        self.table.remove(name)
    }

    /// The names of all routes, in alphabetical order.
    pub fn names(&self) -> Vec<String> {
        self.table.names()
    }

    /// How the targets of a route are, in the order in which they were given; none for a name that is not a route's.
    pub fn health(&self, name: &str) -> Vec<TargetHealth> {
        self.table.named(name).map_or_else(Vec::new, |(.., active)| active.health(self.clock.now()))
    }

    /// The attempts that become of one, in the order in which they would be made. What is drawn by chance or by turn may
    /// come otherwise when it is asked.
    fn targets(&self, attempt: Foreseen) -> Vec<Foreseen> {
        let Some(active) = self.table.find(&attempt.call.provider, attempt.request.model()) else {
            return vec![attempt];
        };
        let seen = active.unmoved();
        let (random, now) = (Random::default(), self.clock.now());
        let order = seen.route.policy.order(&seen, &random, now, &attempt.call, &attempt.request);
        let of_target = |at: usize| {
            let (target, mut attempt) = (&seen.route.targets[at], attempt.clone());
            attempt.call.go_to(&target.provider);
            attempt.call.key = target.keys.as_ref().and_then(|pool| pool.next(&target.model));
            target.model.clone_into(attempt.request.model_mut());
            label(&mut attempt.call, &seen.route.name);
            attempt.route = Some(seen.route.name.clone());
            attempt
        };
        order.into_iter().map(of_target).collect()
    }

    /// The route that a call is about to go by.
    pub(crate) fn ahead(&self, provider: &str, model: &str) -> Option<Arc<Active>> {
        self.table.find(provider, model)
    }

    /// Whether a route has a target that does not rest.
    pub fn is_available(&self, name: &str) -> bool {
        self.health(name).iter().any(|target| target.rests.is_none())
    }
}

impl Layer for Routes {
    fn apply(&self, inner: Shared) -> Shared {
        Shared::new(Routed { inner, routes: self.clone() })
    }

    fn place(&self, name: &str) -> Option<(String, String)> {
        self.table.named(name).map(|(provider, model, _)| (provider.to_owned(), model.to_owned()))
    }

    fn providers(&self) -> Vec<String> {
        self.table.providers()
    }

    fn foresee(&self, attempts: Vec<Foreseen>) -> BoxFuture<'_, Vec<Foreseen>> {
        let all = attempts.into_iter().flat_map(|attempt| self.targets(attempt)).collect();
        Box::pin(std::future::ready(all))
    }
}

#[derive(Debug)]
struct Routed {
    inner: Shared,
    routes: Routes,
}

impl Service for Routed {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        let Routes { table, random, clock } = &self.routes;
        let Some(active) = table.find(&call.provider, request.model()) else {
            return self.inner.call(call, request).await;
        };
        let order = active.route.policy.order(&active, random, clock.now(), call, request);
        let mut journey = Journey::new(self.inner.clone(), clock.clone(), active, call.clone(), order);
        let mut asked = Asked::Borrowed(request);
        match journey.go(&mut asked, |_| true, None).await {
            Ok(Reply::Stream(stream)) if journey.may_switch() => {
                Ok(Reply::Stream(Box::pin(MidStreamed::new(stream, journey, asked.into_owned()))))
            }
            Ok(reply) => Ok(tell(reply, journey.attempts)),
            Err(error) => Err(error.with_attempts(journey.attempts)),
        }
    }
}
