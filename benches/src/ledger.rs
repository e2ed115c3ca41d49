//! What a ledger costs.
//!
//! `bench-ledger count FILE COUNT`: opens and closes so many attempts between brackets of their own, so that callgrind
//! counts what their caller pays and not the thread behind.
//! `bench-ledger rate FILE COUNT THREADS`: so many calls of a client, to a service that answers at once, each with its row;
//! prints how many there were a second, until the last was in the database.
#![expect(clippy::print_stdout, reason = "the caller reads the figures")]

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use sabir::chat::{Cost, CostBasis, Item, Line, Receipt, Usage};
use sabir::layers::Stack;
use sabir::ledger::{Ended, Filter, Ledger, Opened, Outcome, Sqlite};
use sabir::{Call, ChatRequest, ChatResponse, Client, Env, Part, Reply, Request, Result, Service};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u32>().expect("a number");
    match arguments.as_slice() {
        ["count", file, count] => count_in(file.as_ref(), number(count)),
        ["rate", file, count, threads] => rate(file.as_ref(), number(count), number(threads)),
        _ => panic!("count FILE COUNT | rate FILE COUNT THREADS"),
    }
}

fn count_in(file: &Path, count: u32) -> Result<()> {
    let ledger = Sqlite::open(file)?;
    let mut attempt = attempt();
    let ended = ended();
    for number in 0..count {
        attempt.attempt = number;
        counted_open(&ledger, &attempt)?;
        counted_close(&ledger, &attempt, &ended)?;
    }
    ledger.flush()
}

#[inline(never)]
fn counted_open(ledger: &dyn Ledger, attempt: &Opened) -> Result<()> {
    ledger.open(attempt)
}

#[inline(never)]
fn counted_close(ledger: &dyn Ledger, attempt: &Opened, ended: &Ended) -> Result<()> {
    ledger.close(attempt, ended)
}

fn rate(file: &Path, count: u32, threads: u32) -> Result<()> {
    let ledger = Sqlite::open(file)?;
    let (begun, theirs) = (Instant::now(), &ledger);
    std::thread::scope(|scope| {
        let spending: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || spend(theirs, thread, count / threads))).collect();
        spending.into_iter().try_for_each(|thread| thread.join().expect("no panic"))
    })?;
    let called = begun.elapsed();
    ledger.flush()?;
    let settled = begun.elapsed();
    let rows = ledger.report(&Filter::default(), &[])?[0].attempts;
    let a_second = |time: Duration| u128::from(rows) * 1_000_000 / time.as_micros().max(1);
    println!("{rows} calls, {} a second; all in the database: {} a second", a_second(called), a_second(settled));
    Ok(())
}

/// The calls of one thread, one after the other.
fn spend(ledger: &dyn Ledger, thread: u32, count: u32) -> Result<()> {
    let client = Client::builder().env(Env::none()).service("fake", AtOnce).model("fake/m").stack(Stack::standard());
    let client = client.build()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut attempt = attempt();
    let mut ended = ended();
    runtime.block_on(async {
        for number in 0..count {
            attempt.call = format!("{thread}-{number}").into();
            attempt.time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            ledger.open(&attempt)?;
            let begun = Instant::now();
            ended.usage = client.chat(ChatRequest::default().user("Why is the sea salt?")).await?.usage;
            ended.latency = begun.elapsed();
            ledger.close(&attempt, &ended)?;
        }
        Ok(())
    })
}

/// A usual attempt: two labels, a receipt of three lines.
fn attempt() -> Opened {
    let mut attempt = Opened::default();
    attempt.call = "0191f3a2-7c5e-7b3a-9d1f-2f6b8a4c7e10".into();
    attempt.time = Duration::from_secs(1_798_718_400);
    (attempt.tenant, attempt.key) = ("acme".into(), "production-1".into());
    (attempt.provider, attempt.model) = ("anthropic".into(), "claude-haiku-5-5".into());
    attempt.tags = [("team".into(), "search".into()), ("env".into(), "production".into())].into();
    attempt.reserved = Some(12_345_678);
    attempt
}

fn ended() -> Ended {
    let mut ended = Ended::new(Outcome::Answered, Duration::from_millis(1_234));
    ended.usage = usage();
    let line = |what, quantity, price| Line::new(what, Some(quantity), Some(price));
    let lines = vec![
        line(Item::Input, 1_200, 1_000_000_000),
        line(Item::CacheRead, 8_000, 100_000_000),
        line(Item::Output, 350, 5_000_000_000),
    ];
    ended.receipt = Some(Receipt::new(lines, "2026-11-21", None));
    ended.cost = Some(Cost { nano_usd: 3_750_000, basis: CostBasis::ListPrice });
    ended.first_event = Some(Duration::from_millis(321));
    ended
}

fn usage() -> Usage {
    let mut usage = Usage::default();
    (usage.input, usage.cache_read, usage.output) = (Some(1_200), Some(8_000), Some(350));
    usage
}

#[derive(Debug)]
struct AtOnce;

impl Service for AtOnce {
    async fn call<'a>(&'a self, _: &'a Call, _: &'a Request) -> Result<Reply> {
        let mut response = ChatResponse::default();
        response.parts.push(Part::text("It just is."));
        response.usage = usage();
        Ok(Reply::Whole(Box::new(response)))
    }
}
