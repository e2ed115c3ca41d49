//! Budgets and the ledger that a configuration says.

use sabir_config::{
    BudgetConfig, BudgetMode, BudgetScope, CalendarUnit, Config, LedgerConfig, Period, TimeZone, UnknownPrice,
};
use sabir_core::{Error, ErrorKind, Result};
use sabir_layers::{Budget, Receipts, Spend, WhenUnpriced, Window};
use sabir_prices::Usd;

/// The layer that keeps them; `None` where nothing is said.
pub(super) fn spend(config: &Config, receipts: &Receipts) -> Result<Option<Spend>> {
    let all = config.cost_control.budget().into_iter().chain(config.budgets.iter().cloned());
    let mut budgets = Vec::new();
    for said in all {
        budgets.extend(budgets_of(&said)?);
    }
    let Some(ledger) = &config.ledger else {
        return Ok((!budgets.is_empty()).then(|| with(receipts, budgets)));
    };
    opened(with(receipts, budgets), ledger).map(Some)
}

fn with(receipts: &Receipts, budgets: Vec<Budget>) -> Spend {
    let known = Spend::by(receipts).traits(sabir_core::TraitsOf(sabir_dialects::catalog::traits));
    budgets.into_iter().fold(known, Spend::budget)
}

#[cfg(feature = "ledger")]
fn opened(spend: Spend, ledger: &LedgerConfig) -> Result<Spend> {
    Ok(spend.ledger(crate::ledger::open(&ledger.path)?))
}

#[cfg(not(feature = "ledger"))]
fn opened(_: Spend, _: &LedgerConfig) -> Result<Spend> {
    Err(configuration("ledger: this program was built without one (the feature `ledger`)".to_owned()))
}

/// Those of one section: one for the period and one for each request, for each that is named under `only`.
fn budgets_of(said: &BudgetConfig) -> Result<Vec<Budget>> {
    let mut budgets = Vec::new();
    if let Some(most) = said.limit {
        let window = window(said.period, said.time_zone.as_ref(), &said.name)?;
        let thresholds = said.thresholds.iter().map(|share| percent(share.0));
        budgets.push((said.name.clone(), Budget::per(window, Usd(most.0)).alerts(thresholds)));
    }
    if let Some(most) = said.per_request {
        budgets.push((format!("{} per request", said.name), Budget::per_request(Usd(most.0))));
    }
    let scoped = budgets.into_iter().flat_map(|(name, budget)| {
        let budget = match said.mode {
            BudgetMode::Soft => budget.soft(),
            BudgetMode::Alert => budget.alert_only(),
            _ => budget,
        };
        let budget = budget.when_unpriced(match said.on_unknown_price {
            UnknownPrice::Allow => WhenUnpriced::Allow,
            _ => WhenUnpriced::Refuse,
        });
        scoped(said, &name, budget)
    });
    Ok(scoped.collect())
}

/// One purse for each of a kind; or, where some are named, one for each of those and none for the others.
fn scoped(said: &BudgetConfig, name: &str, budget: Budget) -> Vec<Budget> {
    let tag = said.tag.as_deref().unwrap_or_default();
    if said.only.is_empty() {
        let budget = budget.named(name);
        return vec![match said.scope {
            BudgetScope::Client => budget.each_client(),
            BudgetScope::Key => budget.each_key(),
            BudgetScope::Provider => budget.each_provider(),
            BudgetScope::Model => budget.each_model(),
            BudgetScope::Tag => budget.each_tag(tag),
            _ => budget,
        }];
    }
    let one = |of: &String| {
        let budget = budget.clone().named(format!("{name} of {of}"));
        match said.scope {
            BudgetScope::Client => budget.for_client(of),
            BudgetScope::Key => budget.for_key(of),
            BudgetScope::Provider => budget.for_provider(of),
            BudgetScope::Model => budget.for_model(of),
            BudgetScope::Tag => budget.for_tag(tag, of),
            _ => budget,
        }
    };
    said.only.iter().map(one).collect()
}

