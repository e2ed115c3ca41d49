//! A gateway made of a configuration, and what it is asked.

use sabir::config::{Format, Loader};
use sabir::{Client, Env};
use sabir_gateway::{Gateway, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[path = "../reading/mod.rs"]
mod reading;

pub(crate) use self::reading::until;

pub(crate) struct House {
    pub(crate) server: Server,
}

impl House {
    pub(crate) async fn new(said: &str) -> Self {
        let loader = Loader::new().text("sabir.toml", said, Format::Toml);
        let config = loader.load().unwrap_or_else(|faults| panic!("{faults}"));
        let client = Client::builder().env(Env::none()).build().expect("a client");
        let gateway = Gateway::from_config(client, &config).expect("a gateway");
        Self { server: Server::start(gateway, "127.0.0.1:0").await.expect("it listens") }
    }

    /// Asks, and gives the socket, from which the answer comes.
    pub(crate) async fn begin(&self, method: &str, path: &str, headers: &str, body: &str) -> TcpStream {
        let mut socket = TcpStream::connect(self.server.address()).await.expect("a connection");
        let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}");
        let text = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        socket.write_all(text.as_bytes()).await.expect("written");
        socket
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let mut socket = self.begin(method, path, headers, body).await;
        let mut text = String::new();
        socket.read_to_string(&mut text).await.expect("an answer");
        (text.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"), text)
    }
}
