//! A question, as commands take it that look at one or ask it in another way than `sabir chat`.

use std::path::{Path, PathBuf};

use http::{HeaderMap, Method};
use sabir::chat::{ChatRequest, Message, Part, Role};
use sabir::dialect::Asked;

use crate::failure::Failure;
use crate::input;
use crate::wire::names;

/// What every command takes that makes a question.
#[derive(Debug, clap::Args)]
pub(crate) struct Words {
    /// What to ask. Standard input, where it is a pipe, is added after it
    prompt: Vec<String>,
    /// Instructions for the model
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) system: Option<String>,
    /// A file to send along: text, image, sound or PDF; `-` for standard input, or the URL of an image or PDF; may be
    /// given several times
    #[arg(short, long = "attach", value_name = "FILE", short_alias = 'f', alias = "file")]
    pub(crate) attach: Vec<String>,
    /// The most that the model may write, in tokens
    #[arg(long, value_name = "TOKENS")]
    pub(crate) max_tokens: Option<u64>,
    /// Make everything that the model's dialect cannot carry an error
    #[arg(long)]
    pub(crate) strict: bool,
}

impl Words {
    /// Whether something is asked in the arguments themselves.
    pub(crate) fn has_prompt(&self) -> bool {
        self.prompt.iter().any(|word| !word.trim().is_empty())
    }

    /// The files that are sent along, and the text: the arguments and what standard input has.
    pub(crate) fn read(&self) -> Result<(Vec<Part>, String), Failure> {
        let files = self.attach.iter().map(|file| input::attached(file)).collect::<Result<_, _>>()?;
        let piped = if self.attach.iter().any(|file| file == "-") { None } else { input::piped_text()? };
        let texts = [self.prompt.join(" "), piped.unwrap_or_default()];
        Ok((files, texts.into_iter().filter(|text| !text.trim().is_empty()).collect::<Vec<_>>().join("\n\n")))
    }
}

/// A message of what was given.
pub(crate) fn message(mut parts: Vec<Part>, text: String, may_be_empty: bool) -> Result<Message, Failure> {
    if !text.is_empty() {
        parts.push(Part::text(text));
    }
    if parts.is_empty() && !may_be_empty {
        return Err(Failure::usage("nothing to ask: give a prompt, a file with -a, or text on standard input"));
    }
    Ok(Message::new(Role::User, parts))
}

/// The arguments of `sabir chat` that make the request, and a request that is there already.
#[derive(Debug, clap::Args)]
pub(crate) struct Question {
    /// Who is asked: provider/model, a provider alone for its default model, or a name of the configuration's
    #[arg(short, long, value_name = "PROVIDER/MODEL")]
    pub(crate) model: Option<String>,
    #[command(flatten)]
    words: Words,
    /// A whole request in JSON, in place of a prompt: in Sabir's vocabulary, or in that of --dialect; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["prompt", "system", "attach"])]
    request: Option<PathBuf>,
    /// The wire format of --request
    #[arg(long, value_name = "DIALECT", requires = "request")]
    dialect: Option<String>,
}

impl Question {
    /// The request that it makes. Its model is what the request in JSON says, where there is one.
    pub(crate) fn request(&self) -> Result<ChatRequest, Failure> {
        let mut request = match &self.request {
            Some(file) => whole(file, self.dialect.as_deref())?,
            None => self.spoken()?,
        };
        request.max_tokens = self.words.max_tokens.or(request.max_tokens);
        request.strict |= self.words.strict;
        Ok(request)
    }

    fn spoken(&self) -> Result<ChatRequest, Failure> {
        let (parts, text) = self.words.read()?;
        let request = self.words.system.iter().fold(ChatRequest::default(), ChatRequest::system);
        Ok(request.message(message(parts, text, false)?))
    }
}

/// A request in JSON.
fn whole(file: &Path, dialect: Option<&str>) -> Result<ChatRequest, Failure> {
    let body = if file == Path::new("-") {
        input::stdin()?
    } else {
        std::fs::read(file).map_err(|e| Failure::usage(format!("cannot read {}: {e}", file.display())))?
    };
    let Some(dialect) = dialect else {
        return serde_json::from_slice(&body).map_err(|error| {
            let why = sabir::dialect::without_values(&error.to_string());
            Failure::usage(format!(
                "{} is no request in Sabir's vocabulary ({why}); name its --dialect",
                file.display()
            ))
        });
    };
    let named = names::find(dialect, None)?;
    let asked = Asked { method: &Method::POST, path: "/", headers: &HeaderMap::new(), body: &body };
    Ok(named.dialect.accept(asked)?)
}
