//! A service that does as it is told and remembers what happened to it: the inside of a layer's test.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use sabir_core::chat::{ChatResponse, Event, Events};
use sabir_core::transport::BoxFuture;
use sabir_core::{Call, Clock, Error, ErrorKind, Reply, Request, Result, Service, Shared};

use crate::ManualClock;

/// How one call goes.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A whole answer.
    Whole(Box<ChatResponse>),
    /// A stream.
    Stream(Vec<Step>),
    /// An error in place of a reply.
    Fail(Error),
    /// No reply, ever.
    Forever,
    /// This long nothing, then something.
    After(Duration, Box<Outcome>),
}

/// What happens next in a stream.
#[derive(Clone, Debug)]
pub enum Step {
    /// An item comes.
    Item(Result<Event>),
    /// Nothing comes for this long.
    Wait(Duration),
    /// Nothing comes any more, not even the end.
    Forever,
}

impl Outcome {
    /// A whole answer.
    pub fn whole(response: ChatResponse) -> Self {
        Self::Whole(Box::new(response))
    }

    /// A stream of these items, all here at once.
    pub fn events(items: impl IntoIterator<Item = Result<Event>>) -> Self {
        Self::Stream(items.into_iter().map(Step::Item).collect())
    }

    /// The same after a while.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self::After(time, Box::new(self))
    }
}

/// What was asked of the service.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The call.
    pub call: Call,
    /// The request.
    pub request: Request,
    /// When, on the service's clock.
    pub at: Duration,
}

/// A service that does as it is told. Clones are the same service.
#[derive(Clone)]
pub struct Scripted(Arc<State>);

type Otherwise = dyn Fn(&Call, &Request) -> Outcome + Send + Sync;

struct State {
    clock: ManualClock,
    queue: Mutex<VecDeque<Outcome>>,
    otherwise: Box<Otherwise>,
    seen: Mutex<Vec<Seen>>,
    in_flight: AtomicUsize,
    dropped: AtomicUsize,
    past_end: AtomicUsize,
}

impl Scripted {
    /// A service whose calls go as these outcomes say, in order; a call too many is an error that says so.
    pub fn new(clock: &ManualClock, outcomes: impl IntoIterator<Item = Outcome>) -> Self {
        let over = |_: &Call, _: &Request| {
            Outcome::Fail(Error::new(ErrorKind::Configuration, "the script has no outcome left for this call"))
        };
        Self::build(clock, outcomes.into_iter().collect(), Box::new(over))
    }

    /// A service that answers each call by a function.
    pub fn answering(clock: &ManualClock, answer: impl Fn(&Call, &Request) -> Outcome + Send + Sync + 'static) -> Self {
        Self::build(clock, VecDeque::new(), Box::new(answer))
    }

    fn build(clock: &ManualClock, queue: VecDeque<Outcome>, otherwise: Box<Otherwise>) -> Self {
        Self(Arc::new(State {
            clock: clock.clone(),
            queue: Mutex::new(queue),
            otherwise,
            seen: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
            past_end: AtomicUsize::new(0),
        }))
    }

    /// Adds an outcome at the end of the script.
    pub fn push(&self, outcome: Outcome) {
        lock(&self.0.queue).push_back(outcome);
    }

    /// The service, to be wrapped.
    pub fn shared(&self) -> Shared {
        Shared::new(self.clone())
    }

    /// What was asked, in order.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.0.seen).clone()
    }

    /// How many calls were made.
    pub fn calls(&self) -> usize {
        lock(&self.0.seen).len()
    }

    /// How many calls are waited for, or stream.
    pub fn in_flight(&self) -> usize {
        self.0.in_flight.load(Ordering::SeqCst)
    }

    /// How many calls were dropped before their end.
    pub fn dropped(&self) -> usize {
        self.0.dropped.load(Ordering::SeqCst)
    }

    /// How often a stream was polled after it had said that it is over.
    pub fn polled_past_end(&self) -> usize {
        self.0.past_end.load(Ordering::SeqCst)
    }
}

impl Service for Scripted {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        let mut flight = Flight::new(&self.0);
        let at = self.0.clock.now();
        lock(&self.0.seen).push(Seen { call: call.clone(), request: request.clone(), at });
        let next = lock(&self.0.queue).pop_front();
        let mut outcome = next.unwrap_or_else(|| (self.0.otherwise)(call, request));
        loop {
            match outcome {
                Outcome::After(time, then) => {
                    self.0.clock.sleep(time).await;
                    outcome = *then;
                }
                Outcome::Forever => std::future::pending().await,
                Outcome::Fail(error) => {
                    flight.over = true;
                    return Err(error);
                }
                Outcome::Whole(response) => {
                    flight.over = true;
                    return Ok(Reply::Whole(response));
                }
                Outcome::Stream(steps) => {
                    return Ok(Reply::Stream(Box::pin(Playing {
                        steps: steps.into(),
                        flight,
                        sleep: None,
                        ended: false,
                    })));
                }
            }
        }
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Scripted");
        f.field("calls", &self.calls()).field("in_flight", &self.in_flight()).field("dropped", &self.dropped());
        f.finish_non_exhaustive()
    }
}

/// One call under way, counted until it is dropped.
struct Flight {
    state: Arc<State>,
    over: bool,
}

impl Flight {
    fn new(state: &Arc<State>) -> Self {
        state.in_flight.fetch_add(1, Ordering::SeqCst);
        Self { state: state.clone(), over: false }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.state.in_flight.fetch_sub(1, Ordering::SeqCst);
        self.state.dropped.fetch_add(usize::from(!self.over), Ordering::SeqCst);
    }
}

struct Playing {
    steps: VecDeque<Step>,
    flight: Flight,
    sleep: Option<BoxFuture<'static, ()>>,
    ended: bool,
}

impl Events for Playing {}

impl Stream for Playing {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(sleep) = &mut this.sleep {
                ready!(sleep.as_mut().poll(cx));
                this.sleep = None;
            }
            match this.steps.pop_front() {
                Some(Step::Wait(time)) => this.sleep = Some(this.flight.state.clock.sleep(time)),
                Some(Step::Forever) => {
                    this.steps.push_front(Step::Forever);
                    return Poll::Pending;
                }
                Some(Step::Item(item)) => {
                    // A reader may stop at the terminal item.
                    this.flight.over |= matches!(item, Ok(Event::Done(_)) | Err(_));
                    return Poll::Ready(Some(item));
                }
                None => {
                    this.flight.state.past_end.fetch_add(usize::from(this.ended), Ordering::SeqCst);
                    this.flight.over = true;
                    this.ended = true;
                    return Poll::Ready(None);
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
