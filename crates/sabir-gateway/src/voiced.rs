//! A connection on which nothing is refused without a word.
//!
//! What is no request, hyper refuses before any service hears of it, by a bare status; where the head of one does not come to
//! its end, it closes; and of two lengths it goes by one. Between hyper and the socket stands what says all that in the
//! client's dialect.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::beginning::Beginning;
use crate::handed::Handed;
use crate::incoming::{FORGETTING, FORGOTTEN};
use crate::{Gateway, unheard};

/// A socket, as hyper reads and writes it.
pub(crate) struct Voiced<S> {
    socket: S,
    gateway: Gateway,
    handed: Handed,
    /// How many requests are answered to the last byte, down to the socket. As long as no other was handed over, hyper
    /// writes by itself only what it refuses.
    answered: usize,
    /// It has frames for what it refuses, which are left alone.
    is_http2: bool,
    beginning: Beginning,
    /// How long it may be silent between requests, and how long the head of one may take then.
    time: Duration,
    clock: Option<Pin<Box<Sleep>>>,
    /// Whether the clock was set for what is waited for.
    is_set: bool,
    leaving: Option<Box<Leaving>>,
}

/// A connection that ends with what is said last.
#[derive(Default)]
struct Leaving {
    words: Vec<u8>,
    /// How many of them are written.
    said: usize,
    is_shut: bool,
    /// How many bytes came since that nobody wants.
    forgotten: usize,
    clock: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Voiced<S> {
    /// With what counts the requests that the service gets, and how long a connection may be idle; a head may take as
    /// long again.
    pub(crate) fn new(socket: S, gateway: Gateway, handed: Handed, time: Duration) -> Self {
        Self {
            socket,
            gateway,
            handed,
            answered: 0,
            is_http2: false,
            beginning: Beginning::default(),
            time,
            clock: None,
            is_set: false,
            leaving: None,
        }
    }

    /// Whether there is no request of which the gateway has heard: one is waited for, or comes.
    fn is_idle(&self) -> bool {
        self.handed.count() == self.answered
    }

    fn refuse(&mut self, status: StatusCode) {
        let words = unheard::instead(&self.gateway, status, &self.beginning, self.time);
        self.leaving = Some(Box::new(Leaving { words, ..Leaving::default() }));
    }

    /// Ready when what is waited for did not come.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let clock = self.clock.get_or_insert_with(|| Box::pin(sleep(self.time)));
        if !self.is_set {
            clock.as_mut().reset(Instant::now() + self.time);
            self.is_set = true;
        }
        clock.as_mut().poll(cx)
    }

