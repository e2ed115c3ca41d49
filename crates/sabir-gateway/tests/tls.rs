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

/// What is answered to who trusts this certificate.
async fn ask(server: &Server, certificate: &CertificateDer<'static>) -> std::io::Result<String> {
    let mut trusted = RootCertStore::empty();
    trusted.add(certificate.clone()).expect("a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().expect("versions").with_root_certificates(trusted);
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config.with_no_client_auth()));
    let stream = TcpStream::connect(server.address()).await?;
    let mut stream = connector.connect(ServerName::try_from("localhost").expect("a name"), stream).await?;
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

#[test]
fn files_that_are_none_are_told() {
    let refused = Tls::files("nowhere/cert.pem", "nowhere/key.pem").expect_err("no file");
    assert!(refused.message().contains("nowhere/cert.pem"), "{refused}");
}
