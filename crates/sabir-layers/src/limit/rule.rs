use std::fmt;
use std::time::Duration;

use crate::Place;

/// One limit: how much of what in what time, and which calls it counts together.
///
/// ```
/// use std::time::Duration;
/// use sabir_layers::Limit;
///
/// // All calls of one provider together; each model alone; one model; each key of a provider; everything.
/// let limits = [
///     Limit::requests_per_minute(500).for_provider("openai"),
///     Limit::tokens_per_minute(200_000).for_provider("openai").each_model(),
///     Limit::concurrent(8).for_model("openai/gpt-6-luna"),
///     Limit::requests_per_minute(60).for_provider("openai").each_key(),
///     Limit::requests(1_000, Duration::from_secs(86_400)).together(),
/// ];
/// assert_eq!(limits[0].to_string(), "500 requests a minute");
/// ```
///
/// With none of `for_…`, `each_…` and `together`, a limit counts each [`Place`] alone: provider, model and key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    pub(super) what: What,
    pub(super) amount: u64,
    pub(super) per: Duration,
    pub(super) burst: u64,
    /// The label that a call must have.
    pub(super) tag: Option<(String, String)>,
    /// Whether it refuses nothing.
    pub(super) watched: bool,
    scope: Scope,
}

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum What {
    Requests,
    /// Input and output together.
    Tokens,
    InputTokens,
    OutputTokens,
    /// Calls at once.
    Calls,
}

/// Which calls, and which of them together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Scope {
    provider: Option<String>,
    model: Option<String>,
    key: Option<String>,
    each_provider: bool,
    each_model: bool,
    each_key: bool,
    together: bool,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Limit {
    fn new(what: What, amount: u64, per: Duration) -> Self {
        Self { what, amount, per, burst: amount, tag: None, watched: false, scope: Scope::default() }
    }

    /// So many requests in any minute.
    pub fn requests_per_minute(amount: u64) -> Self {
        Self::requests(amount, MINUTE)
    }

    /// So many requests in a span of time.
    pub fn requests(amount: u64, per: Duration) -> Self {
        Self::new(What::Requests, amount, per)
    }

    /// So many tokens in any minute, input and output together.
    pub fn tokens_per_minute(amount: u64) -> Self {
        Self::tokens(amount, MINUTE)
    }

    /// So many tokens in a span of time, input and output together.
    pub fn tokens(amount: u64, per: Duration) -> Self {
        Self::new(What::Tokens, amount, per)
    }

    /// So many tokens of input in any minute.
    pub fn input_tokens_per_minute(amount: u64) -> Self {
        Self::new(What::InputTokens, amount, MINUTE)
    }

    /// So many tokens of output in any minute.
    pub fn output_tokens_per_minute(amount: u64) -> Self {
        Self::new(What::OutputTokens, amount, MINUTE)
    }

    /// So many calls at once, from before they are sent until their answer or stream is over. Counted in this process.
    pub fn concurrent(calls: u64) -> Self {
        Self::new(What::Calls, calls, Duration::ZERO)
    }

    /// How much may go at once, after a pause. As much as the limit itself unless said: providers' buckets hold that.
    pub fn burst(mut self, burst: u64) -> Self {
        self.burst = burst;
        self
    }

    /// Refuses nothing: where it would, that is told as an event of `tracing` (a warning), and the call goes on. To try a
    /// limit out.
    pub fn watched(mut self) -> Self {
        self.watched = true;
        self
    }

    /// Only calls of this provider, by its own id (no alias of it), in whichever dialect; all of them together, unless
    /// `each_…` says otherwise.
    pub fn for_provider(mut self, provider: impl Into<String>) -> Self {
        self.scope.provider = Some(provider.into());
        self
    }

    /// Only calls of this model: `provider/model`, or a model's name without a slash for whichever provider has it.
    pub fn for_model(mut self, model: &str) -> Self {
        if let Some((provider, model)) = model.split_once('/') {
            self.scope.provider = Some(provider.to_owned());
            self.scope.model = Some(model.to_owned());
        } else {
            self.scope.model = Some(model.to_owned());
        }
        self
    }

    /// Only calls with the key of this name.
    pub fn for_key(mut self, name: impl Into<String>) -> Self {
        self.scope.key = Some(name.into());
        self
    }

    /// Only calls with this label; all of them together, unless `each_…` says otherwise.
    pub fn for_tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tag = Some((name.into(), value.into()));
        self.together()
    }

    /// Each provider alone.
    pub fn each_provider(mut self) -> Self {
        self.scope.each_provider = true;
        self
    }

    /// Each model of each provider alone.
    pub fn each_model(mut self) -> Self {
        (self.scope.each_provider, self.scope.each_model) = (true, true);
        self
    }

    /// Each key of each provider alone.
    pub fn each_key(mut self) -> Self {
        (self.scope.each_provider, self.scope.each_key) = (true, true);
        self
    }

    /// All calls together, whatever their provider, model and key.
    pub fn together(mut self) -> Self {
        self.scope.together = true;
        self
    }

    /// The provider that it is about, where it names one.
    pub(super) fn provider(&self) -> Option<String> {
        self.scope.provider.clone()
    }

    /// The name of what is counted together with a call of this place; `None` where the limit is not about it.
    pub(super) fn group(&self, place: &Place) -> Option<Place> {
        let scope = &self.scope;
        let concerns = |named: &Option<String>, is: &str| named.as_deref().is_none_or(|named| named == is);
        if !(concerns(&scope.provider, &place.provider)
            && concerns(&scope.model, &place.model)
            && concerns(&scope.key, &place.key))
        {
            return None;
        }
        if *scope == Scope::default() {
            return Some(place.clone());
        }
        let part = |counts: bool, is: &str| if counts { is.to_owned() } else { String::new() };
        Some(Place {
            provider: part(scope.provider.is_some() || scope.each_provider, &place.provider),
            model: part(scope.model.is_some() || scope.each_model, &place.model),
            key: part(scope.key.is_some() || scope.each_key, &place.key),
        })
    }
}

