//! A gateway that follows a configuration: keys, teams, budgets, limits, the administrator's API and the access log.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sabir::config::{KeyHash, Live, Loader};
use sabir::ledger::MemoryLedger;
use sabir::{Client, Env, ErrorKind, Registry};
use sabir_gateway::{AccessLog, Gateway, Keys, Server};
use sabir_sim::Simulator;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const ADMIN: &str = "the-administrators-key";
const CHAT: &str = "/v1/chat/completions";
const HELLO: &str = r#"{"model":"sim/a","max_tokens":100,"messages":[{"role":"user","content":"Hello, pepper"}]}"#;

/// A gateway in a folder of its own, which goes with it.
struct House {
    folder: PathBuf,
    live: Live,
    gateway: Gateway,
    server: Server,
}

impl House {
    /// With this configuration; `{state}` in it is the file of the state.
    async fn new(said: &str) -> Self {
        Self::with(said, Simulator::new()).await
    }

    async fn with(said: &str, simulator: Simulator) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("sabir-gateway-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("sabir.toml");
        std::fs::write(&file, whole(said, &folder)).expect("written");
        let ledger = Arc::new(MemoryLedger::default());
        let begin = move || {
            let registry = Registry::new();
            registry.register_service("sim", simulator.clone());
            Client::builder().registry(registry).env(Env::none()).ledger(ledger.clone())
        };
        let live = Live::built_on(Loader::new().service("sim").file(file), begin).expect("a configuration");
        let gateway = Gateway::live(&live).expect("a gateway");
        let server = Server::start(gateway.clone(), "127.0.0.1:0").await.expect("it listens");
        Self { folder, live, gateway, server }
    }

