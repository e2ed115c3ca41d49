//! Budgets that are not overshot: what a call may cost is reserved before it is sent, and settled when it ended.
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use sabir::ChatRequest;
use sabir::layers::{Budget, Receipts, Spend, Stack, Window};
use sabir::prices::{Overlay, Prices, Usd};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The simulated model costs nothing, and so has no price: here it costs a dollar for a million tokens in, and two out.
    let models = r#"{"models": {"sim/*": {"standard": {"input": 1, "output": 2}}}}"#;
    let receipts = Receipts::new(Prices::default().with(serde_json::from_str::<Overlay>(models)?));

    let spend = Spend::by(&receipts)
        .budget(Budget::per(Window::day(), "0.01".parse()?).alerts([10, 50]))
        .budget(Budget::per_request(Usd::cents(1)))
        .on_alert(|alert| println!("[{} % of {} is spent]", alert.percent, alert.budget));
    let client = sabir_examples::client()?.with_layer(Stack::standard().receipts(receipts).spend(spend.clone()));

    let ask = |tokens| ChatRequest::default().user("Why is the sea salt?").max_tokens(tokens);
    let answer = client.chat(ask(500)).await?;
    println!("{} (cost: {})", answer.text(), Usd(answer.cost.expect("it has a price").nano_usd));

    // What could pass a budget is refused before it is sent, however little it would have cost.
    let refused = client.chat(ask(50_000)).await.expect_err("it does not fit");
    println!("{refused}");

    // A stream that is left is settled by what had arrived.
    let mut stream = client.stream(ask(500)).await?;
    stream.next().await;
    drop(stream);

    for purse in spend.standing().await? {
        println!("{}: {} spent, {} reserved, {} left", purse.budget, purse.spent, purse.reserved, purse.left);
    }
    Ok(())
}
