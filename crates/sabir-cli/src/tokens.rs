//! `sabir tokens`: how many tokens files and pipes are.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use sabir::chat::{ChatRequest, Message, Part, Role};
use sabir::prices::Prices;
use sabir::tokens::{Counter, ModelId};
use sabir::{Client, Count, Precision};
use serde_json::{Value, json};

use crate::failure::{Failure, Outcome};
use crate::output::{notice, print, print_json};
use crate::table::{grouped, table};
use crate::{config, input, known, local};

/// Count the tokens of files and pipes; nothing is sent.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sabir tokens README.md src/*.rs\n  git diff | sabir tokens -m anthropic/claude-sonnet-5-5\n  \
    sabir tokens --ask -m gemini/gemini-3-flash prompt.txt photo.png\n\n\
    A count is exact, or within a bound, or an estimate with the range in which it should be."
)]
pub(crate) struct Args {
    /// What is counted: text, images, sound, PDF; `-` is standard input, as is no file at all
    files: Vec<PathBuf>,
    /// Whose tokens: provider/model, or a provider alone for its default model
    #[arg(short, long, value_name = "PROVIDER/MODEL", default_value = "openai")]
    model: String,
    /// Count each file as a message of its own, with what the provider puts around it, and not as mere text
    #[arg(long)]
    message: bool,
    /// Ask the provider, where it counts: each file is sent to it as a message
    #[arg(long)]
    ask: bool,
    /// Count by the `tokenizer.json` that the model is published with
    #[cfg(feature = "vocabularies")]
    #[arg(long, value_name = "FILE", conflicts_with = "ask")]
    vocabulary: Option<PathBuf>,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

/// One thing that was counted.
struct Counted {
    name: String,
    count: Count,
    /// The provider that was asked.
    by: String,
}

pub(crate) async fn run(args: Args, config: Option<PathBuf>) -> Outcome {
    let config = config::load(config)?;
    let (client, model) = local::client(&config, Some(args.model.clone())).await?;
    let id = client.model_id(&model)?;
    let here = counter(&client, &id, &args)?;
    remark(&id);
    let from_input = [PathBuf::from("-")];
    let files = if args.files.is_empty() { from_input.as_slice() } else { &args.files };
    let mut counted = Vec::new();
    for file in files {
        counted.push(count(&client, &here, &model, &id, file, &args).await?);
    }
    let total: Count = counted.iter().map(|one| one.count).sum();
    if args.json {
        let files: Vec<Value> = counted.iter().map(|one| object(one.count, &one.name, &one.by)).collect();
        let mut whole = json!({ "model": model, "files": files });
        whole["total"] = json!(total);
        return print_json(&whole).map(|()| ExitCode::SUCCESS);
    }
    let mut rows: Vec<Vec<String>> = counted.iter().map(|one| row(one.count, &one.name)).collect();
    if rows.len() > 1 {
        rows.push(row(total, "total"));
    }
    print(&table(&["", "", ""], &[true, false, false], &rows))?;
    Ok(ExitCode::SUCCESS)
}

/// What counts where nobody is asked.
#[cfg_attr(not(feature = "vocabularies"), expect(clippy::unnecessary_wraps, reason = "a vocabulary may be none"))]
fn counter(client: &Client, id: &ModelId, args: &Args) -> Result<Arc<Counter>, Failure> {
    #[cfg(feature = "vocabularies")]
    if let Some(path) = &args.vocabulary {
        let cannot = |error| Failure::usage(format!("cannot read {}: {error}", path.display()));
        let vocabulary = sabir::tokens::Vocabulary::read(&std::fs::read(path).map_err(cannot)?)?;
        return Ok(Arc::new(Counter::default().with(&id.model, vocabulary)));
    }
    let _ = (id, args);
    Ok(client.counter().clone())
}

async fn count(
    client: &Client,
    counter: &Counter,
    model: &str,
    id: &ModelId,
    file: &Path,
    args: &Args,
) -> Result<Counted, Failure> {
    let (name, part) = if file == Path::new("-") {
        let text = input::piped_text()?;
        let text = text.ok_or_else(|| Failure::usage("nothing to count: name files, or pipe text in"))?;
        ("-".to_owned(), Part::text(text))
    } else {
        (file.display().to_string(), input::bare(file)?)
    };
    let here = |name, count| Ok(Counted { name, count, by: String::new() });
    if let (Some(text), false) = (part.as_text(), args.message || args.ask) {
        return here(name, counter.count_text(text, id));
    }
    let request = ChatRequest::new(model).message(Message::new(Role::User, vec![part]));
    if !args.ask {
        return here(name, counter.count(&request, id));
    }
    let answer = client.count_tokens(request).await?;
    if answer.provider.is_empty() {
        notice(&format!("note: {} does not count tokens; {name} is counted here", id.provider));
    }
    answer.losses.iter().for_each(|loss| notice(&format!("note: {name}: {loss}")));
    Ok(Counted { name, count: answer.input, by: answer.provider })
}

/// A model that nothing is known of is counted all the same, and roughly: it may be a slip.
fn remark(id: &ModelId) {
    let prices = Prices::default();
    let is_known = prices.find(&id.provider, &id.model).is_some()
        || sabir::traits(&id.provider, &id.model) != sabir::ModelTraits::default();
    if !is_known && !known::near(&prices, &id.provider, &id.model).is_empty() {
        let hint = known::did_you_mean(&prices, &id.provider, &id.model);
        notice(&format!("note: nothing is known of {}/{}; {hint}", id.provider, id.model));
    }
}

fn row(count: Count, name: &str) -> Vec<String> {
    vec![grouped(count.tokens), width(count), name.to_owned()]
}

/// How good a count is, in words.
pub(crate) fn width(count: Count) -> String {
    let range = || format!("{} to {}", grouped(count.low), grouped(count.high));
    match count.precision {
        Precision::Exact => "exact".to_owned(),
        Precision::Bound => format!("within {}", range()),
        Precision::Estimate if count.low == count.high => "about".to_owned(),
        Precision::Estimate => format!("about, {}", range()),
    }
}

fn object(count: Count, file: &str, by: &str) -> Value {
    let mut object = json!(count);
    object["file"] = file.into();
    object["counted_by"] = if by.is_empty() { "sabir".into() } else { by.into() };
    object
}
