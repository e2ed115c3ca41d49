//! From files, variables and words to a configuration.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::contradictions::{self, Found, Sources};
use crate::expand::expand;
use crate::fault::{Fault, Faults};
use crate::field::Setting as _;
use crate::node::{Node, Value};
use crate::scope::{Known, Scope};
use crate::sections::Settings;
use crate::show::Shown;
use crate::{Source, places, state, text};

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// TOML 1.0.
    Toml,
    /// YAML 1.2.
    Yaml,
    /// JSON (RFC 8259).
    Json,
}

impl Format {
    /// The format of a file by the ending of its name: `toml`, `yaml` or `yml`, `json`.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "toml" => Some(Self::Toml),
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Reads a configuration. What is said explicitly ([`set`](Self::set)) wins over the environment, that over the file,
/// and that over the defaults: field by field.
///
/// ```
/// use sabir_config::{Format, Loader};
/// let env = [("LLM_TIMEOUT", "45s")];
/// let loader = Loader::new().text("sabir.toml", "model = \"openai/gpt-6-luna\"\ntimeout = \"30s\"", Format::Toml).env(env);
/// let config = loader.set("retry.max_attempts", "5").load()?;
/// assert_eq!(config.timeout, Some(std::time::Duration::from_secs(45)));
/// assert_eq!(config.retry.max_attempts.get(), 5);
/// # Ok::<(), sabir_config::Faults>(())
/// ```
#[derive(Clone, Default)]
pub struct Loader {
    file: Option<PathBuf>,
    text: Option<(Arc<str>, String, Format)>,
    env: Env,
    explicit: BTreeMap<String, String>,
    services: Vec<String>,
    state: Option<String>,
}

#[derive(Clone, Default)]
enum Env {
    #[default]
    None,
    Process,
    Given(BTreeMap<String, String>),
}

impl Loader {
    /// Defaults alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads this file, in the format that its ending says.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Reads this text, as if it were a file of this name.
    #[must_use]
    pub fn text(mut self, name: &str, text: impl Into<String>, format: Format) -> Self {
        self.text = Some((name.into(), text.into(), format));
        self
    }

    /// Takes variables from the process's environment. A variable that is set to nothing is not set.
    #[must_use]
    pub fn process_env(mut self) -> Self {
        self.env = Env::Process;
        self
    }

    /// Takes variables from here.
    #[must_use]
    pub fn env<N: Into<String>, V: Into<String>>(mut self, variables: impl IntoIterator<Item = (N, V)>) -> Self {
        self.env = Env::Given(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect());
        self
    }

    /// Says a field explicitly, as it would be written in a file: `set("retry.max_attempts", "5")`.
    #[must_use]
    pub fn set(mut self, field: impl Into<String>, value: impl Into<String>) -> Self {
        self.explicit.insert(field.into(), value.into());
        self
    }

    /// Tells of a service that the program registers under this id, so that models of it can be named.
    #[must_use]
    pub fn service(mut self, id: impl Into<String>) -> Self {
        self.services.push(id.into());
        self
    }

    /// Takes this text for what the file has that `gateway.state` names: to see whether it would be right.
    #[must_use]
    pub fn state(mut self, text: impl Into<String>) -> Self {
        self.state = Some(text.into());
        self
    }

    /// Looks for a file where none was named: `$SABIR_CONFIG`; `sabir.toml`, `.yaml`, `.yml` or `.json` in the working
    /// folder; `sabir/config.toml` and so on in `$XDG_CONFIG_HOME`, or in `~/.config`.
    ///
    /// # Errors
    /// Where `$SABIR_CONFIG` names no file, or two files stand in the same place.
    pub fn find(mut self) -> Result<Self, Faults> {
        if self.file.is_none() && self.text.is_none() {
            self.file = places::find(&|name| self.variable(name))?;
        }
        Ok(self)
    }

