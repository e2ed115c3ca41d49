//! Threads that answer, each with a runtime of its own.

use std::num::NonZeroUsize;
use std::sync::Arc;

use sabir::{Error, ErrorKind, Result};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// All of them. When this is dropped they end, and what is under way on them is cut off.
#[derive(Debug)]
pub(crate) struct Threads(Vec<Thread>);

#[derive(Debug)]
struct Thread {
    runtime: Handle,
    /// A clone for each of its connections.
    connections: Arc<()>,
    /// Its thread waits for this to be dropped.
    _end: oneshot::Sender<()>,
}

impl Threads {
    pub(crate) fn start(number: NonZeroUsize) -> Result<Self> {
        (1..=number.get()).map(Thread::start).collect::<Result<_>>().map(Self)
    }

    /// Has a connection served by the thread that has the fewest.
    pub(crate) fn take<S>(&self, socket: TcpStream, serve: impl FnOnce(TcpStream) -> S + Send + 'static)
    where
        S: Future<Output = ()> + Send,
    {
        let of = self.0.iter().min_by_key(|thread| Arc::strong_count(&thread.connections)).expect("there is one");
        // It is watched by the runtime that accepted it, and is to be by the one that serves it. One of which that cannot
        // be had is closed.
        let Ok(socket) = socket.into_std() else { return };
        let connection = of.connections.clone();
        drop(of.runtime.spawn(async move {
            if let Ok(socket) = TcpStream::from_std(socket) {
                serve(socket).await;
            }
            drop(connection);
        }));
    }
}

impl Thread {
    fn start(number: usize) -> Result<Self> {
        let cannot = |why| Error::new(ErrorKind::Configuration, format!("no thread could be started to answer: {why}"));
        let runtime = Builder::new_current_thread().enable_all().build().map_err(cannot)?;
        let (handle, (end, ended)) = (runtime.handle().clone(), oneshot::channel::<()>());
        let run = move || {
            let _ = runtime.block_on(ended);
        };
        std::thread::Builder::new().name(format!("sabir-{number}")).spawn(run).map_err(cannot)?;
        Ok(Self { runtime: handle, connections: Arc::default(), _end: end })
    }
}
