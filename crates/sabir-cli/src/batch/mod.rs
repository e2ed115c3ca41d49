//! `sabir batch`: ask all that a file asks, under the configuration's limits and budgets; what was answered is never
//! asked again, however often the process is killed.

mod input;
mod item;
mod journal;
mod mark;
mod provider;
mod results;
mod work;

use std::ffi::OsString;
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use sabir::{Call, Request};

use self::input::Input;
use self::journal::{Head, Journal, Tally};
use self::mark::Mark;
use self::work::{Stop, Work};
use crate::failure::{Failure, Outcome};
use crate::output::notice;
use crate::table::{dollars, grouped};
use crate::{config, local};

/// The journal's form.
const VERSION: u32 = 1;

/// Ask all that a file asks; what was answered is never asked again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sabir batch questions.jsonl -o answers.jsonl -m openai/gpt-6-luna\n  \
    sabir batch questions.jsonl -o answers.jsonl -m openai/gpt-6-luna --retry-failed\n  \
    sabir batch questions.jsonl -o answers.jsonl -m openai/gpt-6-luna --provider-batch\n\n\
    Each line is one of: {\"id\":\"a\",\"prompt\":\"Why is the sea salt?\"}, also with model, system, max_tokens; OpenAI's \
    {\"custom_id\",\"method\",\"url\",\"body\"}; Anthropic's {\"custom_id\",\"params\"}; a request in Sabir's vocabulary.\n\n\
    RESULTS.jsonl.journal keeps what was sent and answered. Interrupted or killed, the same command goes on: what was \
    answered is not asked again; what was on its way is, with the same Idempotency-Key. The large providers do not say \
    that they honour it, so that such an item may be paid twice: the summary counts them. Exit status 1 where an item \
    failed or was left.")]
pub(crate) struct Args {
    /// The requests, one JSON object a line
    file: PathBuf,
    /// Where the results go, in the order of the requests
    #[arg(short, long, value_name = "RESULTS")]
    output: PathBuf,
    /// Who is asked where a line does not say: provider/model, or a name of the configuration's
    #[arg(short, long, value_name = "PROVIDER/MODEL")]
    model: Option<String>,
    /// How many are asked at once
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// Ask again what failed before
    #[arg(long)]
    retry_failed: bool,
    #[command(flatten)]
    how: provider::How,
}

pub(crate) async fn run(args: Args, config: Option<PathBuf>) -> Outcome {
    let mark = Mark::default();
    let config = config::load_to_spend(config)?;
    let below = mark.clone();
    let (client, model) = local::client_over(&config, args.model.clone(), |builder| builder.layer(below)).await?;
    let mut places = provider::Places::new();
    let input = Input::open(&args.file, |item| {
        let mut request = item.request.clone();
        if request.model.is_empty() {
            request.model.clone_from(&model);
        }
        let (mut call, mut request) = (Call::default(), Request::Chat(request));
        client.settle(&mut call, &mut request).map_err(|error| error.message().to_owned())?;
        if args.how.provider_batch {
            places.insert((call.provider, request.model().to_owned()));
        }
        Ok(())
    })?;
    let provider = if args.how.provider_batch { Some(provider::batches_of(&client, &places)?) } else { None };
    let path = beside(&args.output, ".journal");
    if !path.exists() && args.output.exists() {
        let message = format!("{} is there and is no result of this batch (it has no journal)", args.output.display());
        return Err(Failure::usage(format!("{message}; move it away, or say another file with -o")));
    }
    let run = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
    let head = Head { sabir_batch: VERSION, run, input: input.fingerprint(), items: input.len(), model: model.clone() };
    let journal = Arc::new(Journal::open(&path, head)?);
    mark.begin(journal.clone());

    if let Some(standing) = journal.standing().filter(|_| provider.is_none()) {
        let message = format!("{} works on this batch; go on with --provider-batch", standing.provider);
        return Err(Failure::usage(message));
    }
    let work = Work { client, model, input: Arc::new(input), journal: journal.clone(), name: name(&args.file) };
    let stop = match provider {
        Some(provider) => provider::run(&work, &config, &args.how, provider, args.retry_failed).await?,
        None => ask(&work, &args).await?,
    };
    told(&work, &args.output, stop)
}

/// Asks what has no result yet, line by line.
async fn ask(work: &Work, args: &Args) -> Result<Option<Stop>, Failure> {
    let items = work.journal.to_ask(args.retry_failed);
    let before = work.input.len() - items.len();
    if before > 0 {
        let count = |n: usize| grouped(n as u64);
        notice(&format!(
            "{} of {} have results already; asking {}.",
            count(before),
            count(work.input.len()),
            count(items.len())
        ));
    }
    work.run(items, args.concurrency).await
}

/// Writes the results where all are there, and says how it went.
fn told(work: &Work, output: &Path, stop: Option<Stop>) -> Outcome {
    let journal = &work.journal;
    let tally = journal.tally();
    let left = work.input.len() as u64 - tally.done - tally.failed;
    if left == 0 {
        results::write(output, journal, work.input.len())?;
    }
    notice(&summary(&tally, left));
    match stop {
        Some(Stop::Failed(error)) => notice(&format!("Stopped: {error}")),
        Some(Stop::Said(words)) => notice(&words),
        Some(Stop::Interrupted) => notice("Stopped by Ctrl-C."),
        None => {}
    }
    if left > 0 {
        notice(&format!(
            "{} are left. What is answered is kept in {}; the same command goes on from there.",
            grouped(left),
            journal.path().display()
        ));
    } else if tally.failed > 0 {
        notice("Those that failed are in the results with their errors; --retry-failed asks them again.");
    }
    Ok(if left == 0 && tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How it went, in one line.
fn summary(tally: &Tally, left: u64) -> String {
    let mut words = vec![format!("{} done", grouped(tally.done)), format!("{} failed", grouped(tally.failed))];
    if left > 0 {
        words.push(format!("{} left", grouped(left)));
    }
    words.push(format!("{} sent twice", grouped(tally.sent_twice)));
    let tokens = format!("{} tokens in, {} out", grouped(tally.input), grouped(tally.output));
    let cost = match tally.unpriced {
        0 => dollars(tally.nano_usd),
        unknown if unknown == tally.done => "cost unknown".to_owned(),
        unknown => format!("{} and {} of unknown price", dollars(tally.nano_usd), grouped(unknown)),
    };
    format!("{}; {tokens}; {cost}", words.join(", "))
}

/// The path with something behind its name.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// What the batch is called in the ledger.
fn name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
