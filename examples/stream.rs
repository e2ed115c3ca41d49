//! An answer as it comes. A stream ends with exactly one terminal item: `Done` with the whole answer, or an error.
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use sabir::chat::Event;

#[tokio::main(flavor = "current_thread")]
async fn main() -> sabir::Result<()> {
    let client = sabir_examples::client()?;
    let mut stream = client.stream("Tell me of the sea.").await?;
    while let Some(event) = stream.next().await {
        match event? {
            Event::Text(delta) => print!("{delta}"),
            Event::Done(answer) => {
                println!("\n[{}; {:?} tokens out]", answer.finish.reason, answer.usage.output_total());
            }
            _ => {}
        }
    }
    Ok(())
}
