use futures_executor::block_on;
use http::{HeaderMap, StatusCode};

use super::*;
use crate::Feature;
use crate::dialect::{Encoded, Responded};
use crate::drive::Format;
use crate::embed::{EmbedInput, EmbedResponse};
use crate::models::{ModelsRequest, ModelsResponse};
use crate::rerank::{Ranked, RerankResponse};
use crate::transport::BoxFuture;

/// A format that asks with the model's name and answers with as many vectors as the body has bytes.
#[derive(Debug)]
struct Bytewise;

impl Exchange for Bytewise {
    type Request = EmbedRequest;
    type Response = EmbedResponse;

    fn name(&self) -> &'static str {
        "bytewise"
    }

    fn encode(&self, request: &EmbedRequest, endpoint: &Endpoint) -> Result<Encoded> {
        let losses = vec![Loss::new(Feature::Options, "options.x", "no room")];
        Ok(Encoded::post_json(endpoint.url("/x")?, request.model.clone(), losses))
    }

    fn decode(&self, answer: Answer<'_>) -> Result<EmbedResponse> {
        if !answer.status.is_success() {
            let text = String::from_utf8_lossy(answer.body);
            return Err(crate::error::said(answer.status, answer.headers, None, &text));
        }
        Ok(EmbedResponse {
            vectors: vec![vec![1.0]; answer.body.len()],
            losses: vec![Loss::new(Feature::Usage, "usage", "read")],
            ..EmbedResponse::default()
        })
    }

    fn accept(&self, asked: Asked<'_>) -> Result<EmbedRequest> {
        match std::str::from_utf8(asked.body) {
            Ok(model) if !model.is_empty() => Ok(request(model)),
            _ => Err(Error::new(ErrorKind::InvalidRequest, asked.path)),
        }
    }

    fn respond(&self, response: &EmbedResponse, request: &EmbedRequest) -> Responded {
        Responded {
            headers: HeaderMap::new(),
            body: format!("{} for {}", response.vectors.len(), request.model).into(),
            losses: vec![Loss::new(Feature::Usage, "usage", "written")],
        }
    }

    fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
        (StatusCode::IM_A_TEAPOT, error.to_string().into())
    }
}

fn request(model: &str) -> EmbedRequest {
    EmbedRequest {
        model: model.into(),
        inputs: vec![EmbedInput::Text("a".into()), EmbedInput::Text("b".into())],
        ..EmbedRequest::default()
    }
}

/// Answers with a status and a body, and wants the key.
#[derive(Debug)]
struct Canned(u16, &'static [u8]);

impl Transport for Canned {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>>> {
        assert_eq!(request.headers()["authorization"], "Bearer the-key-itself");
        let mut response = http::Response::new(whole(self.1));
        *response.status_mut() = StatusCode::from_u16(self.0).unwrap();
        let id = HeaderValue::from_static("r1");
        response.headers_mut().insert("x-request-id", id);
        Box::pin(async move { Ok(response) })
    }
}

fn ask_canned(request: &EmbedRequest, status: u16, body: &'static [u8], limit: usize) -> Result<EmbedResponse> {
    let endpoint = Endpoint {
        provider: "p".into(),
        base_url: "https://h.test".into(),
        key: Some("the-key-itself".into()),
        ..Endpoint::default()
    };
    let limits = Limits { body: limit, ..Limits::default() };
    let transport = Canned(status, body);
    block_on(ask(&Bytewise, &endpoint, &transport, &Call::default(), request, limits))
}

#[test]
fn an_answer_is_completed_with_what_is_known_of_it() {
    let answer = ask_canned(&request("m"), 200, b"xx", 2).expect("an answer");
    assert_eq!((answer.provider.as_str(), answer.request_id.as_deref()), ("p", Some("r1")));
    let lost: Vec<_> = answer.losses.iter().map(|loss| loss.path.as_str()).collect();
    assert_eq!(lost, ["options.x", "usage"]);
}

#[test]
fn errors_say_where_they_come_from_and_hide_the_key() {
    let error = ask_canned(&request("m"), 401, b"bad key the-key-itself", 99).expect_err("refused");
    assert_eq!((error.kind(), error.provider(), error.model()), (ErrorKind::Authentication, Some("p"), Some("m")));
    assert!(!error.to_string().contains("the-key-itself"), "{error}");
    let error = ask_canned(&request(""), 500, b"no", 99).expect_err("failed");
    assert_eq!((error.provider(), error.model()), (Some("p"), None));
}

#[test]
fn strict_stops_before_anything_is_sent() {
    let mut strict = request("m");
    strict.strict = true;
    let error = ask_canned(&strict, 200, b"xx", 2).expect_err("a loss");
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Unsupported, crate::Stage::NotSent));
    assert!(error.message().contains("options.x"), "{error}");
}

