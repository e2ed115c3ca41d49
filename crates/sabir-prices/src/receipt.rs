//! From usage to lines.

use sabir_core::chat::{Item, Line, Usage};

use crate::Options;
use crate::choose::{Chosen, Found};
use crate::model::ModelPrices;

/// The lines of what was used, each bucket once. `exact` is whether the prices are those of the very model.
pub(crate) fn lines(model: Option<&ModelPrices>, exact: bool, usage: &Usage, options: &Options<'_>) -> Vec<Line> {
    let chosen = model.map(|model| Chosen::new(model, usage.input_total(), options));
    let price = |item: &Item| chosen.as_ref().and_then(|chosen| chosen.price(item));
    let input = side(
        usage.input_stated,
        (Item::Input, usage.input),
        [
            (Item::CacheRead, usage.cache_read),
            (Item::CacheWrite, usage.cache_write),
            (Item::CacheWrite1h, usage.cache_write_1h),
            (Item::AudioInput, usage.audio_input),
            (Item::ImageInput, usage.image_input),
        ],
        &price,
    );
    let output = side(
        usage.output_stated,
        (Item::Output, usage.output),
        [
            (Item::Reasoning, usage.reasoning),
            (Item::AudioOutput, usage.audio_output),
            (Item::ImageOutput, usage.image_output),
        ],
        &price,
    );
    let contradicts = [(input, usage.input_stated.is_some()), (output, usage.output_stated.is_some())];
    let sides =
        contradicts.into_iter().flat_map(|(parts, estimated)| parts.into_iter().map(move |part| (part, estimated)));
    let tools = usage.tools.iter().map(|(name, uses)| ((Item::Tool(name.clone()), Some(*uses)), false));
    let lines = sides.chain(tools).filter_map(|((what, quantity), estimated)| {
        let found = price(&what);
        let is_main = matches!(what, Item::Input | Item::Output);
        // Nothing of something is a line only where nothing at all is known of the model, and how much of something
        // that is free is no matter.
        let is_nothing = match (quantity, found) {
            (Some(0), _) => !is_main || model.is_some(),
            (None, Some(Found { price, .. })) => price.0 == 0,
            _ => false,
        };
        let line = Line::new(what, quantity, found.map(|found| found.price.0));
        let guessed = estimated || usage.estimated || !exact || found.is_some_and(|found| found.estimated);
        (!is_nothing).then_some(Line { estimated: guessed, ..line })
    });
    lines.collect()
}

/// The buckets of one side. A stated total is what is billed: the parts that say more are cut to it, the dearest last.
fn side<const N: usize>(
    stated: Option<u64>,
    main: (Item, Option<u64>),
    parts: [(Item, Option<u64>); N],
    price: &impl Fn(&Item) -> Option<Found>,
) -> Vec<(Item, Option<u64>)> {
    let known = parts.into_iter().filter(|(_, quantity)| quantity.is_some());
    let Some(mut left) = stated else {
        return std::iter::once(main).chain(known).collect();
    };
    let mut parts: Vec<(Item, u64)> = known.map(|(item, quantity)| (item, quantity.unwrap_or(0))).collect();
    // What has no price may be the dearest.
    parts.sort_by_key(|(item, _)| std::cmp::Reverse(price(item).map_or(u64::MAX, |found| found.price.0)));
    for (_, quantity) in &mut parts {
        *quantity = left.min(*quantity);
        left -= *quantity;
    }
    let parts = parts.into_iter().map(|(item, quantity)| (item, Some(quantity)));
    std::iter::once((main.0, Some(left))).chain(parts).collect()
}
