//! Names for several models.

use std::time::Duration;

use crate::field::{Kind, Setting, choice, section};
use crate::node::{Key, Node, Value};
use crate::scope::Scope;
use crate::units::Money;
use crate::values::leaf;

section! {
    /// A name for several models.
    RouteConfig {
        /// The models: `provider/model`, or more of each.
        targets: Vec<Short<TargetConfig>>, also "models";
        /// Which of them is first.
        policy: Policy = "ordered", also "strategy";
        /// By what calls stay together, where the policy is `sticky`: `user`, `tenant` or `tag:NAME`.
        sticky_by: Option<Sticky>;
        /// What becomes of a stream that breaks off in the middle of its answer.
        mid_stream: MidStream = "fail";
        /// The longest that a target may ask to wait before it is asked once more; else the next one is.
        wait_up_to: Duration = "5s";
        /// Whether a prompt that is too long for one goes to the next.
        on_context_too_long: bool = "true";
        /// Whether what one refuses to say goes to the next.
        on_content_filtered: bool = "false";
        /// After how many failures in a row one is left alone; 0 is never.
        rest_after: u32 = "3";
        /// For how long.
        rest_for: Duration = "30s";
    }

    /// A model that a route leads to.
    TargetConfig {
        /// `provider/model`.
        model: String;
        /// Its share of the calls, for the policies that know shares; 0 keeps it for when the others fail. 1 unless
        /// said.
        weight: Option<u32>;
        /// What a million of its tokens cost, for `cheapest`; by the list of prices unless said.
        price: Option<Money>;
        /// Whether it goes on with an answer that another one began.
        prefill: bool = "false";
    }
}

choice! {
    /// Which target is first.
    Policy {
        /// In the order in which they stand: a chain of fallbacks.
        Ordered = "ordered";
        /// By chance, each as often as its weight says.
        Weighted = "weighted";
        /// Each in its turn.
        RoundRobin = "round_robin";
        /// The one with the fewest calls in flight.
        LeastBusy = "least_busy";
        /// The faster of two that are drawn.
        LowestLatency = "lowest_latency";
        /// The one with the lowest price.
        Cheapest = "cheapest";
        /// The same one for the same caller.
        Sticky = "sticky";
    }

    /// What becomes of a stream that breaks off.
    MidStream {
        /// It ends with the error.
        Fail = "fail";
        /// Another target begins anew.
        Restart = "restart";
        /// Another target goes on with the answer.
        Continue = "continue";
        /// Another target goes on, or, where it cannot, begins anew.
        ContinueOrRestart = "continue_or_restart";
    }
}

/// By what calls stay together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sticky {
    /// By the request's user.
    User,
    /// By the tenant.
    Tenant,
    /// By one of the call's tags.
    Tag(String),
}

leaf!(Sticky, "user, tenant or tag:NAME", "", "^(user|tenant|tag:.+)$", number: false, |text| match text.split_once(':') {
    None if text == "user" => Some(Sticky::User),
    None if text == "tenant" => Some(Sticky::Tenant),
    Some(("tag", name)) if !name.is_empty() => Some(Sticky::Tag(name.to_owned())),
    _ => None,
});

/// A section that can be written as a word, which is then its first field.
#[derive(Clone, Debug)]
pub struct Short<T>(pub T);

impl<T> std::ops::Deref for Short<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Setting> Setting for Short<T> {
    const KIND: Kind = match T::KIND {
        Kind::Section(section) => Kind::Short(section),
        other => other,
    };
    const NESTED: bool = true;

    fn read(node: Option<&Node>, scope: &mut Scope<'_>) -> Option<Self> {
        let (Some(node), Kind::Short(section)) = (node, Self::KIND) else { return T::read(node, scope).map(Self) };
        if node.text().is_none() {
            return T::read(Some(node), scope).map(Self);
        }
        let key = Key { name: section.fields.first()?.name.to_owned(), source: node.source.clone() };
        let whole = Node { value: Value::Table(vec![(key, node.clone())]), source: node.source.clone() };
        T::read(Some(&whole), scope).map(Self)
    }
}

/// One, or a list of several.
#[derive(Clone, Debug)]
pub struct OneOrMore<T>(pub Vec<T>);

impl<T> std::ops::Deref for OneOrMore<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Setting> Setting for OneOrMore<T> {
    const KIND: Kind = Kind::OneOrMore(&T::KIND);
    const NESTED: bool = true;

    fn read(node: Option<&Node>, scope: &mut Scope<'_>) -> Option<Self> {
        if let Some(Node { value: Value::List(_), .. }) = node {
            return Vec::read(node, scope).map(Self);
        }
        let one = T::read(node, scope)?;
        if let (Some(node), false) = (node, T::NESTED) {
            scope.show(T::KIND, node);
        }
        Some(Self(vec![one]))
    }
}
