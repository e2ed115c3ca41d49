//! The response body: pieces as they come, decoded, watched, and closed when it is done.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http::uri::Authority;
use hyper::body::Body;
use sabir_core::{Error, Result};

use crate::BoxError;
use crate::decode::Decoder;
use crate::failure;
use crate::timer::Watch;

/// A body from below as the stream that a transport gives.
pub(crate) struct Incoming<B> {
    /// `None` when it ended: dropping it early is what closes the connection.
    body: Option<B>,
    authority: Authority,
    watch: Watch,
    decoder: Option<Decoder>,
}

impl<B> Incoming<B> {
    pub(crate) fn new(body: B, authority: Authority, watch: Watch, decoder: Option<Decoder>) -> Self {
        Self { body: Some(body), authority, watch, decoder }
    }

    fn end(&mut self, error: Error) -> Poll<Option<Result<Bytes>>> {
        self.body = None;
        Poll::Ready(Some(Err(error)))
    }
}

impl<B> Stream for Incoming<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let this = self.get_mut();
        loop {
            let Some(body) = this.body.as_mut() else {
                return Poll::Ready(None);
            };
            if let Some(decoder) = &mut this.decoder {
                match decoder.next_piece() {
                    Ok(None) => {}
                    Ok(Some(piece)) => return Poll::Ready(Some(Ok(piece))),
                    Err(error) => return this.end(error),
                }
            }
            match Pin::new(body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Err(limit) = this.watch.piece_came() {
                        return this.end(failure::late_piece(limit, this.watch.timeouts(), &this.authority));
                    }
                    // Trailers carry nothing that a dialect reads.
                    let Ok(data) = frame.into_data() else { continue };
                    match &mut this.decoder {
                        Some(decoder) => decoder.feed(data),
                        None if data.is_empty() => {}
                        None => return Poll::Ready(Some(Ok(data))),
                    }
                }
                Poll::Ready(Some(Err(error))) => return this.end(failure::of_body(error, &this.authority)),
                Poll::Ready(None) => {
                    this.body = None;
                    let whole = this.decoder.take().map_or(Ok(()), |decoder| decoder.finish());
                    return Poll::Ready(whole.err().map(Err));
                }
                Poll::Pending => {
                    let Poll::Ready(limit) = this.watch.poll_piece(cx) else {
                        return Poll::Pending;
                    };
                    return this.end(failure::late_piece(limit, this.watch.timeouts(), &this.authority));
                }
            }
        }
    }
}
