//! A ledger whose processes are killed, at random moments and under load, is right all the same.
//!
//! 20 rounds; `SABIR_KILLS=100` for another number of them.

#![expect(clippy::print_stdout, reason = "the seed, to see a failure again, and what was counted")]

mod provider;

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant, SystemTime};

use sabir::layers::{Budget, Spend, Window};
use sabir::ledger::{Dimension, Filter, Group, Ledger as _, Sqlite};
use sabir::prices::Usd;
use sabir::{Call, ChatRequest, Request};

/// What a spender has under way at once.
const UNDER_WAY: usize = 16;

/// A folder that goes when the test is over.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("sabir-ledger-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A process that spends, and the names of the calls that it was answered.
struct Spender {
    child: Child,
    reported: Receiver<String>,
}

impl Spender {
    fn start(path: &Path, port: u16, name: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spender"));
        command.arg(path).args([&port.to_string(), name]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (sender, reported) = sync_channel(1_000_000);
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, reported }
    }

    /// Lets it spend for this long, kills it, and gives what it had reported.
    fn kill_after(mut self, time: Duration) -> Vec<String> {
        let end = Instant::now() + time;
        let mut reported = Vec::new();
        while let Ok(name) = self.reported.recv_timeout(end.saturating_duration_since(Instant::now())) {
            reported.push(name);
            if Instant::now() >= end {
                break;
            }
        }
        assert!(self.child.try_wait().expect("ours").is_none(), "nothing but us ends it");
        self.child.kill().expect("ours");
        self.child.wait().expect("ours");
        // What is in the pipe outlives it.
        reported.extend(self.reported);
        reported
    }
}

#[test]
fn nothing_is_lost_or_counted_twice_however_often_it_is_killed() {
    let rounds: u64 = std::env::var("SABIR_KILLS").map_or(20, |rounds| rounds.parse().expect("a number"));
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").subsec_nanos();
    println!("seed {seed}");
    let mut random = u64::from(seed) | 1;
    let mut moment = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        Duration::from_micros(random % 300_000)
    };
    let place = Place::new();
    let path = place.0.join("spend.db");
    let (port, books) = provider::start();
    let mut reported = HashSet::new();
    let mut kills = 0;
    for round in 0..rounds {
        // Every fourth time two of them share the file, and the second outlives the first.
        let first = Spender::start(&path, port, &format!("a{round}"));
        let second = (round % 4 == 3).then(|| Spender::start(&path, port, &format!("b{round}")));
        for spender in [Some(first), second].into_iter().flatten() {
            reported.extend(spender.kill_after(moment()));
            kills += 1;
        }
        // Otherwise the next one finds what this one left.
        if round % 3 == 0 || round + 1 == rounds {
            let ledger = Arc::new(Sqlite::open(&path).expect("opened"));
            check(&ledger, &reported, &books, kills);
        }
    }
}

/// Holds the ledger against what the spenders had reported and what the provider has in its books.
fn check(ledger: &Arc<Sqlite>, reported: &HashSet<String>, books: &provider::Books, kills: usize) {
    let books = books.lock().expect("free").clone();
    let rows: BTreeMap<String, Group> = ledger
        .report(&Filter::default(), &[Dimension::Tag("name".into())])
        .expect("readable")
        .into_iter()
        .map(|mut group| (group.names.remove(0), group))
        .collect();
    let price = |(input, output): (u64, u64)| input * 3 + output * 7;
    let (mut answered, mut spent, mut booked, mut reserved) = (0, 0, 0, 0);
    for (name, row) in &rows {
        assert_eq!(row.attempts, 1, "{name} is there once");
        if row.failed > 0 {
            // A token is at least a byte, framing is not much more, and an answer has a hundred tokens at most.
            let most = (name.len() as u64 + 2_000) * 3 + 100 * 7;
            assert!((701..=most).contains(&row.nano_usd), "{name} was lost with its reservation: {row:?}");
            assert_eq!(row.usage.input_total(), None, "{name}");
            reserved += row.nano_usd;
            assert!(!reported.contains(name), "{name} was received whole");
            continue;
        }
        let (input, output) = books[name];
        assert_eq!((row.usage.input, row.usage.output), (Some(input), Some(output)), "{name}");
        answered += 1;
        spent += row.nano_usd;
        booked += price((input, output));
    }
    assert_eq!(spent, booked, "what was spent is what the provider counted");
    for name in reported {
        assert!(rows.contains_key(name), "{name} was received whole and is not there");
    }
    for name in books.keys() {
        assert!(rows.contains_key(name), "{name} reached the provider and is not there");
    }
    let lost = rows.len() - answered;
    assert!(lost <= kills * UNDER_WAY, "{lost} lost of {kills} kills");
    assert!(rows.len() <= books.len() + kills * UNDER_WAY);
    let sums = ledger.spent(&Filter::default()).expect("readable");
    assert_eq!((sums.settled, sums.reserved), (spent + reserved, 0));
    assert_eq!(shown_by_a_budget(ledger), sums.settled, "a budget shows what the ledger has");
    let health = ledger.health();
    assert_eq!((health.failures, health.unreadable), (0, 0), "{health:?}");
    println!(
        "{kills} kills: {} reported, {answered} answered, {lost} lost, {} at the provider, {} torn",
        reported.len(),
        books.len(),
        health.torn
    );
}

/// What a budget of a process that starts now takes for spent.
fn shown_by_a_budget(ledger: &Arc<Sqlite>) -> u64 {
    let budget = Budget::per(Window::rolling(Duration::from_secs(86_400)), Usd::dollars(1_000));
    let spend = Spend::default().budget(budget).ledger(ledger.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let ask = Request::Chat(ChatRequest::new("gpt-6-luna").user("Hello").max_tokens(1));
        spend.would_admit(&Call::to("openai"), &ask).await.expect("there is enough");
        spend.standing().await.expect("it is in memory")[0].spent.0
    })
}
