//! The one seam between a client and the wire: a service takes a request and gives a reply; a layer wraps a service.

use std::borrow::Cow;
use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;

use crate::chat::{ChatRequest, ChatResponse, EventStream};
use crate::count::{CountRequest, CountResponse};
use crate::embed::{EmbedRequest, EmbedResponse};
use crate::raw::{RawReply, RawRequest};
use crate::rerank::{RerankRequest, RerankResponse};
use crate::transport::{BoxFuture, Timeouts};
use crate::{Error, ErrorKind, Foreseen, Passage, Result, Secret, Trail};

/// What is asked of a service.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Request {
    /// An answer to a conversation; a stream where the request says so.
    Chat(ChatRequest),
    /// Vectors.
    Embed(EmbedRequest),
    /// An order of documents.
    Rerank(RerankRequest),
    /// How many tokens a conversation is. It goes through the layers as the others do: providers count it against
    /// their limits on requests, and it may fail and be tried again as any call.
    Count(CountRequest),
    /// Anything else that a provider has, unread. Layers that limit, charge and count treat it as a request whose use is
    /// not known; it is never made twice once it may have been sent.
    Raw(Box<RawRequest>),
}

impl Request {
    /// The model asked for.
    pub fn model(&self) -> &str {
        match self {
            Self::Chat(r) => &r.model,
            Self::Embed(r) => &r.model,
            Self::Rerank(r) => &r.model,
            Self::Count(r) => &r.chat.model,
            Self::Raw(r) => &r.model,
        }
    }

    /// The model asked for, to be rewritten.
    pub fn model_mut(&mut self) -> &mut String {
        match self {
            Self::Chat(r) => &mut r.model,
            Self::Embed(r) => &mut r.model,
            Self::Rerank(r) => &mut r.model,
            Self::Count(r) => &mut r.chat.model,
            Self::Raw(r) => &mut r.model,
        }
    }

    /// Whether something that cannot be carried is an error, to be rewritten.
    pub fn strict_mut(&mut self) -> &mut bool {
        match self {
            Self::Chat(r) => &mut r.strict,
            Self::Embed(r) => &mut r.strict,
            Self::Rerank(r) => &mut r.strict,
            Self::Count(r) => &mut r.chat.strict,
            Self::Raw(r) => &mut r.strict,
        }
    }
}

/// What a service gives.
#[non_exhaustive]
pub enum Reply {
    /// A whole answer.
    Whole(Box<ChatResponse>),
    /// An answer that streams.
    Stream(EventStream),
    /// Vectors.
    Embed(Box<EmbedResponse>),
    /// An order of documents.
    Rerank(Box<RerankResponse>),
    /// How many tokens a conversation is.
    Count(Box<CountResponse>),
    /// Whatever a raw request was answered with.
    Raw(Box<RawReply>),
}

impl Reply {
    /// The whole answer.
    ///
    /// # Errors
    /// `Provider` where the service gave something else: a fault of the service.
    pub fn whole(self) -> Result<ChatResponse> {
        match self {
            Self::Whole(response) => Ok(*response),
            _ => Err(Error::new(
                ErrorKind::Provider,
                "a service answered a unary call with something else; this is a fault of the service",
            )),
        }
    }

    /// The stream.
    ///
    /// # Errors
    /// `Provider` where the service gave something else: a fault of the service.
    pub fn stream(self) -> Result<EventStream> {
        match self {
            Self::Stream(stream) => Ok(stream),
            _ => Err(Error::new(
                ErrorKind::Provider,
                "a service answered a stream with something else; this is a fault of the service",
            )),
        }
    }

    /// The vectors.
    ///
    /// # Errors
    /// `Provider` where the service gave something else: a fault of the service.
    pub fn embed(self) -> Result<EmbedResponse> {
        match self {
            Self::Embed(response) => Ok(*response),
            _ => Err(Error::new(
                ErrorKind::Provider,
                "a service answered a call for vectors with something else; this is a fault of the service",
            )),
        }
    }

    /// The order of documents.
    ///
    /// # Errors
    /// `Provider` where the service gave something else: a fault of the service.
    pub fn rerank(self) -> Result<RerankResponse> {
        match self {
            Self::Rerank(response) => Ok(*response),
            _ => Err(Error::new(
                ErrorKind::Provider,
                "a service answered a call for an order of documents with something else; this is a fault of the service",
            )),
        }
    }

    /// The count of tokens.
    ///
    /// # Errors
    /// `Provider` where the service gave something else: a fault of the service.
    pub fn count(self) -> Result<CountResponse> {
        match self {
            Self::Count(response) => Ok(*response),
            _ => Err(Error::new(
                ErrorKind::Provider,
                "a service answered a call for a count with something else; this is a fault of the service",
            )),
        }
    }
}

impl Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Whole(_) => "Reply::Whole",
            Self::Stream(_) => "Reply::Stream",
            Self::Embed(_) => "Reply::Embed",
            Self::Rerank(_) => "Reply::Rerank",
            Self::Count(_) => "Reply::Count",
            Self::Raw(_) => "Reply::Raw",
        })
    }
}

