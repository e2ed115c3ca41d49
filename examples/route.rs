//! One name for two providers: a key that is refused is changed, and a stream that breaks off begins anew elsewhere.
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use sabir::chat::Event;
use sabir::layers::{KeyPool, Keys, MidStream, Route, Routes, Stack};
use sabir::{ChatRequest, Client, Provider, Registry};
use sabir_sim::{Failure, Loopback, Script, Simulator, Turn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> sabir::Result<()> {
    // Two providers that are simulated: one key is good, and Genoa breaks off in the middle of its first answer.
    let script = Script::new()
        .turn(Turn::text("Salt comes from").when_model("genoa").then_error(Failure::new(503, "the tide came in")))
        .turn(Turn::text("From the rivers, which wash it out of the rocks.").when_model("tunis").times(2));
    let simulator = Simulator::scripted(script).require_key("the-new-key");
    let registry = Registry::empty();
    for id in ["genoa", "tunis"] {
        registry.register(Provider::custom(id, "openai-chat", format!("https://{id}.example/v1"))?);
    }

    let keys = || KeyPool::new([("old", "the-old-key"), ("new", "the-new-key")]);
    let genoa = keys().on_drain(|name, error| println!("[the key {name:?} is out of use: {}]", error.kind()));
    let routes = Routes::new([Route::named("fast", ["genoa/genoa-1", "tunis/tunis-2"]).mid_stream(MidStream::Restart)]);
    let client = Client::builder()
        .registry(registry)
        .transport(Loopback::new(simulator))
        .stack(Stack::new().routes(routes.clone()).keys(Keys::new().pool("genoa", genoa.clone()).pool("tunis", keys())))
        .build()?;

    let mut stream = client.stream(ChatRequest::new("fast").user("Why is the sea salt?")).await?;
    while let Some(event) = stream.next().await {
        match event? {
            Event::Text(delta) => print!("{delta}"),
            Event::Restart(attempt) => println!("\n[{} broke off: {}; anew]", attempt.provider, attempt.message),
            Event::Done(answer) => {
                println!("\n[from {}, after {} attempts that failed]", answer.model, answer.attempts.len());
            }
            _ => {}
        }
    }

    for target in routes.health("fast") {
        println!("{}/{}: {} failures, rests: {:?}", target.provider, target.model, target.failures, target.rests);
    }
    for key in genoa.states() {
        println!("key {}: {} calls, in use: {}", key.name, key.calls, key.drained.is_none());
    }
    Ok(())
}
