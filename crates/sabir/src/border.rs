//! The border to `tower`: a client is a `tower` service, so that `tower`'s own layers can be put around it.

use std::task::{Context, Poll};

use sabir_core::chat::ChatRequest;
use sabir_core::service::{Reply, Request};
use sabir_core::transport::BoxFuture;
use sabir_core::{Error, Result};

use crate::Client;

impl tower_service::Service<Request> for Client {
    type Response = Reply;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Reply>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let client = self.clone();
        Box::pin(async move { client.send(request).await })
    }
}

impl tower_service::Service<ChatRequest> for Client {
    type Response = Reply;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Reply>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: ChatRequest) -> Self::Future {
        tower_service::Service::call(self, Request::Chat(request))
    }
}
