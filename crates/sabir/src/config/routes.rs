//! Aliases and routes.

use sabir_config::{Config, MidStream, Policy, RouteConfig, Sticky, TargetConfig};
use sabir_layers::{Fallover, Route, Routes, Target};
use sabir_prices::Prices;

use super::providers::{own_id, own_model};

/// The names of models; `None` where there are none.
pub(super) fn routes(config: &Config, prices: &Prices) -> Option<Routes> {
    let aliases = config.aliases.iter().map(|(name, targets)| {
        Route::named(name.clone(), targets.iter().map(|target| Target::from(&*own_model(config, &target.model))))
    });
    let routes = config.routes.iter().map(|(name, said)| route(config, (name, said), prices));
    let all: Vec<Route> = aliases.chain(routes).collect();
    (!all.is_empty()).then(|| Routes::new(all))
}

fn route(config: &Config, (name, said): (&str, &RouteConfig), prices: &Prices) -> Route {
    let targets: Vec<Target> = said.targets.iter().map(|said| target(config, said, prices)).collect();
    let fallover = Fallover::default()
        .wait_up_to(said.wait_up_to)
        .on_context_too_long(said.on_context_too_long)
        .on_content_filtered(said.on_content_filtered);
    let policy = match (&said.policy, &said.sticky_by) {
        (Policy::Weighted, _) => sabir_layers::Policy::Weighted,
        (Policy::RoundRobin, _) => sabir_layers::Policy::RoundRobin,
        (Policy::LeastBusy, _) => sabir_layers::Policy::LeastBusy,
        (Policy::LowestLatency, _) => sabir_layers::Policy::Latency,
        (Policy::Cheapest, _) => sabir_layers::Policy::Cheapest,
        (Policy::Sticky, Some(by)) => sabir_layers::Policy::Sticky(match by {
            Sticky::Tag(name) => sabir_layers::Sticky::Tag(name.clone()),
            Sticky::Tenant => sabir_layers::Sticky::Tenant,
            _ => sabir_layers::Sticky::User,
        }),
        _ => sabir_layers::Policy::Ordered,
    };
    let mid_stream = match said.mid_stream {
        MidStream::Restart => sabir_layers::MidStream::Restart,
        MidStream::Continue => sabir_layers::MidStream::Continue,
        MidStream::ContinueOrRestart => sabir_layers::MidStream::ContinueOrRestart,
        _ => sabir_layers::MidStream::Fail,
    };
    let route = Route::named(name, targets).policy(policy).fallover(fallover).mid_stream(mid_stream);
    route.rest(said.rest_after, said.rest_for)
}

fn target(config: &Config, said: &TargetConfig, prices: &Prices) -> Target {
    let target = Target::from(&*own_model(config, &said.model)).weight(said.weight.unwrap_or(1)).prefill(said.prefill);
    price_of(config, said, prices).into_iter().fold(target, Target::price)
}

const MILLION: u64 = 1_000_000;

/// What a token costs, in nano-dollars: as it was said, or by the list, of three tokens of input and one of output.
fn price_of(config: &Config, said: &TargetConfig, prices: &Prices) -> Option<u64> {
    if let Some(price) = said.price {
        return Some(price.0 / MILLION);
    }
    let (provider, model) = said.model.split_once('/')?;
    let provider = own_id(config, provider);
    let rates = prices.find(provider, model)?.standard;
    let (input, output) = (rates.input?.0, rates.output?.0);
    Some(input.saturating_mul(3).saturating_add(output) / 4 / MILLION)
}
