//! Before a call is sent: what it may cost at most, taken from all of its purses or from none.

use std::sync::Arc;
use std::time::Duration;

use sabir_core::chat::Notice;
use sabir_core::{Call, Error, ErrorKind, Request, Result, Stage};
use sabir_prices::{Ceiling, Demand, Usd, service_tier};
use sabir_store::Answer;

use super::Spend;
use super::budget::{Budget, Mode, WhenUnpriced};
use super::class::{Claim, Class, Classes};
use super::demand::Asked;
use super::hold::{Hold, Short};
use super::window::Span;

/// What a call was let through with.
pub(super) struct Admitted {
    pub(super) class: Arc<Class>,
    pub(super) hold: Hold,
    pub(super) dearest: Dearest,
    /// The service tier that is asked for.
    pub(super) tier: Option<Box<str>>,
    /// The demand that is reserved for.
    pub(super) demand: Demand,
    /// The most that it can cost by the list; `None` where no price is known.
    pub(super) reserved: Option<u64>,
    /// Whether the provider itself ends the answer where the reservation ends.
    pub(super) is_bound: bool,
    /// What to ask for as `max_tokens`, where an assumption has to hold.
    pub(super) cap: Option<u64>,
    pub(super) notices: Vec<Notice>,
    /// When it was let through, since 1970.
    pub(super) at: Duration,
}

impl Admitted {
    /// Whether any budget can refuse.
    pub(super) fn is_hard(&self) -> bool {
        self.class.claims.iter().any(|claim| claim.fund.budget.is_hard())
    }
}

/// The dearest prices that may apply to a call; `None` where none are known.
#[derive(Clone)]
pub(super) struct Dearest(Option<Arc<Ceiling>>);

impl Dearest {
    pub(super) fn is_known(&self) -> bool {
        self.0.is_some()
    }

    /// The most that a call of this demand may cost by the list.
    pub(super) fn listed(&self, demand: &Demand) -> Option<u64> {
        self.0.as_ref()?.most(demand)
    }

    /// The most that a call of this demand may cost by a budget.
    pub(super) fn most(&self, claim: &Claim, demand: &Demand) -> u64 {
        let most = match (&self.0, claim.fund.budget.unpriced()) {
            (Some(listed), _) => listed.most(demand),
            (None, WhenUnpriced::Assume { input, output }) => Ceiling::flat(input, output).most(demand),
            // What has no known price was refused before, or is allowed.
            (None, _) => None,
        };
        most.unwrap_or(0)
    }

    /// Whether the prices are the budget's own, since none are known.
    pub(super) fn is_assumed(&self, claim: &Claim) -> bool {
        self.0.is_none() && matches!(claim.fund.budget.unpriced(), WhenUnpriced::Assume { .. })
    }
}

/// How long an answer may be, of which nothing says how long it is: for budgets that only warn.
const GUESS: u64 = 4_096;

impl Spend {
    /// Reserves what a call may cost: at once where all that is needed is here, which it nearly always is.
    pub(super) fn admit<'a>(&'a self, classes: &Classes, call: &'a Call, request: &'a Request) -> Answer<'a, Admitted> {
        match Asking::new(self, classes, call, request) {
            Ok(mut asking) => match asking.take_at_once() {
                Some(()) => Answer::Now(Ok(asking.admitted())),
                None => Answer::Later(Box::pin(asking.take())),
            },
            Err(error) => Answer::Now(Err(error)),
        }
    }
}

/// A call that asks to be let through.
struct Asking<'a> {
    spend: &'a Spend,
    call: &'a Call,
    request: &'a Request,
    class: Arc<Class>,
    hold: Hold,
    dearest: Dearest,
    tier: Option<Box<str>>,
    asked: Asked,
    length: Length,
    demand: Demand,
    /// What the demand may cost by the list; set when it is reserved.
    reserved: Option<u64>,
    now: Duration,
    notices: Vec<Notice>,
    /// Which claims are of budgets that only alert, and would refuse what they cannot bound, were they hard.
    doubted: Vec<usize>,
}

