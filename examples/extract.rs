//! Values of Rust types, taken out of a model's answer: by the provider's JSON Schema, by a tool, or by words.
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use sabir::Client;
use sabir_sim::{Script, Simulator, Turn};

/// One who is mentioned.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
struct Person {
    name: String,
    /// In years, if it is said.
    age: Option<u8>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> sabir::Result<()> {
    // What a model might answer: first not what was asked for, then right. In your program: `Client::new("openai/…")`.
    let script = Script::new()
        .turn(Turn::text(r#"{"value": [{"name": "Ada", "age": "thirty-six"}]}"#))
        .turn(Turn::text(r#"{"value": [{"name": "Ada", "age": 36}, {"name": "Charles"}]}"#).forever());
    let client = Client::builder().service("sim", Simulator::scripted(script)).model("sim/simulated").build()?;

    let extracted = client.extraction::<Vec<Person>>("Ada, 36, wrote to Charles.").send().await?;
    for person in &extracted.value {
        println!("{}, {}", person.name, person.age.map_or("of unknown age".to_owned(), |age| age.to_string()));
    }
    println!("by {:?}, asked {} times", extracted.way, extracted.answers.len());

    let mut stream = client.extraction::<Vec<Person>>("Ada, 36, wrote to Charles.").stream().await?;
    while let Some(so_far) = stream.next().await? {
        println!("so far: {so_far}");
    }
    println!("{} people", stream.finish().await?.value.len());
    Ok(())
}