    /// Writes the last words; ready at once where there are none.
    fn poll_say(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(leaving) = &mut self.leaving else { return Poll::Ready(Ok(())) };
        while let rest @ [_, ..] = &leaving.words[leaving.said..] {
            match ready!(Pin::new(&mut self.socket).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => leaving.said += written,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Says the last words and closes. What still comes is read for a while: a connection that is closed on unread bytes
    /// may take the answer with it (RFC 9112 §9.6).
    fn poll_leave(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_say(cx))?;
        let Some(leaving) = &mut self.leaving else { return Pin::new(&mut self.socket).poll_shutdown(cx) };
        if !leaving.is_shut {
            ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
            ready!(Pin::new(&mut self.socket).poll_shutdown(cx))?;
            leaving.is_shut = true;
        }
        while !leaving.words.is_empty() && leaving.forgotten < FORGOTTEN {
            let mut room = [0; 4 << 10];
            let mut room = ReadBuf::new(&mut room);
            match Pin::new(&mut self.socket).poll_read(cx, &mut room) {
                Poll::Ready(Ok(())) if !room.filled().is_empty() => leaving.forgotten += room.filled().len(),
                Poll::Ready(_) => break,
                Poll::Pending => {
                    let clock = leaving.clock.get_or_insert_with(|| Box::pin(sleep(FORGETTING)));
                    ready!(clock.as_mut().poll(cx));
                    break;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// hyper is about to write these bytes. Whether something else is written in their place, from here on.
    fn takes_over(&mut self, bytes: &[u8]) -> bool {
        if self.leaving.is_none() && self.is_idle() {
            if let Some(status) = bare(bytes).filter(|_| !self.is_http2) {
                self.refuse(status);
            } else {
                // Frames, of the end of an answer perhaps: as long as some go out, nobody is idle.
                (self.is_http2, self.is_set) = (true, false);
            }
        }
        self.leaving.is_some()
    }

    /// Writes what is said in the place of so many bytes, which are written when it is.
    fn poll_instead(&mut self, cx: &mut Context<'_>, bytes: usize) -> Poll<io::Result<usize>> {
        self.poll_say(cx).map_ok(|()| bytes)
    }
}

/// The status of an answer without a body: all that hyper answers by itself. It writes it in one piece, and the end of an
/// answer that came before is written already.
fn bare(bytes: &[u8]) -> Option<StatusCode> {
    let is_head = bytes.starts_with(b"HTTP/1.") && bytes.ends_with(b"\r\n\r\n");
    let status = bytes.get(9..12).filter(|_| is_head)?;
    StatusCode::from_bytes(status).ok().filter(StatusCode::is_client_error)
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Voiced<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.leaving.is_none() {
            let before = into.filled().len();
            let read = Pin::new(&mut this.socket).poll_read(cx, into);
            if !this.is_idle() || (read.is_ready() && this.is_http2) {
                return read;
            }
            if read.is_ready() {
                // Where a head begins its time does, too.
                this.is_set &= !this.beginning.come(&into.filled()[before..]);
                if !this.beginning.has_two_lengths() {
                    return read;
                }
                // hyper would go by one of them, and say nothing of it.
                into.set_filled(before);
                this.refuse(StatusCode::BAD_REQUEST);
            } else {
                ready!(this.poll_late(cx));
                if this.beginning.has_begun() && !this.is_http2 {
                    this.refuse(StatusCode::REQUEST_TIMEOUT);
                } else {
                    // Who asked for nothing is told nothing: it would be taken for the answer to what is asked next.
                    this.leaving = Some(Box::default());
                }
            }
        }
        // Whatever becomes of it, nothing more is read.
        let _ = ready!(this.poll_leave(cx));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Voiced<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.takes_over(bytes) {
            return this.poll_instead(cx, bytes.len());
        }
        Pin::new(&mut this.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let first: &[u8] = if let [first] = pieces { first } else { &[] };
        if this.takes_over(first) {
            return this.poll_instead(cx, pieces.iter().map(|piece| piece.len()).sum());
        }
        Pin::new(&mut this.socket).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_say(cx))?;
        ready!(Pin::new(&mut this.socket).poll_flush(cx))?;
        // hyper flushes when it has nothing left to write.
        if this.handed.count() != this.answered && this.handed.are_over() {
            this.answered = this.handed.count();
            this.is_set = false;
            this.beginning.end();
        }
        if this.is_idle() && !this.is_set {
            // hyper need not read before something comes, and the clock has to run from here.
            let _ = this.poll_late(cx);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_leave(cx)
    }
}

#[cfg(test)]
mod tests {
    use sabir::{Client, Env};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    const BARE: &[u8] =
        b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    const LINE: &[u8] = b"POST /v1/messages HTTP/1.1\r\n";

    /// Both ends of a socket that holds so many bytes.
    fn ends(room: usize) -> (Voiced<DuplexStream>, Handed, DuplexStream) {
        let (near, far) = duplex(room);
        let gateway = Gateway::new(Client::builder().env(Env::none()).build().expect("a client"));
        let handed = Handed::default();
        (Voiced::new(near, gateway, handed.clone(), Duration::from_secs(75)), handed, far)
    }

    async fn come(near: &mut Voiced<DuplexStream>, far: &mut DuplexStream, bytes: &[u8]) {
        let mut room = vec![0; bytes.len()];
        let (sent, read) = tokio::join!(far.write_all(bytes), near.read_exact(&mut room));
        assert!(sent.is_ok() && read.is_ok() && room == bytes);
    }

    #[tokio::test]
    async fn hypers_own_answer_is_written_anew_over_a_socket_that_takes_little() {
        for room in [1, 7, 64 << 10] {
            let (mut near, _, mut far) = ends(room);
            come(&mut near, &mut far, LINE).await;
            let closing = async {
                let written = near.write(BARE).await.expect("written");
                assert_eq!(written, BARE.len(), "hyper has its own written");
                near.flush().await.expect("flushed");
                near.shutdown().await.expect("shut");
            };
            let reading = async {
                let mut answer = String::new();
                far.read_to_string(&mut answer).await.expect("an answer");
                // Who reads it goes on sending for a while.
                let _ = far.write_all(b"more of it").await;
                drop(far);
                answer
            };
            let ((), answer) = tokio::join!(closing, reading);
            assert!(answer.starts_with("HTTP/1.1 431 ") && answer.ends_with('}'), "{answer}");
            assert!(answer.contains(r#""type":"error""#), "{answer}");
        }
    }

    #[tokio::test]
    async fn what_is_written_while_a_request_is_answered_goes_through() {
        let (mut near, handed, mut far) = ends(64 << 10);
        come(&mut near, &mut far, LINE).await;
        let under_way = handed.one();
        let mut room = vec![0; BARE.len()];
        // A piece of an answer may look like anything.
        for _ in 0..2 {
            near.write_all(BARE).await.expect("written");
            near.flush().await.expect("flushed");
            far.read_exact(&mut room).await.expect("it comes");
            assert_eq!(room, BARE);
        }
        drop(under_way);
        // Its last piece, and what hyper may have put behind it.
        near.write_all(BARE).await.expect("written");
        far.read_exact(&mut room).await.expect("it comes");
        assert_eq!(room, BARE);
        near.flush().await.expect("flushed");
        near.write_all(BARE).await.expect("written");
        far.read_exact(&mut room).await.expect("it comes");
        assert_ne!(room, BARE, "nobody was asked");
    }

    #[tokio::test]
    async fn frames_go_through() {
        let (mut near, _, mut far) = ends(64 << 10);
        come(&mut near, &mut far, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        let mut room = vec![0; BARE.len()];
        for frame in [b"\x00\x00\x00\x04\x00\x00\x00\x00\x00", &BARE[..9], BARE] {
            near.write_all(frame).await.expect("written");
            far.read_exact(&mut room[..frame.len()]).await.expect("it comes");
            assert_eq!(&room[..frame.len()], frame);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_leave_is_left() {
        let (mut near, _, mut far) = ends(64 << 10);
        come(&mut near, &mut far, LINE).await;
        near.write_all(BARE).await.expect("written");
        let begun = Instant::now();
        near.shutdown().await.expect("shut");
        assert_eq!(begun.elapsed().as_secs(), FORGETTING.as_secs());
        drop(far);
        // Nor is one heard that has too much to say.
        let (mut near, _, mut far) = ends(64 << 10);
        come(&mut near, &mut far, LINE).await;
        near.write_all(BARE).await.expect("written");
        let talking = tokio::spawn(async move {
            let mut sent = 0;
            while far.write_all(&[0; 1 << 10]).await.is_ok() {
                sent += 1 << 10;
            }
            sent
        });
        near.shutdown().await.expect("shut");
        drop(near);
        let sent = talking.await.expect("it ends");
        assert!((FORGOTTEN..FORGOTTEN + (80 << 10)).contains(&sent), "{sent}");
    }
}
