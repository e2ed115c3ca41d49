//! The `sabir` command. One file a command; `sabir help` lists them.

mod ask;
mod batch;
mod bench;
mod chat;
mod complete;
mod completions;
mod config;
mod cost;
mod doctor;
mod embed;
mod explain;
mod failure;
mod gateway_key;
mod input;
mod keys;
mod known;
mod local;
mod log;
mod logging;
mod logs;
mod markdown;
mod models;
mod otlp;
mod output;
mod private;
mod probe;
mod progress;
mod record;
mod rerank;
mod serve;
mod sim;
mod table;
mod tokens;
mod tools;
mod usage;
mod wire;
mod writer;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Talk to any language model, and look into the wire.
#[derive(Debug, Parser)]
#[command(name = "sabir", version, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = failure::STATUSES)]
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
    Chat(Box<chat::Args>),
    /// What was asked and answered: list, show, search, delete.
    Logs(logs::Args),
    /// Say what a question would be: who is asked, with which bytes, at what cost; nothing is sent.
    Explain(explain::Args),
    /// Go on with a text where it ends, or fill the gap before --suffix.
    Complete(complete::Args),
    /// Turn texts into vectors: to standard output, or into a collection in an SQLite file.
    Embed(embed::Args),
    /// Find the texts of a collection that are nearest to another, by the angle between their vectors.
    Similar(embed::SimilarArgs),
    /// Put documents in order of how well they answer a query.
    Rerank(rerank::Args),
    /// Ask all that a file asks; what was answered is never asked again.
    Batch(batch::Args),
    /// Measure how fast a server answers under load.
    Bench(bench::Args),
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
    /// Look at what of its dialect a server really speaks.
    Probe(probe::Args),
    /// Record what any client asks a provider, without its keys.
    Record(record::Args),
    /// Answer any client from a recording.
    Replay(record::replay::Args),
    /// Serve simulated providers over HTTP, for tests and first steps.
    Sim(sim::Args),
    /// What was spent, by day, model, provider, key or label.
    Usage(usage::Args),
    /// List the tools of the configuration, or what an MCP server offers.
    Tools(tools::list::Args),
    /// Look into the wire: decode, encode, accept and translate the dialects.
    #[command(subcommand)]
    Wire(wire::Command),
    /// Keep providers' keys in a file of your own.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Look for what is wrong: configuration, keys, proxies, clock, ledger, and whether providers answer.
    Doctor(doctor::Args),
    /// Write the completions of a shell.
    Completions(completions::Args),
    /// Write the manual's pages.
    Man(completions::ManArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // One thread is enough for one person's questions, and starts faster; the gateway has threads of its own.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::show(&failure::Failure::io("cannot start", &error)),
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Chat(args) => Box::pin(chat::run(*args, cli.config)).await,
            Command::Logs(args) => logs::run(args, cli.config),
            Command::Explain(args) => explain::run(args, cli.config).await,
            Command::Complete(args) => complete::run(args, cli.config).await,
            Command::Embed(args) => embed::run(args, cli.config).await,
            Command::Similar(args) => embed::run_similar(args, cli.config).await,
            Command::Rerank(args) => rerank::run(args, cli.config).await,
            Command::Keys(command) => keys::run(command, cli.config).await,
            Command::Doctor(args) => doctor::run(args, cli.config).await,
            Command::Completions(args) => completions::run(&args),
            Command::Man(args) => completions::run_man(&args),
            Command::Batch(args) => batch::run(args, cli.config).await,
            Command::Bench(args) => bench::run(args, cli.config).await,
            Command::Config(command) => config::run(command, cli.config),
            Command::Serve(args) => serve::run(args, cli.config).await,
            Command::GatewayKey(command) => gateway_key::run(command),
            Command::Tokens(args) => tokens::run(args, cli.config).await,
            Command::Models(args) => models::run(args).await,
            Command::Cost(args) => cost::run(args, cli.config).await,
            Command::Probe(args) => probe::run(args).await,
            Command::Record(args) => record::run(args).await,
            Command::Replay(args) => record::replay::run(args).await,
            Command::Sim(args) => sim::run(args).await,
            Command::Usage(args) => usage::run(&args, cli.config),
            Command::Tools(args) => tools::list::run(args, cli.config).await,
            Command::Wire(command) => wire::run(command).await,
        }
    });
    match done {
        Ok(status) => status,
        Err(failure) => failure::show(&failure),
    }
}
