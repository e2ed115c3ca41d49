//! The command on a terminal: keys go in, and what stands on the screen is read.
#![allow(dead_code, reason = "each test uses some of it")]

use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use pty_process::blocking::{Command, Pty, open};

/// The longest that anything is waited for; a machine that does much else may be slow.
const PATIENCE: Duration = Duration::from_secs(60);
const ROWS: u16 = 60;
const COLUMNS: u16 = 100;

pub(crate) struct Terminal {
    pty: Arc<Pty>,
    child: Child,
    written: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    /// All that was written, sequences and all.
    raw: Vec<u8>,
}

impl Terminal {
    /// `sabir` with these arguments, in this folder, with an environment that has nothing in it but what is given.
    pub(crate) fn start(arguments: &[&str], env: &[(&str, &str)], folder: &Path) -> Self {
        let (pty, pts) = open().expect("a pseudo-terminal");
        pty.resize(pty_process::Size::new(ROWS, COLUMNS)).expect("a size");
        let command = Command::new(env!("CARGO_BIN_EXE_sabir")).args(arguments).env_clear().current_dir(folder);
        // Nothing listens on port 1: a local Ollama must not change what the tests see.
        let command = command.env("OLLAMA_HOST", "http://127.0.0.1:1").env("TERM", "xterm").envs(env.iter().copied());
        let command = match std::env::var_os("PATH") {
            Some(path) => command.env("PATH", path),
            None => command,
        };
        let child = command.spawn(pts).expect("the command runs");
        let (pty, (tell, written)) = (Arc::new(pty), channel());
        let reader = Arc::clone(&pty);
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            let mut answering =
                vt100::Parser::new_with_callbacks(size(ROWS), size(COLUMNS), 0, Answering(Arc::clone(&reader)));
            // A terminal whose last program went gives an error (EIO).
            while let Ok(read @ 1..) = (&*reader).read(&mut piece) {
                answering.process(&piece[..read]);
                if tell.send(piece[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { pty, child, written, screen: vt100::Parser::new(size(ROWS), size(COLUMNS), 0), raw: Vec::new() }
    }

    /// Waits until these words stand on the screen, and gives all that stands there.
    pub(crate) fn wait_for(&mut self, words: &str) -> String {
        self.wait_until(&format!("{words:?}"), |contents| contents.contains(words))
    }

    /// Waits until the screen is so, and gives all that stands there.
    pub(crate) fn wait_until(&mut self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let contents = self.screen.screen().contents();
            if is_so(&contents) {
                return contents;
            }
            assert!(self.take(deadline), "{what} never came; there is:\n{contents}");
        }
    }

    /// Types.
    pub(crate) fn keys(&mut self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).expect("typed");
    }

    /// Waits for the command's end.
    pub(crate) fn end(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        while self.take(deadline) {}
        let status = self.child.wait().expect("it ends");
        Ended { status, screen: self.screen, raw: String::from_utf8(self.raw).expect("text") }
    }

    /// Takes what was written next; `false` where nothing more will come.
    fn take(&mut self, deadline: Instant) -> bool {
        match self.written.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(bytes) => {
                self.screen.process(&bytes);
                self.raw.extend(bytes);
                true
            }
            Err(RecvTimeoutError::Disconnected) => false,
            Err(RecvTimeoutError::Timeout) => {
                let _ = self.child.kill();
                panic!("nothing came for {PATIENCE:?}; there is:\n{}", self.screen.screen().contents());
            }
        }
    }
}

fn size(size: u16) -> NonZeroU16 {
    NonZeroU16::new(size).expect("not zero")
}

/// Answers at once where a program asks where the cursor is (DSR 6, ECMA-48 8.3.35), as terminals do.
struct Answering(Arc<Pty>);

impl vt100::Callbacks for Answering {
    fn unhandled_csi(
        &mut self,
        screen: &mut vt100::Screen,
        _: Option<u8>,
        _: Option<u8>,
        parameters: &[&[u16]],
        byte: char,
    ) {
        if byte == 'n' && parameters == [[6]] {
            let (row, column) = screen.cursor_position();
            let position = format!("\x1b[{};{}R", row + 1, column + 1);
            // Whoever asked may be gone.
            let _ = (&*self.0).write_all(position.as_bytes());
        }
    }
}

/// What a command left behind.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) screen: vt100::Parser,
    pub(crate) raw: String,
}

impl Ended {
    pub(crate) fn contents(&self) -> String {
        self.screen.screen().contents()
    }

    /// The cell in which a word begins.
    pub(crate) fn cell(&self, word: &str) -> &vt100::Cell {
        // Row by row: `contents` has a line that is wrapped as one.
        let found = self.screen.screen().rows(0, COLUMNS).enumerate();
        let mut found = found.filter_map(|(row, line)| Some((row, line.find(word)?, line)));
        let (row, at, line) = found.next().unwrap_or_else(|| panic!("{word:?} is not in:\n{}", self.contents()));
        let column = line[..at].chars().count();
        let number = |number: usize| u16::try_from(number).expect("on the screen");
        self.screen.screen().cell(number(row), number(column)).expect("a cell")
    }
}
