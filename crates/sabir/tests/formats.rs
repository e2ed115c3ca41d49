//! Vectors, orders of documents, lists of models and counts of tokens: who is asked, and how.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sabir::embed::{EmbedInput, EmbedPurpose};
use sabir::transport::{Body, BoxFuture, whole};
use sabir::{
    Call, ChatRequest, Client, EmbedRequest, Env, Error, ErrorKind, Layer, Precision, Provider, Reply, Request,
    RerankRequest, Result, Service, Shared, Stage, Transport,
};
use sabir_sim::{Loopback, Simulator};

/// A transport that keeps what it is given and answers in turn; the last answer again and again.
#[derive(Clone, Debug)]
struct Wire(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    sent: Vec<http::Request<Bytes>>,
    answers: VecDeque<String>,
}

impl Wire {
    fn new<T: Into<String>>(answers: impl IntoIterator<Item = T>) -> Self {
        let answers = answers.into_iter().map(Into::into).collect();
        Self(Arc::new(Mutex::new(State { sent: Vec::new(), answers })))
    }

    fn sent(&self) -> Vec<String> {
        let shown = |request: &http::Request<Bytes>| {
            format!("{} {} {}", request.method(), request.uri(), String::from_utf8_lossy(request.body()))
        };
        self.0.lock().expect("a lock").sent.iter().map(shown).collect()
    }

    fn client(&self) -> Client {
        let env: Env = [("OPENAI_API_KEY", "k"), ("VOYAGE_API_KEY", "k"), ("JINA_API_KEY", "k"), ("GROQ_API_KEY", "k")]
            .into_iter()
            .collect();
        Client::builder().env(env).transport(self.clone()).build().expect("a client")
    }
}

impl Transport for Wire {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>>> {
        let mut state = self.0.lock().expect("a lock");
        state.sent.push(request);
        let answer = if state.answers.len() > 1 { state.answers.pop_front() } else { state.answers.front().cloned() };
        Box::pin(async move {
            let answer = answer.ok_or_else(|| Error::new(ErrorKind::Network, "nobody answers"))?;
            Ok(http::Response::new(whole(answer)))
        })
    }
}

const TWO: &str = r#"{"data":[{"index":1,"embedding":[3,4]},{"index":0,"embedding":[1,2]}],"model":"m-1","usage":{"prompt_tokens":5,"total_tokens":5}}"#;
const RANKED: &str = r#"{"model":"r-1","data":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.1}],"usage":{"total_tokens":7}}"#;

