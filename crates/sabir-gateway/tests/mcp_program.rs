//! Servers of the Model Context Protocol that are programs, which the gateway starts.
#![cfg(unix)]

use std::path::Path;
use std::time::Duration;

use sabir::config::{KeyHash, Live, Loader};
use sabir::{Client, Env};
use sabir_gateway::{Gateway, Keys, Server};
use tokio::io::AsyncReadExt as _;

use self::house::{House, until};

mod house;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mcp_program.sh");
const ADA: &str = "authorization: Bearer k-ada\r\n";
const BOB: &str = "authorization: Bearer k-bob\r\n";

fn config(timeout: &str, limits: &str) -> String {
    let hash = |key: &str| KeyHash(Keys::hash(&key.into()));
    format!(
        "[mcp.run]\ncommand = \"sh\"\nargs = ['{SCRIPT}']\nenv = {{ SECRET = \"theirs\" }}\n\
         timeout = \"{timeout}\"\n[mcp.lost]\ncommand = \"/nowhere/at-all\"\n\
         [gateway]\nmax_body = \"1KiB\"\n[limits]\nmax_wait = \"0\"\n\
         [gateway.keys.ada]\nhash = \"{}\"\nmcp = [\"run\", \"lost\"]\n{limits}\n\
         [gateway.keys.bob]\nhash = \"{}\"\nmcp = [\"run\"]\n",
        hash("k-ada"),
        hash("k-bob"),
    )
}

fn message(id: &str, method: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}"}}"#)
}

/// A client's session: its headers, and the processes of its program.
struct Session {
    headers: String,
    pids: Vec<u32>,
}

impl Session {
    async fn new(house: &House, key: &str) -> Self {
        let (status, text) = house.ask("POST", "/mcp/run", key, &message("0", "initialize")).await;
        assert_eq!(status, 200, "{text}");
        let id = text.lines().find_map(|line| line.strip_prefix("mcp-session-id: ")).expect("an id");
        assert!(id.len() >= 32, "{id}");
        Self { headers: format!("{key}mcp-session-id: {id}\r\n"), pids: pids(&text) }
    }

    async fn ask(&self, house: &House, id: &str, method: &str) -> (u16, String) {
        house.ask("POST", "/mcp/run", &self.headers, &message(id, method)).await
    }

    async fn is_gone(&self) {
        are_gone(&self.pids).await;
    }
}

fn pids(text: &str) -> Vec<u32> {
    let said = text.split_once("\"pids\":\" ").and_then(|(_, rest)| rest.split_once(" \"")).expect("pids").0;
    said.split(' ').map(|pid| pid.parse().expect("a number")).collect()
}

