//! Several keys of one provider.

mod ask;
mod pool;
mod rotation;
mod slot;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use sabir_core::transport::BoxFuture;
use sabir_core::{Call, Foreseen, Layer, Reply, Request, Result, Service, Shared};

pub use pool::KeyPool;
pub use rotation::Rotation;
pub use slot::{KeyState, PoolKey};

/// Gives each call a key of its provider's [`KeyPool`]. Calls of a provider without a pool, and those that have a key
/// already, pass.
///
/// A pool is asked in whichever dialect its provider is: another dialect, the same account.
///
/// It stands below route and retry and above what is kept by key (breaker, limits): a key that is used up is then
/// changed at once, on the same try, and a retry begins only where no key is left, with the time until one is.
/// Above retry it works too; a try again then waits for the key that it has.
///
/// ```
/// use sabir_core::{Layer, Shared};
/// use sabir_layers::{KeyPool, Keys};
///
/// fn with_keys(provider: Shared) -> (Shared, KeyPool) {
///     let pool = KeyPool::new([("first", "sk-1"), ("second", "sk-2")]);
///     (Keys::new().pool("openai", pool.clone()).apply(provider), pool)
/// }
/// # let (_, pool) = with_keys(Shared::new(Nobody));
/// pool.replace([("first", "sk-1"), ("third", "sk-3")]); // at run time; calls under way keep what they have
/// assert_eq!(pool.states().iter().map(|key| key.name.as_str()).collect::<Vec<_>>(), ["first", "third"]);
/// # #[derive(Debug)]
/// # struct Nobody;
/// # impl sabir_core::Service for Nobody {
/// #     async fn call<'a>(&'a self, _: &'a sabir_core::Call, _: &'a sabir_core::Request) -> sabir_core::Result<sabir_core::Reply> {
/// #         Err(sabir_core::Error::new(sabir_core::ErrorKind::Unsupported, "nobody is here"))
/// #     }
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Keys(Arc<RwLock<BTreeMap<String, KeyPool>>>);

impl Keys {
    /// No pools.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the keys of a provider, by its own id: calls name it so, whatever alias they were asked by.
    #[must_use]
    pub fn pool(self, provider: impl Into<String>, pool: KeyPool) -> Self {
        self.set(provider, pool);
        self
    }

    /// Sets the keys of a provider, for calls from now on.
    pub fn set(&self, provider: impl Into<String>, pool: KeyPool) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(provider.into(), pool);
    }

    /// The keys of a provider.
    pub fn get(&self, provider: &str) -> Option<KeyPool> {
        let pools = self.0.read().unwrap_or_else(PoisonError::into_inner);
        pools.get(provider).cloned()
    }
}

impl Layer for Keys {
    fn apply(&self, inner: Shared) -> Shared {
        Shared::new(WithKeys { inner, keys: self.clone() })
    }

    fn providers(&self) -> Vec<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    fn foresee(&self, mut attempts: Vec<Foreseen>) -> BoxFuture<'_, Vec<Foreseen>> {
        for attempt in attempts.iter_mut().filter(|attempt| attempt.call.key.is_none()) {
            let (provider, model) = (attempt.call.provider.clone(), attempt.request.model().to_owned());
            let Some(pool) = self.get(&provider) else { continue };
            attempt.call.key = pool.next(&model);
            let refused = attempt.call.key.is_none().then(|| pool.none_ready(&provider, &model));
            attempt.judged("keys", Vec::new(), refused);
        }
        Box::pin(std::future::ready(attempts))
    }
}

#[derive(Debug)]
struct WithKeys {
    inner: Shared,
    keys: Keys,
}

impl Service for WithKeys {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        match self.keys.get(&call.provider).filter(|_| call.key.is_none()) {
            Some(pool) => pool.ask(&self.inner, &mut call.clone(), request).await,
            None => self.inner.call(call, request).await,
        }
    }
}
