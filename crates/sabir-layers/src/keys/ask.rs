//! One call, with one key after the other.

use sabir_core::chat::Attempt;
use sabir_core::{Call, Error, ErrorKind, Reply, Request, Result, Service, Shared};

use super::pool::KeyPool;
use super::slot::Lease;
use crate::attempts::{note, number, tell};
use crate::{End, Watch, watch};

/// The most keys that one call tries: a pool of hundreds whose account is used up must not make hundreds of calls.
const MOST_TRIES: usize = 16;

impl KeyPool {
    /// Makes a call with a key of the pool, and with the next one where that may do better. The call keeps the key
    /// that was tried last.
    pub(crate) async fn ask(&self, inner: &Shared, call: &mut Call, request: &Request) -> Result<Reply> {
        let (first, model) = (call.attempt, request.model());
        let mut attempts: Vec<Attempt> = Vec::new();
        let mut tried: Vec<String> = Vec::new();
        let mut failed: Option<Error> = None;
        loop {
            let lease = if tried.len() < MOST_TRIES { self.take(model, &tried) } else { None };
            let (error, lease) = match (failed.take(), lease) {
                (Some(error), None) => return Err(self.with_wait(error, model).with_attempts(attempts)),
                (None, None) => return Err(self.none_ready(&call.provider, model)),
                (error, Some(lease)) => (error, lease),
            };
            if let Some(error) = error {
                note(&mut attempts, call, model, &error);
                call.attempt = number(first, &attempts);
            }
            call.key = Some(lease.key.clone());
            match inner.call(call, request).await {
                Ok(reply) => {
                    let using = Using { pool: self.clone(), lease, model: model.to_owned() };
                    return Ok(tell(watch(reply, using), attempts));
                }
                Err(error) if self.judge(&lease.key, model, &error) => {
                    tried.push(lease.key.name.clone());
                    failed = Some(error);
                }
                Err(error) => return Err(error.with_attempts(attempts)),
            }
        }
    }

    /// Where a limit is what stands in the way, the time to wait is that until the first key is ready.
    fn with_wait(&self, error: Error, model: &str) -> Error {
        match self.ready_in(model).filter(|wait| !wait.is_zero() && error.kind() == ErrorKind::RateLimit) {
            Some(wait) => error.with_retry_after(wait),
            None => error,
        }
    }
}

/// A key that a reply is read with.
struct Using {
    pool: KeyPool,
    lease: Lease,
    model: String,
}

impl Watch for Using {
    fn end(&mut self, end: End<'_>) {
        if let End::Failed(error) = end {
            self.pool.judge(&self.lease.key, &self.model, error);
        }
    }
}