    fn say(&self, said: &str) {
        std::fs::write(self.folder.join("sabir.toml"), whole(said, &self.folder)).expect("written");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).expect(name)
    }

    /// Asks, and gives the status and the whole answer.
    async fn ask(&self, method: &str, path: &str, key: &str, body: &str) -> (u16, String) {
        let key = if key.is_empty() { String::new() } else { format!("authorization: Bearer {key}\r\n") };
        let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{key}");
        let mut stream = TcpStream::connect(self.server.address()).await.expect("a connection");
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).await.expect("it is written");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("an answer");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, answer)
    }

    async fn chat(&self, key: &str) -> (u16, String) {
        self.ask("POST", CHAT, key, HELLO).await
    }

    /// What the administrator is answered, as JSON.
    async fn admin(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, answer) = self.ask(method, &format!("/admin/v1/{path}"), ADMIN, &body).await;
        (status, json_of(&answer))
    }

    /// What the administrator may not do: by which method, where, what is said; the status, and what the answer says.
    async fn refuses(&self, cases: &[(&str, &str, Value, u16, &str)]) {
        let before = self.read("state");
        for (method, path, said, status, says) in cases {
            let (came, answer) = self.admin(method, path, said.clone()).await;
            assert_eq!(came, *status, "{method} {path}: {answer}");
            assert!(answer.to_string().contains(says), "{method} {path}: {answer}");
        }
        assert_eq!(self.read("state"), before, "what is refused changes nothing");
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn whole(said: &str, folder: &std::path::Path) -> String {
    said.replace("{state}", &folder.join("state").display().to_string())
}

fn json_of(answer: &str) -> Value {
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

fn hash(key: &str) -> String {
    KeyHash(Keys::hash(&key.into())).to_string()
}

/// `sim` costs a dollar for a million tokens in, and two for a million out.
const PRICES: &str = "[prices.models.\"sim/*\".standard]\ninput = 1\noutput = 2\n";

#[tokio::test]
async fn keys_and_teams_of_the_configuration_have_models_budgets_and_limits() {
    let house = House::new(&format!(
        "[gateway.keys.ada]\nhash = \"{}\"\nteam = \"red\"\nmodels = [\"sim/*\"]\nlimits = {{ requests = 2, per = \"1h\" }}\n\
         [gateway.keys.bob]\nhash = \"{}\"\nteam = \"red\"\nuser = \"bob@x\"\n\
         [gateway.keys.eve]\nhash = \"{}\"\nbudgets = [{{ limit = \"0.00145\", period = \"day\" }}]\n\
         [gateway.keys.old]\nhash = \"{}\"\nexpires = \"2001-01-01\"\n\
         [gateway.keys.off]\nhash = \"{}\"\ndisabled = true\n\
         [gateway.teams.red]\nmodels = [\"sim/a\"]\nlimits = {{ requests = 3, per = \"1h\" }}\n\
         [limits]\nmax_wait = \"0\"\n{PRICES}",
        hash("k-ada"), hash("k-bob"), hash("k-eve"), hash("k-old"), hash("k-off"),
    ))
    .await;
    for (key, status, says) in [
        ("", 401, "no key"),
        ("k-guess", 401, "not known"),
        ("k-old", 401, "expired"),
        ("k-off", 401, "disabled"),
        ("k-ada", 200, "chat.completion"),
        ("k-ada", 200, "chat.completion"),
        ("k-ada", 429, "2 requests in 3600s of key \\\"ada\\\""),
        ("k-bob", 200, "chat.completion"),
        ("k-bob", 429, "3 requests in 3600s of team \\\"red\\\""),
        ("k-eve", 200, "chat.completion"),
    ] {
        let (said, answer) = house.chat(key).await;
        assert_eq!(said, status, "{key}: {answer}");
        assert!(answer.contains(says), "{key}: {says} in {answer}");
    }
    // A call may cost nearly all of it, and each that is made leaves less.
    let mut left = 10;
    let (status, answer) = loop {
        let answered = house.chat("k-eve").await;
        left -= 1;
        if answered.0 != 200 || left == 0 {
            break answered;
        }
    };
    assert!((400..500).contains(&status) && answer.contains("the budget of the key of eve"), "{answer}");
    let other = HELLO.replace("sim/a", "sim/b");
    let (status, answer) = house.ask("POST", CHAT, "k-bob", &other).await;
    assert!(status == 403 && answer.contains("it may ask sim/a"), "{answer}");

    let (status, answer) = house.ask("GET", "/v1/usage?since=1d&by=model,user", "k-bob", "").await;
    let usage = json_of(&answer);
    assert_eq!((status, &usage["total"]["attempts"]), (200, &json!(1)), "{usage}");
    assert_eq!(usage["groups"][0]["user"], "bob@x");
    assert!(usage["total"]["usd"].as_str().is_some_and(|usd| usd.starts_with("0.0000")), "{usage}");
    let (status, answer) = house.ask("GET", "/v1/usage?key=ada", "k-bob", "").await;
    assert!(status == 400 && answer.contains("its own usage alone"), "{answer}");
    assert_eq!(house.ask("GET", "/v1/usage", "k-guess", "").await.0, 401);
}

#[tokio::test]
async fn a_dry_run_refuses_nothing_and_says_what_it_would_have() {
    let house = House::new(&format!(
        "[gateway]\ndry_run = true\nadmin_key = \"{ADMIN}\"\n\
         [gateway.keys.ada]\nhash = \"{}\"\nlimits = {{ requests = 2, per = \"1h\" }}\n\
         budgets = [{{ limit = \"0.0003\", period = \"day\" }}]\n[limits]\nmax_wait = \"0\"\n{PRICES}",
        hash("k-ada"),
    ))
    .await;
    for _ in 0..5 {
        let (status, answer) = house.chat("k-ada").await;
        assert_eq!(status, 200, "{answer}");
    }
    let (_, figures) = house.ask("GET", "/metrics", ADMIN, "").await;
    let counted = |rule: &str| {
        let line = figures
            .lines()
            .find(|line| line.starts_with("sabir_would_refuse_total{key=\"ada\"") && line.contains(rule));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<u32>().ok())
            .unwrap_or_else(|| panic!("{rule} in {figures}"))
    };
    assert_eq!(counted("2 requests in 3600s"), 3);
    assert!(counted("the budget of the key of ada") >= 1);
    // As it is meant, the first call but two is refused.
    house.say(&house.read("sabir.toml").replace("dry_run = true", "dry_run = false"));
    house.gateway.reload().expect("right");
    while house.chat("k-ada").await.0 == 200 {}
    assert_eq!(house.chat("k-ada").await.0, 429);
}

#[tokio::test]
async fn a_route_has_limits_and_budgets_of_its_own() {
    let house = House::new(&format!(
        "[gateway]\nadmin_key = \"{ADMIN}\"\n[gateway.keys.ada]\nhash = \"{}\"\n\
         [aliases]\nfew = \"sim/a\"\npoor = \"sim/a\"\nfree = \"sim/a\"\n\
         [limits]\nmax_wait = \"0\"\nrules = [{{ route = \"few\", requests = 1, per = \"1h\" }}]\n\
         [[budgets]]\nname = \"purse\"\nlimit = \"0.000001\"\nscope = \"tag\"\ntag = \"route\"\nonly = [\"poor\"]\n{PRICES}",
        hash("k-ada"),
    ))
    .await;
    let ask = |model: &str| format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"Hello"}}]}}"#);
    for (model, expected) in [("few", 200), ("few", 429), ("poor", 429), ("free", 200), ("free", 200)] {
        let (status, answer) = house.ask("POST", CHAT, "k-ada", &ask(model)).await;
        assert_eq!(status, expected, "{model}: {answer}");
    }
}

