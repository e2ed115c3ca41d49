//! Clients made of a configuration: of a file, variables and words; see [`sabir_config`], whose words these are.
//!
//! ```
//! use sabir::config::{Format, Loader};
//!
//! let file = "model = \"fast\"\n[aliases]\nfast = [\"groq/llama-3.3-70b\", \"openai/gpt-6-luna\"]\n";
//! let config = Loader::new().text("sabir.toml", file, Format::Toml).load()?;
//! let client = sabir::Client::from_config(&config)?; // retries, limits, breaker and time limits around it
//! assert_eq!(client.resolve("")?, ("route".to_owned(), "fast".to_owned()));
//! # Ok::<(), sabir::Error>(())
//! ```

mod books;
#[cfg(feature = "reload")]
mod live;
mod policies;
mod providers;
mod routes;
mod spend;
mod stack;

#[doc(inline)]
pub use sabir_config::*;

pub use books::Books;
#[cfg(feature = "reload")]
pub use live::{Live, Watch};
use stack::Kept;
pub use stack::stack;

use crate::{Client, ClientBuilder, Result};

impl Client {
    /// A client as a configuration has it. Keys that are kept in files or told by commands are fetched now; those that
    /// the configuration does not have come from the environment, as always.
    ///
    /// # Errors
    /// `Configuration` where a key cannot be fetched, or a provider cannot be made.
    pub fn from_config(config: &Config) -> Result<Self> {
        Self::builder().config(config)?.build()
    }
}

impl ClientBuilder {
    /// Takes all that a configuration says: providers, aliases and routes, the provider and model of requests that name
    /// none, and the layers, which stand around what is there so far. To be called after
    /// [`registry`](Self::registry) and [`env`](Self::env), and instead of [`stack`](Self::stack).
    ///
    /// # Errors
    /// As [`Client::from_config`].
    pub fn config(self, config: &Config) -> Result<Self> {
        Ok(self.config_after(config, &Kept::default())?.0)
    }

    /// As [`config`](Self::config), going on with what another one kept.
    pub(crate) fn config_after(mut self, config: &Config, before: &Kept) -> Result<(Self, Kept)> {
        let keys = providers::register(config, &self.registry, &self.env)?;
        // One that was given is written below already.
        let ledger = match (&config.ledger, &before.ledger) {
            _ if self.books.ledger.is_some() => None,
            (Some(said), Some((path, open))) if said.path == *path => Some(open.clone()),
            _ => spend::ledger(config)?,
        };
        let (stack, kept) = stack::assembled(config, keys, before, ledger.as_ref())?;
        self = self.stack(stack);
        self.books.ledger = self.books.ledger.or(ledger);
        self.provider = self.provider.or_else(|| config.provider.clone());
        self.model = self.model.or_else(|| config.model.clone());
        self.timeout = self.timeout.or(config.timeout);
        self.strict |= config.strict;
        Ok((self, kept))
    }
}
