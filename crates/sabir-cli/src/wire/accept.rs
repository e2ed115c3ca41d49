use std::process::ExitCode;

use http::{HeaderMap, Method};
use sabir::dialect::Asked;
use serde_json::json;

use super::{exchange, names};
use crate::failure::Outcome;
use crate::{input, output};

/// Read a client's request body from standard input; write it in Sabir's vocabulary, as JSON.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  echo '{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}' | sabir wire accept --dialect openai-chat"
)]
pub(crate) struct Args {
    #[arg(long, value_name = "D", help = format!("The wire format: {}", names::known()))]
    dialect: String,
    /// The client asks for a stream
    #[arg(long)]
    stream: bool,
    /// Path and query of the client's request, for dialects that say something there
    #[arg(long, default_value = "/", value_name = "P")]
    path: String,
}

pub(crate) fn run(args: &Args) -> Outcome {
    if let Some(format) = names::find_format(&args.dialect, None) {
        return exchange::accept(&format?, &args.path);
    }
    let named = names::find(&args.dialect, None)?;
    let body = input::stdin()?;
    let asked = Asked { method: &Method::POST, path: &args.path, headers: &HeaderMap::new(), body: &body };
    match named.dialect.accept(asked) {
        Ok(mut request) => {
            request.stream |= args.stream;
            output::print_json(&json!(request))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            output::print_json(&output::error(&error))?;
            Ok(ExitCode::FAILURE)
        }
    }
}