impl<'a> Asking<'a> {
    fn new(spend: &'a Spend, classes: &Classes, call: &'a Call, request: &'a Request) -> Result<Self> {
        let now = spend.now();
        let class = classes.of(spend, call, request, now)?;
        let tier = match request {
            Request::Chat(chat) if !chat.options.is_empty() => service_tier(&chat.options).map(Box::from),
            _ => None,
        };
        let dearest = Dearest(class.tariff.ceiling(tier.as_deref()));
        let mut doubted = Vec::new();
        if dearest.0.is_none() {
            for (at, claim) in class.claims.iter().enumerate() {
                let budget = &claim.fund.budget;
                match (budget.unpriced(), budget.mode) {
                    (WhenUnpriced::Refuse, Mode::AlertOnly) => doubted.push(at),
                    (WhenUnpriced::Refuse, _) => return Err(unpriced(&budget.to_string(), call, request)),
                    _ => {}
                }
            }
        }
        let asked = Asked::of(request);
        let length = spend.length(&asked, &class, request)?;
        if length.is_guessed {
            let alerts = |claim: &Claim| {
                let budget = &claim.fund.budget;
                budget.mode == Mode::AlertOnly && budget.assume_output.is_none()
            };
            let unsure = class.claims.iter().enumerate().filter(|(_, claim)| alerts(claim)).map(|(at, _)| at);
            let unsure: Vec<usize> = unsure.filter(|at| !doubted.contains(at)).collect();
            doubted.extend(unsure);
        }
        let mut demand = Demand::new(0, length.first.saturating_mul(asked.answers));
        (demand.uses, demand.kept) = (asked.uses, asked.kept);
        let hold = Hold::new(spend.store.clone(), class.purses.clone());
        let (reserved, notices) = (None, Vec::new());
        Ok(Self {
            spend,
            call,
            request,
            class,
            hold,
            dearest,
            tier,
            asked,
            length,
            demand,
            reserved,
            now,
            notices,
            doubted,
        })
    }

    /// The usual case: prices are known, all is text, nothing has to be loaded, the budgets are here and have enough.
    fn take_at_once(&mut self) -> Option<()> {
        // Those that refuse nothing have something to say.
        if self.class.warns || self.class.purses.iter().any(|purse| !purse.loaded.initialized()) {
            return None;
        }
        self.demand.input = self.asked.input?;
        self.reserved = self.dearest.listed(&self.demand);
        let most = self.reserved?;
        let is_passed = |claim: &Claim| {
            let budget = &claim.fund.budget;
            claim.purse.is_none() && budget.is_hard() && most > budget.most.0
        };
        if self.class.claims.iter().any(is_passed) {
            return None;
        }
        self.hold.take_at_once(|_| most, self.now)
    }

    /// Every other case.
    async fn take(mut self) -> Result<Admitted> {
        for claim in &self.class.claims {
            if let Some(purse) = claim.purse.map(|at| &self.class.purses[at])
                && !purse.loaded.initialized()
            {
                self.spend.load(&claim.fund, purse, self.now, &mut self.notices).await?;
            }
        }
        // The bound that costs nothing first; where it does not fit, the one that has to be counted.
        for is_last in [false, true] {
            let input = if is_last {
                self.asked.counted(self.request, &self.call.provider, &self.spend.counter).or(self.asked.input)
            } else if self.asked.input.is_some() {
                self.asked.input
            } else {
                continue;
            };
            self.demand.input = input.unwrap_or(u64::MAX);
            self.reserved = self.dearest.listed(&self.demand);
            match self.reserve().await? {
                Ok(()) => break,
                Err(short) if is_last => return Err(self.refused(short).await),
                Err(_) => {}
            }
        }
        self.warn().await?;
        Ok(self.admitted())
    }

    fn admitted(self) -> Admitted {
        Admitted {
            reserved: self.reserved,
            class: self.class,
            hold: self.hold,
            dearest: self.dearest,
            tier: self.tier,
            demand: self.demand,
            is_bound: self.length.is_bound,
            cap: self.length.cap,
            notices: self.notices,
            at: self.now,
        }
    }

    /// Takes what the demand may cost, or says which budget has too little.
    async fn reserve(&mut self) -> Result<std::result::Result<(), Refused>> {
        let claims = &self.class.claims;
        let most = |claim: &Claim| self.dearest.most(claim, &self.demand);
        let too_much = |claim: &Claim| {
            claim.purse.is_none() && claim.fund.budget.is_hard() && most(claim) > claim.fund.budget.most.0
        };
        if let Some(claim) = claims.iter().position(too_much) {
            return Ok(Err(Refused { claim, short: None }));
        }
        let amounts: Vec<u64> = claims.iter().filter(|claim| claim.purse.is_some()).map(most).collect();
        let refused = |short: Short| {
            let claim = claims.iter().position(|claim| claim.purse == Some(short.purse)).unwrap_or_default();
            Refused { claim, short: Some(short) }
        };
        Ok(self.hold.take(|at| amounts[at], self.now).await?.map_err(refused))
    }

