//! Sessions whose program is the test.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use sabir::transport::Body;
use tokio::io::{
    AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf, duplex,
};
use tokio::time::Instant;

use super::answer::{self, Waiting};
use super::mailbox::Letter;
use super::message::{self, Id, Message};
use super::session::{Pipes, Session};

const IDLE: Duration = Duration::from_secs(60);

/// The program's side.
struct Play {
    told: Lines<BufReader<ReadHalf<DuplexStream>>>,
    says: WriteHalf<DuplexStream>,
}

impl Play {
    async fn say(&mut self, line: &str) {
        self.says.write_all(format!("{line}\n").as_bytes()).await.expect("the session reads");
    }

    async fn told(&mut self) -> Option<String> {
        self.told.next_line().await.expect("text")
    }
}

fn begin() -> (Arc<Session>, Play) {
    let (ours, theirs) = duplex(1024);
    let (output, input) = tokio::io::split(ours);
    let session = Session::begin("s".to_owned(), None, Pipes { output, input, process: None }, IDLE, None);
    let (told, says) = tokio::io::split(theirs);
    (session, Play { told: BufReader::new(told).lines(), says })
}

fn id(json: &str) -> Id {
    match Message::read(&format!(r#"{{"id":{json},"method":"m"}}"#)) {
        Ok(Message::Request { id, .. }) => id,
        other => panic!("{other:?}"),
    }
}

/// Asks, and gives what waits for the answer.
fn ask(session: &Arc<Session>, json: &str, streams: bool, until: Option<Duration>) -> Waiting {
    let question = session.ask(id(json), streams).expect("it is put down");
    let until = until.map(|limit| Instant::now() + limit);
    Waiting { server: "it".to_owned(), question, session: session.clone(), until, streams, kept: None }
}

async fn text(body: Body) -> String {
    let pieces: Vec<_> = body.map(|piece| piece.expect("a piece").to_vec()).collect().await;
    String::from_utf8(pieces.concat()).expect("text")
}

fn progress(number: u8) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progress":{number}}}}}"#)
}

fn result(id: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0", "id":{id},"result":{{"of": {id}}}}}"#)
}

