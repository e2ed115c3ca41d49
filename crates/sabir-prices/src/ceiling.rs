//! The most that a call can cost, before it is sent.

use sabir_core::chat::{Item, Receipt, Usage};

use crate::choose::Chosen;
use crate::model::ModelPrices;
use crate::{Options, Price, Prices, receipt};

/// The prices of one model, found once: a receipt from it needs no search in the list.
#[derive(Clone, Debug)]
pub struct Listed {
    pub(crate) prices: ModelPrices,
    /// Whether they are those of the very model.
    pub(crate) exact: bool,
    pub(crate) version: std::sync::Arc<str>,
}

impl Prices {
    /// Whether these are the very same list, and not only an equal one.
    pub fn is_same(&self, other: &Self) -> bool {
        std::sync::Arc::ptr_eq(&self.version, &other.version)
    }
}

impl Listed {
    /// What a call cost that used this; the same as [`Prices::receipt`].
    pub fn receipt(&self, usage: &Usage, options: &Options<'_>) -> Receipt {
        let lines = receipt::lines(Some(&self.prices), self.exact, usage, options);
        Receipt::new(lines, &*self.version, options.reported)
    }

    /// The dearest prices that may apply to a call with these options; `None` where the price of input or output is
    /// unknown.
    ///
    /// Input may be written to a cache, be sound or images; output may be thoughts, sound or images: what of these has a
    /// price is counted at the dearest. A discount is not counted on, nor a cheap hour: a provider may fall back to the
    /// standard tier.
    pub fn ceiling(&self, options: &Options<'_>) -> Option<Ceiling> {
        let mut at = vec![0];
        at.extend(self.prices.tiers.iter().map(|tier| tier.above));
        let steps = at.into_iter().map(|above| self.step(above, options)).collect::<Option<_>>()?;
        let fee = self.prices.standard.tools.values().max().copied().unwrap_or_default();
        Some(Ceiling { steps, fee })
    }

    /// The dearest prices of inputs of more tokens than `above`.
    fn step(&self, above: u64, options: &Options<'_>) -> Option<Step> {
        const INPUT: [Item; 4] = [Item::CacheWrite, Item::AudioInput, Item::ImageInput, Item::CacheRead];
        const OUTPUT: [Item; 3] = [Item::Reasoning, Item::AudioOutput, Item::ImageOutput];
        let standard = Options { service_tier: None, time: None, reported: None, ..*options };
        let asked = Options { time: None, reported: None, ..*options };
        let input = (above > 0).then(|| above.saturating_add(1));
        let mut step = Step { above, ..Step::default() };
        for options in [asked, standard] {
            let chosen = Chosen::new(&self.prices, input, &options);
            let price = |item: &Item| chosen.price(item).map(|found| found.price);
            let dearest =
                |main: &Item, others: &[Item]| Some(others.iter().filter_map(price).fold(price(main)?, Ord::max));
            step.input = step.input.max(dearest(&Item::Input, &INPUT)?);
            step.kept = step.kept.max(price(&Item::CacheWrite1h).unwrap_or_default());
            // What gives vectors has no price for output, and no output.
            let output = dearest(&Item::Output, &OUTPUT);
            step.output = output.map_or(step.output, |output| Some(step.output.unwrap_or_default().max(output)));
        }
        step.kept = step.kept.max(step.input);
        Some(step)
    }
}

/// The dearest prices that may apply to a call, by the size of its input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ceiling {
    /// By rising size. A tier applies to the whole call.
    steps: Vec<Step>,
    /// For a million uses of the provider's own tools.
    fee: Price,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Step {
    above: u64,
    input: Price,
    /// Where some of the input is to be kept for an hour.
    kept: Price,
    output: Option<Price>,
}

/// The most that a call may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Demand {
    /// Input tokens.
    pub input: u64,
    /// Output tokens, thoughts included.
    pub output: u64,
    /// Uses of the provider's own tools that are charged by the piece.
    pub uses: u64,
    /// Whether some of the input is to be kept in a cache for an hour.
    pub kept: bool,
}

impl Demand {
    /// So much input and output.
    pub const fn new(input: u64, output: u64) -> Self {
        Self { input, output, uses: 0, kept: false }
    }
}

/// A receipt rounds each of its lines by itself: half a nano-dollar each, of fewer lines than these.
const ROUNDED: u64 = 16;

