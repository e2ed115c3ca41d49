//! Which calls: by their labels, their providers and models, and the routes they go by.

use std::sync::Arc;

use sabir_core::{Call, Request};

use crate::Routes;
use crate::route::{Active, ROUTE_TAG};

/// Which calls something holds for: those that are all that is named here; all calls where nothing is named.
///
/// | named by | holds where |
/// |---|---|
/// | [`tag`](Self::tag) | the call has the label with one of these values |
/// | [`providers`](Self::providers) | one of these is asked, in whichever of its dialects |
/// | [`models`](Self::models) | one of these is asked |
/// | [`routes`](Self::routes) | the call goes by one of these |
///
/// Above [`Routes`] it is not settled yet which model is asked. What stands there holds for a model also where a call goes
/// by a route that may lead to it, and where a raw request, which nobody reads, goes to its provider: what is to be looked at
/// whenever a model is asked must not be missed. Below, the model is the one that is asked, and nothing else.
///
/// A call is held against it without taking memory.
///
/// ```
/// use sabir_layers::Calls;
///
/// // Those of two keys, where they ask a model of one provider.
/// let calls = Calls::new().tag("key", ["ada", "bob"]).models(["openai/*"]);
/// # drop(calls);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    tags: Vec<(String, Vec<String>)>,
    providers: Vec<String>,
    models: Vec<Pattern>,
    routes: Vec<String>,
}

impl Calls {
    /// All calls.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only calls with this label, whose value is one of these. Said of several labels, all of them must be there.
    #[must_use]
    pub fn tag<V: Into<String>>(mut self, name: impl Into<String>, values: impl IntoIterator<Item = V>) -> Self {
        self.tags.push((name.into(), values.into_iter().map(Into::into).collect()));
        self
    }

    /// Only calls of one of these providers. Nothing is said by none of them, here and below.
    #[must_use]
    pub fn providers<P: Into<String>>(mut self, providers: impl IntoIterator<Item = P>) -> Self {
        self.providers.extend(providers.into_iter().map(Into::into));
        self
    }

    /// Only calls of one of these models: `provider/model`, or the name alone for whichever provider has it; a `*` at the
    /// end stands for anything (`openai/gpt-*`).
    #[must_use]
    pub fn models<M: AsRef<str>>(mut self, models: impl IntoIterator<Item = M>) -> Self {
        self.models.extend(models.into_iter().map(|model| Pattern::of(model.as_ref())));
        self
    }

    /// Only calls that go by one of these routes.
    #[must_use]
    pub fn routes<R: Into<String>>(mut self, routes: impl IntoIterator<Item = R>) -> Self {
        self.routes.extend(routes.into_iter().map(Into::into));
        self
    }

    /// Whether a call is one of these.
    pub(crate) fn have(&self, seen: &Seen<'_>) -> bool {
        let tagged = |(name, values): &(String, Vec<String>)| {
            seen.call.tags.iter().any(|(tag, value)| tag == name && values.contains(value))
        };
        self.tags.iter().all(tagged)
            && (self.routes.is_empty() || self.routes.iter().any(|route| seen.goes_by(route)))
            && (!self.names_places() || seen.may_go(self))
    }

    /// The providers that are named here, without their dialects.
    pub(crate) fn named(&self) -> impl Iterator<Item = String> {
        let of_models = self.models.iter().filter_map(|pattern| pattern.provider.as_ref());
        self.providers.iter().chain(of_models).map(|name| Whom::named(name).provider.to_owned())
    }

    /// Whether it matters where a call goes.
    fn names_places(&self) -> bool {
        !(self.providers.is_empty() && self.models.is_empty())
    }

    fn have_provider(&self, whom: Whom<'_>) -> bool {
        self.providers.is_empty() || self.providers.iter().any(|named| whom.is(named))
    }

    fn have_place(&self, whom: Whom<'_>, model: &str) -> bool {
        self.have_provider(whom)
            && (self.models.is_empty() || self.models.iter().any(|pattern| pattern.fits(whom, model)))
    }

    /// Whether some model of a provider is among these.
    fn have_some_of(&self, whom: Whom<'_>) -> bool {
        self.have_provider(whom) && (self.models.is_empty() || self.models.iter().any(|pattern| pattern.is_of(whom)))
    }
}

/// Who is asked: a provider, in its usual dialect or in one that is said.
#[derive(Clone, Copy)]
struct Whom<'a> {
    provider: &'a str,
    dialect: Option<&'a str>,
}

impl<'a> Whom<'a> {
    fn of(call: &'a Call) -> Self {
        Self { provider: &call.provider, dialect: call.dialect.as_deref() }
    }

