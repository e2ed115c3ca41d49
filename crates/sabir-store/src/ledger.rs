//! What was spent, attempt by attempt, for good.

mod days;
mod memory;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use sabir_core::chat::{Cost, Receipt, Usage};
use sabir_core::{ErrorKind, Result};

pub use memory::MemoryLedger;

/// Keeps one row for each attempt that may have cost something. Rows are only ever added.
///
/// An attempt is opened before it is sent and closed when it ended, however it ended; in between its reservation may be
/// raised. What was opened and not closed
/// when its process died is closed by the ledger itself, as [`Outcome::Lost`], when it is opened the next time: so a
/// killed process leaves nothing of a call that it had not begun, and exactly one row of each that it had.
///
/// All three are called on the path of a call and must not wait for a disk to turn: what they wrote survives the process when
/// they return; how soon it survives the machine is the ledger's own affair, and it says so.
pub trait Ledger: Debug + Send + Sync + 'static {
    /// Notes that an attempt is about to be sent.
    ///
    /// # Errors
    /// Where nothing can be written (a full disk, say). What then becomes of the call is its budget's to say.
    fn open(&self, attempt: &Opened) -> Result<()>;

    /// Notes that more is reserved for an attempt that is open: `attempt` as it was opened, with what is reserved now. So
    /// one that is lost counts with what was reserved last. Less than before, or for one that is not open, is no matter.
    ///
    /// # Errors
    /// Where nothing can be written: what was reserved before stays noted.
    fn raise(&self, attempt: &Opened) -> Result<()>;

    /// Notes how an attempt ended. One that was closed before stays as it was.
    ///
    /// # Errors
    /// Where nothing can be written: the attempt stays open.
    fn close(&self, attempt: &Opened, ended: &Ended) -> Result<()>;

    /// What was spent and reserved by these attempts: closed ones at their cost, open ones at what was reserved for
    /// them. It may read from a disk.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn spent(&self, of: &Filter) -> Result<Spent>;

    /// Sums of closed attempts, by the groups asked for, in the order of the groups' names. It may read from a disk.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn report(&self, of: &Filter, by: &[Dimension]) -> Result<Vec<Group>>;
}

/// An attempt that is about to be sent. Its names are shared, so that one of many that are alike is cheap to make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// Of which call; the same for all attempts of one call, and for no others.
    pub call: Arc<str>,
    /// Which attempt of that call, from 0, over retries, hedges and routes. With `call` it names the row.
    pub attempt: u32,
    /// When it began, since 1970 in UTC.
    pub time: Duration,
    /// Whose call it is; empty where there is only one.
    pub tenant: Arc<str>,
    /// The name of the key it was asked with; empty where the provider has only one.
    pub key: Arc<str>,
    /// The provider's id.
    pub provider: Arc<str>,
    /// The model asked for.
    pub model: Arc<str>,
    /// The caller's labels.
    pub tags: Arc<[(String, String)]>,
    /// The most that it can cost in nano-dollars, as it was reserved; `None` where no price is known.
    pub reserved: Option<u64>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// In which way.
    pub outcome: Outcome,
    /// What it used, estimated where the provider did not say.
    pub usage: Usage,
    /// What it cost; `None` where no price is known. An attempt that was never sent cost nothing, which is known.
    pub cost: Option<Cost>,
    /// The cost, line by line, where it was worked out.
    pub receipt: Option<Receipt>,
    /// From when it began to its first event, of a stream.
    pub first_event: Option<Duration>,
    /// From when it began to its end.
    pub latency: Duration,
}

impl Ended {
    /// An end of which nothing more is known.
    pub fn new(outcome: Outcome, latency: Duration) -> Self {
        Self { outcome, usage: Usage::default(), cost: None, receipt: None, first_event: None, latency }
    }
}

/// In which way an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It was answered whole.
    Answered,
    /// It failed.
    Failed(ErrorKind),
    /// It was cut, since more would have passed a budget.
    Cut,
    /// Its caller went away.
    Dropped,
    /// Its process died before it ended. It counts with all that was reserved for it.
    Lost,
}

/// Which attempts: those that have all that is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// Begun then or later, since 1970.
    pub from: Option<Duration>,
    /// Begun before then.
    pub until: Option<Duration>,
    /// Whose.
    pub tenant: Option<String>,
    /// Asked with the key of this name.
    pub key: Option<String>,
    /// Of this provider.
    pub provider: Option<String>,
    /// Of this model, as it was asked for.
    pub model: Option<String>,
    /// With all of these labels.
    pub tags: Vec<(String, String)>,
}

/// What attempts came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Spent {
    /// Nano-dollars of closed attempts.
    pub settled: u64,
    /// Nano-dollars that are reserved for open ones.
    pub reserved: u64,
    /// Attempts of which no price is known, and which are in neither sum.
    pub unpriced: u64,
}

/// What attempts are grouped by.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dimension {
    /// The day, `2027-01-31`, at so many seconds east of UTC.
    Day(i32),
    /// The month, `2027-01`, at so many seconds east of UTC.
    Month(i32),
    /// The provider.
    Provider,
    /// The model asked for.
    Model,
    /// The key's name.
    Key,
    /// Whose.
    Tenant,
    /// The value of this label; empty for those without it.
    Tag(String),
}

/// The sums of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Group {
    /// The group's name in each dimension asked for.
    pub names: Vec<String>,
    /// Attempts.
    pub attempts: u64,
    /// Those that were not answered whole.
    pub failed: u64,
    /// What they used, as far as it is known.
    pub usage: Usage,
    /// Nano-dollars, as far as prices are known.
    pub nano_usd: u64,
    /// Attempts of which no price is known.
    pub unpriced: u64,
    /// The latencies of all together.
    pub latency: Duration,
}
