//! From usage to lines.

use sabir_core::chat::{Item, Line, Usage};

use crate::Options;
use crate::choose::{Chosen, Found};
use crate::model::ModelPrices;

/// The parts of input and output that are counted apart.
static INPUT: [Item; 5] = [Item::CacheRead, Item::CacheWrite, Item::CacheWrite1h, Item::AudioInput, Item::ImageInput];
static OUTPUT: [Item; 3] = [Item::Reasoning, Item::AudioOutput, Item::ImageOutput];

/// The lines of what was used, each bucket once. `exact` is whether the prices are those of the very model.
pub(crate) fn lines(model: Option<&ModelPrices>, exact: bool, usage: &Usage, options: &Options<'_>) -> Vec<Line> {
    let chosen = model.map(|model| Chosen::new(model, usage.input_total(), options));
    let mut lines = Lines { chosen, guessed: usage.estimated || !exact, told: Vec::with_capacity(4) };
    let input = [usage.cache_read, usage.cache_write, usage.cache_write_1h, usage.audio_input, usage.image_input];
    lines.side(usage.input_stated, (Item::Input, usage.input), &INPUT, input);
    let output = [usage.reasoning, usage.audio_output, usage.image_output];
    lines.side(usage.output_stated, (Item::Output, usage.output), &OUTPUT, output);
    for (name, uses) in &usage.tools {
        lines.line(Item::Tool(name.clone()), Some(*uses), false);
    }
    lines.told
}

/// The lines so far, and what the next ones need.
struct Lines<'m> {
    chosen: Option<Chosen<'m>>,
    /// Whether all of them are estimates.
    guessed: bool,
    told: Vec<Line>,
}

impl Lines<'_> {
    fn price(&self, item: &Item) -> Option<Found> {
        self.chosen.as_ref().and_then(|chosen| chosen.price(item))
    }

    /// The buckets of one side. A stated total is what is billed: the parts that say more are cut to it, the dearest last.
    fn side<const N: usize>(
        &mut self,
        stated: Option<u64>,
        main: (Item, Option<u64>),
        parts: &[Item; N],
        quantities: [Option<u64>; N],
    ) {
        let known = parts.iter().zip(quantities).filter_map(|(item, quantity)| Some((item, quantity?)));
        let Some(mut left) = stated else {
            self.line(main.0, main.1, false);
            return known.for_each(|(item, quantity)| self.line(item.clone(), Some(quantity), false));
        };
        let mut parts: Vec<(Item, u64)> = known.map(|(item, quantity)| (item.clone(), quantity)).collect();
        // What has no price may be the dearest.
        parts.sort_by_key(|(item, _)| std::cmp::Reverse(self.price(item).map_or(u64::MAX, |found| found.price.0)));
        for (_, quantity) in &mut parts {
            *quantity = left.min(*quantity);
            left -= *quantity;
        }
        self.line(main.0, Some(left), true);
        for (item, quantity) in parts {
            self.line(item, Some(quantity), true);
        }
    }

    /// Nothing of something is a line only where nothing at all is known of the model, and how much of something that is
    /// free is no matter.
    fn line(&mut self, what: Item, quantity: Option<u64>, estimated: bool) {
        let found = self.price(&what);
        let is_main = matches!(what, Item::Input | Item::Output);
        let is_nothing = match (quantity, found) {
            (Some(0), _) => !is_main || self.chosen.is_some(),
            (None, Some(Found { price, .. })) => price.0 == 0,
            _ => false,
        };
        if !is_nothing {
            let estimated = estimated || self.guessed || found.is_some_and(|found| found.estimated);
            let line = Line::new(what, quantity, found.map(|found| found.price.0));
            self.told.push(Line { estimated, ..line });
        }
    }
}
