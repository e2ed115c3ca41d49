//! Asks a provider as fast as it can and keeps a ledger of it, until it is killed.
//!
//! `spender LEDGER PORT NAME`: calls are named `NAME-0`, `NAME-1` …; the name of each whose answer was received whole is
//! written to standard output, after the fact. Every second answer streams.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use sabir::chat::Event;
use sabir::layers::{Budget, Receipts, Spend, Stack, Window};
use sabir::ledger;
use sabir::prices::{Overlay, Prices, Usd};
use sabir::{ChatRequest, Client, Env, Reply, Request, Result, Service as _};
use tokio::task::JoinSet;

/// Threads, and calls that each has under way at once.
const THREADS: usize = 2;
const CALLS: usize = 8;
/// 3 nano-dollars a token in, 7 a token out: the test counts the same.
const PRICES: &str = r#"{"models": {"openai/gpt-6-luna": {"standard": {"input": "0.003", "output": "0.007"}}}}"#;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, port, name] = arguments.as_slice() else { panic!("spender LEDGER PORT NAME") };
    let overlay: Overlay = serde_json::from_str(PRICES).expect("prices");
    let spend = Spend::by(&Receipts::new(Prices::default().with(overlay)))
        .budget(Budget::per(Window::rolling(Duration::from_secs(86_400)), Usd::dollars(1_000)))
        .ledger(ledger::open(path)?);
    let names = Arc::new(Names { name: name.clone(), count: AtomicU64::new(0) });
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| ask_on(&spend, port, &names))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no panic"))
    })
}

fn ask_on(spend: &Spend, port: &str, names: &Arc<Names>) -> Result<()> {
    let client = Client::builder()
        .env(Env::none())
        .model("openai/gpt-6-luna")
        .key("sk-spender")
        .base_url(format!("http://127.0.0.1:{port}/v1"))
        .stack(Stack::new().spend(spend.clone()))
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
        let mut chat = ChatRequest::default().user(name.as_str()).max_tokens(100);
        chat.stream = !number.is_multiple_of(2);
        let mut call = client.begin();
        call.tags.push(("name".to_owned(), name.clone()));
        let mut request = Request::Chat(chat);
        client.settle(&mut call, &mut request)?;
        if let Reply::Stream(mut events) = client.service().call(&call, &request).await? {
            while let Some(event) = events.next().await {
                if let Event::Done(_) = event? {
                    break;
                }
            }
        }
        // One write: whoever reads it gets all of it or nothing.
        std::io::stdout().lock().write_all(format!("{name}\n").as_bytes()).expect("somebody reads");
    }
}
