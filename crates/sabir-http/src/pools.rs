//! Connections that are kept: a pool of them for each runtime that asks.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use http::Request;
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::runtime::{Handle, Id};

use crate::connect::Connector;
use crate::outgoing::Outgoing;

/// The most runtimes whose pools are kept; programs have as many as cores at most, tests one after the other.
const MOST: usize = 256;

/// A connection is served by the runtime that it was made in, and ends with it. So each runtime has a pool of its own: no
/// request waits for another runtime's thread to be woken, or finds a connection whose runtime is gone.
pub(crate) struct Pools {
    connector: Connector,
    idle_per_host: usize,
    idle_for: Duration,
    made: RwLock<Vec<(Id, Client<Connector, Outgoing>)>>,
}

impl Pools {
    pub(crate) fn new(connector: Connector, idle_per_host: usize, idle_for: Duration) -> Self {
        Self { connector, idle_per_host, idle_for, made: RwLock::default() }
    }

    /// Asks by the pool of the runtime that this is called in.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub(crate) fn request(&self, request: Request<Outgoing>) -> ResponseFuture {
        let here = Handle::current().id();
        if let Some((_, pool)) = self.made().iter().find(|(of, _)| *of == here) {
            return pool.request(request);
        }
        let pool = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(self.idle_for)
            .pool_max_idle_per_host(self.idle_per_host)
            .build(self.connector.clone());
        let asked = pool.request(request);
        let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        // Two threads of one runtime may both be the first: the pool of the other one ends with its request.
        if made.iter().all(|(of, _)| *of != here) {
            if made.len() == MOST {
                // The one that asked first is most likely gone.
                made.remove(0);
            }
            made.push((here, pool));
        }
        asked
    }

    fn made(&self) -> RwLockReadGuard<'_, Vec<(Id, Client<Connector, Outgoing>)>> {
        self.made.read().unwrap_or_else(PoisonError::into_inner)
    }
}
