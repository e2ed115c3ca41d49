//! One question, one answer, and what is known of it.
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use sabir::ChatRequest;
use sabir::chat::Effort;

#[tokio::main(flavor = "current_thread")]
async fn main() -> sabir::Result<()> {
    let client = sabir_examples::client()?;

    println!("{}", client.complete("Why is the sea salt?").await?);

    let request = ChatRequest::default()
        .system("Be brief.")
        .user("Name three Mediterranean ports.")
        .max_tokens(200)
        .effort(Effort::Low);
    let answer = client.chat(request).await?;
    println!("{}", answer.text());
    println!(
        "finish: {}, tokens in {:?}, out {:?}",
        answer.finish.reason,
        answer.usage.input_total(),
        answer.usage.output_total()
    );
    Ok(())
}
