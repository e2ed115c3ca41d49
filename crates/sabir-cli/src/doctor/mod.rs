//! `sabir doctor`: looks for what is wrong, and says what to do.

mod answers;
mod here;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use crate::failure::Outcome;
use crate::output::{print, print_json};
use crate::{config, local};

/// Look for what is wrong: configuration, keys, proxies, clock, ledger, and whether providers answer.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sabir doctor\n  sabir doctor --offline --json\n\n\
    Each provider with a key, and each that runs on this machine, is asked for its list of models, which costs nothing. Exit \
    status 1 where something is wrong that somebody has set.")]
pub(crate) struct Args {
    /// Ask nobody
    #[arg(long)]
    offline: bool,
    /// How long a provider may take to answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=300))]
    timeout: u16,
    /// One JSON object a finding
    #[arg(long)]
    json: bool,
}

/// How good a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Good,
    /// Neither good nor bad.
    Note,
    /// It works, or nobody has set it; still it is worth a look.
    Warning,
    Wrong,
}

/// One thing that was looked at.
#[derive(Debug)]
pub(crate) struct Finding {
    state: State,
    /// What was looked at: `config`, `keys`, `openai`.
    about: String,
    said: String,
    /// What to do.
    advice: Option<String>,
}

impl Finding {
    pub(crate) fn new(state: State, about: impl Into<String>, said: impl Into<String>) -> Self {
        Self { state, about: about.into(), said: said.into(), advice: None }
    }

    pub(crate) fn good(about: impl Into<String>, said: impl Into<String>) -> Self {
        Self::new(State::Good, about, said)
    }

    pub(crate) fn note(about: impl Into<String>, said: impl Into<String>) -> Self {
        Self::new(State::Note, about, said)
    }

    pub(crate) fn wrong(about: impl Into<String>, said: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(State::Wrong, about, said).advice(advice)
    }

    pub(crate) fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

pub(crate) async fn run(args: Args, file: Option<PathBuf>) -> Outcome {
    let mut all = here::versions();
    let env = local::env();
    let config = match config::load(file) {
        Ok(config) => {
            all.push(here::config(&config));
            Some(config)
        }
        Err(faults) => {
            all.push(Finding::wrong(
                "config",
                faults.message(),
                "put that right; `sabir config check` says whether it is",
            ));
            None
        }
    };
    all.push(here::ledger(config.as_ref()));
    all.extend(here::key_file());
    all.extend(here::keys(config.as_ref(), &env));
    all.extend(here::proxies());
    all.extend(here::roots());
    if let (Some(config), false) = (&config, args.offline) {
        all.extend(answers::all(config, &env, std::time::Duration::from_secs(args.timeout.into())).await);
    }
    show(&all, args.json)?;
    let wrong = all.iter().any(|finding| finding.state == State::Wrong);
    Ok(if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn show(all: &[Finding], json: bool) -> Result<(), crate::failure::Failure> {
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let width = all.iter().map(|finding| finding.about.chars().count()).max().unwrap_or(0);
    for Finding { state, about, said, advice } in all {
        let (word, paint) = match state {
            State::Good => ("good", "\x1b[32m"),
            State::Note => ("note", ""),
            State::Warning => ("look", "\x1b[33m"),
            State::Wrong => ("wrong", "\x1b[31m"),
        };
        if json {
            print_json(&json!({ "state": word, "about": about, "said": said, "advice": advice }))?;
            continue;
        }
        let (on, off) = if colour && !paint.is_empty() { (paint, "\x1b[0m") } else { ("", "") };
        // What is said in several lines stands in a column of its own.
        let indent = format!("\n{:1$}", "", width + 9);
        print(&format!("{on}{word:<5}{off}  {about:<width$}  {}\n", said.trim_end().replace('\n', &indent)))?;
        if let Some(advice) = advice {
            print(&format!("{}> {advice}\n", &indent[1..]))?;
        }
    }
    Ok(())
}
