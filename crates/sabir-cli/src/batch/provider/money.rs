//! A provider's batch and money: all of it has to fit into the budgets before it is sent, and each answer goes into the
//! ledger when it is there.

use std::sync::{Arc, Mutex, PoisonError};

use sabir::config::{Books, Config};
use sabir::layers::Stack;
use sabir::{Call, ChatRequest, ChatResponse, Client, Error, ErrorKind, Layer, Reply, Request, Service, Shared, Stage};
use tokio::sync::mpsc::{Sender, channel};
use tokio::task::JoinSet;

use super::super::work::Work;
use crate::failure::Failure;

/// The tier by whose prices answers of a batch are charged.
const TIER: &str = "batch";

pub(super) struct Money {
    books: Books,
    /// Asked, it answers what was put there.
    booking: Client,
    answer: Told,
}

impl Money {
    pub(super) fn open(work: &Work, config: &Config) -> Result<Self, Failure> {
        let books = Books::open(config)?;
        let answer = Told::default();
        let stack = Stack::new().receipts(books.receipts.clone());
        let stack = books.writing().into_iter().fold(stack, Stack::spend);
        let booking = beside(work).layer(answer.clone()).stack(stack).build()?;
        Ok(Self { books, booking, answer })
    }

    /// Looks whether all items fit into the budgets at once.
    pub(super) async fn reserve(&self, work: &Work, items: &[usize]) -> Result<(), Failure> {
        let Some(spend) = self.books.reserving() else { return Ok(()) };
        let (arrived, mut arrivals) = channel(1);
        let client = beside(work).layer(Waits(arrived)).stack(Stack::new().spend(spend)).build()?;
        // Those that wait hold what they reserved until all are let go.
        let mut waiting = JoinSet::new();
        for index in items {
            let (_, call, request) = work.request(*index)?;
            let (client, request) = (client.clone(), Request::Chat(request));
            waiting.spawn(async move { client.service().call(&call, &request).await.err() });
            tokio::select! {
                _ = arrivals.recv() => {}
                Some(ended) = waiting.join_next() => match ended {
                    Ok(Some(error)) => {
                        let message = format!("nothing was sent; the batch has to fit into the budgets as a whole: {}", error.message());
                        return Err(Error::new(error.kind(), message).with_stage(Stage::NotSent).into());
                    }
                    _ => return Err(Failure::nothing("the batch could not be reserved for")),
                },
            }
        }
        Ok(())
    }

    /// Puts a receipt on an answer, and writes it into the ledger.
    pub(super) async fn book(
        &self,
        call: Call,
        request: ChatRequest,
        answered: sabir::Result<ChatResponse>,
    ) -> sabir::Result<ChatResponse> {
        let dialect = self.booking.registry().get(&call.provider).ok().and_then(|provider| provider.dialect());
        let answered = match answered {
            Ok(mut response) => {
                let name = dialect.map_or(TIER, |dialect| dialect.name());
                response.meta.set(name, "service_tier", TIER.into());
                Ok(response)
            }
            // What was not done is not paid.
            Err(error) if error.status().is_none() => Err(error.with_stage(Stage::NotSent)),
            Err(error) => Err(error),
        };
        *self.answer.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(answered);
        self.booking.service().call(&call, &Request::Chat(request)).await?.whole()
    }
}

/// A client that knows the same providers.
fn beside(work: &Work) -> sabir::ClientBuilder {
    Client::builder().registry(work.client.registry().clone()).env(work.client.env().clone())
}

/// Answers with what was put there.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Option<sabir::Result<ChatResponse>>>>);

impl Layer for Told {
    fn apply(&self, _: Shared) -> Shared {
        Shared::new(self.clone())
    }
}

impl Service for Told {
    async fn call<'a>(&'a self, _: &'a Call, _: &'a Request) -> sabir::Result<Reply> {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let told = told.unwrap_or_else(|| Err(Error::new(ErrorKind::Provider, "nothing was answered")));
        told.map(|response| Reply::Whole(Box::new(response)))
    }
}

/// Says that a call came, and keeps it waiting for ever.
#[derive(Clone, Debug)]
struct Waits(Sender<()>);

impl Layer for Waits {
    fn apply(&self, _: Shared) -> Shared {
        Shared::new(self.clone())
    }
}

impl Service for Waits {
    async fn call<'a>(&'a self, _: &'a Call, _: &'a Request) -> sabir::Result<Reply> {
        // Who is gone waits for nobody.
        let _ = self.0.send(()).await;
        std::future::pending().await
    }
}
