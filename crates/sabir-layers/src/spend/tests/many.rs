//! Ten thousand calls at once.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

/// Answers after a while, with what the number of the call says.
#[derive(Debug, Default)]
struct Busy {
    calls: AtomicU64,
    /// What was sent and not yet answered may cost at most: never more than the budget has.
    worst: Arc<AtomicU64>,
}

impl sabir_core::Service for Busy {
    async fn call<'a>(&'a self, _: &'a Call, _: &'a Request) -> Result<Reply> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        for _ in 0..number % 7 {
            tokio::task::yield_now().await;
        }
        self.worst.fetch_add(1, Ordering::SeqCst);
        match number % 5 {
            0 => Err(failed(ErrorKind::Overloaded)),
            1 => Err(failed(ErrorKind::Timeout)),
            _ => Ok(Reply::Whole(Box::new(used(20, number % 100)))),
        }
    }
}

#[test]
fn ten_thousand_calls_do_not_pass_what_some_of_them_may_spend() {
    const MOST: u64 = 100_000_000;
    let clock = ManualClock::new();
    let rows = Arc::new(Rows::default());
    let inner = Shared::new(Busy::default());
    let spend = spend(&clock).budget(daily(MOST)).budget(daily(MOST).each_client());
    let outer = spend.clone().ledger(rows.clone()).apply(inner);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().expect("a runtime");
    let admitted = runtime.block_on(async {
        let calls: Vec<_> = (0..10_000_u32)
            .map(|number| {
                let (outer, spend) = (outer.clone(), spend.clone());
                tokio::spawn(async move {
                    let (call, request) = (Call::to("p"), Request::Chat(chat()));
                    let asked = outer.call(&call, &request);
                    // Every tenth is left while it waits.
                    let reply = if number % 10 == 0 { left(asked).await } else { asked.await };
                    for one in spend.standing().await.expect("a store") {
                        assert!(one.spent + one.reserved <= one.most, "{one:?}");
                    }
                    !matches!(reply, Err(error) if error.kind() == ErrorKind::BudgetExceeded)
                })
            })
            .collect();
        let mut admitted = 0_u64;
        for call in calls {
            admitted += u64::from(call.await.expect("no panic"));
        }
        admitted
    });
    let standing = block_on_with(&clock, spend.standing()).expect("a store");
    for one in &standing {
        assert_eq!((one.reserved, one.spent.0), (Usd(0), rows.sum()), "{one:?}");
        assert!(one.spent.0 <= MOST, "{one:?}");
    }
    assert!(admitted > 100 && admitted < 10_000, "{admitted} of 10,000");
    assert!(rows.all().iter().all(|(_, ended)| ended.is_some()));
    // Refusals were for what was held and not spent: there is room again, and a call that fits is let through.
    let left = standing[0].left;
    assert!(left > Usd(10_000_000), "{standing:?}");
    let (call, request) = (Call::to("p"), Request::Chat(chat()));
    block_on_with(&clock, outer.call(&call, &Request::Chat(chat().max_tokens(left.0 / OUTPUT)))).expect_err("too much");
    let fits = Budget::per_request(left);
    block_on_with(&clock, self::spend(&clock).budget(fits).would_admit(&call, &request)).expect("it fits");
    let reply = block_on_with(&clock, outer.call(&call, &request));
    assert!(!matches!(reply, Err(error) if error.kind() == ErrorKind::BudgetExceeded), "what fits is let through");
}

/// Polls once, and leaves where there is no answer yet.
async fn left(asked: impl Future<Output = Result<Reply>>) -> Result<Reply> {
    let mut asked = std::pin::pin!(asked);
    std::future::poll_fn(|cx| {
        let polled = asked.as_mut().poll(cx);
        std::task::Poll::Ready(match polled {
            std::task::Poll::Ready(reply) => reply,
            std::task::Poll::Pending => Err(failed(ErrorKind::Cancelled)),
        })
    })
    .await
}
