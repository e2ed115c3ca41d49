//! What a configuration says of money, for calls that are not made through its layers: a provider's batch.

use std::sync::Arc;

use sabir_config::Config;
use sabir_core::Result;
use sabir_layers::{Receipts, Spend};
use sabir_store::{Dimension, Ended, Filter, Group, Ledger, Opened, Spent};

/// The prices, the budgets and the ledger of a configuration.
#[derive(Clone, Debug)]
pub struct Books {
    /// Receipts by its prices.
    pub receipts: Receipts,
    /// Its ledger, where it has one.
    pub ledger: Option<Arc<dyn Ledger>>,
    budgets: Option<Spend>,
}

impl Books {
    /// Opens what a configuration says.
    ///
    /// # Errors
    /// `Configuration` where the ledger cannot be opened.
    pub fn open(config: &Config) -> Result<Self> {
        let receipts = Receipts::new(config.all_prices());
        let ledger = super::spend::ledger(config)?;
        let read: Option<Arc<dyn Ledger>> = ledger.clone().map(|ledger| Arc::new(Read(ledger)) as Arc<dyn Ledger>);
        let has_budgets = config.cost_control.budget().is_some() || !config.budgets.is_empty();
        let budgets = super::spend::spend(config, &receipts, read.as_ref())?.filter(|_| has_budgets);
        Ok(Self { receipts, ledger, budgets })
    }

    /// A layer that reserves of all budgets and writes nothing down: who lets calls through it at the same time knows
    /// whether all of them fit. What was spent before, it knows from the ledger. `None` without budgets.
    pub fn reserving(&self) -> Option<Spend> {
        self.budgets.clone()
    }

    /// A layer that writes what was answered into the ledger and refuses nothing: it is paid. `None` without a ledger.
    pub fn writing(&self) -> Option<Spend> {
        Some(Spend::by(&self.receipts).ledger(self.ledger.clone()?))
    }
}

/// A ledger that is read and not written.
#[derive(Debug)]
struct Read(Arc<dyn Ledger>);

impl Ledger for Read {
    fn open(&self, _: &Opened) -> Result<()> {
        Ok(())
    }

    fn raise(&self, _: &Opened) -> Result<()> {
        Ok(())
    }

    fn close(&self, _: &Opened, _: &Ended) -> Result<()> {
        Ok(())
    }

    fn spent(&self, of: &Filter) -> Result<Spent> {
        self.0.spent(of)
    }

    fn report(&self, of: &Filter, by: &[Dimension]) -> Result<Vec<Group>> {
        self.0.report(of, by)
    }
}
