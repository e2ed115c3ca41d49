//! The process of a program: how it is started, and how it is ended.

use std::process::Stdio;
use std::time::Duration;

use http::StatusCode;
use sabir::config::{Group, McpProgram};
use sabir::{Error, Result};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::super::refused;

/// How long is waited for a program that was killed.
const UNKILLED: Duration = Duration::from_secs(2);
/// How much of what one program complains about is told, in bytes.
const MOST_COMPLAINTS: usize = 64 << 10;

/// A process that runs. Dropped, it is killed with all that it started.
pub(super) struct Process {
    // The first of a group is waited for when the group was ended: until then its number is no other's.
    group: Group,
    child: Child,
}

/// Starts a program; what it writes to its standard error is told as events (`tracing`).
///
/// # Errors
/// 502 where it cannot be started; why is told to the operator, not to the client.
pub(super) fn start(name: &str, program: &McpProgram) -> Result<(Process, ChildStdin, ChildStdout)> {
    let mut command = Command::from(program.command());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let failed = |why: String| -> Error {
        tracing::warn!(target: "sabir", mcp = name, "the program cannot be started: {why}");
        refused(StatusCode::BAD_GATEWAY, format!("the MCP server {name} cannot be started"))
    };
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let group = Group::of(child.id());
    if let Some(stderr) = child.stderr.take() {
        drop(tokio::spawn(listen(name.to_owned(), stderr)));
    }
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(failed("it has no pipes".to_owned()));
    };
    Ok((Process { group, child }, stdin, stdout))
}

impl Process {
    /// Ends it, with all that it started and left behind. It had its time to end by itself.
    pub(super) async fn end(self) {
        let Self { group, mut child } = self;
        drop(group);
        // Nothing stands against that but a system that hangs.
        let _ = timeout(UNKILLED, child.wait()).await;
    }
}

/// Tells what a program complains about. What is beyond the bound is read and not told, so that the program does not wait.
async fn listen(name: String, mut stderr: impl AsyncRead + Unpin) {
    let (mut piece, mut told) = ([0; 1024], 0);
    while let Ok(read @ 1..) = stderr.read(&mut piece).await {
        if told < MOST_COMPLAINTS {
            told += read;
            let text = String::from_utf8_lossy(&piece[..read]);
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                tracing::info!(target: "sabir", mcp = name, "the program says {line:?}");
            }
        }
    }
}
