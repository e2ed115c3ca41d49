//! Keys that are kept in a file of the user's own.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use sabir_core::{Error, ErrorKind, Result, Secret};
use toml::de::{DeTable, DeValue};

/// The longest file, in bytes.
const LONGEST: u64 = 1 << 20;

/// A file of keys by their names, `name = "key"` a line, that nobody but its owner can read. A provider's own key has the
/// provider's id as its name; others are for `key:NAME` in a configuration.
///
/// It is never changed in place: who reads it sees all of what was, or all of what is. On systems without Unix
/// permissions it is as private as its folder.
///
/// ```no_run
/// use sabir_config::KeyFile;
/// let keys = KeyFile::usual(|name| std::env::var(name).ok()).expect("a home folder");
/// keys.set("openai", &"sk-…".into())?;
/// # Ok::<(), sabir_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile(PathBuf);

impl KeyFile {
    /// A file in a place of one's own.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The one in its usual place: `$SABIR_KEYS`, else `sabir/keys.toml` in `$XDG_CONFIG_HOME`, else in `~/.config`.
    /// `None` where there is no home.
    /// <https://specifications.freedesktop.org/basedir-spec/latest/>
    pub fn usual(env: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let set = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(named) = set("SABIR_KEYS") {
            return Some(Self(named));
        }
        let folder = |name| set(name).filter(|path| path.is_absolute());
        let config = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")))?;
        Some(Self(config.join("sabir").join("keys.toml")))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// All keys; none where there is no file.
    ///
    /// # Errors
    /// `Configuration` where others can read it, where it cannot be read, or where it is not what was written.
    pub fn read(&self) -> Result<BTreeMap<String, Secret>> {
        let file = match File::open(&self.0) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(self.refused("cannot read", &error)),
        };
        self.check_private(&file)?;
        let mut text = String::new();
        file.take(LONGEST).read_to_string(&mut text).map_err(|error| self.refused("cannot read", &error))?;
        let wrong = |what: &str| configuration(format!("{} is no file of keys: {what}", self.0.display()));
        // What stands there is never told, nor where the parser stumbled over it.
        let table = DeTable::parse(&text).map_err(|_| wrong("it is not TOML"))?;
        let mut keys = BTreeMap::new();
        for (name, value) in table.into_inner() {
            let DeValue::String(key) = value.into_inner() else {
                return Err(wrong("it holds something else than `name = \"key\"`"));
            };
            keys.insert(name.into_inner().into_owned(), Secret::new(key.into_owned()));
        }
        Ok(keys)
    }

    /// The key of a name.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn get(&self, name: &str) -> Result<Option<Secret>> {
        Ok(self.read()?.remove(name))
    }

    /// Keeps a key, in place of one of the same name.
    ///
    /// # Errors
    /// `Configuration` for a name of other signs than letters, digits, `-` and `_`, for a key that no header can hold,
    /// and where the file cannot be written or others can read it.
    pub fn set(&self, name: &str, key: &Secret) -> Result<()> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || !name.chars().all(is_plain) {
            let message = "the name of a key has letters, digits, - and _ and nothing else; give it another";
            return Err(configuration(message.to_owned()));
        }
        let text = key.expose();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let message =
                "that is no key: it is empty, or has spaces, line breaks or other signs that no header can hold";
            return Err(configuration(message.to_owned()));
        }
        self.change(|keys| keys.insert(name.to_owned(), key.clone())).map(|_| ())
    }

    /// Forgets a key. Whether it was there.
    ///
    /// # Errors
    /// `Configuration` where the file cannot be written or others can read it.
    pub fn remove(&self, name: &str) -> Result<bool> {
        self.change(|keys| keys.remove(name)).map(|was| was.is_some())
    }

    /// Writes the file anew beside the old one, and puts it in its place. As long as that file is there, nobody else
    /// writes.
    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<String, Secret>) -> T) -> Result<T> {
        let folder = self.0.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        make_private(folder).map_err(|error| self.refused("cannot make the folder of", &error))?;
        let beside = self.0.with_extension("toml.new");
        let file = private(&beside).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => configuration(format!(
                "{} is there: another program is writing keys, or was ended while it did; remove it in that case",
                beside.display()
            )),
            _ => self.refused("cannot write", &error),
        })?;
        let done = self.read().and_then(|mut keys| {
            let result = change(&mut keys);
            let written = write(file, &keys).and_then(|()| fs::rename(&beside, &self.0));
            written.map(|()| result).map_err(|error| self.refused("cannot write", &error))
        });
        if done.is_err() {
            // It may be gone already; what went wrong before is what is told.
            let _ = fs::remove_file(&beside);
        }
        done
    }

    #[cfg(unix)]
    fn check_private(&self, file: &File) -> Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = file.metadata().map_err(|error| self.refused("cannot read", &error))?.permissions().mode();
        let of_others = mode & 0o077;
        if of_others == 0 {
            return Ok(());
        }
        let path = self.0.display();
        Err(configuration(format!("others can read {path}; run `chmod 600 {path}`, and think of changing its keys")))
    }

    #[cfg(not(unix))]
    fn check_private(&self, _: &File) -> Result<()> {
        Ok(())
    }

    fn refused(&self, what: &str, error: &io::Error) -> Error {
        configuration(format!("{what} {}: {error}", self.0.display()))
    }
}

fn configuration(message: String) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

fn write(mut file: File, keys: &BTreeMap<String, Secret>) -> io::Result<()> {
    let mut text =
        zeroize::Zeroizing::new(String::from("# Keys of `sabir keys`; nobody else should read this file.\n"));
    for (name, key) in keys {
        text.push_str(name);
        text.push_str(" = \"");
        for c in key.expose().chars() {
            if matches!(c, '"' | '\\') {
                text.push('\\');
            }
            text.push(c);
        }
        text.push_str("\"\n");
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// A new file for its owner alone.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A folder, for its owner alone where it is new.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
