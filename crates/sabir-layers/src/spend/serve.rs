//! Calls that are let through, sent and settled.

use std::sync::Arc;

use sabir_core::chat::ChatResponse;
use sabir_core::transport::BoxFuture;
use sabir_core::{Call, Foreseen, Layer, Reply, Request, Result, Service, Shared};
use sabir_store::{Answer, Outcome};

use super::Spend;
use super::attempt::Attempt;
use super::class::Classes;
use super::demand::Asked;
use super::stream::Metered;

impl Layer for Spend {
    fn apply(&self, inner: Shared) -> Shared {
        Shared::new(Spending { spend: Arc::new(self.clone()), classes: Classes::default(), inner })
    }

    fn providers(&self) -> Vec<String> {
        self.funds.iter().filter_map(|fund| fund.budget.provider()).collect()
    }

    fn foresee(&self, mut attempts: Vec<Foreseen>) -> BoxFuture<'_, Vec<Foreseen>> {
        Box::pin(async move {
            for attempt in &mut attempts {
                let (call, request) = (&attempt.call, &attempt.request);
                let concerning = self.funds.iter().filter(|fund| fund.budget.scope.concerns(call, request));
                let holds: Vec<String> = concerning.map(|fund| fund.budget.to_string()).collect();
                // Without budgets nothing is reserved, and nothing can refuse.
                let refused = if holds.is_empty() { None } else { self.would_admit(call, request).await.err() };
                attempt.judged("budgets", holds, refused);
            }
            attempts
        })
    }
}

#[derive(Debug)]
struct Spending {
    spend: Arc<Spend>,
    classes: Classes,
    inner: Shared,
}

impl Service for Spending {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        // To count costs nothing.
        if matches!(request, Request::Count(_)) || (self.spend.funds.is_empty() && self.spend.ledger.is_none()) {
            return self.inner.call(call, request).await;
        }
        let admitted = match self.spend.admit(&self.classes, call, request) {
            Answer::Now(admitted) => admitted?,
            Answer::Later(admitted) => admitted.await?,
        };
        let capped = admitted.cap.map(|cap| capped(request, cap));
        let mut sent = Sent { attempt: Some(Attempt::new(&self.spend, admitted)), is_under_way: false, request };
        if let Some(attempt) = &mut sent.attempt {
            attempt.open(call)?;
        }
        sent.is_under_way = true;
        let mut reply = self.inner.call(call, capped.as_deref().unwrap_or(request)).await;
        sent.is_under_way = false;
        // Both are looked at where they are: they are large.
        let Some(attempt) = &mut sent.attempt else { return reply };
        let input = || input_of(&self.spend, &call.provider, request);
        match &mut reply {
            Ok(Reply::Whole(response)) => attempt.answered(response, input),
            Ok(Reply::Embed(response)) => attempt.gave(&response.model, &response.usage, &mut response.cost, input),
            Ok(Reply::Rerank(response)) => attempt.gave(&response.model, &response.usage, &mut response.cost, input),
            Ok(Reply::Stream(_)) => {
                let asked = if let Request::Chat(chat) = request { Some(Box::new(chat.clone())) } else { None };
                return reply.map(|reply| match (reply, sent.attempt.take()) {
                    (Reply::Stream(events), Some(attempt)) => {
                        Reply::Stream(Box::pin(Metered::new(events, attempt, asked)))
                    }
                    (other, _) => other,
                });
            }
            Ok(Reply::Raw(_)) => attempt.unknown(),
            Ok(_) => attempt.free(Outcome::Answered),
            Err(error) => attempt.failed(error, input),
        }
        reply
    }
}

/// Where an assumption on the longest answer has to hold, it is asked for.
fn capped(request: &Request, cap: u64) -> Box<Request> {
    let mut request = Box::new(request.clone());
    if let Request::Chat(chat) = &mut *request {
        chat.max_tokens = Some(cap);
    }
    request
}

fn input_of(spend: &Spend, provider: &str, request: &Request) -> u64 {
    match request {
        Request::Chat(chat) => spend.input_of(Some(chat), provider),
        _ => Asked::of(request).likely,
    }
}

/// A call that is waited for. Dropped under way, it was left: perhaps it was sent.
struct Sent<'a> {
    attempt: Option<Attempt>,
    is_under_way: bool,
    request: &'a Request,
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        if let Some(attempt) = self.attempt.as_mut().filter(|_| self.is_under_way) {
            let (spend, provider) = (attempt.spend.clone(), attempt.model().provider.clone());
            let nothing = ChatResponse::default();
            attempt.broke_off(Outcome::Dropped, &nothing, || input_of(&spend, &provider, self.request));
        }
    }
}
