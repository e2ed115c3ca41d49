//! A conversation that goes on: with any provider, under a budget of tokens, from one day to the next.

use sabir_core::chat::{ChatRequest, ChatResponse, Content, Message, Part, Role};
use sabir_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::Client;

/// What was said so far, of no provider: begun with one, it goes on with another. It is plain data, to be kept as
/// JSON.
///
/// ```no_run
/// # async fn example() -> sabir::Result<()> {
/// let mut talk = sabir::Conversation::new().system("Be brief.");
/// let first = sabir::Client::new("openai/gpt-6-luna")?;
/// println!("{}", talk.say(&first, "Why is the sea salt?").await?.text());
/// let other = sabir::Client::new("anthropic/claude-haiku-5-5")?;
/// println!("{}", talk.say(&other, "And lakes?").await?.text());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conversation {
    /// The operator's instructions. They are never dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// What was said before the first of the messages, in few words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// What was said, oldest first.
    pub messages: Vec<Message>,
}

/// What is asked for a summary.
const ASK: &str = "Put the conversation above into few words, for one who goes on with it: who wants what, \
     what was found and decided, names and numbers as they were said. Only the summary, no greeting.";

impl Conversation {
    /// A conversation that has not begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the operator's instructions.
    #[must_use]
    pub fn system(mut self, text: impl Into<String>) -> Self {
        self.system = Some(text.into());
        self
    }

    /// Adds a message.
    pub fn push(&mut self, message: impl Into<Message>) -> &mut Self {
        self.messages.push(message.into());
        self
    }

    /// Adds an answer.
    pub fn answered(&mut self, response: &ChatResponse) -> &mut Self {
        self.push(response.to_message())
    }

    /// The conversation as a request, to whatever model the client is set to.
    pub fn request(&self) -> ChatRequest {
        let summary = self.summary.as_ref().map(|text| format!("What was said before, in few words:\n{text}"));
        let lead = [self.system.clone(), summary].into_iter().flatten().map(Part::text).collect::<Vec<_>>();
        let mut messages = Vec::with_capacity(self.messages.len() + 1);
        if !lead.is_empty() {
            messages.push(Message::new(Role::System, lead));
        }
        messages.extend(self.messages.iter().cloned());
        ChatRequest::from(messages)
    }

    /// Says something and waits for the answer; both are part of the conversation from then on. After an error
    /// nothing of it is.
    ///
    /// # Errors
    /// As [`Client::chat`].
    pub async fn say(&mut self, client: &Client, message: impl Into<Message>) -> Result<ChatResponse> {
        self.messages.push(message.into());
        match client.chat(self.request()).await {
            Ok(response) => {
                self.answered(&response);
                Ok(response)
            }
            Err(error) => {
                self.messages.pop();
                Err(error)
            }
        }
    }

    /// About how many tokens a message is: a quarter of its bytes of text, some for each medium. What is exact is the
    /// provider's to count ([`Client::count_tokens`]).
    pub fn about_tokens(message: &Message) -> u64 {
        /// A usual image at a usual size; providers' rules differ (OpenAI 85 to 1,105, Anthropic width × height / 750).
        const MEDIUM: u64 = 1000;
        const FRAME: u64 = 4;
        fn of(part: &Part) -> u64 {
            let text = |text: &str| (text.len() as u64).div_ceil(4);
            match &part.content {
                Content::Text { text: words } | Content::Refusal { text: words } => text(words),
                Content::Reasoning(reasoning) => text(&reasoning.text),
                Content::ToolCall(call) => text(&call.name) + text(&call.arguments),
                Content::ToolResult(result) => result.parts.iter().map(of).sum(),
                Content::Image(_) | Content::Audio(_) | Content::Video(_) | Content::Document(_) => MEDIUM,
                Content::Citation(citation) => text(citation.quote.as_deref().unwrap_or_default()),
                Content::ServerToolUse(used) => text(&used.input),
                Content::ServerToolResult(result) => text(&result.json.to_string()),
                Content::Opaque { json, .. } => text(&json.to_string()),
                _ => 0,
            }
        }
        FRAME + message.parts.iter().map(of).sum::<u64>()
    }

