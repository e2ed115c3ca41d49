//! What holds for some calls otherwise than for all.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use super::Settings;
use super::calls::{GuardConfig, HedgeConfig, OwnTimeouts, RetryConfig};
use super::route::OneOrMore;
use crate::field::section;

section! {
    /// What holds for some calls otherwise than for all. Which calls is said by `keys`, `teams`, `models`, `routes` and `tags`:
    /// all that are said must hold, and of each any one. Where two policies say the same of one call, one that names keys
    /// decides before one that does not; then one that names routes; then models; then teams; then tags; and then the
    /// first by name. Each of `deadline`, `retry`, `timeouts`, `hedge` and `cache` is decided by itself; guards add up.
    PolicyConfig {
        /// Keys of the gateway, by their names; that under `gateway.key` is `default`.
        keys: Vec<String>;
        /// Teams of the gateway.
        teams: Vec<String>;
        /// Models: `provider/model`, or the name alone for whichever provider has it; `*` at the end stands for anything.
        /// `deadline`, `guard` and `cache` hold also for calls by a route or an alias that may lead to one of them.
        models: Vec<String>;
        /// Routes and aliases by which calls go.
        routes: Vec<String>;
        /// Labels that calls must have, each with this value or one of these.
        tags: BTreeMap<String, OneOrMore<String>>;
        /// The longest that a call may take with all of its attempts, in place of `deadline`.
        deadline: Option<Duration>;
        /// Trying again, field by field over `retry`.
        retry: OwnRetry, also "retries";
        /// Time limits of each attempt, field by field over `timeouts` and over those of its provider.
        timeouts: OwnTimeouts;
        /// Looking at what is asked and answered, besides the `guard` of all and those of other policies.
        guard: Option<GuardConfig>, also "guards";
        /// A second call beside a slow one, in place of `hedge`; with `enabled = false` none is made.
        hedge: Option<HedgeConfig>, also "hedging";
        /// Whether answers are kept and given again, as `cache` says.
        cache: Option<bool>, also "caching";
    }

    /// Trying again, for some calls; where it says nothing, what is said for all holds. How many of a provider's calls may be
    /// retries is of all calls together, and not said here.
    OwnRetry {
        /// Tries in all, the first one counted in; 1 tries nothing again.
        max_attempts: Option<NonZeroU32>, also "attempts";
        /// The longest wait before the second try.
        initial_delay: Option<Duration>;
        /// The longest wait before any try.
        max_delay: Option<Duration>;
        /// By how much the longest wait grows with each try.
        multiplier: Option<f64>;
        /// The longest time that a provider may ask to wait.
        longest_hint: Option<Duration>;
        /// Whether to send again what may have reached the provider.
        maybe_sent: Option<bool>;
    }
}

impl Settings {
    /// The policies with their names, in the order in which they decide: of two that say the same of a call, the one that
    /// comes first holds.
    pub fn policies_in_order(&self) -> Vec<(&str, &PolicyConfig)> {
        let mut all: Vec<_> = self.policies.iter().map(|(name, policy)| (name.as_str(), policy)).collect();
        // They are in the order of their names, and stay so where this tells them not apart.
        all.sort_by_key(|(_, policy)| policy.names_nothing_of());
        all
    }
}

impl PolicyConfig {
    /// Of which it names none: of keys, routes, models, teams and labels.
    fn names_nothing_of(&self) -> [bool; 5] {
        [
            self.keys.is_empty(),
            self.routes.is_empty(),
            self.models.is_empty(),
            self.teams.is_empty(),
            self.tags.is_empty(),
        ]
    }

    /// Whether it is for some calls and not for all.
    pub(crate) fn names_calls(&self) -> bool {
        self.names_nothing_of().contains(&false)
    }

    /// Whether it says nothing of the calls that it names.
    pub(crate) fn is_empty(&self) -> bool {
        self.deadline.is_none()
            && self.retry.is_empty()
            && self.timeouts.is_empty()
            && self.guard.is_none()
            && self.hedge.is_none()
            && self.cache.is_none()
    }
}

impl OwnRetry {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        let Self { max_attempts, initial_delay, max_delay, multiplier, longest_hint, maybe_sent } = self;
        let delays = [initial_delay, max_delay, longest_hint];
        max_attempts.is_none()
            && delays.iter().all(|delay| delay.is_none())
            && multiplier.is_none()
            && maybe_sent.is_none()
    }

    /// What holds where this is laid over what is said for all.
    #[must_use]
    pub fn over(&self, all: &RetryConfig) -> RetryConfig {
        RetryConfig {
            max_attempts: self.max_attempts.unwrap_or(all.max_attempts),
            initial_delay: self.initial_delay.unwrap_or(all.initial_delay),
            max_delay: self.max_delay.unwrap_or(all.max_delay),
            multiplier: self.multiplier.unwrap_or(all.multiplier),
            longest_hint: self.longest_hint.unwrap_or(all.longest_hint),
            maybe_sent: self.maybe_sent.unwrap_or(all.maybe_sent),
            ..all.clone()
        }
    }
}
