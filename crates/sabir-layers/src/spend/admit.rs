//! Before a call is sent: what it may cost at most, taken from all of its purses or from none.

use std::sync::Arc;
use std::time::Duration;

use sabir_core::chat::Notice;
use sabir_core::{Call, Error, ErrorKind, Request, Result, Stage};
use sabir_prices::{Ceiling, Demand, Usd, service_tier};
use sabir_store::Answer;

use super::Spend;
use super::budget::{Mode, WhenUnpriced};
use super::demand::Asked;
use super::hold::{Hold, Short};
use super::purse::Fund;
use super::tariff::Tariff;
use super::window::Span;

/// A budget that concerns a call.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) fund: Arc<Fund>,
    /// Its purse's place in the hold; `None` where it is a budget of one call.
    pub(super) purse: Option<usize>,
    /// The dearest prices; `None` where they are unknown and that is allowed.
    pub(super) ceiling: Option<Arc<Ceiling>>,
    /// Whether the prices are the budget's own, since none are known.
    pub(super) is_assumed: bool,
}

impl Claim {
    /// The most that a call of this demand may cost by this budget.
    pub(super) fn most(&self, demand: &Demand) -> u64 {
        // What has no known price was refused before, or is allowed.
        self.ceiling.as_ref().and_then(|ceiling| ceiling.most(demand)).unwrap_or(0)
    }
}

/// What a call was let through with.
pub(super) struct Admitted {
    pub(super) hold: Hold,
    pub(super) claims: Vec<Claim>,
    pub(super) tariff: Arc<Tariff>,
    pub(super) tier: Option<String>,
    /// The demand that is reserved for.
    pub(super) demand: Demand,
    /// The most that it can cost by the list; `None` where no price is known.
    pub(super) reserved: Option<u64>,
    /// Whether the provider itself ends the answer where the reservation ends.
    pub(super) is_bound: bool,
    /// What to ask for as `max_tokens`, where an assumption has to hold.
    pub(super) cap: Option<u64>,
    pub(super) notices: Vec<Notice>,
}

impl Admitted {
    /// Whether any budget can refuse.
    pub(super) fn is_hard(&self) -> bool {
        self.claims.iter().any(|claim| claim.fund.budget.is_hard())
    }
}

/// How long an answer may be, of which nothing says how long it is: for budgets that only warn.
const GUESS: u64 = 4_096;

impl Spend {
    /// Reserves what a call may cost.
    pub(super) async fn admit(&self, call: &Call, request: &Request) -> Result<Admitted> {
        let now = self.now();
        let tariff = self.tariff(call, request);
        let tier = match request {
            Request::Chat(chat) if !chat.options.is_empty() => service_tier(&chat.options).map(str::to_owned),
            _ => None,
        };
        let listed = tariff.ceiling(tier.as_deref());
        let (mut claims, mut purses) = (Vec::new(), Vec::new());
        for fund in self.concerned(call, request) {
            let (ceiling, is_assumed) = match (&listed, fund.budget.unpriced()) {
                (Some(listed), _) => (Some(listed.clone()), false),
                (None, WhenUnpriced::Refuse) => return Err(unpriced(&fund.budget.to_string(), call, request)),
                (None, WhenUnpriced::Allow) => (None, false),
                (None, WhenUnpriced::Assume { input, output }) => (Some(Arc::new(Ceiling::flat(input, output))), true),
            };
            let purse = fund.purse(call, request, now)?.map(|purse| {
                purses.push(purse);
                purses.len() - 1
            });
            claims.push(Claim { fund: fund.clone(), purse, ceiling, is_assumed });
        }
        let mut notices = Vec::new();
        for claim in &claims {
            if let Some(purse) = claim.purse.map(|at| &purses[at])
                && !purse.loaded.initialized()
            {
                self.load(&claim.fund, purse, now, &mut notices).await?;
            }
        }
        let asked = Asked::of(request);
        let length = self.length(&asked, &tariff, &claims, request)?;
        let mut demand = Demand::new(0, length.first.saturating_mul(asked.answers));
        (demand.uses, demand.kept) = (asked.uses, asked.kept);
        let mut hold = Hold::new(self.store.clone(), purses);
        // The bound that costs nothing first; where it does not fit, the one that has to be counted.
        let counted = || asked.counted(request, &call.provider, &self.counter);
        let (bounds, mut at) = ([asked.input.is_some(), true], 0);
        loop {
            let is_last = at == 1;
            if bounds[at] {
                let input = if is_last { counted().or(asked.input) } else { asked.input };
                demand.input = input.unwrap_or(u64::MAX);
                match self.reserve(&mut hold, &claims, &demand, now).await? {
                    Ok(()) => break,
                    Err(short) if is_last => return Err(self.refused(&hold, &claims, &demand, short, now).await),
                    Err(_) => {}
                }
            }
            at += 1;
        }
        self.warn(&hold, &claims, &demand, now, &mut notices).await?;
        let reserved = listed.and_then(|listed| listed.most(&demand));
        Ok(Admitted {
            hold,
            claims,
            tariff,
            tier,
            demand,
            reserved,
            is_bound: length.is_bound,
            cap: length.cap,
            notices,
        })
    }

