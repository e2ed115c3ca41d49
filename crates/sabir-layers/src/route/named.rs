//! A route as it is set up.

use std::time::Duration;

use super::load::Rest;
use super::{Fallover, MidStream, Policy, Target};

/// A name for several targets, and how a call finds its way among them. With one target, it is an alias.
///
/// | setting | default | |
/// |---|---|---|
/// | [`policy`](Self::policy) | [`Policy::Ordered`] | which target is first |
/// | [`fallover`](Self::fallover) | see [`Fallover`] | which errors go to the next |
/// | [`mid_stream`](Self::mid_stream) | [`MidStream::Fail`] | what becomes of a stream that breaks off |
/// | [`rest`](Self::rest) | 30 s after 3 failures in a row | when a target is left alone |
///
/// ```
/// use sabir_layers::{Policy, Route, Target};
/// let route = Route::named("fast", ["groq/llama-3.3-70b", "cerebras/llama-3.3-70b"]);
/// let shares = [Target::new("openai", "gpt-6-luna").weight(9), Target::new("openai", "gpt-6-sol").weight(1)];
/// let route = Route::named("trial", shares).policy(Policy::Weighted);
/// ```
#[derive(Clone, Debug)]
pub struct Route {
    pub(crate) name: String,
    pub(crate) targets: Vec<Target>,
    pub(super) policy: Policy,
    pub(super) fallover: Fallover,
    pub(super) mid_stream: MidStream,
    pub(super) rest: Rest,
}

impl Route {
    /// A route under a name, to these targets. Requests whose model is the name go there: `fast`, or `route/fast`. A
    /// name of the form `provider/model` stands for that model from then on.
    pub fn named<T: Into<Target>>(name: impl Into<String>, targets: impl IntoIterator<Item = T>) -> Self {
        Self {
            name: name.into(),
            targets: targets.into_iter().map(Into::into).collect(),
            policy: Policy::default(),
            fallover: Fallover::default(),
            mid_stream: MidStream::default(),
            rest: Rest { after: 3, time: Duration::from_secs(30) },
        }
    }

    /// Sets which target is first.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets which errors go to the next target.
    #[must_use]
    pub fn fallover(mut self, fallover: Fallover) -> Self {
        self.fallover = fallover;
        self
    }

    /// Sets what becomes of a stream that breaks off in the middle of its answer.
    #[must_use]
    pub fn mid_stream(mut self, mid_stream: MidStream) -> Self {
        self.mid_stream = mid_stream;
        self
    }

    /// Sets after how many failures in a row a target rests (0: never), and how long. A target that rests is tried when
    /// nothing else is left. A success ends the row; one more failure after the rest begins another. A target that says
    /// itself how long to leave it alone, and says more than the fallover waits for, rests so long, up to an hour.
    #[must_use]
    pub fn rest(mut self, failures: u32, time: Duration) -> Self {
        self.rest = Rest { after: failures, time };
        self
    }
}
