//! `sabir serve`: the gateway.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use sabir::{Client, Registry};
use sabir_gateway::{Gateway, Keys, Server, VirtualKey};

use crate::config;
use crate::failure::{Failure, Outcome};
use crate::local::{self, SIMULATOR};
use crate::output::{notice, print};

/// The variable with the key that clients must show.
const KEY: &str = "SABIR_SERVE_KEY";
/// The variable with the administrator's key.
const ADMIN_KEY: &str = "SABIR_ADMIN_KEY";
/// How long what is under way may take when the gateway is stopped.
const DRAIN: Duration = Duration::from_secs(30);

/// Serve any SDK, in its own dialect, from any provider.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sabir serve\n  sabir serve --model anthropic/claude-haiku-5-5\n  \
    SABIR_SERVE_KEY=… sabir serve --host 0.0.0.0\n\n\
    Providers' keys come from their variables (OPENAI_API_KEY, …); clients name a model as provider/model, and \
    sim/NAME is the built-in simulator. With SABIR_SERVE_KEY set, clients must show that key; /metrics then wants \
    SABIR_ADMIN_KEY.")]
pub(crate) struct Args {
    /// Where to listen; other addresses than this machine's own want a key
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    host: std::net::IpAddr,
    /// The port; 0 takes a free one
    #[arg(long, default_value_t = 8911)]
    port: u16,
    /// The model for requests that name none
    #[arg(short, long, value_name = "PROVIDER/MODEL")]
    model: Option<String>,
    /// The longest body of a request, in bytes
    #[arg(long, default_value_t = 32 << 20, value_name = "BYTES")]
    max_body: usize,
}

pub(crate) async fn run(args: Args, config: Option<PathBuf>) -> Outcome {
    let config = config::load_to_spend(config)?;
    let env = local::env();
    let registry = Registry::new();
    registry.register_service(SIMULATOR, sabir_sim::Simulator::new());
    let mut client = Client::builder().registry(registry).env(env.clone()).config(&config)?;
    if let Some(model) = args.model {
        client = client.model(model);
    }
    let mut gateway = Gateway::new(client.build()?).longest_body(args.max_body);
    if let Some(key) = env.get(KEY) {
        let keys = Keys::new();
        keys.admit(&key, VirtualKey::new("default"));
        gateway = gateway.keys(keys);
    }
    if let Some(key) = env.get(ADMIN_KEY) {
        gateway = gateway.admin(&key.into());
    }
    let is_open = gateway.is_open();
    let mut server = Server::start(gateway, SocketAddr::new(args.host, args.port)).await?;
    let url = server.url();
    print(&format!(
        "Sabir at {url}\n  OPENAI_BASE_URL={url}/v1\n  ANTHROPIC_BASE_URL={url}\n  GOOGLE_GEMINI_BASE_URL={url}\n  \
         OLLAMA_HOST={url}\nCtrl-C ends it.\n"
    ))?;
    if is_open {
        notice(&format!("Everybody on this machine may ask; set {KEY} to ask for a key."));
    }
    server.run_until(stopped()).await.map_err(|e| Failure::io("cannot wait for signals", &e))?;
    notice("Answering what is under way; a second Ctrl-C ends at once.");
    let ended = tokio::select! {
        ended = server.drain(DRAIN) => ended,
        _ = tokio::signal::ctrl_c() => false,
    };
    Ok(if ended { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Ctrl-C, or what service managers send.
async fn stopped() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
