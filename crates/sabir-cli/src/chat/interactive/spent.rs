//! What all answers of the mode used, and what they cost.

use sabir::ChatResponse;

use crate::table::{dollars, grouped};

/// The sum, and of how many answers it is not known.
#[derive(Debug, Default)]
pub(super) struct Spent {
    answers: u64,
    input: Sum,
    output: Sum,
    nano_usd: Sum,
}

#[derive(Debug, Default)]
struct Sum {
    known: u64,
    unknown: u64,
}

impl Sum {
    fn add(&mut self, more: Option<u64>) {
        match more {
            Some(more) => self.known = self.known.saturating_add(more),
            None => self.unknown += 1,
        }
    }

    /// Out of so many answers.
    fn in_words(&self, answers: u64, words: fn(u64) -> String) -> String {
        match self.unknown {
            0 => words(self.known),
            unknown if unknown == answers => "?".to_owned(),
            _ => format!("{} or more", words(self.known)),
        }
    }
}

impl Spent {
    /// An answer, or as much of it as came: one that was stopped says of neither tokens nor cost.
    pub(super) fn add(&mut self, answer: &ChatResponse) {
        self.answers += 1;
        self.input.add(answer.usage.input_total());
        self.output.add(answer.usage.output_total());
        self.nano_usd.add(answer.cost.map(|cost| cost.nano_usd));
    }

    /// In a line.
    pub(super) fn in_words(&self) -> String {
        let all = self.answers;
        if all == 0 {
            return "nothing yet".to_owned();
        }
        let (input, output) = (self.input.in_words(all, grouped), self.output.in_words(all, grouped));
        let (answers, cost) = (grouped(all), self.nano_usd.in_words(all, dollars));
        let answers = if all == 1 { "1 answer".to_owned() } else { format!("{answers} answers") };
        format!("{answers}; tokens: {input} in, {output} out; cost: {cost}")
    }
}

#[cfg(test)]
mod tests {
    use sabir::chat::{Cost, CostBasis};

    use super::*;

    fn answer(tokens: u64, nano_usd: Option<u64>) -> ChatResponse {
        let mut answer = ChatResponse::default();
        (answer.usage.input, answer.usage.output) = (Some(tokens), Some(1));
        answer.cost = nano_usd.map(|nano_usd| Cost { nano_usd, basis: CostBasis::ListPrice });
        answer
    }

    #[test]
    fn a_sum_says_what_it_does_not_know() {
        let mut spent = Spent::default();
        assert_eq!(spent.in_words(), "nothing yet");
        spent.add(&answer(1_000, None));
        assert_eq!(spent.in_words(), "1 answer; tokens: 1,000 in, 1 out; cost: ?");
        spent.add(&answer(2_000, Some(1_500_000_000)));
        assert_eq!(spent.in_words(), "2 answers; tokens: 3,000 in, 2 out; cost: $1.50 or more");
        spent.add(&ChatResponse::default());
        assert_eq!(spent.in_words(), "3 answers; tokens: 3,000 or more in, 2 or more out; cost: $1.50 or more");
        let mut priced = Spent::default();
        priced.add(&answer(5, Some(20)));
        assert_eq!(priced.in_words(), "1 answer; tokens: 5 in, 1 out; cost: $0.00000002");
    }
}
