//! The sections, and in them the fields: what can be said in a configuration, each thing once.

mod calls;
mod command;
mod costs;
mod gateway;
mod policy;
mod provider;
mod route;
mod tools;
pub(crate) mod words;
mod zone;

use std::collections::BTreeMap;
use std::time::Duration;

pub use calls::{
    BreakerConfig, CacheConfig, Each, GuardConfig, HedgeConfig, LimitRule, LimitsConfig, LogFormat, LogLevel,
    LoggingConfig, MetricsConfig, OwnTimeouts, PromptCacheConfig, Recorded, RetryConfig, TimeoutsConfig, TraceConfig,
    WebhookConfig,
};
pub use command::{LogsConfig, TemplateConfig};
pub use costs::{
    BudgetConfig, BudgetMode, BudgetScope, CalendarUnit, CostControl, LedgerConfig, LedgerFailure, Period,
    PricesConfig, UnknownPrice,
};
pub use gateway::{
    AbandonedConfig, AccessLogConfig, CallerBudget, CallerLimits, GatewayConfig, GatewayKey, GatewayTeam, KeyHash,
    KeyHashConfig, LimitMode, Moment, OidcConfig, OtlpConfig, RequestLogConfig, TlsConfig,
};
pub use policy::{OwnRetry, PolicyConfig};
pub use provider::{AuthConfig, KeyConfig, ProviderConfig, ProviderLimits, Rotation, Url};
pub use route::{MidStream, OneOrMore, Policy, RouteConfig, Short, Sticky, TargetConfig};
pub use tools::{Confirm, McpConfig, Parameters, ToolCommand, ToolConfig};
pub use zone::TimeZone;

use crate::field::section;
use crate::secret::SecretRef;
use crate::values::Named;

section! {
    /// One configuration for the library, the gateway and the command.
    Settings {
        /// The provider of requests whose model names none.
        provider: Option<String>, also "default", env "LLM_PROVIDER";
        /// The model of requests that name none: `provider/model`, the name of an alias or a route, or the name alone
        /// where `provider` is set.
        model: Option<String>, also "default_model", env "LLM_MODEL";
        /// The key of that provider, where it has none of its own. With a key and no word of a provider, that is
        /// `openai`.
        api_key: Option<SecretRef>, env "LLM_API_KEY";
        /// The longest that an attempt may take, a stream to its end included: one limit in place of `timeouts.whole`
        /// and `timeouts.total`.
        timeout: Option<Duration>, env "LLM_TIMEOUT";
        /// The longest that a call may take with all of its attempts and the waits between them, a stream to its end
        /// included. No limit unless said.
        deadline: Option<Duration>, env "LLM_DEADLINE";
        /// Makes what a model's dialect cannot carry an error, before anything is sent.
        strict: bool = "false";
        /// Who can be called, besides those that are built in; what is said of a built-in one by its name is laid over
        /// it. A table by name, or a list in which each has its `name`.
        providers: Named<ProviderConfig>;
        /// Other names for models: a word, or several in the order in which they are tried.
        aliases: BTreeMap<String, OneOrMore<Short<TargetConfig>>>;
        /// Names for several models, and how a call finds its way among them.
        routes: BTreeMap<String, RouteConfig>;
        /// Trying again where that can help.
        retry: RetryConfig, also "retries";
        /// Time limits of each attempt.
        timeouts: TimeoutsConfig;
        /// Leaving a model alone that fails.
        breaker: BreakerConfig, also "circuit_breaker";
        /// Limits on requests, tokens and calls at once, kept before anything is sent.
        limits: LimitsConfig, also "rate_limits";
        /// A second call beside a slow one. Off unless the section is there.
        hedge: Option<HedgeConfig>, also "hedging";
        /// Giving who asks the same again the same answer. Off unless the section is there.
        cache: Option<CacheConfig>, also "caching";
        /// Marking prompts for their provider's own cache. Off unless the section is there.
        prompt_cache: Option<PromptCacheConfig>;
        /// Looking at what is asked and answered. Off unless the section is there.
        guard: Option<GuardConfig>, also "guards";
        /// What holds for some calls otherwise than for all: of keys, teams, models, routes. By a name of one's own.
        policies: BTreeMap<String, PolicyConfig>;
        /// A span for every call. Off unless the section is there.
        trace: Option<TraceConfig>, also "tracing";
        /// Counting calls, tokens, cost and time.
        metrics: MetricsConfig, also "meter";
        /// What may be spent: one limit for a request and one for everything. `budgets` has more.
        cost_control: CostControl;
        /// What may be spent, by whom and in which time.
        budgets: Vec<BudgetConfig>;
        /// Keeping account of what was spent. Off unless the section is there.
        ledger: Option<LedgerConfig>;
        /// What models cost, where that is otherwise than the list has it.
        prices: PricesConfig;
        /// Commands that a model may call, by the names under which it calls them: `sabir chat -t NAME`.
        tools: BTreeMap<String, ToolConfig>;
        /// Servers of the Model Context Protocol, whose tools a model may call: `sabir chat -t NAME`.
        mcp: BTreeMap<String, McpConfig>, also "mcp_servers";
        /// The gateway: where it listens, who is let in, and what each may do and spend.
        gateway: GatewayConfig;
        /// What is written to the log.
        logging: LoggingConfig, also "log";
        /// What is kept of what was asked with the command.
        logs: LogsConfig;
        /// What is asked again and again, by name: `sabir chat --template NAME`.
        templates: BTreeMap<String, TemplateConfig>;
        /// Instructions for models, by name: `sabir chat --role NAME`.
        roles: BTreeMap<String, String>;
    }
}
