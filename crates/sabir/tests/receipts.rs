//! What a client's answers cost.

use sabir::chat::{Item, ReceiptBasis};
use sabir::layers::{Receipts, Stack};
use sabir::prices::{Overlay, Prices};
use sabir::{ChatRequest, Client};
use sabir_sim::Simulator;

#[tokio::test]
async fn whole_answers_and_streams_cost_what_is_listed() {
    let client = Client::builder()
        .service("openai", Simulator::new())
        .model("openai/gpt-6-luna")
        .stack(Stack::new().receipts(Receipts::default()))
        .build()
        .expect("a client");

    let whole = client.chat("Why is the sea salt?").await.expect("an answer");
    let request = ChatRequest::new("openai/gpt-6-luna").user("Why is the sea salt?");
    let streamed = client.stream(request).await.expect("a stream").finish().await.expect("an answer");
    for answer in [whole, streamed] {
        let (input, output) = (answer.usage.input.expect("input"), answer.usage.output.expect("output"));
        assert!(input > 0 && output > 0);
        // GPT-6 Luna: 0.10 dollars in, 0.50 out, for a million.
        assert_eq!(answer.cost.map(|cost| cost.nano_usd), Some(input * 100 + output * 500));
        let receipt = answer.receipt.expect("a receipt");
        assert_eq!(receipt.basis, ReceiptBasis::ListPrice, "{receipt:?}");
        let what: Vec<&Item> = receipt.lines.iter().map(|line| &line.what).collect();
        assert_eq!(what, [&Item::Input, &Item::Output]);
    }
}

#[tokio::test]
async fn ones_own_server_has_the_price_that_one_gives_it() {
    let ask = |prices: Prices| {
        let builder = Client::builder().service("mine", Simulator::new()).provider("mine").model("sim");
        builder.stack(Stack::new().receipts(Receipts::new(prices))).build().expect("a client")
    };
    let unknown = ask(Prices::default()).chat("Hi").await.expect("an answer");
    assert_eq!((unknown.cost, unknown.receipt.map(|receipt| receipt.basis)), (None, Some(ReceiptBasis::Unknown)));
    let overlay = r#"{"models": {"mine/*": {"standard": {"input": 0, "output": 0}}}}"#;
    let overlay: Overlay = serde_json::from_str(overlay).expect("an overlay");
    let free = ask(Prices::default().with(overlay)).chat("Hi").await.expect("an answer");
    assert_eq!(free.cost.map(|cost| cost.nano_usd), Some(0));
}
