//! What the tests of the command share.
#![allow(dead_code, reason = "each test uses some of it")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// `sabir` with these arguments, and an environment that has nothing in it but what is given.
pub(crate) fn command(arguments: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sabir"));
    // Nothing listens on port 1: a local Ollama must not change what the tests see.
    command.args(arguments).env_clear().env("OLLAMA_HOST", "http://127.0.0.1:1").envs(env.iter().copied());
    command
}

/// Runs it to its end.
pub(crate) fn run(command: &mut Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command runs");
    // The command may not read its input at all.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    child.wait_with_output().expect("the command ends")
}

pub(crate) fn sabir(arguments: &[&str], input: &str, env: &[(&str, &str)]) -> Output {
    run(&mut command(arguments, env), input)
}

/// What was written, where all went well.
pub(crate) fn said(arguments: &[&str], input: &str) -> String {
    let output = sabir(arguments, input, &[]);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// The same, a line of JSON each.
pub(crate) fn lines(arguments: &[&str], input: &str) -> Vec<Value> {
    json_lines(&said(arguments, input))
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// A folder that goes with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sabir-cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file in it, and gives its path.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, bytes).expect("written");
        path.to_str().expect("text").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A command that listens until this is dropped.
pub(crate) struct Served {
    pub(crate) child: Child,
    pub(crate) url: String,
}

impl Served {
    /// Starts it, and waits until it says where it is: at the end of its first line.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it runs");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut line).expect("it says where it is");
        let url = line.trim().rsplit(' ').next().expect("a URL").to_owned();
        Self { child, url }
    }

    /// Its URL, as clients of OpenAI want it.
    pub(crate) fn v1(&self) -> String {
        format!("{}/v1", self.url)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `sabir sim` with a script, in a process of its own, with its books.
pub(crate) struct Sim {
    pub(crate) served: Served,
    log: String,
}

impl Sim {
    pub(crate) fn start(folder: &Folder, script: &str) -> Self {
        let (script, log) = (folder.file("script.json", script.as_bytes()), folder.file("sim.log", b""));
        let served = Served::start(&mut command(&["sim", "--port", "0", "--script", &script, "--log", &log], &[]));
        Self { served, log }
    }

    /// The lines of its books that have this field.
    pub(crate) fn books(&self, field: &str) -> Vec<Value> {
        let log = std::fs::read_to_string(&self.log).expect("the log");
        json_lines(&log).into_iter().filter(|line| line.get(field).is_some()).collect()
    }
}
