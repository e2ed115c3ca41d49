//! What was spent, attempt by attempt, for good.
//!
//! [`MemoryLedger`] is gone with its process; with the feature `ledger`, `Sqlite` keeps a file that outlives it, whatever
//! happens to it. `docs/ledger.md` in the repository says what is on the disk.

#[cfg(feature = "ledger")]
use std::{path::Path, sync::Arc};

pub use sabir_store::{
    Dimension, Ended, Filter, Group, Ledger, MemoryLedger, Opened, Outcome, RequestLog, RequestRow, Spent,
};
#[cfg(feature = "ledger")]
pub use sabir_store::{Health, Sqlite, SqliteRequests};

/// The ledger in this SQLite file, which is made where it is missing.
///
/// # Errors
/// As [`Sqlite::open`].
#[cfg(feature = "ledger")]
pub fn open(path: impl AsRef<Path>) -> crate::Result<Arc<dyn Ledger>> {
    Ok(Arc::new(Sqlite::open(path)?))
}
