//! What a client answers, for the clients of a gateway: counts where the provider makes none, and errors that tell nothing
//! of the network behind it.

use sabir::{Call, Client, Error, ErrorKind, Reply, Request, Result, Service, Stage};

/// What a client answers; a count that its provider does not make is made here, where official clients expect one.
#[derive(Debug)]
pub(crate) struct Counting {
    client: Client,
    /// Whether those who ask are told no addresses: of providers, and of proxies on the way to them.
    is_discreet: bool,
}

impl Counting {
    pub(crate) fn around(client: &Client, is_discreet: bool) -> Self {
        Self { client: client.clone(), is_discreet }
    }
}

/// The same without where it could not be reached, which goes to the log instead.
fn without_address(error: Error) -> Error {
    if error.kind() != ErrorKind::Network || error.stage() != Stage::NotSent {
        return error;
    }
    let provider = error.provider().unwrap_or("the provider");
    tracing::warn!(provider, "{}", error.message());
    let message = format!("{provider} cannot be reached; try again later, or ask who runs the gateway");
    let mut told = Error::new(ErrorKind::Network, message).with_stage(Stage::NotSent).with_provider(provider);
    told = told.with_retryable(error.is_retryable()).with_attempts(error.attempts().iter().cloned());
    told = error.model().into_iter().fold(told, Error::with_model);
    told = error.status().into_iter().fold(told, Error::with_status);
    error.retry_after().into_iter().fold(told, Error::with_retry_after)
}

impl Service for Counting {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        let replied = self.client.service().call(call, request).await;
        match (replied, request) {
            (Err(error), Request::Count(count))
                if (error.kind(), error.stage()) == (ErrorKind::Unsupported, Stage::NotSent) =>
            {
                let mut chat = count.chat.clone();
                chat.model = format!("{}/{}", call.place(), chat.model);
                Ok(Reply::Count(Box::new(self.client.count_tokens_locally(chat)?)))
            }
            (Err(error), _) if self.is_discreet => Err(without_address(error)),
            (replied, _) => replied,
        }
    }
}
