//! A gateway that answers on threads of its own.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use sabir::chat::{ChatResponse, Part, Usage};
use sabir::ledger::Outcome;
use sabir::{Call, Client, Env, Reply, Request, Result, Service};
use sabir_gateway::{Gateway, Server};
use sabir_sim::{Answer, Simulator, Turn};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Barrier;

use self::closed::Closed;

mod closed;
mod reading;

/// How long a test waits for what must happen: far more than it takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tells the name of the thread that it is asked on, when as many are asked as it waits for.
#[derive(Debug)]
struct Tells(Barrier);

impl Service for Tells {
    async fn call<'a>(&'a self, _: &'a Call, _: &'a Request) -> Result<Reply> {
        self.0.wait().await;
        let mut response = ChatResponse::default();
        response.parts = vec![Part::text(format!("on {} it was", std::thread::current().name().unwrap_or("none")))];
        Ok(Reply::Whole(Box::new(response)))
    }
}

async fn start(gateway: Gateway, threads: usize) -> Server {
    let threads = NonZeroUsize::new(threads).expect("some");
    Server::builder(gateway).threads(threads).start("127.0.0.1:0").await.expect("it listens")
}

/// A server on threads whose requests are answered when so many are there.
async fn telling(threads: usize, at_once: usize) -> Server {
    let client = Client::builder().env(Env::none()).service("sim", Tells(Barrier::new(at_once))).build();
    start(Gateway::new(client.expect("a client")), threads).await
}

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address()).await.expect("a connection")
}

async fn send(socket: &mut TcpStream, streamed: bool) {
    let body = format!(r#"{{"model":"sim/a","stream":{streamed},"messages":[{{"role":"user","content":"Hello"}}]}}"#);
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    socket.write_all((head + &body).as_bytes()).await.expect("written");
}

/// What comes until a word has come.
async fn until(socket: &mut TcpStream, word: &str) -> String {
    tokio::time::timeout(PATIENCE, reading::until(socket, word)).await.expect("it comes")
}

/// The thread that answered.
async fn told(socket: &mut TcpStream) -> String {
    let text = until(socket, " it was").await;
    let (_, from) = text.split_once("on sabir-").unwrap_or_else(|| panic!("{text}"));
    from.split(' ').next().unwrap_or_default().to_owned()
}

async fn ask(socket: &mut TcpStream) -> String {
    send(socket, false).await;
    told(socket).await
}

#[tokio::test]
async fn connections_are_answered_at_once_and_spread_evenly() {
    let server = telling(3, 30).await;
    let mut sockets = Vec::new();
    for _ in 0..30 {
        let mut socket = connect(&server).await;
        send(&mut socket, false).await;
        sockets.push(socket);
    }
    let mut by_thread = BTreeMap::new();
    for socket in &mut sockets {
        *by_thread.entry(told(socket).await).or_insert(0) += 1;
    }
    let evenly: BTreeMap<String, i32> = (1..=3).map(|number| (number.to_string(), 10)).collect();
    assert_eq!(by_thread, evenly);
    drop(sockets);
    assert!(server.drain(PATIENCE).await);
}

#[tokio::test]
async fn a_connection_stays_on_its_thread_and_its_place_is_taken_when_it_is_gone() {
    let server = telling(3, 1).await;
    let (mut first, mut second, mut third) = (connect(&server).await, connect(&server).await, connect(&server).await);
    let threads = [ask(&mut first).await, ask(&mut second).await, ask(&mut third).await];
    for _ in 0..3 {
        assert_eq!([ask(&mut first).await, ask(&mut second).await, ask(&mut third).await], threads);
    }
    drop(second);
    let mut tries = 0;
    // It takes a moment until it is known to be gone.
    while ask(&mut connect(&server).await).await != threads[1] {
        tries += 1;
        assert!(tries < 200, "nobody takes its place");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn outcomes(ledger: &Closed) -> Vec<(Outcome, Option<u64>)> {
    ledger.all().iter().map(|ended| (ended.outcome, ended.usage.output)).collect()
}

/// A server on two threads in front of a provider that takes half a second for its words, and says then what they were.
async fn slow() -> (Server, Arc<Closed>, Simulator) {
    let mut answer = Answer::text("salt ".repeat(20));
    let mut usage = Usage::default();
    (usage.input, usage.output) = (Some(41), Some(997));
    answer.usage = Some(usage);
    let simulator = Simulator::new();
    simulator.push(Turn::answer(answer).delay_between(Duration::from_millis(25)));
    let ledger = Arc::new(Closed::default());
    let client = Client::builder().env(Env::none()).service("sim", simulator.clone()).ledger(ledger.clone());
    let gateway = Gateway::new(client.build().expect("a client")).read_on(PATIENCE, 1 << 20);
    (start(gateway, 2).await, ledger, simulator)
}

/// A connection with a stream that has begun.
async fn streaming(server: &Server) -> TcpStream {
    let mut socket = connect(server).await;
    send(&mut socket, true).await;
    until(&mut socket, "salt").await;
    socket
}

const WHOLE: [(Outcome, Option<u64>); 1] = [(Outcome::Answered, Some(997))];

#[tokio::test]
async fn a_stream_under_way_ends_whole_while_the_server_drains() {
    let (server, ledger, _) = slow().await;
    let mut socket = streaming(&server).await;
    assert!(outcomes(&ledger).is_empty());
    let (drained, rest) = tokio::join!(server.drain(PATIENCE), until(&mut socket, "[DONE]"));
    assert!(drained && rest.matches("salt").count() > 10, "{rest}");
    assert_eq!(outcomes(&ledger), WHOLE);
}

#[tokio::test]
async fn what_does_not_end_in_time_is_told_when_the_server_drains() {
    let (server, ..) = slow().await;
    let _socket = streaming(&server).await;
    assert!(!server.drain(Duration::from_millis(50)).await);
}

#[tokio::test]
async fn an_answer_whose_client_left_is_settled_before_the_server_is_drained() {
    let (server, ledger, simulator) = slow().await;
    drop(streaming(&server).await);
    assert!(server.drain(PATIENCE).await);
    assert_eq!(outcomes(&ledger), WHOLE);
    assert_eq!(simulator.cancelled(), 0);
}

#[tokio::test]
async fn what_is_under_way_ends_though_the_server_is_dropped() {
    let (server, ledger, _) = slow().await;
    let (mut socket, address) = (streaming(&server).await, server.address());
    drop(server);
    assert!(until(&mut socket, "[DONE]").await.matches("salt").count() > 10);
    drop(socket);
    assert_eq!(outcomes(&ledger), WHOLE);
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
}

#[tokio::test]
async fn an_answer_whose_client_left_is_read_on_though_the_server_is_dropped() {
    let (server, ledger, _) = slow().await;
    let socket = streaming(&server).await;
    drop(server);
    drop(socket);
    let settled = async {
        while outcomes(&ledger).is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, settled).await.expect("it is settled");
    assert_eq!(outcomes(&ledger), WHOLE);
}
