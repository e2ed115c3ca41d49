//! `sabir chat`: ask a model; the answer streams to standard output.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use sabir::chat::{ChatRequest, Event, FinishReason, Message, Part, Role};
use sabir::{ChatResponse, Client, Error};

use crate::failure::{Failure, Outcome};
use crate::output::{self, notice, part_in_words, print, print_json, whisper};
use crate::{config, input, local};

/// Ask a model; the answer streams to standard output.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sabir chat \"Why is the sea salt?\"\n  git diff | sabir chat -s \"Review this.\"\n  \
    sabir chat -m anthropic/claude-haiku-5-5 -f photo.png \"What is this?\"\n\n\
    Reasoning and notices go to standard error. Without a key the built-in simulator answers, and says so."
)]
pub(crate) struct Args {
    /// What to ask. Standard input, where it is a pipe, is added after it
    prompt: Vec<String>,
    /// Who is asked: provider/model, a provider alone for its default model, or a name of the configuration's
    #[arg(short, long, value_name = "PROVIDER/MODEL")]
    model: Option<String>,
    /// Instructions for the model
    #[arg(short, long, value_name = "TEXT")]
    system: Option<String>,
    /// A file to send along: text, image, sound or PDF; may be given several times
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The most that the model may write, in tokens
    #[arg(long, value_name = "TOKENS")]
    max_tokens: Option<u64>,
    /// Write the whole answer as one JSON object
    #[arg(long)]
    json: bool,
    /// Wait for the whole answer
    #[arg(long)]
    no_stream: bool,
    /// Make everything that the model's dialect cannot carry an error
    #[arg(long)]
    strict: bool,
}

pub(crate) async fn run(args: Args, config: Option<PathBuf>) -> Outcome {
    let (json, no_stream) = (args.json, args.no_stream);
    let model = args.model.clone();
    let mut request = request(args)?;
    let (client, model) = local::client(&config::load_to_spend(config)?, model).await?;
    request.model = model;
    let answered = if no_stream || json { client.chat(request).await } else { stream(&client, request).await? };
    match answered {
        Ok(response) if json => print_json(&output::answer(&response)).map(|()| ExitCode::SUCCESS),
        Ok(response) => {
            if no_stream {
                whole(&response)?;
            }
            remark(&response);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if json => {
            print_json(&output::error(&error))?;
            Err(error.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// The request that the arguments, the files and standard input make.
fn request(args: Args) -> Result<ChatRequest, Failure> {
    let mut parts = Vec::new();
    for path in &args.files {
        parts.push(input::file(path)?);
    }
    let words = args.prompt.join(" ");
    let piped = input::piped_text()?;
    let text = [words, piped.unwrap_or_default()]
        .into_iter()
        .filter(|t| !t.trim().is_empty())
        .collect::<Vec<_>>()
        .join("\n\n");
    if !text.is_empty() {
        parts.push(Part::text(text));
    }
    if parts.is_empty() {
        return Err(Failure::usage("nothing to ask: give a prompt, a file with -f, or text on standard input"));
    }
    let mut request = ChatRequest { max_tokens: args.max_tokens, strict: args.strict, ..ChatRequest::default() };
    if let Some(system) = args.system {
        request = request.system(system);
    }
    Ok(request.message(Message::new(Role::User, parts)))
}

/// Writes the answer as it comes.
async fn stream(client: &Client, request: ChatRequest) -> Result<Result<ChatResponse, Error>, Failure> {
    let mut stream = match client.stream(request).await {
        Ok(stream) => stream,
        Err(error) => return Ok(Err(error)),
    };
    let dim = std::io::stderr().is_terminal();
    let mut thinking = false;
    let mut wrote = false;
    while let Some(event) = stream.next().await {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                if wrote {
                    print("\n")?;
                }
                return Ok(Err(error));
            }
        };
        if thinking && !matches!(event, Event::Reasoning(_) | Event::Usage(_)) {
            whisper(if dim { "\x1b[0m\n" } else { "\n" });
            thinking = false;
        }
        match event {
            Event::Text(delta) => {
                print(&delta)?;
                wrote = !delta.ends_with('\n');
            }
            Event::Reasoning(delta) => {
                if !thinking && dim {
                    whisper("\x1b[2m");
                }
                thinking = true;
                whisper(&delta);
            }
            Event::ToolEnd { call, .. } => notice(&format!("[tool call] {} {}", call.name, call.arguments)),
            Event::Part(part) => part_in_words(&part.content).iter().for_each(|line| notice(line)),
            Event::Done(response) => {
                if wrote {
                    print("\n")?;
                }
                return Ok(Ok(*response));
            }
            _ => {}
        }
    }
    Ok(Err(sabir::dialect::truncated()))
}

/// Writes an answer that came whole.
fn whole(response: &ChatResponse) -> Result<(), Failure> {
    if let Some(reasoning) = response.reasoning() {
        notice(&reasoning);
    }
    let text = response.text();
    if !text.is_empty() {
        print(&text)?;
        print(if text.ends_with('\n') { "" } else { "\n" })?;
    }
    for call in response.tool_calls() {
        notice(&format!("[tool call] {} {}", call.name, call.arguments));
    }
    response.parts.iter().filter_map(|p| part_in_words(&p.content)).for_each(|line| notice(&line));
    Ok(())
}

/// What a person should know of how the answer ended.
fn remark(response: &ChatResponse) {
    for loss in &response.losses {
        notice(&format!("note: {loss}"));
    }
    match &response.finish.reason {
        FinishReason::Length => notice("note: the answer was cut at the token limit"),
        FinishReason::ContentFilter => notice("note: the provider filtered the answer"),
        _ => {}
    }
}
