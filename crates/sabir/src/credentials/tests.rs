use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::AUTHORIZATION;
use sabir_core::chat::ChatRequest;
use sabir_core::drive::Origin;
use sabir_core::transport::{Body, BoxFuture, whole};
use sabir_core::{Auth, Call, Endpoint, Error, ErrorKind, Request, Result, Secret, Service, Stage, Transport};

use super::aws::{Aws, Credentials};
use crate::Env;

/// 2026-11-21 10:00:00.
const START: u64 = 1_795_255_200;

/// What an instance or a container would answer, and what was asked of it.
#[derive(Clone, Debug, Default)]
struct Scripted(Arc<Mutex<Script>>);

#[derive(Debug, Default)]
struct Script {
    answers: VecDeque<(u16, String)>,
    asked: Vec<String>,
}

impl Scripted {
    fn new(answers: impl IntoIterator<Item = (u16, String)>) -> Self {
        let script = Self::default();
        script.0.lock().unwrap().answers.extend(answers);
        script
    }

    fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap().asked.clone()
    }
}

impl Transport for Scripted {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>>> {
        let mut script = self.0.lock().unwrap();
        let tokens = ["x-aws-ec2-metadata-token", "authorization"];
        let token = tokens.iter().find_map(|name| request.headers().get(*name)?.to_str().ok()).unwrap_or("-");
        script.asked.push(format!("{} {} {token}", request.method(), request.uri()));
        let answer = script
            .answers
            .pop_front()
            .map(|(status, body)| http::Response::builder().status(status).body(whole(body)).expect("a valid status"));
        Box::pin(std::future::ready(answer.ok_or_else(|| Error::new(ErrorKind::Network, "nobody answers"))))
    }
}

fn given(key: &str, until: &str) -> (u16, String) {
    let body = format!(
        r#"{{"AccessKeyId":"{key}","SecretAccessKey":"secret","Token":"session","Expiration":"{until}","Code":"Success"}}"#
    );
    (200, body)
}

/// Time that is turned by hand.
#[derive(Clone, Debug)]
struct Hand(Arc<Mutex<SystemTime>>);

impl Hand {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(SystemTime::UNIX_EPOCH + Duration::from_secs(START))))
    }

    fn turn(&self, seconds: u64) {
        *self.0.lock().unwrap() += Duration::from_secs(seconds);
    }
}

fn aws(env: &[(&str, &str)], transport: &Scripted, hand: &Hand) -> Aws {
    let hand = hand.clone();
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Env>();
    Aws::new(env, Arc::new(transport.clone())).clock(move || *hand.0.lock().unwrap())
}

fn completed(aws: Aws) -> Result<Endpoint> {
    let mut endpoint = Endpoint { provider: "bedrock".into(), ..Endpoint::default() };
    aws.complete(&mut endpoint)?;
    Ok(endpoint)
}

/// The access key's id and the region by which an endpoint signs.
async fn signs_as(endpoint: &Endpoint) -> Result<(String, String)> {
    let Auth::Signed(signer) = &endpoint.auth else { panic!("{:?} signs nothing", endpoint.auth) };
    let mut request =
        http::Request::post(format!("{}/model/m/converse", endpoint.base_url)).body(Bytes::new()).unwrap();
    signer.sign(&mut request).await?;
    let value = request.headers()[AUTHORIZATION].to_str().unwrap();
    let (_, rest) = value.split_once("Credential=").unwrap();
    let mut parts = rest.split('/');
    let key = parts.next().unwrap().to_owned();
    Ok((key, parts.nth(1).unwrap().to_owned()))
}

