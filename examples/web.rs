//! A web service with a model in it: `POST /chat`, `POST /chat/stream` (server-sent events), and beside them the whole
//! gateway, so that any SDK can ask the same client.
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use std::convert::Infallible;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event as Sent, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use sabir::chat::Event;
use sabir::http::HttpTransport;
use sabir::{ChatRequest, ChatResponse, Client, Provider, Registry, Transport as _};
use sabir_gateway::Gateway;
use tokio::net::TcpListener;

fn app(client: Client) -> Router {
    Router::new()
        .route("/chat", post(chat))
        .route("/chat/stream", post(stream))
        .with_state(client.clone())
        // `/v1/chat/completions`, `/v1/messages`, …
        .fallback_service(Gateway::new(client))
}

async fn chat(State(client): State<Client>, Json(request): Json<ChatRequest>) -> Result<Json<ChatResponse>, Refused> {
    Ok(Json(client.chat(request).await?))
}

/// Its texts as they come. Who closes the page drops the stream, and with it the request to the provider.
async fn stream(
    State(client): State<Client>,
    Json(request): Json<ChatRequest>,
) -> Result<Sse<impl Stream<Item = Result<Sent, Infallible>>>, Refused> {
    let events = client.stream(request).await?;
    Ok(Sse::new(events.filter_map(async |event| match event {
        Ok(Event::Text(text)) => Some(Ok(Sent::default().data(text))),
        Ok(Event::Done(_)) => Some(Ok(Sent::default().event("done").data(""))),
        Ok(_) => None,
        Err(error) => Some(Ok(Sent::default().event("error").data(error.message()))),
    })))
}

/// An error of the client's, as an answer over HTTP.
struct Refused(sabir::Error);

impl From<sabir::Error> for Refused {
    fn from(error: sabir::Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = self.0.status().unwrap_or(StatusCode::BAD_GATEWAY);
        (status, self.0.message().to_owned()).into_response()
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(axum::serve(listener, app(sabir_examples::client()?)).into_future());

    // As a page would ask it.
    for path in ["/chat", "/chat/stream"] {
        println!("{path}: {}", asked_by_a_page(&format!("{url}{path}")).await?);
    }

    // As any SDK would ask it.
    let registry = Registry::empty();
    registry.register(Provider::custom("web", "openai-chat", format!("{url}/v1"))?);
    let sdk = Client::builder().registry(registry).model(format!("web/{}", sabir_examples::MODEL)).build()?;
    println!("as OpenAI: {}", sdk.complete("Why is the sea salt?").await?);
    Ok(())
}

async fn asked_by_a_page(url: &str) -> Result<String, Box<dyn std::error::Error>> {
    let question = serde_json::to_vec(&ChatRequest::new("").user("Why is the sea salt?"))?;
    let request = http::Request::post(url).header("content-type", "application/json").body(question.into())?;
    let answer = HttpTransport::new()?.send(request).await?;
    let pieces: Vec<_> = answer.into_body().try_collect().await?;
    Ok(String::from_utf8(pieces.concat())?)
}