/// What goes with a request through the layers and is no part of it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Call {
    /// The provider that is to answer, by its own id, whatever alias it was asked by; settled before the first layer.
    pub provider: String,
    /// The dialect in which it is to be asked, where one was said behind its name (`openai:openai-responses`). It is apart
    /// from the id, since it is the same provider with the same key: what limits, spends, books or permits goes by the id.
    pub dialect: Option<String>,
    /// The key to ask with, where a layer chose one of several; the provider's own otherwise.
    pub key: Option<Key>,
    /// Whose call it is: what one tenant was answered is never given to another. Empty where there is only one.
    pub tenant: String,
    /// Which try this is, from 0. Layers that try again count it up.
    pub attempt: u32,
    /// Whether it was made beside one that is slow, of which the first to answer counts. No more are made beside it.
    pub hedged: bool,
    /// Time limits of this call.
    pub timeouts: Timeouts,
    /// Sent as `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header), so that a server that knows it answers a
    /// request that it was sent before without doing the work again. The large providers do not document it for
    /// conversations; who does not know it ignores it.
    pub idempotency_key: Option<String>,
    /// Whether to keep the body as it came on the response.
    pub keep_raw: bool,
    /// The caller's labels, for metering and budgets.
    pub tags: Vec<(String, String)>,
    /// The request as its client wrote it, where it may go on so. A layer that must know all that a provider is told takes
    /// it away: what it saw is what is sent then.
    pub passage: Option<Arc<Passage>>,
    /// The call's id and the number of its attempts so far, shared by all clones: who keeps a call as a pattern for
    /// others gives each its own.
    pub trail: Trail,
}

impl Call {
    /// A call of a provider, perhaps with a dialect behind it (`openai:openai-responses`).
    pub fn to(provider: impl AsRef<str>) -> Self {
        let mut call = Self::default();
        call.go_to(provider.as_ref());
        call
    }

    /// Has another provider asked, perhaps with a dialect behind it.
    pub fn go_to(&mut self, provider: &str) {
        let (id, dialect) = provider.split_once(':').map_or((provider, None), |(id, dialect)| (id, Some(dialect)));
        id.clone_into(&mut self.provider);
        self.dialect = dialect.map(str::to_owned);
    }

    /// Who is asked, as requests write it: the provider, with the dialect behind it where one was said.
    pub fn place(&self) -> Cow<'_, str> {
        match &self.dialect {
            Some(dialect) => Cow::Owned(format!("{}:{dialect}", self.provider)),
            None => Cow::Borrowed(&self.provider),
        }
    }
}

/// One key of a provider that has several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// What it is called wherever it is spoken of: limits, breakers and metrics are kept by it.
    pub name: String,
    /// The key.
    pub secret: Secret,
}

/// Answers requests. One method, so that a layer that passes through forwards one.
pub trait Service: Debug + Send + Sync + 'static {
    /// Answers a request. Dropping the future, or the stream in the reply, cancels.
    fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> impl Future<Output = Result<Reply>> + Send + 'a;
}

/// The object-safe twin of [`Service`]; implemented for every service.
trait Served: Debug + Send + Sync {
    fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> BoxFuture<'a, Result<Reply>>;
}

impl<S: Service> Served for S {
    fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> BoxFuture<'a, Result<Reply>> {
        Box::pin(Service::call(self, call, request))
    }
}

/// Any service, shared: what layers wrap and clients hold. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Shared(Arc<dyn Served>);

impl Shared {
    /// Shares a service.
    pub fn new(service: impl Service) -> Self {
        Self(Arc::new(service))
    }
}

impl Service for Shared {
    // Given on as it is: an `async fn` would be one more machine around it.
    fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> impl Future<Output = Result<Reply>> + Send + 'a {
        self.0.call(call, request)
    }
}

/// Wraps a service in a policy. State lives in the layer's value, so that refolding a client's layers keeps it.
pub trait Layer: Debug + Send + Sync + 'static {
    /// The service with the policy around it.
    fn apply(&self, inner: Shared) -> Shared;

    /// The provider and the model by which this layer knows a name that is its own: a route, an alias. A client asks
    /// its layers before it looks for a provider. Most layers name nothing.
    fn place(&self, name: &str) -> Option<(String, String)> {
        let _ = name;
        None
    }

    /// The providers that this layer's own rules name. A client refuses a layer that names one by an alias: calls have its own
    /// id, and the rule would hold for none. Most layers name nobody.
    fn providers(&self) -> Vec<String> {
        Vec::new()
    }

    /// What this layer would make of attempts that are only looked at: nothing is sent, taken or counted, and nothing is
    /// different afterwards. Most layers change nothing of what is asked, and refuse nothing beforehand.
    fn foresee(&self, attempts: Vec<Foreseen>) -> BoxFuture<'_, Vec<Foreseen>> {
        Box::pin(std::future::ready(attempts))
    }
}