    /// How long the answer may become.
    fn length(&self, asked: &Asked, tariff: &Tariff, claims: &[Claim], request: &Request) -> Result<Length> {
        let streams = matches!(request, Request::Chat(chat) if chat.stream);
        let Some(known) = asked.output.or(tariff.max_output) else {
            let hard = || claims.iter().map(|claim| &claim.fund.budget).filter(|budget| budget.is_hard());
            if let Some(budget) = hard().find(|budget| budget.assume_output.is_none()) {
                let message = format!(
                    "how long an answer of {} can be is not known, and so not whether it fits into the budget of \
                     {budget}: set the request's max_tokens, or `Budget::assume_output`",
                    request.model()
                );
                return Err(Error::new(ErrorKind::BudgetExceeded, message).with_stage(Stage::NotSent));
            }
            let assumed = hard().filter_map(|budget| budget.assume_output).min();
            return Ok(Length { first: assumed.unwrap_or(GUESS), is_bound: false, cap: assumed.filter(|_| !streams) });
        };
        match self.step.filter(|step| streams && *step < known) {
            Some(step) => Ok(Length { first: step, is_bound: false, cap: None }),
            None => Ok(Length { first: known, is_bound: true, cap: None }),
        }
    }

    /// Takes what the demand may cost, or says which budget has too little.
    async fn reserve(
        &self,
        hold: &mut Hold,
        claims: &[Claim],
        demand: &Demand,
        now: Duration,
    ) -> Result<std::result::Result<(), Refused>> {
        let too_much = |claim: &&Claim| {
            claim.purse.is_none() && claim.fund.budget.is_hard() && claim.most(demand) > claim.fund.budget.most.0
        };
        if let Some(claim) = claims.iter().position(|claim| too_much(&claim)) {
            return Ok(Err(Refused { claim, short: None }));
        }
        let amounts: Vec<u64> =
            claims.iter().filter(|claim| claim.purse.is_some()).map(|claim| claim.most(demand)).collect();
        let refused = |short: Short| {
            let claim = claims.iter().position(|claim| claim.purse == Some(short.purse)).unwrap_or_default();
            Refused { claim, short: Some(short) }
        };
        Ok(hold.take(&amounts, now).await?.map_err(refused))
    }

    /// One clear line: which budget, how much is left, what the call may cost, when its window ends.
    async fn refused(&self, hold: &Hold, claims: &[Claim], demand: &Demand, refused: Refused, now: Duration) -> Error {
        let claim = &claims[refused.claim];
        let (budget, cost) = (&claim.fund.budget, claim.most(demand));
        let may_cost = format!("this call may cost {}", Usd(cost));
        let over = |message: String| Error::new(ErrorKind::BudgetExceeded, message).with_stage(Stage::NotSent);
        let Some((short, purse)) = refused.short.and_then(|short| Some((short, hold.purses().get(short.purse)?)))
        else {
            return over(format!("{may_cost}, more than the budget of {budget}: set a smaller max_tokens"));
        };
        let used = self.store.used(&purse.cell(0), now).get().await.unwrap_or(budget.most.0);
        let left = budget.most - Usd(used);
        let whose = if purse.name.is_empty() { String::new() } else { format!(" ({})", purse.name) };
        if cost > budget.most.0 {
            return over(format!("{may_cost}, more than all of the budget of {budget}{whose}"));
        }
        let wait = purse.wait(short.wait, now);
        let when = match (purse.until, wait) {
            (Some(_), Some(wait)) => format!("; its window ends in {}", Span(wait)),
            (None, Some(wait)) => format!("; enough of it comes back within {}", Span(wait)),
            _ => String::new(),
        };
        let error = over(format!("the budget of {budget}{whose} has {left} left, and {may_cost}{when}"));
        match wait {
            Some(wait) => error.with_retry_after(wait),
            None => error,
        }
    }

    /// What budgets say that let through what passes them.
    async fn warn(
        &self,
        hold: &Hold,
        claims: &[Claim],
        demand: &Demand,
        now: Duration,
        notices: &mut Vec<Notice>,
    ) -> Result<()> {
        for claim in claims {
            // A store that is here was asked when the last call was settled.
            if !claim.fund.budget.alerts.is_empty()
                && let Some(purse) = claim.purse.and_then(|at| hold.purses().get(at))
                && let Answer::Later(used) = self.store.used(&purse.cell(0), now)
            {
                self.ring(&claim.fund, purse, used.await?);
            }
            if claim.fund.budget.mode != Mode::Soft {
                continue;
            }
            let used = match claim.purse.and_then(|at| hold.purses().get(at)) {
                Some(purse) => self.store.used(&purse.cell(0), now).get().await?,
                None => claim.most(demand),
            };
            let budget = &claim.fund.budget;
            if used > budget.most.0 {
                notices.push(Notice::OverBudget { budget: budget.to_string(), most: budget.most.0, used });
            }
        }
        Ok(())
    }
}

/// How long an answer may become.
struct Length {
    /// What to reserve for, in tokens.
    first: u64,
    is_bound: bool,
    cap: Option<u64>,
}

/// Which budget has too little.
struct Refused {
    claim: usize,
    /// Of which purse; `None` for a budget of one call.
    short: Option<Short>,
}

fn unpriced(budget: &str, call: &Call, request: &Request) -> Error {
    let message = format!(
        "no price of {}/{} is known, and so not whether it fits into the budget of {budget}: lay a price over the list, \
         or say what to do (`Budget::when_unpriced`)",
        call.provider,
        request.model()
    );
    Error::new(ErrorKind::BudgetExceeded, message).with_stage(Stage::NotSent)
}
