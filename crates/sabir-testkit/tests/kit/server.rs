use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sabir_core::chat::{ChatResponse, Finish, FinishReason, Part};
use sabir_core::drive::serve;
use sabir_core::transport::{Body, BoxFuture, whole};
use sabir_core::{Call, Dialect, Endpoint, Error, ErrorKind, Request, Result, Transport};
use sabir_testkit::{ManualClock, Outcome, Report, Scripted, Step, block_on_with, check_server, events_of};

use crate::toy::{Wrong, toy};

/// What is wrong with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Right,
    Cuts,
    CountsNothing,
    NamesNoReason,
    SpoilsArguments,
    BreaksAfterDrop,
}

#[derive(Debug)]
struct Loopback {
    dialect: &'static dyn Dialect,
    server: Server,
    model: Scripted,
}

impl Transport for Loopback {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Body>>> {
        Box::pin(async move {
            if self.server == Server::BreaksAfterDrop && self.model.dropped() > 0 {
                return Err(Error::new(ErrorKind::Network, "the server is gone"));
            }
            let response = serve(self.dialect, &self.model.shared(), &Call::default(), request).await;
            Ok(if self.server == Server::Cuts {
                response.map(|_| whole("{\"start\":[\"a\",\"m\"]}\n{\"text\":\"Hel"))
            } else {
                response
            })
        })
    }
}

fn model(server: Server, request: &Request) -> Outcome {
    let Request::Chat(chat) = request else {
        return Outcome::Forever;
    };
    if chat.model != "m" {
        let kind = if server == Server::NamesNoReason { ErrorKind::Provider } else { ErrorKind::NotFound };
        return Outcome::Fail(Error::new(kind, "no such model"));
    }
    let mut response = ChatResponse::default();
    response.parts = vec![Part::text("Hello there.")];
    if !chat.tools.is_empty() {
        let arguments = if server == Server::SpoilsArguments { "Madrid" } else { r#"{"city":"Madrid"}"# };
        response.parts = vec![Part::tool_call("call_1", "weather", arguments)];
        response.finish = Finish::new(FinishReason::ToolCalls);
    }
    if server != Server::CountsNothing {
        (response.usage.input, response.usage.output) = (Some(3), Some(4));
    }
    if !chat.stream {
        return Outcome::whole(response);
    }
    // The end comes later than the rest, so that a client can go away in between.
    let mut steps: Vec<Step> = events_of(&response).into_iter().map(|event| Step::Item(Ok(event))).collect();
    steps.insert(steps.len() - 1, Step::Wait(Duration::from_secs(1)));
    Outcome::Stream(steps)
}

fn check(server: Server) -> Report {
    let (dialect, clock) = (toy(Wrong::Nothing), ManualClock::new());
    let model = Scripted::answering(&clock, move |_, request| model(server, request));
    let endpoint = Endpoint { provider: "local".into(), base_url: "http://localhost/v1".into(), ..Endpoint::default() };
    block_on_with(&clock, check_server(Arc::new(Loopback { dialect, server, model }), dialect, endpoint, "m"))
}

#[track_caller]
fn finds(server: Server, words: &[&str]) {
    let report = check(server).to_string();
    assert!(words.iter().all(|words| report.contains(words)), "{server:?}: {report}");
}

#[test]
fn a_right_server_passes() {
    let report = check(Server::Right);
    report.assert_ok();
    assert_eq!((report.passed().len(), report.skipped().len()), (7, 0), "{report}");
}

#[test]
fn wrong_servers_are_found() {
    finds(Server::Cuts, &["stream (a greeting): the call failed: truncated from local", "whole (a greeting)"]);
    finds(
        Server::CountsNothing,
        &["whole (a greeting): the answer lacks usage", "stream (a greeting): the answer lacks"],
    );
    finds(Server::NamesNoReason, &["wrong model (whole): the error's kind is provider"]);
    finds(Server::SpoilsArguments, &["tools (whole): ", "tools (streamed): ", "are not what was asked for"]);
    finds(Server::BreaksAfterDrop, &["dropped stream (after its first event): the next call failed: network"]);
}

fn _can_be_spawned() {
    fn send<T: Send>(_: T) {}
    let transport = || -> Arc<dyn Transport> { unreachable!("never called") };
    send(check_server(transport(), toy(Wrong::Nothing), Endpoint::default(), "m"));
}
