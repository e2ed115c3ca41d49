//! From an HTTP request to its answer, without a socket.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Request as HttpRequest, Response};
use sabir::drive::{Format, Host};
use sabir::ledger::RequestLog;
use sabir::models::{ModelInfo, ModelsRequest, ModelsResponse};
use sabir::transport::{Body, BoxFuture};
use sabir::{Call, Client, Error, ErrorKind, Request, Result, Secret, Shared, Trail};
use tracing::{Instrument as _, Span};

use crate::access::{AccessLog, Line};
use crate::administrator::{Administrators, NotOne, Who};
use crate::door::{self, Guest};
use crate::incoming::{self, Left};
use crate::leavers::{Cap, Leavers};
use crate::raw::{self, Raw};
use crate::request_log::Rows;
use crate::{Keys, counting, headers, own, span};

/// Answers any SDK in its own dialect, from a client. Cloning is cheap and shares everything.
#[derive(Clone, Debug)]
pub struct Gateway(Arc<Whole>);

#[derive(Debug)]
struct Whole {
    /// What requests are answered by from now on; those under way keep what was there when they came.
    now: RwLock<Arc<Inner>>,
    draining: AtomicBool,
    leavers: Leavers,
    #[cfg(feature = "config")]
    operator: std::sync::OnceLock<crate::admin::Operator>,
}

