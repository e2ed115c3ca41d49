//! The log of requests, in an SQLite file.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http_body_util::Full;
use rusqlite::{Connection, Row};
use sabir::config::{KeyHash, Live, Loader};
use sabir::ledger::{RequestLog, SqliteRequests};
use sabir::{Client, Env, Registry};
use sabir_gateway::{Gateway, Keys};
use sabir_sim::Simulator;

const HELLO: &str = r#"{"model":"sim/a","max_tokens":100,"messages":[{"role":"user","content":"Hello, pepper"}]}"#;

/// A gateway in a folder of its own, which goes with it.
struct House {
    folder: PathBuf,
    gateway: Gateway,
}

impl House {
    fn new(name: &str, said: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("sabir-request-log-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("sabir.toml");
        std::fs::write(&file, said.replace("{log}", &folder.join("log.db").display().to_string())).expect("written");
        let begin = || {
            let registry = Registry::new();
            registry.register_service("sim", Simulator::new());
            Client::builder().registry(registry).env(Env::none())
        };
        let live = Live::built_on(Loader::new().service("sim").file(file), begin).expect("a configuration");
        let gateway = Gateway::live(&live).expect("a gateway");
        Self { folder, gateway }
    }

    /// Asks, and reads the answer to its end.
    async fn ask(&self, key: &str, path: &str, body: &str) -> String {
        let method = if body.is_empty() { "GET" } else { "POST" };
        let request = http::Request::builder().method(method).uri(path).header("x-api-key", key);
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).expect("a request");
        let pieces: Vec<_> = self.gateway.answer(request).await.into_body().collect().await;
        pieces.into_iter().map(|piece| String::from_utf8_lossy(&piece.expect("text")).into_owned()).collect()
    }

    /// What `select` finds, once all that was asked is written.
    fn rows<T>(self, select: &str, read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
        let House { folder, gateway } = self;
        drop(gateway);
        let connection = Connection::open(folder.join("log.db")).expect("it opens");
        let mut rows = connection.prepare(&format!("{select} FROM requests ORDER BY rowid")).expect("a table");
        let rows = rows.query_map([], read).expect("rows").map(|row| row.expect("a row")).collect();
        let _ = std::fs::remove_dir_all(&folder);
        rows
    }
}

fn keys() -> String {
    let hash = KeyHash(Keys::hash(&"k-ada".into()));
    format!("[gateway.teams.red]\n[gateway.keys.ada]\nhash = \"{hash}\"\nteam = \"red\"\n")
}

#[tokio::test]
async fn each_request_has_a_row_and_no_prompt() {
    let prices = "[prices.models.\"sim/*\".standard]\ninput = 1\noutput = 2\n";
    let house = House::new("head", &format!("{}[gateway.request_log]\npath = \"{{log}}\"\n{prices}", keys()));
    house.ask("k-ada", "/v1/chat/completions", HELLO).await;
    house.ask("k-ada", "/v1/messages", &HELLO.replacen('{', "{\"stream\":true,", 1)).await;
    house.ask("guess", "/v1/chat/completions?key=secret", HELLO).await;
    house.ask("", "/healthz", "").await;
    let select = "SELECT key, team, format, route, provider, model, status, attempts, input_tokens, output_tokens, \
                  nano_usd, left_early, took_ms, request, response, path";
    let rows = house.rows(select, |row| {
        let text = |at: usize| row.get::<_, Option<String>>(at).map(Option::unwrap_or_default);
        let texts = (0..6).map(text).collect::<rusqlite::Result<Vec<_>>>()?.join(" ");
        let counts: Vec<Option<i64>> = (6..13).map(|at| row.get(at)).collect::<rusqlite::Result<_>>()?;
        let bodies: Vec<Option<Vec<u8>>> = (13..15).map(|at| row.get(at)).collect::<rusqlite::Result<_>>()?;
        Ok((texts, counts, bodies, row.get::<_, String>(15)?))
    });
    assert_eq!(rows.len(), 3, "what asks in no dialect has none: {rows:?}");
    for ((texts, counts, bodies, _), format) in rows.iter().zip(["openai-chat", "anthropic-messages"]) {
        assert_eq!(*texts, format!("ada red {format} sim/a sim a"));
        assert_eq!((counts[0], counts[1], counts[5]), (Some(200), Some(1), Some(0)));
        assert!(counts[2..5].iter().all(|count| *count > Some(0)) && counts[6].is_some(), "{counts:?}");
        assert_eq!(bodies, &[None, None]);
    }
    let (texts, counts, _, path) = &rows[2];
    assert_eq!((texts.trim(), counts[0], path.as_str()), ("openai-chat", Some(401), "/v1/chat/completions"));
}

#[tokio::test]
async fn bodies_are_kept_where_that_is_said() {
    let house = House::new("content", "[gateway]\nrequest_log = { path = \"{log}\", content = true }\n");
    let answer = house.ask("", "/v1/chat/completions", &HELLO.replacen('{', "{\"stream\":true,", 1)).await;
    let rows = house.rows("SELECT request, response", |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?)));
    let [(request, response)] = &rows[..] else { panic!("{rows:?}") };
    assert!(String::from_utf8_lossy(request).contains("pepper"));
    assert_eq!(String::from_utf8_lossy(response), answer);
}

#[tokio::test]
async fn a_sample_of_nothing_keeps_nothing_and_a_file_that_stays_goes_on() {
    let house = House::new("sample", "[gateway]\nrequest_log = { path = \"{log}\", sample = 0 }\n");
    house.ask("", "/v1/chat/completions", HELLO).await;
    let log = Arc::new(SqliteRequests::open(house.folder.join("log.db"), std::time::Duration::MAX).expect("opened"));
    let other = Gateway::new(Client::builder().env(Env::none()).service("sim", Simulator::new()).build().expect("one"));
    house.gateway.become_like(&other.request_log(log.clone(), 1.0, false));
    house.ask("", "/v1/chat/completions", HELLO).await;
    let said = house.ask("", "/metrics", "").await;
    assert!(said.contains("sabir_gateway_request_log_left_out_total 0\n"), "{said}");
    log.flush();
    assert_eq!((log.left_out(), house.rows("SELECT status", |row| row.get::<_, u16>(0))), (0, vec![200]));
}
