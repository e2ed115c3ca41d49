//! What a request is made of, as far as its tokens are concerned.

use sabir_core::chat::{
    ChatRequest, Content, FunctionTool, Message, Part, ResponseFormat, Role, Source, Tool, ToolChoice,
};
use serde_json::Value;

use crate::Count;
use crate::image::ImageRule;
use crate::media;
use crate::text::{Measure, Texts, foreign};

/// How many entries a row has.
pub(crate) const ROW: usize = 10;

/// A request in numbers, each multiplied by a weight of a line: 1 for the request itself; its messages; their text, in
/// tokens of the vocabulary it was measured with; 1 where there are tools; tools; their text; 1 where the answer has a
/// schema; the schema's text; 1 where reasoning is asked for; calls and results.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row(pub(crate) [Count; ROW]);

/// Options of any dialect with which a provider brings in text of its own: Cohere's connectors, Anthropic's MCP servers,
/// OpenAI's search, OpenRouter's plugins, xAI's search.
const BRINGING: &[&str] = &["connectors", "mcp_servers", "web_search_options", "plugins", "search_parameters"];

/// What a request is made of.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shape {
    messages: u64,
    names: u64,
    text: Count,
    foreign: u64,
    tools: u64,
    tool_text: Count,
    /// No tool is to be called: some vendors leave them all out then, some do not.
    without_tools: bool,
    has_schema: bool,
    schema_text: Count,
    reasons: bool,
    exchanges: u64,
    /// Tools that the provider runs, parts of its own: what they come to is known to nobody else.
    own: u64,
    /// Images, sound, files, by the vendor's rule.
    pub(crate) media: Count,
}

impl Shape {
    pub(crate) fn of(request: &ChatRequest, measure: Measure, image: ImageRule, texts: &dyn Texts) -> Self {
        let mut shape = Self::default();
        let mut walk = Walk { shape: &mut shape, measure, image, texts };
        for message in &request.messages {
            walk.message(message);
        }
        for tool in &request.tools {
            walk.tool(tool);
        }
        if let Some(ResponseFormat::JsonSchema { name, schema, description, .. }) = &request.response_format {
            let text = [name, description.as_deref().unwrap_or_default(), &schema.to_string()].concat();
            shape.has_schema = true;
            shape.schema_text = texts.count(measure, &text);
        }
        shape.without_tools = shape.tools > 0 && request.tool_choice == Some(ToolChoice::None);
        let given = |option: &str| request.options.dialects().any(|it| request.options.get(it, option).is_some());
        shape.own += BRINGING.iter().map(|option| u64::from(given(option))).sum::<u64>();
        shape.reasons = request.reasoning.as_ref().is_some_and(|asked| {
            asked.enabled == Some(true)
                || asked.budget.is_some()
                || asked.effort.as_ref().is_some_and(|e| e.as_str() != "none")
        });
        shape
    }

    /// Whether nothing but texts (and images) are said, by no more than persons, operators and models.
    pub(crate) fn is_plain(&self) -> bool {
        self.tools + self.exchanges + self.own == 0 && !self.has_schema
    }

    /// Whether what its tools come to is either all of them or nothing.
    pub(crate) fn has_tools_perhaps(&self) -> bool {
        self.without_tools
    }

    /// Whether something is in it that the provider alone can count.
    pub(crate) fn has_own(&self) -> bool {
        self.own > 0
    }

    /// The conversation of a plain request, as OpenAI frames it: 3 tokens and the role for each message, 1 for a name, and
    /// 3 that begin the answer (OpenAI Cookbook, "How to count tokens with tiktoken", section 6).
    pub(crate) fn framed(&self) -> Count {
        self.text + Count::exact(3 + 4 * self.messages + self.names)
    }

    /// The same in numbers, for a line. What a closed vocabulary makes of scripts other than Latin the recordings hardly
    /// say: there the text may have up to half as many tokens, or twice as many.
    pub(crate) fn row(&self, is_closed: bool) -> Row {
        let mut text = self.text;
        if is_closed && self.foreign > 0 {
            let (low, high) = (text.low.saturating_sub(self.foreign / 2), text.high.saturating_add(self.foreign));
            text = Count::estimate(text.tokens, low, high);
        }
        let one = |n: u64| Count::exact(n);
        let of_tools = |count: Count| {
            if self.without_tools { Count::estimate(count.tokens, 0, count.high) } else { count }
        };
        Row([
            one(1),
            one(self.messages),
            text,
            of_tools(one(self.tools.min(1))),
            of_tools(one(self.tools)),
            of_tools(self.tool_text),
            one(self.has_schema.into()),
            self.schema_text,
            one(self.reasons.into()),
            one(self.exchanges),
        ])
    }
}

