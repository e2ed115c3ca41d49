//! The `sabir` command. One file a command; `sabir help` lists them.

mod chat;
mod config;
mod cost;
mod failure;
mod gateway_key;
mod input;
mod known;
mod local;
mod models;
mod output;
mod serve;
mod sim;
mod table;
mod tokens;
mod usage;
mod wire;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Talk to any language model, and look into the wire.
#[derive(Debug, Parser)]
#[command(name = "sabir", version, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = "Exit status: 0 done, 1 the call failed, 2 wrong usage or configuration.")]
struct Cli {
    /// The configuration's file, in place of the one that is found; see `sabir config --help`
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<std::path::PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask a model; the answer streams to standard output.
    Chat(chat::Args),
    /// Serve any SDK, in its own dialect, from any provider.
    Serve(serve::Args),
    /// Make keys for the gateway's clients.
    #[command(subcommand)]
    GatewayKey(gateway_key::Command),
    /// Count the tokens of files and pipes; nothing is sent.
    Tokens(tokens::Args),
    /// List the models that are known, with prices, sizes and abilities.
    Models(models::Args),
    /// Say what a call would cost, before it is made.
    Cost(cost::Args),
    /// Write, check and show the configuration.
    #[command(subcommand)]
    Config(config::Command),
    /// Serve simulated providers over HTTP, for tests and first steps.
    Sim(sim::Args),
    /// What was spent, by day, model, provider, key or label.
    Usage(usage::Args),
    /// Look into the wire: decode, encode, accept and translate the dialects.
    #[command(subcommand)]
    Wire(wire::Command),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // One thread is enough for one person's questions, and starts faster; a server takes all there are.
    let mut runtime = match cli.command {
        Command::Serve(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::show(&failure::Failure::io("cannot start", &error)),
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Chat(args) => chat::run(args, cli.config).await,
            Command::Config(command) => config::run(command, cli.config),
            Command::Serve(args) => serve::run(args, cli.config).await,
            Command::GatewayKey(command) => gateway_key::run(command),
            Command::Tokens(args) => tokens::run(args, cli.config).await,
            Command::Models(args) => models::run(args).await,
            Command::Cost(args) => cost::run(args, cli.config).await,
            Command::Sim(args) => sim::run(args).await,
            Command::Usage(args) => usage::run(&args, cli.config),
            Command::Wire(command) => wire::run(command).await,
        }
    });
    match done {
        Ok(status) => status,
        Err(failure) => failure::show(&failure),
    }
}
