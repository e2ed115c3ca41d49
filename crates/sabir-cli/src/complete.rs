//! `sabir complete`: a text goes on where it ends.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use sabir::chat::{ChatRequest, Event};
use sabir::{ChatResponse, Client, Error, ErrorKind, Stage};

use crate::failure::{Failure, Outcome};
use crate::output::{self, notice, print, print_json};
use crate::{config, input, local};

/// The dialect in which texts go on.
const COMPLETIONS: &str = "openai-completions";

/// Go on with a text where it ends, or fill the gap before --suffix.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sabir complete -m deepseek/deepseek-chat \"The sea is salt because\"\n  \
    sabir complete -m ollama/qwen2.5-coder --suffix \"    return total\" < head.py\n\n\
    Where the provider serves completions it is asked for one; a model that only converses is asked to go on with the text, \
    and a line on standard error says so. The text is written as it comes, without a line end of its own.")]
pub(crate) struct Args {
    /// The text. Standard input, where it is a pipe, is taken in its place, or added after it
    prompt: Vec<String>,
    /// Who is asked: provider/model, a provider alone for its default model, or a name of the configuration's
    #[arg(short, long, value_name = "PROVIDER/MODEL")]
    model: Option<String>,
    /// What stands after the gap that is to be filled
    #[arg(long, value_name = "TEXT")]
    suffix: Option<String>,
    /// The most that the model may write, in tokens
    #[arg(long, value_name = "TOKENS")]
    max_tokens: Option<u64>,
    /// How freely it writes: 0 for the likeliest words
    #[arg(long, value_name = "NUMBER")]
    temperature: Option<f64>,
    /// Where to stop; may be given several times
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// Ask as a conversation, also where the provider serves completions
    #[arg(long)]
    chat: bool,
    /// Write the whole answer as one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, file: Option<PathBuf>) -> Outcome {
    let text = args.prompt.join(" ") + &input::piped_text()?.unwrap_or_default();
    if text.is_empty() {
        return Err(Failure::usage("nothing to go on with: give a text, or pipe one in"));
    }
    let (client, model) = local::client(&config::load_to_spend(file)?, args.model.clone()).await?;
    let response = match completing(&client, &model).filter(|_| !args.chat) {
        Some(completing) => match ask(&client, args.request(completing, text.clone(), true), args.json).await? {
            Err(error) if converses_only(&error) => {
                notice("note: no completions of this model; it is asked to go on as a conversation");
                ask(&client, args.request(model, text, false), args.json).await?
            }
            answered => answered,
        },
        None => ask(&client, args.request(model, text, false), args.json).await?,
    };
    match response {
        Ok(response) => {
            if args.json {
                print_json(&output::answer(&response))?;
            }
            response.losses.iter().for_each(|loss| notice(&format!("note: {loss}")));
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            if args.json {
                print_json(&output::error(&error))?;
            }
            Err(error.into())
        }
    }
}

impl Args {
    /// The text as it stands, for a dialect that goes on with it, or with words around it that ask for that.
    fn request(&self, model: String, text: String, as_it_stands: bool) -> ChatRequest {
        let mut request = ChatRequest::new(model);
        (request.max_tokens, request.temperature) = (self.max_tokens, self.temperature);
        request.stop.clone_from(&self.stop);
        match &self.suffix {
            Some(suffix) if as_it_stands => request.user(text).option(COMPLETIONS, "suffix", suffix.as_str()),
            None if as_it_stands => request.user(text),
            Some(suffix) => request
                .system(
                    "Write what stands between <before> and <after>: only that, as it would stand in the text itself.",
                )
                .user(format!("<before>{text}</before>\n<after>{suffix}</after>")),
            None => request
                .system(
                    "Go on with the user's text where it ends. Write only what comes next, as it would stand there.",
                )
                .user(text),
        }
    }
}

/// The model in the dialect in which texts go on, where its provider serves that.
fn completing(client: &Client, model: &str) -> Option<String> {
    let (provider, name) = client.resolve(model).ok()?;
    if let Some((_, dialect)) = provider.split_once(':') {
        return COMPLETIONS.ends_with(dialect).then(|| format!("{provider}/{name}"));
    }
    let spoken = format!("{provider}:{COMPLETIONS}");
    client.registry().contains(&spoken).then(|| format!("{spoken}/{name}"))
}

/// Whether a provider says that there is no such thing.
fn converses_only(error: &Error) -> bool {
    let refused = matches!(error.kind(), ErrorKind::InvalidRequest | ErrorKind::NotFound | ErrorKind::Unsupported);
    refused && error.stage() == Stage::Answered && error.partial().is_none_or(|partial| partial.text().is_empty())
}

/// Asks, and writes the text as it comes unless the answer is wanted whole.
async fn ask(client: &Client, request: ChatRequest, whole: bool) -> Result<Result<ChatResponse, Error>, Failure> {
    if whole {
        return Ok(client.chat(request).await);
    }
    let mut stream = match client.stream(request).await {
        Ok(stream) => stream,
        Err(error) => return Ok(Err(error)),
    };
    while let Some(event) = stream.next().await {
        match event {
            Ok(Event::Text(delta)) => print(&delta)?,
            Ok(Event::Done(response)) => {
                if std::io::stdout().is_terminal() {
                    print("\n")?;
                }
                return Ok(Ok(*response));
            }
            Ok(_) => {}
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Err(sabir::dialect::truncated()))
}
