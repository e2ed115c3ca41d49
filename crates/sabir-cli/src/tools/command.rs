//! A tool that is a command: arguments as JSON on its standard input and in its words, never in a shell line.

use std::process::Stdio;
use std::sync::Arc;

use sabir::chat::{Part, ToolCall};
use sabir::config::{Group, ToolCommand, ToolConfig};
use sabir::tools::Output;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::arguments;
use super::result::bounded;

/// Carries out one call. Whatever goes wrong is for the model to read.
pub(super) async fn call(tool: Arc<ToolConfig>, call: ToolCall) -> Output {
    let run = run(&tool, &call.arguments);
    match tokio::time::timeout(tool.timeout, run).await {
        Ok(Ok(output)) => output,
        Ok(Err(why)) => Output::error(why),
        // With its future the processes went, too.
        Err(_) => Output::error(format_args!("the command took longer than {:?} and was ended", tool.timeout)),
    }
}

async fn run(tool: &ToolConfig, said: &str) -> Result<Output, String> {
    let said = arguments::read(said, &tool.parameters.0)?;
    let words = match &tool.command {
        ToolCommand::Words(words) => arguments::words(words, &said)?,
        ToolCommand::Line(line) if cfg!(windows) => vec!["cmd".to_owned(), "/C".to_owned(), line.clone()],
        ToolCommand::Line(line) => vec!["sh".to_owned(), "-c".to_owned(), line.clone()],
        _ => return Err("this command cannot be run".to_owned()),
    };
    let [program, rest @ ..] = words.as_slice() else { return Err("there is no program to run".to_owned()) };
    let mut command = Command::new(program);
    command.args(rest).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn().map_err(|error| format!("cannot run {program}: {error}"))?;
    // Dropped, as this is when a call takes too long, it ends what is left.
    let group = Group::of(child.id());
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let json = format!("{}\n", serde_json::Value::Object(said));
    let give = async {
        if let Some(mut stdin) = stdin {
            // It may not want to read them.
            let _ = stdin.write_all(json.as_bytes()).await;
        }
    };
    let most = tool.max_output.bytes();
    let ((), output, errors) = tokio::join!(give, read(stdout, most), read(stderr, most));
    if output.len() > most {
        // Nobody reads on: what it did until then is its result. With the child its processes go.
        return Ok(Output::parts([Part::text(bounded(output, most))]));
    }
    let ended = child.wait().await.map_err(|error| format!("cannot wait for {program}: {error}"))?;
    group.leave();
    if ended.success() {
        let output = if output.trim().is_empty() { "(no output)".to_owned() } else { output };
        return Ok(Output::parts([Part::text(output)]));
    }
    Err(bounded([format!("it ended with {ended}"), output, errors].join("\n"), most))
}

/// What a process writes, up to a byte more than the most that is wanted; then it is not read on.
async fn read(pipe: Option<impl AsyncRead + Unpin>, most: usize) -> String {
    let Some(pipe) = pipe else { return String::new() };
    let mut bytes = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    // What came before an error is worth reading.
    let _ = pipe.take(limit).read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}
