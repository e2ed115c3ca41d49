//! Bodies that something is wrong with.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use sabir_core::transport::Body;
use sabir_core::{Error, ErrorKind, Result, Stage};

/// How a body breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    /// Cleanly.
    End,
    /// With an error.
    Reset,
    /// Not at all: nothing more comes.
    Stall,
}

/// A body that breaks off after so many bytes, or at its end where that comes first.
pub(crate) struct Cut {
    body: Body,
    left: u64,
    end: Break,
    /// Whether what came before was given time to be sent.
    flushed: bool,
    over: bool,
}

impl Cut {
    pub(crate) fn new(body: Body, at: u64, end: Break) -> Self {
        Self { body, left: at, end, flushed: false, over: false }
    }
}

impl Stream for Cut {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        while self.left > 0 {
            let Some(piece) = ready!(self.body.as_mut().poll_next(cx)) else {
                self.left = 0;
                break;
            };
            let mut piece = piece?;
            piece.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left -= piece.len() as u64;
            if !piece.is_empty() {
                return Poll::Ready(Some(Ok(piece)));
            }
        }
        match self.end {
            Break::Stall => Poll::Pending,
            Break::End => {
                self.over = true;
                Poll::Ready(None)
            }
            Break::Reset if !self.flushed => {
                // A server writes what it holds when a body pauses; without the pause the bytes would be lost.
                self.flushed = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Break::Reset => {
                self.over = true;
                let message = "the simulated connection was reset in the middle of the answer";
                Poll::Ready(Some(Err(Error::new(ErrorKind::Network, message).with_stage(Stage::Answered))))
            }
        }
    }
}

/// A body with something foreign in it after so many bytes, or at its end where that comes first.
pub(crate) struct Insert {
    body: Body,
    left: u64,
    junk: Option<Bytes>,
    rest: Bytes,
}

impl Insert {
    pub(crate) fn new(body: Body, at: u64, junk: Bytes) -> Self {
        Self { body, left: at, junk: Some(junk), rest: Bytes::new() }
    }
}

impl Stream for Insert {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.left == 0
            && let Some(junk) = this.junk.take()
        {
            return Poll::Ready(Some(Ok(junk)));
        }
        if this.rest.has_remaining() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut this.rest))));
        }
        match ready!(this.body.as_mut().poll_next(cx)) {
            Some(Ok(mut piece)) if this.junk.is_some() => {
                let before = piece.len().min(usize::try_from(this.left).unwrap_or(usize::MAX));
                this.rest = piece.split_off(before);
                this.left -= before as u64;
                Poll::Ready(Some(Ok(piece)))
            }
            None => Poll::Ready(this.junk.take().map(Ok)),
            other => Poll::Ready(other),
        }
    }
}

/// A body in pieces of one size, each followed by a pause in which it is sent.
pub(crate) struct Pieces {
    body: Body,
    size: usize,
    held: Bytes,
    paused: bool,
}

impl Pieces {
    pub(crate) fn new(body: Body, size: usize) -> Self {
        Self { body, size, held: Bytes::new(), paused: true }
    }
}

impl Stream for Pieces {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if !this.paused {
            this.paused = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        while this.held.is_empty() {
            match ready!(this.body.as_mut().poll_next(cx)) {
                Some(Ok(piece)) => this.held = piece,
                other => return Poll::Ready(other),
            }
        }
        this.paused = false;
        let size = this.size.min(this.held.len());
        Poll::Ready(Some(Ok(this.held.split_to(size))))
    }
}
