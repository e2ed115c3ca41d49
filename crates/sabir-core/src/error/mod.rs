//! One error for everything that can go wrong, with what a caller needs to decide what to do next.

mod classify;
mod http_date;
mod kind;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

pub use classify::{kind_for, request_id, retry_hint, said};
pub use http_date::seconds_since_epoch;
pub use kind::{ErrorKind, Stage};

use crate::chat::{Attempt, ChatResponse, RateLimit};
use crate::check::Fault;
use crate::secret::{Secret, mask};

/// A result with Sabir's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, how far the call got, and whether trying again can help.
///
/// One type rather than one per crate: callers decide by [`kind`](Self::kind), [`stage`](Self::stage) and
/// [`is_retryable`](Self::is_retryable), never by downcasting. `Display` is one line, and neither it nor
/// `Debug` ever shows a key or a prompt.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    stage: Stage,
    provider: Option<String>,
    model: Option<String>,
    status: Option<StatusCode>,
    code: Option<String>,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    retryable: Option<bool>,
    partial: Option<Box<ChatResponse>>,
    faults: Vec<Fault>,
    attempts: Vec<Attempt>,
    rate_limits: Vec<RateLimit>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of a kind with a message of one line that says what is wrong and, where it can, what to do.
    /// What looks like a provider key in the message is masked.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        let message = match mask(&message) {
            std::borrow::Cow::Borrowed(_) => message,
            std::borrow::Cow::Owned(masked) => masked,
        };
        Self(Box::new(Inner {
            kind,
            message,
            stage: kind.usual_stage(),
            provider: None,
            model: None,
            status: None,
            code: None,
            request_id: None,
            retry_after: None,
            retryable: None,
            partial: None,
            faults: Vec::new(),
            attempts: Vec::new(),
            rate_limits: Vec::new(),
            source: None,
        }))
    }

    /// The error of a request with faults: all of them in one line.
    pub(crate) fn of_faults(kind: ErrorKind, faults: Vec<Fault>) -> Self {
        let said: Vec<String> = faults.iter().map(Fault::to_string).collect();
        let many = match faults.len() {
            1 => String::new(),
            n => format!("{n} faults: "),
        };
        let mut error = Self::new(kind, format!("the request cannot be sent as it is: {many}{}", said.join("; ")));
        error.0.faults = faults;
        error
    }

    /// What is wrong with the request, each fault with its place, where it was found wanting before it was sent.
    pub fn faults(&self) -> &[Fault] {
        &self.0.faults
    }

    /// The attempts before the one that ended in this error, and why they failed.
    pub fn attempts(&self) -> &[Attempt] {
        &self.0.attempts
    }

    /// What the provider's headers say of its limits, where it answered.
    pub fn rate_limits(&self) -> &[RateLimit] {
        &self.0.rate_limits
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message: the provider's own words where it said any.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// How far the call had got.
    pub fn stage(&self) -> Stage {
        self.0.stage
    }

    /// The provider's id, where one was involved.
    pub fn provider(&self) -> Option<&str> {
        self.0.provider.as_deref()
    }

    /// The model asked for.
    pub fn model(&self) -> Option<&str> {
        self.0.model.as_deref()
    }

    /// The HTTP status that the provider answered with.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// The provider's own code or type for the error, as it wrote it.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The provider's id of the request, to quote to its support.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// How long the provider asked us to wait before the next try.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// What had arrived when a stream or a body broke off.
    pub fn partial(&self) -> Option<&ChatResponse> {
        self.0.partial.as_deref()
    }

    /// Takes what had arrived out of the error.
    pub fn take_partial(&mut self) -> Option<ChatResponse> {
        self.0.partial.take().map(|p| *p)
    }

    /// Whether the same request may succeed if sent again, unchanged. The provider's own word
    /// (`x-should-retry`) wins over the kind's.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable.unwrap_or(self.0.kind.is_transient())
    }

    /// Sets how far the call had got.
    #[must_use]
    pub fn with_stage(mut self, stage: Stage) -> Self {
        self.0.stage = stage;
        self
    }

    /// Names the provider, unless one is named already.
    #[must_use]
    pub fn with_provider(mut self, provider: impl Into<String>) -> Self {
        self.0.provider.get_or_insert_with(|| provider.into());
        self
    }

    /// Names the model, unless one is named already.
    #[must_use]
    pub fn with_model(mut self, model: impl Into<String>) -> Self {
        self.0.model.get_or_insert_with(|| model.into());
        self
    }

    /// Sets the HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Sets the provider's own code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.0.code = Some(code.into());
        self
    }

    /// Sets the provider's request id.
    #[must_use]
    pub fn with_request_id(mut self, id: impl Into<String>) -> Self {
        self.0.request_id = Some(id.into());
        self
    }

    /// Sets how long to wait before the next try.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Sets whether to try again, whatever the kind says.
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = Some(retryable);
        self
    }

    /// Puts attempts before those that are known already.
    #[must_use]
    pub fn with_attempts(mut self, attempts: impl IntoIterator<Item = Attempt>) -> Self {
        self.0.attempts.splice(0..0, attempts);
        self
    }

    /// Sets what the provider's headers say of its limits.
    #[must_use]
    pub fn with_rate_limits(mut self, limits: Vec<RateLimit>) -> Self {
        self.0.rate_limits = limits;
        self
    }

    /// Attaches what had arrived.
    #[must_use]
    pub fn with_partial(mut self, partial: ChatResponse) -> Self {
        self.0.partial = Some(Box::new(partial));
        self
    }

    /// Attaches the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    /// Masks one known key wherever the provider repeated it.
    #[must_use]
    pub fn scrubbed_of(mut self, key: &Secret) -> Self {
        let exposed = key.expose();
        if exposed.len() >= 4 && self.0.message.contains(exposed) {
            self.0.message = self.0.message.replace(exposed, &key.masked());
        }
        self
    }
}

/// One line: kind, provider, status and code where known, and the message.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.kind.as_str())?;
        if let Some(provider) = &self.0.provider {
            write!(f, " from {provider}")?;
        }
        match (&self.0.status, &self.0.code) {
            (Some(status), Some(code)) => write!(f, " ({} {code})", status.as_u16())?,
            (Some(status), None) => write!(f, " ({})", status.as_u16())?,
            (None, Some(code)) => write!(f, " ({code})")?,
            (None, None) => {}
        }
        write!(f, ": {}", self.0.message.lines().collect::<Vec<_>>().join(" "))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let e = &self.0;
        f.debug_struct("Error")
            .field("kind", &e.kind)
            .field("message", &e.message)
            .field("stage", &e.stage)
            .field("provider", &e.provider)
            .field("model", &e.model)
            .field("status", &e.status)
            .field("code", &e.code)
            .field("request_id", &e.request_id)
            .field("retry_after", &e.retry_after)
            .field("retryable", &self.is_retryable())
            .field("partial", &e.partial.is_some())
            .field("attempts", &e.attempts)
            .field("source", &e.source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|s| &**s as &(dyn std::error::Error + 'static))
    }
}

impl PartialEq for Error {
    /// Equal in everything but the cause.
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&self.0, &other.0);
        (a.kind, &a.message, a.stage, &a.provider, &a.model, a.status)
            == (b.kind, &b.message, b.stage, &b.provider, &b.model, b.status)
            && (&a.code, &a.request_id, a.retry_after, &a.partial)
                == (&b.code, &b.request_id, b.retry_after, &b.partial)
    }
}
