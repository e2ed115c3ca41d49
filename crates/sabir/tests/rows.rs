//! Where each built-in provider is asked, in each of its dialects, and how its key is sent.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sabir::chat::{Effort, Tool};
use sabir::dialects::providers;
use sabir::transport::{Body, BoxFuture, whole};
use sabir::{ChatRequest, Client, EmbedRequest, Env, ErrorKind, Provider, Registry, Result, Transport};

/// Keeps what it is given, and answers nothing that is to the point.
#[derive(Clone, Debug, Default)]
struct Wire(Arc<Mutex<Vec<http::Request<Bytes>>>>);

impl Transport for Wire {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>>> {
        self.0.lock().expect("a lock").push(request);
        Box::pin(async move { Ok(http::Response::new(whole("{}"))) })
    }
}

impl Wire {
    fn last(&self) -> http::Request<Bytes> {
        self.0.lock().expect("a lock").pop().expect("a request")
    }
}

/// Every variable that can hold a key holds its own name.
fn env() -> Env {
    let keys = providers::rows().iter().flat_map(|row| row.key_env).map(|name| (*name, *name));
    let places = [
        ("HOME", "/nowhere"),
        ("AWS_REGION", "eu-west-3"),
        ("AZURE_OPENAI_ENDPOINT", "https://r.openai.azure.com"),
        ("VERTEX_BASE_URL", "https://l-aiplatform.googleapis.com/v1/projects/p/locations/l"),
        ("GPUSTACK_BASE_URL", "https://stack.test/v1"),
        ("CUSTOM_BASE_URL", "https://mine.test/v1"),
        ("HF_INFERENCE_ENDPOINT", "https://e.endpoints.huggingface.cloud"),
    ];
    keys.chain(places).collect()
}

fn client(wire: &Wire, env: Env) -> Client {
    Client::builder().env(env).transport(wire.clone()).build().expect("a client")
}

