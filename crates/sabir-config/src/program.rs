//! Programs that a configuration names: how they are started, and how they are ended with all that they started.

use std::process::Command;

use sabir_core::{Result, Secret};

use crate::sections::McpConfig;

/// Variables that a program inherits, as the protocol's own SDKs have it: keys of providers are not among them.
const INHERITED: [&str; 9] = ["HOME", "LANG", "LOGNAME", "PATH", "SHELL", "SYSTEMROOT", "TERM", "TMPDIR", "USER"];

/// An MCP server that is a program, with the secrets that it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpProgram {
    /// What is started.
    name: String,
    args: Vec<String>,
    env: Vec<(String, Secret)>,
}

impl McpConfig {
    /// The program that the server is; `None` where it is at an address. Its secrets are fetched now.
    ///
    /// # Errors
    /// `Configuration` where one cannot be.
    pub fn program(&self) -> Result<Option<McpProgram>> {
        let Some(name) = self.command.clone() else { return Ok(None) };
        let env = self.env.iter().map(|(variable, secret)| Ok((variable.clone(), secret.resolve()?)));
        Ok(Some(McpProgram { name, args: self.args.clone(), env: env.collect::<Result<_>>()? }))
    }
}

impl McpProgram {
    /// What the operating system is asked for: the program with its arguments, its own variables besides `HOME`, `PATH`
    /// and the like, and as the first of a group of processes where there are such (see [`Group`]), so that Ctrl-C at a
    /// terminal is not for it. What it reads and writes is the caller's to say.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.name);
        command.args(&self.args).env_clear();
        command.envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.envs(self.env.iter().map(|(variable, secret)| (variable, secret.expose())));
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command
    }
}

/// The processes of a program that was started as the first of a group: itself, and those that it started and that did
/// not leave the group. Dropped, they are ended, as long as the program itself was not waited for: after that its number
/// may be another's, and [`leave`](Self::leave) is due. Where there are no groups of processes, it does nothing.
#[derive(Debug)]
pub struct Group(Option<u32>);

impl Group {
    /// That of the process of this number; of none, where there is no number.
    pub fn of(id: Option<u32>) -> Self {
        Self(id)
    }

    /// What a program that ended leaves behind on purpose stays.
    pub fn leave(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(first) = self.0.and_then(|id| rustix::process::Pid::from_raw(id.try_into().ok()?)) {
            // They may have ended by themselves.
            let _ = rustix::process::kill_process_group(first, rustix::process::Signal::KILL);
        }
    }
}
