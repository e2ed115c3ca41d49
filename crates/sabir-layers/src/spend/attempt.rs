//! From before an attempt is sent to its end: the one place where it is settled and written down.

use std::sync::Arc;
use std::time::Duration;

use sabir_core::chat::{ChatResponse, Cost, CostBasis, Notice, Receipt, Usage};
use sabir_core::{Call, Error, ErrorKind, Result, Stage, call_id};
use sabir_prices::{Demand, Options, Usd};
use sabir_store::{Ended, Opened, Outcome};
use sabir_tokens::ModelId;

use super::Spend;
use super::admit::Admitted;
use super::alert::Alert;
use super::bill::{estimate, is_billed};

/// An attempt under way. Settled and closed once; one that is dropped before it was sent costs nothing.
pub(super) struct Attempt {
    pub(super) spend: Arc<Spend>,
    pub(super) admitted: Admitted,
    row: Option<Opened>,
    /// When it began, on the clock.
    began: Duration,
    first: Option<Duration>,
    is_over: bool,
}

impl Attempt {
    /// One that is let through, and not yet written down.
    pub(super) fn new(spend: &Arc<Spend>, admitted: Admitted) -> Self {
        Self { spend: spend.clone(), admitted, row: None, began: Duration::ZERO, first: None, is_over: false }
    }

    /// Writes down that it is about to be sent.
    pub(super) fn open(&mut self, call: &Call) -> Result<()> {
        let Some(ledger) = &self.spend.ledger else { return Ok(()) };
        self.began = self.spend.clock.now();
        let row = self.row.insert(self.admitted.row(call));
        let Err(error) = ledger.open(row) else { return Ok(()) };
        self.row = None;
        self.unwritten(&error)
    }

    /// Writes down what is reserved now. An error where that cannot be, and a budget lets nothing through that is not.
    pub(super) fn raise(&mut self, reserved: Option<u64>) -> Result<()> {
        let before = std::mem::replace(&mut self.admitted.reserved, reserved);
        let (Some(row), Some(ledger)) = (&mut self.row, &self.spend.ledger) else { return Ok(()) };
        row.reserved = reserved;
        let Err(error) = ledger.raise(row) else { return Ok(()) };
        row.reserved = before;
        self.unwritten(&error).inspect_err(|_| self.admitted.reserved = before)
    }

    /// The ledger could not be written before what it was about was sent.
    fn unwritten(&mut self, error: &Error) -> Result<()> {
        let mut budgets = self.admitted.class.claims.iter().map(|claim| &claim.fund.budget);
        if let Some(budget) = budgets.find(|budget| budget.refuses_without_ledger()) {
            let message = format!(
                "the ledger cannot be written, and the budget of {budget} lets nothing through that is not written \
                 down: {}",
                error.message()
            );
            return Err(Error::new(error.kind(), message).with_stage(Stage::NotSent).with_retryable(false));
        }
        self.notice_unwritten(error);
        Ok(())
    }

    fn notice_unwritten(&mut self, error: &Error) {
        tracing::warn!("the ledger cannot be written: {}", error.message());
        self.admitted.notices.push(Notice::Unrecorded { reason: error.message().to_owned() });
    }

    pub(super) fn model(&self) -> &ModelId {
        &self.admitted.class.tariff.id
    }

    /// Something of a stream came.
    pub(super) fn came(&mut self) {
        if self.first.is_none() && self.row.is_some() {
            self.first = Some(self.spend.clock.now());
        }
    }

    /// It was answered. What the provider did not say it used is counted.
    pub(super) fn answered(&mut self, response: &mut ChatResponse, input: impl FnOnce() -> u64) {
        let usage = estimate(response, true, self.model(), input);
        let tier = sabir_prices::service_tier(&response.meta);
        let receipt = self.price(&response.provider, &response.model, &usage, tier, response.cost);
        let (receipt, cost) = self.end(Outcome::Answered, usage, receipt, response.cost);
        response.cost = response.cost.or(cost);
        if response.receipt.is_none() {
            response.receipt = receipt.map(Box::new);
        }
        if !self.admitted.notices.is_empty() {
            response.notices.append(&mut self.admitted.notices);
        }
    }

    /// It was answered with something that is no conversation.
    pub(super) fn gave(&mut self, model: &str, usage: &Usage, cost: &mut Option<Cost>, input: impl FnOnce() -> u64) {
        let mut usage = usage.clone();
        if usage.input_total().is_none() {
            (usage.input, usage.estimated) = (Some(input()), true);
        }
        usage.output = usage.output.or(Some(0));
        let receipt = self.price("", model, &usage, None, *cost);
        let (_, priced) = self.end(Outcome::Answered, usage, receipt, *cost);
        *cost = cost.or(priced);
    }

    /// It failed.
    pub(super) fn failed(&mut self, error: &mut Error, input: impl FnOnce() -> u64) {
        let outcome = Outcome::Failed(error.kind());
        if !is_billed(error) {
            return self.free(outcome);
        }
        let mut arrived = error.take_partial();
        let usage = self.broke_off(outcome, arrived.as_ref().unwrap_or(&ChatResponse::default()), input);
        if let Some(mut partial) = arrived.take() {
            partial.usage = usage;
            *error = error.clone().with_partial(partial);
        }
    }