    /// One clear line: which budget, how much is left, what the call may cost, when its window ends.
    async fn refused(&self, refused: Refused) -> Error {
        let claim = &self.class.claims[refused.claim];
        let (budget, cost) = (&claim.fund.budget, self.dearest.most(claim, &self.demand));
        let may_cost = format!("this call may cost {}", Usd(cost));
        let over = |message: String| Error::new(ErrorKind::BudgetExceeded, message).with_stage(Stage::NotSent);
        let Some((short, purse)) = refused.short.and_then(|short| Some((short, self.hold.purses().get(short.purse)?)))
        else {
            return over(format!("{may_cost}, more than the budget of {budget}: set a smaller max_tokens"));
        };
        let used = self.spend.store.used(&purse.level, self.now).get().await.unwrap_or(budget.most.0);
        let left = budget.most - Usd(used);
        let whose = if purse.name.is_empty() { String::new() } else { format!(" ({})", purse.name) };
        if cost > budget.most.0 {
            return over(format!("{may_cost}, more than all of the budget of {budget}{whose}"));
        }
        let wait = purse.wait(short.wait, self.now);
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
    async fn warn(&mut self) -> Result<()> {
        for (at, claim) in self.class.claims.iter().enumerate() {
            let purse = claim.purse.and_then(|at| self.hold.purses().get(at));
            // A store that is here was asked when the last call was settled.
            if !claim.fund.budget.alerts.is_empty()
                && let Some(purse) = purse
                && let Answer::Later(used) = self.spend.store.used(&purse.level, self.now)
            {
                self.spend.ring(&claim.fund, purse, used.await?);
            }
            if claim.fund.budget.is_hard() {
                continue;
            }
            if self.doubted.contains(&at) {
                self.spend.would_refuse(
                    self.call,
                    &claim.fund.budget,
                    "what a call may cost is not known, and so not whether it fits into",
                );
                continue;
            }
            let used = match purse {
                Some(purse) => self.spend.store.used(&purse.level, self.now).get().await?,
                None => self.dearest.most(claim, &self.demand),
            };
            let budget = &claim.fund.budget;
            if used > budget.most.0 && budget.mode == Mode::AlertOnly {
                self.spend.would_refuse(self.call, budget, "there is too little left in");
            } else if used > budget.most.0 {
                self.notices.push(Notice::OverBudget { budget: budget.to_string(), most: budget.most.0, used });
            }
        }
        Ok(())
    }
}

impl Spend {
    /// Says that a budget would have refused a call, were it hard.
    fn would_refuse(&self, call: &Call, budget: &Budget, why: &str) {
        tracing::warn!(provider = call.provider, "{why} the budget of {budget}; it only alerts, and the call goes on");
        if let Some(metrics) = &self.metrics {
            metrics.would_have_refused(call, format!("the budget of {budget}"));
        }
    }

    /// How long the answer may become.
    fn length(&self, asked: &Asked, class: &Class, request: &Request) -> Result<Length> {
        let streams = matches!(request, Request::Chat(chat) if chat.stream);
        let Some(known) = asked.output.or(class.tariff.max_output) else {
            let hard = || class.claims.iter().map(|claim| &claim.fund.budget).filter(|budget| budget.is_hard());
            if let Some(budget) = hard().find(|budget| budget.assume_output.is_none()) {
                let message = format!(
                    "how long an answer of {} can be is not known, and so not whether it fits into the budget of \
                     {budget}: set the request's max_tokens, or `Budget::assume_output`",
                    request.model()
                );
                return Err(Error::new(ErrorKind::BudgetExceeded, message).with_stage(Stage::NotSent));
            }
            let assumed = hard().filter_map(|budget| budget.assume_output).min();
            let (first, cap) = (assumed.unwrap_or(GUESS), assumed.filter(|_| !streams));
            return Ok(Length { first, is_bound: false, cap, is_guessed: true });
        };
        let step = self.step.filter(|step| streams && *step < known);
        Ok(Length { first: step.unwrap_or(known), is_bound: step.is_none(), cap: None, is_guessed: false })
    }
}

/// How long an answer may become.
struct Length {
    /// What to reserve for, in tokens.
    first: u64,
    is_bound: bool,
    cap: Option<u64>,
    /// Whether neither the request nor the catalog says it.
    is_guessed: bool,
}

/// Which budget has too little.
struct Refused {
    claim: usize,
    /// Of which purse; `None` for a budget of one call.
    short: Option<Short>,
}

fn unpriced(budget: &str, call: &Call, request: &Request) -> Error {
    let message = format!(
        "no price of {}/{} is known, and so not whether it fits into the budget of {budget}: lay a price over the list \
         (`prices.models` in a configuration, `Overlay` in code), or say what to do (`on_unknown_price` in a \
         configuration, `Budget::when_unpriced` in code)",
        call.provider,
        request.model()
    );
    Error::new(ErrorKind::BudgetExceeded, message).with_stage(Stage::NotSent)
}
