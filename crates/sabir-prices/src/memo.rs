//! Models that were looked up, so that the list is searched once for each.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::Listed;

/// More models than anybody asks; beyond it all are forgotten, and looked up again when they are asked.
const MOST: usize = 1_000;
/// Longer names are of no model, and are not kept.
const LONGEST: usize = 200;

type ByModel = HashMap<String, Option<Arc<Listed>>>;

/// What was found of each provider's models, or that there is nothing.
#[derive(Debug, Default)]
pub(crate) struct Memo(RwLock<HashMap<String, ByModel>>);

impl Memo {
    /// What is known of a model; found now, if it was never asked for.
    pub(crate) fn of(&self, provider: &str, model: &str, find: impl FnOnce() -> Option<Listed>) -> Option<Arc<Listed>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(provider).and_then(|models| models.get(model)) {
            return known.clone();
        }
        drop(known);
        let found = find().map(Arc::new);
        if provider.len() + model.len() <= LONGEST {
            let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
            if all.values().map(HashMap::len).sum::<usize>() >= MOST {
                all.clear();
            }
            all.entry(provider.to_owned()).or_default().insert(model.to_owned(), found.clone());
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Prices;

    #[test]
    fn each_model_is_looked_up_once_and_few_are_kept() {
        let memo = Memo::default();
        let listed = || Prices::default().search("openai", "gpt-6-luna");
        let first = memo.of("openai", "gpt-6-luna", listed).expect("it is listed");
        let again = memo.of("openai", "gpt-6-luna", || panic!("it is known")).expect("it is listed");
        assert!(Arc::ptr_eq(&first, &again));
        assert!(memo.of("nobody", "nothing", || None).is_none());
        assert!(memo.of("nobody", "nothing", || panic!("it is known, too")).is_none());
        for number in 0..3 * MOST {
            memo.of("openai", &number.to_string(), || None);
        }
        memo.of("openai", &"x".repeat(LONGEST), || None);
        let all = memo.0.read().expect("nobody panicked");
        assert!(all.values().map(HashMap::len).sum::<usize>() <= MOST);
        assert!(all.values().flat_map(HashMap::keys).all(|model| model.len() < LONGEST));
    }
}
