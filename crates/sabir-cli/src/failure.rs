//! How the command fails: what is wrong, why, and what to do, each in a line on standard error, and an exit status.

use std::error::Error as _;
use std::io::IsTerminal as _;
use std::process::ExitCode;

use sabir::dialects::providers;
use sabir::prices::Prices;
use sabir::{Error, ErrorKind};

use crate::known;
use crate::markdown::safe;

/// The exit statuses, for `sabir --help`. They are documented here and nowhere else.
pub(crate) const STATUSES: &str = "\
Example:
  sabir chat \"Why is the sea salt?\"

Exit status:
  0  done
  1  failed: the provider, the network, a budget, a file, an MCP server; or there is nothing to show
  2  wrong usage or configuration; nothing was sent
  130  stopped by Ctrl-C";

/// The status of a command that failed.
const FAILED: u8 = 1;
/// The status of the caller's mistake.
const WRONG_USAGE: u8 = 2;
/// How many causes are told at most.
const MOST_CAUSES: usize = 5;

/// Why a command stops.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
    status: u8,
}

pub(crate) type Outcome = Result<ExitCode, Failure>;

impl Failure {
    fn new(message: impl Into<String>, status: u8) -> Self {
        Self { message: message.into(), causes: Vec::new(), hint: None, status }
    }

    /// The caller's mistake: exit status 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(message, WRONG_USAGE)
    }

    /// Why, in words.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// There is nothing to show: exit status 1, as `grep` has it.
    pub(crate) fn nothing(message: impl Into<String>) -> Self {
        Self::new(message, FAILED)
    }

    /// Something outside does not work: exit status 1.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(message, FAILED)
    }

    /// Something that could not be read or written. A reader that went away is no failure worth a word.
    pub(crate) fn io(what: &str, error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::new("", 0);
        }
        Self::new(format!("{what}: {error}"), FAILED)
    }

    /// Says what to do.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says why, where that is known.
    #[must_use]
    pub(crate) fn cause(mut self, cause: Option<String>) -> Self {
        self.causes.extend(cause);
        self
    }

    /// All of it, a line each.
    fn text(&self, is_coloured: bool) -> String {
        let marked = |colour: &str, word: &str| {
            if is_coloured { format!("\x1b[{colour}m{word}\x1b[0m") } else { word.to_owned() }
        };
        let mut text = format!("{}: {}", marked("31", "error"), safe(&self.message));
        for cause in &self.causes {
            text.extend(["\n  ", &marked("2", "cause"), ": ", &safe(cause)]);
        }
        if let Some(hint) = &self.hint {
            text.extend(["\n  ", &marked("36", "hint"), ": ", &safe(hint)]);
        }
        text
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = if error.kind() == ErrorKind::Configuration { WRONG_USAGE } else { FAILED };
        let message = error.to_string();
        let mut causes: Vec<String> = Vec::new();
        // What was tried before, then what is below; what is said already is not said again.
        let tried = error
            .attempts()
            .iter()
            .map(|attempt| format!("{}/{}: {}", attempt.provider, attempt.model, attempt.message));
        let below = std::iter::successors(error.source(), |cause| (*cause).source()).map(ToString::to_string);
        for cause in tried.chain(below) {
            let line = cause.split_whitespace().collect::<Vec<_>>().join(" ");
            let is_said = message.contains(&line) || causes.iter().any(|said| said.contains(&line));
            if !line.is_empty() && !is_said && causes.len() < MOST_CAUSES {
                causes.push(line);
            }
        }
        Self { message, causes, hint: hint(&error), status }
    }
}

/// What can be done about it, where that is more than the message says.
fn hint(error: &Error) -> Option<String> {
    let row = error.provider().and_then(providers::find);
    let variable = row.and_then(|row| row.key_env.first());
    Some(match (error.kind(), error.retry_after()) {
        (ErrorKind::Configuration, _) => {
            let variable = variable.filter(|_| error.message().starts_with("no key for"))?;
            format!("`export {variable}=…`, or `sabir keys set {}` to keep it on this machine", error.provider()?)
        }
        (ErrorKind::Authentication, _) => match variable {
            Some(variable) => {
                format!("is {variable} right, and of this account? `sabir config show` says where it is from")
            }
            None => "is the key right? `sabir config show` says where it is from".to_owned(),
        },
        (ErrorKind::NotFound, _) => known::did_you_mean(&Prices::default(), error.provider()?, error.model()?),
        (ErrorKind::RateLimit | ErrorKind::Overloaded, Some(wait)) => {
            format!("ask again in {}", in_words(wait))
        }
        (ErrorKind::RateLimit | ErrorKind::Overloaded, None) => "ask again in a while".to_owned(),
        (ErrorKind::Quota, _) => "waiting does not help: the account is out of credit or over its limit".to_owned(),
        (ErrorKind::BudgetExceeded, _) => {
            "`sabir usage` shows what was spent, `sabir config show` which limits hold".to_owned()
        }
        // About this machine itself the message says it all.
        (ErrorKind::Network, _)
            if ["cannot listen", "is the server running"].iter().any(|it| error.message().contains(it)) =>
        {
            return None;
        }
        (ErrorKind::Network, _) => "is there a network, and a proxy that has to be named in HTTPS_PROXY?".to_owned(),
        (ErrorKind::Timeout, _) => "`timeout` in the configuration, or LLM_TIMEOUT, gives it more time".to_owned(),
        (ErrorKind::ContextTooLong, _) => {
            "`sabir tokens` counts before anything is sent, `sabir models --min-context` lists larger models".to_owned()
        }
        _ => return None,
    })
}

