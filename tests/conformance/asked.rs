//! Requests of our own: what no recorded client happened to ask, one thing each.

use sabir::chat::{
    Content, Document, Effort, FunctionTool, Media, ReasoningRequest, ResponseFormat, Role, Tool, ToolChoice,
    ToolResult,
};
use sabir::embed::{EmbedInput, EmbedPurpose, EmbedRequest};
use sabir::rerank::RerankRequest;
use sabir::{ChatRequest, Message, Part};
use serde_json::json;

/// Conversations.
pub(crate) fn chats() -> Vec<(&'static str, ChatRequest)> {
    [settings(), shown(), tools()].into_iter().flatten().collect()
}

fn plain() -> ChatRequest {
    ChatRequest::new("test-model").user("Why is the sea salt?").max_tokens(100)
}

fn set(change: impl FnOnce(&mut ChatRequest)) -> ChatRequest {
    let mut request = plain();
    change(&mut request);
    request
}

fn settings() -> Vec<(&'static str, ChatRequest)> {
    let schema = json!({"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "number"}},
        "required": ["z", "a"], "additionalProperties": false});
    let format = |strict| ResponseFormat::JsonSchema {
        name: "answer".into(),
        schema: schema.clone(),
        description: Some("The answer.".into()),
        strict,
    };
    let thinking = |reasoning| set(|r| (r.reasoning, r.max_tokens) = (Some(reasoning), Some(4000)));
    let effort = |effort| thinking(ReasoningRequest { effort: Some(effort), ..ReasoningRequest::default() });
    vec![
        ("plain", plain()),
        ("streamed", set(|r| r.stream = true)),
        ("system", ChatRequest::new("test-model").system("Be brief.").user("Hi").max_tokens(9)),
        ("system-midway", plain().assistant("Rivers.").system("Be brief.").user("So?")),
        ("turns", plain().assistant("Rivers.").user("So?")),
        ("sampling", set(|r| (r.temperature, r.top_p, r.top_k) = (Some(0.3), Some(0.9), Some(40)))),
        ("stop-and-seed", set(|r| (r.stop, r.seed) = (vec!["END".into()], Some(7)))),
        ("penalties", set(|r| (r.presence_penalty, r.frequency_penalty) = (Some(0.5), Some(-0.5)))),
        ("user", set(|r| r.user = Some("u-17".into()))),
        ("metadata", set(|r| r.metadata = [("team".to_owned(), "blue".to_owned())].into())),
        ("cache-key", set(|r| r.cache_key = Some("k-1".into()))),
        ("automatic-cache", set(|r| r.cache = Some(sabir::chat::CacheMark::default()))),
        ("json", plain().response_format(ResponseFormat::Json)),
        ("schema", plain().response_format(format(None))),
        ("strict-schema", plain().response_format(format(Some(true)))),
        ("low-effort", effort(Effort::Low)),
        ("no-effort", effort(Effort::None)),
        ("budget", thinking(ReasoningRequest { budget: Some(2048), ..ReasoningRequest::default() })),
        ("thinking", thinking(ReasoningRequest { enabled: Some(true), ..ReasoningRequest::default() })),
        ("foreign-option", plain().option("testkit-other", "x_testkit", 1)),
    ]
}

