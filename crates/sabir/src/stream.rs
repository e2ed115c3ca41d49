use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_core::Stream;
use sabir_core::chat::{ChatResponse, Event, EventStream, Latency};
use sabir_core::dialect::truncated;
use sabir_core::{Error, Result};

/// An answer as it comes: events, then exactly one terminal item, `Event::Done` or an error. Dropping it cancels the
/// call.
///
/// ```no_run
/// # async fn example(client: sabir::Client) -> sabir::Result<()> {
/// use sabir::chat::Event;
/// let mut stream = client.stream("Tell me of the sea.").await?;
/// while let Some(event) = stream.next().await {
///     match event? {
///         Event::Text(delta) => print!("{delta}"),
///         Event::Done(answer) => println!("\n{:?}", answer.usage),
///         _ => {}
///     }
/// }
/// # Ok(()) }
/// ```
pub struct ChatStream {
    events: EventStream,
    begun: Instant,
    first: Option<Duration>,
}

impl ChatStream {
    pub(crate) fn new(events: EventStream, begun: Instant) -> Self {
        Self { events, begun, first: None }
    }

    /// The next event; `None` after the terminal one.
    pub async fn next(&mut self) -> Option<Result<Event>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The next piece of text; `None` when the answer is complete. Other events are passed over.
    pub async fn next_text(&mut self) -> Option<Result<String>> {
        loop {
            match self.next().await? {
                Ok(Event::Text(delta)) => return Some(Ok(delta)),
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Reads to the end and gives the whole answer, the same that [`Client::chat`](crate::Client::chat) would have
    /// given.
    ///
    /// # Errors
    /// The stream's terminal error.
    pub async fn finish(mut self) -> Result<ChatResponse> {
        while let Some(event) = self.next().await {
            if let Event::Done(response) = event? {
                return Ok(*response);
            }
        }
        Err(truncated())
    }
}

impl Stream for ChatStream {
    type Item = Result<Event, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.events.as_mut().poll_next(cx);
        if let Poll::Ready(Some(Ok(event))) = &polled
            && self.first.is_none()
            && !matches!(event, Event::Start { .. } | Event::Done(_))
        {
            self.first = Some(self.begun.elapsed());
        }
        match polled {
            Poll::Ready(Some(Ok(Event::Done(mut response)))) => {
                response.latency = Some(Latency { first: self.first, total: self.begun.elapsed() });
                Poll::Ready(Some(Ok(Event::Done(response))))
            }
            other => other,
        }
    }
}

impl std::fmt::Debug for ChatStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChatStream")
    }
}
