//! `sabir config`: write, check and show the configuration.

mod init;

use std::path::PathBuf;
use std::process::ExitCode;

use sabir::config::{Config, Faults, Loader, Source, schema};
use serde_json::json;

use crate::failure::{Failure, Outcome};
use crate::local::SIMULATOR;
use crate::output::{notice, print, print_json};
use crate::usage;

/// Write, check and show the configuration.
#[derive(Debug, clap::Subcommand)]
#[command(
    after_help = "Example:\n  sabir config check --config sabir.toml\n\nWithout --config the file is $SABIR_CONFIG; sabir.toml, .yaml, .yml or .json in the working folder; \
    or sabir/config.toml and so on in $XDG_CONFIG_HOME (~/.config). The environment weighs more than the file: \
    LLM_PROVIDER, LLM_MODEL, LLM_TIMEOUT and others."
)]
pub(crate) enum Command {
    /// Ask what is needed, and write a configuration with comments.
    Init(init::Args),
    /// Say all that is wrong with the configuration, or that nothing is. No key is fetched.
    #[command(after_help = "Example:\n  sabir config check && sabir serve")]
    Check,
    /// Show what holds, and where it came from. Keys are masked.
    #[command(after_help = "Examples:\n  sabir config show\n  sabir config show --all --json | grep retry")]
    Show(ShowArgs),
    /// Write the JSON Schema of the configuration, for editors.
    #[command(after_help = "Example:\n  sabir config schema > sabir.schema.json")]
    Schema,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// Also what nobody said: the defaults
    #[arg(long)]
    all: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Says all that is wrong, one a line.
impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self::usage(faults.to_string())
    }
}

/// The configuration: the file that was named, or the one in its usual place, and the environment over it.
pub(crate) fn load(file: Option<PathBuf>) -> Result<Config, Failure> {
    Ok(loader(file)?.load()?)
}

/// As [`load`], with a ledger in its usual place where the configuration names none: for commands that spend.
pub(crate) fn load_to_spend(file: Option<PathBuf>) -> Result<Config, Failure> {
    Ok(loader_to_spend(file)?.load()?)
}

/// What [`load_to_spend`] reads by: for a command that follows its configuration.
pub(crate) fn loader_to_spend(file: Option<PathBuf>) -> Result<Loader, Failure> {
    let loader = loader(file)?;
    let usual = if loader.load()?.ledger.is_none() { usage::default_path() } else { None };
    let Some((path, folder)) = usual.as_ref().and_then(|path| Some((path, path.parent()?))) else { return Ok(loader) };
    if let Err(error) = std::fs::create_dir_all(folder) {
        notice(&format!("No account is kept of what is spent: cannot make {}: {error}", folder.display()));
        return Ok(loader);
    }
    Ok(loader.set("ledger.path", path.to_string_lossy()))
}

fn loader(file: Option<PathBuf>) -> Result<Loader, Failure> {
    let loader = Loader::new().process_env().service(SIMULATOR);
    Ok(match file {
        Some(file) => loader.file(file),
        None => loader.find()?,
    })
}

pub(crate) fn run(command: Command, file: Option<PathBuf>) -> Outcome {
    match command {
        Command::Init(args) => init::run(args, file),
        Command::Check => {
            let config = load(file)?;
            for doubt in config.doubts() {
                notice(&format!("note: {doubt}"));
            }
            match config.file() {
                Some(path) => print(&format!("{} is right.\n", path.display()))?,
                None => notice("There is no configuration file; `sabir config init` writes one."),
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Show(args) => show(&load(file)?, &args),
        Command::Schema => {
            print(&format!("{:#}\n", schema()))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn show(config: &Config, args: &ShowArgs) -> Outcome {
    let shown: Vec<_> = config.show().iter().filter(|shown| args.all || shown.source != Source::Default).collect();
    if args.json {
        for shown in shown {
            print_json(&json!({ "field": shown.field, "value": shown.value, "source": shown.source.to_string() }))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if shown.is_empty() {
        notice("Nothing is said; `sabir config show --all` shows the defaults.");
    }
    let lines: Vec<String> = shown.iter().map(|shown| format!("{} = {}", shown.field, shown.value)).collect();
    let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0).min(60);
    for (line, shown) in lines.iter().zip(shown) {
        print(&format!("{line:width$}  # {}\n", shown.source))?;
    }
    Ok(ExitCode::SUCCESS)
}
