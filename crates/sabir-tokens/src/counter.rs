use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

use sabir_core::chat::ChatRequest;
use sabir_core::embed::EmbedInput;
use sabir_core::{Call, Request};

use crate::table::{self, Rule};
use crate::text::{Measure, Texts};
use crate::vocabulary::Own;
use crate::{Count, ModelId};

/// Shorter texts are counted sooner than they are found.
const WORTH_KEEPING: usize = 64;

/// Counts requests, and remembers the texts that it has counted: a prompt that is sent again costs its hash.
///
/// It keeps no text, only 128 bits of a keyed hash and the count, and no more of them than it is told; what was not asked
/// for longest is forgotten. It may be shared.
#[derive(Debug)]
pub struct Counter {
    kept: Mutex<Kept>,
    most: usize,
    own: Vec<Own>,
    keys: [RandomState; 2],
}

#[derive(Debug, Default)]
struct Kept {
    counts: HashMap<(u128, Measure), (Count, u64)>,
    /// By when they were last asked for.
    order: BTreeMap<u64, (u128, Measure)>,
    asked: u64,
    found: u64,
}

impl Default for Counter {
    /// Remembers 4,096 texts, about 600 kB.
    fn default() -> Self {
        Self::new(4096)
    }
}

impl Counter {
    /// A counter that remembers this many texts.
    pub fn new(most: usize) -> Self {
        Self { kept: Mutex::default(), most, own: Vec::new(), keys: [RandomState::new(), RandomState::new()] }
    }

    /// Counts models by this vocabulary whose name has this word in it, at the beginning of a word (`llama-3` is in
    /// `meta-llama/Llama-3.1-8B` and not in `codellama-3`); letters are compared without case. A word that was given
    /// later wins. Texts are then exact; what the model's chat template puts around them is estimated.
    #[cfg(feature = "vocabularies")]
    #[must_use]
    pub fn with(mut self, models: &str, vocabulary: crate::Vocabulary) -> Self {
        self.own.push(Own { models: models.to_ascii_lowercase(), vocabulary });
        self
    }

    /// The tokens of a request, as [`count`](crate::count()).
    pub fn count(&self, request: &ChatRequest, model: &ModelId) -> Count {
        crate::request::with(request, self.rule(model), self)
    }

    /// The tokens of a text by itself, as [`count_text`](crate::count_text).
    pub fn count_text(&self, text: &str, model: &ModelId) -> Count {
        crate::request::text_with(text, self.rule(model), self)
    }

    /// The tokens of any request's input, for a layer: of texts that become vectors and of documents as they stand, of
    /// each document with the query.
    ///
    /// Known texts cost their hash. New ones cost some 60 ns a byte where they are counted exactly, and that in the task
    /// that asks; see `docs/performance.md` before a limit counts so.
    pub fn input(&self, call: &Call, request: &Request) -> Count {
        let mut model = ModelId::new(call.provider.as_str(), request.model());
        model.responses = call.dialect.as_deref().is_some_and(|dialect| dialect.ends_with("responses"));
        match request {
            Request::Chat(chat) => self.count(chat, &model),
            Request::Count(count) => self.count(&count.chat, &model),
            Request::Embed(embed) => embed
                .inputs
                .iter()
                .map(|input| match input {
                    EmbedInput::Text(text) => self.count_text(text, &model),
                    EmbedInput::Tokens(tokens) => Count::exact(tokens.len() as u64),
                    // No vendor publishes what an image is here.
                    _ => Count::estimate(1_000, 1, 10_000),
                })
                .sum(),
            Request::Rerank(rerank) => {
                let query = self.count_text(&rerank.query, &model);
                rerank.documents.iter().map(|document| self.count_text(document, &model) + query).sum()
            }
            _ => Count::default(),
        }
    }

    fn rule(&self, model: &ModelId) -> Rule {
        let name = model.model.to_ascii_lowercase();
        match self.own.iter().rposition(|own| table::has_word(&name, &own.models)) {
            Some(number) => table::own(model, number),
            None => table::rule(model),
        }
    }

    /// How many texts were asked for, and how many of them were remembered.
    pub fn asked_and_found(&self) -> (u64, u64) {
        let kept = self.kept();
        (kept.asked, kept.found)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        // A count is written whole or not at all, so that one who panicked has broken nothing.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Texts for Counter {
    fn count(&self, measure: Measure, text: &str) -> Count {
        if text.len() < WORTH_KEEPING || self.most == 0 {
            return measure.count(text, &self.own);
        }
        let [high, low] = [&self.keys[0], &self.keys[1]].map(|key| u128::from(key.hash_one(text)));
        let key = (high << 64 | low, measure);
        if let Some(count) = self.kept().find(key) {
            return count;
        }
        // Not under the lock: others may look in the meantime.
        let count = measure.count(text, &self.own);
        self.kept().keep(key, count, self.most);
        count
    }
}

impl Kept {
    fn find(&mut self, key: (u128, Measure)) -> Option<Count> {
        self.asked += 1;
        let now = self.asked;
        let (count, last) = self.counts.get_mut(&key)?;
        self.order.remove(last);
        *last = now;
        self.order.insert(now, key);
        self.found += 1;
        Some(*count)
    }

    fn keep(&mut self, key: (u128, Measure), count: Count, most: usize) {
        self.asked += 1;
        if let Some((_, last)) = self.counts.insert(key, (count, self.asked)) {
            self.order.remove(&last);
        }
        self.order.insert(self.asked, key);
        if self.counts.len() > most
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.counts.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(n: usize) -> String {
        format!("{n} {}", "a text that is worth keeping ".repeat(3))
    }

    #[test]
    fn what_is_remembered_is_what_was_counted_and_never_more_than_told() {
        let counter = Counter::new(2);
        let model = ModelId::new("openai", "gpt-4o");
        let ask = |n| counter.count(&ChatRequest::new("m").user(text(n)), &model);
        let first = ask(1);
        let found = |counter: &Counter| counter.kept().found;
        assert_eq!((ask(1), found(&counter)), (first, 1));
        ask(2);
        ask(1);
        ask(3);
        assert_eq!(counter.kept().counts.len(), 2);
        assert_eq!(counter.kept().order.len(), 2);
        let before = found(&counter);
        assert_eq!(ask(1), first);
        assert_eq!(found(&counter), before + 1, "it was asked for lately, and so the other one is forgotten");
        ask(2);
        assert_eq!(found(&counter), before + 1);
        assert_eq!(first, crate::count(&ChatRequest::new("m").user(text(1)), &model));
    }
}
