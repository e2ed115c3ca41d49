//! Counts that are made here: in a client, with a vocabulary of one's own, for a limit.

use std::sync::{Arc, Mutex};

use sabir::layers::{Limit, Limits};
use sabir::tokens::{Counter, count};
use sabir::{ChatRequest, Client, Precision};
use sabir_sim::Simulator;

fn client() -> Client {
    Client::builder().service("sim", Simulator::new()).model("sim/any").build().expect("a client")
}

#[tokio::test]
async fn a_limit_counts_as_the_client_does() {
    let client = client();
    let (counter, told) = (client.counter().clone(), Arc::new(Mutex::new(Vec::new())));
    let seen = told.clone();
    let limits = Limits::default().limit(Limit::tokens_per_minute(1_000_000)).count_with(move |call, request| {
        let input = counter.input(call, request);
        seen.lock().expect("a lock").push(input);
        input.tokens
    });
    let client = client.with_layer(limits);
    let request = ChatRequest::default().system("Be brief.").user("Why is the sea salt? ".repeat(20));
    client.chat(request.clone()).await.expect("an answer");
    client.chat(request.clone()).await.expect("an answer");
    let expected = client.count_tokens_locally(request.clone()).expect("a count").input;
    assert_eq!(*told.lock().expect("a lock"), [expected, expected]);
    assert_eq!(expected, count(&request, &client.model_id("").expect("a model")));
    // A long text is counted once.
    let (asked, found) = client.counter().asked_and_found();
    assert!(found > 0 && found < asked, "{found} of {asked}");

    let vectors = client.embed(["the sea", "a loaf of bread"]).await;
    assert!(vectors.is_ok() && told.lock().expect("a lock").last().is_some_and(|count| count.tokens >= 4));
}

#[tokio::test]
async fn a_service_is_asked_and_else_it_is_counted_here() {
    let asked = client().count_tokens("the sea is salt!").await.expect("a count");
    assert_eq!((asked.provider.as_str(), asked.input.precision, asked.input.tokens), ("sim", Precision::Exact, 4));
    let here = client().count_tokens_locally("the sea is salt!").expect("a count");
    assert_eq!((here.provider.as_str(), here.input.precision), ("", Precision::Estimate));
}

#[test]
fn counters_are_shared() {
    let counter = Arc::new(Counter::new(8));
    let builder = || Client::builder().service("sim", Simulator::new()).model("sim/any").counter(counter.clone());
    let text = "a text that is worth keeping ".repeat(9);
    for _ in 0..2 {
        builder().build().expect("a client").count_tokens_locally(&*text).expect("a count");
    }
    assert_eq!(counter.asked_and_found().1, 1);
}
