use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a call used, in tokens, in buckets that do not overlap. **Unknown is not zero**: a counter the provider
/// did not give is `None`.
///
/// Each dialect counts in its own way (some include cached tokens in the input, some reasoning in the output);
/// its room takes them apart, so that the sum of the buckets is always the whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Usage {
    /// Input that was neither read from a cache nor written to one.
    pub input: Option<u64>,
    /// Input read from the provider's cache.
    pub cache_read: Option<u64>,
    /// Input written to the cache for its default lifetime (5 minutes at Anthropic).
    pub cache_write: Option<u64>,
    /// Input written to the cache for an hour.
    pub cache_write_1h: Option<u64>,
    /// Input that was sound, not in `input`.
    pub audio_input: Option<u64>,
    /// Input that was images, not in `input`, where the provider counts them apart.
    pub image_input: Option<u64>,
    /// Output without reasoning.
    pub output: Option<u64>,
    /// Output spent on reasoning.
    pub reasoning: Option<u64>,
    /// Output that was sound, not in `output`.
    pub audio_output: Option<u64>,
    /// Output that was images, not in `output`.
    pub image_output: Option<u64>,
    /// The provider's own total of the input, where its parts add up to more: some report more cached input than
    /// input. The total is what is billed, so it wins in [`Usage::input_total`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_stated: Option<u64>,
    /// The provider's own total of the output, where its parts add up to more: some report more reasoning than
    /// output. It wins in [`Usage::output_total`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_stated: Option<u64>,
    /// Uses of the provider's own tools that are charged by the piece, by the provider's name for them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, u64>,
    /// Whether any counter is our estimate and not the provider's.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

impl Usage {
    /// All input, cached input included; `None` while the provider has not said.
    pub fn input_total(&self) -> Option<u64> {
        let more = [self.cache_read, self.cache_write, self.cache_write_1h, self.audio_input, self.image_input];
        self.input_stated.or_else(|| total(self.input, &more))
    }

    /// All output, reasoning included; `None` while the provider has not said.
    pub fn output_total(&self) -> Option<u64> {
        self.output_stated.or_else(|| total(self.output, &[self.reasoning, self.audio_output, self.image_output]))
    }

    /// Everything; `None` while either side is unknown.
    pub fn total(&self) -> Option<u64> {
        Some(self.input_total()?.saturating_add(self.output_total()?))
    }

    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }

    /// Sets `input` to what is left of a total that includes the other input buckets. A total that is less than they
    /// are together is kept as [`Usage::input_stated`].
    pub fn input_from_total(&mut self, total: Option<u64>) {
        let rest = [self.cache_read, self.cache_write, self.cache_write_1h, self.audio_input, self.image_input];
        (self.input, self.input_stated) = left_of(total, &rest);
    }

    /// Sets `output` to what is left of a total that includes the other output buckets. A total that is less than
    /// they are together is kept as [`Usage::output_stated`].
    pub fn output_from_total(&mut self, total: Option<u64>) {
        (self.output, self.output_stated) = left_of(total, &[self.reasoning, self.audio_output, self.image_output]);
    }

    /// What two calls used together. A bucket that both know nothing of stays unknown; one that either of them knows
    /// counts as far as it is known, since most providers leave out what is zero. The main buckets are known only
    /// where both are.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let both = |mine: Option<u64>, theirs: Option<u64>| Some(mine?.saturating_add(theirs?));
        let any = |mine: Option<u64>, theirs: Option<u64>| both(mine, theirs).or(mine).or(theirs);
        let mut tools = self.tools.clone();
        for (tool, uses) in &other.tools {
            let sum = tools.entry(tool.clone()).or_default();
            *sum = sum.saturating_add(*uses);
        }
        let mut sum = Self {
            input: both(self.input, other.input),
            cache_read: any(self.cache_read, other.cache_read),
            cache_write: any(self.cache_write, other.cache_write),
            cache_write_1h: any(self.cache_write_1h, other.cache_write_1h),
            audio_input: any(self.audio_input, other.audio_input),
            image_input: any(self.image_input, other.image_input),
            output: both(self.output, other.output),
            reasoning: any(self.reasoning, other.reasoning),
            audio_output: any(self.audio_output, other.audio_output),
            image_output: any(self.image_output, other.image_output),
            tools,
            estimated: self.estimated || other.estimated,
            ..Self::default()
        };
        // Where one of them states a total that its parts do not come to, so does the sum.
        if self.input_stated.is_some() || other.input_stated.is_some() {
            sum.input_stated = both(self.input_total(), other.input_total());
        }
        if self.output_stated.is_some() || other.output_stated.is_some() {
            sum.output_stated = both(self.output_total(), other.output_total());
        }
        sum
    }

    /// Takes over what a later report of the same call knows. Reports are cumulative: a later counter replaces
    /// an earlier one and is never added to it; what the later one does not say stays.
    pub fn update(&mut self, later: Self) {
        let pairs = [
            (&mut self.input, later.input),
            (&mut self.cache_read, later.cache_read),
            (&mut self.cache_write, later.cache_write),
            (&mut self.cache_write_1h, later.cache_write_1h),
            (&mut self.audio_input, later.audio_input),
            (&mut self.image_input, later.image_input),
            (&mut self.output, later.output),
            (&mut self.reasoning, later.reasoning),
            (&mut self.audio_output, later.audio_output),
            (&mut self.image_output, later.image_output),
        ];
        if later.input.is_some() {
            self.input_stated = later.input_stated;
        }
        if later.output.is_some() {
            self.output_stated = later.output_stated;
        }
        for (mine, theirs) in pairs {
            *mine = theirs.or(*mine);
        }
        self.tools.extend(later.tools);
        self.estimated = later.estimated;
    }
}

/// What is left of a total, and the total itself where the parts are more than it.
fn left_of(total: Option<u64>, parts: &[Option<u64>]) -> (Option<u64>, Option<u64>) {
    let sum = parts.iter().flatten().fold(0, |sum: u64, part| sum.saturating_add(*part));
    match total {
        Some(total) if sum > total => (Some(0), Some(total)),
        Some(total) => (Some(total - sum), None),
        None => (None, None),
    }
}

/// The main bucket must be known; the others count where they are.
fn total(main: Option<u64>, more: &[Option<u64>]) -> Option<u64> {
    more.iter().flatten().try_fold(main?, |sum, n| sum.checked_add(*n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_need_their_main_bucket_and_updates_do_not_add() {
        let mut usage = Usage { cache_read: Some(5), ..Usage::default() };
        assert_eq!((usage.input_total(), usage.total()), (None, None));
        usage.input_from_total(Some(12));
        usage.reasoning = Some(3);
        usage.output_from_total(Some(10));
        assert_eq!((usage.input, usage.output, usage.total()), (Some(7), Some(7), Some(22)));
        usage.update(Usage { output: Some(9), ..Usage::default() });
        assert_eq!((usage.input, usage.output, usage.reasoning), (Some(7), Some(9), Some(3)));
        usage.reasoning = Some(61);
        usage.output_from_total(Some(9));
        assert_eq!((usage.output, usage.reasoning, usage.output_total()), (Some(0), Some(61), Some(9)));
        let twice = usage.plus(&usage);
        assert_eq!((twice.output_total(), twice.reasoning, twice.input), (Some(18), Some(122), Some(14)));
        assert_eq!(usage.plus(&Usage::default()).total(), None, "what one of them does not know is not zero");
        usage.input = Some(u64::MAX);
        assert_eq!(usage.input_total(), None, "a hostile counter does not overflow");
    }
}
