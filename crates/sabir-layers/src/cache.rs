//! An exact cache: who asks the same again is given the same answer, without a call.
//!
//! The same is what has the same tenant, provider, model and all else that an answer depends on; see
//! [`Call::tenant`]. Whole answers, streams, vectors and rankings are kept. An answer that came whole is replayed as a
//! stream to who wants one, and one that streamed is given whole.
//!
//! Never kept are errors, streams that broke or were left, answers that ended in any other way than by themselves (cut
//! by a limit, filtered, paused), and, unless told to ([`Cache::cache_tool_calls`]), answers that ask for tools.
//!
//! Of several who ask the same at once, one asks and the others wait for its answer, streams too: they are replayed when
//! it is whole. Where it fails or its caller leaves, the next one asks, one after the other. Where its answer is not one
//! to keep, the others ask by themselves. Nobody waits longer than [`Cache::max_follow`]: a stream that is read slowly
//! is whole late.
//!
//! [`ChatResponse::cached`] says whether an answer was here and for how long. A hit has the usage that the answer had when
//! it was made, and costs nothing: [`ChatResponse::cost`] is 0 at the list price, which is exact. It tells nothing of
//! attempts, limits and latency. Vectors and rankings have no place to say it; they cost 0.
//!
//! A call with the tag `cache` = `off` goes past the cache, both ways.
//!
//! | what | default |
//! |---|---|
//! | time | an hour |
//! | size | 64 MiB of answers, as long as their JSON is; what was used longest ago goes first |
//! | requests | all; with [`Cache::only_deterministic`] conversations at temperature 0 alone |
//! | tool calls | not kept |
//! | wait for another one's answer | 30 s |
//! | clock | [`RuntimeClock`] |
//!
//! ```
//! use std::time::Duration;
//! use sabir_core::{Layer as _, Shared};
//! use sabir_layers::Cache;
//! # fn wrap(inner: Shared) -> Shared {
//! Cache::default().time(Duration::from_secs(600)).only_deterministic().apply(inner)
//! # }
//! ```

mod flight;
mod kept;
mod key;
#[cfg(test)]
mod tests;

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use sabir_core::chat::{Cached, ChatResponse, Content, FinishReason};
use sabir_core::{Call, Clock, Layer, Reply, Request, Result, Service, Shared};

use self::flight::{Flight, Flights};
use self::kept::Kept;
use self::key::{Key, key};
use crate::keep::Keep;
use crate::{End, RuntimeClock, Watch, watch};

/// The layer that keeps answers. Clones share what is kept; see the [module](self).
#[derive(Clone, Debug)]
pub struct Cache {
    only_deterministic: bool,
    tool_calls: bool,
    max_follow: Duration,
    time: Duration,
    most: usize,
    clock: Arc<dyn Clock>,
    kept: Arc<Mutex<Keep<Key, Kept>>>,
    flights: Flights,
}

const HOUR: Duration = Duration::from_secs(3_600);
const SIZE: usize = 64 << 20;

impl Default for Cache {
    fn default() -> Self {
        Self {
            only_deterministic: false,
            tool_calls: false,
            max_follow: Duration::from_secs(30),
            time: HOUR,
            most: SIZE,
            clock: Arc::new(RuntimeClock::default()),
            kept: Arc::new(Mutex::new(Keep::new(SIZE, HOUR))),
            flights: Flights::default(),
        }
    }
}

impl Cache {
    /// How long an answer is kept. What was kept so far is forgotten.
    pub fn time(mut self, time: Duration) -> Self {
        self.time = time;
        self.emptied()
    }

    /// How many bytes of answers are kept. What was kept so far is forgotten.
    pub fn size(mut self, bytes: usize) -> Self {
        self.most = bytes;
        self.emptied()
    }

    /// Keeps answers to conversations only where the temperature is 0: elsewhere who asks twice may want two answers.
    pub fn only_deterministic(mut self) -> Self {
        self.only_deterministic = true;
        self
    }

