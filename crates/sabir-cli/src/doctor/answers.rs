//! What providers answer, and what their clocks say.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use sabir::config::Config;
use sabir::error::seconds_since_epoch;
use sabir::http::HttpTransport;
use sabir::transport::{Body, BoxFuture};
use sabir::{Client, Env, Error, ErrorKind, Provider, Registry, Result, Stage, Transport};
use tokio::task::JoinSet;

use super::{Finding, State};
use crate::local::SIMULATOR;

/// A clock that is wrong by less does no harm.
const GOOD_CLOCK: u64 = 30;
/// Signed requests are refused beyond (AWS, Signature Version 4: five minutes).
const USABLE_CLOCK: u64 = 300;

/// Asks every provider that can be asked, all at once, for its models.
pub(super) async fn all(config: &Config, env: &Env, patience: Duration) -> Vec<Finding> {
    let clocks = Clocks::default();
    let (client, ids) = match client(config, env, patience, clocks.clone()) {
        Ok(made) => made,
        Err(error) => return vec![Finding::wrong("client", error.to_string(), "put that right; nobody was asked")],
    };
    let mut asked = JoinSet::new();
    for (at, (id, is_local)) in ids.into_iter().enumerate() {
        let client = client.clone();
        asked.spawn(async move { (at, ask(&client, &id, is_local).await) });
    }
    let mut found = Vec::new();
    while let Some(done) = asked.join_next().await {
        found.extend(done);
    }
    found.sort_by_key(|(at, _)| *at);
    let mut all: Vec<Finding> = found.into_iter().map(|(_, finding)| finding).collect();
    all.extend(clocks.finding());
    all
}

/// A client that watches the servers' clocks, and whom it can ask: with a key, or on this machine.
fn client(config: &Config, env: &Env, patience: Duration, clocks: Clocks) -> Result<(Client, Vec<(String, bool)>)> {
    let registry = Registry::new();
    registry.register_service(SIMULATOR, sabir_sim::Simulator::new());
    let dated = Dated { inner: HttpTransport::new()?, clocks };
    let builder = Client::builder().registry(registry.clone()).env(env.clone()).transport(dated).timeout(patience);
    let client = builder.config(config)?.build()?;
    let mut ids = Vec::new();
    for id in registry.ids() {
        let Ok(provider) = registry.get(&id) else { continue };
        let (is_local, is_said) = (runs_here(&provider, env), config.providers.contains_key(&id));
        if is_local || is_said || provider.has_key(env) {
            ids.push((id, is_local && !is_said));
        }
    }
    Ok((client, ids))
}

fn runs_here(provider: &Provider, env: &Env) -> bool {
    let host = provider.endpoint_without_key(env).ok().and_then(|endpoint| {
        let uri: http::Uri = endpoint.base_url.parse().ok()?;
        uri.host().map(str::to_owned)
    });
    host.is_some_and(|host| matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]" | "0.0.0.0"))
}

async fn ask(client: &Client, id: &str, is_local: bool) -> Finding {
    let begun = Instant::now();
    let error = match client.models(id).await {
        Ok(models) => {
            let took = begun.elapsed().as_millis();
            return Finding::good(id, format!("answers in {took} ms, and lists {} models", models.len()));
        }
        Err(error) => error,
    };
    let said = error.message().to_owned();
    match error.kind() {
        ErrorKind::Unsupported | ErrorKind::NotFound => Finding::note(id, "lists no models, so that it was not asked"),
        ErrorKind::Network | ErrorKind::Timeout if is_local && error.stage() != Stage::Answered => {
            Finding::note(id, "does not run on this machine")
        }
        ErrorKind::Authentication | ErrorKind::Permission => {
            Finding::wrong(id, said, format!("its key is refused; make a new one, and `sabir keys set {id}`"))
        }
        ErrorKind::Configuration => Finding::wrong(id, said, "set what is missing"),
        ErrorKind::Network | ErrorKind::Timeout => {
            Finding::wrong(id, said, "look at the network, at proxies and at its base URL")
        }
        ErrorKind::RateLimit | ErrorKind::Quota | ErrorKind::Overloaded => Finding::new(State::Warning, id, said),
        _ => Finding::wrong(id, said, "look at its base URL, and at its status page"),
    }
}

/// How far servers' clocks are ahead of ours, in seconds.
#[derive(Clone, Debug, Default)]
struct Clocks(Arc<Mutex<Vec<i64>>>);

impl Clocks {
    /// What the clocks that were seen say together: the one in the middle, since one server may be wrong itself.
    fn finding(&self) -> Option<Finding> {
        let mut ahead = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ahead.sort_unstable();
        let middle = *ahead.get(ahead.len() / 2)?;
        let (by, side) = (middle.unsigned_abs(), if middle > 0 { "behind" } else { "ahead of" });
        let said = format!("this machine's is {by} s {side} the providers'");
        let advice = "set it, by NTP best";
        Some(match by {
            0..=GOOD_CLOCK => Finding::good("clock", said),
            by if by <= USABLE_CLOCK => Finding::new(State::Warning, "clock", said).advice(advice),
            _ => Finding::wrong("clock", said, format!("{advice}; signed requests are refused until then")),
        })
    }

    fn note(&self, date: u64, now: u64) {
        let (date, now) = (i64::try_from(date).unwrap_or(i64::MAX), i64::try_from(now).unwrap_or(i64::MAX));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(date.saturating_sub(now));
    }
}

/// Looks at the `Date` of every answer (RFC 9110 §6.6.1).
#[derive(Debug)]
struct Dated {
    inner: HttpTransport,
    clocks: Clocks,
}

impl Transport for Dated {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>, Error>> {
        Box::pin(async move {
            let response = self.inner.send(request).await?;
            let date =
                response.headers().get(http::header::DATE).and_then(|date| seconds_since_epoch(date.to_str().ok()?));
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            if let (Some(date), Ok(now)) = (date, now) {
                self.clocks.note(date, now.as_secs());
            }
            Ok(response)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_server_does_not_make_our_clock_wrong() {
        let state = |seen: &[(u64, u64)]| {
            let clocks = Clocks::default();
            for (date, now) in seen {
                clocks.note(*date, *now);
            }
            clocks.finding().map(|finding| finding.state)
        };
        assert_eq!(state(&[]), None);
        assert_eq!(state(&[(1_000, 1_001), (9_000, 1_000), (1_000, 1_000)]), Some(State::Good));
        assert_eq!(state(&[(1_000, 1_100)]), Some(State::Warning));
        assert_eq!(state(&[(2_000, 1_000)]), Some(State::Wrong));
    }
}
