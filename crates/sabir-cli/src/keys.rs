//! `sabir keys`: providers' keys, kept in a file of the user's own.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use sabir::config::KeyFile;
use sabir::dialects::providers;
use sabir::{Client, Env, ErrorKind, Secret, Stage};
use serde_json::json;

use crate::failure::{Failure, Outcome};
use crate::output::{notice, print, print_json, whisper};
use crate::table::table;
use crate::{config, input, local};

/// How long a provider may take to say whether it knows a key.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keep providers' keys in a file of your own.
#[derive(Debug, clap::Subcommand)]
#[command(
    after_help = "Examples:\n  sabir keys set openai\n  pass openai | sabir keys set openai\n  sabir keys list\n\n\
    A key named like a provider is that provider's, unless a variable (OPENAI_API_KEY) or the configuration gives another. \
    Any name can stand in the configuration: `api_key = \"key:work\"`. The file is for its owner alone (0600); one that \
    others can read is refused. A key is never taken from the command line, which others can see."
)]
pub(crate) enum Command {
    /// Keep a key: asked for without being shown, or read from standard input.
    #[command(after_help = "Example:\n  sabir keys set anthropic < key.txt")]
    Set {
        /// The provider's id, or a name of your own for `key:NAME` in the configuration
        name: String,
    },
    /// List the keys, masked, and what is used in their place.
    #[command(after_help = "Example:\n  sabir keys list --json")]
    List {
        /// One JSON object a key
        #[arg(long)]
        json: bool,
    },
    /// Forget a key.
    #[command(after_help = "Example:\n  sabir keys remove openai")]
    Remove {
        /// Its name
        name: String,
    },
    /// Say where the file is.
    #[command(after_help = "Example:\n  ls -l \"$(sabir keys path)\"")]
    Path,
    /// Ask a provider whether it knows the key: for its list of models, which costs nothing.
    #[command(after_help = "Example:\n  sabir keys test work --provider openai")]
    Test {
        /// Its name
        name: String,
        /// Whose key it is, where the name is not the provider's
        #[arg(long, value_name = "ID")]
        provider: Option<String>,
        /// Write one JSON object
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(command: Command, file: Option<PathBuf>) -> Outcome {
    let no_home = || Failure::usage("there is no home folder for a file of keys; name one in SABIR_KEYS");
    let keys = local::key_file().ok_or_else(no_home)?;
    match command {
        Command::Set { name } => set(&keys, &name),
        Command::List { json } => list(&keys, json),
        Command::Remove { name } => {
            if !keys.remove(&name)? {
                return Err(missing(&keys, &name));
            }
            notice(&format!("{name} is forgotten"));
            Ok(ExitCode::SUCCESS)
        }
        Command::Path => {
            print(&format!("{}\n", keys.path().display()))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Test { name, provider, json } => test(&keys, &name, provider.as_deref(), json, file).await,
    }
}

fn missing(keys: &KeyFile, name: &str) -> Failure {
    Failure::usage(format!(
        "there is no key {name} in {}; `sabir keys list` shows those there are",
        keys.path().display()
    ))
}

/// The provider's own id, where the name is one or an alias of one; else the name.
fn id_of(name: &str) -> &str {
    providers::find(name).map_or(name, |row| row.id)
}

fn set(keys: &KeyFile, name: &str) -> Outcome {
    let name = id_of(name);
    // One that cannot be changed is told of before a key is asked for.
    let known = keys.read()?.contains_key(name);
    let key = if std::io::stdin().is_terminal() {
        whisper(&format!("Key for {name} (it is not shown): "));
        rpassword::read_password().map_err(|error| Failure::io("cannot read the key", &error))?
    } else {
        String::from_utf8(input::stdin()?).map_err(|_| Failure::usage("standard input is no key: it is not text"))?
    };
    let key = Secret::new(key.trim());
    keys.set(name, &key)?;
    let done = if known { "replaced" } else { "kept" };
    notice(&format!("{name} ({}) is {done} in {}", key.masked(), keys.path().display()));
    if providers::find(name).is_none() {
        notice(&format!("{name} is no provider; write api_key = \"key:{name}\" in the configuration to use it"));
    } else if let Some(variable) = overriding(name) {
        notice(&format!("note: {variable} is set and weighs more; unset it to use this key"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The variable that is set and is used in place of a provider's stored key.
fn overriding(id: &str) -> Option<&'static str> {
    let row = providers::find(id)?;
    let env = Env::process();
    row.token_env.iter().chain(row.key_env).copied().find(|name| env.get(name).is_some())
}

fn list(keys: &KeyFile, json: bool) -> Outcome {
    let all = keys.read()?;
    if all.is_empty() && !json {
        notice(&format!("There are no keys in {}; `sabir keys set PROVIDER` keeps one.", keys.path().display()));
    }
    let mut rows = Vec::new();
    for (name, key) in &all {
        let (row, variable) = (providers::find(name), overriding(name));
        if json {
            print_json(&json!({
                "name": name,
                "key": key.masked(),
                "provider": row.map(|row| row.id),
                "overridden_by": variable,
            }))?;
            continue;
        }
        let used = match (row, variable) {
            (Some(_), Some(variable)) => format!("not used: {variable} is set"),
            (Some(row), None) => format!("for {}", row.name),
            (None, _) => format!("for key:{name} in the configuration"),
        };
        rows.push(vec![name.clone(), key.masked(), used]);
    }
    print(&table(&["", "", ""], &[false, false, false], &rows))?;
    Ok(ExitCode::SUCCESS)
}

async fn test(keys: &KeyFile, name: &str, provider: Option<&str>, json: bool, file: Option<PathBuf>) -> Outcome {
    let id = provider.unwrap_or(name);
    let key = keys.get(id_of(name))?.ok_or_else(|| missing(keys, name))?;
    if providers::find(id).is_none() && provider.is_none() {
        return Err(Failure::usage(format!("{name} is no provider; say whose key it is with --provider")));
    }
    let builder = Client::builder().config(&config::load(file)?)?.provider(id).key(key.clone()).timeout(PATIENCE);
    let (masked, asked) = (key.masked(), builder.build()?.models(id).await);
    if json {
        let works = asked.is_ok();
        let error = asked.as_ref().err().map(|error| crate::output::error(error)["error"].clone());
        let models = asked.as_ref().ok().map(Vec::len);
        print_json(&json!({ "name": name, "provider": id, "works": works, "models": models, "error": error }))?;
    }
    match asked {
        Ok(models) => {
            if !json {
                print(&format!("{name} ({masked}) works: {id} lists {} models\n", models.len()))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if error.kind() == ErrorKind::Unsupported && error.stage() == Stage::NotSent => Err(
            Failure::nothing(format!("{id} lists no models, and nothing else costs nothing; ask it with `sabir chat`")),
        ),
        Err(error) => Err(error.into()),
    }
}