impl Ceiling {
    /// All of input and output at these prices, whatever the size.
    pub fn flat(input: Price, output: Price) -> Self {
        Self { steps: vec![Step { above: 0, input, kept: input, output: Some(output) }], fee: Price(0) }
    }

    /// Nano-dollars: no call of this demand costs more; `u64::MAX` where that does not fit. `None` where there is output
    /// and its price is unknown.
    pub fn most(&self, demand: &Demand) -> Option<u64> {
        let may_apply = self.steps.iter().filter(|step| step.above == 0 || demand.input > step.above);
        let mut most = 0;
        for step in may_apply {
            let input = cost(demand.input, if demand.kept { step.kept } else { step.input });
            let output = if demand.output == 0 { 0 } else { cost(demand.output, step.output?) };
            most = most.max(input.saturating_add(output));
        }
        Some(most.saturating_add(cost(demand.uses, self.fee)).saturating_add(ROUNDED))
    }
}

/// So many at a price for a million, in nano-dollars, rounded up.
fn cost(quantity: u64, price: Price) -> u64 {
    // Nearly always it fits, and long division is slow.
    if let Some(product) = quantity.checked_mul(price.0) {
        return product.div_ceil(1_000_000);
    }
    let product = (u128::from(quantity) * u128::from(price.0)).div_ceil(1_000_000);
    u64::try_from(product).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that are the same in every run.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % end
        }
    }

    fn usage(random: &mut Random, size: u64) -> Usage {
        let mut usage = Usage::default();
        (usage.input, usage.output) = (Some(random.below(size)), Some(random.below(size)));
        let mut maybe = |bucket: &mut Option<u64>| *bucket = (random.below(3) == 0).then(|| random.below(size));
        maybe(&mut usage.cache_read);
        maybe(&mut usage.cache_write);
        maybe(&mut usage.cache_write_1h);
        maybe(&mut usage.image_input);
        maybe(&mut usage.reasoning);
        usage
    }

    /// Of every listed model, in every service tier, at every size: no receipt passes the ceiling of its usage.
    #[test]
    fn no_receipt_passes_its_ceiling() {
        let prices = Prices::default();
        let (mut random, mut checked) = (Random(7), 0_u32);
        for (provider, models) in crate::built_in().rows() {
            for row in models.lines() {
                let (model, _) = row.split_once('\t').expect("prices");
                let listed = prices.listed(provider, model).expect("it is listed");
                let tiers = [None, Some("flex"), Some("priority"), Some("new")];
                let service_tier = tiers[usize::try_from(random.below(4)).expect("small")];
                let mut options = Options { service_tier, ..Options::default() };
                let Some(ceiling) = listed.ceiling(&options) else { continue };
                let size = [50, 5_000, 300_000][usize::try_from(random.below(3)).expect("small")];
                let usage = usage(&mut random, size);
                let demand = Demand {
                    input: usage.input_total().expect("known"),
                    output: usage.output_total().expect("known"),
                    uses: 0,
                    kept: usage.cache_write_1h.is_some(),
                };
                // Asked for a tier, and served in it or in the standard one.
                for tier in [options.service_tier, None] {
                    options.service_tier = tier;
                    let (Some(total), Some(most)) = (listed.receipt(&usage, &options).total, ceiling.most(&demand))
                    else {
                        continue;
                    };
                    assert!(total <= most, "{provider}/{model} {tier:?}: {total} > {most} for {usage:?}");
                    checked += 1;
                }
            }
        }
        assert!(checked > 2_000, "{checked}");
    }

    #[test]
    fn what_does_not_fit_is_no_less_than_all() {
        let ceiling = Ceiling::flat(Price(u64::MAX), Price(1));
        assert_eq!(ceiling.most(&Demand::new(u64::MAX, u64::MAX)), Some(u64::MAX));
        assert_eq!(Ceiling::flat(Price(3), Price(0)).most(&Demand::new(1, 7)), Some(1 + ROUNDED), "rounded up");
    }

    #[test]
    fn a_kept_model_gives_the_same_receipt() {
        let prices = Prices::default();
        let usage = usage(&mut Random(3), 9_000);
        let listed = prices.listed("anthropic", "claude-sonnet-4-5").expect("listed");
        let options = Options::default();
        assert_eq!(
            listed.receipt(&usage, &options),
            prices.receipt("anthropic", "claude-sonnet-4-5", &usage, &options)
        );
        assert!(prices.is_same(&prices.clone()) && !prices.is_same(&Prices::default()));
    }
}
