//! `sabir chat`: ask a model, or several; the answer streams to standard output.

mod args;
mod ask;
mod interactive;
mod receipt;
mod request;
mod schema;
mod session;
mod several;
mod template;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use sabir::config::Config;
use sabir::layers::{Budget, Receipts, Spend, Window};
use sabir::prices::Usd;
use sabir::{ChatRequest, ClientBuilder, TraitsOf, traits};
use serde_json::{Value, json};

pub(crate) use args::Args;

use crate::failure::{Failure, Outcome};
use crate::log::{self, Log, Past, Store, Trouble};
use crate::output::{self, notice, print_json};
use crate::tools::Kit;
use crate::writer::Writer;
use crate::{config, local};
use ask::{Asked, End, Form};
use request::Question;
use session::Session;

pub(crate) async fn run(args: Args, file: Option<PathBuf>) -> Outcome {
    let config = config::load_to_spend(file)?;
    let is_interactive = interactive::is_wanted(&args)?;
    let past = past(&args, &config)?;
    let question = request::question(&args, &config, is_interactive)?;
    let kit = Kit::open(&config, &args.tools).await?.map(Arc::new);
    let outcome = match sessions(&args, &config, &question, past.as_ref(), kit.as_ref(), is_interactive).await {
        Ok(sessions) if is_interactive => interactive::run(sessions, question, &args, &config).await,
        Ok(sessions) => ask_all(sessions, question.message, &args).await,
        Err(failure) => Err(failure),
    };
    if let Some(kit) = kit.and_then(Arc::into_inner) {
        kit.close().await;
    }
    outcome
}

async fn ask_all(mut sessions: Vec<Session>, message: sabir::Message, args: &Args) -> Outcome {
    match sessions.pop() {
        Some(session) if sessions.is_empty() => one(session, message, args).await,
        last => several::run(sessions.into_iter().chain(last), &message, args).await,
    }
}

/// Asks one model.
async fn one(mut session: Session, message: sabir::Message, args: &Args) -> Outcome {
    let holds = args.json || args.no_stream;
    let mut writer = if holds { Writer::held(args.plain) } else { Writer::live(args.plain) };
    let asked = session.turn(message, &mut writer).await;
    if args.json && !matches!(asked.end, End::Unread(_)) {
        print_json(&object(&asked, &session))?;
    }
    finish(&asked, &mut writer, args)?;
    match asked.end {
        End::Done => Ok(ExitCode::SUCCESS),
        End::Failed(error) => Err(error.into()),
        End::Stopped => Ok(ExitCode::from(STOPPED)),
        End::Unread(failure) => Err(failure),
    }
}

/// The status of a program that was stopped by Ctrl-C: 128 and the number of the signal, as shells have it.
const STOPPED: u8 = 130;

/// Writes what is still held back of an answer that is over, and what a person should know of it.
fn finish(asked: &Asked, writer: &mut Writer, args: &Args) -> Result<(), Failure> {
    if args.json {
        // The object says it all.
        *writer = Writer::live(args.plain);
    }
    writer.release()?;
    if let Some(answer) = asked.answer.as_ref() {
        if !args.json {
            writer.remark(answer);
        }
        if args.usage {
            writer.line(&receipt::receipt(answer));
        }
    }
    if matches!(asked.end, End::Stopped) {
        writer.line("note: stopped by Ctrl-C; the answer is not whole");
    }
    Ok(())
}

/// An answer, or why there is none, as one JSON object.
fn object(asked: &Asked, session: &Session) -> Value {
    let mut object = match (asked.error(), &asked.answer) {
        (Some(error), _) => output::error(&error),
        (None, answer) => answer.as_ref().map(output::answer).unwrap_or_default(),
    };
    if let Some(value) = &asked.value {
        object["value"] = value.clone();
    }
    if let Some(id) = session.id() {
        object["conversation"] = json!(id);
    }
    object
}