#[test]
fn answers_that_do_not_fit_the_question_are_errors() {
    for (body, limit) in [(&b"x"[..], 99), (b"xxx", 99), (b"xx", 1)] {
        let error = ask_canned(&request("m"), 200, body, limit).expect_err("too few, too many, too long");
        assert_eq!(error.kind(), ErrorKind::Decode);
    }
    let asked = RerankRequest { documents: vec!["a".into(), "b".into()], ..RerankRequest::default() };
    let ranked = |index| RerankResponse { ranking: vec![Ranked { index, score: 1.0 }], ..RerankResponse::default() };
    assert!(asked.check(&ranked(1)).is_ok());
    assert_eq!(asked.check(&ranked(2)).expect_err("a stranger").kind(), ErrorKind::Decode);
    let list = |count| ModelsResponse {
        models: vec![crate::models::ModelInfo::default(); count],
        ..ModelsResponse::default()
    };
    let one = ModelsRequest::one("m");
    assert!(one.check(&list(1)).is_ok() && ModelsRequest::default().check(&list(2)).is_ok());
    for count in [0, 2] {
        assert_eq!(one.check(&list(count)).expect_err("not that one").kind(), ErrorKind::Decode);
    }
}

/// Gives a vector for each input; fails where the model is named so; mistakes the question where asked to.
#[derive(Debug)]
struct Vectors;

impl Service for Vectors {
    async fn call<'a>(&'a self, _: &'a Call, request: &'a Request) -> Result<Reply> {
        match request {
            Request::Embed(embed) if embed.model == "fail" => {
                Err(Error::new(ErrorKind::RateLimit, "later").with_retry_after(std::time::Duration::from_millis(1500)))
            }
            Request::Embed(embed) if embed.model == "mistake" => Ok(Reply::Rerank(Box::default())),
            Request::Embed(embed) => Ok(Reply::Embed(Box::new(EmbedResponse {
                vectors: vec![vec![1.0]; embed.inputs.len()],
                losses: vec![Loss::new(Feature::User, "user", "below")],
                ..EmbedResponse::default()
            }))),
            _ => Err(Error::new(ErrorKind::Provider, "not asked here")),
        }
    }
}

fn served(body: &'static str) -> http::Response<Body> {
    let request = http::Request::new(Bytes::from(body));
    block_on(serve_exchange(&Bytewise, &Shared::new(Vectors), &Call::default(), request))
}

fn text(response: http::Response<Body>) -> String {
    let bytes = block_on(collect(response.into_body(), 9999)).expect("a body");
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn a_service_is_served_in_the_format() {
    let response = served("m");
    assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
    let losses = &response.extensions().get::<Losses>().expect("said").0;
    let lost: Vec<_> = losses.iter().map(|loss| loss.path.as_str()).collect();
    assert_eq!(lost, ["user", "usage"]);
    assert_eq!(text(response), "2 for m");
}

#[test]
fn errors_are_answers_in_the_format() {
    let response = served("fail");
    assert_eq!(
        (response.status(), &response.headers()["retry-after"]),
        (StatusCode::IM_A_TEAPOT, &HeaderValue::from(2))
    );
    assert!(text(response).contains("later"));
    assert!(text(served("")).starts_with("invalid_request"));
    assert!(text(served("mistake")).starts_with("provider"));
}

/// A list that has one page, named by the page before it.
#[derive(Debug)]
struct Pages;

impl Exchange for Pages {
    type Request = ModelsRequest;
    type Response = ModelsResponse;

    fn name(&self) -> &'static str {
        "pages"
    }

    fn encode(&self, _: &ModelsRequest, endpoint: &Endpoint) -> Result<Encoded> {
        Ok(Encoded::post_json(endpoint.url("/m")?, "", Vec::new()))
    }

    fn decode(&self, _: Answer<'_>) -> Result<ModelsResponse> {
        Ok(ModelsResponse::default())
    }

    fn accept(&self, asked: Asked<'_>) -> Result<ModelsRequest> {
        Ok(ModelsRequest { page: Some(asked.path.to_owned()), ..ModelsRequest::default() })
    }

    fn respond(&self, response: &ModelsResponse, request: &ModelsRequest) -> Responded {
        Responded {
            headers: HeaderMap::new(),
            body: format!("{:?} after {:?}", response.next_page, request.page).into(),
            losses: Vec::new(),
        }
    }

    fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
        (StatusCode::IM_A_TEAPOT, error.to_string().into())
    }
}

