use sabir_core::chat::{ChatRequest, ChatResponse, Content, Part};
use sabir_core::embed::EmbedInput;
use sabir_core::transport::BoxFuture;
use sabir_core::{Call, Error, ErrorKind, Request, Result, Stage};

use super::{Check, Filter, OnStream};

/// Refuses what is longer than it may be, in bytes of text. Media are not counted; a text that is tokens already counts
/// as four bytes for each.
#[derive(Clone, Copy, Debug, Default)]
pub struct MaxSize {
    request: Option<usize>,
    response: Option<usize>,
}

impl MaxSize {
    /// The most bytes of text in a request: its messages and results of tools, where it is a conversation or the count of
    /// one; the texts that become vectors; the query and the documents that are put in order.
    pub fn request(bytes: usize) -> Self {
        Self { request: Some(bytes), response: None }
    }

    /// The most bytes of text in an answer. A stream ends where it would pass them.
    pub fn response(bytes: usize) -> Self {
        Self { request: None, response: Some(bytes) }
    }
}

/// The bytes of text that a token stands for, which is what one of English has on average: the text itself is not known.
const TOKEN: usize = 4;

fn of_conversation(chat: &ChatRequest) -> usize {
    chat.messages.iter().map(|message| bytes_of(&message.parts)).sum()
}

fn of_input(input: &EmbedInput) -> usize {
    match input {
        EmbedInput::Text(text) => text.len(),
        EmbedInput::Tokens(tokens) => tokens.len().saturating_mul(TOKEN),
        _ => 0,
    }
}

fn bytes_of(parts: &[Part]) -> usize {
    let each = parts.iter().map(|part| match &part.content {
        Content::Text { text } | Content::Refusal { text } => text.len(),
        Content::Reasoning(reasoning) => reasoning.text.len(),
        Content::ToolCall(call) => call.arguments.len(),
        Content::ToolResult(result) => bytes_of(&result.parts),
        _ => 0,
    });
    each.sum()
}

fn too_long(what: &str, limit: usize, stage: Stage) -> Error {
    let message = format!("the {what} has more than {limit} bytes of text, the most that the guard lets through");
    Error::new(ErrorKind::InvalidRequest, message).with_stage(stage)
}

impl Check for MaxSize {
    fn request<'a>(&'a self, _: &'a Call, request: &'a mut Request) -> BoxFuture<'a, Result<()>> {
        let bytes = match request {
            Request::Chat(chat) => of_conversation(chat),
            Request::Count(count) => of_conversation(&count.chat),
            Request::Embed(embed) => embed.inputs.iter().map(of_input).sum(),
            Request::Rerank(rerank) => rerank.query.len() + rerank.documents.iter().map(String::len).sum::<usize>(),
            // Of what is not read (raw requests) a guard lets none through.
            _ => 0,
        };
        let refused = self.request.filter(|limit| bytes > *limit);
        let verdict = refused.map_or(Ok(()), |limit| Err(too_long("request", limit, Stage::NotSent)));
        Box::pin(std::future::ready(verdict))
    }

    fn response<'a>(&'a self, _: &'a Call, response: &'a mut ChatResponse) -> BoxFuture<'a, Result<()>> {
        let refused = self.response.filter(|limit| bytes_of(&response.parts) > *limit);
        let verdict = refused.map_or(Ok(()), |limit| Err(too_long("answer", limit, Stage::Answered)));
        Box::pin(std::future::ready(verdict))
    }

    fn on_stream(&self) -> OnStream {
        match self.response {
            Some(limit) => OnStream::Filter(Box::new(Left { limit, left: limit })),
            None => OnStream::Pass,
        }
    }
}

#[derive(Debug)]
struct Left {
    limit: usize,
    left: usize,
}

impl Filter for Left {
    fn text(&mut self, piece: &str) -> Result<String> {
        self.left =
            self.left.checked_sub(piece.len()).ok_or_else(|| too_long("answer", self.limit, Stage::Answered))?;
        Ok(piece.to_owned())
    }

    fn rest(&mut self) -> String {
        String::new()
    }
}
