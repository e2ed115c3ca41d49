//! `bench-burst write|read DIALECT KIND COUNT FILE`: a burst of that many events, written by the dialect's own encoder
//! to a file, or read from it by the dialect's own decoder as if it came from a socket. Twice the events must cost at
//! most 2.2 times the instructions.
//!
//! Kinds: `text` and `reasoning` in as many deltas, `arguments` of one call in as many fragments, as many whole
//! `calls`. `read` prints how many such events came out, and fails where what was told is not what was written.
//! `gemini-generate:array` is the stream as one JSON array.
#![expect(clippy::print_stdout, reason = "the caller reads the count")]

use bytes::Bytes;
use sabir::chat::{Content, Event};
use sabir::{ChatRequest, ChatResponse, Dialect, Part};
use sabir_testkit::Player;

/// Bytes that arrive at once: about what a socket gives.
const PIECE: usize = 16 << 10;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, direction, name, kind, count, file] = arguments.as_slice() else {
        panic!("write|read DIALECT KIND COUNT FILE")
    };
    let (name, is_array) = name.strip_suffix(":array").map_or((name.as_str(), false), |name| (name, true));
    let dialect = sabir::dialects::dialect(name).unwrap_or_else(|| panic!("no dialect {name}"));
    let burst = Burst::new(kind, count.parse().expect("a number"));
    let mut request = ChatRequest { stream: true, ..ChatRequest::new("m").user("hi") };
    if is_array {
        request = request.option(name, "alt", "json");
    }
    match direction.as_str() {
        "write" => {
            let bytes = counted_write(dialect, &request, &burst.events());
            std::fs::write(file, bytes).expect("the file can be written");
        }
        "read" => {
            let content_type = dialect.encoder(&request).content_type();
            let bytes = Bytes::from(std::fs::read(file).expect("a file"));
            let pieces = (0..bytes.len()).step_by(PIECE).map(|at| bytes.slice(at..bytes.len().min(at + PIECE)));
            let items = counted_read(&Player::new(dialect), content_type, &pieces.collect::<Vec<_>>());
            println!("{}", burst.count(&items));
        }
        other => panic!("write or read, not {other}"),
    }
}

struct Burst {
    kind: String,
    deltas: Vec<String>,
}

impl Burst {
    fn new(kind: &str, count: usize) -> Self {
        Self { kind: kind.to_owned(), deltas: (0..count).map(|number| format!(" word{number:05}")).collect() }
    }

    /// The whole answer.
    fn answer(&self) -> ChatResponse {
        let whole = self.deltas.concat();
        let mut answer = ChatResponse::default();
        answer.id = "id".into();
        answer.model = "m".into();
        (answer.usage.input, answer.usage.output) = (Some(1), Some(self.deltas.len() as u64));
        answer.parts = match self.kind.as_str() {
            "text" => vec![Part::text(whole)],
            "reasoning" => vec![Part::reasoning(whole), Part::text("So.")],
            "arguments" => vec![Part::tool_call("call_1", "note", format!("{{\"a\":\"{whole}\"}}"))],
            "calls" => {
                let call = |(at, word)| Part::tool_call(format!("call_{at}"), "note", format!("{{\"a\":\"{word}\"}}"));
                self.deltas.iter().enumerate().map(call).collect()
            }
            other => panic!("text, reasoning, arguments or calls, not {other}"),
        };
        answer
    }

    /// The stream that tells it.
    fn events(&self) -> Vec<Event> {
        let answer = self.answer();
        let mut events = vec![Event::Start { id: answer.id.clone(), model: answer.model.clone() }];
        let mut index = 0;
        for part in &answer.parts {
            let meta = part.meta.clone();
            match &part.content {
                Content::ToolCall(call) => {
                    let fragment = |fragment: &str| Event::ToolArguments { index, fragment: fragment.to_owned() };
                    events.push(Event::ToolStart { index, id: call.id.clone(), name: call.name.clone() });
                    if self.kind == "arguments" {
                        events.push(fragment("{\"a\":\""));
                        events.extend(self.deltas.iter().map(|delta| fragment(delta)));
                        events.push(fragment("\"}"));
                    } else {
                        events.push(fragment(&call.arguments));
                    }
                    events.push(Event::ToolEnd { index, call: call.clone(), meta });
                    index += 1;
                    continue;
                }
                Content::Reasoning(_) => events.extend(self.deltas.iter().cloned().map(Event::Reasoning)),
                Content::Text { .. } if self.kind == "text" => {
                    events.extend(self.deltas.iter().cloned().map(Event::Text));
                }
                _ => events.extend(part.as_text().map(|text| Event::Text(text.to_owned()))),
            }
            events.push(Event::PartEnd { signature: None, meta });
        }
        events.push(Event::Usage(answer.usage.clone().into()));
        events.push(Event::Done(Box::new(answer)));
        events
    }

    /// How many events of this kind came out; none where the dialect has no word for it.
    fn count(&self, items: &[sabir::Result<Event>]) -> usize {
        let told = items.iter().map(|item| item.as_ref().unwrap_or_else(|error| panic!("{error}")));
        let count = told.filter(|event| self.is_of_this_kind(event)).count();
        let Some(Ok(Event::Done(read))) = items.last() else { panic!("no end") };
        let answer = self.answer();
        let arguments =
            |answer: &ChatResponse| answer.tool_calls().map(|call| call.arguments.clone()).collect::<Vec<_>>();
        match self.kind.as_str() {
            "text" => assert_eq!(read.text(), answer.text()),
            "reasoning" if count > 0 => assert_eq!(read.reasoning(), answer.reasoning()),
            _ if count > 0 => assert_eq!(arguments(read), arguments(&answer)),
            _ => {}
        }
        count
    }

    fn is_of_this_kind(&self, event: &Event) -> bool {
        matches!(
            (self.kind.as_str(), event),
            ("text", Event::Text(_))
                | ("reasoning", Event::Reasoning(_))
                | ("arguments", Event::ToolArguments { .. })
                | ("calls", Event::ToolEnd { .. })
        )
    }
}

/// What is counted of `write`: callgrind knows it by its name.
#[inline(never)]
fn counted_write(dialect: &'static dyn Dialect, request: &ChatRequest, events: &[Event]) -> Vec<u8> {
    let mut encoder = dialect.encoder(request);
    // Room for it all: a body that grows is copied, byte by byte for the counter, at steps that have nothing to do with
    // the dialect.
    let mut out = Vec::with_capacity(8 << 20);
    for event in events {
        encoder.event(event, &mut out);
    }
    out
}

/// What is counted of `read`.
#[inline(never)]
fn counted_read(player: &Player, content_type: &'static str, pieces: &[Bytes]) -> Vec<sabir::Result<Event>> {
    player.play(content_type, pieces)
}
