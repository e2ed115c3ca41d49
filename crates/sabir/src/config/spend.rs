//! Budgets and the ledger that a configuration says.

use std::sync::Arc;

use sabir_config::{
    BudgetConfig, BudgetMode, BudgetScope, CalendarUnit, Config, LedgerFailure, Period, TimeZone, UnknownPrice,
};
use sabir_core::{Error, ErrorKind, Result};
use sabir_layers::{Budget, Receipts, Spend, WhenLedgerFails, WhenUnpriced, Window};
use sabir_prices::Usd;
use sabir_store::Ledger;

use super::providers::{any_dialect, own_id};

/// The layer that keeps them; `None` where nothing is said.
pub(super) fn spend(config: &Config, receipts: &Receipts, ledger: Option<&Arc<dyn Ledger>>) -> Result<Option<Spend>> {
    let all = config.cost_control.budget().into_iter().chain(config.budgets.iter().cloned());
    let mut budgets = Vec::new();
    for said in all.chain(of_callers(config)) {
        budgets.extend(budgets_of(config, &said)?);
    }
    if budgets.is_empty() && ledger.is_none() {
        return Ok(None);
    }
    let spend = budgets.into_iter().fold(Spend::by(receipts), Spend::budget);
    Ok(Some(ledger.cloned().into_iter().fold(spend, Spend::ledger)))
}

/// Those of the gateway's keys and teams, by the labels that it gives to their calls.
fn of_callers(config: &Config) -> impl Iterator<Item = BudgetConfig> {
    let keys = config.gateway.keys.iter().map(|(name, key)| ("key", name, &key.budgets));
    let teams = config.gateway.teams.iter().map(|(name, team)| ("team", name, &team.budgets));
    let dry_run = config.gateway.dry_run;
    keys.chain(teams).flat_map(move |(tag, name, budgets)| {
        let number = |at: usize| if at == 0 { String::new() } else { format!(" ({})", at + 1) };
        budgets.iter().enumerate().map(move |(at, said)| {
            let mut said = said.of_tag(format!("the {tag}{}", number(at)), tag, name);
            if dry_run {
                said.mode = BudgetMode::Alert;
            }
            said
        })
    })
}

/// The ledger that is to be kept.
#[cfg(feature = "ledger")]
pub(super) fn ledger(config: &Config) -> Result<Option<Arc<dyn Ledger>>> {
    let Some(said) = &config.ledger else { return Ok(None) };
    let ledger = crate::ledger::Sqlite::open(&said.path)?;
    Ok(Some(Arc::new(match said.keep {
        Some(time) => ledger.keep(time),
        None => ledger,
    })))
}

#[cfg(not(feature = "ledger"))]
pub(super) fn ledger(config: &Config) -> Result<Option<Arc<dyn Ledger>>> {
    match config.ledger {
        Some(_) => {
            let message = "ledger: this program was built without one (the feature `ledger`)";
            Err(Error::new(ErrorKind::Configuration, message))
        }
        None => Ok(None),
    }
}

/// Those of one section: one for the period and one for each request, for each that is named under `only`.
fn budgets_of(config: &Config, said: &BudgetConfig) -> Result<Vec<Budget>> {
    let mut budgets = Vec::new();
    if let Some(most) = said.limit {
        let window = window(said.period, said.time_zone.as_ref())?;
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
        let budget = match said.on_ledger_failure {
            Some(LedgerFailure::Refuse) => budget.when_ledger_fails(WhenLedgerFails::Refuse),
            Some(LedgerFailure::GoOn) => budget.when_ledger_fails(WhenLedgerFails::GoOn),
            _ => budget,
        };
        scoped(config, said, &name, budget)
    });
    Ok(scoped.collect())
}

/// One purse for each of a kind; or, where some are named, one for each of those and none for the others.
fn scoped(config: &Config, said: &BudgetConfig, name: &str, budget: Budget) -> Vec<Budget> {
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
            BudgetScope::Provider => budget.for_provider(own_id(config, of)),
            BudgetScope::Model => budget.for_model(&any_dialect(config, of)),
            BudgetScope::Tag => budget.for_tag(tag, of),
            _ => budget,
        }
    };
    said.only.iter().map(one).collect()
}

