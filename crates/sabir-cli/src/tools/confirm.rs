//! Asking a person before a tool is called.

use std::collections::HashSet;
use std::io::{self, IsTerminal as _};

#[cfg(unix)]
use rustix::event::{PollFd, PollFlags, poll};
use sabir::chat::ToolCall;
use sabir::tools::Approval;
use tokio::sync::Mutex;

use crate::markdown::safe;
use crate::output::whisper;

/// The most of a call's arguments that is shown, in characters.
const MOST_SHOWN: usize = 2_000;

/// Asks before each call of the tools that want it.
#[derive(Debug)]
pub(super) struct Confirmer {
    /// The tools that still have to be asked for. Its lock also keeps two questions apart.
    asked: Mutex<HashSet<String>>,
}

/// Whether there is somebody to ask.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

impl Confirmer {
    pub(super) fn new(asked: HashSet<String>) -> Self {
        Self { asked: Mutex::new(asked) }
    }

    /// Asks for one call, which was shown before.
    pub(super) async fn ask(&self, call: &ToolCall) -> Approval {
        let mut asked = self.asked.lock().await;
        if !asked.contains(&call.name) {
            return Approval::Granted;
        }
        loop {
            whisper(&format!("Call {}? [y]es, [n]o, [a]lways: ", safe(&call.name)));
            let Ok((read, line)) = line().await else { return Approval::Denied("nobody answered".to_owned()) };
            match line.trim().to_lowercase().as_str() {
                "y" | "yes" => return Approval::Granted,
                "a" | "always" => {
                    asked.remove(&call.name);
                    return Approval::Granted;
                }
                "n" | "no" => return Approval::Denied("the user said no".to_owned()),
                _ if read == 0 => {
                    whisper("\n");
                    return Approval::Denied("nobody answered".to_owned());
                }
                _ => {}
            }
        }
    }
}

/// The line that is typed next, and how many bytes it has. Dropped before, it leaves nobody behind who reads: what is
/// typed then is meant for another.
async fn line() -> io::Result<(usize, String)> {
    // Its other end is closed when this is dropped.
    let (closed, _open) = io::pipe()?;
    tokio::task::spawn_blocking(move || if is_typed(&closed)? { read_line() } else { Ok((0, String::new())) })
        .await
        .map_err(io::Error::other)?
}

/// Waits until a line is typed, or the pipe is closed.
#[cfg(unix)]
fn is_typed(closed: &io::PipeReader) -> io::Result<bool> {
    let stdin = io::stdin();
    let mut both = [PollFd::new(closed, PollFlags::IN), PollFd::new(&stdin, PollFlags::IN)];
    // A signal wakes it: Ctrl-C is one.
    rustix::io::retry_on_intr(|| poll(&mut both, None))?;
    Ok(both[0].revents().is_empty())
}

/// There, whoever waits for a line waits until it comes.
#[cfg(not(unix))]
fn is_typed(_closed: &io::PipeReader) -> io::Result<bool> {
    Ok(true)
}

fn read_line() -> io::Result<(usize, String)> {
    let mut line = String::new();
    io::stdin().read_line(&mut line).map(|read| (read, line))
}

/// A call as a person has to see it: what would move the cursor is shown by symbols, and what is not shown is counted.
pub(super) fn call_in_words(call: &ToolCall) -> String {
    let arguments = call.arguments.trim();
    let shown: String = arguments.chars().take(MOST_SHOWN).collect();
    let more = match arguments.chars().count().saturating_sub(MOST_SHOWN) {
        0 => String::new(),
        more => format!(" … and {more} characters more"),
    };
    format!("[tool call] {} {}{more}", safe(&call.name), safe(&shown))
}