#[tokio::test]
async fn texts_become_vectors_in_their_order() {
    let wire = Wire::new([TWO]);
    let client = wire.client();
    let request = EmbedRequest { model: "openai/m".into(), ..["salt", "pepper"].into() };
    let answer = client.embed(request).await.expect("vectors");
    assert_eq!(answer.vectors, [[1.0, 2.0], [3.0, 4.0]]);
    assert_eq!((answer.provider.as_str(), answer.model.as_str()), ("openai", "m-1"));
    assert_eq!(answer.usage.input_total(), Some(5));
    let sent = wire.sent();
    assert_eq!(sent, [r#"POST https://api.openai.com/v1/embeddings {"model":"m","input":["salt","pepper"]}"#]);

    let one = client.embed(EmbedRequest { model: "openai/m".into(), ..vec!["salt".to_owned()].into() }).await;
    let error = one.expect_err("two vectors for one text");
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert_eq!(EmbedRequest::from("a").inputs, [EmbedInput::Text("a".into())]);
    assert_eq!(EmbedRequest::from("a".to_owned()), EmbedRequest::from(vec!["a"]));
}

#[tokio::test]
async fn rows_say_how_vectors_and_orders_are_asked_for() {
    let wire = Wire::new([TWO, RANKED, TWO, RANKED]);
    let client = wire.client();
    for provider in ["voyage", "jina"] {
        let request = EmbedRequest {
            model: format!("{provider}/m"),
            dimensions: Some(2),
            purpose: Some(EmbedPurpose::Query),
            ..["a", "b"].into()
        };
        assert!(client.embed(request).await.expect("vectors").losses.is_empty());
        let request = RerankRequest {
            model: format!("{provider}/r"),
            query: "q".into(),
            documents: vec!["a".into(), "b".into()],
            top_n: Some(2),
            ..RerankRequest::default()
        };
        let answer = client.rerank(request).await.expect("an order");
        assert_eq!(answer.ranking.iter().map(|r| r.index).collect::<Vec<_>>(), [1, 0]);
        assert_eq!((answer.provider.as_str(), answer.usage.input_total()), (provider, Some(7)));
    }
    let sent = wire.sent();
    assert!(sent[0].starts_with("POST https://api.voyageai.com/v1/embeddings "), "{}", sent[0]);
    assert!(sent[0].contains(r#""output_dimension":2"#) && sent[0].contains(r#""input_type":"query""#), "{}", sent[0]);
    assert!(sent[1].starts_with("POST https://api.voyageai.com/v1/rerank ") && sent[1].contains(r#""top_k":2"#));
    assert!(sent[2].contains(r#""dimensions":2"#) && sent[2].contains(r#""task":"retrieval.query""#), "{}", sent[2]);
    assert!(sent[3].starts_with("POST https://api.jina.ai/v1/rerank ") && sent[3].contains(r#""top_n":2"#));
}

#[tokio::test]
async fn what_a_provider_does_not_do_is_said_in_one_line() {
    let wire = Wire::new([TWO]);
    let client = wire.client();
    let rerank = RerankRequest { model: "openai/m".into(), query: "q".into(), ..RerankRequest::default() };
    let embed = EmbedRequest { model: "groq/m".into(), ..["a"].into() };
    for (error, says) in [
        (
            client.chat(ChatRequest::new("voyage/m").user("hi")).await.expect_err("no chat"),
            "voyage holds no conversations",
        ),
        (
            client.stream(ChatRequest::new("jina/m").user("hi")).await.expect_err("no chat"),
            "jina holds no conversations",
        ),
        (client.embed(embed).await.expect_err("no vectors"), "groq embeds nothing"),
        (client.rerank(rerank).await.expect_err("no order"), "openai orders no documents"),
        (client.models("voyage").await.expect_err("no list"), "voyage lists no models"),
        (client.model("voyage/m").await.expect_err("no list"), "voyage lists no models"),
    ] {
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Unsupported, Stage::NotSent), "{error}");
        assert!(error.message().starts_with(says) && error.message().lines().count() == 1, "{error}");
    }
    assert_eq!(client.models("nobody").await.expect_err("unknown").kind(), ErrorKind::Configuration);
    assert!(wire.sent().is_empty());
}

#[tokio::test]
async fn strict_holds_for_vectors_too() {
    let wire = Wire::new([TWO]);
    let request = || EmbedRequest { purpose: Some(EmbedPurpose::Query), ..["a", "b"].into() };
    let builder = || Client::builder().env([("OPENAI_API_KEY", "k")].into_iter().collect()).transport(wire.clone());
    let client = builder().model("openai/m").build().expect("a client");
    assert_eq!(client.embed(request()).await.expect("vectors").losses.len(), 1);
    let client = builder().model("openai/m").strict().build().expect("a client");
    assert_eq!(client.embed(request()).await.expect_err("a loss").kind(), ErrorKind::Unsupported);
    assert_eq!(wire.sent().len(), 1);
}

#[tokio::test]
async fn a_model_for_conversations_is_no_default_for_vectors() {
    let wire = Wire::new([TWO]);
    let env = [("OPENAI_API_KEY", "k"), ("VOYAGE_API_KEY", "k"), ("VOYAGE_MODEL", "v-9")].into_iter().collect::<Env>();
    let client = |provider: &str| {
        Client::builder().env(env.clone()).transport(wire.clone()).provider(provider).build().expect("a client")
    };
    let error = client("openai").embed(["a", "b"]).await.expect_err("no model");
    assert!(error.kind() == ErrorKind::Configuration && error.message().contains("openai/MODEL"), "{error}");
    client("voyage").embed(["a", "b"]).await.expect("vectors");
    assert!(wire.sent()[0].contains(r#""model":"v-9""#), "{:?}", wire.sent());
}

#[tokio::test]
async fn lists_of_models_are_read_to_their_end_and_no_further() {
    let wire = Wire::new([
        r#"{"data":[{"id":"a","max_input_tokens":9}],"has_more":true,"last_id":"a"}"#,
        r#"{"data":[{"id":"b"}],"has_more":false,"last_id":"b"}"#,
    ]);
    let anthropic = |wire: &Wire| {
        let env = [("ANTHROPIC_API_KEY", "k")].into_iter().collect();
        Client::builder().env(env).transport(wire.clone()).build().expect("a client")
    };
    let models = anthropic(&wire).models("anthropic").await.expect("a list");
    assert_eq!(models.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(models[0].context, Some(9));
    assert!(wire.sent()[1].contains("after_id=a"), "{:?}", wire.sent());

    let endless = Wire::new([r#"{"data":[{"id":"a"}],"has_more":true,"last_id":"a"}"#]);
    let error = anthropic(&endless).models("claude").await.expect_err("no end");
    assert!(error.kind() == ErrorKind::Decode && error.message().contains("100 pages"), "{error}");
    assert_eq!(endless.sent().len(), 100);
}

#[tokio::test]
async fn a_provider_of_ones_own_says_its_formats() {
    let wire = Wire::new([TWO, RANKED, r#"{"data":[{"id":"x"}]}"#]);
    let client = wire.client();
    let mine = || Provider::custom("mine", "openai-chat", "http://mine.test/v1").expect("a provider");
    client.registry().register(mine());
    let embed = || EmbedRequest { model: "mine/m".into(), ..["a", "b"].into() };
    assert_eq!(client.embed(embed()).await.expect_err("unsaid").kind(), ErrorKind::Unsupported);
    let whole = mine().embedding("openai-embeddings").and_then(|p| p.reranking("jina-rerank"));
    client.registry().register(whole.and_then(|p| p.listing("openai-models")).expect("formats"));
    client.embed(embed()).await.expect("vectors");
    let documents = vec!["a".into(), "b".into()];
    client
        .rerank(RerankRequest { model: "mine/r".into(), documents, ..RerankRequest::default() })
        .await
        .expect("order");
    assert_eq!(client.models("mine").await.expect("a list")[0].id, "x");
    let urls: Vec<_> = wire.sent().iter().map(|s| s.split(' ').nth(1).expect("a URL").to_owned()).collect();
    let base = "http://mine.test/v1";
    assert_eq!(urls, [format!("{base}/embeddings"), format!("{base}/rerank"), format!("{base}/models")]);
    let error = mine().embedding("jina-rerank").expect_err("another kind");
    assert!(error.kind() == ErrorKind::Configuration && error.message().contains("openai-embeddings"), "{error}");
}

#[test]
fn the_blocking_client_does_the_same() {
    let client = Client::builder().service("sim", Simulator::new()).model("sim/any").build().expect("a client");
    let client = sabir::blocking::Client::from_async(client).expect("a client");
    let vectors = client.embed(["the sea", "the sea", "a loaf"]).expect("vectors").vectors;
    assert!(vectors[0] == vectors[1] && vectors[0] != vectors[2]);
    let documents = vec!["bread".into(), "salt of the sea".into()];
    let request = RerankRequest { query: "sea salt".into(), documents, ..RerankRequest::default() };
    assert_eq!(client.rerank(request).expect("an order").ranking[0].index, 1);
    assert_eq!(client.models("sim").expect_err("a service").kind(), ErrorKind::Unsupported);
    assert_eq!(client.model("sim/m").expect_err("a service").kind(), ErrorKind::Unsupported);
    assert_eq!(client.count_tokens("the sea").expect("a count").input.tokens, 2);
}

/// A client of the simulator, in the formats of every provider.
fn simulated(simulator: &Simulator) -> Client {
    let env: Env = [
        ("OPENAI_API_KEY", "k"),
        ("ANTHROPIC_API_KEY", "k"),
        ("GEMINI_API_KEY", "k"),
        ("VERTEX_ACCESS_TOKEN", "k"),
        ("VERTEX_BASE_URL", "https://vertex.test/v1/projects/p/locations/l"),
        ("AWS_BEARER_TOKEN_BEDROCK", "k"),
        ("AWS_REGION", "eu-west-3"),
    ]
    .into_iter()
    .collect();
    Client::builder().env(env).transport(Loopback::new(simulator.clone())).build().expect("a client")
}

#[tokio::test]
async fn every_provider_that_counts_gives_the_count_that_its_answer_would_have() {
    let simulator = Simulator::new();
    let client = simulated(&simulator);
    for provider in ["openai", "anthropic", "gemini", "vertex", "bedrock"] {
        let mut request = ChatRequest::new(format!("{provider}/m")).system("Be brief.").user("Why is the sea salt?");
        request.temperature = Some(0.5);
        let counted = client.count_tokens(request.clone()).await.expect(provider);
        assert_eq!((counted.provider.as_str(), counted.input.tokens), (provider, 8));
        // Anthropic calls its count an estimate; OpenAI's is of Responses, and this is asked for in Chat Completions.
        let is_estimate = ["openai", "anthropic"].contains(&provider);
        let precision = if is_estimate { Precision::Estimate } else { Precision::Exact };
        assert_eq!(counted.input.precision, precision, "{provider}");
        assert!(counted.losses.is_empty(), "{provider}: {:?}", counted.losses);
        let answer = client.chat(request).await.expect(provider);
        assert_eq!(answer.usage.input_total(), Some(counted.input.tokens), "{provider}");
    }
    let counts = simulator.requests().into_iter().filter(|request| matches!(request, Request::Count(_)));
    assert_eq!(counts.map(|request| request.model().to_owned()).collect::<Vec<_>>(), ["m"; 5]);

    let wrong = simulated(&Simulator::new().require_key("another"));
    let request = ChatRequest::new("anthropic/m").user("hi");
    let error = wrong.count_tokens(request.clone()).await.expect_err("another key");
    assert_eq!(
        (error.kind(), error.provider(), error.model()),
        (ErrorKind::Authentication, Some("anthropic"), Some("m"))
    );
    let tool = request.option("anthropic-messages", "container", "c").strict();
    let error = client.count_tokens(tool).await.expect_err("a loss");
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Unsupported, Stage::NotSent));
}

#[tokio::test]
async fn what_no_provider_counts_is_counted_here_and_nothing_is_sent() {
    let wire = Wire::new::<&str>([]);
    let client = wire.client();
    let request = || ChatRequest::new("groq/llama-4-scout").user("Why is the sea salt?");
    let counted = client.count_tokens(request()).await.expect("a count");
    assert!(counted.provider.is_empty() && counted.input.precision == Precision::Estimate, "{counted:?}");
    assert_eq!(client.count_tokens_locally(request()).expect("a count"), counted);
    // One who can be asked is not where that is not wanted.
    let openai = client.count_tokens_locally(ChatRequest::new("openai/gpt-4o").user("hi")).expect("a count");
    assert_eq!(openai.input.precision == Precision::Exact, cfg!(feature = "tokens-openai"));
    let error = client.count_tokens_locally(ChatRequest::new("nobody/m").user("hi")).expect_err("unknown");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(wire.sent().is_empty());

    let responses = client.model_id("openai:responses/gpt-4o").expect("a model");
    assert_eq!((responses.provider.as_str(), responses.responses), ("openai", true));
    assert!(!client.model_id("openai/gpt-4o").expect("a model").responses);
    assert_eq!(client.model_id("claude/m").expect("a model").provider, "anthropic");
}

#[tokio::test]
async fn layers_see_counts() {
    #[derive(Debug)]
    struct Refusing;
    #[derive(Debug)]
    struct Refused;
    impl Layer for Refusing {
        fn apply(&self, _: Shared) -> Shared {
            Shared::new(Refused)
        }
    }
    impl Service for Refused {
        async fn call<'a>(&'a self, _: &'a Call, request: &'a Request) -> Result<Reply> {
            Err(Error::new(ErrorKind::RateLimit, format!("no more of {}", request.model())))
        }
    }
    let client = simulated(&Simulator::new()).with_layer(Refusing);
    let error = client.count_tokens(ChatRequest::new("openai/m").user("hi")).await.expect_err("limited");
    assert_eq!((error.kind(), error.message()), (ErrorKind::RateLimit, "no more of m"));
}

#[tokio::test]
async fn one_model_is_asked_about() {
    let client = simulated(&Simulator::new());
    for provider in ["openai", "anthropic", "gemini", "ollama"] {
        let model = client.model(&format!("{provider}/org/m-1")).await.expect(provider);
        assert_eq!(model.id, "org/m-1", "{provider}");
        assert!(!client.models(provider).await.expect(provider).is_empty());
    }
    let wire =
        Wire::new([r#"{"model_info":{"general.architecture":"a","a.context_length":8},"capabilities":["tools"]}"#]);
    let model = wire.client().model("ollama/q:7b").await.expect("what is known");
    assert_eq!((model.id.as_str(), model.context), ("q:7b", Some(8)));
    assert_eq!(model.meta.get("ollama-tags", "capabilities"), Some(&serde_json::json!(["tools"])));
    assert_eq!(wire.sent(), [r#"POST http://localhost:11434/api/show {"model":"q:7b"}"#]);
    let wire = Wire::new([r#"{"data":[{"id":"a"},{"id":"b"}]}"#]);
    let error = wire.client().model("openai/a").await.expect_err("a list in place of a model");
    assert_eq!((error.kind(), error.model()), (ErrorKind::Decode, Some("a")));
    assert_eq!(wire.client().model("m").await.expect_err("whose?").kind(), ErrorKind::Configuration);
}