    fn named(name: &'a str) -> Self {
        let (provider, dialect) = name.split_once(':').map_or((name, None), |(id, dialect)| (id, Some(dialect)));
        Self { provider, dialect }
    }

    /// Whether this is the one that is named: in whichever of its dialects, unless the name says one.
    fn is(self, named: &str) -> bool {
        let named = Whom::named(named);
        self.provider == named.provider && (named.dialect.is_none() || named.dialect == self.dialect)
    }
}

/// A model, or all whose names begin so.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    provider: Option<String>,
    model: String,
    open: bool,
}

impl Pattern {
    fn of(text: &str) -> Self {
        let (text, open) = text.strip_suffix('*').map_or((text, false), |start| (start, true));
        let (provider, model) = text.split_once('/').map_or((None, text), |(provider, model)| (Some(provider), model));
        Self { provider: provider.map(str::to_owned), model: model.to_owned(), open }
    }

    fn fits(&self, whom: Whom<'_>, model: &str) -> bool {
        let begins = |name: &str| if self.open { name.starts_with(&self.model) } else { name == self.model };
        match &self.provider {
            Some(named) => whom.is(named) && begins(model),
            // `open*` begins `openai/…` as well.
            None => begins(model) || (self.open && begins(whom.provider)),
        }
    }

    fn is_of(&self, whom: Whom<'_>) -> bool {
        self.provider.as_deref().is_none_or(|named| whom.is(named))
    }
}

/// From where calls are looked at.
#[derive(Clone, Debug)]
pub(crate) enum View {
    /// From above the routes, where there are any.
    Above(Option<Routes>),
    /// From where it is settled who is asked.
    Below,
}

impl View {
    /// A call as it is seen from here, by those who look for some calls.
    pub(crate) fn see<'a>(&self, call: &'a Call, request: &'a Request, looks: bool) -> Seen<'a> {
        let model = request.model();
        let (ahead, unread) = match self {
            Self::Above(routes) if looks => {
                let ahead = routes.as_ref().and_then(|routes| routes.ahead(&call.provider, model));
                (ahead, matches!(request, Request::Raw(_)))
            }
            _ => (None, false),
        };
        Seen { call, model, ahead, unread }
    }
}

/// Whether any of these asks where a call goes, which is found out once.
pub(crate) fn look<'a>(mut calls: impl Iterator<Item = &'a Calls>) -> bool {
    calls.any(|calls| calls.names_places() || !calls.routes.is_empty())
}

/// A call as a layer sees it.
pub(crate) struct Seen<'a> {
    call: &'a Call,
    model: &'a str,
    /// The route that it is about to go by.
    ahead: Option<Arc<Active>>,
    /// Whether it may ask any model of its provider.
    unread: bool,
}

impl Seen<'_> {
    fn goes_by(&self, route: &str) -> bool {
        self.ahead.as_ref().is_some_and(|ahead| ahead.route.name == route)
            || self.call.tags.iter().any(|(tag, value)| tag == ROUTE_TAG && value == route)
    }

    /// Whether it goes, or may go, to one of these.
    fn may_go(&self, calls: &Calls) -> bool {
        match &self.ahead {
            Some(ahead) => {
                let mut targets = ahead.route.targets.iter();
                targets.any(|target| calls.have_place(Whom::named(&target.provider), &target.model))
            }
            None if self.unread => calls.have_some_of(Whom::of(self.call)),
            None => calls.have_place(Whom::of(self.call), self.model),
        }
    }
}

#[cfg(test)]
mod tests {
    use sabir_core::chat::ChatRequest;
    use sabir_core::raw::RawRequest;

    use super::*;
    use crate::Route;

    fn chat(model: &str) -> Request {
        Request::Chat(ChatRequest::new(model))
    }

    fn raw() -> Request {
        Request::Raw(Box::new(RawRequest::new(
            http::Method::GET,
            "/files",
            http::HeaderMap::new(),
            bytes::Bytes::new(),
        )))
    }

    fn have(calls: &Calls, view: &View, call: &Call, request: &Request) -> bool {
        calls.have(&view.see(call, request, look([calls].into_iter())))
    }

    fn is_asked(pattern: &str, provider: &str, model: &str) -> bool {
        have(&Calls::new().models([pattern]), &View::Below, &Call::to(provider), &chat(model))
    }

