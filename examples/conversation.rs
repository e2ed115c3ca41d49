//! A conversation that is begun with one model and goes on with another, kept as JSON in between, under a budget.
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use sabir::Conversation;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = sabir_examples::client()?;
    let mut talk = Conversation::new().system("Be brief.");
    for question in ["Why is the sea salt?", "And lakes?", "And rain?"] {
        println!("> {question}\n{}", talk.say(&client, question).await?.text());
    }

    let kept = serde_json::to_string(&talk)?;
    let mut talk: Conversation = serde_json::from_str(&kept)?;
    let dropped = talk.trim(60);
    println!("{} messages were dropped, {} are left", dropped.len(), talk.messages.len());
    // Any other client will do: the conversation is of no provider.
    println!("{}", talk.say(&client, "So?").await?.text());
    Ok(())
}
