//! A client among `tower`'s own layers: what the ecosystem has already, Sabir need not have.
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use std::time::Duration;

use sabir::ChatRequest;
use tower::{Service, ServiceBuilder, ServiceExt};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), tower::BoxError> {
    // `tower::limit` and `tower::timeout` know nothing of models, and need not.
    let mut service = ServiceBuilder::new()
        .timeout(Duration::from_secs(30))
        .concurrency_limit(2)
        .rate_limit(100, Duration::from_secs(1))
        .service(sabir_examples::client()?);

    let reply = service.ready().await?.call(ChatRequest::from("Why is the sea salt?".to_owned())).await?;
    println!("{}", reply.whole()?.text());

    // Two at once, each a stream of its own.
    let asked = ["One?", "Two?"].map(|words| {
        let mut request = ChatRequest::from(words.to_owned());
        request.stream = true;
        request
    });
    for request in asked {
        let mut events = service.ready().await?.call(request).await?.stream()?;
        let mut count = 0;
        while std::future::poll_fn(|cx| events.as_mut().poll_next(cx)).await.transpose()?.is_some() {
            count += 1;
        }
        println!("{count} events");
    }
    Ok(())
}