    #[test]
    fn models_are_named_whole_alone_or_by_their_beginning() {
        for (pattern, provider, model, fits) in [
            ("openai/gpt-6", "openai", "gpt-6", true),
            ("openai/gpt-6", "openai:openai-responses", "gpt-6", true),
            ("openai:openai-responses/gpt-6", "openai", "gpt-6", false),
            ("openai:openai-responses/gpt-6", "openai:openai-responses", "gpt-6", true),
            ("openai:openai-responses/gpt-6", "openai:openai-chat", "gpt-6", false),
            ("openai/gpt-6", "openai", "gpt-6-nano", false),
            ("openai/gpt-6", "openai-eu", "gpt-6", false),
            ("gpt-6", "openai", "gpt-6", true),
            ("gpt-6", "azure", "gpt-6", true),
            ("openai/*", "openai", "o4", true),
            ("openai/*", "openai-eu", "o4", false),
            ("openai/gpt-*", "openai", "o4", false),
            ("gpt-*", "azure", "gpt-6", true),
            ("open*", "openai", "o4", true),
            ("*", "any", "thing", true),
            ("hub/meta/*", "hub", "meta/llama", true),
            ("hub/meta/*", "hub", "llama", false),
            ("meta/*", "hub", "meta/llama", false),
            ("openai", "openai", "gpt-6", false),
        ] {
            assert_eq!(is_asked(pattern, provider, model), fits, "{pattern} of {provider}/{model}");
        }
    }

    #[test]
    fn all_that_is_named_must_hold_and_any_of_a_list() {
        let mut call = Call::to("p");
        call.tags = vec![("key".into(), "ada".into()), ("team".into(), "red".into()), ("route".into(), "fast".into())];
        let of = |calls: Calls| have(&calls, &View::Below, &call, &chat("m"));
        assert!(of(Calls::new()));
        assert!(of(Calls::new().tag("key", ["bob", "ada"])));
        assert!(!of(Calls::new().tag("key", ["red"])), "another label's value");
        assert!(!of(Calls::new().tag("key", Vec::<String>::new())), "none of no values");
        assert!(of(Calls::new().tag("key", ["ada"]).tag("team", ["red"])));
        assert!(!of(Calls::new().tag("key", ["ada"]).tag("team", ["blue"])));
        assert!(of(Calls::new().tag("key", ["ada"]).models(["q/m", "p/m"]).routes(["fast"])));
        assert!(!of(Calls::new().tag("key", ["ada"]).models(["q/m"])));
        assert!(!of(Calls::new().routes(["slow"])));
        assert!(of(Calls::new().providers(["p", "q"])) && !of(Calls::new().providers(["q"])));
        assert!(!of(Calls::new().providers(["q"]).models(["m"])), "of the one place both must hold");
    }

    #[test]
    fn above_the_routes_a_model_is_asked_where_a_route_may_lead_to_it() {
        let routes = Routes::new([Route::named("fast", ["a/m", "b/n"]), Route::named("own/slow", ["a/n"])]);
        let above = View::Above(Some(routes));
        for (calls, to, model, fits) in [
            (Calls::new().models(["b/*"]), "route", "fast", true),
            (Calls::new().models(["b/*"]), "", "fast", true),
            (Calls::new().models(["c/*"]), "route", "fast", false),
            (Calls::new().models(["fast"]), "route", "fast", false),
            (Calls::new().models(["n"]), "own", "slow", true),
            (Calls::new().providers(["b"]), "route", "fast", true),
            (Calls::new().providers(["a"]).models(["n"]), "route", "fast", false),
            (Calls::new().routes(["fast"]), "route", "fast", true),
            (Calls::new().routes(["own/slow"]), "own", "slow", true),
            (Calls::new().routes(["fast"]), "route", "slow", false),
            (Calls::new().routes(["fast"]), "a", "m", false),
            (Calls::new().models(["a/m"]), "a", "m", true),
            (Calls::new().models(["a/m"]), "a", "n", false),
        ] {
            assert_eq!(have(&calls, &above, &Call::to(to), &chat(model)), fits, "{calls:?} of {to}/{model}");
        }
    }

    #[test]
    fn what_is_not_read_may_ask_any_model_of_its_provider() {
        let (above, below) = (View::Above(None), View::Below);
        for (calls, may, is) in [
            (Calls::new().models(["a/m"]), true, false),
            (Calls::new().models(["m"]), true, false),
            (Calls::new().models(["b/m"]), false, false),
            (Calls::new().models(["a/*"]), true, true),
            (Calls::new().providers(["b"]).models(["m"]), false, false),
        ] {
            let seen = |view| have(&calls, view, &Call::to("a"), &raw());
            assert_eq!((seen(&above), seen(&below)), (may, is), "{calls:?}");
        }
    }
}