struct Walk<'a> {
    shape: &'a mut Shape,
    measure: Measure,
    image: ImageRule,
    texts: &'a dyn Texts,
}

impl Walk<'_> {
    fn message(&mut self, message: &Message) {
        self.shape.messages += 1;
        if let Some(name) = &message.name {
            self.shape.names += 1;
            self.text(name);
        }
        let is_answer = message.role == Role::Assistant;
        for text in message.parts.iter().filter_map(Part::as_text) {
            match thought(text).filter(|_| is_answer) {
                Some((thought, rest)) => {
                    self.thought(thought);
                    self.text(rest);
                }
                None => self.text(text),
            }
        }
        for part in &message.parts {
            self.part(part);
        }
    }

    fn part(&mut self, part: &Part) {
        match &part.content {
            // A text is counted with its message; a citation is not sent.
            Content::Text { .. } | Content::Citation(_) => {}
            Content::Refusal { text } => self.text(text),
            Content::Image(media) => {
                // Where the two dialects of OpenAI keep it.
                let chat = part.meta.get("openai-chat", "detail");
                let detail = chat.or_else(|| part.meta.get("openai-responses", "content")?.get("detail"));
                self.shape.media += self.image.count(media, detail.and_then(Value::as_str) == Some("low"));
            }
            Content::Audio(media) => self.shape.media += media::audio(media),
            Content::Video(media) => self.shape.media += media::video(media),
            Content::Document(document) => match &document.media.source {
                Source::Bytes(bytes) if media::is_text(&document.media) => {
                    self.shape.exchanges += 1;
                    self.text(document.title.as_deref().unwrap_or_default());
                    self.text(&String::from_utf8_lossy(bytes));
                }
                _ => self.shape.media += media::document(&document.media),
            },
            Content::ToolCall(call) => {
                self.shape.exchanges += 1;
                self.text(&call.name);
                self.text(&call.arguments);
            }
            Content::ToolResult(result) => {
                self.shape.exchanges += 1;
                result.parts.iter().filter_map(Part::as_text).for_each(|text| self.text(text));
                result.parts.iter().for_each(|part| self.part(part));
            }
            // A signature is not read at all.
            Content::Reasoning(reasoning) => {
                self.shape.own += 1;
                self.thought(&reasoning.text);
            }
            // How the provider shows these to the model it alone knows.
            Content::ServerToolUse(used) => {
                self.shape.own += 1;
                self.text(&used.input);
            }
            Content::ServerToolResult(result) => {
                self.shape.own += 1;
                self.text(&result.json.to_string());
            }
            Content::Opaque { json, .. } => {
                self.shape.own += 1;
                self.text(&json.to_string());
            }
            _ => self.shape.own += 1,
        }
    }

    fn tool(&mut self, tool: &Tool) {
        match tool {
            Tool::Function(function) => {
                self.shape.tools += 1;
                self.shape.tool_text += self.texts.count(self.measure, &declared(function));
            }
            Tool::Opaque { json, .. } => {
                self.shape.own += 1;
                self.shape.tool_text += self.texts.count(self.measure, &json.to_string());
            }
            _ => self.shape.own += 1,
        }
    }

    /// Thoughts of earlier turns are read by some models and dropped by others.
    fn thought(&mut self, text: &str) {
        let count = self.texts.count(self.measure, text);
        self.shape.text += Count::estimate(count.tokens, 0, count.high);
    }

    fn text(&mut self, text: &str) {
        let count = self.texts.count(self.measure, text);
        self.shape.foreign += foreign(count.tokens, text);
        self.shape.text += count;
    }
}

/// An answer of an open model that begins with its thoughts, as its template writes them, and what comes after: templates
/// drop the thoughts of earlier turns (Qwen 3's, DeepSeek R1's, GLM 4.5's).
fn thought(answer: &str) -> Option<(&str, &str)> {
    const END: &str = "</think>";
    if !answer.trim_start().starts_with("<think>") {
        return None;
    }
    Some(answer.split_at(answer.find(END)? + END.len()))
}

/// A tool as text. Vendors show it to the model as JSON, or as a declaration of about the length.
fn declared(function: &FunctionTool) -> String {
    let schema = function.parameters.as_ref().map(Value::to_string).unwrap_or_default();
    [function.name.as_str(), ": ", function.description.as_deref().unwrap_or_default(), "\n", &schema].concat()
}
