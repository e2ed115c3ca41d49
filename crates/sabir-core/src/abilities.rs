//! What a dialect can carry, as data: the same words that name what it could not.

use std::fmt;

use crate::schema::SchemaRules;
use crate::{Feature, ModelTraits};

/// A set of features.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Features(u64);

// A bit for each word.
const _: () = assert!(Feature::ALL.len() <= 64, "a set of features has 64 places");

impl Features {
    /// No feature.
    pub const NONE: Self = Self(0);
    /// Every feature that has a name.
    pub const ALL: Self = Self::of(Feature::ALL);

    /// Every feature of a request for an answer that a dialect may be without.
    pub const OF_REQUESTS: Self = Self::ALL.without(&[
        // Of answers, or of other requests.
        Feature::Order,
        Feature::Choices,
        Feature::Usage,
        Feature::EmbedPurpose,
        Feature::Dimensions,
        Feature::ModelFacts,
        // Of one dialect, or of one provider's store.
        Feature::ServerTools,
        Feature::FileIds,
        Feature::Options,
        Feature::Opaque,
        Feature::Meta,
    ]);

    /// These features. Words without a name here ([`Feature::Other`]) are in no set.
    pub const fn of(features: &[Feature]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < features.len() {
            if let Some(place) = features[at].place() {
                bits |= 1 << place;
            }
            at += 1;
        }
        Self(bits)
    }

    /// Whether a feature is among them.
    pub const fn has(self, feature: &Feature) -> bool {
        match feature.place() {
            Some(place) => self.0 & (1 << place) != 0,
            None => false,
        }
    }

    /// These and those.
    #[must_use]
    pub const fn with(self, features: &[Feature]) -> Self {
        Self(self.0 | Self::of(features).0)
    }

    /// These without those.
    #[must_use]
    pub const fn without(self, features: &[Feature]) -> Self {
        Self(self.0 & !Self::of(features).0)
    }

    /// Those that both have.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The features, in the order in which they are documented.
    pub fn iter(self) -> impl Iterator<Item = &'static Feature> {
        Feature::ALL.iter().filter(move |feature| self.has(feature))
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Feature::as_str)).finish()
    }
}

/// What can be asked of a dialect, as one provider speaks it: what it carries, and within which bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// What a request can carry without a [`Loss`](crate::Loss).
    pub features: Features,
    /// The most characters of a tool's name.
    pub tool_name: usize,
    /// The characters of a tool's name besides letters, digits, `_` and `-`.
    pub tool_name_also: &'static str,
    /// The media types of images that are taken; empty where nothing is stated.
    pub images: &'static [&'static str],
    /// Whether the arguments of an earlier call are text here, so that a model's broken ones can go back as they were;
    /// where they are an object on the wire, anything else is a fault.
    pub free_arguments: bool,
    /// The most bytes of one medium that is sent within the request; `None` where nothing is stated.
    pub inline_bytes: Option<usize>,
    /// Whether the person and the model must take turns, a message each.
    pub turns: bool,
    /// What is taken of JSON Schema where an answer is held to one.
    pub schema: SchemaRules,
}

impl Default for Abilities {
    /// Everything, and the widest bounds.
    fn default() -> Self {
        Self {
            features: Features::OF_REQUESTS,
            tool_name: 128,
            tool_name_also: ".:/",
            free_arguments: true,
            images: &[],
            inline_bytes: None,
            turns: false,
            schema: SchemaRules::default(),
        }
    }
}

impl Abilities {
    /// The same, of one model: without what it is known not to take. What is unknown of it changes nothing.
    #[must_use]
    pub fn of_model(mut self, traits: &ModelTraits) -> Self {
        let refused: [(Option<bool>, &[Feature]); 6] = [
            (
                traits.tools,
                &[
                    Feature::Tools,
                    Feature::ToolChoice,
                    Feature::ParallelTools,
                    Feature::StrictTools,
                    Feature::ToolErrors,
                ],
            ),
            (traits.vision, &[Feature::Images]),
            (traits.structured_output, &[Feature::JsonSchema]),
            (traits.reasoning, &[Feature::ReasoningEffort, Feature::ReasoningBudget]),
            (traits.budget_thinking, &[Feature::ReasoningBudget]),
            (
                traits.sampling,
                &[
                    Feature::Temperature,
                    Feature::TopP,
                    Feature::TopK,
                    Feature::PresencePenalty,
                    Feature::FrequencyPenalty,
                ],
            ),
        ];
        for (can, features) in refused {
            if can == Some(false) {
                self.features = self.features.without(features);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_they_were_given() {
        const SOME: Features = Features::of(&[Feature::Seed, Feature::Tools]);
        assert!(SOME.has(&Feature::Tools) && !SOME.has(&Feature::Stop));
        assert_eq!(format!("{SOME:?}"), r#"{"tools", "seed"}"#);
        assert_eq!(
            SOME.with(&[Feature::Stop]).without(&[Feature::Seed, Feature::Tools]),
            Features::of(&[Feature::Stop])
        );
        assert_eq!(Features::ALL.iter().count(), Feature::ALL.len());
        assert!(!Features::ALL.has(&Feature::Other("new".into())));
        assert_eq!(SOME.and(Features::of(&[Feature::Seed])), Features::of(&[Feature::Seed]));
    }

    #[test]
    fn a_model_takes_away_what_it_refuses() {
        let blind = ModelTraits { vision: Some(false), tools: Some(true), ..ModelTraits::default() };
        let abilities = Abilities::default().of_model(&blind);
        assert!(!abilities.features.has(&Feature::Images));
        assert!(abilities.features.has(&Feature::Tools) && abilities.features.has(&Feature::TopK));
    }
}
