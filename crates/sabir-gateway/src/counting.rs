//! Counts for clients whose model's provider does not count.

use sabir::{Call, Client, ErrorKind, Reply, Request, Result, Service, Stage};

/// What a client answers; a count that its provider does not make is made here, where official clients expect one.
#[derive(Debug)]
pub(crate) struct Counting(Client);

impl Counting {
    pub(crate) fn around(client: &Client) -> Self {
        Self(client.clone())
    }
}

impl Service for Counting {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        let replied = self.0.service().call(call, request).await;
        match (replied, request) {
            (Err(error), Request::Count(count))
                if (error.kind(), error.stage()) == (ErrorKind::Unsupported, Stage::NotSent) =>
            {
                let mut chat = count.chat.clone();
                chat.model = format!("{}/{}", call.provider, chat.model);
                Ok(Reply::Count(Box::new(self.0.count_tokens_locally(chat)?)))
            }
            (replied, _) => replied,
        }
    }
}
