//! `bench-sabir unary|stream PORT COUNT [stack|budget]`: that many calls, one after the other, on one warm connection; with
//! the standard stack of layers around the client, if wanted, and with budgets and a ledger that writes nothing in it.

use sabir::chat::Event;
use sabir::layers::{Budget, Spend, Stack, Window};
use sabir::prices::Usd;
use sabir::store::{Dimension, Ended, Filter, Group, Ledger, Opened, Spent};
use sabir::{ChatRequest, Client, Env};

fn main() -> sabir::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, mode, port, count, stack @ ..] = arguments.as_slice() else {
        panic!("unary|stream PORT COUNT [stack|budget]")
    };
    let mut client = Client::builder()
        .env(Env::none())
        .model("openai/gpt-6-luna")
        .key("sk-bench")
        .base_url(format!("http://127.0.0.1:{port}/v1"));
    match stack {
        [] => {}
        [which] if which == "budget" => client = client.stack(Stack::standard().spend(budgets())),
        _ => client = client.stack(Stack::standard()),
    }
    let client = client.build()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        for _ in 0..count.parse::<u32>().expect("a number") {
            let request = ChatRequest::default().user("Why is the sea salt?");
            if mode == "stream" {
                let mut stream = client.stream(request).await?;
                let mut text = 0;
                while let Some(event) = stream.next().await {
                    if let Event::Text(delta) = event? {
                        text += delta.len();
                    }
                }
                assert!(text > 5000);
            } else {
                assert_eq!(client.chat(request).await?.usage.output_total(), Some(21));
            }
        }
        Ok(())
    })
}

/// Two budgets that are far from spent, and a ledger.
fn budgets() -> Spend {
    let daily = Budget::per(Window::day(), Usd::dollars(1_000_000)).alerts([80]);
    let client = Budget::per(Window::month(), Usd::dollars(1_000_000)).each_client();
    Spend::default().budget(daily).budget(client).ledger(std::sync::Arc::new(Nowhere))
}

/// A ledger that writes nothing: what it costs to write is its own.
#[derive(Debug)]
struct Nowhere;

impl Ledger for Nowhere {
    fn open(&self, _: &Opened) -> sabir::Result<()> {
        Ok(())
    }

    fn raise(&self, _: &Opened) -> sabir::Result<()> {
        Ok(())
    }

    fn close(&self, _: &Opened, _: &Ended) -> sabir::Result<()> {
        Ok(())
    }

    fn spent(&self, _: &Filter) -> sabir::Result<Spent> {
        Ok(Spent::default())
    }

    fn report(&self, _: &Filter, _: &[Dimension]) -> sabir::Result<Vec<Group>> {
        Ok(Vec::new())
    }
}
