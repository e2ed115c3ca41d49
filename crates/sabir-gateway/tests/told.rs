//! What answers say of themselves in `x-sabir-*` headers: the same, whole or as a stream.

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{Method, Response};
use http_body_util::Full;
use sabir::layers::{Cache, Route, Routes, Stack};
use sabir::transport::Body;
use sabir::{Client, Env};
use sabir_gateway::{Gateway, Keys, VirtualKey};
use sabir_sim::{Failure, Fault, Loopback, Simulator, Turn};

fn gateway(simulator: &Simulator, stack: Stack) -> Gateway {
    let keys = ["OPENAI_API_KEY", "GEMINI_API_KEY", "AWS_BEARER_TOKEN_BEDROCK"].map(|name| (name, "k"));
    let env: Env = keys.into_iter().chain([("AWS_REGION", "eu-west-3")]).collect();
    let client = Client::builder().env(env).transport(Loopback::new(simulator.clone())).stack(stack);
    Gateway::new(client.build().expect("a client"))
}

async fn post(gateway: &Gateway, path: &str, body: &str) -> Response<Body> {
    let request = http::Request::builder().method(Method::POST).uri(path).header("anthropic-version", "2023-06-01");
    let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).expect("a request");
    gateway.answer(request).await
}

/// What is said, as `provider=openai model=…`, in the order of the names.
fn said(response: &Response<Body>) -> String {
    let mut said: Vec<String> = Vec::new();
    for (name, value) in response.headers() {
        if let Some(name) = name.as_str().strip_prefix("x-sabir-").filter(|name| *name != "request-id") {
            said.push(format!("{name}={}", value.to_str().expect("text")));
        }
    }
    said.sort();
    said.join(" ")
}

/// Asks for an answer, reads it to its end, and gives what it said.
async fn one(gateway: &Gateway, model: &str, stream: bool) -> String {
    let body = format!(
        r#"{{"model":"{model}","max_tokens":100,"top_k":3,"stream":{stream},
            "messages":[{{"role":"user","content":"Hello"}}]}}"#
    );
    let mut response = post(gateway, "/v1/messages", &body).await;
    assert_eq!(response.status(), 200);
    while let Some(piece) = response.body_mut().next().await {
        piece.expect("a piece");
    }
    said(&response)
}

/// Asks for a whole answer, and then for a stream.
async fn both(gateway: &Gateway, model: &str) -> [String; 2] {
    [one(gateway, model, false).await, one(gateway, model, true).await]
}

