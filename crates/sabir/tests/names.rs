//! A provider has several names, and is one: to limits, budgets, keys, prices, ledgers and figures.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sabir::config::{Format, Loader};
use sabir::ledger::{Dimension, Filter, MemoryLedger};
use sabir::transport::{Body, BoxFuture, whole};
use sabir::{Call, ChatRequest, Client, Env, Error, ErrorKind, Provider, Registry, Request, Result, Transport};

const CHAT: &str = r#"{"id":"1","model":"gpt-4o","choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
const RESPONSES: &str = r#"{"id":"1","status":"completed","model":"gpt-4o","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"hi","annotations":[]}]}],"usage":{"input_tokens":1,"output_tokens":1}}"#;
const MESSAGES: &str = r#"{"id":"1","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}"#;

/// Answers in the dialect of the path, and keeps what it was sent: the path and the key.
#[derive(Clone, Debug, Default)]
struct Wire(Arc<Mutex<Vec<(String, String, Bytes)>>>);

impl Transport for Wire {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>>> {
        let path = request.uri().path().to_owned();
        let key = ["x-api-key", "authorization"].iter().find_map(|name| request.headers().get(*name));
        let key = key.map(|key| key.to_str().expect("text").to_owned()).unwrap_or_default();
        let answer = match path.as_str() {
            path if path.ends_with("/responses") => RESPONSES,
            path if path.ends_with("/messages") => MESSAGES,
            _ => CHAT,
        };
        self.0.lock().expect("a lock").push((path, key, request.into_body()));
        Box::pin(async move { Ok(http::Response::new(whole(answer))) })
    }
}

/// A client of a configuration, with keys for two providers and a ledger.
struct House(Client, Wire);

impl House {
    fn new(text: &str) -> Self {
        let config = Loader::new().text("sabir.toml", text, Format::Toml).load();
        let (config, wire) = (config.unwrap_or_else(|faults| panic!("{faults}")), Wire::default());
        let env: Env = [("OPENAI_API_KEY", "k-openai"), ("ANTHROPIC_API_KEY", "k-anthropic")].into_iter().collect();
        let builder = Client::builder().env(env).transport(wire.clone()).config(&config).expect("keys");
        let ledger = Arc::new(MemoryLedger::default());
        Self(builder.ledger(ledger).build().expect("a client"), wire)
    }

    async fn ask(&self, model: &str) -> Result<String> {
        Ok(self.0.chat(ChatRequest::new(model).user("Hi").max_tokens(9)).await?.provider)
    }

    /// Asks by several names, of which only the first may pass.
    async fn lets_through_the_first_of(&self, models: &[&str]) {
        for (at, model) in models.iter().enumerate() {
            let refused = self.ask(model).await.err();
            assert_eq!(refused.as_ref().map(Error::kind).is_some(), at > 0, "{model}, the {at}th: {refused:?}");
        }
        assert_eq!(self.1.0.lock().expect("a lock").len(), 1);
    }
}

/// Two providers by all their names.
const ANTHROPIC: [&str; 3] =
    ["claude/claude-haiku-4-5", "anthropic/claude-haiku-4-5", "claude:messages/claude-haiku-4-5"];
const OPENAI: [&str; 4] =
    ["openai:responses/gpt-4o", "openai/gpt-4o", "openai:openai-responses/gpt-4o", "openai:chat/gpt-4o"];

/// The same from each name on, so that whichever may be the first.
fn turned(names: &'static [&'static str]) -> impl Iterator<Item = Vec<&'static str>> {
    (0..names.len()).map(|first| names.iter().cycle().skip(first).take(names.len()).copied().collect())
}

#[tokio::test]
async fn a_limit_counts_a_provider_by_all_its_names() {
    let limits = |said: &str| format!("[retry]\nmax_attempts = 1\n[limits]\nmax_wait = \"0s\"\n{said}");
    for (said, names) in [
        ("[providers.anthropic.limits]\nrequests_per_minute = 1\n", &ANTHROPIC[..]),
        ("[providers.claude.limits]\nrequests_per_minute = 1\n", &ANTHROPIC),
        ("[[limits.rules]]\nprovider = \"claude\"\nrequests_per_minute = 1\n", &ANTHROPIC),
        ("[[limits.rules]]\nmodel = \"anthropic/claude-haiku-4-5\"\nrequests_per_minute = 1\n", &ANTHROPIC),
        ("[[limits.rules]]\nmodel = \"claude/claude-haiku-4-5\"\nrequests_per_minute = 1\n", &ANTHROPIC),
        ("[[limits.rules]]\neach = [\"provider\"]\nrequests_per_minute = 1\n", &ANTHROPIC),
        ("[[limits.rules]]\neach = [\"model\"]\nrequests_per_minute = 1\n", &OPENAI),
        ("[providers.openai.limits]\nrequests_per_minute = 1\n", &OPENAI),
        ("[[limits.rules]]\nprovider = \"openai:responses\"\nrequests_per_minute = 1\n", &OPENAI),
    ] {
        for order in turned(names) {
            println!("{said}{order:?}");
            House::new(&limits(said)).lets_through_the_first_of(&order).await;
        }
    }
}

