//! `sabir bench`: how fast a server answers under load, and what that costs.

mod histogram;
mod load;
mod report;
mod svg;

use std::path::PathBuf;
use std::process::ExitCode;

use sabir::{ChatRequest, Client, Env, Error, ErrorKind, Provider, Registry};

use self::load::Load;
use crate::failure::{Failure, Outcome};
use crate::output::{notice, print, print_json};
use crate::{config, local};

/// The id under which a server that is named by its URL is called.
const TARGET: &str = "target";

/// Measure how fast a server answers under load.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sabir bench openai/gpt-6-luna --stream --requests 50\n  \
    sabir bench http://localhost:8000/v1 --model qwen3 --stream --rate 20 --requests 1000 --svg latency.svg\n\n\
    Each prompt begins with a number of its own, so that no cache answers. A provider of the configuration is asked with \
    its retries, limits and budgets; a URL is asked as it is. With --rate, times count from when a request was due, also \
    where it had to wait for others. Percentiles are at most 1.6 % above the true ones.")]
pub(crate) struct Args {
    /// A base URL, or provider/model
    target: String,
    /// The model, where the target is a URL
    #[arg(short, long, default_value = "default")]
    model: String,
    /// The dialect that a URL speaks
    #[arg(long, default_value = "openai-chat", value_name = "D")]
    dialect: String,
    /// The variable with the key for a URL
    #[arg(long, value_name = "NAME")]
    key_env: Option<String>,
    /// How many requests
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    requests: u64,
    /// How many at once
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=4096))]
    concurrency: u16,
    /// So many requests a second, whatever the answers do, as far as --concurrency allows
    #[arg(long, value_name = "PER_SECOND", value_parser = rate)]
    rate: Option<f64>,
    /// What is asked
    #[arg(long, default_value = "Why is the sea salt?", value_name = "TEXT")]
    prompt: String,
    /// About so many tokens of input in place of a prompt
    #[arg(long, value_name = "TOKENS", conflicts_with = "prompt", value_parser = crate::models::tokens)]
    input_tokens: Option<u64>,
    /// The most that each answer may have
    #[arg(long, default_value_t = 128, value_name = "TOKENS", value_parser = crate::models::tokens)]
    output_tokens: u64,
    /// Ask for streams: measures the first token and those after it
    #[arg(long)]
    stream: bool,
    /// Write the figures as one JSON object
    #[arg(long)]
    json: bool,
    /// Draw the percentiles
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// The most tokens that a prompt is made of.
const LONGEST: u64 = 10_000_000;

pub(crate) async fn run(args: Args, config: Option<PathBuf>) -> Outcome {
    let (client, model) = if args.target.contains("://") {
        (at_url(&args)?, format!("{TARGET}/{}", args.model))
    } else {
        local::client(&config::load_to_spend(config)?, Some(args.target.clone())).await?
    };
    let prompt = match args.input_tokens {
        Some(tokens) if tokens > LONGEST => {
            return Err(Failure::usage(format!("a prompt has at most {LONGEST} tokens")));
        }
        // A short word that is common in all vocabularies is one token.
        Some(tokens) => "salt ".repeat(usize::try_from(tokens).unwrap_or(0)),
        None => args.prompt.clone(),
    };
    let mut request = ChatRequest::new(model).user(prompt).max_tokens(args.output_tokens);
    request.stream = args.stream;
    let load = Load { request, requests: args.requests, concurrency: usize::from(args.concurrency), rate: args.rate };
    let measured = load.run(&client).await?;
    if let Some(path) = &args.svg {
        std::fs::write(path, svg::draw(&measured))
            .map_err(|e| Failure::io(&format!("cannot write {}", path.display()), &e))?;
    }
    if args.json {
        print_json(&report::object(&measured))?;
    } else {
        print(&report::text(&measured))?;
    }
    if measured.interrupted {
        notice("Stopped by Ctrl-C; the figures are of what had ended.");
    }
    Ok(if measured.answered > 0 && measured.errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A client of a server that is named by its URL: nothing stands between.
fn at_url(args: &Args) -> Result<Client, Error> {
    let env = Env::process();
    let mut provider = Provider::custom(TARGET, &args.dialect, &args.target)?;
    if let Some(name) = &args.key_env {
        let none = || Error::new(ErrorKind::Configuration, format!("the variable {name} is not set"));
        provider = provider.key(env.get(name).ok_or_else(none)?);
    } else {
        provider = provider.auth(sabir::Auth::None);
    }
    let registry = Registry::new();
    registry.register(provider);
    Client::builder().registry(registry).env(env).build()
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.001..=100_000.0).contains(&rate) { Ok(rate) } else { Err("between 0.001 and 100000 a second".to_owned()) }
}

/// A task of ours that ended without a word.
fn lost() -> Error {
    Error::new(ErrorKind::Cancelled, "a request was given up")
}