/// Waits until processes are gone; one that nobody has waited for yet is.
async fn are_gone(pids: &[u32]) {
    let is_there = |pid: &u32| {
        if Path::new("/proc/self").exists() {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            return stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'));
        }
        let asked = std::process::Command::new("sh").args(["-c", &format!("kill -0 {pid} 2>/dev/null")]).status();
        asked.is_ok_and(|status| status.success())
    };
    while pids.iter().any(is_there) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn each_session_has_its_own_process_and_its_own_key() {
    let house = House::new(&config("60s", "")).await;
    let (one, two) = (Session::new(&house, ADA).await, Session::new(&house, ADA).await);
    for (session, n) in [(&one, 1), (&one, 2), (&two, 1)] {
        let (status, text) = session.ask(&house, "1", "add").await;
        assert!(status == 200 && text.contains(&format!("\"n\":{n},")), "{text}");
        assert!(text.contains(r#""who":"theirs nothing""#), "its own variables and not the gateway's: {text}");
    }
    // A session of another key's, one that there is not, none.
    let stolen = one.headers.replace(ADA, BOB);
    for (headers, status) in [(&stolen, 404), (&format!("{ADA}mcp-session-id: x\r\n"), 404), (&ADA.to_owned(), 400)] {
        let (got, text) = house.ask("POST", "/mcp/run", headers, &message("1", "add")).await;
        assert!(got == status && text.contains(r#""error":{"code":-32000,"#), "{headers}: {text}");
    }
    assert_eq!(house.ask("GET", "/mcp/run", &stolen, "").await.0, 404);
    assert_eq!(house.ask("DELETE", "/mcp/run", &stolen, "").await.0, 404);
    assert_eq!(house.ask("GET", "/mcp/run", ADA, "").await.0, 405);
    let (status, text) = house.ask("DELETE", "/mcp/run", &one.headers, "").await;
    assert!(status == 204, "{text}");
    one.is_gone().await;
    assert_eq!(one.ask(&house, "1", "add").await.0, 404);
    assert_eq!(two.ask(&house, "2", "add").await.0, 200, "the other goes on");
}

#[tokio::test]
async fn faulty_requests_and_programs_are_told() {
    let house = House::new(&config("60s", "")).await;
    let session = Session::new(&house, ADA).await;
    let batch = format!("[{}]", message("1", "add"));
    let long = message("1", &"x".repeat(2000));
    let none = format!("{}accept: text/html\r\n", session.headers);
    for (headers, body, status) in [
        (&session.headers, batch.as_str(), 400),
        (&session.headers, "{", 400),
        (&session.headers, long.as_str(), 413),
        (&none, &message("1", "add"), 406),
        (&format!("{ADA}origin: http://evil.example.com\r\n"), &message("0", "initialize"), 403),
        (&String::new(), &message("0", "initialize"), 401),
    ] {
        let (got, text) = house.ask("POST", "/mcp/run", headers, body).await;
        assert_eq!(got, status, "{body}: {text}");
    }
    let (status, text) = house.ask("POST", "/mcp/lost", ADA, &message("0", "initialize")).await;
    assert!(status == 502 && text.contains("the MCP server lost cannot be started"), "{text}");
    assert!(!text.contains("nowhere"), "where it is, is the operator's affair: {text}");
    let (status, text) = session.ask(&house, "1", "long").await;
    assert!(status == 502 && text.contains("ended before it answered"), "{text}");
    session.is_gone().await;
}

#[tokio::test]
async fn what_the_program_says_reaches_its_client() {
    let house = House::new(&config("60s", "")).await;
    let session = Session::new(&house, ADA).await;
    let (status, text) = session.ask(&house, "7", "progress").await;
    assert!(status == 200 && text.contains("content-type: text/event-stream"), "{text}");
    let (progress, result) = (text.find("notifications/progress"), text.find(r#"{"jsonrpc":"2.0","id":7,"#));
    assert!(progress.is_some() && progress < result, "{text}");
    let mut stream = house.begin("GET", "/mcp/run", &session.headers, "").await;
    let (status, text) = house
        .ask("POST", "/mcp/run", &session.headers, "{\"jsonrpc\":\"2.0\",\n\"method\":\"notifications/initialized\"}\n")
        .await;
    assert!(status == 202 && text.ends_with("\r\n\r\n"), "{text}");
    let heard = until(&mut stream, "notifications/initialized").await;
    assert!(heard.contains("content-type: text/event-stream") && heard.contains("notifications/heard"), "{heard}");
    assert_eq!(house.ask("GET", "/mcp/run", &session.headers, "").await.0, 409);
    // A question of the program's in the middle of a call.
    let mut call = house.begin("POST", "/mcp/run", &session.headers, &message("8", "sample")).await;
    until(&mut call, "sampling/createMessage").await;
    let answer = r#"{"jsonrpc":"2.0","id":"q","result":{"text":"yes"}}"#;
    assert_eq!(house.ask("POST", "/mcp/run", &session.headers, answer).await.0, 202);
    until(&mut call, &format!(r#""id":8,"result":{answer}"#)).await;
    house.ask("DELETE", "/mcp/run", &session.headers, "").await;
    stream.read_to_end(&mut Vec::new()).await.expect("it ends with its session");
}

#[tokio::test]
async fn a_program_that_dies_ends_its_session_with_all_that_it_started() {
    let house = House::new(&config("60s", "")).await;
    let session = Session::new(&house, ADA).await;
    let (status, text) = session.ask(&house, "1", "die").await;
    assert!(status == 502 && !text.contains("complaint"), "{text}");
    session.is_gone().await;
    assert_eq!(session.ask(&house, "1", "add").await.0, 404);
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_given_up() {
    let house = House::new(&config("100ms", "")).await;
    let session = Session::new(&house, ADA).await;
    let mut stream = house.begin("GET", "/mcp/run", &session.headers, "").await;
    until(&mut stream, "200 OK").await;
    for _ in 0..2 {
        let (status, text) = session.ask(&house, "1", "hang").await;
        assert!(status == 504 && text.contains("does not answer in time"), "its id is free again: {text}");
        until(&mut stream, "notifications/cancelled").await;
    }
}

#[tokio::test]
async fn requests_are_limited_and_their_ids_are_their_own() {
    let house = House::new(&config("60s", "limits = { concurrent_calls = 2 }")).await;
    let session = Session::new(&house, ADA).await;
    let mut call = house.begin("POST", "/mcp/run", &session.headers, &message("1", "sample")).await;
    until(&mut call, "sampling").await;
    let (status, text) = session.ask(&house, "1", "add").await;
    assert!(status == 400 && text.contains("a request with the id 1 is under way"), "{text}");
    let mut other = house.begin("POST", "/mcp/run", &session.headers, &message("2", "sample")).await;
    until(&mut other, "sampling").await;
    let (status, text) = session.ask(&house, "3", "add").await;
    assert_eq!(status, 429, "{text}");
}

#[tokio::test]
async fn where_there_are_no_sessions_a_request_has_a_process_for_itself() {
    let house = House::new(&config("60s", "")).await;
    let stateless =
        |key: &str, method: &str| format!("{key}mcp-protocol-version: 2026-07-28\r\nmcp-method: {method}\r\n");
    let ask = async |key: &str, method: &str| {
        house.ask("POST", "/mcp/run", &stateless(key, method), &message("1", method)).await
    };
    let (status, text) = ask(ADA, "add").await;
    assert!(status == 200 && text.contains("\"n\":1,") && !text.contains("mcp-session-id"), "{text}");
    let kept = pids(&text);
    assert!(ask(ADA, "add").await.1.contains("\"n\":2,"), "it is kept for the key's next one");
    assert!(ask(BOB, "add").await.1.contains("\"n\":1,"), "and not for another's");
    // While it is in use, another one is started; who leaves ends what was asked.
    let mut call = house.begin("POST", "/mcp/run", &stateless(ADA, "sample"), &message("1", "sample")).await;
    until(&mut call, "sampling").await;
    assert!(ask(ADA, "add").await.1.contains("\"n\":1,"));
    drop(call);
    are_gone(&kept).await;
    let (status, text) = ask(ADA, "refuse").await;
    assert!(status == 404 && text.contains(r#""id":1,"error":{"code":-32601"#), "{text}");
    let (status, text) = house.ask("POST", "/mcp/run", &stateless(ADA, "add"), &message("1", "die")).await;
    assert!(status == 400 && text.contains("-32020"), "{text}");
}

#[tokio::test]
async fn what_goes_on_for_ever_ends_with_the_gateway() {
    let house = House::new(&config("60s", "")).await;
    let headers = format!("{ADA}mcp-protocol-version: 2026-07-28\r\nmcp-method: subscriptions/listen\r\n");
    let mut stream = house.begin("POST", "/mcp/run", &headers, &message("1", "subscriptions/listen")).await;
    let pids = pids(&until(&mut stream, " \"}").await);
    assert!(house.server.drain(Duration::from_secs(60)).await, "nothing was cut off");
    are_gone(&pids).await;
    stream.read_to_end(&mut Vec::new()).await.expect("a proper end");
}

#[tokio::test]
async fn programs_end_with_the_gateway() {
    let house = House::new(&config("60s", "")).await;
    let (idle, busy) = (Session::new(&house, ADA).await, Session::new(&house, ADA).await);
    let mut stream = house.begin("GET", "/mcp/run", &idle.headers, "").await;
    until(&mut stream, "200 OK").await;
    let mut call = house.begin("POST", "/mcp/run", &busy.headers, &message("1", "sample")).await;
    until(&mut call, "sampling").await;
    let House { server } = house;
    let draining = tokio::spawn(server.drain(Duration::from_secs(60)));
    idle.is_gone().await;
    assert!(!draining.is_finished(), "what is under way is answered");
    drop(call);
    assert!(draining.await.expect("no panic"), "nothing was cut off");
    are_gone(&busy.pids).await;
}

#[tokio::test]
async fn sessions_outlive_a_new_configuration_as_long_as_it_says_the_same() {
    let file = std::env::temp_dir().join(format!("sabir-mcp-{}.toml", std::process::id()));
    std::fs::write(&file, config("60s", "")).expect("written");
    let begin = || Client::builder().env(Env::none());
    let live = Live::built_on(Loader::new().file(&file), begin).expect("a configuration");
    let gateway = Gateway::live(&live).expect("a gateway");
    let house = House { server: Server::start(gateway.clone(), "127.0.0.1:0").await.expect("it listens") };
    let session = Session::new(&house, ADA).await;
    std::fs::write(&file, config("60s", "limits = { requests_per_minute = 100 }")).expect("written");
    gateway.reload().expect("right");
    assert_eq!(session.ask(&house, "1", "add").await.0, 200);
    let mut call = house.begin("POST", "/mcp/run", &session.headers, &message("1", "sample")).await;
    until(&mut call, "sampling").await;
    let idle = Session::new(&house, ADA).await;
    std::fs::write(&file, config("61s", "")).expect("written");
    gateway.reload().expect("right");
    idle.is_gone().await;
    assert_eq!(session.ask(&house, "2", "add").await.0, 404);
    drop(call);
    session.is_gone().await;
    assert_eq!(Session::new(&house, ADA).await.ask(&house, "1", "add").await.0, 200);
    std::fs::remove_file(&file).expect("removed");
}