#[tokio::test]
async fn a_dry_run_lets_through_what_has_no_price_and_counts_it() {
    let house = House::new(&format!(
        "[gateway]\ndry_run = true\nadmin_key = \"{ADMIN}\"\n[gateway.teams.red]\nbudgets = [{{ limit = 50 }}]\n\
         [gateway.keys.ada]\nhash = \"{}\"\nteam = \"red\"\nbudgets = [{{ limit = 5 }}]\n",
        hash("k-ada"),
    ))
    .await;
    assert_eq!(house.chat("k-ada").await.0, 200);
    let (_, figures) = house.ask("GET", "/metrics", ADMIN, "").await;
    for rule in ["the budget of the key of ada", "the budget of the team of red"] {
        let counted = figures.lines().find(|line| line.contains("would_refuse_total{") && line.contains(rule));
        assert!(counted.is_some_and(|line| line.ends_with(" 1")), "{rule}: {figures}");
    }
    house.say(&house.read("sabir.toml").replace("dry_run = true", "dry_run = false"));
    house.gateway.reload().expect("right");
    let (status, refused) = house.chat("k-ada").await;
    assert!(status == 429 && refused.contains("on_unknown_price"), "{refused}");
}

#[tokio::test]
async fn a_configuration_that_changes_is_followed_and_a_faulty_one_is_not() {
    let key = |name: &str| format!("[gateway.keys.{name}]\nhash = \"{}\"\n", hash(name));
    let limits = "limits = { requests = 2, per = \"1h\" }\n[limits]\nmax_wait = \"0\"\n";
    let house = House::new(&format!("{}{limits}", key("ada"))).await;
    assert_eq!(house.chat("ada").await.0, 200);
    house.say(&format!("{}{}{limits}", key("eve"), key("ada")));
    house.gateway.reload().expect("right");
    assert_eq!((house.chat("ada").await.0, house.chat("eve").await.0), (200, 200));
    assert_eq!(house.chat("ada").await.0, 429, "what was used of a limit stays used");
    house.say("[gateway.keys.ada]\nhsah = \"sha256:0\"\n");
    let refused = house.gateway.reload().expect_err("wrong");
    assert!(refused.kind() == ErrorKind::Configuration && refused.message().contains("hash"), "{refused}");
    assert_eq!(house.chat("eve").await.0, 200, "what was there stays");
    house.say("");
    assert!(house.gateway.reload().is_err(), "nothing at all is a file that is being written");
    house.say("[gateway]\nmodels = [\"sim/a\"]\n");
    let refused = house.gateway.reload().expect_err("no keys");
    assert!(refused.message().contains("everybody would be let in"), "{refused}");
    assert_eq!(house.chat("").await.0, 401);
    house.say(&key("ada"));
    house.gateway.reload().expect("right again");
    assert_eq!((house.chat("ada").await.0, house.chat("eve").await.0), (200, 401));
}

