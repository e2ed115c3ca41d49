//! `sabir gateway-key`: keys for the gateway's clients.

use std::process::ExitCode;

use sabir::config::KeyHash;
use sabir_gateway::Keys;
use serde_json::json;

use crate::failure::{Failure, Outcome};
use crate::output::{notice, print, print_json};

/// Make keys for the gateway's clients.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Example:\n  sabir gateway-key new ada")]
pub(crate) enum Command {
    /// Make a key, and show it this once, with the lines for the configuration.
    New(NewArgs),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sabir gateway-key new ada\n  sabir gateway-key new ada --json\n\n\
    Only the hash of a key stands in the configuration, under [gateway.keys.NAME]. To put a new key in the place of an \
    old one, let both stand for a while: hash = [\"sha256:NEW\", { hash = \"sha256:OLD\", expires = \"2027-01-31\" }].")]
pub(crate) struct NewArgs {
    /// What the key is called in logs, ledgers and errors
    name: String,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: Command) -> Outcome {
    let Command::New(NewArgs { name, json }) = command;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    if name.is_empty() || name.len() > 100 || !name.chars().all(is_plain) {
        return Err(Failure::usage("a name has up to 100 letters, digits, `-`, `_`, `.` and `@`"));
    }
    let key = Keys::make()?;
    let hash = KeyHash(Keys::hash(&key)).to_string();
    if json {
        print_json(&json!({ "name": name, "key": key.expose(), "hash": hash }))?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&format!("{}\n", key.expose()))?;
    let bare = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    let table = if bare { name } else { format!("{name:?}") };
    notice(&format!("It is not shown again. In the configuration:\n\n[gateway.keys.{table}]\nhash = \"{hash}\""));
    Ok(ExitCode::SUCCESS)
}
