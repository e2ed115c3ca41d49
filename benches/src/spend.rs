//! What budgets and a ledger cost who makes the call.
//!
//! `bench-spend HOW COUNT FILE`: so many calls of a client with the standard stack, to a service that answers at once,
//! between brackets of their own: callgrind counts what their caller pays, and not the thread that writes the database.
//! `HOW` is `bare`; `ledger`, with an SQLite ledger in `FILE`; `one`, with that and a budget for a day; `two`, with one
//! for each client besides; `dated`, the same where the answer names another model than was asked for.

use sabir::chat::Usage;
use sabir::layers::{Budget, Spend, Stack, Window};
use sabir::ledger::Sqlite;
use sabir::prices::Usd;
use sabir::{Call, ChatRequest, ChatResponse, Client, Env, Part, Reply, Request, Result, Service};
use std::sync::Arc;
use tokio::runtime::Runtime;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [how, count, file] = arguments.as_slice() else { panic!("bare|ledger|one|two|dated COUNT FILE") };
    let count: u32 = count.parse().expect("a number");
    let mut stack = Stack::standard();
    if how != "bare" {
        let mut spend = Spend::default().ledger(Arc::new(Sqlite::open(file)?));
        if how != "ledger" {
            spend = spend.budget(Budget::per(Window::day(), Usd::dollars(1_000)).alerts([50, 100]));
        }
        if how == "two" || how == "dated" {
            spend = spend.budget(Budget::per(Window::month(), Usd::dollars(1_000)).each_client());
        }
        stack = stack.spend(spend);
    }
    let service = AtOnce { model: if how == "dated" { "gpt-4o-2024-08-06" } else { "gpt-4o" } };
    let client = Client::builder().env(Env::none()).service("openai", service).model("openai/gpt-4o").stack(stack);
    let client = client.build()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for _ in 0..count {
        let request = ChatRequest::default().user("Why is the sea salt?").max_tokens(1_000);
        assert_eq!(counted_call(&runtime, &client, request)?, Some(350));
    }
    Ok(())
}

#[inline(never)]
fn counted_call(runtime: &Runtime, client: &Client, request: ChatRequest) -> Result<Option<u64>> {
    // The answer is dropped here: its receipt is memory that has to be given back, too.
    Ok(runtime.block_on(client.chat(request))?.usage.output)
}

#[derive(Debug)]
struct AtOnce {
    model: &'static str,
}

impl Service for AtOnce {
    async fn call<'a>(&'a self, call: &'a Call, _: &'a Request) -> Result<Reply> {
        let mut response = ChatResponse::default();
        response.parts.push(Part::text("It just is."));
        (response.provider, response.model) = (call.provider.clone(), self.model.to_owned());
        response.usage = usage();
        Ok(Reply::Whole(Box::new(response)))
    }
}

fn usage() -> Usage {
    let mut usage = Usage::default();
    (usage.input, usage.cache_read, usage.output) = (Some(1_200), Some(8_000), Some(350));
    usage
}
