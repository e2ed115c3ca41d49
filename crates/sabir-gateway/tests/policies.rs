//! What a gateway does for some calls otherwise than for all.

use bytes::Bytes;
use futures_util::StreamExt as _;
use http_body_util::Full;
use sabir::config::{Format, KeyHash, Loader};
use sabir::{Client, Env, Registry};
use sabir_gateway::{Gateway, Keys};
use sabir_sim::{Answer, Failure, Script, Simulator, Turn};
use serde_json::Value;

/// A gateway over three simulators: `sim` answers, `down` is overloaded, `slow` answers after an hour.
struct House {
    gateway: Gateway,
    sim: Simulator,
    down: Simulator,
}

impl House {
    /// With this configuration, and keys for ada, who is of the team red, for bob and for eve.
    fn new(said: &str) -> Self {
        let hash = |key: &str| KeyHash(Keys::hash(&key.into())).to_string();
        let said = format!(
            "[gateway.keys.ada]\nhash = \"{}\"\nteam = \"red\"\n[gateway.keys.bob]\nhash = \"{}\"\n\
             [gateway.keys.eve]\nhash = \"{}\"\n[gateway.teams.red]\n[breaker]\nenabled = false\n{said}",
            hash("ada"),
            hash("bob"),
            hash("eve")
        );
        let down = Script::new().turn(Turn::error(Failure::new(503, "overloaded")).forever());
        let hour = std::time::Duration::from_secs(3_600);
        let slow = Script::new().turn(Turn::answer(Answer::text("At last.")).delay_before(hour).forever());
        let (sim, down) = (Simulator::new(), Simulator::scripted(down));
        let registry = Registry::empty();
        let mut loader = Loader::new().text("sabir.toml", said, Format::Toml);
        for (id, service) in [("sim", sim.clone()), ("down", down.clone()), ("slow", Simulator::scripted(slow))] {
            registry.register_service(id, service);
            loader = loader.service(id);
        }
        let config = loader.load().unwrap_or_else(|faults| panic!("{faults}"));
        let client = Client::builder().registry(registry).env(Env::none()).config(&config).expect("layers");
        let gateway = Gateway::from_config(client.build().expect("a client"), &config).expect("a gateway");
        Self { gateway, sim, down }
    }

    /// Asks with a key, and gives the status and the answer.
    async fn ask(&self, path: &str, key: &str, body: &str) -> (u16, String) {
        let request = http::Request::post(path).header("x-api-key", key);
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).expect("a request");
        let (head, mut pieces) = self.gateway.answer(request).await.into_parts();
        let mut answer = Vec::new();
        while let Some(piece) = pieces.next().await {
            answer.extend_from_slice(&piece.expect("a piece"));
        }
        (head.status.as_u16(), String::from_utf8_lossy(&answer).into_owned())
    }

    async fn chat(&self, key: &str, model: &str, text: &str) -> (u16, String) {
        let body =
            format!(r#"{{"model":"{model}","max_tokens":100,"messages":[{{"role":"user","content":"{text}"}}]}}"#);
        self.ask("/v1/chat/completions", key, &body).await
    }
}

#[tokio::test(start_paused = true)]
async fn one_key_is_tried_again_and_another_is_not() {
    let house = House::new(
        "[retry]\nmax_attempts = 1\n[policies.patient]\nkeys = [\"ada\"]\nretry = { max_attempts = 4 }\n\
         [policies.eager]\nteams = [\"red\"]\nretry = { max_attempts = 2 }\n",
    );
    for (key, times) in [("ada", 4), ("bob", 1)] {
        let before = house.down.served();
        let (status, answer) = house.chat(key, "down/m", "Hello").await;
        assert!((500..600).contains(&status), "{answer}");
        assert_eq!(house.down.served() - before, times, "{key}");
    }
}

