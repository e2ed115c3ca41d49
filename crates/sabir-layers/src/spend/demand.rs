//! The most that a request can use, before it is sent.

use sabir_core::Request;
use sabir_core::chat::{CacheMark, ChatRequest, Content, Document, Meta, Part, ResponseFormat, Tool};
use sabir_core::embed::EmbedInput;
use sabir_tokens::{Counter, ModelId};
use serde_json::Value;

/// What a request asks for, as far as it costs something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// No more tokens than this come in, whatever the vocabulary; `None` where only a count can say.
    pub(super) input: Option<u64>,
    /// About how many tokens come in, of what is no conversation.
    pub(super) likely: u64,
    /// The longest answer that the request allows, in tokens; `None` where it does not say.
    pub(super) output: Option<u64>,
    /// How many answers it asks for.
    pub(super) answers: u64,
    /// Uses of the provider's own tools.
    pub(super) uses: u64,
    /// Whether something of it is to be kept for an hour.
    pub(super) kept: bool,
}

/// What providers put around a request, in tokens: more than any of the calibrated lines of `sabir-tokens` has.
const AROUND: u64 = 1_100;
/// Around each message.
const MESSAGE: u64 = 100;
/// Around tools, or a schema, and around each.
const TOOLS: u64 = 1_000;
const TOOL: u64 = 100;
/// Uses of each of the provider's own tools that are reserved for: how often it is used the model decides.
const USES: u64 = 10;
/// Documents that Cohere counts as one search (its page on pricing), each of at most 500 tokens.
const SEARCH: u64 = 100;
/// About right for English; see `Limits`.
const BYTES_PER_TOKEN: u64 = 4;

impl Asked {
    pub(super) fn of(request: &Request) -> Self {
        let mut bound = Bound { tokens: AROUND, knows: true, kept: false };
        let mut asked = Self { input: None, likely: 0, output: Some(0), answers: 1, uses: 0, kept: false };
        match request {
            Request::Chat(chat) => {
                bound.chat(chat);
                asked.answers = answers(&chat.options);
                asked.output = chat.max_tokens.map(|tokens| tokens.max(longest(&chat.options)));
                asked.uses = USES * chat.tools.iter().filter(|tool| !matches!(tool, Tool::Function(_))).count() as u64;
            }
            Request::Embed(embed) => embed.inputs.iter().for_each(|input| match input {
                EmbedInput::Text(text) => {
                    bound.text(text);
                    asked.likely += text.len() as u64 / BYTES_PER_TOKEN;
                }
                EmbedInput::Tokens(tokens) => {
                    bound.tokens += tokens.len() as u64;
                    asked.likely += tokens.len() as u64;
                }
                // No vocabulary: as much as the largest images have at any vendor.
                _ => bound.tokens += 20_000,
            }),
            Request::Rerank(rerank) => {
                let documents = rerank.documents.len() as u64;
                rerank.documents.iter().for_each(|document| bound.text(document));
                let pieces = documents + bound.tokens / 500;
                bound.tokens += documents.saturating_mul(rerank.query.len() as u64);
                asked.likely = bound.tokens.saturating_sub(AROUND) / BYTES_PER_TOKEN;
                asked.uses = pieces.div_ceil(SEARCH).max(1);
            }
            _ => {}
        }
        asked.input = bound.knows.then_some(bound.tokens);
        asked.kept = bound.kept;
        asked
    }

    /// A narrower bound on the input than `input`, by counting; `None` where there is none.
    pub(super) fn counted(&self, request: &Request, provider: &str, counter: &Counter) -> Option<u64> {
        let Request::Chat(chat) = request else { return None };
        let high = counter.count(chat, &ModelId::new(provider, chat.model.as_str())).high;
        Some(self.input.map_or(high, |input| input.min(high)))
    }
}

/// A bound on tokens that needs no vocabulary: every token is at least a byte of its text.
struct Bound {
    tokens: u64,
    /// Whether all of it is text.
    knows: bool,
    kept: bool,
}

impl Bound {
    fn chat(&mut self, chat: &ChatRequest) {
        self.mark(chat.cache.as_ref());
        for message in &chat.messages {
            self.tokens = self.tokens.saturating_add(MESSAGE);
            message.parts.iter().for_each(|part| self.part(part));
        }
        if !chat.tools.is_empty() || matches!(chat.response_format, Some(ResponseFormat::JsonSchema { .. })) {
            self.tokens = self.tokens.saturating_add(TOOLS);
        }
        for tool in &chat.tools {
            self.tokens = self.tokens.saturating_add(TOOL);
            match tool {
                Tool::Function(function) => {
                    self.mark(function.cache.as_ref());
                    self.text(&function.name);
                    self.text(function.description.as_deref().unwrap_or_default());
                    self.json(function.parameters.as_ref().unwrap_or(&Value::Null));
                }
                Tool::Opaque { json, .. } => self.json(json),
                _ => self.knows = false,
            }
        }
        if let Some(ResponseFormat::JsonSchema { name, schema, description, .. }) = &chat.response_format {
            self.text(name);
            self.text(description.as_deref().unwrap_or_default());
            self.json(schema);
        }
    }

