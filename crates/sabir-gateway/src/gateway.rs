//! From an HTTP request to its answer, without a socket.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Request as HttpRequest, Response, StatusCode};
use sabir::drive::{Format, Host};
use sabir::models::{ModelInfo, ModelsRequest, ModelsResponse};
use sabir::transport::{Body, BoxFuture};
use sabir::{Call, Client, Error, ErrorKind, Request, Result, Secret, Shared, Trail};

use crate::access::{AccessLog, Line};
use crate::administrator::{Administrators, NotOne, Who};
use crate::door::{self, Guest};
use crate::incoming;
use crate::{Keys, counting, headers, own};

/// Answers any SDK in its own dialect, from a client. Cloning is cheap and shares everything.
#[derive(Clone, Debug)]
pub struct Gateway(Arc<Whole>);

#[derive(Debug)]
struct Whole {
    /// What requests are answered by from now on; those under way keep what was there when they came.
    now: RwLock<Arc<Inner>>,
    draining: AtomicBool,
    #[cfg(feature = "config")]
    operator: std::sync::OnceLock<crate::admin::Operator>,
}

#[derive(Clone)]
pub(crate) struct Inner {
    client: Client,
    service: Shared,
    /// Whose keys are asked for; `None` lets everybody in.
    pub(crate) keys: Option<Keys>,
    log: Option<AccessLog>,
    pub(crate) admin: Administrators,
    models: Vec<String>,
    #[cfg(feature = "config")]
    pub(crate) mcp: crate::mcp::Servers,
    longest_body: usize,
    patience: Duration,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("keys", &self.keys).field("models", &self.models).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Answers from this client. Everybody is let in, until [`keys`](Self::keys) says otherwise.
    pub fn new(client: Client) -> Self {
        let inner = Inner {
            service: Shared::new(counting::Counting::around(&client)),
            client,
            keys: None,
            admin: Administrators::default(),
            models: Vec::new(),
            #[cfg(feature = "config")]
            mcp: crate::mcp::Servers::default(),
            longest_body: 32 << 20,
            patience: Duration::from_secs(30),
            log: None,
        };
        Self(Arc::new(Whole {
            now: RwLock::new(Arc::new(inner)),
            draining: AtomicBool::new(false),
            #[cfg(feature = "config")]
            operator: std::sync::OnceLock::new(),
        }))
    }

    pub(crate) fn set(self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0.now.write().unwrap_or_else(PoisonError::into_inner)));
        self
    }

    /// What requests are answered by at this moment.
    pub(crate) fn now(&self) -> Arc<Inner> {
        self.0.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers from now on as another gateway does: its client, its keys, all that it was set to. Requests that came
    /// before are answered as they began.
    pub fn become_like(&self, other: &Self) {
        let now = other.now();
        *self.0.now.write().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Writes a line for each request from now on.
    pub fn access_log(self, log: AccessLog) -> Self {
        self.set(|inner| inner.log = Some(log))
    }

    #[cfg(feature = "config")]
    pub(crate) fn log(&self) -> Option<AccessLog> {
        self.now().log.clone()
    }

    #[cfg(feature = "config")]
    pub(crate) fn operator(&self) -> &std::sync::OnceLock<crate::admin::Operator> {
        &self.0.operator
    }

    /// Lets in only who has one of these keys. Keys may be added and taken away at any time.
    pub fn keys(self, keys: Keys) -> Self {
        self.set(|inner| inner.keys = Some(keys))
    }

    /// The administrator's key: it opens `/metrics` where keys are asked for. Only its hash is kept.
    pub fn admin(self, key: &Secret) -> Self {
        self.set(|inner| inner.admin.admit_key(key))
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
        self.now().keys.is_none()
    }

    pub(crate) fn client(&self) -> Client {
        self.now().client.clone()
    }

    /// From now on it says that it is not ready; what is under way is answered.
    pub(crate) fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
        #[cfg(feature = "config")]
        self.now().mcp.close();
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Relaxed)
    }

    /// Which administrator asks by this request.
    pub(crate) async fn administrator(&self, head: &Parts) -> std::result::Result<Who, NotOne> {
        self.now().admin.admit(head).await
    }

    /// Who asks by this request.
    #[cfg(feature = "config")]
    pub(crate) fn guest(&self, head: &Parts) -> Result<Guest> {
        door::let_in(self.now().keys.as_ref(), &head.headers, &head.uri)
    }

    /// Answers one request. Never fails: what goes wrong is an answer in the shape in which it was asked.
    pub async fn answer<B>(&self, request: HttpRequest<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let (id, now) = (headers::request_id(), self.now());
        let line = now.log.as_ref().map(|log| log.begin(&id, &head));
        let mut response = match sabir::dialects::spoken(&head.method, &head.uri, &head.headers) {
            #[cfg(feature = "config")]
            _ if crate::mcp::is_meant(&head) => {
                let body = incoming::read(body, &head.headers, now.longest_body, now.patience);
                now.mcp.answer(now.keys.as_ref(), &head, body, line.as_ref()).await
            }
            Some(format) => {
                let asked = now.asked(format, head, body, &id, line.as_ref());
                asked.await.unwrap_or_else(|error| refuse(format, &error))
            }
            #[cfg(feature = "config")]
            None if crate::admin::is_meant(&head) => {
                let body = incoming::read(body, &head.headers, now.longest_body.min(LONGEST_CHANGE), now.patience);
                crate::admin::answer(self, &head, body.await).await
            }
            None => own::answer(self, &head).await,
        };
        headers::tell(&mut response, &id);
        match line {
            Some(line) => line.end_with(response),
            None => response,
        }
    }
}

/// A refusal in the client's format. Where the client itself was too slow it says so: in most dialects a timeout is the
/// server's.
fn refuse(format: Format, error: &Error) -> Response<Body> {
    let mut response = format.refuse(error);
    if error.status() == Some(StatusCode::REQUEST_TIMEOUT) {
        *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
    }
    response
}

/// The longest body of a change by the administrator, in bytes.
#[cfg(feature = "config")]
const LONGEST_CHANGE: usize = 256 << 10;

impl Inner {
    async fn asked<B>(
        &self,
        format: Format,
        head: Parts,
        body: B,
        id: &str,
        line: Option<&Line>,
    ) -> Result<Response<Body>>
    where
        B: http_body::Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let guest = door::let_in(self.keys.as_ref(), &head.headers, &head.uri)?;
        if let Some(line) = line {
            line.is_of(format, guest.name());
        }
        let body = incoming::read(body, &head.headers, self.longest_body, self.patience).await?;
        let mut call = self.client.begin();
        guest.sign(&mut call);
        // The ledger has its attempts by what the client was told.
        call.trail = Trail::named(id);
        let service = line.map_or_else(|| self.service.clone(), |line| line.listen(&self.service));
        let visit = Visit { gateway: self, guest, service };
        Ok(format.serve(&visit, call, HttpRequest::from_parts(head, body)).await)
    }
}

/// One request of somebody's.
struct Visit<'a> {
    gateway: &'a Inner,
    guest: Guest,
    service: Shared,
}

impl Host for Visit<'_> {
    fn service(&self) -> &Shared {
        &self.service
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
