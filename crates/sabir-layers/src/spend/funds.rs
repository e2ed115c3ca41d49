use std::sync::Arc;

use sabir_core::{Call, Request};

use super::Spend;
use super::purse::Fund;

impl Spend {
    /// Goes on where another left off: a budget that is the same in both keeps its purses, with what calls under way hold
    /// of them. One that is not is loaded from the ledger, where there is one. To be called when all budgets were added.
    #[must_use]
    pub fn after(mut self, before: &Self) -> Self {
        (self.store, self.prefix, self.loads) = (before.store.clone(), before.prefix.clone(), before.loads);
        self.generation = before.generation + 1;
        // Under a key of its own: what is loaded must not come on top of what is there.
        let prefix = format!("{}{}:", self.prefix, self.generation);
        let kept = |(at, fund): (usize, &Arc<Fund>)| {
            let same = before.funds.iter().enumerate();
            let mut same =
                same.filter(|(number, old)| old.budget == fund.budget && (fund.budget.has_name() || *number == at));
            same.next().map_or_else(|| Arc::new(Fund::new(fund.budget.clone(), at, &prefix)), |(_, old)| old.clone())
        };
        self.funds = self.funds.iter().enumerate().map(kept).collect();
        self
    }

    /// The budgets that concern a call.
    pub(super) fn concerned<'a>(&'a self, call: &'a Call, request: &'a Request) -> impl Iterator<Item = &'a Arc<Fund>> {
        // One that has a label twice is not to pay twice.
        let labels = call.tags.iter().enumerate().filter(|(at, tag)| !call.tags[..*at].contains(tag));
        let labelled = labels.filter_map(|(_, tag)| self.labelled.get(tag)).flatten();
        let all = self.others.iter().chain(labelled).map(|number| &self.funds[*number]);
        all.filter(|fund| fund.budget.scope.concerns(call, request))
    }
}
