//! Whoever leaves a call, at any stage of it, leaves nothing behind: no call below, no alarm, no probe, no permit, no connection.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use sabir::chat::Event;
use sabir::layers::breaker::State;
use sabir::layers::{Breaker, Budget, Limit, Limits, Retry, Spend, Stack, Timeout, WhenUnpriced, Window};
use sabir::prices::{Price, Usd};
use sabir::{Call, ChatRequest, Client, Env, Error, ErrorKind, Layer, Request, Result, Service};
use sabir_testkit::{ManualClock, Outcome, Scripted, Step, Task};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

const SECOND: Duration = Duration::from_secs(1);

fn busy() -> Outcome {
    Outcome::Fail(Error::new(ErrorKind::Overloaded, "too busy").with_retry_after(10 * SECOND))
}

fn slow() -> Outcome {
    let text = |words: &str| Step::Item(Ok(Event::Text(words.into())));
    Outcome::Stream(vec![Step::Wait(SECOND), text("a"), Step::Wait(SECOND), text("b"), Step::Forever]).after(SECOND)
}

/// What is under way so many seconds after the call: how many calls below, how many alarms, how many of the calls were
/// made so far.
const STAGES: &[(&str, u64, (usize, usize, usize))] = &[
    ("in the backoff", 0, (0, 1, 1)),
    ("at the end of the backoff", 9, (0, 1, 1)),
    ("before the second try's head", 10, (1, 2, 2)),
    ("before its first event", 11, (1, 2, 2)),
    ("between its events", 12, (1, 2, 2)),
    ("after its last event", 13, (1, 1, 2)),
];

#[test]
fn nothing_is_left_of_a_call_that_is_dropped_at_any_stage() {
    for (stage, seconds, under_way) in STAGES {
        let clock = ManualClock::new();
        let inner = Scripted::new(&clock, [busy(), slow()]);
        let breaker = Breaker::default().clock(clock.clone()).opens_at(1, 2.0, SECOND);
        let timed = Timeout::default().clock(clock.clone()).apply(inner.shared());
        let assumed = WhenUnpriced::Assume { input: Price(1_000_000_000), output: Price(1_000_000_000) };
        let budget = Budget::per(Window::month(), Usd::dollars(1)).when_unpriced(assumed).assume_output(1_000);
        let spend = Spend::default().clock(clock.clone()).budget(budget);
        let outer = Retry::default().clock(clock.clone()).apply(breaker.apply(spend.apply(timed)));
        let mut chat = ChatRequest::new("m").user("x");
        chat.stream = true;
        let (call, request) = (Call::to("p"), Request::Chat(chat));
        let mut task = Task::new(async {
            let mut events = outer.call(&call, &request).await?.stream()?;
            loop {
                poll_fn(|cx| events.as_mut().poll_next(cx)).await.expect("a terminal item")?;
            }
        });
        let mut poll = || -> Poll<Result<()>> { task.until_idle() };
        assert!(poll().is_pending());
        for _ in 0..*seconds {
            clock.advance(SECOND);
            assert!(poll().is_pending(), "{stage}");
        }
        assert_eq!((inner.in_flight(), clock.sleepers(), inner.calls()), *under_way, "{stage}");
        let money = || sabir_testkit::block_on(spend.standing()).expect("a store").remove(0);
        assert_eq!(money().reserved > Usd(0), inner.in_flight() > 0, "{stage}");
        drop(task);
        assert_eq!((inner.in_flight(), clock.sleepers()), (0, 0), "{stage}");
        assert_eq!(inner.dropped(), under_way.0, "{stage}");
        // Who was in the backoff had been refused, which is free; who waited for an answer pays for the question.
        let money = money();
        assert_eq!((money.reserved, money.spent > Usd(0)), (Usd(0), under_way.0 > 0), "{stage}");
        assert_eq!(breaker.states()[0].1, State::Closed, "{stage}");
    }
}

#[test]
fn together_they_are_a_layer_too() {
    let clock = ManualClock::new();
    sabir_testkit::check_layer_on(&clock, |inner| {
        let timed = Timeout::default().clock(clock.clone()).apply(inner);
        Retry::default().clock(clock.clone()).apply(Breaker::default().clock(clock.clone()).apply(timed))
    })
    .assert_ok();
}

/// A provider on a real socket that takes calls and never ends one: it tells when it has a call, and when the caller's
/// connection is gone.
async fn endless(begins: bool) -> (String, mpsc::Receiver<&'static str>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
    let (tell, told) = mpsc::channel(8);
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.expect("a connection");
            let tell = tell.clone();
            tokio::spawn(async move {
                let mut read = [0; 4096];
                let _ = socket.read(&mut read).await;
                if begins {
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
                    let event = "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"One\"}}]}\n\n";
                    socket.write_all([head, event].concat().as_bytes()).await.expect("written");
                }
                tell.send("called").await.expect("a listener");
                while socket.read(&mut read).await.is_ok_and(|bytes| bytes > 0) {}
                tell.send("closed").await.expect("a listener");
            });
        }
    });
    (url, told)
}

#[tokio::test]
async fn no_connection_and_no_permit_is_left_of_a_call_under_the_whole_stack() {
    for begins in [false, true] {
        let (url, mut told) = endless(begins).await;
        let limits = Limits::default().limit(Limit::concurrent(1));
        let builder = Client::builder().env(Env::none()).provider("openai").model("m").key("key").base_url(url);
        let client = builder.stack(Stack::standard().limits(limits)).build().expect("a client");
        // The second call passes only where the first has given its place back.
        for call in ["first", "second"] {
            if begins {
                let mut stream = client.stream("x").await.expect("a stream");
                stream.next().await.expect("an event").expect("no error");
                assert_eq!(told.recv().await, Some("called"), "{call}");
                drop(stream);
            } else {
                tokio::select! {
                    answer = client.chat("x") => panic!("{call}: {answer:?}"),
                    event = told.recv() => assert_eq!(event, Some("called"), "{call}"),
                }
            }
            let closed = timeout(10 * SECOND, told.recv()).await;
            assert_eq!(closed.expect("the connection is closed"), Some("closed"), "{call}");
            assert_eq!(client.metrics().total().in_flight, 0, "{call}");
        }
        assert_eq!(client.metrics().total().errors.get("cancelled"), Some(&2));
    }
}
