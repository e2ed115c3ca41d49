//! `sabir wire`: what goes over the wire, both ways.

mod accept;
mod decode;
mod encode;
mod exchange;
pub(crate) mod names;
mod translate;

use crate::failure::Outcome;

#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Example:\n  sabir wire translate --from openai-chat --to anthropic-messages < body.json")]
pub(crate) enum Command {
    /// Read a provider's answer from standard input; write what it says as JSON
    Decode(decode::Args),
    /// Read a request in Sabir's vocabulary (JSON) from standard input; write the HTTP request
    Encode(encode::Args),
    /// Read a client's request body from standard input; write it in Sabir's vocabulary, as JSON
    Accept(accept::Args),
    /// Read a body in one dialect from standard input; write it in another
    Translate(translate::Args),
}

pub(crate) async fn run(command: Command) -> Outcome {
    match command {
        Command::Decode(args) => decode::run(args).await,
        Command::Encode(args) => encode::run(&args),
        Command::Accept(args) => accept::run(&args),
        Command::Translate(args) => translate::run(args).await,
    }
}