#[tokio::test]
async fn a_budget_counts_a_provider_by_all_its_names_and_prices_are_known_by_each() {
    let budget = |said: &str| format!("[[budgets]]\nname = \"b\"\nlimit = 0.0002\nperiod = \"day\"\n{said}");
    for (said, names) in [
        ("scope = \"provider\"\n", &OPENAI[..]),
        ("scope = \"model\"\n", &OPENAI),
        ("scope = \"provider\"\nonly = [\"openai\"]\n", &OPENAI),
        ("scope = \"model\"\nonly = [\"openai/gpt-4o\"]\n", &OPENAI),
        ("scope = \"provider\"\nonly = [\"anthropic\"]\n", &ANTHROPIC),
        ("scope = \"provider\"\nonly = [\"claude\"]\n", &ANTHROPIC),
        ("scope = \"model\"\nonly = [\"claude/claude-haiku-4-5\"]\n", &ANTHROPIC),
    ] {
        for order in turned(names) {
            let house = House::new(&budget(said));
            let mut passed = 0;
            for _ in 0..20 {
                for model in &order {
                    match house.ask(model).await {
                        Ok(_) => passed += 1,
                        Err(error) => assert_eq!(error.kind(), ErrorKind::BudgetExceeded, "{model}: {error}"),
                    }
                }
            }
            let spent = house.0.usage(&Filter::default(), &[Dimension::Provider]).expect("a ledger");
            let spent: Vec<_> = spent.iter().filter(|group| group.attempts > 0).collect();
            assert_eq!(spent.len(), 1, "{said}: one provider");
            assert!(spent[0].unpriced == 0 && spent[0].nano_usd <= 200_000 && passed < 40, "{said}{order:?}: {passed}");
        }
    }
}

#[tokio::test]
async fn ledger_figures_and_answers_name_one_provider() {
    let house = House::new("[metrics]\nenabled = true\n[aliases]\nmine = [\"claude/claude-haiku-4-5\"]\n");
    for model in ANTHROPIC.iter().chain(&["mine"]) {
        assert_eq!(house.ask(model).await.expect("an answer"), "anthropic", "{model}");
    }
    for model in OPENAI {
        assert_eq!(house.ask(model).await.expect("an answer"), "openai", "{model}");
    }
    let used = house.0.usage(&Filter::default(), &[Dimension::Provider, Dimension::Model]).expect("a ledger");
    let used: Vec<_> = used.iter().map(|group| (group.names.join("/"), group.attempts)).collect();
    assert_eq!(used, [("anthropic/claude-haiku-4-5".to_owned(), 4), ("openai/gpt-4o".to_owned(), 4)]);
    let sent: Vec<String> = house.1.0.lock().expect("a lock").iter().map(|(path, ..)| path.clone()).collect();
    assert_eq!(sent[4..], ["/v1/responses", "/v1/chat/completions", "/v1/responses", "/v1/chat/completions"]);
}

#[tokio::test]
async fn routes_and_marks_know_a_provider_by_an_alias() {
    let house = House::new(
        "[retry]\nmax_attempts = 1\n[limits]\nmax_wait = \"0s\"\n[providers.anthropic.limits]\nrequests_per_minute = 1\n\
         [prompt_cache]\nproviders = [\"claude\"]\n[routes.fast]\ntargets = [\"claude/claude-haiku-4-5\"]\n\
         [aliases]\nslow = [\"openai:responses/gpt-4o\"]\n",
    );
    house.lets_through_the_first_of(&["fast", "anthropic/claude-haiku-4-5", "claude/claude-haiku-4-5", "fast"]).await;
    let (_, _, body) = house.1.0.lock().expect("a lock")[0].clone();
    assert!(String::from_utf8_lossy(&body).contains("cache_control"));
    assert_eq!(house.ask("slow").await.expect("an answer"), "openai");
    assert_eq!(house.1.0.lock().expect("a lock")[1].0, "/v1/responses", "in the dialect that was said");
}

#[tokio::test]
async fn several_keys_are_those_of_every_name() {
    for section in ["anthropic", "claude"] {
        let house =
            House::new(&format!("[providers.{section}.keys]\none = {{ key = \"k-1\" }}\ntwo = {{ key = \"k-2\" }}\n"));
        for model in ANTHROPIC {
            house.ask(model).await.expect("an answer");
        }
        let keys: Vec<String> = house.1.0.lock().expect("a lock").iter().map(|(_, key, _)| key.clone()).collect();
        assert_eq!(keys, ["k-1", "k-2", "k-1"], "{section}");
    }
}

#[tokio::test]
async fn a_policy_of_one_dialect_holds_by_all_its_names() {
    let house = House::new("[policies.small]\nmodels = [\"openai:responses/*\"]\nguard = { max_request = 1 }\n");
    for (model, passes) in OPENAI.iter().zip([false, true, false, true]) {
        assert_eq!(house.ask(model).await.is_ok(), passes, "{model}");
    }
}

