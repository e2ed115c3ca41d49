//! A client among `tower`'s own layers: what the ecosystem has already, Sabir need not have.
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use std::time::Duration;

use sabir::{ChatRequest, Reply};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    // `tower::limit` and `tower::timeout` know nothing of models, and need not.
    let mut service = ServiceBuilder::new()
        .timeout(Duration::from_secs(30))
        .concurrency_limit(2)
        .rate_limit(100, Duration::from_secs(1))
        .service(sabir_examples::client()?);

    let answer = ask(&mut service, ChatRequest::new("").user("Why is the sea salt?")).await?.whole()?;
    println!("{}", answer.text());

    // A stream passes as well: tower sees it begin.
    let mut request = ChatRequest::new("").user("And where does it go?");
    request.stream = true;
    let mut events = ask(&mut service, request).await?.stream()?;
    let mut count = 0;
    while std::future::poll_fn(|cx| events.as_mut().poll_next(cx)).await.transpose()?.is_some() {
        count += 1;
    }
    println!("{count} events");
    Ok(())
}

async fn ask(
    service: &mut impl Service<ChatRequest, Response = Reply, Error = BoxError>,
    request: ChatRequest,
) -> Result<Reply, BoxError> {
    service.ready().await?.call(request).await
}
