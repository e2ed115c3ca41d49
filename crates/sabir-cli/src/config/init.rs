//! `sabir config init`: ask what is needed, and write a configuration with comments.

use std::fs::OpenOptions;
use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sabir::config::{Format, Loader, template};
use sabir::dialects::providers::{self, ProviderRow};

use crate::failure::{Failure, Outcome};
use crate::local::SIMULATOR;
use crate::output::{notice, print, whisper};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sabir config init\n  sabir config init --yes ~/.config/sabir/config.toml")]
pub(crate) struct Args {
    /// The file to write, in TOML; sabir.toml unless said
    file: Option<PathBuf>,
    /// Ask nothing: the first provider with a key in the environment, and its default model
    #[arg(short, long)]
    yes: bool,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(args: Args, config: Option<PathBuf>) -> Outcome {
    let path = args.file.or(config).unwrap_or_else(|| PathBuf::from("sabir.toml"));
    let shown = path.display();
    if Format::of(&path) != Some(Format::Toml) {
        return Err(Failure::usage(format!("{shown} must end in .toml: that is what is written")));
    }
    if path.exists() && !args.force {
        return Err(Failure::usage(format!("{shown} is there already; --force writes over it")));
    }
    let usual =
        with_key().or_else(|| providers::find("openai")).ok_or_else(|| Failure::usage("no provider is known"))?;
    let lines = if args.yes { said(usual, usual.model, None) } else { asked(usual)? };
    let text = template(&lines);
    // What is written here must be right where it will be read; a variable that is not set yet is not.
    let name = path.display().to_string();
    if let Err(faults) = Loader::new().service(SIMULATOR).text(&name, &text, Format::Toml).process_env().load() {
        notice(&format!("note: it is not right yet:\n{faults}"));
    }
    write(&path, &text, args.force).map_err(|error| Failure::usage(format!("cannot write {shown}: {error}")))?;
    print(&format!("{shown} is written. `sabir config check` looks whether it is right.\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// The first provider whose key is in the environment.
fn with_key() -> Option<&'static ProviderRow> {
    let set = |name: &&'static str| std::env::var(name).is_ok_and(|value| !value.trim().is_empty());
    let usable = |row: &&ProviderRow| row.retired.is_none() && !row.dialect.is_empty() && !row.model.is_empty();
    providers::rows().iter().filter(usable).find(|row| row.key_env.iter().any(set))
}

fn asked(usual: &'static ProviderRow) -> Result<String, Failure> {
    let row = loop {
        let id = ask("Which provider?", usual.id)?;
        match providers::find(&id) {
            Some(row) if row.retired.is_none() => break row,
            Some(row) => notice(&format!("{} is gone: {}", row.name, row.retired.unwrap_or_default())),
            None => notice(&match providers::did_you_mean(&id) {
                Some(near) => format!("{id} is not known; did you mean {near}?"),
                None => format!("{id} is not known; one of your own is written into the file afterwards"),
            }),
        }
    };
    let model = ask("Which model?", row.model)?;
    let variable = row.key_env.first().copied().unwrap_or_default();
    if variable.is_empty() {
        return Ok(said(row, &model, None));
    }
    let key = loop {
        let kept = ask("Where is the key? A variable's name, file:PATH or cmd:COMMAND", variable)?;
        if kept == variable {
            break None;
        }
        let is_name = kept.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
        if kept.starts_with("file:") || kept.starts_with("cmd:") {
            break Some(kept);
        }
        if is_name && !kept.is_empty() {
            break Some(format!("${{{kept}}}"));
        }
        // Not shown again: it may be the key itself.
        notice("a key does not belong into the file: say the variable, the file or the command that has it");
    };
    Ok(said(row, &model, key.as_deref()))
}

/// Asks on standard error, so that what is written stays apart; an empty line takes what is usual.
fn ask(question: &str, usual: &str) -> Result<String, Failure> {
    whisper(&if usual.is_empty() { format!("{question} ") } else { format!("{question} [{usual}] ") });
    let mut line = String::new();
    let read =
        std::io::stdin().lock().read_line(&mut line).map_err(|e| Failure::io("cannot read standard input", &e))?;
    if read == 0 {
        return Err(Failure::usage("standard input ended before all was answered; --yes asks nothing"));
    }
    Ok(Some(line.trim()).filter(|line| !line.is_empty()).unwrap_or(usual).to_owned())
}

/// The lines that say it.
fn said(row: &ProviderRow, model: &str, key: Option<&str>) -> String {
    let place = if model.is_empty() {
        format!("provider = {:?}\n", row.id)
    } else {
        format!("model = {:?}\n", format!("{}/{model}", row.id))
    };
    match (key, row.key_env.first()) {
        (Some(key), _) => format!("{place}\n[providers.{}]\napi_key = {key:?}\n", row.id),
        (None, Some(variable)) => format!("{place}# The key comes from {variable}.\n"),
        (None, None) => place,
    }
}

fn write(path: &Path, text: &str, over: bool) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).create_new(!over).truncate(over);
    options.open(path)?.write_all(text.as_bytes())
}
