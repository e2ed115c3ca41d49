//! `sabir replay`: answers from a recording.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use sabir::http::Replay;
use sabir::http::listen::Relay;
use serde_json::Value;

use super::{ABOUT, About, EXCHANGES, lines};
use crate::failure::{Failure, Outcome};
use crate::output::print;

/// Answer any client from a recording.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sabir replay session\n  sabir replay session --list\n  \
    sabir replay session --body 3 | sabir wire decode --dialect openai-chat --stream\n\n\
    A request is answered by the first exchange, not yet used, of the same method, path, query and body; JSON is compared \
    without its order and spaces. Keys are not compared. What was not recorded is a 404 that says what differs.")]
pub(crate) struct Args {
    /// The folder of the recording
    folder: PathBuf,
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    host: IpAddr,
    /// The port; 0 takes a free one
    #[arg(long, default_value_t = 8912)]
    port: u16,
    /// Give the last answer of a request again when all are used
    #[arg(long)]
    repeat: bool,
    /// List the exchanges
    #[arg(long, conflicts_with = "body")]
    list: bool,
    /// Write the body of one answer, as it came: the number is that of --list
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    body: Option<u32>,
}

pub(crate) async fn run(args: Args) -> Outcome {
    let exchanges = args.folder.join(EXCHANGES);
    if args.list {
        return list(&lines(&exchanges)?);
    }
    if let Some(number) = args.body {
        return body(&lines(&exchanges)?, number);
    }
    let replay = Replay::open(&exchanges)?;
    let count = replay.unused();
    let replay = if args.repeat { replay.repeating() } else { replay };
    // Where it is not said, paths are as the client asks them.
    let about =
        std::fs::read(args.folder.join(ABOUT)).ok().and_then(|text| serde_json::from_slice::<About>(&text).ok());
    let upstream = about.map_or_else(|| "http://recorded".to_owned(), |about| about.upstream);
    let server = Relay::start(&upstream, Arc::new(replay), &SocketAddr::new(args.host, args.port).to_string()).await?;
    print(&format!("Playing {count} exchanges with {upstream} at {url}\nCtrl-C ends it.\n", url = server.url()))?;
    server.run_until(tokio::signal::ctrl_c()).await.map_err(|e| Failure::io("cannot wait for Ctrl-C", &e))?;
    Ok(ExitCode::SUCCESS)
}

fn list(lines: &[String]) -> Outcome {
    for (index, line) in lines.iter().enumerate() {
        let said = read(line, index + 1)?;
        let (request, response) = (&said["request"], &said["response"]);
        let word = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        let chunks = response["chunks"].as_array().map_or(0, Vec::len);
        let end = if response["complete"] == true { "" } else { ", cut short" };
        print(&format!(
            "{} {} {} {}, {chunks} pieces{end}\n",
            index + 1,
            word(&request["method"]),
            word(&request["url"]),
            response["status"]
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn body(lines: &[String], number: u32) -> Outcome {
    let index = number as usize;
    let none = || Failure::usage(format!("there is no exchange {number}; there are {}", lines.len()));
    let said = read(lines.get(index.wrapping_sub(1)).ok_or_else(none)?, index)?;
    for chunk in said["response"]["chunks"].as_array().into_iter().flatten() {
        match chunk["text"].as_str() {
            Some(text) => print(text)?,
            None => return Err(Failure::nothing("that answer is not text")),
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(line: &str, number: usize) -> Result<Value, Failure> {
    serde_json::from_str(line).map_err(|e| Failure::usage(format!("exchange {number} cannot be read: {e}")))
}
