//! Simulated vectors and rankings: the same words give the same numbers, and shared words make texts alike.

use std::collections::HashSet;

use sabir_core::chat::Usage;
use sabir_core::embed::{EmbedInput, EmbedRequest, EmbedResponse};
use sabir_core::rerank::{Ranked, RerankRequest, RerankResponse};

use crate::model::fnv;

/// Length of a vector where the request does not say.
const USUAL: u32 = 64;
/// The longest vector.
const LONGEST: u32 = 4_096;

/// A vector for each input: its words, each counted where its hash falls, brought to length 1.
pub(crate) fn embed(request: &EmbedRequest) -> EmbedResponse {
    let dimensions = request.dimensions.unwrap_or(USUAL).clamp(1, LONGEST);
    let mut response = EmbedResponse::default();
    response.model.clone_from(&request.model);
    response.vectors = request.inputs.iter().map(|input| vector(&words(input), dimensions)).collect();
    response.usage = Usage::default();
    response.usage.input = Some(request.inputs.iter().map(|input| words(input).len() as u64).sum());
    response
}

/// The documents by the share of the query's words that they have.
pub(crate) fn rerank(request: &RerankRequest) -> RerankResponse {
    let query: HashSet<String> = split(&request.query).into_iter().collect();
    let mut ranking: Vec<Ranked> = (0u32..)
        .zip(&request.documents)
        .map(|(index, document)| {
            let shared = split(document).into_iter().collect::<HashSet<_>>().intersection(&query).count();
            #[expect(clippy::cast_precision_loss, reason = "a share of words")]
            let score = shared as f64 / query.len().max(1) as f64;
            Ranked { index, score }
        })
        .collect();
    ranking.sort_by(|a, b| b.score.total_cmp(&a.score));
    ranking.truncate(request.top_n.map_or(usize::MAX, |n| n as usize));
    let mut response = RerankResponse::default();
    response.model.clone_from(&request.model);
    response.ranking = ranking;
    response
}

fn words(input: &EmbedInput) -> Vec<String> {
    match input {
        EmbedInput::Text(text) => split(text),
        EmbedInput::Tokens(tokens) => tokens.iter().map(u32::to_string).collect(),
        other => vec![format!("{:x}", fnv(format!("{other:?}").as_bytes()))],
    }
}

fn split(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

fn vector(words: &[String], dimensions: u32) -> Vec<f32> {
    let mut vector = vec![0.0_f32; dimensions as usize];
    for word in words {
        let at = fnv(word.as_bytes()) % u64::from(dimensions);
        if let Some(value) = usize::try_from(at).ok().and_then(|at| vector.get_mut(at)) {
            *value += 1.0;
        }
    }
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        for value in &mut vector {
            *value /= length;
        }
    }
    vector
}
