//! What stands around calls.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use super::Url;
use crate::field::{choice, section};
use crate::secret::SecretRef;
use crate::units::{Share, Size};

section! {
    /// Trying again.
    RetryConfig {
        /// Tries in all, the first one counted in; 1 tries nothing again.
        max_attempts: NonZeroU32 = "3", also "attempts";
        /// Tries after the first one: another way to say `max_attempts`, which is one more.
        max_retries: Option<u32>, env "LLM_MAX_RETRIES";
        /// The longest wait before the second try; waits are drawn between nothing and that.
        initial_delay: Duration = "100ms";
        /// The longest wait before any try.
        max_delay: Duration = "2s";
        /// By how much the longest wait grows with each try.
        multiplier: f64 = "2.0";
        /// The longest time that a provider may ask to wait; asked for more, the error is given back at once.
        longest_hint: Duration = "60s";
        /// Whether to send again what may have reached the provider: it may be paid for twice.
        maybe_sent: bool = "true";
        /// The share of a provider's calls that may be retries.
        share: Share = "20%";
        /// How many retries of a provider there may be besides that share.
        reserve: u32 = "10";
    }

    /// Time limits of each attempt.
    TimeoutsConfig {
        /// To connect.
        connect: Duration = "10s";
        /// For an answer that comes whole.
        whole: Duration = "60s";
        /// From the call to a stream's first event.
        first_event: Duration = "60s", also "first_byte";
        /// Between two events of a stream.
        idle: Duration = "120s";
        /// From the call to a stream's end; none unless said.
        total: Option<Duration>;
    }

    /// Time limits of some calls, a provider's or a policy's; where they say nothing, those of all hold.
    OwnTimeouts {
        /// To connect.
        connect: Option<Duration>;
        /// For an answer that comes whole.
        whole: Option<Duration>;
        /// From the call to a stream's first event.
        first_event: Option<Duration>, also "first_byte";
        /// Between two events of a stream.
        idle: Option<Duration>;
        /// From the call to a stream's end.
        total: Option<Duration>;
    }

    /// Leaving a model alone that fails.
    BreakerConfig {
        /// Whether there is one.
        enabled: bool = "true";
        /// How many calls there must be within the window before their failures count.
        calls: NonZeroU32 = "10", also "min_calls";
        /// The time over which calls and failures are counted.
        window: Duration = "30s";
        /// The share of them that must fail for the model to be left alone.
        failure_share: Share = "50%", also "failure_rate";
        /// For how long it is left alone at first.
        open_for: Duration = "10s";
        /// For how long at most, where it does not recover.
        longest: Duration = "2m";
        /// How many calls look whether it has recovered.
        probes: NonZeroU32 = "1";
        /// Whether a rate limit counts as a failure.
        count_rate_limits: bool = "false";
    }

    /// Limits, kept before anything is sent. Those that stand here are of all calls together.
    LimitsConfig {
        /// Requests in any minute.
        requests_per_minute: Option<NonZeroU64>, env "LLM_REQUESTS_PER_MINUTE";
        /// Tokens in any minute, input and output together.
        tokens_per_minute: Option<NonZeroU64>, env "LLM_MAX_TOKENS_PER_MINUTE";
        /// Tokens of input in any minute.
        input_tokens_per_minute: Option<NonZeroU64>;
        /// Tokens of output in any minute.
        output_tokens_per_minute: Option<NonZeroU64>;
        /// Calls at once.
        concurrent_calls: Option<NonZeroU64>, also "max_concurrent_calls", env "LLM_MAX_CONCURRENT_CALLS";
        /// How long a call may wait for its turn; with 0 it is refused at once.
        max_wait: Duration = "30s";
        /// How many calls may wait at one limit.
        max_waiting: NonZeroU32 = "1000";
        /// Whether to hold to what providers say of their own limits.
        learn: bool = "true";
        /// Limits of some calls.
        rules: Vec<LimitRule>;
    }

    /// A limit of some calls. With none of `provider`, `model`, `key`, `route` and `each`, it holds for each model and key alone.
    LimitRule {
        /// Only calls of this provider.
        provider: Option<String>;
        /// Only calls of this model: `provider/model`, or the name alone for whichever provider has it.
        model: Option<String>;
        /// Only calls with the key of this name.
        key: Option<String>;
        /// Only calls that go by this route or alias.
        route: Option<String>;
        /// What is counted alone.
        each: Vec<Each>;
        /// Requests in any minute.
        requests_per_minute: Option<NonZeroU64>;
        /// Tokens in any minute, input and output together.
        tokens_per_minute: Option<NonZeroU64>;
        /// Tokens of input in any minute.
        input_tokens_per_minute: Option<NonZeroU64>;
        /// Tokens of output in any minute.
        output_tokens_per_minute: Option<NonZeroU64>;
        /// Calls at once.
        concurrent_calls: Option<NonZeroU64>;
        /// Requests in the time that `per` says.
        requests: Option<NonZeroU64>;
        /// Tokens in the time that `per` says.
        tokens: Option<NonZeroU64>;
        /// The time for `requests` and `tokens`.
        per: Option<Duration>;
        /// How much may go at once after a pause; as much as the limit unless said.
        burst: Option<NonZeroU64>;
    }

    /// A second call beside a slow one. Both are paid for.
    HedgeConfig {
        /// Whether there is one.
        enabled: bool = "true";
        /// After how long the second call is made; by what calls took of late unless said.
        after: Option<Duration>;
        /// The shortest such time that is taken from what calls took.
        min_delay: Option<Duration>;
        /// The longest such time that is taken from what calls took.
        max_delay: Option<Duration>;
        /// The share of a model's calls that may have a second one.
        share: Share = "5%";
    }

    /// Giving who asks the same again the same answer.
    CacheConfig {
        /// Whether there is one.
        enabled: bool = "true";
        /// How long an answer is kept.
        ttl: Duration = "1h", also "time";
        /// How much is kept.
        max_size: Size = "64MiB", also "size";
        /// Keeps answers to conversations only where the temperature is 0.
        only_deterministic: bool = "false";
        /// Keeps answers that ask for tools, too.
        tool_calls: bool = "false";
        /// How long to wait for the answer to another one's call of the same request.
        max_follow: Duration = "30s";
    }

    /// Marking prompts for their provider's own cache.
    PromptCacheConfig {
        /// The providers whose calls are marked.
        providers: Vec<String>;
        /// How long the provider is to keep what is marked, in its words (`5m`, `1h`); its own choice unless said.
        ttl: Option<String>;
    }

    /// Looking at what is asked and answered.
    GuardConfig {
        /// The most text in a request.
        max_request: Option<Size>, also "max_request_size";
        /// The most text in an answer.
        max_response: Option<Size>, also "max_response_size";
        /// Takes out what looks like a key, the number of a payment card or an e-mail address.
        redact: bool = "false";
        /// Somebody to ask about each request.
        webhook: Option<WebhookConfig>;
    }

    /// Somebody to ask about each request.
    WebhookConfig {
        /// Where to ask.
        url: Url;
        /// Sent as `Authorization: Bearer`.
        api_key: Option<SecretRef>, also "key";
        /// How long to wait for a verdict.
        timeout: Duration = "5s";
        /// Asks about answers, too; streams are then held back to their end.
        responses: bool = "false";
        /// Lets everything pass while it cannot be asked.
        fail_open: bool = "false";
    }

    /// A span for every call.
    TraceConfig {
        /// How much of what was asked and answered is recorded.
        content: Recorded = "nothing";
    }

    /// Counting calls.
    MetricsConfig {
        /// Whether they are counted.
        enabled: bool = "true";
    }

    /// What is written to the log.
    LoggingConfig {
        /// From which level on.
        level: LogLevel = "info", env "LLM_LOG_LEVEL";
        /// In which form.
        format: LogFormat = "text";
    }
}

