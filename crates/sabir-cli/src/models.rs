//! `sabir models`: which models are known, what they cost and what they can do.

use std::process::ExitCode;

use sabir::dialects::providers;
use sabir::prices::{Price, Prices};
use serde_json::{Value, json};

use crate::failure::{Failure, Outcome};
use crate::known::{self, Known};
use crate::output::{notice, print, print_json};
use crate::table::{grouped, table};

/// List the models that are known, with prices, sizes and abilities.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sabir models haiku\n  sabir models --provider openai --vision --max-input-price 1\n  \
    sabir models --tools --min-context 500k --sort price\n\n\
    Prices are list prices in US dollars for a million tokens. What is blank is unknown: it is neither free nor missing."
)]
pub(crate) struct Args {
    /// Words that the model's name must have in it, as in provider/model
    filter: Vec<String>,
    /// Only models of this provider; may be given several times
    #[arg(short, long, value_name = "PROVIDER")]
    provider: Vec<String>,
    /// Only models that take images
    #[arg(long)]
    vision: bool,
    /// Only models that call tools
    #[arg(long)]
    tools: bool,
    /// Only models that can think before they answer
    #[arg(long)]
    reasoning: bool,
    /// Only models that can be held to a JSON Schema
    #[arg(long)]
    structured: bool,
    /// Only models that cost at most this for a million tokens of input
    #[arg(long, value_name = "DOLLARS")]
    max_input_price: Option<Price>,
    /// Only models that cost at most this for a million tokens of output
    #[arg(long, value_name = "DOLLARS")]
    max_output_price: Option<Price>,
    /// Only models that read at least this many tokens: 128000, 128k, 1m
    #[arg(long, value_name = "TOKENS", value_parser = tokens)]
    min_context: Option<u64>,
    /// The order: by name, or the cheapest input first, or the largest context first
    #[arg(long, value_enum, default_value_t = Order::Name)]
    sort: Order,
    /// Write one JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Order {
    Name,
    Price,
    Context,
}

#[expect(clippy::unused_async, reason = "every command is run alike")]
pub(crate) async fn run(mut args: Args) -> Outcome {
    for provider in &mut args.provider {
        *provider = id(provider)?;
    }
    let prices = Prices::default();
    let mut models = known::all(&prices);
    models.retain(|model| args.fits(model));
    match args.sort {
        Order::Name => {}
        // What is unknown comes last.
        Order::Price => models.sort_by_key(|model| input(model).map_or(u64::MAX, |price| price.0)),
        Order::Context => models.sort_by_key(|model| std::cmp::Reverse(model.traits.context_window)),
    }
    if models.is_empty() {
        return Err(Failure::nothing(nothing(&prices, &args)));
    }
    if args.json {
        for model in &models {
            print_json(&object(model))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = models.iter().map(row).collect();
    let head = ["MODEL", "CONTEXT", "OUTPUT", "IN $/M", "OUT $/M", "CAN"];
    print(&table(&head, &[false, true, true, true, true, false], &rows))?;
    notice(&format!("{} models; list prices of {}", grouped(models.len() as u64), prices.version()));
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn fits(&self, model: &Known) -> bool {
        let name = model.name().to_lowercase();
        let traits = &model.traits;
        let has = |wanted: bool, it: Option<bool>| !wanted || it == Some(true);
        let costs = |most: Option<Price>, it: Option<Price>| most.is_none_or(|most| it.is_some_and(|it| it <= most));
        self.filter.iter().all(|word| name.contains(&word.to_lowercase()))
            && (self.provider.is_empty() || self.provider.contains(&model.provider))
            && has(self.vision, traits.vision)
            && has(self.tools, traits.tools)
            && has(self.reasoning, traits.reasoning)
            && has(self.structured, traits.structured_output)
            && costs(self.max_input_price, input(model))
            && costs(self.max_output_price, model.prices.as_ref().and_then(|prices| prices.standard.output))
            && self.min_context.is_none_or(|least| traits.context_window.is_some_and(|context| context >= least))
    }
}

fn input(model: &Known) -> Option<Price> {
    model.prices.as_ref()?.standard.input
}

/// A provider's id, by its id or alias.
fn id(provider: &str) -> Result<String, Failure> {
    providers::find(provider).map(|row| row.id.to_owned()).ok_or_else(|| {
        let hint = providers::did_you_mean(provider).map(|near| format!("; did you mean {near:?}?"));
        Failure::usage(format!("unknown provider {provider:?}{}", hint.unwrap_or_default()))
    })
}

/// A number of tokens, with `k` or `m` behind it for thousands or millions.
pub(crate) fn tokens(text: &str) -> Result<u64, String> {
    let lower = text.to_lowercase();
    let (digits, unit) = match lower.strip_suffix('k') {
        Some(digits) => (digits, 1_000),
        None => lower.strip_suffix('m').map_or((lower.as_str(), 1), |digits| (digits, 1_000_000)),
    };
    let number: Option<u64> = digits.parse().ok();
    number.and_then(|number| number.checked_mul(unit)).ok_or_else(|| "write it as 128000, 128k or 1m".to_owned())
}

/// Why the list is empty.
fn nothing(prices: &Prices, args: &Args) -> String {
    let words = args.filter.join(" ");
    let near = words.split_once('/').map(|(provider, id)| known::near(prices, provider, id)).unwrap_or_default();
    let all = known::all(prices);
    let ids = all.iter().map(|model| model.id.as_str());
    let nearest = providers::nearest(&words, ids).map(str::to_owned);
    match near.into_iter().next().or(nearest) {
        Some(name) => format!("no model fits; did you mean {name}?"),
        None => "no model fits; leave out a filter".to_owned(),
    }
}

fn row(model: &Known) -> Vec<String> {
    let size = |tokens: Option<u64>| tokens.map(grouped).unwrap_or_default();
    let rates = model.prices.as_ref().map(|prices| &prices.standard);
    let price = |price: Option<Price>| price.map(|price| price.to_string()).unwrap_or_default();
    let abilities = abilities(model).into_iter().filter(|(_, can)| *can == Some(true));
    vec![
        model.name(),
        size(model.traits.context_window),
        size(model.traits.max_output),
        price(rates.and_then(|rates| rates.input)),
        price(rates.and_then(|rates| rates.output)),
        abilities.map(|(name, _)| name).collect::<Vec<_>>().join(" "),
    ]
}

/// What a model can do; `None` where that is unknown.
fn abilities(model: &Known) -> [(&'static str, Option<bool>); 4] {
    let traits = &model.traits;
    [
        ("tools", traits.tools),
        ("vision", traits.vision),
        ("structured", traits.structured_output),
        ("reasoning", traits.reasoning),
    ]
}

fn object(model: &Known) -> Value {
    let mut object = json!({
        "model": model.name(),
        "provider": model.provider,
        "id": model.id,
        "context": model.traits.context_window,
        "max_output": model.traits.max_output,
        "prices": model.prices,
    });
    for (name, can) in abilities(model) {
        object[name] = json!(can);
    }
    object
}