#[derive(Clone)]
pub(crate) struct Inner {
    client: Client,
    service: Shared,
    /// Whose keys are asked for; `None` lets everybody in.
    pub(crate) keys: Option<Keys>,
    pub(crate) log: Option<AccessLog>,
    pub(crate) rows: Option<Rows>,
    pub(crate) admin: Administrators,
    models: Vec<String>,
    #[cfg(feature = "config")]
    pub(crate) mcp: crate::mcp::Servers,
    longest_body: usize,
    patience: Duration,
    read_on: Cap,
    /// Whether bytes may go through as they are.
    passage: bool,
    /// Whether everybody who is let in may ask providers for anything.
    raw: bool,
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
            service: Shared::new(counting::Counting::around(&client, false)),
            client,
            keys: None,
            admin: Administrators::default(),
            models: Vec::new(),
            #[cfg(feature = "config")]
            mcp: crate::mcp::Servers::default(),
            longest_body: 32 << 20,
            patience: Duration::from_secs(30),
            passage: true,
            raw: false,
            log: None,
            rows: None,
            read_on: Cap::default(),
        };
        Self(Arc::new(Whole {
            now: RwLock::new(Arc::new(inner)),
            draining: AtomicBool::new(false),
            leavers: Leavers::default(),
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

    /// Keeps a row for each request from now on, or for a share of them (0 to 1), which are chosen by their ids: the same
    /// id is always among them, or never. With `content` the bodies are kept, too, a mebibyte of each at most.
    pub fn request_log(self, log: Arc<dyn RequestLog>, sample: f64, content: bool) -> Self {
        self.rows(Rows { log, sample, content, of: None })
    }

    pub(crate) fn rows(self, rows: Rows) -> Self {
        self.set(|inner| inner.rows = Some(rows))
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
        self.set(|inner| {
            inner.keys = Some(keys);
            inner.service = Shared::new(counting::Counting::around(&inner.client, true));
        })
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

    /// How far an answer is read on whose client went away before its end, so that it is the provider's own figures that
    /// are settled: for how long, and how many bytes as they would have gone to the client. 30 s and 1 MiB unless it is
    /// said. Beyond it, and at once where there is no time, the provider is left, and what it cost is estimated.
    pub fn read_on(self, time: Duration, bytes: usize) -> Self {
        self.set(|inner| inner.read_on = Cap { time, bytes })
    }

    /// Whether requests and answers go through byte by byte where the client and the provider speak one dialect and no
    /// layer needs what is said; as it is unless it is said. Where not, each is read and written anew, which says the same.
    pub fn passage(self, passes: bool) -> Self {
        self.set(|inner| inner.passage = passes)
    }

    /// Whether everybody who is let in may ask a provider for anything it has, at `/raw/PROVIDER/…`; no unless it is said,
    /// but for keys that say so themselves ([`VirtualKey::raw`](crate::VirtualKey::raw)).
    pub fn raw(self, opens: bool) -> Self {
        self.set(|inner| inner.raw = opens)
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

    /// Ready when all that it started has ended.
    #[cfg_attr(not(feature = "config"), expect(clippy::unused_async, reason = "nothing is started"))]
    pub(crate) async fn is_over(&self) {
        #[cfg(feature = "config")]
        self.now().mcp.are_over().await;
    }

    pub(crate) fn leavers(&self) -> &Leavers {
        &self.0.leavers
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
    ///
    /// What is large or rare on the way stands in boxes: a future is copied into each that waits for it, and kilobytes of
    /// them push out of the processor's caches what the next request needs.
    pub async fn answer<B>(&self, request: HttpRequest<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send,
    {
        let (head, body) = request.into_parts();
        let mut body = pin!(body);
        let (id, now) = (headers::request_id(), self.now());
        let line = Line::begin(now.log.as_ref(), now.rows.as_ref(), &id, &head);
        let left = Left::of(&head);
        let spoken = || sabir::dialects::spoken(&head.method, &head.uri, &head.headers);
        let wanted = Raw::of(&head.uri).map(Wanted::Raw).or_else(|| spoken().map(Wanted::Spoken));
        let mut response = match wanted {
            #[cfg(feature = "config")]
            _ if crate::mcp::is_meant(&head) => {
                let come = incoming::read(body.as_mut(), &head.headers, now.longest_body, now.patience);
                let answered = Box::pin(now.mcp.answer(now.keys.as_ref(), &head, come, line.as_ref())).await;
                left.forget(body, answered).await
            }
            Some(wanted) => {
                let span = span::begin(&head, &id);
                let about = About { id: &id, line: line.as_ref(), leavers: self.leavers(), span: &span };
                match Box::pin(now.serve(wanted, head, body.as_mut(), about)).await {
                    Ok(response) => response,
                    Err(refused) => left.forget(body, span::until_end(&span, *refused)).await,
                }
            }
            #[cfg(feature = "config")]
            None if crate::admin::is_meant(&head) => {
                let body = incoming::read(body, &head.headers, now.longest_body.min(LONGEST_CHANGE), now.patience);
                Box::pin(crate::admin::answer(self, &head, body.await)).await
            }
            None => left.forget(body, Box::pin(own::answer(self, &head)).await).await,
        };
        headers::tell(&mut response, &id);
        match line {
            Some(line) => line.end_with(response),
            None => response,
        }
    }
}

/// What is asked for.
enum Wanted {
    Spoken(Format),
    Raw(Result<Raw>),
}

/// The longest body of a change by the administrator, in bytes.
#[cfg(feature = "config")]
const LONGEST_CHANGE: usize = 256 << 10;

/// What goes along with a request.
struct About<'a> {
    id: &'a Arc<str>,
    line: Option<&'a Line>,
    leavers: &'a Leavers,
    span: &'a Span,
}

impl Inner {
    /// The answer, or the refusal of a request that was not read to its end.
    async fn serve<B: http_body::Body<Data = Bytes> + Send>(
        self: &Arc<Self>,
        wanted: Wanted,
        head: Parts,
        body: Pin<&mut B>,
        about: About<'_>,
    ) -> Result<Response<Body>, Box<Response<Body>>> {
        let raw = match wanted {
            Wanted::Spoken(format) => return self.spoken(format, None, head, body, about).await,
            Wanted::Raw(raw) => raw,
        };
        let refuse = |error| Box::new(raw::refuse(&error));
        let raw = raw.map_err(refuse)?;
        let guest = self.let_in_raw(&raw, &head).map_err(refuse)?;
        match raw.format(&head, self.client.registry()) {
            // What is asked in a format that is known is answered as anywhere else, by this provider.
            Some((format, provider)) => {
                let mut head = head;
                head.uri = raw.rest;
                self.spoken(format, Some((guest, provider)), head, body, about).await
            }
            None => Box::pin(self.sent(guest, raw, head, body, about)).await.map_err(refuse),
        }
    }

    async fn spoken<B: http_body::Body<Data = Bytes> + Send>(
        self: &Arc<Self>,
        format: Format,
        of: Option<(Guest, String)>,
        head: Parts,
        body: Pin<&mut B>,
        about: About<'_>,
    ) -> Result<Response<Body>, Box<Response<Body>>> {
        let asked = self.asked(format, of, head, body, about).await;
        asked.map_err(|error| Box::new(own::refuse(format, &error)))
    }

    /// Who asks a provider for anything it has.
    fn let_in_raw(&self, raw: &Raw, head: &Parts) -> Result<Guest> {
        let guest = door::let_in(self.keys.as_ref(), &head.headers, &head.uri)?;
        raw::are_open(&guest, self.raw)?;
        if self.client.registry().contains(&raw.provider) {
            return Ok(guest);
        }
        let message = format!("there is no provider {:?} here", raw.provider);
        Err(Error::new(ErrorKind::NotFound, message).with_stage(sabir::Stage::NotSent))
    }

    /// Anything that a provider has, unread.
    async fn sent<B: http_body::Body<Data = Bytes> + Send>(
        &self,
        guest: Guest,
        raw: Raw,
        head: Parts,
        body: Pin<&mut B>,
        about: About<'_>,
    ) -> Result<Response<Body>> {
        raw::may_all(&guest, &raw.provider, self.client.registry().own_id(&raw.provider))?;
        if let Some(line) = about.line {
            line.is_of(&guest);
            line.is_raw();
        }
        span::is_of(about.span, &guest);
        let body = incoming::read_as_it_is(body, &head.headers, self.longest_body, self.patience).await?;
        let mut call = self.call(&guest, about.id);
        self.client.registry().aim(&mut call, &raw.provider);
        let service = about.line.map_or_else(|| self.service.clone(), |line| line.listen(&self.service));
        let sending = raw.send(&service, call, head, body).instrument(about.span.clone());
        Ok(span::until_end(about.span, sending.await?))
    }

    /// A call of somebody's.
    fn call(&self, guest: &Guest, id: &Arc<str>) -> Call {
        let mut call = self.client.begin();
        guest.sign(&mut call);
        // The ledger has its attempts by what the client was told.
        call.trail = Trail::named(id.clone());
        call
    }

    async fn asked<B: http_body::Body<Data = Bytes> + Send>(
        self: &Arc<Self>,
        format: Format,
        of: Option<(Guest, String)>,
        head: Parts,
        body: Pin<&mut B>,
        About { id, line, leavers, span }: About<'_>,
    ) -> Result<Response<Body>> {
        if let Some(line) = line {
            line.is_in(format);
        }
        let (guest, provider) = match of {
            Some((guest, provider)) => (guest, Some(provider)),
            None => (door::let_in(self.keys.as_ref(), &head.headers, &head.uri)?, None),
        };
        if let Some(line) = line {
            line.is_of(&guest);
        }
        span::is_of(span, &guest);
        let body = incoming::read(body, &head.headers, self.longest_body, self.patience).await?;
        if let Some(line) = line {
            line.has_body(&body);
        }
        let call = self.call(&guest, id);
        let service = line.map_or_else(|| self.service.clone(), |line| line.listen(&self.service));
        let visit = Visit { gateway: self.clone(), guest, service, line: line.cloned(), provider };
        let request = HttpRequest::from_parts(head, body);
        let (open, trail) = (span.clone(), call.trail.clone());
        let serving = Box::pin(async move { span::until_end(&open, format.serve(&visit, call, request).await) });
        Ok(leavers.follow(self.read_on, line, trail, Box::pin(serving.instrument(span.clone()))).await)
    }
}

/// One request of somebody's.
struct Visit {
    gateway: Arc<Inner>,
    guest: Guest,
    service: Shared,
    line: Option<Line>,
    /// Who is to answer, where the path says it.
    provider: Option<String>,
}

impl Visit {
    /// Whether a listed model is shown: by the name it is listed by, or by its provider's own id.
    fn sees(&self, name: &str) -> bool {
        let registry = self.gateway.client.registry();
        let by_own_id = || {
            let (provider, model) = name.split_once('/').filter(|(provider, _)| registry.contains(provider))?;
            Some(format!("{}/{model}", registry.own_id(provider)))
        };
        self.guest.sees(name) || by_own_id().is_some_and(|name| self.guest.sees(&name))
    }
}

impl Host for Visit {
    fn service(&self) -> &Shared {
        &self.service
    }

    fn admit(&self, call: &mut Call, request: &mut Request) -> Result<()> {
        let mut asked = request.model().to_owned();
        if let Some(provider) = &self.provider {
            // It is the provider's own name, of whatever dialect: so it stands in lists of models, too.
            asked.insert_str(0, &format!("{}/", self.gateway.client.registry().own_id(provider)));
            request.model_mut().insert_str(0, &format!("{provider}/"));
        }
        if let Some(line) = &self.line {
            line.asks(&asked);
        }
        self.gateway.client.settle(call, request).map_err(|error| {
            // What is a mistake in a program's set-up is one in a client's request here.
            if error.kind() == ErrorKind::Configuration {
                Error::new(ErrorKind::NotFound, error.message()).with_model(&asked).with_stage(sabir::Stage::NotSent)
            } else {
                error
            }
        })?;
        *request.strict_mut() |= self.guest.is_strict();
        self.guest.may_ask(&asked, &call.provider, request.model())
    }

    fn passes(&self) -> bool {
        self.gateway.passage
    }

    fn models(&self, _: ModelsRequest) -> BoxFuture<'_, Result<ModelsResponse>> {
        let mut list = ModelsResponse::default();
        list.models = self.gateway.listed().filter(|name| self.sees(name)).map(info).collect();
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
