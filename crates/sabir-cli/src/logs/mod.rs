//! `sabir logs`: what was asked and answered with `sabir chat`.

mod show;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::config;
use crate::failure::{Failure, Outcome};
use crate::log::{self, Find, Store, Trouble, now};
use crate::output::{notice, print, print_json};
use crate::usage::when::When;

/// What was asked and answered: list, show, search, delete.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  sabir logs -n 50 --since 7d\n  sabir logs show 3fa2\n  sabir logs search \"sea salt\" harbour\n  \
    sabir logs delete --before 2026-01-01\n\n\
    The beginning of an id is enough wherever one is asked for. The log is the file that the configuration names in \
    `logs.path`, else sabir/logs.db in the data folder (~/.local/share); `logs.enabled = false` keeps none."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List questions, newest first; what is done without a word, too
    #[command(after_help = "Example:\n  sabir logs list -n 50 --since 7d")]
    List(ListArgs),
    /// Show a conversation, or the last one
    #[command(after_help = "Example:\n  sabir logs show 3fa2")]
    Show(ShowArgs),
    /// Find messages by their words, newest first
    #[command(after_help = "Example:\n  sabir logs search \"sea salt\" harbour")]
    Search(SearchArgs),
    /// Delete a conversation, or old ones
    #[command(after_help = "Example:\n  sabir logs delete --before 2026-01-01")]
    Delete(DeleteArgs),
    /// Say where the log is
    #[command(after_help = "Example:\n  sabir logs path")]
    Path,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// How many at most; 0 for all
    #[arg(short, long = "number", value_name = "NUMBER", default_value_t = 20)]
    number: u64,
    /// Only where this is in the model's name
    #[arg(short, long, value_name = "NAME")]
    model: Option<String>,
    /// Only what was asked then or later: a day (2026-11-21) or so long ago (12h, 7d, 4w)
    #[arg(long, value_name = "WHEN")]
    since: Option<When>,
    /// Write one JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// The conversation [default: the last one]
    id: Option<String>,
    /// Write one JSON object: the whole conversation in Sabir's vocabulary
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct SearchArgs {
    /// What the message must have in it: words, and phrases in quotes; a `*` at the end of one lets it go on
    #[arg(required = true)]
    words: Vec<String>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, clap::Args)]
struct DeleteArgs {
    /// The conversation
    #[arg(required_unless_present = "before")]
    id: Option<String>,
    /// All conversations that ended before then: a day (2026-11-21) or so long ago (12h, 7d, 4w)
    #[arg(long, value_name = "WHEN", conflicts_with = "id")]
    before: Option<When>,
}

pub(crate) fn run(args: Args, file: Option<PathBuf>) -> Outcome {
    let config = config::load(file)?;
    let path = log::path(&config).ok_or_else(|| {
        Failure::usage("there is no home folder to look for a log in; set `logs.path` in the configuration")
    })?;
    let command = args.command.unwrap_or(Command::List(args.list));
    if matches!(command, Command::Path) {
        print(&format!("{}\n", path.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    if !path.exists() {
        return Err(Failure::nothing(format!("nothing is logged yet: there is no {}", path.display())));
    }
    let cannot = |why: Trouble| Failure::nothing(why.of(&path));
    let store = Store::open_there(&path).map_err(cannot)?;
    match command {
        Command::List(args) => list(&store, &path, &args),
        Command::Search(args) => search(&store, &path, &args),
        Command::Show(args) => {
            let id = match &args.id {
                Some(prefix) => log::one(&store, &path, prefix)?,
                None => store.latest().map_err(cannot)?.ok_or_else(nothing)?,
            };
            let conversation = store.conversation(&id).map_err(cannot)?;
            if args.json {
                print_json(&show::conversation_json(&id, &conversation))?;
            } else {
                print(&show::conversation(&id, &conversation))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Delete(args) => delete(store, &path, &args),
        Command::Path => Ok(ExitCode::SUCCESS),
    }
}

impl ListArgs {
    fn find(&self) -> Result<Find, Failure> {
        let since = self.since.as_ref().map(time).transpose()?;
        Ok(Find { most: Some(self.number).filter(|most| *most > 0), model: self.model.clone(), since })
    }
}

fn time(when: &When) -> Result<Duration, Failure> {
    when.time(now(), 0).ok_or_else(|| Failure::usage("that is before 1970"))
}

fn nothing() -> Failure {
    Failure::nothing("nothing is logged of that")
}

fn list(store: &Store, path: &Path, args: &ListArgs) -> Outcome {
    let cannot = |why: Trouble| Failure::nothing(why.of(path));
    let entries = store.list(&args.find()?).map_err(cannot)?;
    if entries.is_empty() {
        return Err(nothing());
    }
    let mut rows = Vec::new();
    for entry in &entries {
        let asked = store.asked(entry).map_err(cannot)?;
        if args.json {
            print_json(&show::entry_json(entry, &asked))?;
        } else {
            rows.push(show::row(entry, &asked));
        }
    }
    if !args.json {
        print(&show::table(&rows))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn search(store: &Store, path: &Path, args: &SearchArgs) -> Outcome {
    let hits = store.search(&args.words, &args.list.find()?).map_err(|why| Failure::nothing(why.of(path)))?;
    if hits.is_empty() {
        return Err(nothing());
    }
    for hit in &hits {
        if args.list.json {
            print_json(&show::hit_json(hit))?;
        } else {
            print(&show::hit(hit))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn delete(mut store: Store, path: &Path, args: &DeleteArgs) -> Outcome {
    let deleted = match (&args.id, &args.before) {
        (Some(prefix), _) => {
            let id = log::one(&store, path, prefix)?;
            store.delete(&id)
        }
        (None, Some(before)) => store.delete_before(time(before)?),
        (None, None) => Ok(0),
    };
    match deleted.map_err(|why| Failure::nothing(why.of(path)))? {
        0 => Err(nothing()),
        1 => {
            notice("1 exchange is deleted.");
            Ok(ExitCode::SUCCESS)
        }
        several => {
            notice(&format!("{several} exchanges are deleted."));
            Ok(ExitCode::SUCCESS)
        }
    }
}