fn shown() -> Vec<(&'static str, ChatRequest)> {
    let shown = |content: Content| {
        let message = Message::new(Role::User, [Part::text("What is this?"), content.into()]);
        ChatRequest::new("test-model").message(message).max_tokens(100)
    };
    let png = Media::bytes(&b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"[..], "image/png");
    let pdf = Media::bytes(&b"%PDF-1.7 x"[..], "application/pdf");
    let cached = Message::new(Role::User, [Part::text("Long.").cached(), Part::text("Short.")]);
    vec![
        ("image", shown(Content::Image(png))),
        ("image-by-url", shown(Content::Image(Media::url("https://example.com/a.png")))),
        ("sound", shown(Content::Audio(Media::bytes(&b"RIFF\x00WAVE"[..], "audio/wav")))),
        ("document", shown(Content::Document(Document { media: pdf, title: Some("a.pdf".into()) }))),
        ("cache-mark", ChatRequest::new("test-model").message(cached).max_tokens(9)),
    ]
}

fn tools() -> Vec<(&'static str, ChatRequest)> {
    let schema = json!({"type": "object", "properties": {"zone": {"type": "string", "description": "IANA name"},
        "at": {"type": ["integer", "null"], "minimum": -1.0}}, "required": ["zone"]});
    let with = || {
        let weather = Tool::function("weather", "Tells the weather.", schema.clone());
        plain().tool(Tool::function("clock", "Tells the time.", schema.clone())).tool(weather)
    };
    let bare = Tool::Function(FunctionTool { name: "now".into(), ..FunctionTool::default() });
    let strict = Tool::Function(FunctionTool {
        name: "clock".into(),
        parameters: Some(schema.clone()),
        strict: Some(true),
        ..FunctionTool::default()
    });
    let call = |id: &str| Part::tool_call(id, "clock", r#"{"zone":"Europe/Madrid","at":1.0}"#);
    let called = |calls: Vec<Part>| with().message(Message::new(Role::Assistant, calls));
    let failed = ToolResult {
        call_id: "call_1".into(),
        parts: vec!["No clock.".into()],
        is_error: true,
        ..ToolResult::default()
    };
    let allowed = ToolChoice::Allowed { names: vec!["clock".into()], required: true };
    vec![
        ("tools", with()),
        ("tool-without-parameters", plain().tool(bare)),
        ("strict-tool", plain().tool(strict)),
        ("tools-as-it-likes", with().tool_choice(ToolChoice::Auto)),
        ("no-tools", with().tool_choice(ToolChoice::None)),
        ("some-tool", with().tool_choice(ToolChoice::Required)),
        ("this-tool", with().tool_choice(ToolChoice::Named("clock".into()))),
        ("allowed-tools", with().tool_choice(allowed)),
        ("one-call-at-a-time", ChatRequest { parallel_tool_calls: Some(false), ..with() }),
        ("result", called(vec![call("call_1")]).message(Message::tool_result("call_1", "12:00")).user("So?")),
        (
            "results",
            called(vec![Part::text("I look."), call("call_1"), call("call_2")])
                .message(Message::tool_result("call_1", "12:00"))
                .message(Message::tool_result("call_2", "13:00")),
        ),
        (
            "failed-tool",
            called(vec![call("call_1")]).message(Message::new(Role::Tool, [Content::ToolResult(failed).into()])),
        ),
    ]
}

/// Orders for vectors.
pub(crate) fn embeddings() -> Vec<(&'static str, EmbedRequest)> {
    let text = |text: &str| EmbedInput::Text(text.to_owned());
    let one = EmbedRequest { model: "test-model".into(), inputs: vec![text("Salt.")], ..EmbedRequest::default() };
    vec![
        ("one-text", one.clone()),
        ("texts", EmbedRequest { inputs: vec![text("Salt."), text("Sea.")], ..one.clone() }),
        ("for-documents", EmbedRequest { purpose: Some(EmbedPurpose::Document), ..one.clone() }),
        ("for-a-query", EmbedRequest { purpose: Some(EmbedPurpose::Query), ..one.clone() }),
        ("shortened", EmbedRequest { dimensions: Some(256), ..one.clone() }),
        ("user", EmbedRequest { user: Some("u-17".into()), ..one }),
    ]
}

/// Orders for documents in order.
pub(crate) fn rerankings() -> Vec<(&'static str, RerankRequest)> {
    let all = RerankRequest {
        model: "test-model".into(),
        query: "salt".into(),
        documents: vec!["Sea.".into(), "Sugar.".into()],
        ..RerankRequest::default()
    };
    vec![("all", all.clone()), ("best", RerankRequest { top_n: Some(1), ..all })]
}
