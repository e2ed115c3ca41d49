//! A stream that is metered as it passes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use sabir_core::chat::{ChatRequest, Event, EventStream, Events, Fold, Usage, Wire};
use sabir_core::transport::BoxFuture;
use sabir_core::{Error, ErrorKind, Result, Stage};
use sabir_prices::Usd;
use sabir_store::Outcome;

use super::attempt::Attempt;
use super::class::Claim;
use super::gauge::Gauge;
use super::hold::Hold;

/// A metered stream. What is below is dropped with its terminal item.
pub(super) struct Metered {
    inner: Option<EventStream>,
    attempt: Attempt,
    fold: Fold,
    /// What was asked, to be counted should the provider not say how much it was.
    asked: Option<Box<ChatRequest>>,
    /// `None` where nothing can be passed.
    gauge: Option<Gauge>,
    /// An event that waits for more money.
    waiting: Option<(Event, Topping)>,
    is_cut: bool,
    /// Why, where it is the ledger that took no more.
    unwritten: Option<Error>,
    /// The bytes of the end, of what is dropped with it.
    last: Option<Wire>,
}

/// More money on its way; `None` where there is none.
type Topping = BoxFuture<'static, Option<Hold>>;

/// What one step of a topped-up reservation is for where nothing else says so, in tokens.
const STEP: u64 = 1_024;

impl Metered {
    pub(super) fn new(inner: EventStream, attempt: Attempt, asked: Option<Box<ChatRequest>>) -> Self {
        let admitted = &attempt.admitted;
        let gauge = || Gauge::new(attempt.model().clone(), admitted.demand.output, admitted.is_bound);
        let gauge = admitted.is_hard().then(gauge);
        Self {
            inner: Some(inner),
            attempt,
            fold: Fold::default(),
            asked,
            gauge,
            waiting: None,
            is_cut: false,
            unwritten: None,
            last: None,
        }
    }

    fn step(&self) -> u64 {
        self.attempt.spend.step.unwrap_or(STEP)
    }

    /// Asks for one step more.
    fn top_up(&self) -> Topping {
        let admitted = &self.attempt.admitted;
        let mut demand = admitted.demand;
        demand.output = demand.output.saturating_add(self.step());
        let most = |claim: &Claim| admitted.dearest.most(claim, &demand);
        let is_passed = |claim: &Claim| {
            let budget = &claim.fund.budget;
            claim.purse.is_none() && budget.is_hard() && most(claim) > budget.most.0
        };
        let claims = &admitted.class.claims;
        if claims.iter().any(is_passed) {
            return Box::pin(async { None });
        }
        let more = |claim: &Claim| most(claim).saturating_sub(admitted.dearest.most(claim, &admitted.demand));
        let amounts: Vec<u64> = claims.iter().filter(|claim| claim.purse.is_some()).map(more).collect();
        let mut hold = admitted.hold.again();
        let now = self.attempt.spend.now();
        let amount = move |at: usize| amounts[at];
        Box::pin(async move { hold.take(amount, now).await.is_ok_and(|taken| taken.is_ok()).then_some(hold) })
    }

    /// There is more money, or there is not.
    fn topped_up(&mut self, more: Option<Hold>) {
        let Some(mut more) = more else {
            self.is_cut = true;
            return;
        };
        let (step, admitted) = (self.step(), &self.attempt.admitted);
        let mut demand = admitted.demand;
        demand.output = demand.output.saturating_add(step);
        let reserved = admitted.dearest.listed(&demand);
        // What is lost counts with what was reserved last: so it is written before it is used.
        if let Err(error) = self.attempt.raise(reserved) {
            more.settle(|_| 0, self.attempt.spend.now());
            (self.is_cut, self.unwritten) = (true, Some(error));
            return;
        }
        self.attempt.admitted.hold.absorb(more);
        self.attempt.admitted.demand = demand;
        if let Some(gauge) = &mut self.gauge {
            gauge.add(step);
        }
    }

