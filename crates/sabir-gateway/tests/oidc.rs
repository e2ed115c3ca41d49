//! The administrator's API by the tokens of an issuer that listens here.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use sabir::config::{Live, Loader};
use sabir::{Client, Env};
use sabir_gateway::{Gateway, Server};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Listens, and gives its address and the key that it signs with.
async fn issuer() -> (String, Ed25519KeyPair) {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a key");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let issuer = format!("http://{}/realm", listener.local_addr().expect("an address"));
    let about = json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/keys") }).to_string();
    let x = URL_SAFE_NO_PAD.encode(pair.public_key());
    let keys = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "one", "x": x }] }).to_string();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut piece = [0; 4096];
            let read = socket.read(&mut piece).await.expect("a request");
            let asked = std::str::from_utf8(&piece[..read]).expect("text");
            let (status, body) = if asked.starts_with("GET /realm/.well-known/openid-configuration ") {
                ("200 OK", about.as_str())
            } else if asked.starts_with("GET /realm/keys ") {
                ("200 OK", keys.as_str())
            } else {
                ("404 Not Found", "")
            };
            let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            socket.write_all(format!("{head}{body}").as_bytes()).await.expect("written");
        }
    });
    (issuer, pair)
}

fn token(issuer: &str, pair: &Ed25519KeyPair, role: &str) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    let header = json!({ "alg": "EdDSA", "kid": "one" });
    let claims = json!({ "iss": issuer, "aud": "sabir", "sub": "ada@x", "exp": now + 300, "roles": [role] });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&header), part(&claims));
    let signature = URL_SAFE_NO_PAD.encode(pair.sign(text.as_bytes()));
    format!("{text}.{signature}")
}

async fn ask(server: &Server, method: &str, path: &str, header: &str, body: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(server.address()).await.expect("a connection");
    let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}\r\n");
    let text = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    socket.write_all(text.as_bytes()).await.expect("written");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("an answer");
    (answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"), answer)
}

#[tokio::test]
async fn a_token_opens_the_administrators_api_and_its_subject_is_noted() {
    let (issuer, pair) = issuer().await;
    let folder = std::env::temp_dir().join(format!("sabir-gateway-oidc-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (file, state) = (folder.join("sabir.toml"), folder.join("state"));
    let said = format!(
        "[gateway]\nstate = {state:?}\naccess_log = {{ path = {:?} }}\n[gateway.oidc]\nissuer = \"{issuer}\"\n\
         audience = \"sabir\"\nclaim = \"roles\"\nvalue = \"boss\"\n",
        folder.join("log")
    );
    std::fs::write(&file, &said).expect("written");
    let live = Live::built_on(Loader::new().file(&file), || Client::builder().env(Env::none())).expect("it holds");
    let gateway = Gateway::live(&live).expect("a gateway");
    let server = Server::start(gateway.clone(), "127.0.0.1:0").await.expect("it listens");
    let (boss, other) = (token(&issuer, &pair, "boss"), token(&issuer, &pair, "reader"));
    let bearer = |token: &str| format!("authorization: Bearer {token}");

    let (status, text) = ask(&server, "POST", "/admin/v1/keys", &bearer(&boss), "{\"name\":\"k\"}").await;
    assert_eq!(status, 201, "{text}");
    assert_eq!(ask(&server, "GET", "/metrics", &bearer(&boss), "").await.0, 200);
    let (status, text) = ask(&server, "GET", "/admin/v1/audit", &bearer(&boss), "").await;
    assert!(
        status == 200 && text.contains(&format!("\"who\":{{\"subject\":\"ada@x\",\"issuer\":\"{issuer}\"}}")),
        "{text}"
    );
    for (header, status, why) in [
        (bearer(&other), 403, "no administrator"),
        (bearer("eyJ.eyJ.x"), 401, "cannot be read"),
        (bearer("sk-sabir-x"), 401, "send an administrator's token"),
        (format!("x-api-key: {boss}"), 401, "send an administrator's token"),
        ("x-y: z".to_owned(), 401, "send an administrator's token"),
    ] {
        for path in ["/admin/v1/keys", "/metrics"] {
            let (got, text) = ask(&server, "GET", path, &header, "").await;
            assert!(got == status && text.contains(why), "{path} {header}: {text}");
        }
    }
    // Read anew, other tokens are wanted.
    std::fs::write(&file, said.replace("\"sabir\"", "\"other\"")).expect("written");
    gateway.reload().expect("it holds");
    let (status, text) = ask(&server, "GET", "/admin/v1/keys", &bearer(&boss), "").await;
    assert!(status == 401 && text.contains("another audience"), "{text}");
    for file in ["log", "state", "state.audit"] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
        assert!(!text.contains(&boss[..20]) && !text.contains("boss"), "{file}: {text}");
    }
    let _ = std::fs::remove_dir_all(&folder);
}
