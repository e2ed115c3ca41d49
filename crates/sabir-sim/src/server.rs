//! The simulator over real HTTP/1.1.

use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use sabir_core::Result;
use sabir_core::transport::{BoxFuture, whole};
use sabir_http::listen::{self, Accepting, Outgoing};
use tokio::net::TcpStream;

use crate::exchange::exchange;
use crate::simulator::Simulator;

/// The longest request body.
const LONGEST: usize = 64 << 20;
/// The most connections at once; more wait in the listener's queue.
const CONNECTIONS: usize = 1_024;

/// A simulator that listens on a socket. Dropping it closes the listener and every connection.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    simulator: Simulator,
    accepting: Accepting,
}

impl Server {
    /// Listens at an address (`127.0.0.1:8080`; port 0 takes a free one) and answers from now on, on the runtime that
    /// this is called in.
    ///
    /// # Errors
    /// `Network`, not sent, where the address is taken or not ours; `Configuration` where it is no address.
    pub async fn start(simulator: Simulator, address: impl Display) -> Result<Self> {
        let wanted = address.to_string();
        let (listener, address) = listen::listen(&wanted).await?;
        let answering = simulator.clone();
        let accepting = Accepting::start(listener, CONNECTIONS, move |stream| connection(stream, answering.clone()));
        Ok(Self { address, simulator, accepting })
    }

    /// The address it listens at.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, without a path: a base URL for every dialect, with or without `/v1` behind it.
    pub fn url(&self) -> String {
        listen::url(self.address)
    }

    /// The simulator that answers.
    pub fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    /// Answers until a future is ready (Ctrl-C, for instance), then closes everything.
    pub async fn run_until<T>(self, stop: impl Future<Output = T>) -> T {
        self.accepting.run_until(stop).await
    }
}

/// Answers all requests of one connection.
async fn connection(stream: TcpStream, simulator: Simulator) {
    let reset = Arc::new(AtomicBool::new(false));
    let service = service_fn(|request| -> BoxFuture<'_, io::Result<Response<Outgoing>>> {
        Box::pin(answer(&simulator, reset.clone(), request))
    });
    let mut http = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
    // What fails here is the client's connection; there is nobody to tell.
    let _ = poll_fn(|cx| http.poll_without_shutdown(cx)).await;
    if reset.load(Ordering::Relaxed) {
        // Closing a socket that does not linger sends a reset.
        let _ = http.into_parts().io.into_inner().set_zero_linger();
    }
}

async fn answer(
    simulator: &Simulator,
    reset: Arc<AtomicBool>,
    request: Request<Incoming>,
) -> io::Result<Response<Outgoing>> {
    let (head, body) = request.into_parts();
    if body.size_hint().lower() > LONGEST as u64 {
        return Ok(too_long());
    }
    let body = match Limited::new(body, LONGEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => return Ok(too_long()),
        Err(error) => return Err(io::Error::other(error)),
    };
    let Ok(response) = exchange(simulator, Request::from_parts(head, body)).await else {
        reset.store(true, Ordering::Relaxed);
        return Err(io::Error::other("the script gives no answer"));
    };
    Ok(Outgoing::of(response).map(|body| body.tells(reset)))
}

fn too_long() -> Response<Outgoing> {
    let message =
        format!(r#"{{"error":{{"message":"the body is longer than {LONGEST} bytes","type":"invalid_request"}}}}"#);
    let mut response = Response::new(whole(message));
    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Outgoing::of(response)
}
