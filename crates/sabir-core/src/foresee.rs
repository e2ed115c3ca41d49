//! Looking at a call without making it: what the layers would do, and whether they would let it through.

use crate::Error;
use crate::service::{Call, Request};

/// One attempt of a call that is only looked at: of whom it would be asked, and what.
///
/// [`Layer::foresee`](crate::Layer::foresee) takes those there are from the layer above and gives them on as this layer
/// would.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Foreseen {
    /// The call as it would be: its provider, its key.
    pub call: Call,
    /// The request as it would be.
    pub request: Request,
    /// The name of the route whose target it is, where there is one.
    pub route: Option<String>,
    /// What those layers say that may refuse it, from the caller down.
    pub verdicts: Vec<Verdict>,
}

/// Whether one layer would let an attempt through.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Which: `guard`, `keys`, `breaker`, `limits`, `budgets`.
    pub by: &'static str,
    /// What it holds the attempt against, in words: one limit or budget each.
    pub holds: Vec<String>,
    /// The error that the attempt would end in; `None` where it would pass.
    pub refused: Option<Error>,
}

impl Foreseen {
    /// A call as it comes to the first layer.
    pub fn new(call: Call, request: Request) -> Self {
        Self { call, request, route: None, verdicts: Vec::new() }
    }

    /// Adds what a layer says that holds the attempt against something; nothing where that is nothing and it passes.
    pub fn judged(&mut self, by: &'static str, holds: Vec<String>, refused: Option<Error>) {
        if !holds.is_empty() || refused.is_some() {
            self.verdicts.push(Verdict { by, holds, refused });
        }
    }

    /// Whether every layer would let it through.
    pub fn is_admitted(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.refused.is_none())
    }
}