/// Who is asked, where that goes, and the key's variable, sent as a bearer unless a header is named before it.
const TABLE: &[(&str, &str, &str)] = &[
    ("openai", "https://api.openai.com/v1/chat/completions", "OPENAI_API_KEY"),
    ("openai:openai-responses", "https://api.openai.com/v1/responses", "OPENAI_API_KEY"),
    ("openai:openai-completions", "https://api.openai.com/v1/completions", "OPENAI_API_KEY"),
    ("anthropic", "https://api.anthropic.com/v1/messages", "x-api-key: ANTHROPIC_API_KEY"),
    ("deepseek", "https://api.deepseek.com/chat/completions", "DEEPSEEK_API_KEY"),
    ("deepseek:openai-responses", "https://api.deepseek.com/responses", "DEEPSEEK_API_KEY"),
    ("deepseek:openai-completions", "https://api.deepseek.com/beta/completions", "DEEPSEEK_API_KEY"),
    ("deepseek:anthropic-messages", "https://api.deepseek.com/anthropic/v1/messages", "DEEPSEEK_API_KEY"),
    ("siliconflow", "https://api.siliconflow.com/v1/chat/completions", "SILICONFLOW_API_KEY"),
    ("siliconflow-cn", "https://api.siliconflow.cn/v1/chat/completions", "SILICONFLOW_CN_API_KEY"),
    ("moonshot", "https://api.moonshot.ai/v1/chat/completions", "MOONSHOT_API_KEY"),
    ("moonshot:anthropic-messages", "https://api.moonshot.ai/anthropic/v1/messages", "MOONSHOT_API_KEY"),
    ("moonshot-cn", "https://api.moonshot.cn/v1/chat/completions", "MOONSHOT_CN_API_KEY"),
    ("moonshot-cn:anthropic-messages", "https://api.moonshot.cn/anthropic/v1/messages", "MOONSHOT_CN_API_KEY"),
    ("groq", "https://api.groq.com/openai/v1/chat/completions", "GROQ_API_KEY"),
    ("groq:openai-responses", "https://api.groq.com/openai/v1/responses", "GROQ_API_KEY"),
    ("openrouter", "https://openrouter.ai/api/v1/chat/completions", "OPENROUTER_API_KEY"),
    ("openrouter:openai-responses", "https://openrouter.ai/api/v1/responses", "OPENROUTER_API_KEY"),
    ("openrouter:openai-completions", "https://openrouter.ai/api/v1/completions", "OPENROUTER_API_KEY"),
    ("openrouter:anthropic-messages", "https://openrouter.ai/api/v1/messages", "OPENROUTER_API_KEY"),
    ("mistral", "https://api.mistral.ai/v1/chat/completions", "MISTRAL_API_KEY"),
    ("xai", "https://api.x.ai/v1/chat/completions", "XAI_API_KEY"),
    ("xai:openai-responses", "https://api.x.ai/v1/responses", "XAI_API_KEY"),
    ("together", "https://api.together.ai/v1/chat/completions", "TOGETHER_API_KEY"),
    ("together:openai-completions", "https://api.together.ai/v1/completions", "TOGETHER_API_KEY"),
    ("fireworks", "https://api.fireworks.ai/inference/v1/chat/completions", "FIREWORKS_API_KEY"),
    ("fireworks:openai-responses", "https://api.fireworks.ai/inference/v1/responses", "FIREWORKS_API_KEY"),
    ("fireworks:openai-completions", "https://api.fireworks.ai/inference/v1/completions", "FIREWORKS_API_KEY"),
    ("fireworks:anthropic-messages", "https://api.fireworks.ai/inference/v1/messages", "FIREWORKS_API_KEY"),
    ("perplexity", "https://api.perplexity.ai/chat/completions", "PERPLEXITY_API_KEY"),
    ("cerebras", "https://api.cerebras.ai/v1/chat/completions", "CEREBRAS_API_KEY"),
    ("sambanova", "https://api.sambanova.ai/v1/chat/completions", "SAMBANOVA_API_KEY"),
    ("nvidia", "https://integrate.api.nvidia.com/v1/chat/completions", "NVIDIA_API_KEY"),
    ("dashscope", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions", "DASHSCOPE_API_KEY"),
    (
        "dashscope:anthropic-messages",
        "https://dashscope-intl.aliyuncs.com/apps/anthropic/v1/messages",
        "DASHSCOPE_API_KEY",
    ),
    ("dashscope-cn", "https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions", "DASHSCOPE_CN_API_KEY"),
    (
        "dashscope-cn:anthropic-messages",
        "https://dashscope.aliyuncs.com/apps/anthropic/v1/messages",
        "DASHSCOPE_CN_API_KEY",
    ),
    ("zai", "https://api.z.ai/api/paas/v4/chat/completions", "ZAI_API_KEY"),
    ("zai:anthropic-messages", "https://api.z.ai/api/anthropic/v1/messages", "ZAI_API_KEY"),
    ("zai-cn", "https://open.bigmodel.cn/api/paas/v4/chat/completions", "ZHIPU_API_KEY"),
    ("zai-cn:anthropic-messages", "https://open.bigmodel.cn/api/anthropic/v1/messages", "ZHIPU_API_KEY"),
    ("minimax", "https://api.minimax.io/v1/chat/completions", "MINIMAX_API_KEY"),
    ("minimax:anthropic-messages", "https://api.minimax.io/anthropic/v1/messages", "MINIMAX_API_KEY"),
    ("huggingface", "https://router.huggingface.co/v1/chat/completions", "HF_TOKEN"),
    ("huggingface:openai-responses", "https://router.huggingface.co/v1/responses", "HF_TOKEN"),
    ("ollama", "http://localhost:11434/api/chat", "OLLAMA_API_KEY"),
    ("ollama:ollama-generate", "http://localhost:11434/api/generate", "OLLAMA_API_KEY"),
    ("ollama:openai-chat", "http://localhost:11434/v1/chat/completions", "OLLAMA_API_KEY"),
    ("ollama:openai-responses", "http://localhost:11434/v1/responses", "OLLAMA_API_KEY"),
    ("ollama:openai-completions", "http://localhost:11434/v1/completions", "OLLAMA_API_KEY"),
    ("ollama:anthropic-messages", "http://localhost:11434/v1/messages", "OLLAMA_API_KEY"),
    ("vllm", "http://localhost:8000/v1/chat/completions", "VLLM_API_KEY"),
    ("vllm:openai-responses", "http://localhost:8000/v1/responses", "VLLM_API_KEY"),
    ("vllm:openai-completions", "http://localhost:8000/v1/completions", "VLLM_API_KEY"),
    ("vllm:anthropic-messages", "http://localhost:8000/v1/messages", "VLLM_API_KEY"),
    ("sglang", "http://localhost:30000/v1/chat/completions", "SGLANG_API_KEY"),
    ("sglang:openai-responses", "http://localhost:30000/v1/responses", "SGLANG_API_KEY"),
    ("sglang:openai-completions", "http://localhost:30000/v1/completions", "SGLANG_API_KEY"),
    ("sglang:anthropic-messages", "http://localhost:30000/v1/messages", "SGLANG_API_KEY"),
    ("lmstudio", "http://127.0.0.1:1234/v1/chat/completions", "LMSTUDIO_API_KEY"),
    ("lmstudio:openai-responses", "http://127.0.0.1:1234/v1/responses", "LMSTUDIO_API_KEY"),
    ("lmstudio:openai-completions", "http://127.0.0.1:1234/v1/completions", "LMSTUDIO_API_KEY"),
    ("lmstudio:anthropic-messages", "http://127.0.0.1:1234/v1/messages", "LMSTUDIO_API_KEY"),
    ("llamacpp", "http://127.0.0.1:8080/v1/chat/completions", "LLAMACPP_API_KEY"),
    ("llamacpp:openai-responses", "http://127.0.0.1:8080/v1/responses", "LLAMACPP_API_KEY"),
    ("llamacpp:openai-completions", "http://127.0.0.1:8080/v1/completions", "LLAMACPP_API_KEY"),
    ("llamacpp:anthropic-messages", "http://127.0.0.1:8080/v1/messages", "LLAMACPP_API_KEY"),
    ("gpustack", "https://stack.test/v1/chat/completions", "GPUSTACK_API_KEY"),
    ("azure", "https://r.openai.azure.com/openai/v1/chat/completions", "api-key: AZURE_OPENAI_API_KEY"),
    ("azure:openai-responses", "https://r.openai.azure.com/openai/v1/responses", "api-key: AZURE_OPENAI_API_KEY"),
    ("custom", "https://mine.test/v1/chat/completions", "CUSTOM_API_KEY"),
    ("custom:openai-responses", "https://mine.test/v1/responses", "CUSTOM_API_KEY"),
    ("custom:openai-completions", "https://mine.test/v1/completions", "CUSTOM_API_KEY"),
    ("custom:anthropic-messages", "https://mine.test/v1/messages", "CUSTOM_API_KEY"),
    (
        "gemini",
        "https://generativelanguage.googleapis.com/v1beta/models/m:generateContent",
        "x-goog-api-key: GOOGLE_API_KEY",
    ),
    (
        "vertex",
        "https://l-aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/google/models/m:generateContent",
        "VERTEX_ACCESS_TOKEN",
    ),
    ("bedrock", "https://bedrock-runtime.eu-west-3.amazonaws.com/model/m/converse", "AWS_BEARER_TOKEN_BEDROCK"),
    ("cohere", "https://api.cohere.com/v2/chat", "COHERE_API_KEY"),
    ("cohere:cohere-v1-chat", "https://api.cohere.com/v1/chat", "COHERE_API_KEY"),
    ("cohere-v1", "https://api.cohere.com/v1/chat", "COHERE_API_KEY"),
    ("huggingface-textgen", "https://e.endpoints.huggingface.cloud/", "HF_TOKEN"),
];

#[tokio::test]
async fn each_is_asked_where_it_is_with_its_key() {
    let wire = Wire::default();
    let client = client(&wire, env());
    for (who, url, key) in TABLE {
        let error = client.chat(ChatRequest::new(format!("{who}/m")).user("hi")).await.expect_err("no answer");
        assert_eq!(error.kind(), ErrorKind::Decode, "{who}: {error}");
        let sent = wire.last();
        assert_eq!(sent.uri().to_string(), *url, "{who}");
        let bearer = format!("Bearer {key}");
        let (header, value) = key.split_once(": ").unwrap_or(("authorization", &bearer));
        assert_eq!(sent.headers().get(header).expect(who), value, "{who}");
        assert!(sent.headers()[header].is_sensitive(), "{who}");
    }
}

#[test]
fn the_table_has_every_row_and_dialect() {
    let mut all = BTreeSet::new();
    for row in providers::rows().iter().filter(|row| row.retired.is_none()) {
        for (dialect, _) in row.dialects() {
            let is_usual = dialect == row.dialect;
            all.insert(if is_usual { row.id.to_owned() } else { format!("{}:{dialect}", row.id) });
        }
    }
    let listed: BTreeSet<String> = TABLE.iter().map(|(who, ..)| (*who).to_owned()).collect();
    assert_eq!(listed, all);
}

#[test]
fn a_retired_service_is_named_with_what_to_use_instead() {
    let retired: Vec<_> = providers::rows().iter().filter(|row| row.retired.is_some()).map(|row| row.id).collect();
    assert_eq!(retired, ["github-models"]);
    for error in [
        Provider::builtin("github-models").expect_err("retired"),
        Client::builder().provider("github-models").build().expect_err("retired"),
        Registry::new().get("github-models:responses").expect_err("retired"),
    ] {
        assert_eq!(error.kind(), ErrorKind::Configuration);
        let says = "GitHub Models is gone: it was retired on 2026-07-30; use the model's own provider";
        assert!(error.message().starts_with(says), "{error}");
    }
}

#[tokio::test]
async fn a_dialect_is_named_whole_or_short_or_in_code() {
    let wire = Wire::default();
    let client = client(&wire, env());
    let url = async |model: &str| {
        let _ = client.chat(ChatRequest::new(model).user("hi")).await.expect_err("no answer");
        wire.last().uri().to_string()
    };
    assert_eq!(url("openai:responses/m").await, "https://api.openai.com/v1/responses");
    assert_eq!(url("kimi:messages/m").await, "https://api.moonshot.ai/anthropic/v1/messages");
    assert_eq!(url("cohere:v1-chat/m").await, "https://api.cohere.com/v1/chat");
    assert_eq!(url("ollama:chat/m").await, "http://localhost:11434/api/chat", "its own is the first");
    assert_eq!(url("openai/m").await, "https://api.openai.com/v1/chat/completions", "as before");
    let spoken = Provider::builtin("openai").and_then(|p| p.with_dialect("openai-responses")).expect("it serves it");
    client.registry().register(spoken);
    assert_eq!(url("openai/m").await, "https://api.openai.com/v1/responses");
    assert_eq!(url("openai:chat/m").await, "https://api.openai.com/v1/chat/completions");
    let mine = Provider::custom("mine", "openai-chat", "https://mine.test/v2").expect("a provider");
    client.registry().register(mine.with_dialect("cohere-v2-chat").expect("any"));
    assert_eq!(url("mine/m").await, "https://mine.test/v2/chat");
    assert_eq!(client.registry().ids().iter().filter(|id| id.contains(':')).count(), 0, "no providers of their own");
}

#[test]
fn a_dialect_that_is_not_served_is_told_from_those_that_are() {
    let client = Client::builder().env(Env::none()).build().expect("a client");
    let served = "it serves openai-chat, openai-completions, openai-responses";
    for (model, says) in [
        ("openai:respnses/m", format!("openai does not serve \"respnses\"; {served}; did you mean \"responses\"?")),
        ("openai:openai-response/m", format!("{served}; did you mean \"openai-responses\"?")),
        ("openai:converse/m", format!("openai does not serve \"converse\"; {served}")),
        ("openai:/m", format!("openai does not serve \"\"; {served}")),
        ("opnai:responses/m", "unknown provider \"opnai\"; did you mean \"openai\"?".into()),
        ("voyage:chat/m", "voyage holds no conversations".into()),
        ("a:b:c/m", "unknown provider \"a\"".into()),
    ] {
        let error = client.resolve(model).expect_err(model);
        assert_eq!(error.kind(), ErrorKind::Configuration, "{model}");
        assert!(error.message().contains(&says) && error.message().lines().count() == 1, "{model}: {error}");
        assert!(!client.registry().contains(model.split_once('/').expect("a model").0));
    }
    assert_eq!(client.resolve("openai:responses/m").expect("it is served").0, "openai:responses");
    let sim = sabir_sim::Simulator::new();
    let client = Client::builder().env(Env::none()).service("sim", sim).build().expect("a client");
    assert!(client.resolve("sim:chat/m").expect_err("a service").message().contains("is a service"));
}

#[tokio::test]
async fn what_is_set_for_a_provider_holds_in_all_its_dialects() {
    let wire = Wire::default();
    let deepseek = Client::builder().env(Env::none()).transport(wire.clone()).model("deepseek:messages/m").key("k");
    let deepseek = deepseek.base_url("https://proxy.test/deepseek/v1").build().expect("a client");
    for (model, url) in [
        ("", "https://proxy.test/deepseek/anthropic/v1/messages"),
        ("deepseek/m", "https://proxy.test/deepseek/v1/chat/completions"),
        ("deepseek:completions/m", "https://proxy.test/deepseek/beta/completions"),
    ] {
        let _ = deepseek.chat(ChatRequest::new(model).user("hi")).await.expect_err("no answer");
        let sent = wire.last();
        assert_eq!((sent.uri().to_string().as_str(), &sent.headers()["authorization"] == "Bearer k"), (url, true));
    }
    // An alias is the same provider.
    let claude = Client::builder().env(Env::none()).transport(wire.clone()).model("claude/m").key("k").build();
    let _ = claude.expect("a client").complete("hi").await.expect_err("no answer");
    assert_eq!(wire.last().headers()["x-api-key"], "k");
}

#[tokio::test]
async fn what_is_no_conversation_is_asked_where_it_was() {
    let wire = Wire::default();
    let client = client(&wire, env());
    let embed = EmbedRequest { model: "ollama:messages/m".into(), ..["salt"].into() };
    let _ = client.embed(embed).await.expect_err("no answer");
    assert_eq!(wire.last().uri(), "http://localhost:11434/api/embed");
    let _ = client.models("deepseek:messages").await.expect_err("no answer");
    assert_eq!(wire.last().uri(), "https://api.deepseek.com/models");
}

#[tokio::test]
async fn responses_carry_tools_and_thoughts_together() {
    let wire = Wire::default();
    let client = client(&wire, env());
    let tool = Tool::function("f", "Does it.", serde_json::json!({"type": "object", "properties": {}}));
    let ask = |model: &str| ChatRequest::new(model).user("hi").tool(tool.clone()).effort(Effort::High).strict();
    let error = client.chat(ask("openai/gpt-5.6")).await.expect_err("not in this dialect");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("in openai-responses it does: ask PROVIDER:responses/MODEL"), "{error}");
    let _ = client.chat(ask("openai:responses/gpt-5.6")).await.expect_err("no answer");
    let body = wire.last().into_body();
    let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((&body["reasoning"]["effort"], &body["tools"][0]["name"]), (&"high".into(), &"f".into()));
}
