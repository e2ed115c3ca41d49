use std::time::Duration;

use sabir_core::{Call, Request, Result};
use sabir_prices::Usd;

use super::Spend;
use super::class::Classes;

/// How one purse stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// Of which budget, in words.
    pub budget: String,
    /// Whose purse of it (`client "acme"`); empty where all share one.
    pub purse: String,
    /// What the budget allows.
    pub most: Usd,
    /// What is spent. What other processes have reserved in a shared store counts as spent.
    pub spent: Usd,
    /// What calls under way of this process hold.
    pub reserved: Usd,
    /// What may still be reserved; nothing of a budget that is passed.
    pub left: Usd,
    /// When the window is over, since 1970; `None` where it slides.
    pub until: Option<Duration>,
}

impl Spend {
    /// How all purses stand that this process has touched in their windows: by budget, in the order in which those were
    /// added, then by name. A budget of single calls has none.
    ///
    /// # Errors
    /// Where the store cannot be asked.
    pub async fn standing(&self) -> Result<Vec<Standing>> {
        let (mut all, now) = (Vec::new(), self.now());
        for fund in &self.funds {
            for purse in fund.open(now) {
                let used = self.store.used(&purse.level, now).get().await?;
                // Both are read one after the other while calls go on; the store's is the one that counts.
                let reserved = purse.reserved().min(used);
                all.push(Standing {
                    budget: fund.budget.to_string(),
                    purse: purse.name.clone(),
                    most: fund.budget.most,
                    spent: Usd(used.saturating_sub(reserved)),
                    reserved: Usd(reserved),
                    left: fund.budget.most - Usd(used),
                    until: purse.until,
                });
            }
        }
        Ok(all)
    }

    /// Whether a call would be let through now; nothing is sent, and what was reserved to find out is there again at
    /// once.
    ///
    /// # Errors
    /// The error that the call would end in.
    pub async fn would_admit(&self, call: &Call, request: &Request) -> Result<()> {
        let mut admitted = self.admit(&Classes::default(), call, request).get().await?;
        admitted.hold.settle(|_| 0, self.now());
        Ok(())
    }
}