#[tokio::test]
async fn a_stream_under_way_ends_as_it_began() {
    let simulator = Simulator::new().pace(Duration::from_millis(5));
    let house = House::with(&format!("[gateway.keys.ada]\nhash = \"{}\"\n", hash("ada")), simulator.clone()).await;
    let body = r#"{"model":"sim/a","stream":true,"messages":[{"role":"user","content":"Write a story"}]}"#;
    let change = async {
        while simulator.in_flight() == 0 {
            tokio::task::yield_now().await;
        }
        house.say(&format!("[gateway.keys.eve]\nhash = \"{}\"\n", hash("eve")));
        house.gateway.reload().expect("right");
        house.chat("ada").await.0
    };
    let ((status, answer), late) = tokio::join!(house.ask("POST", CHAT, "ada", body), change);
    assert!(status == 200 && answer.contains("data: [DONE]"), "{answer}");
    assert_eq!(late, 401, "its key is gone");
}

fn administered() -> String {
    format!(
        "[gateway]\nadmin_key = \"{ADMIN}\"\nstate = \"{{state}}\"\n[gateway.keys.ada]\nhash = \"{}\"\n\
         [gateway.teams.red]\n{PRICES}",
        hash("k-ada")
    )
}

#[tokio::test]
async fn the_administrator_issues_changes_rotates_and_revokes_keys() {
    let house = House::new(&administered()).await;
    let said = json!({ "name": "eve", "team": "red", "models": ["sim/*"], "budgets": [{ "limit": "5" }] });
    let (status, issued) = house.admin("POST", "keys", said.clone()).await;
    assert_eq!(status, 201, "{issued}");
    let first = issued["key"].as_str().expect("a key").to_owned();
    assert_eq!(house.chat(&first).await.0, 200);
    assert_eq!(house.admin("POST", "keys", said).await.0, 409, "the name is taken");

    let (_, list) = house.admin("GET", "keys", Value::Null).await;
    assert_eq!((&list["data"][0]["name"], &list["data"][0]["from"]), (&json!("ada"), &json!("configuration")));
    assert_eq!((&list["data"][1]["name"], &list["data"][1]["from"]), (&json!("eve"), &json!("issued")));

    let (status, rotated) = house.admin("POST", "keys/eve/rotate", json!({ "overlap_seconds": 60 })).await;
    let second = rotated["key"].as_str().expect("a key").to_owned();
    assert_eq!(status, 200, "{rotated}");
    assert_eq!((house.chat(&first).await.0, house.chat(&second).await.0), (200, 200), "both open for a minute");
    house.admin("POST", "keys/eve/rotate", json!({ "overlap_seconds": 0 })).await;
    assert_eq!((house.chat(&first).await.0, house.chat(&second).await.0), (401, 401), "and now none of them");

    let (status, changed) = house.admin("PATCH", "keys/eve", json!({ "disabled": true, "team": null })).await;
    assert_eq!((status, &changed["disabled"], &changed["team"]), (200, &json!(true), &Value::Null), "{changed}");
    let before = house.read("state");
    house
        .refuses(&[
            ("PATCH", "keys/eve", json!({ "models": ["simm/x"] }), 422, "there is no provider"),
            ("PATCH", "keys/eve", json!({ "expires": "soon" }), 422, "2027-01-31"),
            ("PATCH", "keys/eve", json!({ "key": { "command": "id" } }), 400, "cannot be said"),
            ("PATCH", "keys/eve", json!({ "hash": hash("mine") }), 400, "cannot be said"),
            ("PATCH", "keys/ada", json!({ "disabled": true }), 409, "stands in the configuration"),
            ("DELETE", "keys/bob", Value::Null, 404, "no key"),
            ("POST", "keys", json!({ "name": "a b" }), 422, "letters, digits"),
            ("POST", "keys", json!([1]), 400, "JSON object"),
            ("POST", "keys/eve/rotate", json!({ "overlap": 5 }), 400, "overlap_seconds"),
            ("PUT", "keys", Value::Null, 405, "GET, POST"),
            ("GET", "nothing", Value::Null, 404, "keys/NAME"),
        ])
        .await;

    assert_eq!(house.admin("DELETE", "keys/eve", Value::Null).await.0, 200);
    let (_, audit) = house.admin("GET", "audit", Value::Null).await;
    let actions: Vec<&str> =
        audit["data"].as_array().expect("a list").iter().filter_map(|one| one["action"].as_str()).collect();
    assert_eq!(actions, ["revoke", "change", "rotate", "rotate", "issue"]);
    assert_eq!(audit["data"][1]["after"]["disabled"], true);
    for secret in [&first, &second, &hash(&first)] {
        assert!(!house.read("state.audit").contains(secret.as_str()) && !audit.to_string().contains(secret.as_str()));
    }
    assert!(!before.contains(&second) && before.contains("sha256:"), "{before}");
}