#[test]
fn who_is_called_by_a_name_of_its_own_is_another() {
    let client = Client::builder().env(Env::none()).build().expect("a client");
    let of = |client: &Client, model: &str| {
        let (mut call, mut request) = (Call::default(), Request::Chat(ChatRequest::new(model)));
        client.settle(&mut call, &mut request).map(|()| (call.provider, call.dialect)).expect(model)
    };
    let named = |id: &str, dialect: Option<&str>| (id.to_owned(), dialect.map(str::to_owned));
    assert_eq!(of(&client, "claude/m"), named("anthropic", None));
    assert_eq!(of(&client, "openai:responses/m"), named("openai", Some("openai-responses")));
    assert_eq!(client.resolve("claude/m").expect("known").0, "anthropic");
    // Registered under the alias, it is somebody else.
    client.registry().register(Provider::custom("claude", "openai-chat", "http://here.test").expect("a dialect"));
    assert_eq!(of(&client, "claude/m"), named("claude", None));
    assert_eq!(of(&client, "anthropic/m"), named("anthropic", None));
    let second = Loader::new()
        .text("sabir.toml", "[providers.claude]\nlike = \"anthropic\"\napi_key = \"k\"\n", Format::Toml)
        .load();
    let second = Client::from_config(&second.expect("a configuration")).expect("a client");
    assert_eq!(of(&second, "claude/m"), named("claude", None), "a second account");
    // A registry of one's own has the alias of what it has.
    let registry = Registry::empty();
    registry.register(Provider::builtin("anthropic").expect("built in"));
    assert!(registry.contains("claude") && registry.get("claude").expect("there").id() == "anthropic");
    assert!(!registry.contains("kimi") && registry.get("kimi").is_err());
}

#[test]
fn a_layer_that_names_a_provider_by_an_alias_is_refused_for_it_would_hold_for_none() {
    use sabir::layers::{
        Budget, Calls, KeyPool, Keys, Limit, Limits, PromptCache, Route, Routes, Spend, Stack, Window,
    };
    let client = |stack: Stack| Client::builder().env(Env::none()).stack(stack).build();
    let limit = || Limit::requests_per_minute(1);
    let budget = || Budget::per(Window::day(), sabir::prices::Usd(1));
    let pool = || KeyPool::new([("one", "k-1")]);
    let for_calls = |calls: Calls| Stack::new().for_calls(calls, Stack::new().no_cache());
    for name in ["claude", "openai:responses"] {
        for stack in [
            Stack::new().limits(Limits::default().limit(limit().for_provider(name))),
            Stack::new().limits(Limits::default().limit(limit().for_model(&format!("{name}/m")).for_tag("key", "ada"))),
            Stack::new().spend(Spend::default().budget(budget().for_provider(name))),
            Stack::new().keys(Keys::new().pool(name, pool())),
            Stack::new().prompt_cache(PromptCache::default().for_provider(name)),
        ] {
            let error = client(stack).expect_err(name);
            assert!(error.kind() == ErrorKind::Configuration && error.message().contains(name), "{error}");
        }
    }
    for stack in [
        Stack::new().routes(Routes::new([Route::named("fast", ["openai/m", "claude:messages/m"])])),
        for_calls(Calls::new().providers(["claude"])),
        for_calls(Calls::new().models(["claude/*"])),
    ] {
        let error = client(stack).expect_err("an alias");
        assert!(error.message().ends_with("name \"anthropic\" there"), "{error}");
    }
    for stack in [
        Stack::new().limits(Limits::default().limit(limit().for_provider("anthropic"))),
        Stack::new().routes(Routes::new([Route::named("fast", ["openai:responses/m", "mine/m"])])),
        for_calls(Calls::new().models(["openai:openai-responses/*", "gpt-*", "mine/*"])),
    ] {
        client(stack).expect("a client");
    }
}

#[test]
fn a_route_wins_over_an_alias() {
    use sabir::layers::{Route, Routes};
    let routes = Routes::new([Route::named("claude/m", ["openai/gpt-4o"])]);
    let client = Client::builder().env(Env::none()).layer(routes).build().expect("a client");
    let (mut call, mut request) = (Call::default(), Request::Chat(ChatRequest::new("claude/m")));
    client.settle(&mut call, &mut request).expect("a route");
    assert_eq!((call.provider.as_str(), request.model()), ("claude", "m"), "as the layer knows it");
}

/// Without a price a hard budget could not bound it, and would refuse it.
#[tokio::test]
async fn a_second_account_under_a_hard_budget_has_the_prices_of_the_first() {
    let house = House::new(
        "[providers.work]\nlike = \"openai\"\napi_key = \"second\"\n[[budgets]]\nname = \"b\"\nlimit = 1\n\
         period = \"day\"\nscope = \"provider\"\nonly = [\"work\"]",
    );
    let answer = house.0.chat(ChatRequest::new("work/gpt-4o").user("Hi").max_tokens(9)).await.expect("it is bounded");
    assert!(answer.cost.is_some_and(|cost| cost.nano_usd > 0), "{:?}", answer.cost);
}
