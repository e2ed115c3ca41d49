//! Asks a provider as fast as it can and keeps a ledger of it, until it is killed.
//!
//! `spender LEDGER PORT NAME`: calls are named `NAME-0`, `NAME-1` …; the name of each whose answer was received whole is
//! written to standard output, after the fact. Every second answer streams.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

use sabir::chat::{Cost, CostBasis, Event, Usage};
use sabir::layers::{End, Watch, watch};
use sabir::ledger::{self, Ended, Ledger, Opened, Outcome};
use sabir::{Call, ChatRequest, Client, Env, Layer, Reply, Request, Result, Service, Shared};
use tokio::task::JoinSet;

/// Threads, and calls that each has under way at once.
const THREADS: usize = 2;
const CALLS: usize = 8;
/// What is reserved for a call, in nano-dollars.
const RESERVED: u64 = 1_000_000;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, port, name] = arguments.as_slice() else { panic!("spender LEDGER PORT NAME") };
    let kept = Kept(ledger::open(path)?);
    let names = Arc::new(Names { name: name.clone(), count: AtomicU64::new(0) });
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| spend(&kept, port, &names))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no panic"))
    })
}

fn spend(kept: &Kept, port: &str, names: &Arc<Names>) -> Result<()> {
    let client = Client::builder()
        .env(Env::none())
        .model("openai/gpt-6-luna")
        .key("sk-spender")
        .base_url(format!("http://127.0.0.1:{port}/v1"))
        .layer(kept.clone())
        .build()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut tasks: JoinSet<_> = (0..CALLS).map(|_| ask(client.clone(), names.clone())).collect();
        while let Some(done) = tasks.join_next().await {
            done.expect("no panic")?;
        }
        Ok(())
    })
}

struct Names {
    name: String,
    count: AtomicU64,
}

/// One call after the other.
async fn ask(client: Client, names: Arc<Names>) -> Result<()> {
    loop {
        let number = names.count.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number}", names.name);
        let request = ChatRequest::default().user(name.as_str());
        if number.is_multiple_of(2) {
            client.chat(request).await?;
        } else {
            let mut stream = client.stream(request).await?;
            while let Some(event) = stream.next().await {
                if let Event::Done(_) = event? {
                    break;
                }
            }
        }
        // One write: whoever reads it gets all of it or nothing.
        std::io::stdout().lock().write_all(format!("{name}\n").as_bytes()).expect("somebody reads");
    }
}

/// Opens before it sends and closes when it knows how it ended, as a budget's layer does, which may stand here in its
/// place. The name of a call is what it asks.
#[derive(Clone, Debug)]
struct Kept(Arc<dyn Ledger>);

impl Layer for Kept {
    fn apply(&self, inner: Shared) -> Shared {
        Shared::new(Keeping { inner, ledger: self.0.clone() })
    }
}

#[derive(Debug)]
struct Keeping {
    inner: Shared,
    ledger: Arc<dyn Ledger>,
}

impl Service for Keeping {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        let Request::Chat(chat) = request else { return self.inner.call(call, request).await };
        let mut attempt = Opened::default();
        attempt.call = chat.messages[0].text();
        attempt.time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        attempt.provider.clone_from(&call.provider);
        attempt.model.clone_from(&chat.model);
        attempt.tags.push(("name".to_owned(), attempt.call.clone()));
        attempt.reserved = Some(RESERVED);
        self.ledger.open(&attempt)?;
        let open = Open { attempt, ledger: self.ledger.clone(), begun: Instant::now(), unsaid: true };
        match self.inner.call(call, request).await {
            Ok(reply) => Ok(watch(reply, open)),
            Err(error) => {
                open.close(Outcome::Failed(error.kind()), Usage::default());
                Err(error)
            }
        }
    }
}

/// An attempt that is under way.
struct Open {
    attempt: Opened,
    ledger: Arc<dyn Ledger>,
    begun: Instant,
    unsaid: bool,
}

impl Open {
    fn close(mut self, outcome: Outcome, usage: Usage) {
        self.end_as(outcome, usage);
    }

    fn end_as(&mut self, outcome: Outcome, usage: Usage) {
        if !std::mem::take(&mut self.unsaid) {
            return;
        }
        let mut ended = Ended::new(outcome, self.begun.elapsed());
        // 3 nano-dollars a token in, 7 a token out: the test counts the same.
        let cost = usage.input_total().zip(usage.output_total()).map(|(input, output)| input * 3 + output * 7);
        ended.cost = cost.map(|nano_usd| Cost { nano_usd, basis: CostBasis::ListPrice });
        ended.usage = usage;
        self.ledger.close(&self.attempt, &ended).expect("there is room");
    }
}

impl Watch for Open {
    fn end(&mut self, end: End<'_>) {
        match end {
            End::Answer(response) => self.end_as(Outcome::Answered, response.usage.clone()),
            End::Failed(error) => self.end_as(Outcome::Failed(error.kind()), Usage::default()),
            _ => self.end_as(Outcome::Dropped, Usage::default()),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.end_as(Outcome::Dropped, Usage::default());
    }
}
