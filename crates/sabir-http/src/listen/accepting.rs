//! Connections, taken as they come.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// How long nothing is accepted after accepting failed: most likely files have run out, and some will be closed.
const RESPITE: Duration = Duration::from_millis(50);

/// A listener whose connections are served on the runtime that it was made in. Dropping it closes the listener and every
/// connection.
#[derive(Debug)]
pub struct Accepting(JoinHandle<()>);

impl Accepting {
    /// Serves each connection, and at most so many at once; more wait in the listener's queue.
    pub fn start<S>(listener: TcpListener, most: usize, serve: impl Fn(TcpStream) -> S + Send + 'static) -> Self
    where
        S: Future<Output = ()> + Send + 'static,
    {
        Self(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                while connections.try_join_next().is_some() {}
                if connections.len() >= most {
                    connections.join_next().await;
                }
                match listener.accept().await {
                    Ok((stream, _)) => {
                        // Without it, small pieces of a stream wait for one another. A socket that refuses is about to
                        // fail anyway.
                        let _ = stream.set_nodelay(true);
                        connections.spawn(serve(stream));
                    }
                    Err(_) => tokio::time::sleep(RESPITE).await,
                }
            }
        }))
    }

    /// Serves until a future is ready (Ctrl-C, for instance), then closes everything.
    pub async fn run_until<T>(mut self, stop: impl Future<Output = T>) -> T {
        let mut stop = pin!(stop);
        poll_fn(|cx| {
            // Accepting never ends by itself; polled so that its panic would not go unseen.
            if let Poll::Ready(Err(error)) = Pin::new(&mut self.0).poll(cx)
                && let Ok(panic) = error.try_into_panic()
            {
                std::panic::resume_unwind(panic);
            }
            stop.as_mut().poll(cx)
        })
        .await
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        self.0.abort();
    }
}
