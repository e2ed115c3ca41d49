//! What is charged, by how a call ended.

use sabir_core::Stage;
use sabir_testkit::Task;

use super::*;

/// What a call that went so is charged, by the purse; the ledger says the same.
fn charged(outcome: Outcome) -> (How, u64) {
    let house = House::new(|spend| spend.budget(daily(10_000_000)), [outcome]);
    drop(house.ask());
    let (spent, reserved, _) = house.stands();
    let (how, written) = house.rows.last();
    assert_eq!((spent, reserved), (written, 0));
    (how, spent)
}

/// The input as it is counted: not to be known to the token.
fn is_input(nano: u64) -> bool {
    (4 * INPUT..200 * INPUT).contains(&nano)
}

#[test]
fn the_rule_holds() {
    let refused = failed(ErrorKind::RateLimit).with_status(http::StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(charged(Outcome::Fail(refused)), (How::Failed(ErrorKind::RateLimit), 0));
    let unsent = failed(ErrorKind::Network).with_stage(Stage::NotSent);
    assert_eq!(charged(Outcome::Fail(unsent)), (How::Failed(ErrorKind::Network), 0));
    assert_eq!(charged(Outcome::Fail(failed(ErrorKind::Overloaded))), (How::Failed(ErrorKind::Overloaded), 0));
    let (how, nano) = charged(Outcome::Fail(failed(ErrorKind::Timeout)));
    assert_eq!(how, How::Failed(ErrorKind::Timeout));
    assert!(is_input(nano), "{nano}");
    let broken = failed(ErrorKind::Truncated).with_partial(used(10, 5));
    // What is told in the middle is a lower bound, and so is what had arrived.
    assert_eq!(charged(Outcome::Fail(broken)).1, 10 * INPUT + 5 * OUTPUT);
    let mut own = used(10, 5);
    own.cost = sabir_core::chat::Cost::reported("0.000000123");
    assert_eq!(charged(Outcome::whole(own)), (How::Answered, 123));
    let mut silent = used(0, 0);
    (silent.usage.input, silent.usage.output) = (None, None);
    let (how, nano) = charged(Outcome::whole(silent));
    assert_eq!(how, How::Answered);
    assert!(is_input(nano - 2 * OUTPUT), "input and two tokens of output: {nano}");
}

#[test]
fn who_leaves_pays_for_what_may_have_been_read() {
    let house = House::new(|spend| spend.budget(daily(10_000_000)), [Outcome::Forever]);
    let (call, request) = (Call::to("p"), Request::Chat(chat()));
    let mut left = Task::new(house.outer.call(&call, &request));
    assert!(left.until_idle().is_pending());
    let (spent, reserved, left_over) = house.stands();
    assert_eq!((spent, reserved + left_over), (0, 10_000_000));
    assert!(reserved > 200 * INPUT);
    drop(left);
    let (spent, reserved, _) = house.stands();
    assert!(is_input(spent) && reserved == 0, "{spent}");
    assert_eq!(house.rows.last(), (How::Dropped, spent));
    // Never begun: nothing.
    drop(Task::new(house.outer.call(&call, &request)));
    assert_eq!((house.stands().0, house.rows.all().len()), (spent, 1));
}

#[test]
fn a_stream_that_is_left_pays_for_what_had_arrived() {
    let words = "Rivers bring the salt of the land into the sea, and the sun takes the water away again. ";
    let steps: Vec<Result<Event>> = (0..20).map(|_| text(words)).collect();
    let house = House::new(|spend| spend.budget(daily(10_000_000)), [Outcome::events(steps)]);
    let reply = house.call(&Call::to("p"), &stream()).expect("a stream");
    let mut events = reply.stream().expect("a stream");
    for _ in 0..5 {
        let next = std::future::poll_fn(|cx| events.as_mut().poll_next(cx));
        assert!(block_on_with(&house.clock, next).is_some_and(|item| item.is_ok()));
    }
    drop(events);
    let (spent, reserved, _) = house.stands();
    assert_eq!((house.rows.last(), reserved), ((How::Dropped, spent), 0));
    let (_, ended) = house.rows.all().pop().expect("a row");
    let usage = ended.expect("closed").usage;
    let output = usage.output.expect("counted");
    assert!((60..=180).contains(&output) && usage.estimated, "about 100 tokens: {usage:?}");
    assert_eq!(house.inner.dropped(), 1);
}

/// Gives vectors, of nine tokens.
#[derive(Debug)]
struct Embeds;

impl sabir_core::Service for Embeds {
    async fn call<'a>(&'a self, _: &'a Call, request: &'a Request) -> Result<Reply> {
        let mut response = sabir_core::embed::EmbedResponse::default();
        response.usage.input = Some(9);
        match request {
            Request::Embed(_) => Ok(Reply::Embed(Box::new(response))),
            _ => Ok(Reply::Count(Box::default())),
        }
    }
}

#[test]
fn what_is_embedded_or_ordered_is_charged_and_counting_is_free() {
    let clock = ManualClock::new();
    let rows = Arc::new(Rows::default());
    let spend = spend(&clock).ledger(rows.clone()).budget(daily(10_000_000));
    let outer = spend.apply(Shared::new(Embeds));
    let mut embed = sabir_core::embed::EmbedRequest::from(["salt"]);
    embed.model = "m".into();
    let ask = |request: Request| block_on_with(&clock, outer.call(&Call::to("p"), &request));
    let vectors = ask(Request::Embed(embed)).expect("vectors").embed().expect("vectors");
    assert_eq!(vectors.cost.map(|cost| cost.nano_usd), Some(9 * INPUT));
    assert_eq!(rows.last(), (How::Answered, 9 * INPUT));
    ask(Request::Count(chat().into())).expect("a count");
    assert_eq!(rows.all().len(), 1);
}
