use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use sabir::drive::{Origin, decode_whole};
use sabir::transport::{Body, BoxFuture, whole};
use sabir::{Call, ChatRequest, Request, Service as _, Transport};

use super::{exchange, names};
use crate::failure::{Failure, Outcome};
use crate::{input, output};

/// Read a provider's answer from standard input; write what it says as one JSON object.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  curl -s … | sabir wire decode --dialect openai-chat\n\n\
    Exit status: 0 a whole answer, 1 an error or a truncated answer, 2 wrong usage.")]
pub(crate) struct Args {
    #[arg(long, value_name = "D", help = format!("The wire format: {}", names::known()))]
    dialect: String,
    /// Whose answer it is
    #[arg(long, value_name = "P")]
    provider: Option<String>,
    /// The answer is a stream
    #[arg(long)]
    stream: bool,
    /// HTTP status of the answer
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u16).range(100..=999))]
    status: u16,
    /// Content type of the answer
    #[arg(long, value_name = "T")]
    content_type: Option<String>,
    /// Write the events of the stream, one a line
    #[arg(long)]
    events: bool,
}

pub(crate) async fn run(args: Args) -> Outcome {
    let status =
        StatusCode::from_u16(args.status).map_err(|_| Failure::usage(format!("{} is no HTTP status", args.status)))?;
    let mut headers = HeaderMap::new();
    if let Some(kind) = &args.content_type {
        let value = HeaderValue::from_str(kind)
            .map_err(|_| Failure::usage("the content type has characters that no header can have"))?;
        headers.insert(http::header::CONTENT_TYPE, value);
    }
    if let Some(format) = names::find_format(&args.dialect, args.provider.as_deref()) {
        if args.stream || args.events {
            return Err(Failure::usage(format!("{} has no streams; leave out --stream and --events", args.dialect)));
        }
        return exchange::decode(&format?, status, &headers);
    }
    let named = names::find(&args.dialect, args.provider.as_deref())?;
    let body = Bytes::from(input::stdin()?);
    if args.events {
        return events(&named, status, headers, body).await;
    }
    match decode_whole(named.dialect, status, &headers, &body, args.stream) {
        Ok(mut response) => {
            if let Some(provider) = &named.provider {
                provider.id().clone_into(&mut response.provider);
            }
            output::print_json(&output::answer(&response))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            output::print_json(&output::error(&error))?;
            Ok(ExitCode::FAILURE)
        }
    }
}

/// The events, as the whole stack gives them.
async fn events(named: &names::Named, status: StatusCode, headers: HeaderMap, body: Bytes) -> Outcome {
    let origin = Origin::new(named.dialect, named.endpoint()?, Arc::new(Canned { status, headers, body }));
    let asked = ChatRequest { stream: true, ..ChatRequest::new("any").user("any") };
    let mut stream = match origin.call(&Call::default(), &Request::Chat(asked)).await {
        Ok(reply) => reply.stream()?,
        Err(error) => {
            output::print_json(&output::error(&error))?;
            return Ok(ExitCode::FAILURE);
        }
    };
    while let Some(event) = std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
        match event {
            Ok(event) => output::print_json(&output::event(&event))?,
            Err(error) => {
                output::print_json(&output::error(&error))?;
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A transport that has the answer already.
#[derive(Debug)]
struct Canned {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Transport for Canned {
    fn send(&self, _: http::Request<Bytes>) -> BoxFuture<'_, sabir::Result<http::Response<Body>>> {
        let mut response = http::Response::new(whole(self.body.clone()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        Box::pin(async move { Ok(response) })
    }
}
