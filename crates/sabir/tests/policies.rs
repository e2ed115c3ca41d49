//! What a configuration says of some calls.

use bytes::Bytes;
use sabir::config::{Format, Loader};
use sabir::{ChatRequest, ChatResponse, Client, Env, ErrorKind, Request, Result, Service as _};

use self::wire::Wire;

mod wire;

struct House(Client, Wire);

impl House {
    fn new(text: &str) -> Self {
        let providers = "[breaker]\nenabled = false\n[providers.up]\nbase_url = \"http://up.test/v1\"\n\
                         [providers.down]\nbase_url = \"http://down.test/v1\"\n\
                         [providers.slow]\nbase_url = \"http://slow.test/v1\"\n\
                         [providers.own]\nbase_url = \"http://slow.test/v1\"\ntimeouts = { whole = \"40s\", total = \"90s\" }\n";
        let config = Loader::new().text("sabir.toml", format!("{text}{providers}"), Format::Toml).load();
        let (config, wire) = (config.unwrap_or_else(|faults| panic!("{faults}")), Wire::default());
        let builder = Client::builder().env(Env::none()).transport(wire.clone());
        Self(builder.config(&config).expect("keys").build().expect("a client"), wire)
    }

    /// Asks a model with labels, and gives how often somebody was sent something.
    async fn ask(&self, model: &str, tags: &[(&str, &str)], text: &str) -> (Result<ChatResponse>, usize) {
        let (mut call, mut request) = (self.0.begin(), Request::Chat(ChatRequest::new(model).user(text)));
        self.0.settle(&mut call, &mut request).expect("a place");
        call.tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.sent();
        let answer = self.0.service().call(&call, &request).await.and_then(sabir::Reply::whole);
        (answer, self.sent().len())
    }

    fn sent(&self) -> Vec<Bytes> {
        self.1.sent().into_iter().map(http::Request::into_body).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn keys_teams_and_labels_are_tried_again_as_they_are_said_to_be() {
    let house = House::new(
        "[retry]\nmax_attempts = 2\nreserve = 100\n[policies.b_team]\nteams = [\"red\"]\nretry = { max_attempts = 1 }\n\
         [policies.c_key]\nkeys = [\"ada\"]\nretry = { max_attempts = 4 }\n\
         [policies.a_label]\ntags = { env = [\"test\", \"dev\"] }\nretry = { max_attempts = 3 }\n",
    );
    for (tags, times) in [
        (&[][..], 2),
        (&[("key", "ada"), ("team", "red")], 4),
        (&[("key", "bob"), ("team", "red")], 1),
        (&[("key", "bob"), ("team", "red"), ("env", "dev")], 1),
        (&[("env", "dev")], 3),
        (&[("env", "prod")], 2),
    ] {
        let (answer, sent) = house.ask("down/m", tags, "hi").await;
        assert_eq!((answer.is_err(), sent), (true, times), "{tags:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_policys_time_limits_are_laid_over_its_providers_and_those_over_all() {
    let house = House::new(
        "[timeouts]\nwhole = \"20s\"\n[retry]\nmax_attempts = 1\n\
         [policies.short]\nkeys = [\"ada\"]\ntimeouts = { whole = \"12s\" }\n\
         [policies.other]\nkeys = [\"bob\"]\ntimeouts = { idle = \"7s\" }\n\
         [policies.over]\nkeys = [\"eve\"]\ndeadline = \"5s\"\n\
         [policies.model]\nmodels = [\"own/n\"]\ntimeouts = { whole = \"30s\" }\n",
    );
    for (model, key, seconds) in [
        ("slow/m", "", 20),
        ("own/m", "", 40),
        ("own/m", "ada", 12),
        ("slow/m", "ada", 12),
        ("own/m", "bob", 40),
        ("slow/m", "bob", 20),
        ("own/m", "eve", 5),
        ("own/n", "", 30),
        ("own/n", "ada", 12),
    ] {
        let begun = tokio::time::Instant::now();
        let (answer, _) = house.ask(model, &[("key", key)], "hi").await;
        assert_eq!(answer.expect_err("too slow").kind(), ErrorKind::Timeout);
        assert_eq!(begun.elapsed().as_secs(), seconds, "{model} {key}");
    }
}

#[tokio::test]
async fn guards_of_models_hold_by_every_name_and_by_every_way() {
    let house = House::new(
        "[aliases]\nany = [\"up/free\", \"up/guarded\"]\n[routes.free]\ntargets = [\"up/free\"]\n\
         [providers.claude]\nbase_url = \"http://up.test/v1\"\napi_key = \"k\"\n\
         [policies.small]\nmodels = [\"up/guard*\", \"anthropic/m\"]\nguard = { max_request = 3 }\n\
         [policies.masked]\nroutes = [\"free\", \"any\"]\nguard = { redact = true }\n",
    );
    for (model, is_guarded) in [
        ("up/free", false),
        ("up/guarded", true),
        ("any", true),
        ("free", false),
        ("anthropic/m", true),
        ("claude/m", true),
        ("claude/n", false),
    ] {
        let (answer, sent) = house.ask(model, &[], "salt").await;
        let refused = answer.err().is_some_and(|error| error.message().contains("more than 3 bytes"));
        assert_eq!((refused, sent), (is_guarded, usize::from(!is_guarded)), "{model}");
        // To look at it shows the same.
        let explained = house.0.explain(ChatRequest::new(model).user("salt")).await.expect("a place");
        let is_refused = |verdict: &sabir::Verdict| verdict.by == "guard" && verdict.refused.is_some();
        let shown = explained.candidates.iter().all(|one| one.verdicts.iter().any(is_refused));
        assert_eq!(shown, is_guarded, "{model}");
    }
    for (model, is_masked) in [("free", true), ("up/free", false)] {
        house.0.chat(ChatRequest::new(model).user("a@b.example")).await.expect("an answer");
        let sent = house.sent();
        assert_eq!(!String::from_utf8_lossy(&sent[0]).contains("a@b.example"), is_masked, "{model}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_not_for_all_and_second_calls_are_not_made_by_all() {
    let house = House::new(
        "[cache]\nttl = \"1h\"\n[hedge]\nafter = \"1s\"\nshare = 1.0\n[retry]\nmax_attempts = 1\n\
         [timeouts]\nwhole = \"15s\"\n\
         [policies.fresh]\nteams = [\"red\"]\ncache = false\n[policies.kept]\nkeys = [\"ada\"]\ncache = true\n\
         [policies.alone]\nkeys = [\"bob\"]\nhedge = { enabled = false }\n\
         [policies.late]\nkeys = [\"eve\"]\nhedge = { after = \"14s\", share = 1.0 }\n",
    );
    let (red, ada) = (&[("key", "x"), ("team", "red")][..], &[("key", "ada"), ("team", "red")][..]);
    let mut sent = Vec::new();
    for tags in [&[][..], &[], red, red, ada] {
        sent.push(house.ask("up/m", tags, "hi").await.1);
    }
    assert_eq!(sent, [1, 0, 1, 1, 0]);
    for (key, calls) in [("x", 2), ("bob", 1), ("eve", 2)] {
        assert_eq!(house.ask("slow/m", &[("key", key)], "hi").await.1, calls, "{key}");
    }
}