    /// It did not come to its end. What it used.
    fn over(&mut self, outcome: Outcome) -> Usage {
        let (asked, spend) = (self.asked.take(), self.attempt.spend.clone());
        let provider = self.attempt.model().provider.clone();
        let arrived = self.fold.response().clone();
        self.attempt.broke_off(outcome, &arrived, || spend.input_of(asked.as_deref(), &provider))
    }

    fn cut(&mut self) -> Error {
        self.inner = None;
        let usage = self.over(Outcome::Cut);
        let mut partial = std::mem::take(&mut self.fold).into_response();
        partial.usage = usage;
        partial.provider.clone_from(&self.attempt.model().provider);
        let admitted = &self.attempt.admitted;
        if let Some(error) = self.unwritten.take() {
            let message =
                format!("the answer was cut after about {} tokens: {}", admitted.demand.output, error.message());
            let error = Error::new(error.kind(), message).with_stage(Stage::Answered).with_retryable(false);
            return error.with_partial(partial);
        }
        let hard = admitted.class.claims.iter().map(|claim| &claim.fund.budget).find(|budget| budget.is_hard());
        let budget = hard.map(ToString::to_string).unwrap_or_default();
        let reserved = Usd(admitted.reserved.unwrap_or_default());
        let message = format!(
            "the answer was cut after about {} tokens: it was more than the {reserved} that were reserved for it, and \
             there is no more in its budgets ({budget})",
            admitted.demand.output
        );
        Error::new(ErrorKind::BudgetExceeded, message).with_stage(Stage::Answered).with_partial(partial)
    }
}

impl Stream for Metered {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some((event, topping)) = &mut this.waiting {
            let more = ready!(topping.as_mut().poll(cx));
            let event = std::mem::replace(event, Event::Text(String::new()));
            this.waiting = None;
            this.topped_up(more);
            return Poll::Ready(Some(Ok(event)));
        }
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        if this.is_cut {
            return Poll::Ready(Some(Err(this.cut())));
        }
        // An event is large: it is looked at where it is.
        let mut item = ready!(inner.as_mut().poll_next(cx));
        match &mut item {
            Some(Ok(Event::Done(response))) => {
                this.last = Some(inner.as_mut().wire());
                this.inner = None;
                let (asked, spend) = (this.asked.take(), this.attempt.spend.clone());
                let provider = this.attempt.model().provider.clone();
                this.attempt.answered(response, || spend.input_of(asked.as_deref(), &provider));
            }
            Some(Ok(event)) => {
                this.attempt.came();
                this.fold.apply(event);
                if matches!(event, Event::Usage(usage) if usage.input_total() > Some(0)) {
                    this.asked = None;
                }
                if this.gauge.as_mut().is_some_and(|gauge| gauge.pass(event, &this.fold)) {
                    let mut topping = this.top_up();
                    match topping.as_mut().poll(cx) {
                        Poll::Ready(more) => this.topped_up(more),
                        Poll::Pending => {
                            if let Some(Ok(event)) = item {
                                this.waiting = Some((event, topping));
                            }
                            return Poll::Pending;
                        }
                    }
                }
            }
            Some(Err(error)) if error.partial().is_none() && !this.fold.response().parts.is_empty() => {
                this.inner = None;
                this.over(Outcome::Failed(error.kind()));
            }
            Some(Err(error)) => {
                this.inner = None;
                let (asked, spend) = (this.asked.take(), this.attempt.spend.clone());
                let provider = this.attempt.model().provider.clone();
                this.attempt.failed(error, || spend.input_of(asked.as_deref(), &provider));
            }
            None => {
                this.inner = None;
                this.over(Outcome::Failed(ErrorKind::Truncated));
            }
        }
        Poll::Ready(item)
    }
}

impl Events for Metered {
    fn wire(mut self: Pin<&mut Self>) -> Wire {
        let this = &mut *self;
        match &mut this.inner {
            // What is below has given one event more.
            Some(_) if this.waiting.is_some() => Wire::Held,
            Some(inner) => inner.as_mut().wire(),
            None => this.last.take().unwrap_or(Wire::Apart),
        }
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        if self.inner.is_some() {
            self.over(Outcome::Dropped);
        }
    }
}
