//! Requests that nobody recorded, through every dialect and through every two of them: what comes back is what went in,
//! but for what is in the list of losses.

use sabir::chat::{
    CacheMark, Citation, Content, Document, Effort, FunctionTool, Media, Message, Part, Reasoning, ReasoningRequest,
    ResponseFormat, Role, Tool, ToolChoice, ToolResult,
};
use sabir::{ChatRequest, Dialect};
use serde_json::json;

use crate::compare;
use crate::corpus::{always, through};
use crate::facts::of_request;

/// How many requests are made.
const COUNT: u64 = 300;

#[test]
fn what_is_made_up_comes_back_but_for_its_losses() {
    let dialects = sabir::dialects::dialects();
    let (mut failures, mut ways) = (Vec::new(), 0);
    for seed in 0..COUNT {
        let asked = request(&mut Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, 100));
        for first in dialects {
            let Some((read, changes)) = told(*first, &asked, true) else { continue };
            ways += 1;
            failures.extend(changes.into_iter().map(|change| format!("{seed} > {}: {change}", first.name())));
            // Ways of two take their time.
            for second in dialects.iter().filter(|_| seed % 10 == 0) {
                let Some((_, changes)) = told(*second, &read, first.name() != second.name()) else { continue };
                let way = format!("{seed} > {} > {}", first.name(), second.name());
                failures.extend(changes.into_iter().map(|change| format!("{way}: {change}")));
            }
        }
    }
    assert!(ways > COUNT * 7, "most can be asked nearly everywhere: {ways}");
    let first = failures.iter().take(20).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} changes are in no list of losses:\n{first}", failures.len());
}

/// The request as a dialect's server reads it, and the changes that no loss tells of; `None` where it cannot be asked.
fn told(dialect: &dyn Dialect, asked: &ChatRequest, between: bool) -> Option<(ChatRequest, Vec<String>)> {
    let (read, losses) = through(dialect, asked).ok()?;
    let read = match read {
        Ok(read) => read,
        Err(error) => return Some((asked.clone(), vec![format!("what was written is not understood: {error}")])),
    };
    let (before, after) = (of_request(asked, between), of_request(&read, between));
    let changes = compare::unlisted(&before, &after, &losses, always(dialect.name()));
    Some((read, changes))
}

/// Marsaglia's xorshift, and how many words were made: no two are the same.
struct Random(u64, u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % end
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.one_in(4).then(|| make(self))
    }

    fn word(&mut self) -> String {
        let words = ["tide", "Málaga", "two words", "a \"quote\"", "line\nend", "{}", "0", "潮"];
        self.1 += 1;
        format!("{} {}", words[usize::try_from(self.below(8)).expect("small")], self.1)
    }
}

fn request(random: &mut Random) -> ChatRequest {
    let mut request = ChatRequest::new("claude-opus-4-5").max_tokens(100);
    if random.one_in(2) {
        let parts: Vec<Part> = (0..=random.below(2)).map(|_| marked(Part::text(random.word()), random)).collect();
        request.messages.push(Message::new(Role::System, parts));
    }
    let mut calls = 0;
    for _ in 0..=random.below(3) {
        let parts: Vec<Part> = (0..=random.below(3)).map(|_| input(random)).collect();
        let parts = parts.into_iter().map(|part| marked(part, random)).collect::<Vec<_>>();
        request.messages.push(Message { name: random.maybe(Random::word), ..Message::new(Role::User, parts) });
        let mut answered = (0..=random.below(3)).map(|_| said(random)).collect::<Vec<_>>();
        // In the order that models keep; what is done with another one is for the recordings.
        answered.sort_by_key(|part| match part.content {
            Content::Reasoning(_) => 0,
            Content::Text { .. } => 1,
            Content::Refusal { .. } => 2,
            _ => 3,
        });
        let made: Vec<_> = (0..random.below(3)).map(|n| format!("call_{}", calls + n)).collect();
        calls += 3;
        answered.extend(made.iter().map(|id| Part::tool_call(id, "tide", format!("{{\"n\":{}}}", random.below(9)))));
        request.messages.push(Message::new(Role::Assistant, answered));
        let results: Vec<Part> = made.into_iter().map(|id| result(id, random)).collect();
        if !results.is_empty() {
            request.messages.push(Message::new(Role::Tool, results));
        }
    }
    request.messages.push(Message::user(random.word()));
    settings(&mut request, random);
    request
}

