use std::process::ExitCode;

use http::{HeaderMap, Method, StatusCode};
use sabir::dialect::Asked;
use sabir::drive::encode as encode_for;
use sabir::drive::{client::replay, decode_whole, respond, streamed_losses};
use sabir::{ChatRequest, Error, Loss};

use super::names;
use crate::failure::{Failure, Outcome};
use crate::{input, output};

/// Read a body in one dialect from standard input; write it in another.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sabir wire translate --from openai-chat --to anthropic-messages < request.json\n  \
    sabir wire translate --from anthropic-messages --to openai-chat --response --stream < answer.sse\n\n\
    What could not be carried is on standard error."
)]
pub(crate) struct Args {
    #[arg(long, value_name = "A", help = format!("The dialect that is read: {}", names::conversations_known()))]
    from: String,
    /// The dialect that is written
    #[arg(long, value_name = "B")]
    to: String,
    /// The body is an answer, not a request
    #[arg(long)]
    response: bool,
    /// The request asks for a stream; the answer is one
    #[arg(long)]
    stream: bool,
    /// Whose row of the target dialect is used for a request
    #[arg(long, value_name = "P")]
    provider: Option<String>,
    /// Path and query of the request, for dialects that say something there
    #[arg(long, default_value = "/", value_name = "P")]
    path: String,
}

pub(crate) async fn run(args: Args) -> Outcome {
    let from = names::find(&args.from, None)?;
    let to = names::find(&args.to, args.provider.as_deref())?;
    let body = input::stdin()?;
    let written =
        if args.response { answer(&from, &to, &body, args.stream).await } else { request(&from, &to, &body, &args) };
    let (bytes, losses) = match written {
        Ok(written) => written,
        Err(Stop::Error(error)) => {
            output::print_json(&output::error(&error))?;
            return Ok(ExitCode::FAILURE);
        }
        Err(Stop::Failure(failure)) => return Err(failure),
    };
    output::print_bytes(&bytes)?;
    if !bytes.ends_with(b"\n") {
        output::print("\n")?;
    }
    for loss in losses {
        output::notice(&format!("loss: {loss}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Why a translation stops: something was wrong with the body, or with the call.
enum Stop {
    Error(Box<Error>),
    Failure(Failure),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(Box::new(error))
    }
}

type Written = Result<(Vec<u8>, Vec<Loss>), Stop>;

fn request(from: &names::Named, to: &names::Named, body: &[u8], args: &Args) -> Written {
    let asked = Asked { method: &Method::POST, path: &args.path, headers: &HeaderMap::new(), body };
    let mut request = from.dialect.accept(asked)?;
    request.stream |= args.stream;
    let encoded = encode_for(to.dialect, &request, &to.endpoint()?)?;
    Ok((encoded.body.to_vec(), encoded.losses))
}

async fn answer(from: &names::Named, to: &names::Named, body: &[u8], stream: bool) -> Written {
    let response = decode_whole(from.dialect, StatusCode::OK, &HeaderMap::new(), body, stream)?;
    let mut losses = response.losses.clone();
    let asked = ChatRequest { stream, ..ChatRequest::new(response.model.clone()) };
    if !stream {
        let responded = respond(to.dialect, &response, &asked);
        losses.extend(responded.losses);
        return Ok((responded.body.to_vec(), losses));
    }
    let mut encoder = to.dialect.encoder(&asked);
    let mut events = replay(response.clone());
    let mut out = Vec::new();
    while let Some(event) = std::future::poll_fn(|cx| events.as_mut().poll_next(cx)).await {
        encoder.event(&event?, &mut out);
    }
    losses.extend(streamed_losses(to.dialect, &mut *encoder, &response));
    Ok((out, losses))
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}
