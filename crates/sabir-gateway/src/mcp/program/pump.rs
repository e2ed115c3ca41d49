//! Carries messages between a session and its program, until one of them ends.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::select_all;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, watch};

use super::lines::Lines;
use super::session::{Pipes, Shared};

/// The longest message of a program, in bytes: a picture of some megabytes fits.
const LONGEST: usize = 16 << 20;

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
    let is_gone = {
        let reading = read(&shared, output);
        let writing = write(input, said).map(|()| false);
        let resting = shared.rest().map(|()| false);
        // Also when nobody is left who could stop it.
        let stopping = async move { drop(stopped.wait_for(|is_stopped| *is_stopped).await) }.map(|()| false);
        // Reading stands first: what was said before an end is heard.
        select_all([reading.boxed(), writing.boxed(), resting.boxed(), stopping.boxed()]).await.0
    };
    shared.end();
    if let Some(process) = process {
        process.end(is_gone).await;
    }
}

/// Reads what the program says; whether it has ended. What is no message is passed over: some programs print.
async fn read(shared: &Shared, output: impl AsyncRead + Unpin) -> bool {
    let mut lines = Lines::new(output, LONGEST);
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