#[tokio::test]
async fn a_guard_refuses_one_key_in_the_dialect_of_its_client() {
    let house = House::new("[policies.small]\nkeys = [\"ada\"]\nguard = { max_request = \"8B\" }\n");
    let words = "Hello, pepper";
    for (path, body, shape) in [
        (
            "/v1/chat/completions",
            r#"{"model":"sim/a","messages":[{"role":"user","content":"Hello, pepper"}]}"#,
            &["/error/message", "/error/type"][..],
        ),
        (
            "/v1/messages",
            r#"{"model":"sim/a","max_tokens":9,"messages":[{"role":"user","content":"Hello, pepper"}]}"#,
            &["/error/message", "/error/type", "/type"],
        ),
        (
            "/v1beta/models/sim%2Fa:generateContent",
            r#"{"contents":[{"parts":[{"text":"Hello, pepper"}]}]}"#,
            &["/error/message", "/error/status"],
        ),
        (
            "/model/sim%2Fa/converse",
            r#"{"messages":[{"role":"user","content":[{"text":"Hello, pepper"}]}]}"#,
            &["/message", "/__type"],
        ),
    ] {
        let (status, answer) = house.ask(path, "ada", body).await;
        assert_eq!(status, 400, "{path}: {answer}");
        assert!(answer.contains("more than 8 bytes") && !answer.contains("pepper"), "{path}: {answer}");
        let json: Value = serde_json::from_str(&answer).expect("JSON");
        for field in shape {
            assert!(json.pointer(field).is_some_and(Value::is_string), "{path}: {field} in {answer}");
        }
        assert_eq!(house.ask(path, "bob", body).await.0, 200, "{path}");
    }
    assert_eq!(house.sim.served(), 4, "what is refused is asked of nobody");
    assert_eq!(house.chat("ada", "sim/a", "Hello").await.0, 200);
    assert_eq!(house.chat("ada", "sim/a", words).await.0, 400);
}

#[tokio::test(start_paused = true)]
async fn a_model_and_a_route_have_time_limits_of_their_own() {
    let house = House::new(
        "[aliases]\nsoon = \"slow/m\"\nlater = \"slow/m\"\n[retry]\nmax_attempts = 1\n[timeouts]\nwhole = \"50s\"\n\
         [policies.model]\nmodels = [\"slow/n\"]\ntimeouts = { whole = \"30s\" }\n\
         [policies.route]\nroutes = [\"soon\"]\ntimeouts = { whole = \"11s\" }\n\
         [policies.team]\nteams = [\"red\"]\ndeadline = \"13s\"\n",
    );
    for (key, model, seconds) in [
        ("bob", "slow/m", 50),
        ("bob", "slow/n", 30),
        ("bob", "soon", 11),
        ("bob", "later", 50),
        ("ada", "soon", 11),
        ("ada", "slow/n", 13),
    ] {
        let begun = tokio::time::Instant::now();
        let (status, answer) = house.chat(key, model, "Hello").await;
        assert_eq!((status, begun.elapsed().as_secs()), (504, seconds), "{key} {model}: {answer}");
    }
}

#[tokio::test]
async fn a_models_guard_holds_where_a_route_leads_to_it_and_guards_add_up() {
    let house = House::new(
        "[aliases]\nboth = [\"sim/free\", \"sim/guarded\"]\nfree = \"sim/free\"\n[guard]\nmax_request = \"40B\"\n\
         [policies.model]\nmodels = [\"sim/guard*\"]\nguard = { max_request = \"8B\" }\n\
         [policies.key]\nkeys = [\"ada\"]\nguard = { max_request = \"1KiB\", redact = true }\n",
    );
    let (long, longest) = ("Hello, pepper", "Hello, pepper. ".repeat(4));
    for (key, model, text, status) in [
        ("bob", "sim/guarded", long, 400),
        ("bob", "both", long, 400),
        ("ada", "both", long, 400),
        ("bob", "both", "Hello", 200),
        ("bob", "free", long, 200),
        ("bob", "sim/free", long, 200),
        ("ada", "sim/free", &longest, 400),
        ("ada", "sim/free", long, 200),
    ] {
        let (came, answer) = house.chat(key, model, text).await;
        assert_eq!(came, status, "{key} {model}: {answer}");
    }
    for (key, is_redacted) in [("ada", true), ("bob", false)] {
        assert_eq!(house.chat(key, "free", "a.b@example.com").await.0, 200);
        let asked = house.sim.chats().pop().expect("a request").messages[0].text();
        assert_eq!(asked == "[e-mail]", is_redacted, "{key}: {asked}");
    }
}

#[tokio::test]
async fn answers_are_kept_for_some_and_not_for_others() {
    let house = House::new("[cache]\nttl = \"1h\"\n[policies.fresh]\nkeys = [\"bob\"]\ncache = false\n");
    for (key, calls) in [("ada", 1), ("bob", 3)] {
        let before = house.sim.served();
        for _ in 0..3 {
            assert_eq!(house.chat(key, "sim/a", "Hello").await.0, 200);
        }
        assert_eq!(house.sim.served() - before, calls, "{key}");
    }
}
