//! What becomes of a stream that breaks off.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use sabir_core::chat::{Attempt, ChatResponse, Event, EventStream, Events, Wire};
use sabir_core::dialect::truncated;
use sabir_core::transport::BoxFuture;
use sabir_core::{Error, Reply, Request, Result};

use super::continued::{Begun, Joined};
use super::journey::{Asked, Journey};

/// What becomes of a stream that breaks off after it has told something of its answer, by an error that goes to the
/// next target ([`Fallover`](super::Fallover)) while there is one.
///
/// | | what the caller sees | needs |
/// |---|---|---|
/// | `Fail` | the error, with what had arrived | nothing |
/// | `Restart` | [`Event::Restart`], then another answer from its beginning | a caller that can take back what it has shown |
/// | `Continue` | one answer: the next target is given what was written, and goes on | text and nothing else so far, and a target with [`prefill`](super::Target::prefill); fails otherwise |
/// | `ContinueOrRestart` | as `Continue` where that can be, else as `Restart` | |
///
/// What the attempt that broke off is known to have used stands in its
/// [`Attempt::usage`](sabir_core::chat::Attempt::usage). A continued answer is told with one `Start`; its id and model
/// are the first attempt's, its provider and finish the last one's, its usage the sum (unknown where one is unknown), and its
/// cost is not known. Where no target replies, the last error is given, with what had been told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MidStream {
    /// The stream ends with the error.
    #[default]
    Fail,
    /// Another attempt begins anew.
    Restart,
    /// Another attempt goes on.
    Continue,
    /// Another attempt goes on, or, where it cannot, begins anew.
    ContinueOrRestart,
}

impl MidStream {
    fn continues(self) -> bool {
        matches!(self, Self::Continue | Self::ContinueOrRestart)
    }

    fn restarts(self) -> bool {
        matches!(self, Self::Restart | Self::ContinueOrRestart)
    }
}

/// A stream that survives the ones it is made of.
pub(super) struct MidStreamed {
    state: State,
    /// Where answers are continued: what was told.
    joined: Option<Joined>,
    /// The end, where something had to be told before it.
    end: Option<Box<ChatResponse>>,
    /// Whether all is of the first stream.
    is_first: bool,
    /// The bytes of the end, of what is dropped with it.
    last: Option<Wire>,
}

enum State {
    Telling(EventStream, Travel),
    Switching(BoxFuture<'static, Switched>),
    Over,
}

/// What is needed to go on elsewhere.
type Travel = Box<(Journey, Request)>;

/// How another attempt came to be, or why none did.
enum Switched {
    Restarted(EventStream, Travel, Box<Attempt>),
    Continued(EventStream, Travel),
    Failed(Error),
}

impl MidStreamed {
    pub(super) fn new(stream: EventStream, journey: Journey, request: Request) -> Self {
        let joined = journey.mid_stream().continues().then(Joined::default);
        Self {
            state: State::Telling(stream, Box::new((journey, request))),
            joined,
            end: None,
            is_first: true,
            last: None,
        }
    }

    fn done(&mut self, mut response: Box<ChatResponse>, travel: Travel) -> Event {
        response.attempts.splice(0..0, travel.0.attempts);
        match self.joined.as_mut().and_then(|joined| joined.done(&mut response)) {
            Some(event) => {
                self.end = Some(response);
                event
            }
            None => Event::Done(response),
        }
    }

    /// The stream broke off: the next one is looked for, or there is none.
    fn broke_off(&self, error: Error, travel: Travel) -> State {
        let (journey, _) = &*travel;
        let mode = journey.mid_stream();
        let moves_on = journey.moves_on(&error);
        let begun =
            self.joined.as_ref().and_then(Joined::begun).filter(|_| moves_on && journey.has_left(|t| t.prefill));
        let restarts = moves_on && mode.restarts() && journey.has_left(|_| true);
        let told = self.joined.as_ref().and_then(Joined::partial).or_else(|| error.partial().cloned());
        State::Switching(Box::pin(switch(travel, error, told, begun, restarts)))
    }
}

async fn switch(
    travel: Travel,
    error: Error,
    told: Option<ChatResponse>,
    begun: Option<Begun>,
    restarts: bool,
) -> Switched {
    let (mut journey, request) = *travel;
    let broken_off = Box::new(journey.attempt_of(&error));
    let mut last = error;
    if let Some(begun) = begun {
        let mut asked = Asked::Owned(begun.asked(&request));
        match journey.go(&mut asked, |target| target.prefill, Some(last)).await.and_then(Reply::stream) {
            Ok(stream) => return Switched::Continued(stream, Box::new((journey, request))),
            Err(error) => last = error,
        }
    }
    if restarts {
        let mut asked = Asked::Owned(request);
        match journey.go(&mut asked, |_| true, Some(last)).await.and_then(Reply::stream) {
            Ok(stream) => {
                return Switched::Restarted(stream, Box::new((journey, asked.into_owned())), broken_off);
            }
            Err(error) => last = error,
        }
    }
    let last = last.with_attempts(journey.attempts);
    Switched::Failed(match told {
        Some(told) => last.with_partial(told),
        None => last,
    })
}

impl Stream for MidStreamed {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(response) = this.end.take() {
            return Poll::Ready(Some(Ok(Event::Done(response))));
        }
        loop {
            let item = match &mut this.state {
                State::Telling(stream, _) => ready!(stream.as_mut().poll_next(cx)).unwrap_or_else(|| Err(truncated())),
                State::Switching(switching) => {
                    this.is_first = false;
                    let (state, item) = match ready!(switching.as_mut().poll(cx)) {
                        Switched::Restarted(stream, travel, attempt) => {
                            this.joined = this.joined.take().map(|_| Joined::default());
                            (State::Telling(stream, travel), Some(Ok(Event::Restart(attempt))))
                        }
                        Switched::Continued(stream, travel) => {
                            if let Some(joined) = &mut this.joined {
                                joined.go_on();
                            }
                            (State::Telling(stream, travel), None)
                        }
                        Switched::Failed(error) => (State::Over, Some(Err(error))),
                    };
                    this.state = state;
                    match item {
                        Some(item) => return Poll::Ready(Some(item)),
                        None => continue,
                    }
                }
                State::Over => return Poll::Ready(None),
            };
            match item {
                Ok(Event::Done(response)) => {
                    let State::Telling(mut stream, travel) = std::mem::replace(&mut this.state, State::Over) else {
                        return Poll::Ready(None);
                    };
                    this.last = Some(stream.as_mut().wire());
                    return Poll::Ready(Some(Ok(this.done(response, travel))));
                }
                Ok(event) => {
                    let told = match &mut this.joined {
                        Some(joined) => joined.pass(event),
                        None => Some(event),
                    };
                    if let Some(event) = told {
                        return Poll::Ready(Some(Ok(event)));
                    }
                }
                Err(error) => {
                    let State::Telling(_, travel) = std::mem::replace(&mut this.state, State::Over) else {
                        return Poll::Ready(None);
                    };
                    this.state = this.broke_off(error, travel);
                }
            }
        }
    }
}

/// As long as nothing was added or taken away.
impl Events for MidStreamed {
    fn wire(mut self: Pin<&mut Self>) -> Wire {
        let this = &mut *self;
        match &mut this.state {
            _ if !this.is_first => Wire::Apart,
            State::Telling(stream, _) => stream.as_mut().wire(),
            State::Switching(_) => Wire::Apart,
            State::Over => this.last.take().unwrap_or(Wire::Apart),
        }
    }
}
