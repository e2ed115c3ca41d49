//! What a configuration says is what calls do.

use std::time::Duration;

use sabir::config::{Config, Format, Loader};
use sabir::{Client, Env, ErrorKind, Result};

use self::wire::Wire;

mod wire;

impl Wire {
    /// The header of each request that was sent.
    fn headers(&self, name: &str) -> Vec<String> {
        let text = |request: &http::Request<_>| {
            request.headers().get(name).map_or(String::new(), |value| value.to_str().expect("text").to_owned())
        };
        self.sent().iter().map(text).collect()
    }
}

fn config(text: &str, env: &[(&str, &str)]) -> Config {
    let loader = Loader::new().text("sabir.toml", text, Format::Toml).env(env.iter().copied());
    loader.load().unwrap_or_else(|faults| panic!("{faults}"))
}

fn client(text: &str, env: &[(&str, &str)]) -> (Client, Wire) {
    let wire = Wire::default();
    let builder = Client::builder().env(env.iter().copied().collect()).transport(wire.clone());
    (builder.config(&config(text, env)).expect("keys").build().expect("a client"), wire)
}

#[tokio::test]
async fn a_provider_is_called_as_it_was_said() {
    let (client, wire) = client(
        "model = \"mine/llama\"\n[providers.mine]\nbase_url = \"http://here.test/v1/\"\nauth = \"header:x-key\"\n\
         api_key = \"${MINE}\"\nheaders = { x-team = \"harbour\" }\n[providers.claude]\napi_key = \"k-claude\"\n",
        &[("MINE", "k-mine")],
    );
    client.complete("hi").await.expect("an answer");
    let sent = wire.sent();
    assert_eq!(sent[0].uri(), "http://here.test/v1/chat/completions");
    assert_eq!(
        (&sent[0].headers()["x-key"], &sent[0].headers()["x-team"]),
        (&"k-mine".parse().unwrap(), &"harbour".parse().unwrap())
    );
    // What is said of an alias is said of the provider.
    let _ = client.complete_with("anthropic/m", "hi").await;
    let _ = client.complete_with("claude/m", "hi").await;
    assert_eq!(wire.headers("x-api-key"), ["k-claude", "k-claude"]);
}

/// Asks a model that is named.
trait Ask {
    async fn complete_with(&self, model: &str, prompt: &str) -> Result<String>;
}

impl Ask for Client {
    async fn complete_with(&self, model: &str, prompt: &str) -> Result<String> {
        Ok(self.chat(sabir::ChatRequest::new(model).user(prompt)).await?.text())
    }
}

#[tokio::test]
async fn the_general_key_is_for_the_provider_that_is_set_and_has_none() {
    let env = [("LLM_API_KEY", "k-general"), ("LLM_MODEL", "gpt-4")];
    let (client_, wire) = client("", &[env[0]]);
    client_.complete_with("gpt-4", "hi").await.expect("an answer");
    assert_eq!(wire.headers("authorization"), ["Bearer k-general"]);
    let (client_, wire) = client("provider = \"groq\"", &[env[0], env[1], ("GROQ_API_KEY", "k-groq")]);
    client_.complete("hi").await.expect("an answer");
    assert_eq!(wire.headers("authorization"), ["Bearer k-groq"], "its own weighs more");
    let (client_, wire) = client("provider = \"groq\"", &[env[0], env[1], ("OPENAI_API_KEY", "k-openai")]);
    let _ = client_.complete("hi").await;
    let _ = client_.complete_with("openai/gpt-4", "hi").await;
    assert_eq!(wire.headers("authorization"), ["Bearer k-general", "Bearer k-openai"], "it goes to nobody else");
}

#[tokio::test]
async fn keys_take_turns_and_a_second_account_has_its_own() {
    let (client, wire) = client(
        "[providers.openai]\nkeys = { a = { key = \"k-a\" }, b = { key = \"k-b\" } }\n\
         [providers.work]\nlike = \"openai\"\napi_key = \"k-work\"\n",
        &[("OPENAI_API_KEY", "k-env")],
    );
    for model in ["openai/m", "openai/m", "openai/m", "work/m"] {
        client.complete_with(model, "hi").await.expect("an answer");
    }
    let bearers = ["k-a", "k-b", "k-a", "k-work"].map(|key| format!("Bearer {key}"));
    assert_eq!(wire.headers("authorization"), bearers);
}