/// A folder of a test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("sabir-credentials-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(folder.join(".aws")).unwrap();
        for (name, text) in files {
            std::fs::write(folder.join(".aws").join(name), text).unwrap();
        }
        Self(folder)
    }

    fn home(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[tokio::test]
async fn keys_of_the_environment_sign() {
    let env = [
        ("AWS_ACCESS_KEY_ID", "AKENV"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_DEFAULT_REGION", "us-west-2"),
        ("AWS_REGION", "eu-west-3"),
    ];
    let (nobody, hand) = (Scripted::default(), Hand::new());
    let endpoint = completed(aws(&env, &nobody, &hand)).unwrap();
    assert_eq!(endpoint.base_url, "https://bedrock-runtime.eu-west-3.amazonaws.com");
    assert_eq!(signs_as(&endpoint).await.unwrap(), ("AKENV".into(), "eu-west-3".into()));
    let given = Credentials { access_key: "AKCODE".into(), secret_key: "x".into(), session_token: None };
    let endpoint = completed(aws(&env, &nobody, &hand).keys(given).region("cn-north-1")).unwrap();
    assert_eq!(endpoint.base_url, "https://bedrock-runtime.cn-north-1.amazonaws.com.cn");
    assert_eq!(signs_as(&endpoint).await.unwrap(), ("AKCODE".into(), "cn-north-1".into()));
    assert!(nobody.asked().is_empty());
}

#[tokio::test]
async fn a_bearer_key_goes_before_signing() {
    let env = [("AWS_BEARER_TOKEN_BEDROCK", "ABSKkey"), ("AWS_REGION", "eu-west-3"), ("AWS_ACCESS_KEY_ID", "half")];
    let endpoint = completed(aws(&env, &Scripted::default(), &Hand::new())).unwrap();
    assert_eq!((endpoint.auth, endpoint.key), (Auth::Bearer, Some("ABSKkey".into())));
    // A key that is there already stays, and so does a base URL: no region is needed then.
    let mut own = Endpoint { key: Some("mine".into()), base_url: "http://localhost:1".into(), ..Endpoint::default() };
    aws(&[], &Scripted::default(), &Hand::new()).complete(&mut own).unwrap();
    assert_eq!((own.auth, own.key), (Auth::Bearer, Some("mine".into())));
}

#[tokio::test]
async fn profiles_are_read_from_both_files() {
    let config = "\u{feff}# mine\n[default]\nregion = us-east-1\n[profile work]\nregion=eu-central-1 # ours\ns3 =\n  \
                  region = nowhere\naws_access_key_id = CONFIG\naws_secret_access_key = c\n[profile \"two words\"]\n\
                  region = ap-south-1\naws_access_key_id = AKTWO\naws_secret_access_key = t\n[sso-session work]\nregion = no\n";
    let credentials = "[default]\naws_access_key_id = AKDEF\naws_secret_access_key = d\n\n[ work ]\n\
                       AWS_ACCESS_KEY_ID=AKWORK\naws_secret_access_key = a=b\naws_session_token = tok\n";
    let folder = Folder::with(&[("config", config), ("credentials", credentials)]);
    let (nobody, hand) = (Scripted::default(), Hand::new());
    let home = ("HOME", folder.home());
    let signed = async |aws: Aws| signs_as(&completed(aws).unwrap()).await.unwrap();
    let is = |key: &str, region: &str| (key.to_owned(), region.to_owned());
    assert_eq!(signed(aws(&[home], &nobody, &hand)).await, is("AKDEF", "us-east-1"));
    let work = [home, ("AWS_PROFILE", "work")];
    assert_eq!(signed(aws(&work, &nobody, &hand)).await, is("AKWORK", "eu-central-1"));
    assert_eq!(signed(aws(&work, &nobody, &hand).profile("two words")).await, is("AKTWO", "ap-south-1"));
    // Keys in the environment go before a profile that the environment names, not before one that the code names.
    let both = [home, ("AWS_PROFILE", "work"), ("AWS_ACCESS_KEY_ID", "AKENV"), ("AWS_SECRET_ACCESS_KEY", "s")];
    assert_eq!(signed(aws(&both, &nobody, &hand)).await, is("AKENV", "eu-central-1"));
    assert_eq!(signed(aws(&both, &nobody, &hand).profile("work")).await, is("AKWORK", "eu-central-1"));
    let elsewhere = [("HOME", "/nowhere"), ("AWS_REGION", "r1"), ("AWS_SHARED_CREDENTIALS_FILE", "~/x")];
    let path = folder.0.join(".aws/credentials");
    let named = [elsewhere[1], ("AWS_SHARED_CREDENTIALS_FILE", path.to_str().unwrap())];
    assert_eq!(signed(aws(&named, &nobody, &hand)).await, is("AKDEF", "r1"));
    let error = signs_as(&completed(aws(&elsewhere, &nobody, &hand)).unwrap()).await.unwrap_err();
    assert!(error.message().starts_with("no AWS keys"), "{error}");
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let folder =
        Folder::with(&[("config", "[profile sso]\nsso_session = x\n[profile half]\naws_access_key_id = AK\n")]);
    let (nobody, hand) = (Scripted::default(), Hand::new());
    let (home, region) = (("HOME", folder.home()), ("AWS_REGION", "us-east-1"));
    let failure = async |aws: Aws| {
        let error = match completed(aws) {
            Ok(endpoint) => signs_as(&endpoint).await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        error.message().to_owned()
    };
    assert!(failure(aws(&[home], &nobody, &hand)).await.contains("AWS_REGION"));
    assert!(failure(aws(&[("AWS_REGION", "a.evil.test/x")], &nobody, &hand)).await.contains("us-east-1"));
    assert!(failure(aws(&[home, region], &nobody, &hand)).await.contains("aws configure"));
    assert!(failure(aws(&[home, ("AWS_PROFILE", "gone")], &nobody, &hand)).await.contains("no AWS profile \"gone\""));
    let sso = failure(aws(&[home, region], &nobody, &hand).profile("sso")).await;
    assert!(sso.contains("export-credentials --profile sso"), "{sso}");
    assert!(failure(aws(&[home, region], &nobody, &hand).profile("half")).await.contains("only one of"));
    let half = [region, ("AWS_SECRET_ACCESS_KEY", "s")];
    assert!(failure(aws(&half, &nobody, &hand)).await.contains("AWS_ACCESS_KEY_ID: set both"));
    let container = [region, ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x")];
    assert!(failure(aws(&container, &nobody, &hand)).await.contains("allow its endpoint"));
    let far = [region, ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://evil.test/x")];
    assert!(failure(aws(&far, &nobody, &hand).endpoints(true)).await.contains("must be https"));
    assert!(nobody.asked().is_empty(), "{:?}", nobody.asked());
}

#[tokio::test]
async fn a_containers_keys_are_kept_until_shortly_before_their_end() {
    let token = Folder::with(&[("token", "tok-1\n")]);
    let file = token.0.join(".aws/token");
    let env = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.to_str().unwrap()),
    ];
    let script = Scripted::new([
        given("AK1", "2026-11-21T11:00:00Z"),
        (500, "oh".into()),
        given("AK2", "2026-11-21T12:00:00.5Z"),
        (403, "no".into()),
    ]);
    let hand = Hand::new();
    let endpoint = completed(aws(&env, &script, &hand).endpoints(true)).unwrap();
    let key = async || signs_as(&endpoint).await.map(|(key, _)| key);
    assert_eq!(script.asked().len(), 0, "nothing is fetched before it is needed");
    assert_eq!(key().await.unwrap(), "AK1");
    hand.turn(54 * 60);
    assert_eq!((key().await.unwrap().as_str(), script.asked().len()), ("AK1", 1));
    // Five minutes before the end they are renewed; while that fails, the old ones hold.
    hand.turn(60);
    assert_eq!((key().await.unwrap().as_str(), script.asked().len()), ("AK1", 2));
    assert_eq!((key().await.unwrap().as_str(), script.asked().len()), ("AK1", 2));
    hand.turn(60);
    assert_eq!((key().await.unwrap().as_str(), script.asked().len()), ("AK2", 3));
    hand.turn(3 * 3600);
    let refused = key().await.unwrap_err();
    assert_eq!((refused.kind(), script.asked().len()), (ErrorKind::Authentication, 4));
    assert_eq!(key().await.unwrap_err().kind(), ErrorKind::Network);
    assert_eq!(script.asked()[0], "GET http://169.254.170.23/v1/credentials tok-1");
}

#[tokio::test]
async fn an_instance_is_asked_by_its_second_protocol() {
    let env = [("AWS_REGION", "us-east-1")];
    let script = Scripted::new([
        (200, "tok-2".into()),
        (200, "my-role\n".into()),
        given("AKROLE", "2026-11-21T10:04:00Z"),
        (200, "tok-3".into()),
        (200, "my-role".into()),
        (200, r#"{"Code":"AssumeRoleUnauthorizedAccess"}"#.into()),
    ]);
    let hand = Hand::new();
    let endpoint = completed(aws(&env, &script, &hand).endpoints(true)).unwrap();
    assert_eq!(signs_as(&endpoint).await.unwrap().0, "AKROLE");
    let base = "http://169.254.169.254/latest";
    let expected = [
        format!("PUT {base}/api/token -"),
        format!("GET {base}/meta-data/iam/security-credentials/ tok-2"),
        format!("GET {base}/meta-data/iam/security-credentials/my-role tok-2"),
    ];
    assert_eq!(script.asked(), expected);
    // Keys for four minutes are kept for two.
    hand.turn(119);
    signs_as(&endpoint).await.unwrap();
    assert_eq!(script.asked().len(), 3);
    hand.turn(3600);
    let error = signs_as(&endpoint).await.unwrap_err();
    assert!(error.message().contains("AssumeRoleUnauthorizedAccess"), "{error}");
    let forbidden = [("AWS_REGION", "us-east-1"), ("AWS_EC2_METADATA_DISABLED", "TRUE")];
    let silent = Scripted::default();
    let endpoint = completed(aws(&forbidden, &silent, &hand).endpoints(true)).unwrap();
    assert_eq!(signs_as(&endpoint).await.unwrap_err().kind(), ErrorKind::Configuration);
    assert!(silent.asked().is_empty());
}

#[tokio::test]
async fn odd_answers_are_no_keys() {
    let env = [("AWS_REGION", "us-east-1"), ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x")];
    let cases = [
        (200, "<html>".to_owned(), ErrorKind::Authentication),
        (200, String::new(), ErrorKind::Authentication),
        (404, "no".to_owned(), ErrorKind::Authentication),
        (503, "no".to_owned(), ErrorKind::Provider),
        (200, "x".repeat(100_000), ErrorKind::Decode),
        given_then("AK", "2026-11-21T09:59:59Z", ErrorKind::Authentication),
    ];
    for (status, body, kind) in cases {
        let script = Scripted::new([(status, body)]);
        let endpoint = completed(aws(&env, &script, &Hand::new()).endpoints(true)).unwrap();
        assert_eq!(signs_as(&endpoint).await.unwrap_err().kind(), kind);
        assert_eq!(script.asked(), ["GET http://169.254.170.2/v2/x -"]);
    }
}

fn given_then(key: &str, until: &str, kind: ErrorKind) -> (u16, String, ErrorKind) {
    let (status, body) = given(key, until);
    (status, body, kind)
}

#[tokio::test]
async fn a_hooks_token_is_asked_for_before_each_request() {
    let tokens = Arc::new(Mutex::new(vec![Ok("t2"), Ok("t1")]));
    let auth = super::bearer(move || {
        let next = tokens.lock().unwrap().pop();
        async move { next.unwrap_or_else(|| Err(Error::new(ErrorKind::Authentication, "log in"))).map(Secret::new) }
    });
    assert_eq!(format!("{auth:?}"), "Signed(Bearer(hook))");
    let provider = Scripted::new([(400, "{}".into()), (400, "{}".into())]);
    let endpoint = Endpoint { auth, base_url: "https://vertex.test".into(), ..Endpoint::default() };
    let dialect = sabir_dialects::dialect("openai-chat").expect("built in");
    let origin = Origin::new(dialect, endpoint, Arc::new(provider.clone()));
    let request = Request::Chat(ChatRequest::new("m").user("Hi"));
    for _ in 0..2 {
        assert_eq!(origin.call(&Call::default(), &request).await.unwrap_err().stage(), Stage::Answered);
    }
    let refused = origin.call(&Call::default(), &request).await.unwrap_err();
    assert_eq!((refused.kind(), refused.stage()), (ErrorKind::Authentication, Stage::NotSent));
    let asked: Vec<_> = provider.asked().iter().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect();
    assert_eq!(asked, ["t1", "t2"]);
}
