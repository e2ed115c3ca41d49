//! `sabir explain`: what a question would be on the wire, and whether it would get there. Nothing is sent.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use sabir::explain::{Candidate, Explained, WireRequest};
use sabir::prices::Prices;
use serde_json::{Map, Value, json};

use crate::ask::Question;
use crate::failure::{Failure, Outcome};
use crate::output::{print, print_json};
use crate::table::{dollars, grouped};
use crate::{config, local, output, tokens};

/// Say what a question would be: who is asked, with which bytes, at what cost; nothing is sent.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sabir explain -m anthropic/claude-haiku-5-5 \"Why is the sea salt?\"\n  \
    sabir explain -m fast -f photo.png --json \"What is this?\"\n  \
    sabir explain --request body.json --dialect openai-chat -m gemini/gemini-3-flash --curl\n\n\
    The command that --curl writes can be run as it is: the key is the variable that holds it. Exit status 1 where nobody \
    could be asked.")]
pub(crate) struct Args {
    #[command(flatten)]
    question: Question,
    /// Write one JSON object, with the request of each candidate
    #[arg(long)]
    json: bool,
    /// Write the request to the first candidate alone, as a command that can be run
    #[arg(long, conflicts_with = "json")]
    curl: bool,
    /// As it would be without a stream
    #[arg(long)]
    no_stream: bool,
}

