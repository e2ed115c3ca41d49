//! The limits of keys and teams on requests and on calls at once, for tools: counted beside those for models.

use sabir::chat::ChatRequest;
use sabir::config::{CallerLimits, Config, LimitMode};
use sabir::layers::{Limit, Limits};
use sabir::{Call, Layer as _, Reply, Request, Result, Service, Shared};

use crate::door::Guest;

/// Lets in as many as may.
pub(super) struct Lots {
    limits: Limits,
    door: Shared,
}

impl Lots {
    /// As a configuration says. What is used stays used, as far as the limits are the same.
    pub(super) fn of(config: &Config, before: Option<&Self>) -> Self {
        let said = &config.limits;
        let waiting = usize::try_from(said.max_waiting.get()).unwrap_or(usize::MAX);
        let limits = Limits::default().max_wait(said.max_wait).max_waiting(waiting).learn(false);
        let keys = config.gateway.keys.iter().map(|(name, key)| ("key", name, &key.limits));
        let teams = config.gateway.teams.iter().map(|(name, team)| ("team", name, &team.limits));
        let limits = keys.chain(teams).flat_map(|(tag, name, said)| of(tag, name, said)).fold(limits, Limits::limit);
        let limits = before.map(|before| &before.limits).into_iter().fold(limits, Limits::after);
        Self { door: limits.apply(Shared::new(Place)), limits }
    }

    /// Lets in, waits, or refuses. The place is free again when what it gives is dropped.
    pub(super) async fn admit(&self, guest: &Guest, server: &str) -> Result<Reply> {
        let mut call = Call::default();
        call.provider.push_str("mcp");
        guest.sign(&mut call);
        let request = Request::Chat(ChatRequest::new(server));
        self.door.call(&call, &request).await
    }
}

fn of<'a>(tag: &'a str, name: &'a str, said: &CallerLimits) -> impl Iterator<Item = Limit> + 'a {
    let minute = said.requests_per_minute.map(|amount| Limit::requests_per_minute(amount.get()));
    let at_once = said.concurrent_calls.map(|calls| Limit::concurrent(calls.get()));
    let requests = said.requests.zip(said.per).map(|(amount, per)| Limit::requests(amount.get(), per));
    let is_watched = said.mode == LimitMode::Watch;
    let of = move |limit: Limit| if is_watched { limit.for_tag(tag, name).watched() } else { limit.for_tag(tag, name) };
    [minute, at_once, requests].into_iter().flatten().map(of)
}

/// What the layer stands around: an answer that goes on until it is dropped.
#[derive(Debug)]
struct Place;

impl Service for Place {
    async fn call<'a>(&'a self, _: &'a Call, _: &'a Request) -> Result<Reply> {
        Ok(Reply::Stream(sabir::chat::events(futures_util::stream::pending())))
    }
}
