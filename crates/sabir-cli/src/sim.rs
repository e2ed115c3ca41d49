//! `sabir sim`: simulated providers over HTTP.

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use sabir_sim::{Script, Server, Simulator};

use crate::failure::{Failure, Outcome};
use crate::output::print;

/// Serve simulated providers over HTTP, for tests and first steps.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sabir sim --port 8910\n  sabir sim --script answers.json\n\n\
    Point any SDK at it: it speaks every dialect that Sabir speaks, and any key will do.")]
pub(crate) struct Args {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    host: std::net::IpAddr,
    /// The port; 0 takes a free one
    #[arg(long, default_value_t = 8910)]
    port: u16,
    /// A JSON file of scripted answers; the built-in model answers when they are used up
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// A file to which a line of JSON is added for each request: format, model, idempotency key, the user's last text
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Answer 400 where a request has this field, or this value in it (`response_format.type=json_schema`); may be given
    /// several times
    #[arg(long, value_name = "FIELD")]
    refuse: Vec<String>,
}

pub(crate) async fn run(args: Args) -> Outcome {
    let mut simulator = Simulator::new();
    if let Some(path) = &args.script {
        let text = std::fs::read_to_string(path)
            .map_err(|e| Failure::usage(format!("cannot read {}: {e}", path.display())))?;
        simulator = Simulator::scripted(Script::from_json(&text)?);
    }
    if let Some(path) = &args.log {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|e| Failure::usage(format!("cannot write {}: {e}", path.display())))?;
        simulator = simulator.log_to(file);
    }
    if !args.refuse.is_empty() {
        simulator = simulator.refuse(args.refuse.iter().map(String::as_str));
    }
    let server = Server::start(simulator, SocketAddr::new(args.host, args.port)).await?;
    print(&format!(
        "Simulated providers at {url}\n  OPENAI_BASE_URL={url}/v1\n  ANTHROPIC_BASE_URL={url}\nCtrl-C ends it.\n",
        url = server.url()
    ))?;
    tokio::signal::ctrl_c().await.map_err(|e| Failure::io("cannot wait for Ctrl-C", &e))?;
    Ok(ExitCode::SUCCESS)
}