fn window(period: Period, zone: Option<&TimeZone>) -> Result<Window> {
    let window = match period {
        Period::Rolling(span) => return Ok(Window::rolling(span)),
        Period::Calendar(CalendarUnit::Hour) => Window::hour(),
        Period::Calendar(CalendarUnit::Day) => Window::day(),
        Period::Calendar(CalendarUnit::Week) => Window::week(),
        Period::Calendar(CalendarUnit::Year) => Window::year(),
        _ => Window::month(),
    };
    match zone {
        None => Ok(window),
        Some(TimeZone::East(east)) => Ok(window.east(*east)),
        #[cfg(feature = "zones")]
        Some(TimeZone::Named(name)) => window.zone(name),
        Some(_) => {
            let message = "time_zone: this program was built without the names of time zones (the feature `zones`)";
            Err(Error::new(ErrorKind::Configuration, message))
        }
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

#[cfg(test)]
mod tests {
    use sabir_config::{Format, Loader};

    use super::*;

    fn said(text: &str) -> Vec<String> {
        let config = Loader::new().text("sabir.toml", text, Format::Toml).load().expect("a configuration");
        let all = config.cost_control.budget().into_iter().chain(config.budgets.iter().cloned());
        all.chain(of_callers(&config))
            .flat_map(|said| budgets_of(&config, &said).expect("zones"))
            .map(|budget| format!("{budget:?}"))
            .collect()
    }

    #[test]
    fn budgets_are_made_as_they_are_said() {
        let made = said(
            "[[budgets]]\nname = \"team\"\nlimit = 50\nper_request = 0.25\nperiod = \"year\"\ntime_zone = \"-05:30\"\n\
             scope = \"client\"\nonly = [\"red\", \"blue\"]\nthresholds = [\"80%\"]\nmode = \"soft\"\n\
             on_ledger_failure = \"refuse\"\n",
        );
        assert_eq!(made.len(), 4);
        let red = Budget::per(Window::year().east(-19_800), Usd::dollars(50)).alerts([80]).soft();
        let red = red
            .when_unpriced(WhenUnpriced::Refuse)
            .when_ledger_fails(WhenLedgerFails::Refuse)
            .named("team of red")
            .for_client("red");
        assert_eq!(made[0], format!("{red:?}"));
        assert!(made[3].contains("team per request of blue"), "{}", made[3]);
        let all = said("[cost_control]\nmax_budget = 100\nbudget_period = \"24h\"\n");
        let day = std::time::Duration::from_secs(86_400);
        let rolling = Budget::per(Window::rolling(day), Usd::dollars(100)).when_unpriced(WhenUnpriced::Refuse);
        assert_eq!(all, [format!("{:?}", rolling.named("cost_control"))]);
    }

    #[cfg(feature = "zones")]
    #[test]
    fn days_begin_by_the_clocks_of_a_zone() {
        let made = said("[[budgets]]\nname = \"team\"\nlimit = 5\nperiod = \"day\"\ntime_zone = \"Europe/Rome\"\n");
        let rome = Window::day().zone("Europe/Rome").expect("a zone");
        let rome = Budget::per(rome, Usd::dollars(5)).when_unpriced(WhenUnpriced::Refuse);
        assert_eq!(made, [format!("{:?}", rome.named("team"))]);
    }

    #[test]
    fn keys_and_teams_of_the_gateway_have_purses_by_their_labels() {
        let hash = format!("sha256:{}", "0".repeat(64));
        let made = said(&format!(
            "[gateway.keys.ada]\nhash = \"{hash}\"\nteam = \"red\"\nbudgets = [{{ limit = 5, period = \"day\" }}, \
             {{ limit = 50 }}]\n[gateway.teams.red]\nbudgets = [{{ limit = 100 }}]\n"
        ));
        assert_eq!(made.len(), 3);
        let day = Budget::per(Window::day(), Usd::dollars(5)).when_unpriced(WhenUnpriced::Refuse);
        assert_eq!(made[0], format!("{:?}", day.named("the key of ada").for_tag("key", "ada")));
        assert!(made[1].contains("the key (2) of ada") && made[2].contains("the team of red"), "{made:?}");
    }

    #[test]
    fn shares_are_whole_per_cent() {
        assert_eq!([0.0, 0.5, 0.799, 1.0].map(percent), [0, 50, 80, 100]);
    }
}
