//! Providers without a key of their own: AWS identities, and tokens that are fetched.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sabir::credentials::{self, aws::Credentials};
use sabir::transport::{Body, BoxFuture, whole};
use sabir::{Auth, ChatRequest, Client, Env, ErrorKind, Provider, Result, Secret, Stage, Transport};

/// Keeps what it is given: URL and `authorization`. Answers as Bedrock does.
#[derive(Clone, Debug, Default)]
struct Wire(Arc<Mutex<Vec<(String, String)>>>);

impl Transport for Wire {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>>> {
        let key = request.headers().get("authorization").map_or("", |v| v.to_str().expect("text")).to_owned();
        self.0.lock().expect("a lock").push((request.uri().to_string(), key));
        let body = r#"{"output":{"message":{"role":"assistant","content":[{"text":"hi"}]}},"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":1,"totalTokens":2}}"#;
        Box::pin(async move { Ok(http::Response::new(whole(body))) })
    }
}

impl Wire {
    fn client(&self, env: &[(&str, &str)]) -> Client {
        // No home: a developer's own profile must not change what the tests see.
        let env = env.iter().copied().chain([("HOME", "/nowhere")]).collect();
        Client::builder().env(env).transport(self.clone()).build().expect("a client")
    }

    fn last(&self) -> (String, String) {
        self.0.lock().expect("a lock").last().expect("a request").clone()
    }
}

fn ask() -> ChatRequest {
    ChatRequest::new("bedrock/amazon.nova-micro-v1:0").user("hi")
}

#[tokio::test]
async fn bedrock_signs_or_sends_its_bearer_key() {
    let wire = Wire::default();
    let region = ("AWS_REGION", "eu-west-3");
    let keys = [region, ("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    wire.client(&keys).chat(ask()).await.expect("an answer");
    let (url, authorization) = wire.last();
    assert!(url.starts_with("https://bedrock-runtime.eu-west-3.amazonaws.com/model/"), "{url}");
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKID/"), "{authorization}");
    assert!(authorization.contains("/eu-west-3/bedrock/aws4_request"), "{authorization}");

    wire.client(&[region, ("AWS_BEARER_TOKEN_BEDROCK", "ABSK")]).chat(ask()).await.expect("an answer");
    assert_eq!(wire.last().1, "Bearer ABSK");

    let client = wire.client(&keys);
    client.registry().register(Provider::builtin("aws").expect("an alias").key("given").base_url("https://vpc.test"));
    client.chat(ask()).await.expect("an answer");
    let (url, authorization) = wire.last();
    assert!(url.starts_with("https://vpc.test/model/") && authorization == "Bearer given", "{url} {authorization}");
}

#[tokio::test]
async fn code_says_whose_identity_is_used() {
    let wire = Wire::default();
    let client = wire.client(&[("AWS_ACCESS_KEY_ID", "AKENV"), ("AWS_SECRET_ACCESS_KEY", "s")]);
    let identity = |name: &'static str| {
        move |aws: credentials::aws::Aws| {
            let keys = Credentials { access_key: name.into(), secret_key: "x".into(), session_token: None };
            aws.keys(keys).region("us-west-2")
        }
    };
    client.registry().register(Provider::builtin("bedrock").expect("a row").aws(identity("AKCODE")));
    client.chat(ask()).await.expect("an answer");
    let (url, authorization) = wire.last();
    assert!(url.starts_with("https://bedrock-runtime.us-west-2.") && authorization.contains("=AKCODE/"), "{url}");

    let mine = Provider::custom("mine", "bedrock-converse", "https://proxy.test").expect("a provider");
    client.registry().register(mine.aws(identity("AKMINE")));
    client.chat(ChatRequest::new("mine/m").user("hi")).await.expect("an answer");
    let (url, authorization) = wire.last();
    assert!(url.starts_with("https://proxy.test/model/") && authorization.contains("=AKMINE/"), "{url}");
}

#[tokio::test]
async fn what_an_identity_lacks_is_said_before_anything_is_sent() {
    let wire = Wire::default();
    let cases: [(&[(&str, &str)], &str); 3] = [
        (&[], "AWS_REGION"),
        (&[("AWS_BEARER_TOKEN_BEDROCK", "ABSK")], "AWS_REGION"),
        (&[("AWS_REGION", "us-east-1")], "AWS_ACCESS_KEY_ID"),
    ];
    for (env, says) in cases {
        let error = wire.client(env).chat(ask()).await.expect_err(says);
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Configuration, Stage::NotSent), "{error}");
        assert!(error.message().contains(says) && error.message().lines().count() == 1, "{error}");
        assert_eq!(error.provider(), Some("bedrock"));
    }
    assert!(wire.0.lock().expect("a lock").is_empty());
}

#[tokio::test]
async fn a_hooks_token_is_asked_for_before_each_request() {
    let wire = Wire::default();
    let client = wire.client(&[("VERTEX_ACCESS_TOKEN", "from-env")]);
    let asked = Arc::new(Mutex::new(0));
    let counter = asked.clone();
    let hook = credentials::bearer(move || {
        let counter = counter.clone();
        async move {
            let mut count = counter.lock().expect("a lock");
            *count += 1;
            Ok(Secret::new(format!("token-{count}")))
        }
    });
    let base = "https://aiplatform.test/v1/projects/p/locations/l";
    let vertex = Provider::builtin("vertex").expect("a row").base_url(base);
    client.registry().register(vertex.clone().auth(hook));
    for number in [1, 2] {
        // The answer is Bedrock's; what counts is what was sent.
        let _ = client.chat(ChatRequest::new("vertex/gemini-4-argon").user("hi")).await;
        let (url, authorization) = wire.last();
        assert!(url.starts_with(&format!("{base}/publishers/google/models/")), "{url}");
        assert_eq!(authorization, format!("Bearer token-{number}"));
    }
    // Nobody's key is wanted where none is sent.
    let transport: Arc<dyn Transport> = Arc::new(wire);
    let endpoint = vertex.clone().auth(Auth::None).endpoint(&Env::none(), &transport).expect("no key is needed");
    assert_eq!(endpoint.key, None);
    assert_eq!(vertex.endpoint(&Env::none(), &transport).expect_err("a key").kind(), ErrorKind::Configuration);
}
