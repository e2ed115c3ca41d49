//! `sabir record` and `sabir replay`: any client's traffic, kept without its keys and played back without a network.

pub(crate) mod replay;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use sabir::http::listen::Relay;
use sabir::http::{HttpTransport, Recorder};
use sabir::{Env, Registry};
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Outcome};
use crate::output::{notice, print};

/// The exchanges, one a line.
const EXCHANGES: &str = "exchanges.jsonl";
/// What a folder is a recording of.
const ABOUT: &str = "recording.json";

/// Record what any client asks a provider, without its keys.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sabir record --to session openai\n  \
    sabir record --to session https://api.example.com/v1\n\n\
    Point a client's base URL at the address that is printed; it sends its own key, which is handed on and not kept: \
    values of headers and queries with key-like names, whatever looks like a provider's key, and the request's own key \
    wherever it is repeated are taken out. Prompts and answers are kept as they are.")]
pub(crate) struct Args {
    /// Where requests go: a URL, or a provider
    #[arg(value_name = "URL|PROVIDER")]
    upstream: String,
    /// The folder of the recording
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    host: IpAddr,
    /// The port; 0 takes a free one
    #[arg(long, default_value_t = 8912)]
    port: u16,
}

/// What is known of a recording besides its exchanges.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    /// Where its requests went.
    upstream: String,
}

pub(crate) async fn run(args: Args) -> Outcome {
    let upstream = upstream(&args.upstream)?;
    let exchanges = args.to.join(EXCHANGES);
    if exchanges.exists() {
        let message = format!("{} has a recording already; take another folder", args.to.display());
        return Err(Failure::usage(message));
    }
    let failed = |error: std::io::Error| Failure::io(&format!("cannot write in {}", args.to.display()), &error);
    std::fs::create_dir_all(&args.to).map_err(failed)?;
    let about = serde_json::to_string(&About { upstream: upstream.clone() }).map_err(std::io::Error::other);
    about.and_then(|about| std::fs::write(args.to.join(ABOUT), about + "\n")).map_err(failed)?;
    let recorder = Recorder::new(HttpTransport::new()?, &exchanges)?;
    let address = SocketAddr::new(args.host, args.port).to_string();
    let relay = Relay::start(&upstream, Arc::new(recorder), &address).await?;
    print(&format!("Recording {upstream} at {url}\nCtrl-C ends it.\n", url = relay.url()))?;
    relay.run_until(tokio::signal::ctrl_c()).await.map_err(|e| Failure::io("cannot wait for Ctrl-C", &e))?;
    let count = lines(&exchanges)?.len();
    notice(&format!(
        "{count} exchanges are in {}; `sabir replay {}` plays them back.",
        exchanges.display(),
        args.to.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// The URL that was meant.
fn upstream(said: &str) -> Result<String, Failure> {
    if said.contains("://") {
        return Ok(said.to_owned());
    }
    Ok(Registry::new().get(said)?.endpoint_without_key(&Env::process())?.base_url)
}

fn lines(exchanges: &Path) -> Result<Vec<String>, Failure> {
    let text = std::fs::read_to_string(exchanges)
        .map_err(|e| Failure::usage(format!("cannot read {}: {e}", exchanges.display())))?;
    Ok(text.lines().map(str::to_owned).collect())
}
