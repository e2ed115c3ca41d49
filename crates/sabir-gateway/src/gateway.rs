//! From an HTTP request to its answer, without a socket.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Request as HttpRequest, Response};
use sabir::drive::{Format, Host};
use sabir::models::{ModelInfo, ModelsRequest, ModelsResponse};
use sabir::transport::{Body, BoxFuture};
use sabir::{Call, Client, Error, ErrorKind, Request, Result, Secret, Shared, Trail};

use crate::door::{self, Guest};
use crate::incoming;
use crate::keys::Digest;
use crate::{Keys, counting, headers, own};

/// Answers any SDK in its own dialect, from a client. Cloning is cheap and shares everything.
#[derive(Clone, Debug)]
pub struct Gateway(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    client: Client,
    service: Shared,
    /// Whose keys are asked for; `None` lets everybody in.
    keys: Option<Keys>,
    admin: Option<Digest>,
    models: Vec<String>,
    longest_body: usize,
    patience: Duration,
    draining: Arc<AtomicBool>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("keys", &self.keys).field("models", &self.models).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Answers from this client. Everybody is let in, until [`keys`](Self::keys) says otherwise.
    pub fn new(client: Client) -> Self {
        Self(Arc::new(Inner {
            service: Shared::new(counting::Counting::around(&client)),
            client,
            keys: None,
            admin: None,
            models: Vec::new(),
            longest_body: 32 << 20,
            patience: Duration::from_secs(30),
            draining: Arc::default(),
        }))
    }

    fn set(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Lets in only who has one of these keys. Keys may be added and taken away at any time.
    pub fn keys(self, keys: Keys) -> Self {
        self.set(|inner| inner.keys = Some(keys))
    }

    /// The administrator's key: it opens `/metrics` where keys are asked for. Only its hash is kept.
    pub fn admin(self, key: &Secret) -> Self {
        self.set(|inner| inner.admin = Some(Digest::of(key.expose())))
    }

    /// The models that are listed to clients, as they name them. Without them: the default models of all providers whose
    /// keys are there.
    pub fn models<M: Into<String>>(self, models: impl IntoIterator<Item = M>) -> Self {
        self.set(|inner| inner.models = models.into_iter().map(Into::into).collect())
    }

    /// The longest body of a request that is read, in bytes; 32 MiB unless it is said.
    pub fn longest_body(self, bytes: usize) -> Self {
        self.set(|inner| inner.longest_body = bytes)
    }

    /// How long a client may be silent in the middle of its request; 30 s unless it is said.
    pub fn patience(self, time: Duration) -> Self {
        self.set(|inner| inner.patience = time)
    }

    /// Whether everybody is let in.
    pub fn is_open(&self) -> bool {
        self.0.keys.is_none()
    }

    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }

    /// From now on it says that it is not ready; what is under way is answered.
    pub(crate) fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Relaxed)
    }

    /// Whether a request has the administrator's key, or is let in by a gateway that asks for none.
    pub(crate) fn is_admin(&self, head: &Parts) -> bool {
        let shown = door::shown(&head.headers, &head.uri);
        match (&self.0.admin, shown) {
            (Some(admin), Some(key)) => *admin == Digest::of(&key),
            (Some(_), None) => false,
            (None, _) => self.is_open(),
        }
    }

    /// Answers one request. Never fails: what goes wrong is an answer in the shape in which it was asked.
    pub async fn answer<B>(&self, request: HttpRequest<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let id = headers::request_id();
        let mut response = match sabir::dialects::spoken(&head.method, &head.uri, &head.headers) {
            Some(format) => self.asked(format, head, body, &id).await.unwrap_or_else(|error| format.refuse(&error)),
            None => own::answer(self, &head),
        };
        headers::tell(&mut response, &id);
        response
    }

    async fn asked<B>(&self, format: Format, head: Parts, body: B, id: &str) -> Result<Response<Body>>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let guest = door::let_in(self.0.keys.as_ref(), &head.headers, &head.uri)?;
        let body = incoming::read(body, &head.headers, self.0.longest_body, self.0.patience).await?;
        let mut call = self.0.client.begin();
        guest.sign(&mut call);
        // The ledger has its attempts by what the client was told.
        call.trail = Trail::named(id);
        let visit = Visit { gateway: &self.0, guest };
        Ok(format.serve(&visit, call, HttpRequest::from_parts(head, body)).await)
    }
}

/// One request of somebody's.
struct Visit<'a> {
    gateway: &'a Inner,
    guest: Guest,
}

impl Host for Visit<'_> {
    fn service(&self) -> &Shared {
        &self.gateway.service
    }

    fn admit(&self, call: &mut Call, request: &mut Request) -> Result<()> {
        let asked = request.model().to_owned();
        self.gateway.client.settle(call, request).map_err(|error| {
            // What is a mistake in a program's set-up is one in a client's request here.
            if error.kind() == ErrorKind::Configuration {
                Error::new(ErrorKind::NotFound, error.message()).with_model(&asked).with_stage(sabir::Stage::NotSent)
            } else {
                error
            }
        })?;
        self.guest.may_ask(&asked, &call.provider, request.model())
    }

    fn models(&self, _: ModelsRequest) -> BoxFuture<'_, Result<ModelsResponse>> {
        let mut list = ModelsResponse::default();
        list.models = self.gateway.listed().filter(|name| self.guest.sees(name)).map(info).collect();
        Box::pin(async move { Ok(list) })
    }
}

impl Inner {
    fn listed(&self) -> Box<dyn Iterator<Item = String> + '_> {
        if !self.models.is_empty() {
            return Box::new(self.models.iter().cloned());
        }
        let env = self.client.env();
        let registry = self.client.registry();
        let able = registry.ids().into_iter().filter_map(move |id| {
            let provider = registry.get(&id).ok()?;
            let model = provider.default_model(env).filter(|_| provider.has_key(env))?;
            Some(format!("{id}/{model}"))
        });
        Box::new(able)
    }
}

fn info(name: String) -> ModelInfo {
    let mut info = ModelInfo::default();
    info.id = name;
    info
}
