//! What all answers of the mode used, and what they cost.

use sabir::ChatResponse;
use sabir::chat::Usage;

use crate::table::{dollars, grouped};

/// The sum.
#[derive(Debug, Default)]
pub(super) struct Spent {
    answers: u64,
    usage: Usage,
    nano_usd: u64,
    /// How many answers have no price that is known: they were stopped, or their model has none.
    unpriced: u64,
}

impl Spent {
    pub(super) fn add(&mut self, answer: &ChatResponse) {
        self.answers += 1;
        self.usage = self.usage.plus(&answer.usage);
        match answer.cost {
            Some(cost) => self.nano_usd = self.nano_usd.saturating_add(cost.nano_usd),
            None => self.unpriced += 1,
        }
    }

    /// In a line.
    pub(super) fn in_words(&self) -> String {
        let count =
            |number: u64, what: &str| format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" });
        let tokens = |tokens: Option<u64>| tokens.map_or_else(|| "?".to_owned(), grouped);
        let cost = match (self.answers, self.unpriced) {
            (_, 0) => dollars(self.nano_usd),
            (all, unpriced) if all == unpriced => "the cost is not known".to_owned(),
            (_, unpriced) => {
                format!("{} or more: of {} the cost is not known", dollars(self.nano_usd), count(unpriced, "answer"))
            }
        };
        let (input, output) = (tokens(self.usage.input_total()), tokens(self.usage.output_total()));
        match self.answers {
            0 => "nothing yet".to_owned(),
            answers => format!("{}: {input} tokens in, {output} out; {cost}", count(answers, "answer")),
        }
    }
}

#[cfg(test)]
mod tests {
    use sabir::chat::{Cost, CostBasis};

    use super::*;

    fn answer(tokens: u64, nano_usd: Option<u64>) -> ChatResponse {
        let mut answer = ChatResponse::default();
        answer.usage = Usage { input: Some(tokens), output: Some(1), ..Usage::default() };
        answer.cost = nano_usd.map(|nano_usd| Cost { nano_usd, basis: CostBasis::ListPrice });
        answer
    }

    #[test]
    fn a_sum_says_what_it_does_not_know() {
        let mut spent = Spent::default();
        assert_eq!(spent.in_words(), "nothing yet");
        spent.add(&answer(1_000, None));
        assert_eq!(spent.in_words(), "1 answer: 1,000 tokens in, 1 out; the cost is not known");
        spent.add(&answer(2_000, Some(1_500_000_000)));
        let known = "2 answers: 3,000 tokens in, 2 out; $1.50 or more: of 1 answer the cost is not known";
        assert_eq!(spent.in_words(), known);
        let mut priced = Spent::default();
        priced.add(&answer(5, Some(20)));
        assert_eq!(priced.in_words(), "1 answer: 5 tokens in, 1 out; $0.00000002");
    }
}
