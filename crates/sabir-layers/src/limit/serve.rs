//! A call through its gates, and what its answer says of what it used.

use std::sync::Arc;

use sabir_core::{Call, Reply, Request, Result, Service, Shared};

use super::estimate::{Need, usage_of};
use super::permit::Permit;
use super::{Limits, wait};
use crate::{End, Watch as _, watch};

#[derive(Debug)]
pub(super) struct Limited {
    pub(super) limits: Arc<Limits>,
    pub(super) inner: Shared,
}

impl Service for Limited {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        let lane = self.limits.lane(call, request);
        let need = Need::of(call, request, &self.limits.count, self.limits.reserve);
        let mut permit = Permit::new(self.limits.clone(), lane, need);
        wait::admit(&mut permit).await?;
        let mut watched = self.limits.look_on(call, &permit).await;
        // Looked at in place: a reply is large, and moving it about would be most of what this layer costs.
        let mut reply = self.inner.call(call, request).await;
        let streams = matches!(reply, Ok(Reply::Stream(_) | Reply::Raw(_)));
        for permit in [Some(&mut permit), watched.as_mut()].into_iter().flatten() {
            permit.answered(streams);
            match &mut reply {
                Ok(Reply::Stream(_) | Reply::Raw(_)) => {}
                Ok(Reply::Whole(response)) => permit.end(End::Answer(response)),
                Ok(other) => {
                    if let Some(usage) = usage_of(other) {
                        permit.used(usage);
                    }
                }
                Err(error) => permit.failed(error),
            }
        }
        if !streams {
            return reply;
        }
        let reply = reply.map(|reply| watch(reply, permit));
        match watched {
            Some(watched) => reply.map(|reply| watch(reply, watched)),
            None => reply,
        }
    }
}
