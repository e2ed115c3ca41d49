//! Without an async runtime.
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use sabir::chat::Event;

fn main() -> sabir::Result<()> {
    let client = sabir::blocking::Client::from_async(sabir_examples::client()?)?;
    println!("{}", client.complete("Why is the sea salt?")?);
    for event in client.stream("And the rivers?")? {
        if let Event::Text(delta) = event? {
            print!("{delta}");
        }
    }
    println!();
    Ok(())
}