pub(crate) async fn run(args: Args, file: Option<PathBuf>) -> Outcome {
    let mut config = config::load(file.clone())?;
    // What was spent bears on budgets alone: without any, no ledger is opened for this.
    if config.cost_control.budget().is_some() || !config.budgets.is_empty() {
        config = config::load_to_spend(file)?;
    }
    let mut request = args.question.request()?;
    let stated = args.question.model.clone().or_else(|| Some(request.model.clone()).filter(|model| !model.is_empty()));
    let (client, model) = local::client(&config, stated).await?;
    request.model = model;
    request.stream = !args.no_stream;
    let prices = config.all_prices();
    let explained = client.explain(request).await?;
    if args.json {
        print_json(&object(&explained, &prices))?;
    } else if args.curl {
        print(&first_wire(&explained)?.curl())?;
    } else {
        print(&in_words(&explained, &prices))?;
    }
    Ok(if explained.candidates.iter().any(Candidate::is_admitted) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn first_wire(explained: &Explained) -> Result<&WireRequest, Failure> {
    let Some(first) = explained.candidates.first() else {
        return Err(Failure::nothing("there is nobody to ask; give the route a target"));
    };
    match (&first.wire, &first.fault) {
        (Some(wire), _) => Ok(wire),
        (None, Some(fault)) => Err(Failure::from(fault.clone())),
        (None, None) => Err(Failure::nothing(format!("{} is asked without HTTP: it is built in", first.provider))),
    }
}

fn in_words(explained: &Explained, prices: &Prices) -> String {
    let mut out = String::new();
    if let Some(route) = &explained.route {
        let count = explained.candidates.len();
        let _ = writeln!(out, "{route} is a route to {count} models, asked in this order until one answers:\n");
    }
    for (at, candidate) in explained.candidates.iter().enumerate() {
        let number = if explained.route.is_some() { format!("{}. ", at + 1) } else { String::new() };
        let dialect = candidate.dialect.unwrap_or("built in, asked without HTTP");
        let _ = writeln!(out, "{number}{} ({dialect})", candidate.name());
        for (what, said) in lines(candidate, prices) {
            let _ = writeln!(out, "  {what:<8} {said}");
        }
        out.push('\n');
    }
    if let Some(wire) = explained.candidates.first().and_then(|first| first.wire.as_ref()) {
        out.push_str(&wire.curl());
    } else {
        // No command follows the last empty line.
        out.pop();
    }
    out
}

/// What there is to say of a candidate, each with its name.
fn lines(candidate: &Candidate, prices: &Prices) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(fault) = &candidate.fault {
        lines.push(("fault", fault.to_string()));
    }
    if let Some(key) = key(candidate) {
        lines.push(("key", key));
    }
    let longest = candidate.max_output.map_or_else(
        || "how long the answer may be is unknown".to_owned(),
        |most| format!("the answer has at most {}", grouped(most)),
    );
    let (input, width) = (grouped(candidate.input.tokens), tokens::width(candidate.input));
    lines.push(("tokens", format!("{input} ({width}); {longest}")));
    lines.push(("cost", cost(candidate, prices)));
    for verdict in &candidate.verdicts {
        let holds = verdict.holds.join(", ");
        let said = match &verdict.refused {
            None => format!("{holds}: would pass"),
            Some(error) => format!("would be refused: {}", error.message()),
        };
        lines.push((verdict.by, said));
    }
    if let Some(cached) = &candidate.cached {
        let tokens = grouped(cached.tokens.tokens);
        lines.push(("cache", format!("marked up to {} ({tokens} tokens)", cached.marks.join(", "))));
    }
    for loss in candidate.wire.iter().flat_map(|wire| &wire.losses) {
        lines.push(("changed", loss.to_string()));
    }
    lines
}

fn key(candidate: &Candidate) -> Option<String> {
    let wire = candidate.wire.as_ref()?;
    let variable = wire.key_variable.as_ref().map(|variable| format!("${variable}"));
    let signed = wire.is_signed.then(|| "signed or fetched when it is sent".to_owned());
    let named = candidate.key.as_ref().map(|name| format!("{name:?}, of several"));
    Some([named, signed, variable].into_iter().flatten().collect::<Vec<_>>().join("; ")).filter(|said| !said.is_empty())
}

fn cost(candidate: &Candidate, prices: &Prices) -> String {
    match candidate.cost(prices) {
        (low, Some(high)) => match (low.total, high.total) {
            (Some(low), Some(high)) => format!("{} to {}", dollars(low), dollars(high)),
            _ => "unknown: no price is known".to_owned(),
        },
        (low, None) => low.total.map_or_else(
            || "unknown: no price is known".to_owned(),
            |low| format!("{} or more: how long its answers are is unknown", dollars(low)),
        ),
    }
}

fn object(explained: &Explained, prices: &Prices) -> Value {
    let candidates: Vec<Value> = explained.candidates.iter().map(|candidate| of(candidate, prices)).collect();
    json!({
        "asked": explained.asked,
        "route": explained.route,
        "admitted": explained.candidates.iter().any(Candidate::is_admitted),
        "candidates": candidates,
        "prices": prices.version(),
    })
}

fn of(candidate: &Candidate, prices: &Prices) -> Value {
    let (low, high) = candidate.cost(prices);
    let verdicts: Vec<Value> = candidate
        .verdicts
        .iter()
        .map(|verdict| {
            let refused = verdict.refused.as_ref().map(|error| output::error(error)["error"].clone());
            json!({ "by": verdict.by, "holds": verdict.holds, "refused": refused })
        })
        .collect();
    json!({
        "provider": candidate.provider,
        "model": candidate.model,
        "dialect": candidate.dialect,
        "key": candidate.key,
        "admitted": candidate.is_admitted(),
        "fault": candidate.fault.as_ref().map(|error| output::error(error)["error"].clone()),
        "request": candidate.wire.as_ref().map(wire),
        "losses": candidate.wire.as_ref().map(|wire| &wire.losses),
        "input": candidate.input,
        "max_output": candidate.max_output,
        "nano_usd": { "low": low.total, "high": high.and_then(|high| high.total) },
        "verdicts": verdicts,
        "cached": candidate.cached.as_ref().map(|it| json!({ "marks": it.marks, "tokens": it.tokens })),
    })
}

fn wire(wire: &WireRequest) -> Value {
    let headers: Map<String, Value> =
        wire.headers_shown().map(|(name, value)| (name.to_owned(), value.into())).collect();
    json!({
        "method": wire.method.as_str(),
        "url": wire.uri.to_string(),
        "headers": headers,
        "body": serde_json::from_slice::<Value>(&wire.body).unwrap_or(Value::Null),
        "key_variable": wire.key_variable,
        "signed": wire.is_signed,
        "curl": wire.curl(),
    })
}
