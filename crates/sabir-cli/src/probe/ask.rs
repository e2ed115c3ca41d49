//! One question to the server that is probed, with quirks to try.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sabir::chat::Event;
use sabir::{
    Auth, ChatRequest, ChatResponse, Client, Env, Error, ErrorKind, Provider, Registry, Request, Secret, Service as _,
    Transport,
};

/// The id under which the server is called.
pub(super) const TARGET: &str = "target";
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// The server, and how it is asked.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) url: String,
    pub(super) dialect: String,
    pub(super) key: Option<Secret>,
    pub(super) transport: Arc<dyn Transport>,
}

/// Where it departs from its dialect.
pub(super) type Quirks = BTreeMap<&'static str, &'static str>;

impl Server {
    /// A client of it that adds nothing of its own.
    pub(super) fn client(&self, quirks: &Quirks) -> Result<Client, Error> {
        let mut provider = Provider::custom(TARGET, &self.dialect, &self.url)?;
        provider = match &self.key {
            Some(key) => provider.key(key.clone()),
            None => provider.auth(Auth::None),
        };
        if let Some(listing) = listing(&self.dialect) {
            provider = provider.listing(listing)?;
        }
        for (name, value) in quirks {
            provider = provider.quirk(name, value);
        }
        let registry = Registry::new();
        registry.register(provider);
        Client::builder()
            .registry(registry)
            .env(Env::none())
            .transport(self.transport.clone())
            .timeout(PATIENCE)
            .build()
    }

    /// Asks once. The answer has its body as it came.
    pub(super) async fn ask(&self, quirks: &Quirks, mut request: ChatRequest) -> Result<ChatResponse, Error> {
        let client = self.client(quirks)?;
        let mut call = client.begin();
        call.keep_raw = true;
        request.model = format!("{TARGET}/{}", request.model);
        let is_stream = request.stream;
        let mut request = Request::Chat(request);
        client.settle(&mut call, &mut request)?;
        let reply = client.service().call(&call, &request).await?;
        if !is_stream {
            return reply.whole();
        }
        let mut events = reply.stream()?;
        while let Some(event) = std::future::poll_fn(|cx| events.as_mut().poll_next(cx)).await {
            if let Event::Done(response) = event? {
                return Ok(*response);
            }
        }
        Err(sabir::dialect::truncated())
    }
}

/// The format of a dialect's list of models.
fn listing(dialect: &str) -> Option<&'static str> {
    Some(match dialect {
        "openai-chat" | "openai-responses" | "openai-completions" => "openai-models",
        "anthropic-messages" => "anthropic-models",
        "gemini-generate" => "gemini-models",
        "ollama-chat" => "ollama-tags",
        "cohere-v1" | "cohere-v2" | "cohere-chat" => "cohere-models",
        _ => return None,
    })
}

/// Whether an error says that the request was not understood: what a quirk may mend.
pub(super) fn is_refusal(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidRequest | ErrorKind::Unsupported | ErrorKind::Provider)
        && error.status().is_none_or(|status| [400, 422, 500, 501].contains(&status.as_u16()))
}
