//! HTTPS.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use sabir::{Client, Env, ErrorKind};
use sabir_gateway::{Gateway, Server, Tls};
use sabir_sim::Simulator;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A certificate for `localhost` in files that go with it.
struct Files {
    folder: PathBuf,
    certificate: CertificateDer<'static>,
}

impl Files {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("sabir-tls-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut files = Self { folder, certificate: Vec::new().into() };
        files.renew();
        files
    }

    fn renew(&mut self) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        std::fs::write(self.folder.join("cert.pem"), made.cert.pem()).expect("written");
        std::fs::write(self.folder.join("key.pem"), made.signing_key.serialize_pem()).expect("written");
        self.certificate = made.cert.der().clone();
    }

    fn tls(&self) -> sabir::Result<Tls> {
        Tls::files(self.folder.join("cert.pem"), self.folder.join("key.pem"))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn gateway() -> Gateway {
    let client = Client::builder().env(Env::none()).service("sim", Simulator::new()).build();
    Gateway::new(client.expect("a client"))
}

/// A connection of who trusts this certificate.
async fn connect(server: &Server, certificate: &CertificateDer<'static>) -> std::io::Result<TlsStream<TcpStream>> {
    let mut trusted = RootCertStore::empty();
    trusted.add(certificate.clone()).expect("a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().expect("versions").with_root_certificates(trusted);
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config.with_no_client_auth()));
    let stream = TcpStream::connect(server.address()).await?;
    connector.connect(ServerName::try_from("localhost").expect("a name"), stream).await
}

/// What is answered to who trusts this certificate.
async fn ask(server: &Server, certificate: &CertificateDer<'static>) -> std::io::Result<String> {
    let mut stream = connect(server, certificate).await?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn requests_come_over_tls_and_a_new_certificate_takes_the_place_of_the_old() {
    let mut files = Files::new("served");
    let tls = files.tls().expect("a certificate");
    let server = Server::start_tls(gateway(), "127.0.0.1:0", tls.clone()).await.expect("it listens");
    assert!(server.url().starts_with("https://127.0.0.1:"));
    let old = files.certificate.clone();
    assert!(ask(&server, &old).await.expect("an answer").starts_with("HTTP/1.1 200"));
    files.renew();
    assert!(ask(&server, &files.certificate).await.is_err(), "not yet");
    tls.read_anew().expect("a certificate");
    assert!(ask(&server, &files.certificate).await.expect("an answer").starts_with("HTTP/1.1 200"));
    assert!(ask(&server, &old).await.is_err());

    std::fs::write(files.folder.join("key.pem"), "nothing").expect("written");
    assert_eq!(tls.read_anew().expect_err("no key").kind(), ErrorKind::Configuration);
    assert!(ask(&server, &files.certificate).await.is_ok(), "what was there stays");
}

#[tokio::test]
async fn who_speaks_no_tls_is_sent_away() {
    let files = Files::new("plain");
    let server =
        Server::start_tls(gateway(), "127.0.0.1:0", files.tls().expect("a certificate")).await.expect("it listens");
    let mut stream = TcpStream::connect(server.address()).await.expect("a connection");
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it is written");
    let mut answer = Vec::new();
    // It may be reset before it was read.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains("200 OK"), "{answer:?}");
}

#[tokio::test]
async fn who_does_not_shake_hands_loses_its_place() {
    let files = Files::new("slow");
    let server =
        Server::start_tls(gateway(), "127.0.0.1:0", files.tls().expect("a certificate")).await.expect("it listens");
    let mut silent = TcpStream::connect(server.address()).await.expect("a connection");
    // Half of a greeting, and then nothing.
    silent.write_all(&[22, 3, 1]).await.expect("it is written");
    tokio::time::pause();
    let mut answer = Vec::new();
    let _ = silent.read_to_end(&mut answer).await;
    assert!(answer.is_empty(), "it is closed without a word");
}

#[tokio::test]
async fn what_is_no_request_is_told_in_the_clients_dialect() {
    let files = Files::new("unheard");
    let server =
        Server::start_tls(gateway(), "127.0.0.1:0", files.tls().expect("a certificate")).await.expect("it listens");
    for (path, begins) in
        [("/v1/messages", r#"{"type":"error""#), ("/v2/chat", r#"{"message":""#), ("/api/chat", r#"{"error":""#)]
    {
        let head = format!("POST {path} HTTP/1.1\r\nauthorization: Bearer sk-guess\r\n");
        for (rest, status) in [
            (format!("x: {}\r\n\r\n", "pepper".repeat(17_000)), "431 Request Header Fields Too Large"),
            ("content-length: 4\r\ncontent-length: 5\r\n\r\nabcd".to_owned(), "400 Bad Request"),
            ("pepper".to_owned(), "408 Request Timeout"),
        ] {
            let mut stream = connect(&server, &files.certificate).await.expect("a connection");
            stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it is written");
            let mut first = String::new();
            while !first.ends_with('}') {
                first.push(char::from(stream.read_u8().await.expect("an answer")));
            }
            assert!(first.starts_with("HTTP/1.1 200 "), "{first}");
            stream.write_all(format!("{head}{rest}").as_bytes()).await.expect("it is written");
            stream.flush().await.expect("it is sent");
            tokio::time::pause();
            let mut second = String::new();
            // It ends as TLS has it, too: nothing was cut off.
            stream.read_to_string(&mut second).await.expect("it is closed in order");
            tokio::time::resume();
            assert!(second.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{second}");
            assert!(!second.contains("pepper") && !second.contains("sk-guess"), "{second}");
            let (_, body) = second.split_once("\r\n\r\n").expect("a head");
            assert!(body.starts_with(begins) && body.ends_with('}'), "{second}");
        }
    }
}

#[tokio::test]
async fn who_says_nothing_after_shaking_hands_is_sent_away() {
    let files = Files::new("silent");
    let server =
        Server::start_tls(gateway(), "127.0.0.1:0", files.tls().expect("a certificate")).await.expect("it listens");
    let mut stream = connect(&server, &files.certificate).await.expect("a connection");
    tokio::time::pause();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(80), stream.read_to_end(&mut answer)).await;
    assert!(ended.expect("in time").is_ok() && answer.is_empty(), "{answer:?}");
}

#[test]
fn files_that_are_none_are_told() {
    let refused = Tls::files("nowhere/cert.pem", "nowhere/key.pem").expect_err("no file");
    assert!(refused.message().contains("nowhere/cert.pem"), "{refused}");
}

#[tokio::test]
async fn threads_speak_tls_too() {
    let files = Files::new("threads");
    let threads = std::num::NonZeroUsize::new(2).expect("some");
    let server = Server::builder(gateway()).tls(files.tls().expect("a certificate")).threads(threads);
    let server = server.start("127.0.0.1:0").await.expect("it listens");
    assert!(server.url().starts_with("https://"));
    let answers = futures_util::future::join_all((0..6).map(|_| ask(&server, &files.certificate))).await;
    for answer in answers {
        assert!(answer.expect("an answer").starts_with("HTTP/1.1 200"));
    }
    // Who speaks no TLS is sent away there as well.
    let mut plain = TcpStream::connect(server.address()).await.expect("a connection");
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it is written");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains("200 OK"), "{answer:?}");
    assert!(server.drain(std::time::Duration::from_secs(20)).await);
}
