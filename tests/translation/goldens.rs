//! Translations to be read: a few recorded requests and answers as they go out in other dialects, byte by byte, with
//! what is lost on the way. They are in `tests/goldens`; `SABIR_BLESS=1` writes them anew.

use std::fmt::Write as _;
use std::path::Path;

use sabir::drive::{encode, respond, streamed_losses};
use sabir::{ChatRequest, Dialect, Endpoint, Loss};
use sabir_tests::{DIALECTS, Recording, recordings};
use serde_json::{Value, json};

use crate::corpus::{accept, events};

const ANTHROPIC: &str = "anthropic-messages";
const BEDROCK: &str = "bedrock-converse";
const CHAT: &str = "openai-chat";
const GEMINI: &str = "gemini-generate";
const OLLAMA: &str = "ollama-chat";
const RESPONSES: &str = "openai-responses";

/// What is asked, by what it shows: the recording, and where it goes.
const REQUESTS: &[(&str, &str, &[&str])] = &[
    ("parallel-calls", "fantasy-94132b93404065bb", &[ANTHROPIC, GEMINI, RESPONSES, BEDROCK, OLLAMA]),
    ("signed-thought", "crewai-a3fd08ac8a50454c", &[CHAT, GEMINI, RESPONSES, BEDROCK]),
    ("signed-calls", "fantasy-f85fe5b023fb6f7d", &[CHAT, ANTHROPIC, RESPONSES, BEDROCK]),
    ("image-and-schema", "ellmer-75e543c88d0e45bd", &[CHAT, ANTHROPIC, GEMINI]),
    ("image-in-result", "fantasy-f94c39b5ba0ab41f", &[CHAT, GEMINI, RESPONSES, BEDROCK, OLLAMA]),
    ("marks-and-schema", "mirascope-dd599d4b63506d69", &[CHAT, GEMINI, RESPONSES, BEDROCK]),
    ("json-results", "opentelemetry-python-contrib-62add3f17ab7e259", &[CHAT, ANTHROPIC]),
    ("no-thinking", "rig-3af7dfbc182f5d53", &[CHAT]),
];

/// What is answered.
const ANSWERS: &[(&str, &str, &[&str])] = &[
    ("signed-thought", "crewai-a3fd08ac8a50454c", &[CHAT, GEMINI, RESPONSES, BEDROCK, OLLAMA]),
    ("call", "fantasy-358bbd9eec9b85cc", &[CHAT, GEMINI, RESPONSES, BEDROCK, OLLAMA]),
    ("cut-off", "rig-3af7dfbc182f5d53", &[CHAT, ANTHROPIC]),
];

#[test]
fn translations_are_what_was_read_and_found_right() {
    let mut wrong = Vec::new();
    for (name, id, targets) in REQUESTS {
        let (recording, asked) = asked(id);
        for to in *targets {
            check(&format!("request.{name}.{to}"), &request(&recording, &asked, dialect(to)), &mut wrong);
        }
    }
    for (name, id, targets) in ANSWERS {
        let (recording, _) = asked(id);
        for to in *targets {
            check(&format!("answer.{name}.{to}"), &answer(&recording, dialect(to)), &mut wrong);
        }
    }
    assert!(
        wrong.is_empty(),
        "{wrong:?} go out otherwise now; look at each change, and write them anew with \
         `SABIR_BLESS=1 cargo test -p sabir-tests --test translation`"
    );
}

fn asked(id: &str) -> (Recording, ChatRequest) {
    let mut all = DIALECTS.iter().flat_map(|dialect| recordings(dialect));
    let recording = all.find(|recording| recording.id == id).expect("it is recorded");
    let body = recording.request.as_ref().expect("a whole request").to_string();
    let asked = accept(recording.room(), &recording.path, body.as_bytes()).expect("it is accepted");
    (recording, asked)
}

fn dialect(name: &str) -> &'static dyn Dialect {
    sabir::dialects::dialect(name).expect("it is built in")
}

fn request(recording: &Recording, asked: &ChatRequest, to: &dyn Dialect) -> String {
    let endpoint = Endpoint { base_url: "http://there".into(), ..Endpoint::default() };
    let encoded = encode(to, asked, &endpoint).expect("it can be said");
    let mut text = head(recording, to);
    let _ = writeln!(text, "POST {}", encoded.uri.path_and_query().expect("a path"));
    lost(&encoded.losses, &mut text);
    pretty(&encoded.body, &mut text);
    text
}

fn answer(recording: &Recording, to: &dyn Dialect) -> String {
    let events: Vec<_> = events(recording).into_iter().map(|event| event.expect("it arrives whole")).collect();
    let Some(sabir::chat::Event::Done(response)) = events.last() else { panic!("{} has no end", recording.id) };
    let request = ChatRequest::new("any").option(to.name(), "stream_options", json!({"include_usage": true}));
    let whole = respond(to, response, &request);
    let mut text = head(recording, to);
    lost(&whole.losses, &mut text);
    pretty(&whole.body, &mut text);
    let (mut encoder, mut out) = (to.encoder(&ChatRequest { stream: true, ..request }), Vec::new());
    for event in &events {
        encoder.event(event, &mut out);
    }
    // Frames of bytes are not to be read.
    if let Ok(streamed) = String::from_utf8(out) {
        text.push_str("\n# as a stream\n");
        lost(&streamed_losses(to, &mut *encoder, response), &mut text);
        text.push_str(&streamed);
    }
    text
}

fn head(recording: &Recording, to: &dyn Dialect) -> String {
    format!("# {}: from {} to {}\n", recording.id, recording.room().name(), to.name())
}

fn lost(losses: &[Loss], text: &mut String) {
    for loss in losses {
        let _ = writeln!(text, "lost: {loss}");
    }
}

fn pretty(json: &[u8], text: &mut String) {
    let json: Value = serde_json::from_slice(json).expect("JSON");
    text.push_str(&serde_json::to_string_pretty(&json).expect("it was JSON before"));
    text.push('\n');
}

/// Compares a file with what is written now. With `SABIR_BLESS` in the environment it is written instead.
fn check(name: &str, text: &str, wrong: &mut Vec<String>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens");
    let path = folder.join(format!("{name}.txt"));
    if std::env::var_os("SABIR_BLESS").is_some() {
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        std::fs::write(&path, text).expect("the file can be written");
    } else if std::fs::read_to_string(&path).unwrap_or_default() != text {
        wrong.push(name.to_owned());
    }
}
