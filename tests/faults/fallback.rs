//! The smallest layer that turns to another provider: it stands here for the one that chooses routes.

use sabir::chat::Attempt;
use sabir::{Call, ErrorKind, Layer, Reply, Request, Result, Service, Shared};

/// Asks a second provider where the first one failed before it had told anything, and not by the caller's fault.
#[derive(Clone, Debug)]
pub(crate) struct Fallback(&'static str);

impl Fallback {
    pub(crate) fn to(provider: &'static str) -> Self {
        Self(provider)
    }
}

impl Layer for Fallback {
    fn apply(&self, inner: Shared) -> Shared {
        Shared::new(Falling { to: self.0, inner })
    }
}

#[derive(Debug)]
struct Falling {
    to: &'static str,
    inner: Shared,
}

impl Service for Falling {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        let error = match self.inner.call(call, request).await {
            Err(error) if error.kind() != ErrorKind::InvalidRequest => error,
            other => return other,
        };
        let mut elsewhere = call.clone();
        self.to.clone_into(&mut elsewhere.provider);
        let mut failed = error.attempts().to_vec();
        failed.push(Attempt::failed(call, request.model(), &error));
        match self.inner.call(&elsewhere, request).await? {
            Reply::Whole(mut response) => {
                response.attempts.splice(0..0, failed);
                Ok(Reply::Whole(response))
            }
            // What failed before a stream is told with its end.
            Reply::Stream(events) => Ok(sabir_layers::watch(Reply::Stream(events), Told(failed))),
            other => Ok(other),
        }
    }
}

struct Told(Vec<Attempt>);

impl sabir_layers::Watch for Told {
    fn end(&mut self, end: sabir_layers::End<'_>) {
        if let sabir_layers::End::Answer(response) = end {
            response.attempts.splice(0..0, self.0.drain(..));
        }
    }
}