fn settings(request: &mut ChatRequest, random: &mut Random) {
    let schema = json!({"type": "object", "title": "Tide", "properties": {"n": {"type": "integer"}}, "required": ["n"],
        "additionalProperties": false});
    let function = FunctionTool {
        name: "tide".into(),
        description: random.maybe(Random::word),
        parameters: Some(schema.clone()).filter(|_| random.one_in(2)),
        strict: random.maybe(|random| random.one_in(2)),
        ..FunctionTool::default()
    };
    request.tools.push(Tool::Function(FunctionTool { cache: random.maybe(|_| CacheMark::default()), ..function }));
    request.tool_choice = random.maybe(|random| match random.below(4) {
        0 => ToolChoice::Auto,
        1 => ToolChoice::None,
        2 => ToolChoice::Required,
        _ => ToolChoice::Named("tide".into()),
    });
    request.response_format = random.maybe(|random| match random.below(3) {
        0 => ResponseFormat::Json,
        1 => ResponseFormat::Text,
        _ => ResponseFormat::JsonSchema {
            name: ["", "Tide", "other"][usize::try_from(random.below(3)).expect("small")].into(),
            schema,
            description: random.maybe(Random::word),
            strict: random.maybe(|random| random.one_in(2)),
        },
    });
    request.reasoning = random.maybe(|random| match random.below(3) {
        0 => ReasoningRequest { effort: Some(Effort::High), ..ReasoningRequest::default() },
        1 => ReasoningRequest { budget: Some(2000), ..ReasoningRequest::default() },
        _ => ReasoningRequest { enabled: Some(random.one_in(2)), ..ReasoningRequest::default() },
    });
    request.temperature = random.maybe(|_| 0.5);
    request.top_p = random.maybe(|_| 0.25);
    request.top_k = random.maybe(|random| random.below(50) + 1);
    request.presence_penalty = random.maybe(|_| 0.5);
    request.frequency_penalty = random.maybe(|_| 0.25);
    request.seed = random.maybe(|_| 7);
    request.stop = (0..random.below(3)).map(|n| format!("END{n}")).collect();
    request.parallel_tool_calls = random.maybe(|random| random.one_in(2));
    request.user = random.maybe(Random::word);
    request.cache_key = random.maybe(|_| "key".into());
    request.cache = random.maybe(|_| CacheMark::default());
    request.metadata.extend(random.maybe(|_| ("label".to_owned(), "value".to_owned())));
    request.stream = random.one_in(2);
}

/// A part of what the user says.
fn input(random: &mut Random) -> Part {
    let bytes = |start: &[u8], random: &mut Random| [start, random.word().as_bytes()].concat();
    let content = match random.below(9) {
        0 => Content::Image(Media::bytes(bytes(b"\x89PNG\r\n\x1a\n", random), "image/png")),
        1 => Content::Image(Media::url(format!("https://sea.test/{}.png", random.below(1 << 32)))),
        2 => Content::Document(Document {
            media: Media::bytes(bytes(b"%PDF-1.4", random), "application/pdf"),
            title: random.maybe(Random::word),
        }),
        3 => Content::Document(Document { media: Media::bytes(random.word().into_bytes(), "text/plain"), title: None }),
        4 => Content::Audio(Media::bytes(bytes(b"RIFF", random), "audio/wav")),
        5 => Content::Image(Media::file_id(format!("file_{}", random.below(1 << 32)))),
        _ => return Part::text(random.word()),
    };
    content.into()
}

/// A part of what the model said.
fn said(random: &mut Random) -> Part {
    let content = match random.below(8) {
        0 => Content::Reasoning(Reasoning { text: random.word(), ..Reasoning::default() }),
        1 => Content::Reasoning(Reasoning {
            text: random.word(),
            signature: Some("c2lnbmVk".into()),
            ..Reasoning::default()
        }),
        2 => Content::Reasoning(Reasoning { encrypted: Some("c2VhbGVk".into()), ..Reasoning::default() }),
        3 => Content::Refusal { text: random.word() },
        4 => Content::Citation(Citation {
            url: random.maybe(|random| format!("https://sea.test/{}", random.below(1 << 32))),
            title: random.maybe(Random::word),
            ..Citation::default()
        }),
        _ => return Part::text(random.word()),
    };
    content.into()
}

fn result(call_id: String, random: &mut Random) -> Part {
    let parts = (0..random.below(3)).map(|_| input(random)).collect();
    let result = ToolResult { call_id, parts, is_error: random.one_in(4), ..ToolResult::default() };
    marked(Content::ToolResult(result).into(), random)
}

fn marked(mut part: Part, random: &mut Random) -> Part {
    part.cache = random.maybe(|random| CacheMark { ttl: random.maybe(|_| "1h".into()) });
    part
}
