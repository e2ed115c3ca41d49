//! `sabir serve`: the gateway.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use sabir::config::Live;
use sabir::{Client, ClientBuilder, Registry};
use sabir_gateway::{Gateway, Server, ServerBuilder, Tls};

use crate::failure::{Failure, Outcome};
use crate::local::{self, SIMULATOR};
use crate::otlp::{Otlp, Settings};
use crate::output::{notice, print};
use crate::{config, logging};

/// The variable with the key that clients must show.
const KEY: &str = "SABIR_SERVE_KEY";
/// How long what is under way may take when the gateway is stopped.
const DRAIN: Duration = Duration::from_secs(30);

/// Serve any SDK, in its own dialect, from any provider.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sabir serve\n  sabir serve --model anthropic/claude-haiku-5-5\n  \
    SABIR_SERVE_KEY=… sabir serve --host 0.0.0.0\n\n\
    Providers' keys come from their variables (OPENAI_API_KEY, …); clients name a model as provider/model, and \
    sim/NAME is the built-in simulator. With SABIR_SERVE_KEY set, clients must show that key; /metrics then wants \
    SABIR_ADMIN_KEY. [gateway] in the configuration has keys, teams, budgets and more; it is read anew when its file \
    is written.")]
pub(crate) struct Args {
    /// Where to listen; other addresses than this machine's own want a key
    #[arg(long, value_name = "ADDRESS")]
    host: Option<std::net::IpAddr>,
    /// The port; 0 takes a free one
    #[arg(long)]
    port: Option<u16>,
    /// The model for requests that name none
    #[arg(short, long, value_name = "PROVIDER/MODEL")]
    model: Option<String>,
    /// The longest body of a request, in bytes
    #[arg(long, value_name = "BYTES")]
    max_body: Option<usize>,
}

pub(crate) async fn run(args: Args, config: Option<PathBuf>) -> Outcome {
    let mut loader = config::loader_to_spend(config)?;
    if let Some(bytes) = args.max_body {
        loader = loader.set("gateway.max_body", bytes.to_string());
    }
    let said = loader.load()?;
    let otlp = Settings::of(&said, |name| std::env::var(name).ok())?;
    let is_told = otlp.as_ref().is_some_and(Settings::has_traces);
    if is_told && said.trace.is_none() {
        loader = loader.set("trace.content", "nothing");
    }
    let (simulator, model) = (sabir_sim::Simulator::new(), args.model);
    let live = Live::built_on(loader, move || {
        // A registry of its own for each: what one configuration registers is not to be there for the next.
        let registry = Registry::new();
        registry.register_service(SIMULATOR, simulator.clone());
        let client = Client::builder().registry(registry).env(local::env());
        model.iter().fold(client, ClientBuilder::model)
    })?;
    let config = live.config();
    let otlp = otlp.map(|settings| Otlp::start(settings, live.client().metrics())).transpose()?;
    let (otlp, spans) = otlp.unzip();
    logging::start(&said, spans.filter(|_| is_told));
    config.doubts().iter().for_each(|doubt| notice(&format!("note: {doubt}")));
    let gateway = Gateway::live(&live)?;
    let listen = config.gateway.listen;
    let address = SocketAddr::new(args.host.unwrap_or(listen.ip()), args.port.unwrap_or(listen.port()));
    let tls = config.gateway.tls.as_ref().map(|said| Tls::files(&said.certificate, &said.key)).transpose()?;
    let _watch = config.file().map(|_| gateway.watch(&live, read_anew)).transpose()?;
    let is_open = gateway.is_open();
    let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = config.gateway.threads.and_then(|threads| threads.try_into().ok()).unwrap_or_else(cores);
    let server = Server::builder(gateway.clone()).threads(threads);
    let server = tls.iter().cloned().fold(server, ServerBuilder::tls);
    let mut server = server.start(address).await?;
    let url = server.url();
    print(&format!(
        "Sabir at {url}\n  OPENAI_BASE_URL={url}/v1\n  ANTHROPIC_BASE_URL={url}\n  GOOGLE_GEMINI_BASE_URL={url}\n  \
         OLLAMA_HOST={url}\nCtrl-C ends it.\n"
    ))?;
    if is_open {
        notice(&format!("Everybody on this machine may ask; set {KEY} to ask for a key."));
    }
    #[cfg(unix)]
    let _hung_up = tokio::spawn(reload_on_hangup(gateway, tls));
    server.run_until(stopped()).await.map_err(|e| Failure::io("cannot wait for signals", &e))?;
    notice("Answering what is under way; a second Ctrl-C ends at once.");
    let ended = tokio::select! {
        ended = server.drain(DRAIN) => ended,
        _ = tokio::signal::ctrl_c() => false,
    };
    if let Some(otlp) = otlp {
        otlp.end().await;
    }
    Ok(if ended { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says how reading the configuration anew went.
fn read_anew(read: Result<(), sabir::Error>) {
    match read {
        Ok(()) => notice("The configuration was read anew."),
        Err(error) => notice(&format!("The configuration that was there stays: {error}")),
    }
}

/// Reads the configuration and the certificate anew whenever the process is told to (`kill -HUP`), as servers do.
#[cfg(unix)]
async fn reload_on_hangup(gateway: Gateway, tls: Option<Tls>) {
    let Ok(mut hangup) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()) else { return };
    while hangup.recv().await.is_some() {
        let (gateway, tls) = (gateway.clone(), tls.clone());
        let read = move || tls.as_ref().map_or(Ok(()), Tls::read_anew).and_then(|()| gateway.reload());
        // Keys may be fetched from files and by commands.
        if let Ok(read) = tokio::task::spawn_blocking(read).await {
            read_anew(read);
        }
    }
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
