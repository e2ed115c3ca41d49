//! The model and the program's own functions at work, until there is an answer.
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use sabir::tools::{RunEvent, Toolbox};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Place {
    /// The city's name.
    city: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> sabir::Result<()> {
    let client = sabir_examples::client()?;
    let tools = Toolbox::new().typed("weather", "The weather in a city", |place: Place| async move {
        match place.city.as_str() {
            "" => Err("name a city"),
            city => Ok(format!("24 °C in {city}, a light breeze from the west")),
        }
    });

    let mut run = client.run("What is the weather in Valletta?", &tools).max_turns(4);
    while let Some(event) = run.next().await {
        match event? {
            RunEvent::Call(call) => println!("the model calls {} with {}", call.name, call.arguments),
            RunEvent::Result { result, took } => println!("it is given {:?} after {took:.0?}", result.text()),
            RunEvent::Done(done) => println!("{} ({} turns, {:?})", done.text(), done.turns.len(), done.ended),
            _ => {}
        }
    }
    Ok(())
}
