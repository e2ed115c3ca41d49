//! A gateway that listens.

use std::fmt::Display;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{Either, select};
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use sabir::{Error, ErrorKind, Result, Stage};
use sabir_http::listen::{self, Outgoing};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinHandle;

use crate::Gateway;
use crate::connection::Connection;
use crate::handed::Handed;
use crate::threads::Threads;
use crate::unheard::{self, LONGEST_HEAD};
use crate::voiced::Voiced;

/// The most connections at once; more wait in the listener's queue.
const CONNECTIONS: usize = 10_000;
/// The most streams of one HTTP/2 connection.
const STREAMS: u32 = 250;
/// The longest head of a request of HTTP/2 that is read at all, in bytes. One that is shorter, but too long, is refused in
/// the client's dialect; what is longer, by a frame without a body.
const LONGEST_READ: u32 = 256 << 10;
/// How long a connection may be idle before it is closed, and how long a client may then take for the head of a request.
const HEAD: Duration = Duration::from_secs(75);
/// How long an answer may stand still because its client does not read.
const UNREAD: Duration = Duration::from_secs(60);
/// How long a client may take to shake hands, of TLS.
#[cfg(feature = "tls")]
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long nothing is accepted after accepting failed: most likely files have run out, and some will be closed.
const RESPITE: Duration = Duration::from_millis(50);

/// How a connection fails.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What is around the HTTP of a connection.
#[derive(Clone, Debug, Default)]
struct Shell {
    #[cfg(feature = "tls")]
    tls: Option<crate::Tls>,
}

/// How a [`Server`] is to listen.
#[derive(Debug)]
pub struct ServerBuilder {
    gateway: Gateway,
    shell: Shell,
    threads: Option<NonZeroUsize>,
}

impl ServerBuilder {
    /// Listens for HTTPS.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: crate::Tls) -> Self {
        self.shell.tls = Some(tls);
        self
    }

    /// Answers on so many threads of its own, in place of the runtime that it is started in. Each has a runtime of its
    /// own, and a connection stays where it came to: no thread is woken for another's request, which is a good part of
    /// what a short request costs. A request that takes its thread long holds up others on it.
    #[must_use]
    pub fn threads(mut self, number: NonZeroUsize) -> Self {
        self.threads = Some(number);
        self
    }

    /// As [`Server::start`].
    ///
    /// # Errors
    /// As [`Server::start`]; `Configuration` where a thread cannot be started.
    pub async fn start(self, address: impl Display) -> Result<Server> {
        let Self { gateway, shell, threads } = self;
        let wanted = address.to_string();
        let (listener, address) = listen::listen(&wanted).await?;
        if gateway.is_open() && !address.ip().is_loopback() {
            let message = format!(
                "{wanted} can be reached from other machines, and this gateway asks for no keys: whoever finds it \
                 spends your money. Give it keys, or listen on 127.0.0.1"
            );
            return Err(Error::new(ErrorKind::Configuration, message).with_stage(Stage::NotSent));
        }
        let threads = threads.map(Threads::start).transpose()?.map(Arc::new);
        let (stop, stopped) = oneshot::channel();
        let accepting = tokio::spawn(accept(listener, gateway.clone(), shell.clone(), threads.clone(), stopped));
        Ok(Server { address, gateway, shell, accepting, stop, _threads: threads })
    }
}

impl Shell {
    #[cfg(feature = "tls")]
    fn is_plain(&self) -> bool {
        self.tls.is_none()
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_self, reason = "it is asked where there is TLS")]
    fn is_plain(&self) -> bool {
        true
    }
}

/// A gateway that listens on a socket, for HTTP/1.1 and HTTP/2. Dropping it stops listening; what is under way is
/// answered.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    gateway: Gateway,
    shell: Shell,
    accepting: JoinHandle<()>,
    stop: oneshot::Sender<()>,
    /// What answers, where that is not the runtime; kept until all is answered.
    _threads: Option<Arc<Threads>>,
}

impl Server {
    /// One that is still to be started.
    pub fn builder(gateway: Gateway) -> ServerBuilder {
        ServerBuilder { gateway, shell: Shell::default(), threads: None }
    }

    /// Listens at an address (`127.0.0.1:8911`; port 0 takes a free one) and answers from now on, on the runtime that
    /// this is called in.
    ///
    /// # Errors
    /// `Configuration` where the address is none, or can be reached from elsewhere while the gateway lets everybody in;
    /// `Network`, not sent, where it is taken or not ours.
    pub async fn start(gateway: Gateway, address: impl Display) -> Result<Self> {
        Self::builder(gateway).start(address).await
    }

    /// As [`start`](Self::start), for HTTPS.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    #[cfg(feature = "tls")]
    pub async fn start_tls(gateway: Gateway, address: impl Display, tls: crate::Tls) -> Result<Self> {
        Self::builder(gateway).tls(tls).start(address).await
    }

