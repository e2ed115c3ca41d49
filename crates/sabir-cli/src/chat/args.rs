//! What `sabir chat` takes.

use std::str::FromStr;

use sabir::chat::{Effort, ReasoningRequest};
use sabir::prices::Usd;

use crate::ask::Words;

/// Ask a model; the answer streams to standard output.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sabir chat \"Why is the sea salt?\"\n  git diff | sabir chat -s \"Review this.\"\n  \
    sabir chat -m anthropic/claude-haiku-5-5 -a photo.png \"What is this?\"\n  \
    sabir chat -c \"And in German?\"\n  \
    sabir chat\n  \
    sabir chat --schema \"name, age int, tags list of str\" < letter.txt\n  \
    sabir chat -m openai/gpt-6-luna -m gemini/gemini-3-flash --max-cost 0.05 -u \"Why?\"\n\n\
    Without a prompt, on a terminal, questions are asked one after another; /help lists what else can be done there.\n\
    Reasoning and notices go to standard error. Without a key the built-in simulator answers, and says so. Questions and \
    answers are kept on this machine, see `sabir logs`; --no-log keeps nothing.\n\
    Exit status: 0 done, 1 a call failed, 2 wrong usage, 130 stopped by Ctrl-C."
)]
pub(crate) struct Args {
    /// Ask one question after another on the terminal, this one first; usual where there is nothing to ask
    #[arg(short, long, conflicts_with_all = ["json", "schema", "schema_multi"])]
    pub(super) interactive: bool,
    /// Who is asked: provider/model, a provider alone for its default model, or a name of the configuration's; given
    /// several times, all of them at once
    #[arg(short, long = "model", value_name = "PROVIDER/MODEL")]
    pub(super) models: Vec<String>,
    #[command(flatten)]
    pub(super) words: Words,
    /// Instructions for the model, by their name in the configuration's `roles`
    #[arg(short, long, value_name = "NAME", conflicts_with = "system")]
    pub(super) role: Option<String>,
    /// A question of the configuration's `templates`, by its name
    #[arg(short = 'T', long, value_name = "NAME")]
    pub(super) template: Option<String>,
    /// A parameter of the template; may be given several times
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = pair, requires = "template")]
    pub(super) params: Vec<(String, String)>,
    /// Go on with the last conversation
    #[arg(short = 'c', long = "continue", conflicts_with = "id")]
    pub(super) go_on: bool,
    /// Go on with this conversation; the beginning of its id is enough
    #[arg(long, value_name = "ID")]
    pub(super) id: Option<String>,
    /// Answer with JSON of this form: `name, age int, tags list of str`, a JSON Schema, or the file of one
    #[arg(long, value_name = "SCHEMA", conflicts_with = "tools")]
    pub(super) schema: Option<String>,
    /// The same, for a list of such values
    #[arg(long, value_name = "SCHEMA", conflicts_with_all = ["schema", "tools"])]
    pub(super) schema_multi: Option<String>,
    /// The most that all of this may cost, in dollars: what could cost more is not sent, and an answer is cut there
    #[arg(long, value_name = "DOLLARS")]
    pub(super) max_cost: Option<Usd>,
    /// Randomness, from 0 to 2
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    pub(super) temperature: Option<f64>,
    /// Nucleus sampling, from 0 to 1
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    pub(super) top_p: Option<f64>,
    /// A seed, for models that have one
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pub(super) seed: Option<i64>,
    /// A text at which the model stops; may be given several times
    #[arg(long, value_name = "TEXT")]
    pub(super) stop: Vec<String>,
    /// How much to think: none, minimal, low, medium, high, xhigh, max, or a number of tokens
    #[arg(long, value_name = "EFFORT", alias = "reasoning")]
    pub(super) effort: Option<Thinking>,
    /// An option that the model's dialect alone has, as it is sent: JSON, or else a text; may be given several times
    #[arg(short, long = "option", value_name = "NAME=VALUE", value_parser = pair)]
    pub(super) options: Vec<(String, String)>,
    /// Say at the end what was used and what it cost, on standard error
    #[arg(short, long)]
    pub(super) usage: bool,
    /// Write the whole answer as one JSON object, those of several models as an array
    #[arg(long)]
    pub(super) json: bool,
    /// Wait for the whole answer
    #[arg(long)]
    pub(super) no_stream: bool,
    /// Write the text as it is, without rendering its Markdown on a terminal
    #[arg(long)]
    pub(super) plain: bool,
    #[command(flatten)]
    pub(super) tools: crate::tools::Flags,
    /// Keep the question and the answer, also where the configuration keeps none
    #[arg(long, overrides_with = "no_log")]
    pub(super) log: bool,
    /// Keep neither the question nor the answer
    #[arg(long, overrides_with = "log")]
    pub(super) no_log: bool,
}

/// How much to think.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Thinking(pub(super) ReasoningRequest);

impl FromStr for Thinking {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words =
            [Effort::None, Effort::Minimal, Effort::Low, Effort::Medium, Effort::High, Effort::XHigh, Effort::Max];
        if let Some(effort) = words.into_iter().find(|effort| effort.to_string() == text) {
            return Ok(Self(ReasoningRequest { effort: Some(effort), ..ReasoningRequest::default() }));
        }
        let budget = text
            .parse()
            .map_err(|_| "one of none, minimal, low, medium, high, xhigh, max, or a number of tokens".to_owned())?;
        Ok(Self(ReasoningRequest { budget: Some(budget), ..ReasoningRequest::default() }))
    }
}

/// `NAME=VALUE`.
fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A number that can be sent: neither infinite nor none.
fn number(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(|| "write a number like 0.7".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn efforts_are_words_or_tokens() {
        let effort = |text: &str| text.parse::<Thinking>().map(|thinking| (thinking.0.effort, thinking.0.budget));
        assert_eq!(effort("low"), Ok((Some(Effort::Low), None)));
        assert_eq!(effort("2048"), Ok((None, Some(2048))));
        for wrong in ["", "hard", "-1", "1.5"] {
            assert!(effort(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn pairs_and_numbers() {
        assert_eq!(pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(pair("a").is_err() && pair("=b").is_err());
        assert!(number("0.7").is_ok() && number("inf").is_err() && number("NaN").is_err() && number("hot").is_err());
    }
}
