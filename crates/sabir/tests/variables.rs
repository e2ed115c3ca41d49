//! The variables that providers are set up by.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sabir::transport::{Body, BoxFuture, whole};
use sabir::{Client, Env, ErrorKind, Provider, Result, Transport};
use serde_json::Value;

/// Keeps what it is given, and answers like the service that it takes the request to be for.
#[derive(Clone, Debug, Default)]
struct Wire(Arc<Mutex<Vec<http::Request<Bytes>>>>);

impl Transport for Wire {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>>> {
        let path = request.uri().path().to_owned();
        self.0.lock().expect("a lock").push(request);
        let body = if path.ends_with("/chat/completions") {
            r#"{"id":"1","model":"m","choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}"#
        } else {
            r#"[{"generated_text":"hi"}]"#
        };
        Box::pin(async move { Ok(http::Response::new(whole(body))) })
    }
}

/// What a provider is sent in an environment: whatever comes of it.
async fn sent(provider: &str, env: &[(&str, &str)]) -> http::Request<Bytes> {
    let wire = Wire::default();
    let env = env.iter().copied().collect();
    let client = Client::builder().env(env).transport(wire.clone()).provider(provider).build().expect("a client");
    let _ = client.complete("hi").await;
    let sent = wire.0.lock().expect("a lock").pop();
    sent.unwrap_or_else(|| panic!("{provider}: nothing was sent"))
}

fn header<'r>(request: &'r http::Request<Bytes>, name: &str) -> &'r str {
    request.headers().get(name).map_or("", |value| value.to_str().expect("text"))
}