const TWO: &str =
    "[providers.down]\nbase_url = \"http://down.test/v1\"\n[providers.up]\nbase_url = \"http://up.test/v1\"\n";

#[tokio::test(start_paused = true)]
async fn routes_and_aliases_lead_on_and_retries_are_counted() {
    let (client, wire) = client(
        &format!("model = \"safe\"\n{TWO}[aliases]\nsafe = [\"down/m\", \"up/m\"]\n[retry]\nmax_attempts = 2\n"),
        &[],
    );
    let answer = client.chat("hi").await.expect("an answer");
    assert_eq!((answer.text().as_str(), answer.provider.as_str()), ("hi", "up"));
    assert_eq!(answer.attempts.len(), 2, "{:?}", answer.attempts);
    assert_eq!(wire.sent().len(), 3);
}

#[tokio::test]
async fn limits_and_caches_hold() {
    let (client_, wire) = client(
        &format!(
            "model = \"up/m\"\n{TWO}[limits]\nrequests_per_minute = 1\nmax_wait = \"0\"\n[retry]\nmax_attempts = 1\n"
        ),
        &[],
    );
    client_.complete("hi").await.expect("an answer");
    let refused = client_.complete("hi").await.expect_err("one a minute");
    assert_eq!((refused.kind(), wire.sent().len()), (ErrorKind::RateLimit, 1));
    let (client_, wire) = client(&format!("model = \"up/m\"\n{TWO}[cache]\nttl = \"1h\"\n"), &[]);
    client_.complete("hi").await.expect("an answer");
    client_.complete("hi").await.expect("the same answer");
    assert_eq!(wire.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_provider_has_time_limits_of_its_own() {
    let slow = "base_url = \"http://slow.test/v1\"\n";
    let (client, _) = client(
        &format!(
            "[providers.a]\n{slow}timeouts = {{ whole = \"70s\" }}\n[providers.b]\n{slow}[timeouts]\nwhole = \"15s\"\n[retry]\nmax_attempts = 1\n"
        ),
        &[],
    );
    for (model, seconds) in [("a/m", 70), ("b/m", 15)] {
        let begun = tokio::time::Instant::now();
        let error = client.complete_with(model, "hi").await.expect_err("too slow");
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!(begun.elapsed().as_secs(), Duration::from_secs(seconds).as_secs(), "{model}");
    }
}

#[test]
fn everything_together_makes_a_client() {
    let text = include_str!("../../sabir-config/tests/spec/everything.toml");
    let folder = std::env::temp_dir().join(format!("sabir-everything-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("keys")).expect("a folder");
    for name in ["spare", "guard"] {
        std::fs::write(folder.join("keys").join(name), "k\n").expect("a key");
    }
    // What needs a program of the reader's own is told by another.
    let text = text.replace("[\"pass\", \"show\", \"work/openai\"]", "[\"echo\", \"k-work\"]");
    // The ledger is opened, and so has to be somewhere else than in the folder of the tests.
    let text = text.replace("\"spend.db\"", &format!("{:?}", folder.join("spend.db")));
    std::fs::write(folder.join("sabir.toml"), text).expect("a file");
    let env = [("OPENAI_MAIN", "k-main"), ("MY_KEY", "k-mine")];
    let loaded = Loader::new().file(folder.join("sabir.toml")).env(env).load();
    let loaded = loaded.unwrap_or_else(|faults| panic!("{faults}"));
    let client = Client::builder().env(Env::none()).config(&loaded).expect("keys").build().expect("a client");
    assert_eq!(client.resolve("").expect("a route"), ("route".to_owned(), "fast".to_owned()));
    assert_eq!(client.resolve("small").expect("an alias"), ("route".to_owned(), "small".to_owned()));
    sabir::config::stack(&loaded).expect("layers");
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[test]
fn a_key_that_cannot_be_fetched_is_told_without_it() {
    let said = config("[providers.openai]\napi_key = \"file:/no/such/key\"\n", &[]);
    let error = Client::from_config(&said).expect_err("no key");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("cannot read /no/such/key"), "{error}");
    let said = config("[providers.openai]\napi_key = { command = [\"printf\", \"a\\\\nb\"] }\n", &[]);
    let error = Client::from_config(&said).expect_err("no header").to_string();
    assert!(error.contains("no header can hold"), "{error}");
}
