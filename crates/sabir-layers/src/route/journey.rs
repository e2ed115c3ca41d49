//! One call on its way from target to target.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use sabir_core::chat::Attempt;
use sabir_core::{Call, Clock, Error, ErrorKind, Reply, Request, Result, Service, Shared};

use super::load::Busy;
use super::table::Active;
use super::{MidStream, Target};
use crate::attempts::{note, number};
use crate::preceded::with_content;
use crate::watch;

/// A request on its way, copied when it first has to be changed.
pub(super) type Asked<'a> = Cow<'a, Request>;

/// The label of a call that has the name of the route it goes by.
pub(crate) const ROUTE_TAG: &str = "route";

/// Says by which route a call goes, for limits, budgets and ledgers below. Who has such a label already keeps it.
pub(super) fn label(call: &mut Call, route: &str) {
    if call.tags.iter().all(|(name, _)| name != ROUTE_TAG) {
        call.tags.push((ROUTE_TAG.to_owned(), route.to_owned()));
    }
}

/// A call, the targets that it has not tried, and what became of those that it has.
pub(super) struct Journey {
    inner: Shared,
    clock: Arc<dyn Clock>,
    active: Arc<Active>,
    /// The call of the target that is tried.
    call: Call,
    /// The number of the first attempt.
    first: u32,
    /// The target that is tried.
    at: usize,
    left: VecDeque<usize>,
    /// The attempts that failed before the one that is tried.
    pub(super) attempts: Vec<Attempt>,
}

impl Journey {
    pub(super) fn new(
        inner: Shared,
        clock: Arc<dyn Clock>,
        active: Arc<Active>,
        mut call: Call,
        order: Vec<usize>,
    ) -> Self {
        let first = call.attempt;
        label(&mut call, &active.route.name);
        Self { inner, clock, active, call, first, at: 0, left: order.into(), attempts: Vec::new() }
    }

    /// Tries the targets left that may be tried, until one replies. `failed` is the error of the target before them; it
    /// is given back where there are none.
    pub(super) async fn go(
        &mut self,
        asked: &mut Asked<'_>,
        may: fn(&Target) -> bool,
        mut failed: Option<Error>,
    ) -> Result<Reply> {
        while let Some(at) = self.take(may) {
            if let Some(error) = failed.take() {
                self.note(&error);
            }
            self.at = at;
            match self.attempt(asked).await {
                Ok(reply) => return Ok(reply),
                Err(error) if self.moves_on(&error) => failed = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(failed.unwrap_or_else(|| {
            let message = format!("the route {:?} has no targets; give it one", self.active.route.name);
            Error::new(ErrorKind::Configuration, message)
        }))
    }

    /// Whether what the route says of streams that break off has anything to say of this one.
    pub(super) fn may_switch(&self) -> bool {
        self.mid_stream() != MidStream::Fail && !self.left.is_empty()
    }

    pub(super) fn mid_stream(&self) -> MidStream {
        self.active.route.mid_stream
    }

    pub(super) fn moves_on(&self, error: &Error) -> bool {
        self.active.route.fallover.moves_on(error)
    }

    /// Whether a target is left that may be tried.
    pub(super) fn has_left(&self, may: fn(&Target) -> bool) -> bool {
        self.left.iter().any(|at| may(&self.active.route.targets[*at]))
    }

    /// The attempt that ended in this error.
    pub(super) fn attempt_of(&self, error: &Error) -> Attempt {
        Attempt::failed(&self.call, &self.active.route.targets[self.at].model, error)
    }

    fn note(&mut self, error: &Error) {
        note(&mut self.attempts, &self.call, &self.active.route.targets[self.at].model, error);
    }

    fn take(&mut self, may: fn(&Target) -> bool) -> Option<usize> {
        let next = self.left.iter().position(|at| may(&self.active.route.targets[*at]))?;
        self.left.remove(next)
    }

    /// Asks a target, and once more where it asks for a short wait.
    async fn attempt(&mut self, asked: &mut Asked<'_>) -> Result<Reply> {
        let error = match self.once(asked).await {
            Err(error) => error,
            reply => return reply,
        };
        let Some(wait) = self.active.route.fallover.wait(&error).filter(|_| !self.was_tried_again(&error)) else {
            return Err(error);
        };
        self.clock.sleep(wait).await;
        self.note(&error);
        self.once(asked).await
    }

    /// Whether something below has tried the same again already.
    fn was_tried_again(&self, error: &Error) -> bool {
        let last = self.attempt_of(error);
        let same = |before: &Attempt| {
            (&before.provider, &before.model, &before.key) == (&last.provider, &last.model, &last.key)
        };
        error.attempts().iter().any(same)
    }

    async fn once(&mut self, asked: &mut Asked<'_>) -> Result<Reply> {
        let Active { route, loads, .. } = &*self.active;
        let target = &route.targets[self.at];
        if asked.model() != target.model {
            target.model.clone_into(asked.to_mut().model_mut());
        }
        let request = &**asked;
        self.call.go_to(&target.provider);
        self.call.attempt = number(self.first, &self.attempts);
        // A key that came with the call was for another provider.
        self.call.key = None;

        let stream = matches!(request, Request::Chat(chat) if chat.stream);
        let mut busy = Busy::new(&loads[self.at], &self.clock, stream, route.rest, route.fallover);
        let reply = match &target.keys {
            Some(pool) => pool.ask(&self.inner, &mut self.call, request).await,
            None => self.inner.call(&self.call, request).await,
        };
        match reply {
            Ok(reply) if self.left.is_empty() => Ok(watch(reply, busy)),
            Ok(reply) => with_content(watch(reply, busy)).await,
            Err(error) => {
                busy.failed(&error);
                Err(error)
            }
        }
    }
}
