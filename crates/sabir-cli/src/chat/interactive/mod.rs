//! `sabir chat` on a terminal, without a prompt: one question after another.

mod command;
mod completion;
mod editor;
mod history;
mod spent;
mod talk;
mod transcript;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use sabir::Client;
use sabir::config::Config;

use super::request::Question;
use super::session::Session;
use super::{Args, log_path};
use crate::failure::{self, Failure, Outcome};
use crate::output::notice;
use crate::{known, log, usage};
use completion::Names;
use editor::{Editor, Typed};
use talk::{Next, Talk};

/// Whether the arguments want it: by name, or because there is nothing to ask and somebody to ask it.
pub(super) fn is_wanted(args: &Args) -> Result<bool, Failure> {
    let is_terminal =
        std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
    if !args.interactive {
        let asks = args.words.has_prompt() || !args.words.attach.is_empty();
        let has_form = args.json || args.schema.is_some() || args.schema_multi.is_some() || args.template.is_some();
        return Ok(is_terminal && !asks && !has_form && args.models.len() <= 1);
    }
    if !is_terminal {
        return Err(Failure::usage("--interactive needs a terminal: standard input, output and error have to be one"));
    }
    if args.models.len() > 1 {
        return Err(Failure::usage("--interactive asks one model at a time; give --model once"));
    }
    Ok(true)
}

/// Asks until the person leaves.
pub(super) async fn run(sessions: Vec<Session>, question: Question, args: &Args, config: &Config) -> Outcome {
    let Some(session) = sessions.into_iter().next() else { return Ok(ExitCode::SUCCESS) };
    // Who wants nothing kept wants nothing of it kept.
    let history = log_path(args, config).and_then(|_| Some(usage::default_path()?.with_file_name("history")));
    let mut editor = Editor::open(history.as_deref(), names(session.client(), config));
    notice(&format!("{}; /help lists what can be done here, Ctrl-D leaves.", session.model));
    let mut talk = Talk::new(session, question.options, args, config);
    talk.begin(question.message).await?;
    loop {
        let next = match editor.read(talk.model()).await? {
            Typed::End => Next::Leave,
            Typed::Nothing => Next::GoOn,
            Typed::Line(line) => hear(&mut talk, &line).await?,
        };
        if next == Next::Leave {
            break;
        }
    }
    if let Some(id) = talk.id() {
        notice(&format!("`sabir chat --id {id}` goes on with this."));
    }
    Ok(ExitCode::SUCCESS)
}

/// Does what a line says.
async fn hear(talk: &mut Talk<'_>, line: &str) -> Result<Next, Failure> {
    match command::parse(line) {
        None => talk.say(&editor::as_sent(line)).await?,
        Some(Err(wrong)) => {
            failure::show(&Failure::usage(wrong));
        }
        Some(Ok(command)) => return talk.obey(command).await,
    }
    Ok(Next::GoOn)
}

/// What Tab chooses from.
fn names(client: &Client, config: &Config) -> Names {
    let own = config.aliases.keys().chain(config.routes.keys()).cloned();
    let ids = client.registry().ids();
    let prices = config.all_prices();
    let models = known::all(&prices).into_iter().filter(|model| ids.contains(&model.provider));
    Names {
        models: models.map(|model| model.name()).collect(),
        providers: own.chain(ids.iter().map(|id| format!("{id}/"))).collect(),
        roles: config.roles.keys().cloned().collect(),
        log: log::path(config),
    }
}