    /// It was left, cut or lost in the middle: its input and what had arrived is charged. What that was.
    pub(super) fn broke_off(&mut self, outcome: Outcome, arrived: &ChatResponse, input: impl FnOnce() -> u64) -> Usage {
        let usage = estimate(arrived, false, self.model(), input);
        let receipt = self.price(&arrived.provider, &arrived.model, &usage, None, arrived.cost);
        self.end(outcome, usage.clone(), receipt, arrived.cost);
        usage
    }

    /// It was answered with something that nobody read: what it used is not known, nor what it cost.
    pub(super) fn unknown(&mut self) {
        self.end(Outcome::Answered, Usage::default(), None, None);
    }

    /// It cost nothing.
    pub(super) fn free(&mut self, outcome: Outcome) {
        let nothing = Cost { nano_usd: 0, basis: CostBasis::ListPrice };
        self.end(outcome, Usage::default(), None, Some(nothing));
    }

    fn price(
        &self,
        provider: &str,
        model: &str,
        usage: &Usage,
        tier: Option<&str>,
        reported: Option<Cost>,
    ) -> Option<Receipt> {
        let mut options = Options::default();
        options.service_tier = tier.or(self.admitted.tier.as_deref());
        (options.time, options.reported) = (Some(self.admitted.at), reported);
        Some(self.admitted.class.tariff.of_answer(provider, model)?.receipt(usage, &options))
    }

    /// Settles, and closes the row. The receipt again, and what it cost: by the receipt, else as it was reported.
    fn end(
        &mut self,
        outcome: Outcome,
        usage: Usage,
        receipt: Option<Receipt>,
        reported: Option<Cost>,
    ) -> (Option<Receipt>, Option<Cost>) {
        let priced = receipt.as_ref().map_or(reported, Receipt::cost);
        if std::mem::replace(&mut self.is_over, true) {
            return (receipt, priced);
        }
        // What was reserved by a price and cannot be priced now counts whole.
        let at_most = |nano_usd| Cost { nano_usd, basis: CostBasis::Estimate };
        let cost = priced.or(self.admitted.reserved.map(at_most));
        let now = self.settle(&usage, cost);
        let mut receipt = receipt;
        if let (Some(row), Some(ledger)) = (self.row.take(), &self.spend.ledger) {
            let mut ended = Ended::new(outcome, self.spend.clock.now().saturating_sub(self.began));
            ended.first_event = self.first.map(|first| first.saturating_sub(self.began));
            (ended.usage, ended.cost, ended.receipt) = (usage, cost, receipt);
            let closed = ledger.close(&row, &ended);
            receipt = ended.receipt;
            if let Err(error) = closed {
                self.notice_unwritten(&error);
            }
        }
        self.alert(now);
        (receipt, priced)
    }

    /// Gives back what was not spent. When that was, since 1970.
    fn settle(&mut self, usage: &Usage, cost: Option<Cost>) -> Duration {
        let Admitted { class, dearest, hold, at, .. } = &mut self.admitted;
        if class.purses.is_empty() {
            return Duration::ZERO;
        }
        // What does not slide is the same at any time of its window, and this is of the one in which it began.
        let now = if class.slides { self.spend.now() } else { *at };
        let listed = cost.map_or(0, |cost| cost.nano_usd);
        if dearest.is_known() || (listed == 0 && cost.is_some() && usage.is_unknown()) {
            hold.settle(|_| listed, now);
            return now;
        }
        let used = Demand::new(usage.input_total().unwrap_or(0), usage.output_total().unwrap_or(0));
        let spent = |purse: usize| {
            let claim = class.claims.iter().find(|claim| claim.purse == Some(purse));
            claim.filter(|claim| dearest.is_assumed(claim)).map_or(listed, |claim| dearest.most(claim, &used))
        };
        hold.settle(spent, now);
        now
    }

    /// Tells who is to be told that so much is spent.
    fn alert(&self, now: Duration) {
        let hold = &self.admitted.hold;
        for claim in self.admitted.class.claims.iter().filter(|claim| !claim.fund.budget.alerts.is_empty()) {
            let Some(purse) = claim.purse.and_then(|at| hold.purses().get(at)) else { continue };
            // One that is elsewhere is asked when the next call is admitted.
            let Some(Ok(used)) = hold.store().used(&purse.level, now).now() else { continue };
            self.spend.ring(&claim.fund, purse, used);
        }
    }
}

impl Admitted {
    /// The row of an attempt that is let through now.
    fn row(&self, call: &Call) -> Opened {
        let mut row = self.class.row.clone();
        row.call = call.trail.id_or(|| call_id(self.at)).clone();
        (row.attempt, row.time, row.reserved) = (call.trail.next_attempt(), self.at, self.reserved);
        row
    }
}

impl Spend {
    /// Tells of the thresholds that are now reached.
    pub(super) fn ring(&self, fund: &super::purse::Fund, purse: &super::purse::Purse, used: u64) {
        let (budget, spent) = (&fund.budget, used.saturating_sub(purse.reserved()));
        for at in purse.reached(&budget.alerts, budget.most.0, spent) {
            self.alarm.ring(&Alert {
                budget: budget.to_string(),
                purse: purse.name.clone(),
                percent: budget.alerts[at],
                most: budget.most,
                spent: Usd(spent),
                until: purse.until,
            });
        }
    }
}

impl Drop for Attempt {
    /// Dropped before it was sent, or in a panic.
    fn drop(&mut self) {
        if !self.is_over {
            self.free(Outcome::Failed(ErrorKind::Cancelled));
        }
    }
}
