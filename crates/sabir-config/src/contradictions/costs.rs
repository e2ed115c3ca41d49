//! What may be spent.

use super::Found;
use super::models::known;
use crate::sections::{BudgetConfig, BudgetMode, BudgetScope, Period, Settings};
use crate::units::Money;

pub(super) fn check(settings: &Settings, found: &mut Found<'_>) {
    let cost = &settings.cost_control;
    if cost.budget_period.is_some() && cost.max_budget.is_none() {
        found.fault("cost_control.budget_period", "is the time of `max_budget`, and that is not there");
    }
    one_within_all(cost.max_cost_per_request, cost.max_budget, "cost_control.max_cost_per_request", found);
    if cost.max_budget == Some(Money(0)) {
        found.fault("cost_control.max_budget", "with nothing to spend nothing is ever sent; take it out for no limit");
    }
    let mut names: Vec<&str> = Vec::new();
    for (at, budget) in settings.budgets.iter().enumerate() {
        let at = format!("budgets[{at}]");
        if names.contains(&budget.name.as_str()) {
            found.fault(format!("{at}.name"), format!("there is a budget {:?} already", budget.name));
        }
        names.push(&budget.name);
        self::budget(budget, &at, found);
        for name in &budget.only {
            let provider = match budget.scope {
                BudgetScope::Provider => name.as_str(),
                BudgetScope::Model => name.split_once('/').map_or("", |(provider, _)| provider),
                _ => "",
            };
            if !provider.is_empty() {
                known(settings, provider, &format!("{at}.only"), found);
            }
        }
    }
}

fn one_within_all(one: Option<Money>, all: Option<Money>, at: &str, found: &mut Found<'_>) {
    if let (Some(one), Some(all)) = (one, all)
        && one > all
    {
        found.fault(at, format!("one request may cost {one}, and all of them {all}: the first could not be sent"));
    }
}

pub(super) fn budget(budget: &BudgetConfig, at: &str, found: &mut Found<'_>) {
    if budget.limit.is_none() && budget.per_request.is_none() {
        found.fault(at, "limits nothing; say `limit`, `per_request`, or both");
    }
    one_within_all(budget.per_request, budget.limit, &format!("{at}.per_request"), found);
    if budget.limit == Some(Money(0)) {
        found.fault(format!("{at}.limit"), "with nothing to spend nothing is ever sent; take it out for no limit");
    }
    if let (Period::Rolling(_), Some(_)) = (budget.period, &budget.time_zone) {
        let message =
            "has no effect on a period that rolls; for the calendar's, set period to day, week, month or year";
        found.fault(format!("{at}.time_zone"), message);
    }
    match (budget.scope, &budget.tag) {
        (BudgetScope::Tag, None) => found.fault(format!("{at}.scope"), "`tag` must say by the values of which tag"),
        (scope, Some(_)) if scope != BudgetScope::Tag => {
            found.fault(format!("{at}.tag"), format!("has no effect with the scope {scope}; it must be tag"));
        }
        _ => {}
    }
    if budget.scope == BudgetScope::All && !budget.only.is_empty() {
        found.fault(format!("{at}.only"), "has no effect with the scope all; say of what these are the names");
    }
    if budget.mode == BudgetMode::Alert && budget.per_request.is_some() {
        found.fault(format!("{at}.per_request"), "refuses, and the mode is alert, which refuses nothing");
    }
    if !budget.thresholds.is_empty() && budget.limit.is_none() {
        found.fault(format!("{at}.thresholds"), "are shares of `limit`, and that is not there");
    }
}
