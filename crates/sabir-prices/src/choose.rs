//! Which of a model's prices holds for a call.

use std::time::Duration;

use sabir_core::chat::Item;

use crate::model::{ModelPrices, Rates};
use crate::{Options, Price};

/// A price, and whether it is the listed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) price: Price,
    pub(crate) estimated: bool,
}

/// The prices of one call.
#[derive(Debug)]
pub(crate) struct Chosen<'m> {
    model: &'m ModelPrices,
    /// Those of the long input that it has.
    tier: Option<&'m Rates>,
    service: Service,
    /// `None` where there are such hours and the time of the call is unknown.
    is_off_peak: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    Standard,
    Batch,
    Flex,
    Priority,
    /// One that no list knows.
    Other,
}

impl<'m> Chosen<'m> {
    pub(crate) fn new(model: &'m ModelPrices, input: Option<u64>, options: &Options<'_>) -> Self {
        let service = match options.service_tier {
            _ if options.batch => Service::Batch,
            None | Some("" | "auto" | "default" | "standard" | "standard_only" | "on_demand" | "on-demand") => {
                Service::Standard
            }
            Some("batch") => Service::Batch,
            Some("flex") => Service::Flex,
            Some("priority") => Service::Priority,
            Some(_) => Service::Other,
        };
        let tier = model.tiers.iter().rfind(|tier| input.is_some_and(|input| input > tier.above));
        let is_open = |time: Duration| {
            model.off_peak.as_ref().is_some_and(|off| off.windows.iter().any(|window| window.contains(time)))
        };
        let is_off_peak = if model.off_peak.is_none() { Some(false) } else { options.time.map(is_open) };
        Self { model, tier: tier.map(|tier| &tier.rates), service, is_off_peak }
    }

    /// The price of this; `None` where it is unknown.
    pub(crate) fn price(&self, item: &Item) -> Option<Found> {
        // A fee for a tool is seldom another one in another tier.
        let fee = || match item {
            Item::Tool(_) => find(&self.model.standard, item),
            _ => None,
        };
        let discounted = |rates: &Option<Rates>| match (rates, self.tier) {
            (Some(rates), None) => same(rates, item).or_else(fee).or_else(|| self.at_most(item)),
            _ => fee().or_else(|| self.at_most(item)),
        };
        match self.service {
            Service::Standard => self.standard(item),
            Service::Batch => discounted(&self.model.batch),
            Service::Flex => discounted(&self.model.flex),
            // A surcharge that is not listed cannot be bounded.
            Service::Priority => match (&self.model.priority, self.tier) {
                (Some(rates), None) => find(rates, item).or_else(fee),
                _ => fee(),
            },
            Service::Other => self.at_most(item),
        }
    }

    fn standard(&self, item: &Item) -> Option<Found> {
        let usual = &self.model.standard;
        if let Some(tier) = self.tier {
            return find(tier, item).or_else(|| matches!(item, Item::Tool(_)).then(|| find(usual, item)).flatten());
        }
        match (&self.model.off_peak, self.is_off_peak) {
            (Some(off), Some(true)) => same(&off.rates, item).or_else(|| guess(find(usual, item))),
            // At an unknown hour it is the dearer one.
            (Some(off), None) if same(&off.rates, item).is_some() => guess(find(usual, item)),
            _ => find(usual, item),
        }
    }

    /// What a discount is taken from.
    fn at_most(&self, item: &Item) -> Option<Found> {
        guess(self.standard(item))
    }
}

fn guess(found: Option<Found>) -> Option<Found> {
    found.map(|found| Found { estimated: true, ..found })
}

/// The listed price of this or, since lists leave out what costs the same, of what it is a part of.
fn same(rates: &Rates, item: &Item) -> Option<Found> {
    let whole = match item {
        Item::Reasoning => rates.output,
        Item::ImageInput => rates.input,
        _ => None,
    };
    rates.of(item).or(whole).map(|price| Found { price, estimated: false })
}

/// The price of this by the list, or an estimate by the price of all input. Sound and images that come out, and what
/// is kept for an hour, cost a multiple of the rest: where their price is not listed it is unknown.
fn find(rates: &Rates, item: &Item) -> Option<Found> {
    same(rates, item).or_else(|| match item {
        Item::CacheRead | Item::CacheWrite | Item::AudioInput => {
            rates.input.map(|price| Found { price, estimated: true })
        }
        _ => None,
    })
}
