//! A provider that answers alike whatever it is asked.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sabir::transport::{Body, BoxFuture, whole};
use sabir::{Result, Transport};

const ANSWER: &str = r#"{"id":"1","model":"m","choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;

/// Keeps what it is given. The host `down.test` fails, `slow.test` never answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire(Arc<Mutex<Vec<http::Request<Bytes>>>>);

impl Transport for Wire {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>>> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        self.0.lock().expect("a lock").push(request);
        Box::pin(async move {
            if host == "slow.test" {
                std::future::pending::<()>().await;
            }
            let mut response = http::Response::new(whole(ANSWER));
            if host == "down.test" {
                *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
            }
            Ok(response)
        })
    }
}

impl Wire {
    pub(crate) fn sent(&self) -> Vec<http::Request<Bytes>> {
        std::mem::take(&mut self.0.lock().expect("a lock"))
    }
}