    fn part(&mut self, part: &Part) {
        self.mark(part.cache.as_ref());
        match &part.content {
            Content::Text { text } | Content::Refusal { text } => self.text(text),
            Content::ToolCall(call) => {
                self.text(&call.name);
                self.text(&call.arguments);
            }
            Content::ToolResult(result) => result.parts.iter().for_each(|part| self.part(part)),
            Content::Reasoning(thought) => {
                self.text(&thought.text);
                self.text(thought.encrypted.as_deref().unwrap_or_default());
            }
            Content::ServerToolUse(used) => self.text(&used.input),
            Content::ServerToolResult(result) => self.json(&result.json),
            Content::Opaque { json, .. } => self.json(json),
            Content::Citation(_) => {}
            Content::Document(Document { .. }) | Content::Image(_) | Content::Audio(_) | Content::Video(_) | _ => {
                self.knows = false;
            }
        }
    }

    fn mark(&mut self, mark: Option<&CacheMark>) {
        self.kept |= mark.is_some_and(|mark| mark.ttl.as_deref().is_some_and(|ttl| ttl != "5m"));
    }

    fn text(&mut self, text: &str) {
        self.tokens = self.tokens.saturating_add(text.len() as u64);
    }

    /// As it is written: no number and no escape is longer than this.
    fn json(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                self.tokens += 2;
                for (name, value) in fields {
                    self.tokens += 4 + name.len() as u64;
                    self.json(value);
                }
            }
            Value::Array(values) => {
                self.tokens += 2 + values.len() as u64;
                for value in values {
                    self.json(value);
                }
            }
            Value::String(text) => self.tokens += 2 + 2 * text.len() as u64,
            _ => self.tokens += 32,
        }
    }
}

/// How many answers are asked for, by the options that some dialects have for it.
fn answers(options: &Meta) -> u64 {
    const NAMES: [&str; 5] = ["n", "best_of", "num_generations", "candidateCount", "candidate_count"];
    largest(options, &NAMES).max(1)
}

/// A longest answer that is said past the vocabulary.
fn longest(options: &Meta) -> u64 {
    const NAMES: [&str; 5] =
        ["max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens", "max_new_tokens"];
    largest(options, &NAMES)
}

/// The largest of the numbers of these names, wherever an option has them.
fn largest(options: &Meta, names: &[&str]) -> u64 {
    if options.is_empty() {
        return 0;
    }
    let of = |fields: &serde_json::Map<String, Value>| {
        names.iter().filter_map(|name| fields.get(*name)?.as_u64()).max().unwrap_or(0)
    };
    let all = options.dialects().filter_map(|dialect| options.of(dialect));
    all.map(|fields| fields.values().filter_map(Value::as_object).map(of).fold(of(fields), u64::max)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use sabir_core::chat::{Media, Message};
    use serde_json::json;

    use super::*;

    fn of(chat: ChatRequest) -> Asked {
        Asked::of(&Request::Chat(chat))
    }

    #[test]
    fn the_bound_holds_whatever_is_counted() {
        let tool = Tool::function(
            "find",
            "Finds \"things\".",
            json!({"type": "object", "properties": {"q": {"type": "string", "maxLength": 1e3}}}),
        );
        let plain = ChatRequest::new("m").system("Be brief.").user("Why is the sea salt? 为什么海水是咸的？");
        for chat in [plain.clone(), plain.clone().tool(tool), plain.message(Message::tool_result("c", "{\"a\": 1}"))] {
            for (provider, model) in
                [("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5"), ("gemini", "gemini-3-pro")]
            {
                let mut chat = chat.clone();
                chat.model = model.into();
                let (bound, texts) = (of(chat.clone()).input.expect("all text"), Counter::default());
                let count = texts.count(&chat, &ModelId::new(provider, model));
                assert!(bound >= count.high, "{provider}/{model}: {bound} < {count:?}");
            }
        }
    }

    #[test]
    fn what_is_no_text_is_counted() {
        let chat =
            ChatRequest::new("gpt-4o").message(Message::user("").with(Part::image(Media::url("https://x.test/a.png"))));
        let asked = of(chat.clone());
        assert_eq!(asked.input, None);
        assert!(asked.counted(&Request::Chat(chat), "openai", &Counter::default()) > Some(100));
        assert_eq!(Asked::of(&Request::Embed(["12345678"].into())).input, Some(AROUND + 8));
    }

    #[test]
    fn answers_and_their_length_may_be_said_in_several_ways() {
        let asked = of(ChatRequest::new("m").max_tokens(10));
        assert_eq!((asked.output, asked.answers, asked.kept, asked.uses), (Some(10), 1, false, 0));
        assert_eq!(of(ChatRequest::new("m")).output, None);
        let several = ChatRequest::new("m")
            .max_tokens(10)
            .option("openai-chat", "n", 3)
            .option("openai-chat", "max_completion_tokens", 20);
        assert_eq!((of(several.clone()).output, of(several).answers), (Some(20), 3));
        let nested = ChatRequest::new("m").option("gemini-generate", "generationConfig", json!({"candidateCount": 4}));
        assert_eq!(of(nested).answers, 4);
        let mut kept = ChatRequest::new("m").user("x");
        kept.cache = Some(CacheMark { ttl: Some("1h".into()) });
        assert!(of(kept).kept);
        let own = ChatRequest::new("m").tool(Tool::Opaque { dialect: "d".into(), json: json!({"type": "web_search"}) });
        assert_eq!(of(own).uses, USES);
    }
}
