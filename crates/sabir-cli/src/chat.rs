//! `sabir chat`: ask a model; the answer streams to standard output.

use std::path::PathBuf;
use std::process::ExitCode;

use sabir::chat::{ChatRequest, Event, FinishReason, Message, Part, Role};
use sabir::config::Config;
use sabir::{ChatResponse, Client, Error};

use crate::failure::{Failure, Outcome};
use crate::output::{self, notice, part_in_words, print_json};
use crate::screen::Screen;
use crate::tools::{self, Kit};
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
    /// Write the text as it is, without rendering its Markdown on a terminal
    #[arg(long)]
    plain: bool,
    #[command(flatten)]
    tools: tools::Flags,
    /// Make everything that the model's dialect cannot carry an error
    #[arg(long)]
    strict: bool,
}

pub(crate) async fn run(args: Args, config: Option<PathBuf>) -> Outcome {
    let (json, no_stream) = (args.json, args.no_stream);
    let config = config::load_to_spend(config)?;
    let mut screen = Screen::new(args.plain);
    let kit = Kit::open(&config, &args.tools).await?;
    let answered = ask(args, &config, kit.as_ref(), &mut screen).await;
    if let Some(kit) = kit {
        kit.close().await;
    }
    let answered = answered?;
    match answered {
        Ok(response) if json => print_json(&output::answer(&response)).map(|()| ExitCode::SUCCESS),
        Ok(response) => {
            if no_stream {
                whole(&response, &mut screen)?;
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

/// Asks, with the tools where there are any; what is streamed is written here.
async fn ask(
    args: Args,
    config: &Config,
    kit: Option<&Kit>,
    screen: &mut Screen,
) -> Result<Result<ChatResponse, Error>, Failure> {
    let (is_whole, model) = (args.json || args.no_stream, args.model.clone());
    let mut request = request(args)?;
    let (client, model) = local::client(config, model).await?;
    request.model = model;
    let run = match kit {
        Some(kit) if is_whole => kit.run(&client, request).finish().await,
        Some(kit) => kit.show(&client, request, screen).await?,
        None if is_whole => return Ok(client.chat(request).await),
        None => return stream(&client, request, screen).await,
    };
    Ok(run.and_then(|mut done| done.turns.pop().ok_or_else(sabir::dialect::truncated)))
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
async fn stream(
    client: &Client,
    request: ChatRequest,
    screen: &mut Screen,
) -> Result<Result<ChatResponse, Error>, Failure> {
    let mut stream = match client.stream(request).await {
        Ok(stream) => stream,
        Err(error) => return Ok(Err(error)),
    };
    while let Some(event) = stream.next().await {
        match event {
            Ok(event) => {
                screen.event(&event)?;
                if let Event::Done(response) = event {
                    return Ok(Ok(*response));
                }
            }
            Err(error) => {
                screen.end()?;
                return Ok(Err(error));
            }
        }
    }
    Ok(Err(sabir::dialect::truncated()))
}

/// Writes an answer that came whole.
fn whole(response: &ChatResponse, screen: &mut Screen) -> Result<(), Failure> {
    if let Some(reasoning) = response.reasoning() {
        notice(&reasoning);
    }
    let text = response.text();
    screen.text(&text)?;
    screen.end()?;
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