fn window(period: Period, zone: Option<&TimeZone>, name: &str) -> Result<Window> {
    let window = match period {
        Period::Rolling(span) => return Ok(Window::rolling(span)),
        Period::Calendar(CalendarUnit::Hour) => Window::hour(),
        Period::Calendar(CalendarUnit::Day) => Window::day(),
        Period::Calendar(CalendarUnit::Week) => Window::week(),
        Period::Calendar(CalendarUnit::Year) => Window::year(),
        _ => Window::month(),
    };
    let Some(TimeZone(zone)) = zone else { return Ok(window) };
    let east = east(zone).ok_or_else(|| {
        let why = "zones are not known by their names here; write its offset, like +01:00";
        configuration(format!("budgets.{name}.time_zone: {zone:?}: {why}"))
    })?;
    Ok(window.east(east))
}

/// Seconds east of UTC, of `UTC` or `+02:00`.
fn east(zone: &str) -> Option<i32> {
    if zone == "UTC" {
        return Some(0);
    }
    let (sign, offset) = zone.split_at_checked(1)?;
    let (hours, minutes) = offset.split_once(':')?;
    let seconds = hours.parse::<i32>().ok()? * 3_600 + minutes.parse::<i32>().ok()? * 60;
    match sign {
        "+" => Some(seconds),
        "-" => Some(-seconds),
        _ => None,
    }
}

/// A share of a whole as whole per cent: the nearest.
fn percent(share: f64) -> u8 {
    (0..=100_u8)
        .min_by(|one, other| {
            let off = |percent: u8| (f64::from(percent) / 100.0 - share).abs();
            off(*one).total_cmp(&off(*other))
        })
        .unwrap_or(100)
}

fn configuration(message: String) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

#[cfg(test)]
mod tests {
    use sabir_config::{Format, Loader};

    use super::*;

    fn said(text: &str) -> Vec<String> {
        let config = Loader::new().text("sabir.toml", text, Format::Toml).load().expect("a configuration");
        let all = config.cost_control.budget().into_iter().chain(config.budgets.iter().cloned());
        all.flat_map(|said| budgets_of(&said).expect("budgets")).map(|budget| format!("{budget:?}")).collect()
    }

    #[test]
    fn budgets_are_made_as_they_are_said() {
        let made = said(
            "[[budgets]]\nname = \"team\"\nlimit = 50\nper_request = 0.25\nperiod = \"year\"\ntime_zone = \"-05:30\"\n\
             scope = \"client\"\nonly = [\"red\", \"blue\"]\nthresholds = [\"80%\"]\nmode = \"soft\"\n",
        );
        assert_eq!(made.len(), 4);
        let red = Budget::per(Window::year().east(-19_800), Usd::dollars(50)).alerts([80]).soft();
        let red = red.when_unpriced(WhenUnpriced::Refuse).named("team of red").for_client("red");
        assert_eq!(made[0], format!("{red:?}"));
        assert!(made[3].contains("team per request of blue"), "{}", made[3]);
        let all = said("[cost_control]\nmax_budget = 100\nbudget_period = \"24h\"\n");
        let day = std::time::Duration::from_secs(86_400);
        let rolling = Budget::per(Window::rolling(day), Usd::dollars(100)).when_unpriced(WhenUnpriced::Refuse);
        assert_eq!(all, [format!("{:?}", rolling.named("cost_control"))]);
    }

    #[test]
    fn a_zone_by_its_name_is_an_error_that_says_what_to_write() {
        let zone = TimeZone("Europe/Paris".into());
        let error = window(Period::Calendar(CalendarUnit::Day), Some(&zone), "team").expect_err("not known");
        assert!(error.message().contains("+01:00"), "{error}");
        assert_eq!((east("UTC"), east("+02:00"), east("-05:30")), (Some(0), Some(7_200), Some(-19_800)));
    }

    #[test]
    fn shares_are_whole_per_cent() {
        assert_eq!([0.0, 0.5, 0.799, 1.0].map(percent), [0, 50, 80, 100]);
    }
}
