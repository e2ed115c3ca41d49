//! A client that follows its configuration.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock, mpsc};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use sabir_config::{Config, Loader, Source};
use sabir_core::{Error, ErrorKind, Result};

use super::stack::Kept;
use crate::{Client, ClientBuilder};

/// How long a file must be left alone before it is read: who saves it writes several times.
const QUIET: Duration = Duration::from_millis(100);

/// A client that follows its configuration: what is read anew and found whole takes the place of what was there, at
/// once and as one; calls under way end as they began. What is found to be wrong changes nothing.
///
/// What was counted ([`Client::metrics`]) goes on, and so does what is used of limits and budgets that stay the same; what
/// breakers and caches hold begins anew.
///
/// ```no_run
/// # async fn example() -> sabir::Result<()> {
/// use sabir::config::{Live, Loader};
///
/// let live = Live::new(Loader::new().file("sabir.toml").process_env())?;
/// let _watch = live.watch(|done| if let Err(error) = done { eprintln!("the old one stays: {error}") })?;
/// live.client().complete("Why is the sea salt?").await?; // the client of this moment
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Live(Arc<Inner>);

struct Inner {
    loader: Loader,
    begin: Box<Begin>,
    current: RwLock<(Client, Arc<Config>)>,
    kept: Mutex<Kept>,
    /// Held while it is read anew: two who read at once would swap in what one of them read first.
    reading: Mutex<()>,
}

type Begin = dyn Fn() -> ClientBuilder + Send + Sync;

impl Live {
    /// Reads the configuration, and makes a client of it.
    ///
    /// # Errors
    /// `Configuration`, with all that is wrong.
    pub fn new(loader: Loader) -> Result<Self> {
        Self::built_on(loader, ClientBuilder::default)
    }

    /// As [`new`](Self::new), beginning each client with what this gives: a registry with services of one's own, a
    /// transport, an environment.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn built_on(loader: Loader, begin: impl Fn() -> ClientBuilder + Send + Sync + 'static) -> Result<Self> {
        let config = loader.load()?;
        let (client, kept) = begin().config_after(&config, &Kept::default())?;
        let (current, kept) = (RwLock::new((client.build()?, Arc::new(config))), Mutex::new(kept));
        Ok(Self(Arc::new(Inner { loader, begin: Box::new(begin), current, kept, reading: Mutex::default() })))
    }

    /// The client of this moment. Who keeps it keeps its configuration.
    pub fn client(&self) -> Client {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// What the configuration is read by.
    pub fn loader(&self) -> &Loader {
        &self.0.loader
    }

    /// The configuration of this moment.
    pub fn config(&self) -> Arc<Config> {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Reads the configuration anew. Calls from now on go by it.
    ///
    /// # Errors
    /// `Configuration`, with all that is wrong; what was there stays. A file that says nothing at all is wrong: it is one
    /// that is being written.
    pub fn reload(&self) -> Result<()> {
        let _reading = self.0.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let config = self.0.loader.load()?;
        if config.file().is_some() && !config.show().iter().any(|shown| matches!(shown.source, Source::File { .. })) {
            return Err(Error::new(ErrorKind::Configuration, "the configuration's file is empty"));
        }
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (client, after) = (self.0.begin)().config_after(&config, &kept)?;
        let client = client.build()?;
        *kept = after;
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = (client, Arc::new(config));
        Ok(())
    }

    /// Reads the configuration anew whenever its file is written, and tells how that went, until what it gives is
    /// dropped. It is told on a thread of its own.
    ///
    /// # Errors
    /// `Configuration` where there is no file, or the system cannot watch it.
    pub fn watch(&self, tell: impl Fn(Result<()>) + Send + 'static) -> Result<Watch> {
        let refused = |why: String| Error::new(ErrorKind::Configuration, why);
        let path = self.0.loader.path().ok_or_else(|| refused("there is no file to watch".to_owned()))?;
        let file =
            std::path::absolute(path).map_err(|error| refused(format!("cannot watch {}: {error}", path.display())))?;
        // Editors put a new file in the place of the old one: it is the folder that stays. One word waits at most, since
        // the file is read whole.
        let folder = file.parent().map_or_else(|| PathBuf::from("."), PathBuf::from);
        let (wake, woken) = mpsc::sync_channel(1);
        let name = file.file_name().map(ToOwned::to_owned);
        let on_event = move |event: notify::Result<notify::Event>| {
            let concerns = |event: &notify::Event| {
                !matches!(event.kind, EventKind::Access(_))
                    && event.paths.iter().any(|path| path.file_name().map(ToOwned::to_owned) == name)
            };
            if event.as_ref().map_or(true, concerns) {
                // A word that waits already is enough; where nobody listens any more, none is.
                let _ = wake.try_send(());
            }
        };
        let cannot = |error: notify::Error| refused(format!("cannot watch {}: {error}", folder.display()));
        let mut watcher = notify::recommended_watcher(on_event).map_err(cannot)?;
        watcher.watch(&folder, RecursiveMode::NonRecursive).map_err(cannot)?;
        let live = self.clone();
        // It ends when the watcher, and with it the sender, is dropped.
        std::thread::spawn(move || {
            while woken.recv().is_ok() {
                while woken.recv_timeout(QUIET).is_ok() {}
                tell(live.reload());
            }
        });
        Ok(Watch { _watcher: watcher })
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("loader", &self.0.loader).finish_non_exhaustive()
    }
}

/// Watches a configuration's file until it is dropped.
#[derive(Debug)]
pub struct Watch {
    _watcher: RecommendedWatcher,
}
