//! Clients that go away before the end of their answers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http_body_util::Full;
use sabir::chat::Usage;
use sabir::layers::{Limit, Limits, Stack};
use sabir::ledger::{Ended, Outcome, RequestLog, RequestRow};
use sabir::transport::Body;
use sabir::{Client, Env};
use sabir_gateway::{Gateway, Server};
use sabir_sim::{Answer, Simulator, Turn};

use self::closed::Closed;

mod closed;

/// The only attempt, when it has ended.
async fn one(ledger: &Closed) -> Ended {
    loop {
        if let Some(ended) = ledger.all().into_iter().next() {
            return ended;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// A gateway in front of a provider that says thirty words, one each second, and then what they were.
fn gateway() -> (Gateway, Arc<Closed>, Simulator) {
    let mut answer = Answer::text("salt ".repeat(30));
    let mut usage = Usage::default();
    (usage.input, usage.output) = (Some(41), Some(997));
    answer.usage = Some(usage);
    let simulator = Simulator::new();
    simulator.push(Turn::answer(answer).delay_before(Duration::from_secs(1)).delay_between(Duration::from_secs(1)));
    let ledger = Arc::new(Closed::default());
    let client = Client::builder().env(Env::none()).service("sim", simulator.clone()).ledger(ledger.clone());
    (Gateway::new(client.build().expect("a client")), ledger, simulator)
}

fn ask(streamed: bool) -> http::Request<Full<Bytes>> {
    let body = format!(r#"{{"model":"sim/a","stream":{streamed},"messages":[{{"role":"user","content":"Hello"}}]}}"#);
    let request = http::Request::post("/v1/chat/completions");
    request.body(Full::new(body.into())).expect("a request")
}

/// The body of an answer that has begun.
async fn begun(gateway: &Gateway) -> Body {
    let mut body = gateway.answer(ask(true)).await.into_body();
    body.next().await.expect("a piece").expect("of an answer");
    body
}

async fn figures(gateway: &Gateway) -> String {
    let request = http::Request::get("/metrics").body(Full::new(Bytes::new())).expect("a request");
    let pieces: Vec<_> = gateway.answer(request).await.into_body().collect().await;
    pieces.into_iter().map(|piece| String::from_utf8_lossy(&piece.expect("text")).into_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_read_on_to_the_providers_own_figures() {
    let (gateway, ledger, simulator) = gateway();
    let gateway = gateway.read_on(Duration::from_secs(60), 1 << 20);
    drop(begun(&gateway).await);
    let ended = one(&ledger).await;
    assert_eq!((ended.outcome, ended.usage.estimated), (Outcome::Answered, false));
    assert_eq!((ended.usage.input, ended.usage.output), (Some(41), Some(997)));
    assert_eq!((simulator.cancelled(), simulator.in_flight()), (0, 0));
    let said = figures(&gateway).await;
    assert!(said.contains("left_total{became=\"read\"} 1\n") && said.contains("given_up\"} 0\n"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn beyond_the_cap_it_is_estimated_and_says_so() {
    for (time, bytes) in [(5, 1 << 20), (60, 200), (0, 1 << 20)] {
        let (gateway, ledger, simulator) = gateway();
        let gateway = gateway.read_on(Duration::from_secs(time), bytes);
        drop(begun(&gateway).await);
        let ended = one(&ledger).await;
        assert_eq!((ended.outcome, ended.usage.estimated), (Outcome::Dropped, true), "{time} s, {bytes} bytes");
        assert!(ended.usage.output < Some(997), "what had arrived alone: {:?}", ended.usage);
        assert_eq!(simulator.cancelled(), 1, "{time} s, {bytes} bytes");
        assert_eq!(figures(&gateway).await.contains("given_up\"} 1\n"), time > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_is_waited_for_though_nobody_else_does() {
    for (streamed, outcome) in [(false, Outcome::Answered), (true, Outcome::Dropped)] {
        let (gateway, ledger, simulator) = gateway();
        let gateway = gateway.read_on(Duration::from_secs(10), 1 << 20);
        // The head of the answer comes after a second; who asked waits half of one.
        let left = tokio::time::timeout(Duration::from_millis(500), gateway.answer(ask(streamed))).await;
        assert!(left.is_err() && simulator.in_flight() == 1, "the provider works");
        assert_eq!(one(&ledger).await.outcome, outcome, "a stream of thirty seconds is beyond the cap");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_in_a_line_is_not_made_for_nobody() {
    let simulator = Simulator::new();
    simulator.push(Turn::answer(Answer::text("salt")).delay_before(Duration::from_secs(5)));
    let stack = Stack::new().limits(Limits::default().limit(Limit::concurrent(1)));
    let client = Client::builder().env(Env::none()).service("sim", simulator.clone()).stack(stack);
    let gateway = Gateway::new(client.build().expect("a client"));
    let waits = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let left = tokio::time::timeout(Duration::from_secs(1), gateway.answer(ask(false))).await;
        assert!(left.is_err(), "it is not its turn");
    };
    let (answered, ()) = tokio::join!(gateway.answer(ask(false)), waits);
    assert_eq!(answered.status(), 200);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(simulator.served(), 1);
    assert!(figures(&gateway).await.contains("given_up\"} 0\n"));
}

/// Rows as they are written.
#[derive(Debug, Default)]
struct Rows(Mutex<Vec<RequestRow>>);

impl RequestLog for Rows {
    fn write(&self, row: RequestRow) {
        self.0.lock().expect("free").push(row);
    }

    fn left_out(&self) -> u64 {
        0
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_has_it_when_it_is_over_and_says_that_it_was_left() {
    let rows = Arc::new(Rows::default());
    let (gateway, _, _) = gateway();
    let gateway = gateway.read_on(Duration::from_secs(60), 1 << 20).request_log(rows.clone(), 1.0, true);
    let all = gateway.answer(ask(true)).await.into_body().collect::<Vec<_>>().await;
    for status in [Some(200), None] {
        let (gateway, ledger, _) = self::gateway();
        let gateway = gateway.request_log(rows.clone(), 1.0, true).read_on(Duration::from_secs(60), 1 << 20);
        if status.is_some() {
            drop(begun(&gateway).await);
        } else {
            let left = tokio::time::timeout(Duration::from_millis(500), gateway.answer(ask(false))).await;
            assert!(left.is_err());
        }
        assert_eq!(rows.0.lock().expect("free").len(), 1, "the one that was read");
        one(&ledger).await;
        tokio::task::yield_now().await;
        let row = rows.0.lock().expect("free").pop().expect("a row");
        assert_eq!((row.left, row.status, row.output_tokens), (true, status, Some(997)));
        let told = row.response.expect("what went to the client");
        assert!(told.len() * 10 < all.iter().flatten().map(Bytes::len).sum(), "and no more: {}", told.len());
    }
    assert!(!rows.0.lock().expect("free")[0].left);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_read_to_its_end_was_not_left() {
    let (gateway, ledger, _) = gateway();
    let pieces = gateway.answer(ask(true)).await.into_body().collect::<Vec<_>>().await;
    assert!(pieces.len() > 30 && one(&ledger).await.outcome == Outcome::Answered);
    let said = figures(&gateway).await;
    assert!(said.contains("left_total{became=\"read\"} 0\n") && said.contains("given_up\"} 0\n"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_stops_reads_on_within_its_time_and_no_more_after() {
    for (longest, outcome) in [(3, Outcome::Dropped), (60, Outcome::Answered)] {
        let (gateway, ledger, simulator) = gateway();
        let gateway = gateway.read_on(Duration::from_secs(40), 1 << 20);
        let server = Server::start(gateway.clone(), "127.0.0.1:0").await.expect("it listens");
        drop(begun(&gateway).await);
        assert!(server.drain(Duration::from_secs(longest)).await, "nobody who waits was cut off");
        let closed = ledger.all().iter().map(|ended| ended.outcome).collect::<Vec<_>>();
        assert_eq!(closed, [outcome], "{longest} s");
        simulator.push(Turn::text("salt ".repeat(30)).delay_between(Duration::from_secs(1)));
        drop(begun(&gateway).await);
        assert_eq!(simulator.in_flight(), 0, "who leaves now is not followed");
    }
}