#[tokio::test]
async fn an_answer_alone_is_json_and_what_comes_before_it_makes_a_stream() {
    let (session, mut play) = begin();
    let waiting = ask(&session, "1", true, None);
    play.say("it prints something").await;
    play.say(&result("1")).await;
    let (answered, _) = waiting.answer().await.expect("an answer");
    assert_eq!(answered.headers()[CONTENT_TYPE], "application/json");
    assert_eq!(text(answered.into_body()).await, result("1"), "byte for byte");

    let waiting = ask(&session, r#""a""#, true, None);
    for line in [progress(1), progress(2), result(r#""a""#)] {
        play.say(&line).await;
    }
    let (answered, _) = waiting.answer().await.expect("an answer");
    assert_eq!(answered.headers()[CONTENT_TYPE], "text/event-stream");
    let event = |said: &str| format!("event: message\ndata: {said}\n\n");
    let events = [progress(1), progress(2), result(r#""a""#)].map(|said| event(&said)).concat();
    assert_eq!(text(answered.into_body()).await, events);
}

#[tokio::test]
async fn answers_find_their_requests_and_ids_are_used_once_at_a_time() {
    let (session, mut play) = begin();
    let (one, two) = (ask(&session, "1", true, None), ask(&session, r#""1""#, true, None));
    let refused = session.ask(id("1"), true).err().expect("it is under way");
    assert_eq!(refused.status(), Some(StatusCode::BAD_REQUEST), "{refused}");
    play.say(&result(r#""1""#)).await;
    play.say(&result("1")).await;
    for (waiting, json) in [(one, "1"), (two, r#""1""#)] {
        let (answered, _) = waiting.answer().await.expect("an answer");
        assert_eq!(text(answered.into_body()).await, result(json));
    }
    let old = session.ask(id("1"), true).expect("it is answered");
    play.say(&result("1")).await;
    assert!(matches!(old.mailbox.next().await, Some(Letter::Answer { .. })));
    let _new = session.ask(id("1"), true).expect("it is answered again");
    drop(old);
    assert!(session.ask(id("1"), true).is_err(), "the new one is under way");
}

#[tokio::test]
async fn what_belongs_to_no_request_for_certain_goes_to_the_sessions_stream() {
    let (session, mut play) = begin();
    // Before anybody listens, it waits.
    play.say(&progress(0)).await;
    let ear = session.listen().expect("nobody listens");
    assert_eq!(session.listen().err().and_then(|error| error.status()), Some(StatusCode::CONFLICT));
    let next = || async { ear.mailbox.next().await };
    assert_eq!(next().await, Some(Letter::Message(progress(0).into())));
    let (one, two) = (ask(&session, "1", true, None), ask(&session, "2", true, None));
    play.say(&progress(1)).await;
    assert_eq!(next().await, Some(Letter::Message(progress(1).into())));
    drop(two);
    play.say(&progress(2)).await;
    assert_eq!(one.question.mailbox.next().await, Some(Letter::Message(progress(2).into())));
    // Who reads an answer alone has nothing else put before it.
    let plain = ask(&session, "3", false, None);
    drop(one);
    play.say(&progress(3)).await;
    play.say(&result("3")).await;
    assert_eq!(text(plain.answer().await.expect("an answer").0.into_body()).await, result("3"));
    let mut heard = answer::unasked(ear).into_body();
    let event = heard.next().await.expect("an event").expect("a piece");
    assert!(std::str::from_utf8(&event).is_ok_and(|event| event.contains(&progress(3))));
    session.end();
    assert!(heard.next().await.is_none(), "it ends with the session");
}

#[tokio::test(start_paused = true)]
async fn silence_is_broken_and_what_takes_too_long_is_told() {
    let (session, mut play) = begin();
    let refused = ask(&session, "1", true, Some(Duration::from_secs(10))).answer().await.err().expect("too late");
    assert_eq!(refused.status(), Some(StatusCode::GATEWAY_TIMEOUT));
    let cancelled = play.told().await.expect("it is told");
    assert!(cancelled.contains("notifications/cancelled") && cancelled.contains(r#""requestId":1"#), "{cancelled}");
    // What it says after all is for nobody.
    play.say(&result("1")).await;
    play.say(&progress(1)).await;
    let ear = session.listen().expect("nobody listens");
    assert_eq!(ear.mailbox.next().await, Some(Letter::Message(progress(1).into())));
    let (answered, _) = ask(&session, "1", true, Some(Duration::from_secs(40))).answer().await.expect("a stream");
    let said = text(answered.into_body()).await;
    assert_eq!(said.matches(":\n\n").count(), 2, "{said}");
    assert!(said.contains(r#"data: {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"#), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_rests_ends_and_one_in_use_does_not() {
    let (session, mut play) = begin();
    let waiting = ask(&session, "1", true, None);
    tokio::time::advance(IDLE * 3).await;
    assert!(!session.is_over(), "it is waited for");
    drop(waiting);
    let ear = session.listen().expect("nobody listens");
    tokio::time::advance(IDLE * 3).await;
    assert!(!session.is_over(), "it is heard");
    drop(ear);
    assert_eq!(play.told().await, None, "its input ends");
    assert!(session.is_over());
    assert_eq!(session.listen().err().and_then(|error| error.status()), Some(StatusCode::NOT_FOUND));
}

#[tokio::test]
async fn a_program_that_ends_or_says_too_much_ends_the_session() {
    let (session, mut play) = begin();
    let waiting = ask(&session, "1", true, None);
    play.say(&result("1")).await;
    drop(play);
    assert!(waiting.answer().await.is_ok(), "what it said before is heard");
    while !session.is_over() {
        tokio::task::yield_now().await;
    }
    let (session, mut play) = begin();
    let waiting = ask(&session, "1", true, None);
    let piece = vec![b'x'; 1 << 20];
    while play.says.write_all(&piece).await.is_ok() {}
    assert_eq!(waiting.answer().await.err().and_then(|error| error.status()), Some(StatusCode::BAD_GATEWAY));
    assert!(session.is_over());
}

#[tokio::test(start_paused = true)]
async fn a_program_that_does_not_read_holds_nobody_for_ever() {
    let (session, play) = begin();
    let long = message::line(&format!(r#"{{"method":"{}"}}"#, "x".repeat(5000)));
    let until = || Instant::now() + Duration::from_secs(5);
    let mut refused = None;
    for _ in 0..4 {
        refused = session.tell(long.clone(), until()).await.err();
        if refused.is_some() {
            break;
        }
    }
    assert_eq!(refused.and_then(|error| error.status()), Some(StatusCode::GATEWAY_TIMEOUT));
    drop(play);
}

#[tokio::test]
async fn where_there_are_no_sessions_errors_have_their_status_and_what_answered_well_is_kept() {
    let table = Arc::new(super::table::Table::default());
    let (session, mut play) = begin();
    let mut waiting = ask(&session, "1", true, None);
    waiting.kept = Some(Arc::downgrade(&table));
    play.say(r#"{"id":1,"error":{"code":-32601,"message":"?"}}"#).await;
    assert_eq!(waiting.answer().await.expect("an answer").0.status(), StatusCode::NOT_FOUND);
    assert!(table.spare(None).is_none());
    let mut waiting = ask(&session, "1", true, None);
    waiting.kept = Some(Arc::downgrade(&table));
    play.say(&result("1")).await;
    assert_eq!(waiting.answer().await.expect("an answer").0.status(), StatusCode::OK);
    assert!(table.spare(Some("ada")).is_none(), "it is of no key");
    assert!(table.spare(None).is_some() && table.spare(None).is_none());
    let mut waiting = ask(&session, "1", true, None);
    waiting.kept = Some(Weak::new());
    drop(session);
    assert!(play.told().now_or_never().is_none(), "it is in use");
    drop(waiting);
    assert_eq!(play.told().await, None, "nobody has it");
}