#[tokio::test]
async fn the_administrator_sets_teams_routes_budgets_and_limits() {
    let house = House::new(&format!(
        "{}[aliases]\nfree = \"sim/a\"\n[[budgets]]\nname = \"all\"\nlimit = 100\n[rate_limits]\nmax_wait = \"0\"\n",
        administered()
    ))
    .await;
    for (path, said, status) in [
        ("routes/few", json!({ "targets": ["sim/a", "sim/b"] }), 201),
        ("teams/blue", json!({ "models": ["few", "free"], "limits": { "requests": 3, "per": "1h" } }), 201),
        ("limits/few", json!({ "route": "few", "requests": 5, "per": "1h" }), 201),
        ("limits/few", json!({ "route": "few", "requests": 1, "per": "1h" }), 200),
        ("budgets/purse", json!({ "limit": "0.000001", "scope": "model", "only": ["sim/c"] }), 201),
    ] {
        let (came, answer) = house.admin("PUT", path, said).await;
        assert_eq!(came, status, "{path}: {answer}");
    }
    let (_, issued) = house.admin("POST", "keys", json!({ "name": "eve", "team": "blue" })).await;
    let key = issued["key"].as_str().expect("a key").to_owned();
    let ask = |model: &str| {
        format!(r#"{{"model":"{model}","max_tokens":100,"messages":[{{"role":"user","content":"Hello"}}]}}"#)
    };
    // The route's one, then two more of the team's three; another model is not the team's.
    for (model, status) in [("few", 200), ("few", 429), ("sim/c", 403), ("free", 200), ("free", 200), ("free", 429)] {
        let (came, answer) = house.ask("POST", CHAT, &key, &ask(model)).await;
        assert_eq!(came, status, "{model}: {answer}");
    }
    // A budget of a model, for everybody.
    assert_eq!(house.ask("POST", CHAT, "k-ada", &ask("sim/c")).await.0, 429);
    let (status, changed) = house.admin("PATCH", "budgets/purse", json!({ "limit": 5, "only": null })).await;
    let purse = json!({ "object": "budget", "name": "purse", "limit": 5, "scope": "model" });
    assert_eq!((status, &changed), (200, &purse));
    assert_eq!(house.ask("POST", CHAT, "k-ada", &ask("sim/c")).await.0, 200);
    assert_eq!(house.admin("GET", "budgets", Value::Null).await.1["data"], json!([purse]));

    house
        .refuses(&[
            ("PUT", "teams/red", json!({}), 409, "stands in the configuration"),
            ("PATCH", "budgets/all", json!({ "limit": 1 }), 409, "stands in the configuration"),
            ("PUT", "teams/a%20b", json!({}), 400, "letters, digits"),
            ("PUT", "limits/few", json!({ "route": "fewer", "requests": 1, "per": "1h" }), 422, "few"),
            ("PUT", "limits/few", json!({ "requets": 1 }), 422, "requests"),
            ("PUT", "routes/odd", json!({ "targets": ["simm/a"] }), 422, "simm"),
            ("PUT", "teams/odd", json!({ "key": { "command": "id" } }), 422, "key"),
            ("PUT", "budgets/odd", json!({ "limit": "${HOME}" }), 422, "limit"),
            ("DELETE", "teams/blue", Value::Null, 422, "blue"),
            ("DELETE", "routes/none", Value::Null, 404, "no route"),
            ("POST", "teams", json!({}), 405, "GET"),
            ("GET", "teams/blue", Value::Null, 405, "PUT, PATCH, DELETE"),
        ])
        .await;

    assert_eq!(house.admin("DELETE", "limits/few", Value::Null).await.0, 200);
    assert_eq!(house.ask("POST", CHAT, "k-ada", &ask("few")).await.0, 200);
    let (_, audit) = house.admin("GET", "audit", Value::Null).await;
    let (last, first) = (&audit["data"][0], &audit["data"][7]);
    assert_eq!(
        (&last["action"], &last["limit"], &last["before"]["requests"]),
        (&json!("remove"), &json!("few"), &json!(1))
    );
    assert_eq!(
        (&first["action"], &first["route"], &first["before"]),
        (&json!("set"), &json!("few"), &Value::Null),
        "{audit}"
    );
}

#[tokio::test]
async fn the_administrator_sets_what_holds_for_some_calls() {
    let house = House::new(&format!(
        "{}[cache]\n[aliases]\nfew = \"sim/a\"\n[limits]\nmax_wait = \"0\"\nrules = [{{ route = \"few\", requests = 1, per = \"1h\" }}]\n\
         [policies.fixed]\nkeys = [\"ada\"]\nguard = {{ max_request = \"1KiB\" }}\n",
        administered()
    ))
    .await;
    let (_, issued) = house.admin("POST", "keys", json!({ "name": "eve" })).await;
    let eve = issued["key"].as_str().expect("a key").to_owned();
    let few = HELLO.replace("sim/a", "few");
    assert_eq!(house.ask("POST", CHAT, "k-ada", &few).await.0, 200);
    assert_eq!((house.chat("k-ada").await.0, house.chat(&eve).await.0), (200, 200));

    let said = json!({ "keys": ["eve"], "models": ["sim/*"], "guard": { "max_request": 4 }, "cache": false });
    let (status, answer) = house.admin("PUT", "policies/small", said.clone()).await;
    assert_eq!((status, &answer["object"], &answer["name"]), (201, &json!("policy"), &json!("small")), "{answer}");
    assert_eq!(answer["guard"], said["guard"]);
    let (status, refused) = house.chat(&eve).await;
    assert!(status == 400 && refused.contains("more than 4 bytes"), "in force for the next one: {refused}");
    assert_eq!(house.ask("POST", CHAT, &eve, &few).await.0, 400, "by an alias, too");
    assert_eq!(house.chat("k-ada").await.0, 200);
    let other = HELLO.replace("sim/a", "few").replace("pepper", "salt");
    assert_eq!(house.ask("POST", CHAT, "k-ada", &other).await.0, 429, "what was used of a limit stays used");

    let (status, changed) = house.admin("PATCH", "policies/small", json!({ "guard": { "max_request": "1KiB" } })).await;
    assert_eq!((status, &changed["guard"]["max_request"]), (200, &json!("1KiB")), "{changed}");
    assert_eq!(house.chat(&eve).await.0, 200);
    assert_eq!(house.admin("PUT", "policies/small", said.clone()).await.0, 200);
    assert_eq!(house.chat(&eve).await.0, 400);
    assert_eq!(house.admin("GET", "policies", Value::Null).await.1["data"][0]["keys"], json!(["eve"]));
    let (_, config) = house.admin("GET", "config", Value::Null).await;
    for field in ["policies.small.guard.max_request", "policies.fixed.keys[0]"] {
        assert!(config.to_string().contains(field), "{field} in {config}");
    }

    let of = |more: Value| -> Value {
        let fields = [said.clone(), more].into_iter().filter_map(|one| one.as_object().cloned()).flatten();
        fields.collect::<serde_json::Map<_, _>>().into()
    };
    house
        .refuses(&[
            ("PUT", "policies/fixed", said.clone(), 409, "stands in the configuration"),
            ("DELETE", "policies/fixed", Value::Null, 409, "stands in the configuration"),
            ("DELETE", "policies/none", Value::Null, 404, "no policy"),
            ("POST", "policies", said.clone(), 405, "GET"),
            ("PUT", "policies/odd", json!({}), 422, "is for no calls"),
            ("PUT", "policies/odd", json!({ "keys": ["eve"] }), 422, "says nothing"),
            ("PUT", "policies/odd", of(json!({ "models": ["simm/a"] })), 422, "simm"),
            ("PUT", "policies/odd", of(json!({ "routes": ["fewer"] })), 422, "did you mean few?"),
            ("PUT", "policies/odd", of(json!({ "teams": ["rde"] })), 422, "did you mean red?"),
            ("PUT", "policies/odd", of(json!({ "retry": { "share": "50%" } })), 422, "share"),
            (
                "PUT",
                "policies/odd",
                of(json!({ "guard": { "webhook": { "url": "https://x.example" } } })),
                422,
                "configuration alone",
            ),
            (
                "PUT",
                "policies/odd",
                json!({ "keys": ["eve"], "guards": { "webhook": { "url": "https://x.example", "key": { "command": "id" } } } }),
                422,
                "configuration alone",
            ),
        ])
        .await;

    // A key can be revoked at once, whatever names it.
    assert_eq!(house.admin("DELETE", "keys/eve", Value::Null).await.0, 200);
    let (_, config) = house.admin("GET", "config", Value::Null).await;
    assert!(config["doubts"].to_string().contains("no key of the gateway"), "{config}");
    assert_eq!(house.admin("DELETE", "policies/small", Value::Null).await.0, 200);
    let (_, audit) = house.admin("GET", "audit", Value::Null).await;
    let last = &audit["data"][0];
    assert_eq!((&last["action"], &last["policy"], &last["before"]), (&json!("remove"), &json!("small"), &said));
}

#[tokio::test]
async fn issued_keys_outlive_the_process_and_are_their_owners_alone() {
    let house = House::new(&administered()).await;
    let (_, issued) = house.admin("POST", "keys", json!({ "name": "eve" })).await;
    let key = issued["key"].as_str().expect("a key").to_owned();
    #[cfg(unix)]
    for name in ["state", "state.audit"] {
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(house.folder.join(name)).expect(name).permissions(),
        );
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let begin = || Client::builder().env(Env::none()).service("sim", Simulator::new());
    let again = Live::built_on(house.live.loader().clone(), begin).expect("a configuration");
    assert!(again.config().gateway.keys.contains_key("eve"));
    let gateway = Gateway::live(&again).expect("a gateway");
    house.gateway.become_like(&gateway);
    assert_eq!(house.chat(&key).await.0, 200);
    // One name cannot be in both.
    house.say(&format!("{}[gateway.keys.eve]\nhash = \"{}\"\n", administered(), hash("x")));
    let refused = house.gateway.reload().expect_err("twice");
    assert!(
        refused.message().contains("gateway.keys.eve: is in the configuration and was set by the administrator, too"),
        "{refused}"
    );
}

#[tokio::test]
async fn the_administrators_api_is_for_the_administrator() {
    let house = House::new(&administered()).await;
    for key in ["", "k-ada", "guess"] {
        for path in ["keys", "config", "audit", "usage", "nothing"] {
            let (status, answer) = house.ask("GET", &format!("/admin/v1/{path}"), key, "").await;
            assert_eq!(status, 401, "{key} {path}: {answer}");
        }
    }
    let (_, config) = house.admin("GET", "config", Value::Null).await;
    assert!(config.to_string().contains("gateway.admin_key") && !config.to_string().contains(ADMIN), "{config}");
    assert_eq!(house.admin("GET", "usage?by=key", Value::Null).await.0, 200);
    assert_eq!(house.admin("POST", "reload", Value::Null).await.0, 200);

    // Where everybody is let in nobody is the administrator.
    let open = House::new("[gateway]\nmodels = [\"sim/a\"]\n").await;
    assert_eq!(open.chat("").await.0, 200);
    assert_eq!(open.ask("GET", "/admin/v1/keys", "", "").await.0, 403);
    // Without a state nothing can be kept.
    let fixed =
        House::new(&format!("[gateway]\nadmin_key = \"{ADMIN}\"\n[gateway.keys.ada]\nhash = \"{}\"\n", hash("a")))
            .await;
    let (status, answer) = fixed.admin("POST", "keys", json!({ "name": "eve" })).await;
    assert!(status == 409 && answer.to_string().contains("gateway.state"), "{answer}");
}

#[tokio::test]
async fn the_access_log_has_a_line_for_each_request_and_no_prompt() {
    let house = House::new(&format!(
        "[gateway]\nstate = \"{{state}}\"\naccess_log = {{ path = \"{{state}}.log\" }}\n[gateway.keys.ada]\nhash = \"{}\"\n{PRICES}",
        hash("k-ada")
    ))
    .await;
    let streamed = HELLO.replacen('{', "{\"stream\":true,", 1);
    assert_eq!(house.chat("k-ada").await.0, 200);
    assert_eq!(house.ask("POST", CHAT, "k-ada", &streamed).await.0, 200);
    assert_eq!(house.ask("POST", &format!("{CHAT}?key=k-secret"), "", HELLO).await.0, 401);
    let embed = r#"{"model":"sim/a","input":"salt and pepper"}"#;
    assert_eq!(house.ask("POST", "/v1/embeddings", "k-ada", embed).await.0, 200);
    let lines = || -> Vec<Value> {
        house.read("state.log").lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    while lines().len() < 4 {
        tokio::task::yield_now().await;
    }
    let mut lines = lines();
    let embedded = lines.pop().expect("four");
    assert_eq!((&embedded["format"], &embedded["attempts"]), (&json!("embed"), &json!(1)), "{embedded}");
    assert!(embedded["input_tokens"].as_u64() > Some(0), "{embedded}");
    for (line, status) in lines.iter().zip([200, 200, 401]) {
        assert_eq!((&line["status"], &line["path"]), (&json!(status), &json!(CHAT)), "{line}");
        for field in ["time", "id", "seconds", "first_byte_seconds"] {
            assert!(!line[field].is_null(), "{field} in {line}");
        }
    }
    for line in &lines[..2] {
        assert_eq!((&line["key"], &line["format"]), (&json!("ada"), &json!("openai-chat")), "{line}");
        assert_eq!((&line["provider"], &line["model"], &line["attempts"]), (&json!("sim"), &json!("a"), &json!(1)));
        assert!(line["input_tokens"].as_u64() > Some(0) && line["nano_usd"].as_u64() > Some(0), "{line}");
    }
    let text = house.read("state.log");
    assert!(!text.contains("pepper") && !text.contains("k-secret") && !text.contains("k-ada"), "{text}");
    drop(AccessLog::file(house.folder.join("nowhere/log")).expect_err("no folder"));
}