    /// Drops the oldest messages until what is left is within `budget` tokens, as [`about_tokens`](Self::about_tokens)
    /// counts; gives back what was dropped, oldest first. A call and its results go together, what is left begins
    /// with the person's words, and the last of those stay, whatever the budget.
    pub fn trim(&mut self, budget: u64) -> Vec<Message> {
        self.trim_by(budget, Self::about_tokens)
    }

    /// As [`trim`](Self::trim), with your own count of a message's tokens.
    pub fn trim_by(&mut self, budget: u64, count: impl Fn(&Message) -> u64) -> Vec<Message> {
        let mut left: u64 = self.messages.iter().map(&count).sum();
        let starts = self.starts();
        let mut cut = 0;
        for (from, to) in starts.iter().zip(starts.iter().skip(1)) {
            if left <= budget {
                break;
            }
            left -= self.messages[*from..*to].iter().map(&count).sum::<u64>();
            cut = *to;
        }
        self.messages.drain(..cut).collect()
    }

    /// Drops as [`trim`](Self::trim) does, and lets a model put what was dropped into few words, which stand before
    /// the rest from then on. Gives back whether anything was dropped; after an error nothing is.
    ///
    /// # Errors
    /// As [`Client::chat`]; `Provider` where the model has no words.
    pub async fn summarise(&mut self, client: &Client, budget: u64) -> Result<bool> {
        let mut rest = self.clone();
        let dropped = rest.trim(budget);
        if dropped.is_empty() {
            return Ok(false);
        }
        let past = Self { system: None, messages: dropped, ..self.clone() };
        let mut request = past.request();
        // A model that sees calls wants to know the tools; as words they need none.
        request.messages = request.messages.iter().map(as_words).collect();
        let summary = client.chat(request.user(ASK)).await?.text();
        if summary.trim().is_empty() {
            return Err(Error::new(ErrorKind::Provider, "the model gave no summary; nothing was dropped"));
        }
        *self = Self { summary: Some(summary.trim().to_owned()), ..rest };
        Ok(true)
    }

    /// Where the conversation can begin: at the person's words, with every call before them answered.
    fn starts(&self) -> Vec<usize> {
        let mut open: Vec<&str> = Vec::new();
        let mut starts = vec![0];
        for (at, message) in self.messages.iter().enumerate() {
            let answers = message.parts.iter().any(|part| matches!(part.content, Content::ToolResult(_)));
            if at > 0 && message.role == Role::User && !answers && open.is_empty() {
                starts.push(at);
            }
            for part in &message.parts {
                match &part.content {
                    Content::ToolCall(call) => open.push(&call.id),
                    Content::ToolResult(result) => open.retain(|id| *id != result.call_id),
                    _ => {}
                }
            }
        }
        starts
    }
}

/// A message in words alone: calls and results told, media named.
fn as_words(message: &Message) -> Message {
    let words = message.parts.iter().filter_map(|part| match &part.content {
        Content::Text { text } | Content::Refusal { text } => Some(text.clone()),
        Content::ToolCall(call) => Some(format!("[calls {} with {}]", call.name, call.arguments)),
        Content::ToolResult(result) => Some(format!("[the tool gave: {}]", result.text())),
        Content::Image(_) => Some("[an image]".to_owned()),
        Content::Audio(_) => Some("[sound]".to_owned()),
        Content::Video(_) => Some("[moving pictures]".to_owned()),
        Content::Document(document) => {
            Some(format!("[the document {}]", document.title.as_deref().unwrap_or("without a title")))
        }
        _ => None,
    });
    let role = if message.role == Role::Tool { Role::User } else { message.role.clone() };
    Message::new(role, [Part::text(words.collect::<Vec<_>>().join("\n"))])
}
