//! Providers of one's own, added at run time: here two simulated services, spoken to over real HTTP in two dialects.
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use sabir::{ChatRequest, Client, Provider};
use sabir_sim::{Server, Simulator};

#[tokio::main(flavor = "current_thread")]
async fn main() -> sabir::Result<()> {
    let server = Server::start(Simulator::new(), "127.0.0.1:0").await?;

    let client = Client::builder().build()?;
    client.registry().register(Provider::custom("harbour", "openai-chat", format!("{}/v1", server.url()))?);
    client.registry().register(Provider::custom("lighthouse", "anthropic-messages", server.url())?);

    for model in ["harbour/any", "lighthouse/any"] {
        let answer = client.chat(ChatRequest::new(model).user("Who is there?")).await?;
        println!("{}: {}", answer.provider, answer.text());
    }
    // A provider that is not known is an error that helps, never a guess.
    let error = client.chat(ChatRequest::new("harbor/any").user("Hello?")).await.expect_err("not registered");
    println!("{error}");
    Ok(())
}
