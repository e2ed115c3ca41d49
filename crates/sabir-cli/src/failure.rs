//! How the command fails: one clear line on standard error, and an exit status.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use sabir::{Error, ErrorKind};

/// Why a command stops.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    status: u8,
}

pub(crate) type Outcome = Result<ExitCode, Failure>;

impl Failure {
    /// The caller's mistake: exit status 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), status: 2 }
    }

    /// Why, in words.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// There is nothing to show: exit status 1, as `grep` has it.
    pub(crate) fn nothing(message: impl Into<String>) -> Self {
        Self { message: message.into(), status: 1 }
    }

    /// Something that could not be read or written. A reader that went away is no failure worth a word.
    pub(crate) fn io(what: &str, error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self { message: String::new(), status: 0 };
        }
        Self { message: format!("{what}: {error}"), status: 1 }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = if error.kind() == ErrorKind::Configuration { 2 } else { 1 };
        Self { message: error.to_string(), status }
    }
}

/// Says why on standard error, in colour on a terminal.
pub(crate) fn show(failure: &Failure) -> ExitCode {
    if !failure.message.is_empty() {
        let plain = !std::io::stderr().is_terminal() || std::env::var_os("NO_COLOR").is_some();
        let (red, off) = if plain { ("", "") } else { ("\x1b[31m", "\x1b[0m") };
        crate::output::notice(&format!("{red}error{off}: {}", failure.message));
    }
    ExitCode::from(failure.status)
}