    /// The address it listens at.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, without a path: a base URL for every dialect, with or without `/v1` behind it.
    pub fn url(&self) -> String {
        let url = listen::url(self.address);
        if self.shell.is_plain() { url } else { url.replacen("http:", "https:", 1) }
    }

    /// Answers until a future is ready (a signal, for instance), then stops listening. What is under way is answered
    /// to its end by [`Server::drain`].
    pub async fn run_until<T>(&mut self, stop: impl Future<Output = T>) -> T {
        let mut stop = pin!(stop);
        poll_fn(|cx| {
            // Accepting never ends by itself; polled so that its panic would not go unseen.
            if let Poll::Ready(Err(error)) = Pin::new(&mut self.accepting).poll(cx)
                && let Ok(panic) = error.try_into_panic()
            {
                std::panic::resume_unwind(panic);
            }
            stop.as_mut().poll(cx)
        })
        .await
    }

    /// Takes no more connections, says at `/readyz` that it is not ready, and waits until all that is under way is
    /// answered, at most so long: `false` where something was cut off. Answers whose client went away are read on until
    /// then.
    pub async fn drain(self, longest: Duration) -> bool {
        self.gateway.drain();
        drop(self.stop);
        let until = tokio::time::Instant::now() + longest;
        let are_answered = tokio::time::timeout_at(until, self.accepting).await.is_ok();
        self.gateway.leavers().end(until).await;
        // What is not over then is killed with the process.
        let _ = tokio::time::timeout_at(until, self.gateway.is_over()).await;
        are_answered
    }
}

/// Accepts until it is stopped (or the server dropped), then waits for what is under way.
async fn accept(
    listener: TcpListener,
    gateway: Gateway,
    shell: Shell,
    threads: Option<Arc<Threads>>,
    mut stopped: oneshot::Receiver<()>,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let under_way = GracefulShutdown::new();
    loop {
        let next = async {
            let place = room.clone().acquire_owned().await.expect("it is never closed");
            listener.accept().await.map(|(socket, _)| (socket, place))
        };
        match select(pin!(next), &mut stopped).await {
            Either::Left((Ok((socket, place)), _)) => {
                let (gateway, shell, watcher) = (gateway.clone(), shell.clone(), under_way.watcher());
                let answered = move |socket| answer(socket, gateway, shell, watcher, place);
                match &threads {
                    Some(threads) => threads.take(socket, answered),
                    None => drop(tokio::spawn(answered(socket))),
                }
            }
            Either::Left((Err(_), _)) => tokio::time::sleep(RESPITE).await,
            Either::Right(_) => break,
        }
    }
    drop(listener);
    under_way.shutdown().await;
    if let Some(threads) = threads {
        // Apart: who drains waits for these by itself, and ends them.
        tokio::spawn(async move {
            gateway.leavers().are_read().await;
            drop(threads);
        });
    }
}

/// Answers all requests of one connection.
async fn answer(socket: TcpStream, gateway: Gateway, shell: Shell, watcher: Watcher, place: OwnedSemaphorePermit) {
    // Without it, small pieces of a stream wait for one another. A socket that refuses is about to fail anyway.
    let _ = socket.set_nodelay(true);
    let socket = Connection::new(socket, UNREAD);
    #[cfg(not(feature = "tls"))]
    let Shell {} = shell;
    #[cfg(feature = "tls")]
    if let Some(tls) = &shell.tls {
        // Who is slow at shaking hands has its place taken away; so has who does not speak TLS.
        let shaken = tokio::time::timeout(HANDSHAKE, tls.acceptor().accept(socket));
        if let Ok(Ok(socket)) = shaken.await {
            // What fails there is the client's connection; there is nobody to tell.
            let _ = serve(socket, gateway, watcher).await;
        }
        return drop(place);
    }
    let _ = serve(socket, gateway, watcher).await;
    drop(place);
}

/// Speaks HTTP on a connection until it ends. Made at once and then waited for: an `async fn` would keep the room of all
/// that it is made of, for each connection.
fn serve<S>(socket: S, gateway: Gateway, watcher: Watcher) -> impl Future<Output = Result<(), Failure>>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let handed = Handed::default();
    let socket = Voiced::new(socket, gateway.clone(), handed.clone(), HEAD);
    let service = service_fn(move |request: Request<Incoming>| {
        let (gateway, under_way) = (gateway.clone(), handed.one());
        // In a box, which is gone when the answer begins: the connection would keep its room for as long as a stream lasts.
        Box::pin(async move {
            let answer = if unheard::is_too_long(&request) {
                Box::pin(unheard::refuse_long(&gateway, request)).await
            } else {
                gateway.answer(request).await
            };
            Ok::<_, Error>(Outgoing::of(answer).map(|body| under_way.with(body)))
        })
    });
    let mut http = Builder::new(TokioExecutor::new());
    // The time that a head may take is seen to below, where it can be told that it is over.
    http.http1().header_read_timeout(None).max_buf_size(LONGEST_HEAD);
    http.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS).max_header_list_size(LONGEST_READ);
    watcher.watch(http.serve_connection(TokioIo::new(socket), service).into_owned())
}
