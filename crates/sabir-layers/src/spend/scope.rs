use std::fmt::{self, Write as _};

use sabir_core::{Call, Request};
use sabir_store::Filter;

/// Which calls a budget is about, and which of them share a purse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) only: Filter,
    pub(super) each: Vec<Each>,
}

/// What calls may be told apart by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Each {
    Client,
    Key,
    Provider,
    Model,
    Tag(String),
}

impl Scope {
    /// Whether a call is concerned.
    pub(super) fn concerns(&self, call: &Call, request: &Request) -> bool {
        let only = &self.only;
        let is = |named: &Option<String>, value: &str| named.as_deref().is_none_or(|named| named == value);
        is(&only.tenant, &call.tenant)
            && is(&only.provider, &call.provider)
            && is(&only.model, request.model())
            && is(&only.key, key(call))
            && only.tags.iter().all(|tag| call.tags.contains(tag))
    }

    /// The name of the purse of a call; empty where all share one.
    pub(super) fn purse(&self, call: &Call, request: &Request) -> String {
        let mut name = String::new();
        for (at, each) in self.each.iter().enumerate() {
            if at > 0 {
                name.push_str(", ");
            }
            // In quotes, so that no value can look like two others.
            let value = each.of(call, request);
            name.push_str(each.name());
            if value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./@: ".contains(&byte)) {
                // What nobody has to escape, without formatting it.
                for piece in [" \"", value, "\""] {
                    name.push_str(piece);
                }
            } else {
                write!(name, " {value:?}").expect("a String takes everything");
            }
        }
        name
    }

    /// The rows of the ledger that are of the purse of a call. Those without a label are of one purse together, by its
    /// name, where the second is some.
    pub(super) fn rows(&self, call: &Call, request: &Request) -> (Filter, Option<String>) {
        let (mut filter, mut without) = (self.only.clone(), None);
        for each in &self.each {
            let value = each.of(call, request).to_owned();
            match each {
                Each::Client => filter.tenant = Some(value),
                Each::Key => filter.key = Some(value),
                Each::Provider => filter.provider = Some(value),
                Each::Model => {
                    // One name may be two models of two providers.
                    filter.provider = Some(call.provider.clone());
                    filter.model = Some(value);
                }
                Each::Tag(name) if value.is_empty() => without = Some(name.clone()),
                Each::Tag(name) => filter.tags.push((name.clone(), value)),
            }
        }
        (filter, without)
    }
}

impl Each {
    fn name(&self) -> &str {
        match self {
            Self::Client => "client",
            Self::Key => "key",
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Tag(name) => name,
        }
    }

    fn of<'a>(&self, call: &'a Call, request: &'a Request) -> &'a str {
        match self {
            Self::Client => &call.tenant,
            Self::Key => key(call),
            Self::Provider => &call.provider,
            Self::Model => request.model(),
            Self::Tag(name) => call.tags.iter().find(|(tag, _)| tag == name).map_or("", |(_, value)| value),
        }
    }
}

/// The name of the key that a call is asked with.
pub(super) fn key(call: &Call) -> &str {
    call.key.as_ref().map_or("", |key| &key.name)
}

impl fmt::Display for Each {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `for client "acme"`, with a space before it; nothing for all calls.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let only = &self.only;
        let named =
            [("client", &only.tenant), ("key", &only.key), ("provider", &only.provider), ("model", &only.model)];
        let named = named.into_iter().filter_map(|(what, value)| Some((what, value.as_deref()?)));
        let tags = only.tags.iter().map(|(tag, value)| (tag.as_str(), value.as_str()));
        let mut word = " for";
        for (what, value) in named.chain(tags) {
            write!(f, "{word} {what} {value:?}")?;
            word = " and";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sabir_core::chat::ChatRequest;

    use super::*;
    use crate::Budget;

    #[test]
    fn a_budget_concerns_what_it_names_and_tells_apart_what_it_says() {
        let mut call = Call::to("p");
        call.tenant = "acme".into();
        call.tags = vec![("team".into(), "red".into()), ("team".into(), "blue".into())];
        let request = Request::Chat(ChatRequest::new("a/b"));
        let of = |budget: Budget| {
            let scope = budget.scope;
            scope.concerns(&call, &request).then(|| (scope.purse(&call, &request), scope.to_string()))
        };
        let any = || Budget::per_request(crate::spend::Usd(1));
        for (budget, purse, said) in [
            (any(), "", ""),
            (any().for_client("acme"), "", " for client \"acme\""),
            (any().for_model("p/a/b"), "", " for provider \"p\" and model \"a/b\""),
            (any().for_tag("team", "blue").each_client(), "client \"acme\"", " for team \"blue\""),
            (any().each_tag("team"), "team \"red\"", ""),
            (any().each_tag("user").each_model(), "user \"\", provider \"p\", model \"a/b\"", ""),
        ] {
            assert_eq!(of(budget), Some((purse.into(), said.into())));
        }
        for budget in [
            any().for_client("other"),
            any().for_provider("q"),
            any().for_model("q/a/b"),
            any().for_key("k"),
            any().for_tag("team", "green"),
        ] {
            assert_eq!(of(budget), None);
        }
        let (rows, without) = any().each_tag("user").each_model().for_client("acme").scope.rows(&call, &request);
        assert_eq!(without.as_deref(), Some("user"));
        assert_eq!(
            (rows.tenant.as_deref(), rows.provider.as_deref(), rows.model.as_deref()),
            (Some("acme"), Some("p"), Some("a/b"))
        );
    }
}
