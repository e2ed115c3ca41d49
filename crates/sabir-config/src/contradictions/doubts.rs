//! What may well be meant and may be a slip: models that nobody has heard of, models that no budget lets through, routes
//! whose models can do different things.

use std::collections::BTreeSet;

use sabir_core::ModelTraits;
use sabir_dialects::catalog;
use sabir_dialects::providers::nearest;
use sabir_prices::Prices;

use super::Sources;
use crate::Fault;
use crate::sections::{BudgetConfig, BudgetMode, BudgetScope, Settings, UnknownPrice};

pub(super) fn find(settings: &Settings, sources: &Sources<'_>) -> Vec<Fault> {
    let prices = settings.all_prices();
    let mut doubts = Doubts { settings, sources, prices, found: Vec::new() };
    let named = named(settings);
    for (field, model) in &named {
        doubts.unheard_of(field, model);
    }
    doubts.refused(&named);
    doubts.uneven();
    doubts.labelled();
    doubts.callers();
    doubts.found
}

/// A model, and the field that names it.
type Place = (String, String);

/// Whether a name stands for several.
fn is_pattern(model: &str) -> bool {
    model.contains('*')
}

/// Every model that is named with its provider.
fn named(settings: &Settings) -> Vec<Place> {
    let gateway = &settings.gateway;
    let one = |field: &str, model: &str| (field.to_owned(), model.to_owned());
    let mut places: Vec<Place> = settings.model.iter().map(|model| one("model", model)).collect();
    for (name, targets) in &settings.aliases {
        places.extend(targets.iter().map(|target| one(&format!("aliases.{name}"), &target.model)));
    }
    for (name, route) in &settings.routes {
        places.extend(route.targets.iter().map(|target| one(&format!("routes.{name}.targets"), &target.model)));
    }
    for (at, rule) in settings.limits.rules.iter().enumerate() {
        places.extend(rule.model.iter().map(|model| one(&format!("limits.rules[{at}].model"), model)));
    }
    for (at, budget) in settings.budgets.iter().enumerate().filter(|(_, budget)| budget.scope == BudgetScope::Model) {
        places.extend(budget.only.iter().map(|model| one(&format!("budgets[{at}].only"), model)));
    }
    places.extend(gateway.models.iter().map(|model| one("gateway.models", model)));
    for (name, key) in &gateway.keys {
        places.extend(key.models.iter().map(|model| one(&format!("gateway.keys.{name}.models"), model)));
    }
    for (name, team) in &gateway.teams {
        places.extend(team.models.iter().map(|model| one(&format!("gateway.teams.{name}.models"), model)));
    }
    for (name, policy) in &settings.policies {
        places.extend(policy.models.iter().map(|model| one(&format!("policies.{name}.models"), model)));
    }
    places.retain(|(_, model)| model.contains('/') && !is_pattern(model));
    places
}

/// The provider, without a dialect behind it, and the model.
fn parts(model: &str) -> Option<(&str, &str)> {
    let (provider, id) = model.split_once('/')?;
    Some((provider.split(':').next().unwrap_or(provider), id))
}

struct Doubts<'a> {
    settings: &'a Settings,
    sources: &'a Sources<'a>,
    prices: Prices,
    found: Vec<Fault>,
}