/// A conversation with each of the models.
async fn sessions(
    args: &Args,
    config: &Config,
    question: &Question,
    past: Option<&Past>,
    kit: Option<&Arc<Kit>>,
    is_interactive: bool,
) -> Result<Vec<Session>, Failure> {
    let Question { system, settings, options, model, schema, .. } = question;
    let form = match schema.clone() {
        Some(schema) => Form::Value(schema),
        // Only a stream can be cut.
        None if (args.no_stream || args.json) && args.max_cost.is_none() => Form::Whole,
        None => Form::Stream,
    };
    let usual = model.clone().or_else(|| past.map(|past| past.model.clone()));
    let names: Vec<Option<String>> =
        if args.models.is_empty() { vec![usual] } else { args.models.iter().cloned().map(Some).collect() };
    // Who is asked may change there, and the budget holds for all of them.
    let of = if is_interactive { &[None][..] } else { &names[..] };
    let spend = args.max_cost.map(|most| at_most(most, config, of));
    let client = local::connect(config, |builder| spend.into_iter().fold(builder, ClientBuilder::layer))?;
    if let Form::Value(schema) = &form {
        // Before anything is sent: no schema at all is wrong usage.
        drop(client.extraction_by("value", schema.clone(), "").map_err(|error| Failure::usage(error.message()))?);
    }
    let log = log_path(args, config).map_or_else(Log::off, Log::at);
    let mut sessions = Vec::new();
    for name in names {
        let model = local::model(&client, config, name).await?;
        let mut settings = ChatRequest { model, ..settings.clone() };
        request::set_options(&mut settings, options, &client, config)?;
        let kept = (log.clone(), past.cloned());
        let form = (form.clone(), kit.cloned());
        sessions.push(Session::new(client.clone(), settings, form, system.clone(), kept));
    }
    Ok(sessions)
}

/// A budget of everything that this process asks.
fn at_most(most: Usd, config: &Config, models: &[Option<String>]) -> Spend {
    /// No answer is waited for so long.
    const EVER: Duration = Duration::from_secs(366 * 86_400);
    /// Reserved for an answer at a time, in tokens, where nothing of it is hidden until its end.
    const STEP: u64 = 512;
    let prices = config.all_prices();
    let budget = Budget::per(Window::rolling(EVER), most).named(format!("--max-cost {most}")).assume_output(STEP);
    let spend = Spend::by(&Receipts::new(prices)).traits(TraitsOf(traits)).budget(budget);
    let shows_all = |model: &Option<String>| {
        let place = model.as_deref().and_then(|model| model.split_once('/'));
        place.is_some_and(|(provider, model)| traits(provider, model).reasoning == Some(false))
    };
    if models.iter().all(shows_all) { spend.steps(STEP) } else { spend }
}

/// Where this is kept; `None` where it is not.
fn log_path(args: &Args, config: &Config) -> Option<PathBuf> {
    let keeps = args.log || (config.logs.enabled && !args.no_log);
    let path = log::path(config).filter(|_| keeps);
    if path.is_none() && args.log {
        notice("note: this is not logged: there is no home folder; set `logs.path` in the configuration");
    }
    path
}

/// The conversation that is gone on with.
fn past(args: &Args, config: &Config) -> Result<Option<Past>, Failure> {
    if args.go_on || args.id.is_some() { kept(config, args.id.as_deref()).map(Some) } else { Ok(None) }
}

/// The conversation of the log whose id begins so, or else the last one.
fn kept(config: &Config, id: Option<&str>) -> Result<Past, Failure> {
    let none = |path: &Path| Failure::usage(format!("there is no conversation to go on with in {}", path.display()));
    let path = log::path(config).ok_or_else(|| {
        Failure::usage("there is no home folder to look for a log in; set `logs.path` in the configuration")
    })?;
    if !path.exists() {
        return Err(none(&path));
    }
    let cannot = |why: Trouble| Failure::nothing(why.of(&path));
    let store = Store::open_there(&path).map_err(cannot)?;
    let id = match id {
        Some(prefix) => log::one(&store, &path, prefix)?,
        None => store.latest().map_err(cannot)?.ok_or_else(|| none(&path))?,
    };
    store.past(&id).map_err(cannot)
}