    /// Keeps answers that ask for tools, too.
    pub fn cache_tool_calls(mut self) -> Self {
        self.tool_calls = true;
        self
    }

    /// How long to wait for the answer to another one's call of the same request.
    pub fn max_follow(mut self, time: Duration) -> Self {
        self.max_follow = time;
        self
    }

    /// Takes the time from this clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    fn emptied(mut self) -> Self {
        self.kept = Arc::new(Mutex::new(Keep::new(self.most, self.time)));
        self
    }

    fn key(&self, call: &Call, request: &Request) -> Option<Key> {
        let off = call.tags.iter().any(|(name, value)| name == "cache" && value == "off");
        let varies = matches!(request, Request::Chat(chat) if chat.temperature != Some(0.0));
        if off || (varies && self.only_deterministic) { None } else { key(call, request) }
    }

    fn find(&self, key: &Key, call: &Call, request: &Request) -> Option<Reply> {
        let (kept, age) = self.kept().get(key, self.clock.now())?;
        call.trail.answers(kept.answering());
        Some(kept.reply(request, age))
    }

    fn keep(&self, key: Key, kept: Kept) {
        let size = kept.size();
        self.kept().put(key, kept, size, self.clock.now());
    }

    /// Waits until nobody else asks the same; `None` where it is better not to wait any longer.
    async fn lead(&self, key: Key) -> Option<Flight> {
        let mut joined = pin!(self.flights.join(key));
        let mut sleep = None;
        let flight = poll_fn(|cx| match joined.as_mut().poll(cx) {
            Poll::Ready(flight) => Poll::Ready(Some(flight)),
            Poll::Pending => {
                let sleep = sleep.get_or_insert_with(|| self.clock.sleep(self.max_follow));
                sleep.as_mut().poll(cx).map(|()| None)
            }
        });
        flight.await.filter(|flight| !flight.is_open())
    }

    fn may_keep(&self, response: &ChatResponse) -> bool {
        let calls = response.parts.iter().any(|part| matches!(part.content, Content::ToolCall(_)));
        match response.finish.reason {
            FinishReason::Stop => self.tool_calls || !calls,
            FinishReason::ToolCalls => self.tool_calls,
            _ => false,
        }
    }

    fn kept(&self) -> MutexGuard<'_, Keep<Key, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Layer for Cache {
    fn apply(&self, inner: Shared) -> Shared {
        Shared::new(Caching { cache: self.clone(), inner })
    }
}

#[derive(Debug)]
struct Caching {
    cache: Cache,
    inner: Shared,
}

impl Service for Caching {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        let cache = &self.cache;
        let Some(key) = cache.key(call, request) else { return self.inner.call(call, request).await };
        if let Some(hit) = cache.find(&key, call, request) {
            return Ok(hit);
        }
        let flight = cache.lead(key).await;
        // Who led before may have been answered.
        if let Some(hit) = cache.find(&key, call, request) {
            return Ok(hit);
        }
        let reply = self.inner.call(call, request).await?;
        if let Some(kept) = Kept::other(&reply) {
            cache.keep(key, kept);
            return Ok(reply);
        }
        Ok(watch(reply, Keeping { cache: cache.clone(), key, flight }))
    }
}

/// Keeps the answer when it is whole.
struct Keeping {
    cache: Cache,
    key: Key,
    flight: Option<Flight>,
}

impl Watch for Keeping {
    fn end(&mut self, end: End<'_>) {
        // Whoever still holds the stream no longer leads.
        let mut flight = self.flight.take();
        if let End::Answer(response) = end {
            if self.cache.may_keep(response) {
                self.cache.keep(self.key, Kept::chat(response));
            } else if let Some(flight) = &mut flight {
                flight.open();
            }
            response.cached = Some(Cached::Miss);
        }
    }
}
