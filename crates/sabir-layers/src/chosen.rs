//! One floor of a stack that is another for some calls.

use std::sync::Arc;

use sabir_core::transport::BoxFuture;
use sabir_core::{Call, Foreseen, Layer, Reply, Request, Result, Service, Shared};

use crate::calls::{Calls, View, look};

/// A layer, or none.
type Floor = Option<Arc<dyn Layer>>;

/// Layers of which each call goes through one: the first that is for it, and else the usual one. All stand around the same
/// service.
#[derive(Debug)]
pub(crate) struct Chosen {
    usual: Floor,
    own: Vec<Floor>,
    choice: Arc<Choice>,
}

impl Chosen {
    pub(crate) fn new(usual: Floor, own: Vec<(Calls, Floor)>, view: View) -> Self {
        let (calls, own): (Vec<Calls>, Vec<Floor>) = own.into_iter().unzip();
        let looks = look(calls.iter());
        Self { usual, own, choice: Arc::new(Choice { calls, view, looks }) }
    }

    fn layer(&self, chosen: Option<usize>) -> &Floor {
        chosen.and_then(|at| self.own.get(at)).unwrap_or(&self.usual)
    }
}

/// Which of several is for a call.
#[derive(Debug)]
struct Choice {
    calls: Vec<Calls>,
    view: View,
    /// Whether any of them asks where a call goes.
    looks: bool,
}

impl Choice {
    /// `None` for the usual one.
    fn of(&self, call: &Call, request: &Request) -> Option<usize> {
        let seen = self.view.see(call, request, self.looks);
        self.calls.iter().position(|calls| calls.have(&seen))
    }
}

impl Layer for Chosen {
    fn apply(&self, inner: Shared) -> Shared {
        let around = |floor: &Floor| floor.as_ref().map_or_else(|| inner.clone(), |layer| layer.apply(inner.clone()));
        let own = self.own.iter().map(around).collect();
        Shared::new(Choosing { usual: around(&self.usual), own, choice: self.choice.clone() })
    }

    /// Attempts are in an order, and stay in it: those that are beside each other and of one layer it sees together.
    fn foresee(&self, attempts: Vec<Foreseen>) -> BoxFuture<'_, Vec<Foreseen>> {
        Box::pin(async move {
            let (mut seen, mut rest) = (Vec::new(), attempts.into_iter().peekable());
            while let Some(first) = rest.next() {
                let chosen = self.choice.of(&first.call, &first.request);
                let mut together = vec![first];
                let same = |next: &Foreseen| self.choice.of(&next.call, &next.request) == chosen;
                together.extend(std::iter::from_fn(|| rest.next_if(same)));
                seen.extend(match self.layer(chosen) {
                    Some(layer) => layer.foresee(together).await,
                    None => together,
                });
            }
            seen
        })
    }
}

#[derive(Debug)]
struct Choosing {
    usual: Shared,
    own: Vec<Shared>,
    choice: Arc<Choice>,
}

impl Service for Choosing {
    // Given on as it is: an `async fn` would be one more machine around it.
    fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> impl Future<Output = Result<Reply>> + Send + 'a {
        let chosen = self.choice.of(call, request).and_then(|at| self.own.get(at));
        chosen.unwrap_or(&self.usual).call(call, request)
    }
}

#[cfg(test)]
mod tests {
    use sabir_core::chat::{ChatRequest, ChatResponse};
    use sabir_testkit::{ManualClock, Outcome, Scripted, block_on_with, check_layer_on};

    use super::*;

    /// Writes its name, and how many attempts it sees at once, into the label `seen`.
    #[derive(Debug)]
    struct Marks(&'static str);

    #[derive(Debug)]
    struct Marked(&'static str, Shared);

    impl Layer for Marks {
        fn apply(&self, inner: Shared) -> Shared {
            Shared::new(Marked(self.0, inner))
        }

        fn foresee(&self, mut attempts: Vec<Foreseen>) -> BoxFuture<'_, Vec<Foreseen>> {
            let many = attempts.len();
            for attempt in &mut attempts {
                attempt.call.tags.push(("seen".into(), format!("{} of {many}", self.0)));
            }
            Box::pin(std::future::ready(attempts))
        }
    }

    impl Service for Marked {
        async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
            let mut call = call.clone();
            call.tags.push(("seen".into(), self.0.into()));
            self.1.call(&call, request).await
        }
    }

    fn marks(name: &'static str) -> Arc<dyn Layer> {
        Arc::new(Marks(name))
    }

    /// `red` has its own, `blue` none, all others of the model `m` another.
    fn chosen() -> Chosen {
        let team = |name: &str| Calls::new().tag("team", [name]);
        let own = vec![
            (team("red"), Some(marks("red"))),
            (team("blue"), None),
            (Calls::new().models(["m"]), Some(marks("m"))),
        ];
        Chosen::new(Some(marks("usual")), own, View::Below)
    }

    fn call_of(team: &str) -> Call {
        let mut call = Call::to("p");
        call.tags = vec![("team".into(), team.into())];
        call
    }

    fn seen(call: &Call) -> Option<String> {
        call.tags.iter().find(|(tag, _)| tag == "seen").map(|(_, value)| value.clone())
    }

    #[test]
    fn whichever_is_chosen_changes_nothing_else() {
        let clock = ManualClock::new();
        check_layer_on(&clock, |inner| chosen().apply(inner)).assert_ok();
    }

    #[test]
    fn the_first_that_is_for_a_call_is_asked_and_no_other() {
        let clock = ManualClock::new();
        let inner = Scripted::answering(&clock, |_, _| Outcome::whole(ChatResponse::default()));
        let outer = chosen().apply(inner.shared());
        for (team, model, expected) in
            [("red", "m", Some("red")), ("blue", "m", None), ("green", "m", Some("m")), ("green", "n", Some("usual"))]
        {
            let (call, request) = (call_of(team), Request::Chat(ChatRequest::new(model)));
            block_on_with(&clock, outer.call(&call, &request)).expect("an answer");
            let last = inner.seen().pop().expect("a call");
            assert_eq!(seen(&last.call).as_deref(), expected, "{team} {model}");
        }
    }

    #[test]
    fn attempts_stay_in_their_order_each_with_its_own() {
        let clock = ManualClock::new();
        let teams = ["red", "red", "blue", "green", "red"];
        let attempts = teams.map(|team| Foreseen::new(call_of(team), Request::Chat(ChatRequest::new("n"))));
        let looked = chosen();
        let shown: Vec<Option<String>> =
            block_on_with(&clock, looked.foresee(attempts.into())).iter().map(|one| seen(&one.call)).collect();
        let expected = [Some("red of 2"), Some("red of 2"), None, Some("usual of 1"), Some("red of 1")];
        assert_eq!(shown.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
    }
}