/// `60 requests a minute`, `8 calls at once`, `5 requests in 3600s of team "red"`.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.what)?;
        match self.per {
            _ if self.what == What::Calls => f.write_str(" at once"),
            MINUTE => f.write_str(" a minute"),
            per => write!(f, " in {per:?}"),
        }?;
        match &self.tag {
            Some((name, value)) => write!(f, " of {name} {value:?}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::InputTokens => "input tokens",
            Self::OutputTokens => "output tokens",
            Self::Calls => "calls",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(limit: &Limit) -> Option<String> {
        let place = |text: &str| Place { provider: "p".into(), model: "a/b".into(), key: text.into() };
        limit.group(&place("k")).map(|group| format!("{}|{}|{}", group.provider, group.model, group.key))
    }

    #[test]
    fn a_limit_counts_together_what_it_names() {
        let limit = || Limit::requests_per_minute(1);
        for (limit, expected) in [
            (limit(), Some("p|a/b|k")),
            (limit().together(), Some("||")),
            (limit().for_provider("p"), Some("p||")),
            (limit().for_provider("q"), None),
            (limit().for_provider("p").each_model(), Some("p|a/b|")),
            (limit().for_provider("p").each_key(), Some("p||k")),
            (limit().each_provider(), Some("p||")),
            (limit().for_model("p/a/b"), Some("p|a/b|")),
            (limit().for_model("p/a"), None),
            (limit().for_model("q/a/b"), None),
            (limit().for_model("b"), None),
            (limit().for_key("k"), Some("||k")),
            (limit().for_key("l"), None),
            (limit().for_model("p/a/b").for_key("k"), Some("p|a/b|k")),
        ] {
            assert_eq!(group(&limit).as_deref(), expected, "{limit:?}");
        }
    }

    #[test]
    fn limits_say_what_they_are() {
        for (limit, said) in [
            (Limit::requests(5, Duration::from_secs(3600)), "5 requests in 3600s"),
            (Limit::input_tokens_per_minute(7), "7 input tokens a minute"),
            (Limit::concurrent(3), "3 calls at once"),
            (Limit::concurrent(3).for_tag("team", "red"), "3 calls at once of team \"red\""),
        ] {
            assert_eq!(limit.to_string(), said);
        }
    }
}
