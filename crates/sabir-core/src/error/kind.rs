use std::fmt;

/// What kind of thing went wrong. New kinds may be added; match with a wildcard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The setup is wrong: no key, an unknown provider, a malformed URL.
    Configuration,
    /// The provider does not know the key (401).
    Authentication,
    /// The key is known and may not do this (403).
    Permission,
    /// Too many requests or tokens for now; waiting helps (429).
    RateLimit,
    /// The account is out of credit or over its spending limit; waiting does not help.
    Quota,
    /// A time limit passed.
    Timeout,
    /// The caller went away or asked to stop.
    Cancelled,
    /// The request itself is wrong (400, 413, 422).
    InvalidRequest,
    /// The prompt does not fit the model's context.
    ContextTooLong,
    /// The provider refused the content.
    ContentFiltered,
    /// No such model or path (404).
    NotFound,
    /// The provider is over capacity (503, 529).
    Overloaded,
    /// The provider failed (5xx).
    Provider,
    /// The connection could not be made or broke.
    Network,
    /// The answer could not be read.
    Decode,
    /// The answer stopped before its own end marker.
    Truncated,
    /// A budget of ours forbids it.
    BudgetExceeded,
    /// The dialect, provider or model cannot do what was asked.
    Unsupported,
}

impl ErrorKind {
    /// The kind in words, as it is shown and serialised.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Authentication => "authentication",
            Self::Permission => "permission",
            Self::RateLimit => "rate_limit",
            Self::Quota => "quota",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::InvalidRequest => "invalid_request",
            Self::ContextTooLong => "context_too_long",
            Self::ContentFiltered => "content_filtered",
            Self::NotFound => "not_found",
            Self::Overloaded => "overloaded",
            Self::Provider => "provider",
            Self::Network => "network",
            Self::Decode => "decode",
            Self::Truncated => "truncated",
            Self::BudgetExceeded => "budget_exceeded",
            Self::Unsupported => "unsupported",
        }
    }

    /// Whether an error of this kind usually passes by itself.
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::RateLimit | Self::Timeout | Self::Overloaded | Self::Provider | Self::Network | Self::Truncated
        )
    }

    /// How far a call usually got when an error of this kind is made; the maker says otherwise where it knows better.
    pub(crate) const fn usual_stage(self) -> Stage {
        match self {
            Self::Configuration | Self::BudgetExceeded | Self::Unsupported => Stage::NotSent,
            Self::Network | Self::Timeout | Self::Cancelled => Stage::MaybeSent,
            _ => Stage::Answered,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far a call got: decides whether sending it again can be paid for twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stage {
    /// Nothing left this process.
    NotSent,
    /// The request may have reached the provider; no answer came.
    MaybeSent,
    /// The provider answered, at least in part.
    Answered,
}