#[tokio::test]
async fn for_a_strict_key_nothing_is_lost() {
    let keys = Keys::new();
    let mut about = VirtualKey::new("exact");
    about.strict = true;
    let strict = keys.issue(about).expect("a key");
    let any = keys.issue(VirtualKey::new("any")).expect("a key");
    let gateway = gateway(&Simulator::new(), Stack::new()).keys(keys);
    let body = |field: &str| {
        let asked = r#""max_tokens":100,"messages":[{"role":"user","content":"Hello"}]"#;
        format!(r#"{{"model":"openai/gpt-4o",{field}{asked}}}"#)
    };
    for (key, field, status) in [(&any, r#""top_k":3,"#, 200), (&strict, r#""top_k":3,"#, 400), (&strict, "", 200)] {
        let request =
            http::Request::builder().method(Method::POST).uri("/v1/messages").header("x-api-key", key.expose());
        let request = request.body(Full::new(Bytes::from(body(field)))).expect("a request");
        let mut response = gateway.answer(request).await;
        assert_eq!(response.status(), status, "{field}");
        let mut told = Vec::new();
        while let Some(piece) = response.body_mut().next().await {
            told.extend_from_slice(&piece.expect("a piece"));
        }
        assert_eq!(status == 400, String::from_utf8_lossy(&told).contains("top_k"), "{field}");
    }
}

#[tokio::test]
async fn a_stream_tells_who_answers_and_what_is_lost() {
    let gateway = gateway(&Simulator::new(), Stack::new());
    for (model, expected) in [
        ("openai/gpt-4o", "attempts=1 losses=top_k model=gpt-4o provider=openai"),
        ("gemini/gemini-3-flash", "attempts=1 model=gemini-3-flash provider=gemini"),
    ] {
        assert_eq!(both(&gateway, model).await, [expected; 2], "{model}");
    }
    // Its answers do not say which model it was.
    for heard in both(&gateway, "bedrock/m").await {
        assert!(heard.ends_with(" model=m provider=bedrock"), "{heard}");
    }
}

#[tokio::test]
async fn after_others_failed_it_is_who_answered_at_last() {
    // By a status, and by a stream that breaks before it says anything.
    let failing = [Turn::error(Failure::new(503, "busy")), Turn::text("Hello.").fault(Fault::EmptyBody)];
    for turn in failing {
        for stream in [false, true] {
            let simulator = Simulator::new();
            let routes = Routes::new([Route::named("fast", ["openai/gpt-4o", "gemini/gemini-3-flash"])]);
            let gateway = gateway(&simulator, Stack::new().routes(routes));
            simulator.push(turn.clone().when_model("gpt-4o"));
            let heard = one(&gateway, "fast", stream).await;
            assert_eq!(heard, "attempts=2 model=gemini-3-flash provider=gemini", "{turn:?}, stream: {stream}");
        }
    }
}

#[tokio::test]
async fn an_error_tells_whose_it_is() {
    let simulator = Simulator::new();
    simulator.push(Turn::error(Failure::new(503, "busy")).times(4));
    let routes = Routes::new([Route::named("fast", ["openai/gpt-4o", "gemini/gemini-3-flash"])]);
    let gateway = gateway(&simulator, Stack::new().routes(routes));
    let ask = |model: &str| format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"Hello"}}]}}"#);
    let failed = post(&gateway, "/v1/chat/completions", &ask("fast")).await;
    assert_eq!(
        (failed.status().as_u16(), said(&failed).as_str()),
        (503, "attempts=2 model=gemini-3-flash provider=gemini")
    );
    let nobodys = post(&gateway, "/v1/chat/completions", &ask("nobody/m")).await;
    assert_eq!((nobodys.status().as_u16(), said(&nobodys).as_str()), (404, ""), "nobody was asked");
}

#[tokio::test]
async fn what_was_there_already_is_a_hit_and_nothing_else_is() {
    let gateway = gateway(&Simulator::new(), Stack::new().cache(Cache::default()));
    let [whole, stream] = both(&gateway, "gemini/gemini-3-flash").await;
    assert_eq!(whole, "attempts=1 model=gemini-3-flash provider=gemini");
    let hit = "attempts=1 cache=hit cost=0.000000000 model=gemini-3-flash provider=gemini";
    assert_eq!([&whole, &stream], ["attempts=1 model=gemini-3-flash provider=gemini", hit]);
    assert_eq!(both(&gateway, "gemini/gemini-3-flash").await, [hit; 2]);
}

#[tokio::test]
async fn vectors_and_counts_tell_it_too() {
    let gateway = gateway(&Simulator::new(), Stack::new().cache(Cache::default()));
    let embed = r#"{"model":"openai/text-embedding-3-small","input":"salt"}"#;
    let count = r#"{"model":"gemini/gemini-3-flash","messages":[{"role":"user","content":"Hello"}]}"#;
    // One that does not say whose its answers are.
    let client = Client::builder().env(Env::none()).service("sim", Simulator::new()).build().expect("a client");
    let response = post(&Gateway::new(client), "/v1/embeddings", r#"{"model":"sim/a","input":"salt"}"#).await;
    assert_eq!(said(&response), "attempts=1 model=a provider=sim");
    for (path, body, expected) in [
        ("/v1/embeddings", embed, "attempts=1 model=text-embedding-3-small provider=openai"),
        ("/v1/embeddings", embed, "attempts=1 cache=hit cost=0.000000000 model=text-embedding-3-small provider=openai"),
        ("/v1/messages/count_tokens", count, "attempts=1 model=gemini-3-flash provider=gemini"),
    ] {
        let response = post(&gateway, path, body).await;
        assert_eq!((response.status().as_u16(), said(&response).as_str()), (200, expected), "{path}");
    }
}