impl Doubts<'_> {
    fn doubt(&mut self, field: &str, message: String) {
        self.found.push(Fault { source: self.sources.of(field), field: field.to_owned(), message });
    }

    /// Models of providers that are known, which are not known themselves: new ones, or slips of the finger.
    fn unheard_of(&mut self, field: &str, model: &str) {
        let Some((provider, id)) = parts(model) else { return };
        if self.settings.providers.contains_key(provider)
            || self.prices.find(provider, id).is_some()
            || catalog::traits(provider, id) != ModelTraits::default()
        {
            return;
        }
        let all = Prices::default();
        let priced = all.models().filter(|(of, _)| *of == provider).map(|(_, id)| id);
        let described = catalog::models().filter(|(of, _)| *of == provider).map(|(_, id)| id);
        let names: Vec<&str> = priced.chain(described).collect();
        if names.is_empty() {
            return;
        }
        let near = nearest(id, names.iter().copied());
        let hint = near.map_or_else(String::new, |near| format!("; did you mean {provider}/{near}?"));
        self.doubt(field, format!("{model} is not in the table of models{hint}"));
    }

    /// Models without a price, which a budget lets nothing through of.
    fn refused(&mut self, named: &[Place]) {
        let settings = self.settings;
        let own = settings.cost_control.budget().into_iter().chain(settings.budgets.iter().cloned());
        let of_all: Vec<BudgetConfig> = own.filter(refuses).collect();
        let mut told = BTreeSet::new();
        let is_asked = |field: &str| !field.starts_with("limits.") && !field.starts_with("policies.");
        for (field, model) in named.iter().filter(|(field, _)| is_asked(field)) {
            if let Some(budget) = of_all.iter().find(|budget| concerns(budget, model)) {
                self.unpriced(field, model, &format!("the budget {:?}", budget.name), &mut told);
            }
        }
        let gateway = &settings.gateway;
        for (name, key) in gateway.keys.iter().filter(|_| !gateway.dry_run) {
            let team = key.team.as_ref().and_then(|team| Some((team, gateway.teams.get(team)?)));
            let of_key = key.budgets.iter().any(|budget| refuses(&budget.named(name)));
            let of_team = team.filter(|(name, team)| team.budgets.iter().any(|budget| refuses(&budget.named(*name))));
            let whose = match of_team {
                _ if of_key => format!("the budget of the key {name:?}"),
                Some((team, _)) => format!("the budget of the team {team:?}"),
                None => continue,
            };
            let of_its_team = team.map(|(_, team)| &team.models).filter(|models| !models.is_empty());
            let models = if key.models.is_empty() { of_its_team.unwrap_or(&gateway.models) } else { &key.models };
            for model in models.iter().flat_map(|name| leads_to(settings, name)) {
                self.unpriced(&format!("gateway.keys.{name}"), &model, &whose, &mut told);
            }
        }
    }

    fn unpriced(&mut self, field: &str, model: &str, whose: &str, told: &mut BTreeSet<String>) {
        let Some((provider, id)) = parts(model) else { return };
        if is_pattern(model) || self.prices.find(provider, id).is_some() || !told.insert(model.to_owned()) {
            return;
        }
        let message = format!(
            "no price of {model} is known, and {whose} lets nothing through that has none: lay one over the list in \
             `prices.models`, or say `on_unknown_price = \"allow\"`"
        );
        self.doubt(field, message);
    }

    /// Routes and aliases of which one model can do what another cannot.
    fn uneven(&mut self) {
        let routes = self.settings.routes.iter().map(|(name, route)| (format!("routes.{name}"), &route.targets[..]));
        let aliases = self.settings.aliases.iter().map(|(name, targets)| (format!("aliases.{name}"), &targets[..]));
        for (field, targets) in routes.chain(aliases).collect::<Vec<_>>() {
            let known = targets.iter().filter_map(|target| {
                let (provider, id) = parts(&target.model)?;
                Some((target.model.as_str(), catalog::traits(provider, id)))
            });
            let known: Vec<(&str, ModelTraits)> = known.collect();
            for (what, can) in ABILITIES {
                let of = |wanted| known.iter().find(|(_, traits)| can(traits) == Some(wanted)).map(|(model, _)| *model);
                if let (Some(able), Some(unable)) = (of(true), of(false)) {
                    let message =
                        format!("{able} {what} and {unable} does not: what needs it is not answered by every target");
                    self.doubt(&field, message);
                }
            }
        }
    }

    /// Policies for keys and teams of which the configuration does not know whether there are such; what it does know is a
    /// contradiction.
    fn callers(&mut self) {
        let settings = self.settings;
        let gateway = &settings.gateway;
        let (keys, teams) = (settings.gateway_keys(), gateway.teams.keys().map(String::as_str).collect::<Vec<_>>());
        for (name, policy) in &settings.policies {
            let all = policy.keys.iter().map(|key| ("key", "keys", key, &keys));
            let all = all.chain(policy.teams.iter().map(|team| ("team", "teams", team, &teams)));
            for (what, field, of, known) in all.filter(|(.., of, known)| !known.contains(&of.as_str())) {
                let near = nearest(of, known.iter().copied());
                let hint = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
                let message = format!("there is no {what} of the gateway {of:?}{hint}");
                self.doubt(&format!("policies.{name}.{field}"), message);
            }
        }
    }

    /// Budgets for keys and teams of the gateway, and for routes, that there are not.
    fn labelled(&mut self) {
        let settings = self.settings;
        let (keys, teams) = (settings.gateway.keys.keys(), settings.gateway.teams.keys());
        let (keys, teams, routes): (Vec<&str>, Vec<&str>, Vec<&str>) = (
            keys.map(String::as_str).collect(),
            teams.map(String::as_str).collect(),
            settings.routes.keys().chain(settings.aliases.keys()).map(String::as_str).collect(),
        );
        for (at, budget) in settings.budgets.iter().enumerate() {
            let (what, known) = match budget.tag.as_deref() {
                Some("key") => ("key of the gateway", &keys),
                Some("team") => ("team", &teams),
                Some("route") => ("route", &routes),
                _ => continue,
            };
            for name in budget.only.iter().filter(|name| !known.is_empty() && !known.contains(&name.as_str())) {
                let near = nearest(name, known.iter().copied());
                let hint = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
                self.doubt(&format!("budgets[{at}].only"), format!("there is no {what} {name:?}{hint}"));
            }
        }
    }
}

/// What a model can do or cannot.
type Ability = fn(&ModelTraits) -> Option<bool>;

/// Those of which a request may need one.
const ABILITIES: [(&str, Ability); 3] = [
    ("takes tools", |can| can.tools),
    ("takes images", |can| can.vision),
    ("keeps to a JSON Schema", |can| can.structured_output),
];

/// Whether a budget refuses what has no price.
fn refuses(budget: &BudgetConfig) -> bool {
    budget.mode != BudgetMode::Alert && budget.on_unknown_price == UnknownPrice::Refuse
}

/// Whether a budget is known to concern calls of a model, whoever makes them.
fn concerns(budget: &BudgetConfig, model: &str) -> bool {
    let Some((provider, id)) = parts(model) else { return false };
    budget.only.is_empty()
        || match budget.scope {
            BudgetScope::Provider => budget.only.iter().any(|only| only == provider),
            BudgetScope::Model => budget.only.iter().any(|only| only == model || only == id),
            _ => false,
        }
}

/// The models that a name leads to.
fn leads_to(settings: &Settings, name: &str) -> Vec<String> {
    let models = |targets: &[crate::sections::Short<crate::sections::TargetConfig>]| {
        targets.iter().map(|target| target.model.clone()).collect()
    };
    if let Some(route) = settings.routes.get(name) {
        return models(&route.targets);
    }
    settings.aliases.get(name).map_or_else(|| vec![name.to_owned()], |targets| models(targets))
}
