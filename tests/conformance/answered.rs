//! Answers of our own to what is no conversation: what no recording has.

use sabir::embed::EmbedResponse;
use sabir::models::{ModelInfo, ModelsResponse};
use sabir::rerank::RerankResponse;
use sabir_core::rerank::Ranked;

/// Vectors.
pub(crate) fn embeddings() -> Vec<(&'static str, EmbedResponse)> {
    let mut one = EmbedResponse::default();
    one.id = "e-1".into();
    one.model = "test-model".into();
    one.vectors = vec![vec![0.5, -1.0, 0.25]];
    one.usage.input = Some(5);
    let mut two = one.clone();
    two.vectors.push(vec![0.0, 1.0, 0.125]);
    vec![("one-vector", one), ("vectors", two)]
}

/// Documents in order.
pub(crate) fn rerankings() -> Vec<(&'static str, RerankResponse)> {
    let mut all = RerankResponse::default();
    all.id = "r-1".into();
    all.model = "test-model".into();
    all.ranking = vec![Ranked { index: 1, score: 0.75 }, Ranked { index: 0, score: -4.5 }];
    all.usage.input = Some(9);
    vec![("ranking", all)]
}

/// Lists of models.
pub(crate) fn listings() -> Vec<(&'static str, ModelsResponse)> {
    let mut plain = ModelInfo::default();
    plain.id = "test-model".into();
    let mut known = plain.clone();
    known.name = Some("Test Model".into());
    known.created = Some(1_771_891_200);
    (known.context, known.max_output) = (Some(128_000), Some(8192));
    let list = |models| {
        let mut list = ModelsResponse::default();
        list.models = models;
        list
    };
    let mut first = list(vec![plain.clone()]);
    first.next_page = Some("page-2".into());
    vec![("no-models", list(Vec::new())), ("models", list(vec![plain, known])), ("first-page", first)]
}
