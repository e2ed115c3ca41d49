//! Carries messages between a session and its program, until one of them ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::select_all;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::lines::Lines;
use super::session::{Pipes, Shared};

/// The longest message of a program, in bytes: a picture of some megabytes fits.
const LONGEST: usize = 16 << 20;

/// How long a program may take to end when its standard input has.
const FAREWELL: Duration = Duration::from_secs(2);

/// Runs until the program or the session ends, then ends both.
pub(super) async fn run<R, W>(
    shared: Arc<Shared>,
    pipes: Pipes<R, W>,
    said: mpsc::Receiver<Bytes>,
    mut stopped: watch::Receiver<bool>,
) where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin,
{
    let Pipes { output, input, process } = pipes;
    let mut lines = Lines::new(output, LONGEST);
    let is_gone = {
        let reading = read(&shared, &mut lines);
        let writing = write(input, said).map(|()| false);
        let resting = shared.rest().map(|()| false);
        // Also when nobody is left who could stop it.
        let stopping = async move { drop(stopped.wait_for(|is_stopped| *is_stopped).await) }.map(|()| false);
        // Reading stands first: what was said before an end is heard.
        select_all([reading.boxed(), writing.boxed(), resting.boxed(), stopping.boxed()]).await.0
    };
    shared.end();
    let Some(process) = process else { return };
    if !is_gone {
        // Its input is closed now, which is how a program is told to end; that it has ended is seen by its output.
        let _ = timeout(FAREWELL, lines.leave()).await;
    }
    process.end().await;
}

/// Reads what the program says; whether it has ended. What is no message is passed over: some programs print.
async fn read(shared: &Shared, lines: &mut Lines<impl AsyncRead + Unpin>) -> bool {
    loop {
        match lines.next().await {
            Ok(Some(line)) => {
                let is_heard = std::str::from_utf8(&line).is_ok_and(|text| shared.hear(text));
                if !is_heard {
                    tracing::debug!(target: "sabir", bytes = line.len(), "a line of an MCP server is for nobody");
                }
            }
            Ok(None) => return true,
            Err(error) => {
                tracing::warn!(target: "sabir", "what an MCP server writes cannot be read: {}", error.kind());
                return false;
            }
        }
    }
}

/// Writes what the program is told, until it reads no more or nobody has anything to tell it.
async fn write(mut input: impl AsyncWrite + Unpin, mut said: mpsc::Receiver<Bytes>) {
    while let Some(line) = said.recv().await {
        if input.write_all(&line).await.is_err() || input.flush().await.is_err() {
            return;
        }
    }
}