/// 7 s, 2 min 5 s, 1 h 2 min: to the next second up, and hours without seconds.
fn in_words(wait: std::time::Duration) -> String {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, 0, _) => format!("{hours} h"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// Says why on standard error, in colour on a terminal.
pub(crate) fn show(failure: &Failure) -> ExitCode {
    if !failure.message.is_empty() {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        crate::output::notice(&failure.text(std::io::stderr().is_terminal() && !no_color));
    }
    ExitCode::from(failure.status)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn of(kind: ErrorKind, message: &str) -> Error {
        Error::new(kind, message)
    }

    #[test]
    fn every_failure_says_what_why_and_what_to_do() {
        let io = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection\nrefused");
        for (failure, status, text) in [
            (Failure::usage("nothing to ask"), 2, "error: nothing to ask"),
            (
                of(ErrorKind::Configuration, "no key for OpenAI: set OPENAI_API_KEY").with_provider("openai").into(),
                2,
                "error: configuration from openai: no key for OpenAI: set OPENAI_API_KEY\n  \
                 hint: `export OPENAI_API_KEY=…`, or `sabir keys set openai` to keep it on this machine",
            ),
            (of(ErrorKind::Configuration, "no model is set").into(), 2, "error: configuration: no model is set"),
            (
                of(ErrorKind::Authentication, "who are you?").with_provider("anthropic").into(),
                1,
                "error: authentication from anthropic: who are you?\n  \
                 hint: is ANTHROPIC_API_KEY right, and of this account? `sabir config show` says where it is from",
            ),
            (
                of(ErrorKind::NotFound, "no such model").with_provider("sim").with_model("simulated-2").into(),
                1,
                "error: not_found from sim: no such model\n  hint: `sabir models --provider sim` lists those that are known",
            ),
            (
                of(ErrorKind::Network, "api.example.com cannot be reached").with_source(io).into(),
                1,
                "error: network: api.example.com cannot be reached\n  cause: connection refused\n  \
                 hint: is there a network, and a proxy that has to be named in HTTPS_PROXY?",
            ),
            (
                of(ErrorKind::Network, "cannot listen on x: it is taken").into(),
                1,
                "error: network: cannot listen on x: it is taken",
            ),
            (
                of(ErrorKind::RateLimit, "slow\x1b[2J down").with_retry_after(Duration::from_millis(61_500)).into(),
                1,
                "error: rate_limit: slow␛[2J down\n  hint: ask again in 1 min 2 s",
            ),
            (of(ErrorKind::Overloaded, "busy").into(), 1, "error: overloaded: busy\n  hint: ask again in a while"),
            (
                of(ErrorKind::BudgetExceeded, "the budget is spent").into(),
                1,
                "error: budget_exceeded: the budget is spent\n  \
                 hint: `sabir usage` shows what was spent, `sabir config show` which limits hold",
            ),
            (of(ErrorKind::InvalidRequest, "no").into(), 1, "error: invalid_request: no"),
            (
                Failure::failed("the MCP server x did not start").cause(Some("it said: no".to_owned())).hint("try y"),
                1,
                "error: the MCP server x did not start\n  cause: it said: no\n  hint: try y",
            ),
        ] {
            assert_eq!((failure.text(false).as_str(), failure.status), (text, status));
        }
    }

    #[test]
    fn a_terminal_has_colours_and_a_pipe_has_none() {
        let failure = Failure::failed("a").cause(Some("b".to_owned())).hint("c");
        let coloured = "\x1b[31merror\x1b[0m: a\n  \x1b[2mcause\x1b[0m: b\n  \x1b[36mhint\x1b[0m: c";
        assert_eq!(failure.text(true), coloured);
    }

    #[test]
    fn a_wait_is_told_in_words() {
        for (millis, words) in
            [(1, "1 s"), (7_000, "7 s"), (125_000, "2 min 5 s"), (120_000, "2 min"), (3_720_000, "1 h 2 min")]
        {
            assert_eq!(in_words(Duration::from_millis(millis)), words);
        }
    }
}
