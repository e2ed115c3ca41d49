//! The suite for servers.

use std::sync::Arc;

use sabir_core::chat::{ChatRequest, ChatResponse, Event, Tool, ToolChoice};
use sabir_core::drive::Origin;
use sabir_core::transport::Transport;
use sabir_core::{Call, Dialect, Endpoint, Error, ErrorKind, Reply, Request, Result, Service};
use serde_json::json;

use crate::Report;
use crate::contract::{check_events, collect};

/// Checks a server that speaks a dialect, by a few short calls of `model` at `endpoint`. The calls may cost money.
///
/// | check | what it asks |
/// |---|---|
/// | `whole` | a unary call is answered, with text and usage |
/// | `stream` | a streamed call keeps the contract, and ends with usage |
/// | `dropped stream` | after a stream was left, the next call is answered |
/// | `tools` | a call for a tool has JSON arguments, whole and streamed (left out where no tool is called) |
/// | `wrong model` | an unknown model is an error of a kind that says so (left out where any name is answered) |
/// | `no messages` | a request without messages is an error that says so, or an answer |
pub async fn check_server(
    transport: Arc<dyn Transport>,
    dialect: &'static dyn Dialect,
    endpoint: Endpoint,
    model: &str,
) -> Report {
    let mut report = Report::new(format!("{} at {}", dialect.name(), endpoint.base_url));
    let server = Server(Origin::new(dialect, endpoint, transport));
    let hello = || ChatRequest::new(model).user("Say hello in one short sentence.").max_tokens(512);

    report.note("whole", "a greeting", server.whole(hello()).await.map_err(failed).and_then(|r| greeted(&r)));
    let streamed = server.stream(hello()).await;
    report.note("stream", "a greeting", streamed.and_then(|r| r.map_err(failed)).and_then(|r| greeted(&r)));
    report.note("dropped stream", "after its first event", server.left(hello()).await);
    tools(&server, hello(), &mut report).await;
    wrong_model(&server, hello(), &mut report).await;
    report.note("no messages", "an empty conversation", server.nothing(model).await);
    report
}

async fn tools(server: &Server, request: ChatRequest, report: &mut Report) {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let request = request
        .user("What is the weather in Madrid? Use the tool.")
        .tool(Tool::function("weather", "Tells the weather in a city.", schema))
        .tool_choice(ToolChoice::Required);
    for stream in [false, true] {
        let case = if stream { "streamed" } else { "whole" };
        let answer =
            if stream { server.stream(request.clone()).await } else { Ok(server.whole(request.clone()).await) };
        match answer {
            Ok(Err(error)) if matches!(error.kind(), ErrorKind::InvalidRequest | ErrorKind::Unsupported) => {
                report.skip("tools", case, format!("the server takes no tools: {error}"));
            }
            Ok(Ok(response)) if response.tool_calls().next().is_none() => {
                report.skip("tools", case, "the model called no tool");
            }
            answer => report.note("tools", case, answer.and_then(|r| r.map_err(failed)).and_then(|r| called(&r))),
        }
    }
}

async fn wrong_model(server: &Server, mut request: ChatRequest, report: &mut Report) {
    "sabir-testkit-no-such-model".clone_into(&mut request.model);
    let outcome = match server.whole(request).await {
        Ok(_) => return report.skip("wrong model", "whole", "the server answers under any model's name"),
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::InvalidRequest | ErrorKind::Permission | ErrorKind::Configuration => {
                Ok(())
            }
            kind => Err(format!("the error's kind is {kind}, which does not say what is wrong: {error}")),
        },
    };
    report.note("wrong model", "whole", outcome);
}

struct Server(Origin);

impl Server {
    async fn ask(&self, mut request: ChatRequest, stream: bool) -> Result<Reply> {
        request.stream = stream;
        self.0.call(&Call::default(), &Request::Chat(request)).await
    }

    async fn whole(&self, request: ChatRequest) -> Result<ChatResponse> {
        self.ask(request, false).await?.whole()
    }

    /// The answer of a stream; the outer error is a breach of the contract.
    async fn stream(&self, request: ChatRequest) -> Result<Result<ChatResponse>, String> {
        let stream = match self.ask(request, true).await.and_then(Reply::stream) {
            Ok(stream) => stream,
            Err(error) => return Ok(Err(error)),
        };
        let mut items = collect(stream).await;
        check_events(&items).map_err(|violation| violation.to_string())?;
        match items.pop() {
            Some(Ok(Event::Done(response))) => Ok(Ok(*response)),
            Some(Err(error)) => Ok(Err(error)),
            _ => Err("the stream has no end".into()),
        }
    }

    async fn left(&self, request: ChatRequest) -> Result<(), String> {
        let mut stream = self.ask(request.clone(), true).await.and_then(Reply::stream).map_err(failed)?;
        let first = std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)).await;
        drop(stream);
        match first {
            Some(Ok(_)) => self.whole(request).await.map(drop).map_err(|e| format!("the next call failed: {e}")),
            Some(Err(error)) => Err(failed(error)),
            None => Err("the stream was empty".into()),
        }
    }

    async fn nothing(&self, model: &str) -> Result<(), String> {
        match self.whole(ChatRequest::new(model).max_tokens(16)).await {
            Err(error) if matches!(error.kind(), ErrorKind::Network | ErrorKind::Decode | ErrorKind::Truncated) => {
                Err(format!("it is no answer and no error in the dialect's shape: {error}"))
            }
            _ => Ok(()),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn failed(error: Error) -> String {
    format!("the call failed: {error}")
}

fn greeted(response: &ChatResponse) -> Result<(), String> {
    if response.text().trim().is_empty() {
        return Err("the answer has no text".into());
    }
    match (response.usage.input_total(), response.usage.output_total()) {
        (Some(_), Some(_)) => Ok(()),
        (input, output) => Err(format!("the answer lacks usage: input {input:?}, output {output:?}")),
    }
}

fn called(response: &ChatResponse) -> Result<(), String> {
    for call in response.tool_calls() {
        if call.id.is_empty() || call.name != "weather" {
            return Err(format!("a call has the id {:?} and the name {:?}", call.id, call.name));
        }
        call.parse::<serde_json::Map<String, serde_json::Value>>().map_err(|e| e.to_string())?;
    }
    Ok(())
}
