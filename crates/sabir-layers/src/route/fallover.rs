//! When a route turns to its next target.

use std::time::Duration;

use sabir_core::{Error, ErrorKind};

/// When a route turns to its next target. The next one is another provider or another model, so that more can help than
/// trying the same again.
///
/// | kind | to the next? | |
/// |---|---|---|
/// | `RateLimit`, `Overloaded`, `Timeout`, `Provider`, `Network`, `Truncated` | yes | another place has its own limits and its own troubles |
/// | `Quota`, `Authentication`, `Permission` | yes | they are of this account or key |
/// | `Configuration` | yes | this target cannot be called here (no key, an unknown provider); nothing was sent |
/// | `NotFound` | yes | the model is gone here |
/// | `Decode` | yes | what cannot be read here may be readable there |
/// | `Unsupported` | yes | another model may be able to |
/// | `ContextTooLong` | yes ([setting](Self::on_context_too_long)) | another model may take more |
/// | `ContentFiltered` | no ([setting](Self::on_content_filtered)) | a refusal is an answer, and not to be shopped around for |
/// | `InvalidRequest` | no | it is wrong everywhere |
/// | `Cancelled`, `BudgetExceeded` | no | nobody wants it any more, or nobody pays for it |
///
/// What may have reached one provider ([`Stage::MaybeSent`](sabir_core::Stage)) goes to the next all the same, and may
/// be paid for at both; its attempt says so.
///
/// Where the error says how long to wait (`Retry-After`) and trying again can help, a short wait is waited for, and the
/// same target is tried once more: it was the first choice, and its cache knows the prompt. A long one goes to the next
/// target, and without one to the caller. Short is up to [5 seconds](Self::wait_up_to). Where a retry below has tried
/// again already, nothing is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fallover {
    wait_up_to: Duration,
    context_too_long: bool,
    content_filtered: bool,
}

impl Default for Fallover {
    fn default() -> Self {
        Self { wait_up_to: Duration::from_secs(5), context_too_long: true, content_filtered: false }
    }
}

impl Fallover {
    /// Sets the longest `Retry-After` that is waited for; none with [`Duration::ZERO`].
    #[must_use]
    pub fn wait_up_to(mut self, wait: Duration) -> Self {
        self.wait_up_to = wait;
        self
    }

    /// Sets whether a prompt that is too long for one target goes to the next.
    #[must_use]
    pub fn on_context_too_long(mut self, moves_on: bool) -> Self {
        self.context_too_long = moves_on;
        self
    }

    /// Sets whether what one target refuses goes to the next.
    #[must_use]
    pub fn on_content_filtered(mut self, moves_on: bool) -> Self {
        self.content_filtered = moves_on;
        self
    }

    /// Whether an error of one target is a reason to ask the next.
    pub fn moves_on(&self, error: &Error) -> bool {
        match error.kind() {
            ErrorKind::ContextTooLong => self.context_too_long,
            ErrorKind::ContentFiltered => self.content_filtered,
            ErrorKind::Unsupported => true,
            kind => is_of_the_place(kind),
        }
    }

    /// How long to wait before the same target is asked once more; `None` where it is not.
    pub fn wait(&self, error: &Error) -> Option<Duration> {
        error.retry_after().filter(|wait| error.is_retryable() && *wait <= self.wait_up_to)
    }

    /// How long a target is to be left alone, by its own word.
    pub(super) fn rest(&self, error: &Error) -> Option<Duration> {
        error.retry_after().filter(|wait| *wait > self.wait_up_to)
    }
}

/// Whether an error says something of where the call went, and not of what was asked.
pub(super) fn is_of_the_place(kind: ErrorKind) -> bool {
    kind.is_transient()
        || matches!(
            kind,
            ErrorKind::Quota
                | ErrorKind::Authentication
                | ErrorKind::Permission
                | ErrorKind::Configuration
                | ErrorKind::NotFound
                | ErrorKind::Decode
        )
}
