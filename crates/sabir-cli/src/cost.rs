//! `sabir cost`: what a call would cost, before it is made.

use std::path::PathBuf;
use std::process::ExitCode;

use sabir::chat::{ChatRequest, Message, Part, Receipt, Role, Usage};
use sabir::prices::{Options, Prices};
use sabir::{Client, Count, traits};
use serde_json::{Value, json};

use crate::failure::{Failure, Outcome};
use crate::output::{notice, print, print_json};
use crate::table::{dollars, grouped, table};
use crate::tokens::width;
use crate::{config, input, known, local};

/// Say what a call would cost: a range, by what it holds and what may be written.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sabir cost -m openai/gpt-6-luna -m anthropic/claude-sonnet-5-5 report.txt\n  \
    sabir cost -m gemini/gemini-3-flash --input-tokens 1m --output-tokens 2k\n\n\
    Input is counted here, and nothing is sent. Without --output-tokens the range reaches from no answer to the longest \
    that the model writes. Prices are list prices, without taxes and discounts.")]
pub(crate) struct Args {
    /// What would be sent, as one message: text, images, sound, PDF; standard input, where it is a pipe, is added
    files: Vec<PathBuf>,
    /// Who would be asked: provider/model; may be given several times
    #[arg(short, long, value_name = "PROVIDER/MODEL", required = true)]
    model: Vec<String>,
    /// So many tokens of input in place of files
    #[arg(long, value_name = "TOKENS", value_parser = crate::models::tokens, conflicts_with = "files")]
    input_tokens: Option<u64>,
    /// How many tokens would be written
    #[arg(long, value_name = "TOKENS", value_parser = crate::models::tokens)]
    output_tokens: Option<u64>,
    /// Write one JSON object a model, with line items
    #[arg(long)]
    json: bool,
}

/// What a call of one model would come to.
struct Cost {
    model: String,
    input: Count,
    /// The least and the most that may be written; the most is `None` where it is unknown.
    output: (u64, Option<u64>),
    low: Receipt,
    high: Receipt,
}

pub(crate) async fn run(args: Args, config: Option<PathBuf>) -> Outcome {
    let config = config::load(config)?;
    let parts = if args.input_tokens.is_some() { Vec::new() } else { parts(&args)? };
    let prices = Prices::default();
    let mut costs = Vec::new();
    for model in &args.model {
        let (client, model) = local::client(&config, Some(model.clone())).await?;
        costs.push(cost(&client, &prices, model, &parts, &args)?);
    }
    if args.json {
        for cost in &costs {
            print_json(&object(cost, &prices))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = costs.iter().map(row).collect();
    let head = ["MODEL", "INPUT", "", "OUTPUT", "COST"];
    print(&table(&head, &[false, true, false, true, false], &rows))?;
    notice(&format!("list prices of {}", prices.version()));
    Ok(ExitCode::SUCCESS)
}

fn parts(args: &Args) -> Result<Vec<Part>, Failure> {
    let mut parts = Vec::new();
    for file in &args.files {
        parts.push(input::bare(file)?);
    }
    parts.extend(input::piped_text()?.map(Part::text));
    if parts.is_empty() {
        return Err(Failure::usage("nothing to send: name files, pipe text in, or say --input-tokens"));
    }
    Ok(parts)
}

fn cost(client: &Client, prices: &Prices, model: String, parts: &[Part], args: &Args) -> Result<Cost, Failure> {
    let id = client.model_id(&model)?;
    if prices.find(&id.provider, &id.model).is_none() {
        let hint = known::did_you_mean(prices, &id.provider, &id.model);
        return Err(Failure::usage(format!("no price is known of {model}; {hint}")));
    }
    let input = if let Some(tokens) = args.input_tokens {
        Count::exact(tokens)
    } else {
        let request = ChatRequest::new(&*model).message(Message::new(Role::User, parts.to_vec()));
        client.count_tokens_locally(request)?.input
    };
    let longest = traits(&id.provider, &id.model).max_output;
    let output = args.output_tokens.map_or((0, longest), |tokens| (tokens, Some(tokens)));
    let receipt = |input: u64, output: u64| {
        let mut usage = Usage::default();
        (usage.input, usage.output) = (Some(input), Some(output));
        prices.receipt(&id.provider, &id.model, &usage, &Options::default())
    };
    let low = receipt(input.low, output.0);
    // Where the longest answer is unknown the range has no end, and the input alone is what can be said.
    let high = receipt(input.high, output.1.unwrap_or(output.0));
    Ok(Cost { model, input, output, low, high })
}

fn row(cost: &Cost) -> Vec<String> {
    let output = match cost.output {
        (low, Some(high)) if low == high => grouped(low),
        (low, Some(high)) => format!("{} to {}", grouped(low), grouped(high)),
        (low, None) => format!("{} or more", grouped(low)),
    };
    let is_exact = cost.input.low == cost.input.high;
    let width = if is_exact { String::new() } else { format!("({})", width(cost.input)) };
    vec![cost.model.clone(), grouped(cost.input.tokens), width, output, range(cost)]
}

/// From the least to the most, in dollars.
fn range(cost: &Cost) -> String {
    let of = |receipt: &Receipt| receipt.total.map_or_else(|| "unknown".to_owned(), dollars);
    match (of(&cost.low), of(&cost.high)) {
        (low, _) if cost.output.1.is_none() => format!("{low} or more"),
        (low, high) if low == high => low,
        (low, high) => format!("{low} to {high}"),
    }
}

fn object(cost: &Cost, prices: &Prices) -> Value {
    let is_open = cost.output.1.is_none();
    json!({
        "model": cost.model,
        "input": cost.input,
        "output": { "low": cost.output.0, "high": cost.output.1 },
        "nano_usd": { "low": cost.low.total, "high": cost.high.total.filter(|_| !is_open) },
        "lines": { "low": cost.low.lines, "high": if is_open { Value::Null } else { json!(cost.high.lines) } },
        "prices": prices.version(),
    })
}
