//! Keys, and where they are kept.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use sabir_core::{Error, ErrorKind, Result, Secret};

use crate::field::{Kind, Leaf, Setting};
use crate::node::{Node, Value};
use crate::scope::{Ask, Scope};
use crate::{KeyFile, Source};

/// How long a command may take to say a key: a person may have to unlock something.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest key, in bytes.
const LONGEST: u64 = 64 << 10;

/// A key, or where it is kept. A file is not read and a command not run before [`resolve`](Self::resolve).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretRef {
    /// The key itself, from the configuration or a variable.
    Given(Secret),
    /// The text of a file, without the space around it: `file:PATH`, beginning where the configuration stands.
    File(PathBuf),
    /// What a command writes, without the space around it: `cmd:PROGRAM ARGUMENTS`, or a list in `command`. No shell is
    /// asked.
    Command(Vec<String>),
    /// One that `sabir keys` keeps, by its name: `key:NAME`.
    Stored {
        /// Its name.
        name: String,
        /// Where it is kept.
        file: KeyFile,
    },
}

impl SecretRef {
    /// The key.
    ///
    /// # Errors
    /// `Configuration` where the file cannot be read, the command fails or takes longer than a minute, or there is
    /// nothing in it. What a command writes is never told.
    pub fn resolve(&self) -> Result<Secret> {
        let text = match self {
            Self::Given(secret) => return Ok(secret.clone()),
            Self::File(path) => {
                read(path).map_err(|error| refused(format!("cannot read {}: {error}", path.display())))?
            }
            Self::Command(words) => run(words)?,
            Self::Stored { name, file } => {
                let missing = || refused(format!("there is no key {name}; `sabir keys set {name}` keeps one"));
                return file.get(name)?.ok_or_else(missing);
            }
        };
        match text.trim() {
            "" => Err(refused(format!("{self} holds no key; it is empty"))),
            key => Ok(Secret::new(key)),
        }
    }

    /// Reads `file:PATH`, `cmd:PROGRAM ARGUMENTS`, `key:NAME` or a key. One of a variable (`env:NAME`) is read before.
    fn of(text: &str, source: &Source, env: &Ask<'_>) -> Option<Self> {
        if let Some(path) = text.strip_prefix("file:") {
            return Self::file(path, source, env);
        }
        if let Some(line) = text.strip_prefix("cmd:") {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            return (!words.is_empty()).then_some(Self::Command(words));
        }
        if let Some(name) = text.strip_prefix("key:") {
            let name = name.trim().to_owned();
            return (!name.is_empty()).then(|| Some(Self::Stored { name, file: KeyFile::usual(env)? })).flatten();
        }
        let text = text.trim();
        (!text.is_empty()).then(|| Self::Given(Secret::new(text)))
    }

    fn file(path: &str, source: &Source, env: &Ask<'_>) -> Option<Self> {
        let path = path.trim();
        let whole = match (path.strip_prefix("~/"), env("HOME")) {
            (Some(rest), Some(home)) => Path::new(&home).join(rest),
            _ => PathBuf::from(path),
        };
        let base = match source {
            Source::File { file, .. } => Path::new(&**file).parent().unwrap_or(Path::new("")),
            _ => Path::new(""),
        };
        (!path.is_empty()).then(|| Self::File(base.join(whole)))
    }
}

/// What may be shown: `sk-p…`, `file keys/openai`, `command pass`, `stored key work`.
impl std::fmt::Display for SecretRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Given(secret) => f.write_str(&secret.masked()),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Command(words) => write!(f, "command {}", words.first().map_or("", String::as_str)),
            Self::Stored { name, .. } => write!(f, "stored key {name}"),
        }
    }
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

fn run(words: &[String]) -> Result<String> {
    let [program, arguments @ ..] = words else {
        return Err(refused("a command for a key has no words; name the program".to_owned()));
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().map_err(|error| refused(format!("cannot run {program} for a key: {error}")))?;
    let mut output = child.stdout.take().expect("its output is piped").take(LONGEST);
    let (tell, told) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = output.read_to_string(&mut text).map(|_| text);
        // Nobody waits any more where it took too long.
        let _ = tell.send(read);
    });
    let Ok(read) = told.recv_timeout(PATIENCE) else {
        let _ = child.kill().and_then(|()| child.wait());
        return Err(refused(format!("{program} said no key within {} s; it was ended", PATIENCE.as_secs())));
    };
    let ended = child.wait().map_err(|error| refused(format!("cannot wait for {program}: {error}")))?;
    if !ended.success() {
        return Err(refused(format!("{program} gave no key: it ended with {ended}")));
    }
    read.map_err(|error| refused(format!("cannot read what {program} writes: {error}")))
}

const KEY: Leaf = Leaf {
    name: "a key, ${VARIABLE}, env:NAME, key:NAME, file:PATH or cmd:PROGRAM, or one of `env`, `file` and `command`",
    example: "",
    pattern: "",
    number: false,
    secret: true,
};

impl Setting for SecretRef {
    const KIND: Kind = Kind::Leaf(&KEY);

    fn read(node: Option<&Node>, scope: &mut Scope<'_>) -> Option<Self> {
        let node = node?;
        let env = scope.known.env;
        let variable =
            node.text().and_then(|text| text.strip_prefix("env:")).map(str::trim).filter(|name| !name.is_empty());
        if let Some(name) = variable {
            return from_variable(name, node, scope);
        }
        let read = match &node.value {
            Value::Text(text) | Value::Number(text) => Self::of(text, &node.source, env),
            Value::Table(entries) => match entries.as_slice() {
                [(key, Node { value: Value::Text(text), .. })] => match key.name.as_str() {
                    "file" => Self::file(text, &node.source, env),
                    "command" => Self::of(&format!("cmd:{text}"), &node.source, env),
                    "env" => return from_variable(text, node, scope),
                    _ => None,
                },
                [(key, Node { value: Value::List(items), .. })] if key.name == "command" => {
                    let words: Option<Vec<String>> = items.iter().map(|item| item.text().map(str::to_owned)).collect();
                    words.filter(|words| !words.is_empty()).map(Self::Command)
                }
                _ => None,
            },
            _ => None,
        };
        if read.is_none() {
            // What stands there may be a key: it is not shown.
            scope.fault(&node.source, format!("must be {}", KEY.name));
        }
        read
    }
}

fn from_variable(name: &str, node: &Node, scope: &mut Scope<'_>) -> Option<SecretRef> {
    let value = (scope.known.env)(name);
    if value.is_none() {
        scope.fault(&node.source, format!("the variable {name} is not set; set it"));
    }
    value.map(|value| SecretRef::Given(Secret::new(value)))
}