/// Lists one model, or fails where a page named `none` is asked for; admits nobody who asks for a model named `secret`.
struct Librarian(Shared);

impl Host for Librarian {
    fn service(&self) -> &Shared {
        &self.0
    }

    fn admit(&self, call: &mut Call, request: &mut Request) -> Result<()> {
        assert_eq!(call.tenant, "somebody");
        if request.model() == "secret" {
            return Err(Error::new(ErrorKind::Permission, "not for you"));
        }
        *request.model_mut() = "fail".into();
        Ok(())
    }

    fn models(&self, wanted: ModelsRequest) -> BoxFuture<'_, Result<ModelsResponse>> {
        Box::pin(async move {
            match wanted.page.as_deref() {
                Some("/none") => Err(Error::new(ErrorKind::NotFound, "none")),
                page => Ok(ModelsResponse { next_page: page.map(|page| format!("{page}!")), ..Default::default() }),
            }
        })
    }
}

fn hosted(format: Format, path: &str, body: &'static str) -> http::Response<Body> {
    let asked = http::Request::builder().uri(path).body(Bytes::from(body)).expect("a request");
    let call = Call { tenant: "somebody".into(), ..Call::default() };
    block_on(format.serve(&Librarian(Shared::new(Vectors)), call, asked))
}

#[test]
fn a_host_lists_and_admits() {
    let listed = hosted(Format::Models(&Pages), "/m?after=a", "");
    assert_eq!(text(listed), r#"Some("/m?after=a!") after Some("/m?after=a")"#);
    assert_eq!(hosted(Format::Models(&Pages), "/none", "").status(), StatusCode::IM_A_TEAPOT);
    assert!(text(hosted(Format::Embed(&Bytewise), "/e", "secret")).contains("not for you"));
    assert!(text(hosted(Format::Embed(&Bytewise), "/e", "m")).contains("later"), "the model was changed");
}

#[test]
fn one_model_is_picked_from_a_list() {
    let list = || {
        let model = |id: &str| crate::models::ModelInfo { id: id.into(), ..Default::default() };
        ModelsResponse { models: vec![model("a"), model("b"), model("c")], next_page: Some("d".into()) }
    };
    let mut all = list();
    ModelsRequest::default().pick(&mut all).expect("the whole list");
    assert_eq!(all, list());
    ModelsRequest::one("b").pick(&mut all).expect("it is there");
    assert_eq!((all.models.len(), all.models[0].id.as_str(), all.next_page), (1, "b", None));
    let error = ModelsRequest::one("B").pick(&mut list()).expect_err("another");
    assert_eq!((error.kind(), error.model()), (ErrorKind::NotFound, Some("B")));

    // Some services do not repeat the name.
    let mut nameless = ModelsResponse { models: vec![crate::models::ModelInfo::default()], next_page: None };
    ModelsRequest::one("b").complete(&mut nameless, "p", None, Vec::new());
    assert_eq!(nameless.models[0].id, "b");
    nameless.models[0].id = "b-1".into();
    ModelsRequest::one("b").complete(&mut nameless, "p", None, Vec::new());
    assert_eq!(nameless.models[0].id, "b-1");
}