/// The variables that the specification names for providers: who reads them, where the key goes, the path of a request
/// for the model `env-model` behind the base URL.
const SPECIFIED: &[(&str, [&str; 3], &str, &str)] = &[
    ("openai", ["OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"], "authorization", "/chat/completions"),
    ("anthropic", ["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "ANTHROPIC_MODEL"], "x-api-key", "/v1/messages"),
    ("cohere", ["COHERE_API_KEY", "COHERE_BASE_URL", "COHERE_MODEL"], "authorization", "/v2/chat"),
    ("cohere-v1", ["COHERE_API_KEY", "COHERE_BASE_URL", "COHERE_MODEL"], "authorization", "/v1/chat"),
    (
        "huggingface",
        ["HUGGINGFACE_API_KEY", "HUGGINGFACE_BASE_URL", "HUGGINGFACE_MODEL"],
        "authorization",
        "/chat/completions",
    ),
    ("huggingface-textgen", ["HUGGINGFACE_API_KEY", "HUGGINGFACE_BASE_URL", "HUGGINGFACE_MODEL"], "authorization", ""),
    (
        "gemini",
        ["GEMINI_API_KEY", "GEMINI_BASE_URL", "GEMINI_MODEL"],
        "x-goog-api-key",
        "/models/env-model:generateContent",
    ),
    ("deepseek", ["DEEPSEEK_API_KEY", "DEEPSEEK_BASE_URL", "DEEPSEEK_MODEL"], "authorization", "/chat/completions"),
    ("ollama", ["OLLAMA_API_KEY", "OLLAMA_BASE_URL", "OLLAMA_MODEL"], "authorization", "/api/chat"),
    (
        "siliconflow",
        ["SILICONFLOW_API_KEY", "SILICONFLOW_BASE_URL", "SILICONFLOW_MODEL"],
        "authorization",
        "/chat/completions",
    ),
    ("kimi", ["KIMI_API_KEY", "KIMI_BASE_URL", "KIMI_MODEL"], "authorization", "/chat/completions"),
    ("kimi", ["MOONSHOT_API_KEY", "MOONSHOT_BASE_URL", "MOONSHOT_MODEL"], "authorization", "/chat/completions"),
    ("custom", ["CUSTOM_API_KEY", "CUSTOM_BASE_URL", "CUSTOM_MODEL"], "authorization", "/chat/completions"),
];

#[tokio::test]
async fn each_variable_of_the_specification_is_read() {
    for (provider, [key, base_url, model], header_name, path) in SPECIFIED {
        let env = [(*key, "the-key"), (*base_url, "https://given.test/x"), (*model, "env-model")];
        let request = sent(provider, &env).await;
        assert_eq!(request.uri().to_string(), format!("https://given.test/x{path}"), "{provider}");
        let expected = if *header_name == "authorization" { "Bearer the-key" } else { "the-key" };
        assert_eq!(header(&request, header_name), expected, "{provider}");
        let body: Value = serde_json::from_slice(request.body()).expect("JSON");
        assert!(path.contains("env-model") || body["model"] == "env-model", "{provider}: {body}");
    }
}

#[tokio::test]
async fn settings_of_old_still_hold() {
    // As the specification has them: Cohere's older host and version, its model `command`, retired ids as they are.
    let cohere =
        [("COHERE_API_KEY", "k"), ("COHERE_BASE_URL", "https://api.cohere.ai/v1"), ("COHERE_MODEL", "command")];
    for (provider, url, prompt) in [
        ("cohere", "https://api.cohere.ai/v2/chat", "messages"),
        ("cohere-v1", "https://api.cohere.ai/v1/chat", "message"),
        ("cohere:v1-chat", "https://api.cohere.ai/v1/chat", "message"),
    ] {
        let request = sent(provider, &cohere).await;
        assert_eq!(request.uri(), url, "{provider}");
        let body: Value = serde_json::from_slice(request.body()).expect("JSON");
        assert!(body["model"] == "command" && body.get(prompt).is_some(), "{provider}: {body}");
    }
    for base_url in ["https://api.anthropic.com", "https://api.anthropic.com/v1", "https://api.anthropic.com/v1/"] {
        let env = [
            ("ANTHROPIC_API_KEY", "k"),
            ("ANTHROPIC_BASE_URL", base_url),
            ("ANTHROPIC_MODEL", "claude-3-sonnet-20240229"),
        ];
        let request = sent("anthropic", &env).await;
        assert_eq!(request.uri(), "https://api.anthropic.com/v1/messages", "{base_url}");
        assert_eq!(header(&request, "anthropic-version"), "2023-06-01");
        let body: Value = serde_json::from_slice(request.body()).expect("JSON");
        assert_eq!(body["model"], "claude-3-sonnet-20240229");
    }
}

#[tokio::test]
async fn a_token_goes_as_a_bearer_in_place_of_the_key() {
    let both = [("ANTHROPIC_AUTH_TOKEN", "token"), ("ANTHROPIC_API_KEY", "key")];
    for env in [&both[..1], &both] {
        let request = sent("anthropic", env).await;
        assert_eq!((header(&request, "authorization"), header(&request, "x-api-key")), ("Bearer token", ""));
    }
    let request = sent("anthropic", &both[1..]).await;
    assert_eq!((header(&request, "authorization"), header(&request, "x-api-key")), ("", "key"));

    let env: Env = both.into_iter().collect();
    let transport: Arc<dyn Transport> = Arc::new(Wire::default());
    let anthropic = || Provider::builtin("anthropic").expect("a row");
    let explicit = anthropic().key("mine").endpoint(&env, &transport).expect("an endpoint");
    assert_eq!(
        (explicit.key, explicit.auth),
        (Some("mine".into()), sabir::Auth::Header("x-api-key".parse().expect("a name")))
    );
    let otherwise = anthropic().auth(sabir::Auth::Query("key".into())).endpoint(&env, &transport).expect("an endpoint");
    assert_eq!((otherwise.key, otherwise.auth), (Some("key".into()), sabir::Auth::Query("key".into())));
    assert!(anthropic().has_key(&both[..1].iter().copied().collect()));
    let error = anthropic().endpoint(&Env::none(), &transport).expect_err("no key");
    assert!(error.message().contains("set ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN or"), "{error}");
}

#[tokio::test]
async fn openai_is_told_the_organization_and_the_project() {
    let key = ("OPENAI_API_KEY", "k");
    for (organization, project) in [("OPENAI_ORG_ID", "OPENAI_PROJECT_ID"), ("OPENAI_ORGANIZATION", "OPENAI_PROJECT")] {
        let request = sent("openai", &[key, (organization, "org-1"), (project, "proj-1")]).await;
        let told = (header(&request, "openai-organization"), header(&request, "openai-project"));
        assert_eq!(told, ("org-1", "proj-1"));
    }
    let request = sent("openai", &[key]).await;
    assert!(
        !request.headers().contains_key("openai-organization") && !request.headers().contains_key("openai-project")
    );
    let request = sent("groq", &[("GROQ_API_KEY", "k"), ("OPENAI_ORG_ID", "org-1")]).await;
    assert!(!request.headers().contains_key("openai-organization"), "it is OpenAI's alone");

    let env: Env = [("OPENAI_ORG_ID", "org-1"), ("OPENAI_PROJECT", "two\nlines")].into_iter().collect();
    let openai = Provider::builtin("openai").expect("a row");
    let error = openai.endpoint_without_key(&env).expect_err("no header");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("OPENAI_PROJECT") && !error.message().contains("lines"), "{error}");
    let env: Env = [("OPENAI_ORG_ID", "org-1")].into_iter().collect();
    let said = openai.header("openai-organization".parse().expect("a name"), "mine".parse().expect("a value"));
    assert_eq!(said.endpoint_without_key(&env).expect("an endpoint").headers["openai-organization"], "mine");
}

#[tokio::test]
async fn a_host_that_is_gone_is_replaced_and_that_is_said() {
    for base_url in [
        "https://api-inference.huggingface.co",
        "https://api-inference.huggingface.co/",
        "https://api-inference.huggingface.co/models",
        "https://API-inference.huggingface.co/models/org/name",
        "api-inference.huggingface.co",
    ] {
        for (provider, url) in [
            ("huggingface", "https://router.huggingface.co/v1/chat/completions"),
            ("huggingface-textgen", "https://router.huggingface.co/hf-inference/models/org/name"),
        ] {
            let wire = Wire::default();
            let env: Env = [("HF_TOKEN", "k"), ("HUGGINGFACE_BASE_URL", base_url)].into_iter().collect();
            let model = format!("{provider}/org/name");
            let builder = || Client::builder().env(env.clone()).transport(wire.clone()).model(model.clone());
            let answer = builder().build().expect("a client").chat("hi").await.expect("an answer");
            assert_eq!(wire.0.lock().expect("a lock")[0].uri(), url, "{provider} at {base_url}");
            let told: Vec<_> = answer.losses.iter().filter(|loss| loss.path == "base_url").collect();
            assert!(told.len() == 1 && told[0].note.contains("router.huggingface.co"), "{:?}", answer.losses);

            let error = builder().strict().build().expect("a client").chat("hi").await.expect_err("strict");
            assert!(error.kind() == ErrorKind::Unsupported && error.message().contains("is gone"), "{error}");
            assert_eq!(wire.0.lock().expect("a lock").len(), 1);
        }
    }
    let kept = [("HF_TOKEN", "k"), ("HUGGINGFACE_BASE_URL", "https://mine.test/api-inference.huggingface.co")];
    assert_eq!(sent("huggingface", &kept).await.uri().host(), Some("mine.test"));
}