impl OwnTimeouts {
    /// Whether they say nothing.
    pub fn is_empty(&self) -> bool {
        [self.connect, self.whole, self.first_event, self.idle, self.total].iter().all(Option::is_none)
    }

    /// What holds where these are laid over those of all, or of more.
    #[must_use]
    pub fn over(&self, all: &TimeoutsConfig) -> TimeoutsConfig {
        TimeoutsConfig {
            connect: self.connect.unwrap_or(all.connect),
            whole: self.whole.unwrap_or(all.whole),
            first_event: self.first_event.unwrap_or(all.first_event),
            idle: self.idle.unwrap_or(all.idle),
            total: self.total.or(all.total),
        }
    }
}

choice! {
    /// What a limit counts alone.
    Each {
        /// Each provider.
        Provider = "provider";
        /// Each model of each provider.
        Model = "model";
        /// Each key of each provider.
        Key = "key";
    }

    /// How much of what was asked and answered is recorded.
    Recorded {
        /// Nothing.
        Nothing = "nothing";
        /// All but what looks like a secret or a person's.
        Redacted = "redacted";
        /// All of it.
        Everything = "everything";
    }

    /// How much is written to the log.
    LogLevel {
        /// Nothing.
        Off = "off";
        /// What failed.
        Error = "error";
        /// What may be wrong.
        Warn = "warn";
        /// What happens.
        Info = "info";
        /// What helps to find a fault.
        Debug = "debug";
        /// Everything.
        Trace = "trace";
    }

    /// The form of the log.
    LogFormat {
        /// Lines for people.
        Text = "text";
        /// One JSON object a line.
        Json = "json";
    }
}
