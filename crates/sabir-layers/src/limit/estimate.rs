use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sabir_core::chat::{ChatRequest, Content, Part, Tool, Usage};
use sabir_core::embed::EmbedInput;
use sabir_core::{Call, Reply, Request};

use super::rule::What;

/// A function of the caller's.
pub(super) struct Given<F: ?Sized>(pub(super) Arc<F>);

/// Counts the tokens of a request's input before it is sent.
pub(super) type Count = Given<dyn Fn(&Call, &Request) -> u64 + Send + Sync>;
/// Tells the time since 1970.
pub(super) type Dates = Given<dyn Fn() -> Duration + Send + Sync>;

impl<F: ?Sized> Clone for Given<F> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<F: ?Sized> fmt::Debug for Given<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Given")
    }
}

/// What a call is taken to need before it is sent, and what it needed afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) requests: u64,
    pub(super) input: u64,
    pub(super) output: u64,
}

impl Need {
    pub(super) const NOTHING: Self = Self { requests: 0, input: 0, output: 0 };

    /// Input as counted; output as much as the request allows, or `reserve` where it says nothing.
    pub(super) fn of(call: &Call, request: &Request, count: &Count, reserve: u64) -> Self {
        let output = match request {
            Request::Chat(chat) => chat.max_tokens.unwrap_or(reserve),
            _ => 0,
        };
        // A count of tokens is a request that uses none.
        let input = if matches!(request, Request::Count(_)) { 0 } else { (count.0)(call, request) };
        Self { requests: 1, input, output }
    }

    pub(super) fn amount(&self, what: What) -> u64 {
        match what {
            What::Requests => self.requests,
            What::Tokens => self.input.saturating_add(self.output),
            What::InputTokens => self.input,
            What::OutputTokens => self.output,
            What::Calls => 1,
        }
    }

    /// What was really used; what the provider does not tell stays as it was taken to be.
    pub(super) fn used(&self, usage: &Usage) -> Self {
        Self {
            requests: self.requests,
            input: usage.input_total().unwrap_or(self.input),
            output: usage.output_total().unwrap_or(self.output),
        }
    }
}

/// What an answer that is no conversation says of its use.
pub(super) fn usage_of(reply: &Reply) -> Option<&Usage> {
    match reply {
        Reply::Embed(response) => Some(&response.usage),
        Reply::Rerank(response) => Some(&response.usage),
        _ => None,
    }
}

/// Bytes of text per token: about right for English, too high for most other tongues and code.
const BYTES_PER_TOKEN: usize = 4;
/// Tokens of an image, a sound, a film or a file, whatever its size: nothing better is known before it is sent.
const MEDIUM: usize = 1_000;

/// A rough count of a request's input: a token for every four bytes of text, names and arguments, a thousand for each
/// medium. Schemas of tools are not looked into; a tool counts a hundred.
pub(super) fn rough(request: &Request) -> u64 {
    let tokens = match request {
        Request::Chat(chat) => chat_tokens(chat),
        Request::Count(count) => chat_tokens(&count.chat),
        Request::Embed(embed) => embed.inputs.iter().map(embed_tokens).sum(),
        Request::Rerank(rerank) => {
            let documents = rerank.documents.len().saturating_mul(rerank.query.len());
            rerank.documents.iter().map(String::len).sum::<usize>().saturating_add(documents) / BYTES_PER_TOKEN
        }
        _ => 0,
    };
    u64::try_from(tokens).unwrap_or(u64::MAX)
}

fn chat_tokens(chat: &ChatRequest) -> usize {
    const TOOL: usize = 100;
    let bytes: usize = chat.messages.iter().flat_map(|message| &message.parts).map(bytes_of).sum();
    let described = chat.tools.iter().map(|tool| match tool {
        Tool::Function(function) => function.description.as_ref().map_or(0, String::len),
        _ => 0,
    });
    bytes.saturating_add(described.sum()) / BYTES_PER_TOKEN + TOOL * chat.tools.len()
}

/// A medium counts as the bytes that so many tokens would have.
fn bytes_of(part: &Part) -> usize {
    match &part.content {
        Content::Text { text } | Content::Refusal { text } => text.len(),
        Content::Image(_) | Content::Audio(_) | Content::Video(_) | Content::Document(_) => MEDIUM * BYTES_PER_TOKEN,
        Content::ToolCall(call) => call.name.len() + call.arguments.len(),
        Content::ToolResult(result) => result.parts.iter().map(bytes_of).sum(),
        Content::Reasoning(thought) => thought.text.len() + thought.encrypted.as_ref().map_or(0, String::len),
        Content::ServerToolUse(used) => used.input.len(),
        _ => 0,
    }
}

fn embed_tokens(input: &EmbedInput) -> usize {
    match input {
        EmbedInput::Text(text) => text.len() / BYTES_PER_TOKEN,
        EmbedInput::Tokens(tokens) => tokens.len(),
        _ => MEDIUM,
    }
}

#[cfg(test)]
mod tests {
    use sabir_core::chat::{Media, Message};

    use super::*;

    #[test]
    fn a_request_is_counted_roughly() {
        let chat = ChatRequest::new("m")
            .user("12345678")
            .message(Message::user("").with(Part::image(Media::url("https://x.test/a.png"))))
            .message(Message::tool_result("c", "1234"));
        assert_eq!(rough(&Request::Chat(chat)), 2 + 1_000 + 1);
        assert_eq!(rough(&Request::Embed(["12345678", "1234"].into())), 3);
    }

    #[test]
    fn what_is_unknown_stays_as_it_was_taken_to_be() {
        let count: Count = Given(Arc::new(|_, request| rough(request)));
        let call = Call::default();
        let asked = Request::Chat(ChatRequest::new("m").user("12345678").max_tokens(50));
        let need = Need::of(&call, &asked, &count, 1_000);
        assert_eq!(need, Need { requests: 1, input: 2, output: 50 });
        let silent = Need::of(&call, &Request::Chat(ChatRequest::new("m")), &count, 1_000);
        assert_eq!(silent.amount(What::Tokens), 1_000);
        let mut usage = Usage::default();
        assert_eq!(need.used(&usage), need);
        usage.output = Some(7);
        assert_eq!(need.used(&usage), Need { output: 7, ..need });
    }
}