    /// The file that is read; `None` where there is none.
    pub fn path(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Reads it.
    ///
    /// # Errors
    /// All that is wrong, each with where it stands. Keys are not fetched here
    /// ([`SecretRef::resolve`](crate::SecretRef::resolve)).
    pub fn load(&self) -> Result<Config, Faults> {
        let (mut whole, name) = self.read()?;
        let env = |name: &str| self.variable(name);
        let mut known = Known { env: &env, explicit: &self.explicit, faults: Vec::new(), shown: Vec::new() };
        expand(&mut whole, "", &env, &mut known.faults);
        // After variables were put in: what is issued to others is not to be able to name them.
        state::lay_over(&mut whole, self.state.as_deref(), &mut known.faults)?;
        let mut scope = Scope { path: String::new(), known };
        let settings = Settings::read(Some(&whole).filter(|whole| !whole.is_null()), &mut scope);
        let Known { mut faults, mut shown, .. } = scope.known;
        tell_once(&mut faults);
        faults.extend(self.unheard(&shown, &faults));
        if let Some(mut settings) = settings {
            let sources = Sources { shown: &shown, file: name.as_ref(), services: &self.services };
            let Found { faults: found, amended, .. } = contradictions::find(&mut settings, &sources);
            // What contradicts something that is wrong anyway need not be told.
            let section = |field: &str| field.split(['.', '[']).next().unwrap_or_default().to_owned();
            let wrong: Vec<String> = faults.iter().map(|fault| section(&fault.field)).collect();
            faults.extend(found.into_iter().filter(|fault| !wrong.contains(&section(&fault.field))));
            let doubts = contradictions::doubts(&settings, &sources);
            if faults.is_empty() {
                for (field, value) in amended {
                    shown.retain(|shown| shown.field != field);
                    shown.extend(value);
                }
                shown.sort_by(|a, b| a.field.cmp(&b.field));
                return Ok(Config { settings, shown, doubts, file: self.file.clone() });
            }
        }
        Err(Faults::of(faults).unwrap_or_else(|| Faults::one(Source::Default, "the configuration cannot be read")))
    }

    /// What was said explicitly of fields that there are not.
    fn unheard(&self, shown: &[Shown], faults: &[Fault]) -> Vec<Fault> {
        let heard = |field: &str| {
            let is_shown = shown.iter().any(|shown| shown.field == field && shown.source == Source::Explicit);
            is_shown || faults.iter().any(|fault| fault.field == field)
        };
        let fields = self.explicit.keys().filter(|field| !heard(field));
        let message = || "is no field that can be set so".to_owned();
        fields.map(|field| Fault { source: Source::Explicit, field: field.clone(), message: message() }).collect()
    }

    /// The whole tree, and the file's name.
    fn read(&self) -> Result<(Node, Option<Arc<str>>), Faults> {
        if let Some((name, text, format)) = &self.text {
            return Ok((text::read(text, *format, name)?, Some(name.clone())));
        }
        let Some(path) = &self.file else { return Ok((Node { value: Value::Null, source: Source::Default }, None)) };
        let name: Arc<str> = path.display().to_string().into();
        let fault = |message: String| Faults::one(Source::Default, message);
        let Some(format) = Format::of(path) else {
            return Err(fault(format!("{name} must end in .toml, .yaml, .yml or .json, to say how it is written")));
        };
        let mut content = String::new();
        let most = text::LONGEST as u64 + 1;
        let read = std::fs::File::open(path).and_then(|file| file.take(most).read_to_string(&mut content));
        read.map_err(|error| fault(format!("cannot read {name}: {error}")))?;
        Ok((text::read(&content, format, &name)?, Some(name)))
    }

    fn variable(&self, name: &str) -> Option<String> {
        let value = match &self.env {
            Env::None => None,
            Env::Process => std::env::var(name).ok(),
            Env::Given(map) => map.get(name).cloned(),
        };
        value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }
}

/// Names only: values may be keys.
impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("file", &self.file)
            .field("explicit", &self.explicit.keys())
            .finish_non_exhaustive()
    }
}

/// What is missing because its variable has no value is told once.
fn tell_once(faults: &mut Vec<Fault>) {
    let mut told = HashSet::new();
    faults.retain(|fault| told.insert(fault.field.clone()) || !fault.message.starts_with("is missing"));
}

/// A configuration that was found to be whole.
#[derive(Clone, Debug)]
pub struct Config {
    settings: Settings,
    shown: Vec<Shown>,
    doubts: Vec<Fault>,
    file: Option<PathBuf>,
}

impl Config {
    /// Reads a file, with the process's environment over it.
    ///
    /// # Errors
    /// All that is wrong, each with where it stands.
    pub fn load(path: impl Into<PathBuf>) -> Result<Self, Faults> {
        Loader::new().file(path).process_env().load()
    }

    /// Every value that holds, in the order of its field, with where it came from. Keys are masked.
    pub fn show(&self) -> &[Shown] {
        &self.shown
    }

    /// What may be a slip and holds all the same: a model that is not in the table of models, one that a budget refuses
    /// because it has no known price, a route whose models can do different things.
    pub fn doubts(&self) -> &[Fault] {
        &self.doubts
    }

    /// The file that it was read from; `None` where there was none.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// What was said of a field that has a value: where it came from.
    pub fn source(&self, field: &str) -> Option<&Source> {
        self.shown.iter().find(|shown| shown.field == field).map(|shown| &shown.source)
    }
}

impl std::ops::Deref for Config {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}
