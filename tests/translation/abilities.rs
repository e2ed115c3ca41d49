//! What dialects say that they can carry, held against what they do: each feature alone in a request.

use sabir::chat::{
    CacheMark, ChatRequest, Citation, Content, Document, Effort, FunctionTool, Media, Message, Part, Reasoning,
    ReasoningRequest, ResponseFormat, Role, Source, Tool, ToolChoice, ToolResult,
};
use sabir::{Dialect, Endpoint, Feature};
use serde_json::json;

fn media(mime: &str, bytes: &'static [u8]) -> Media {
    Media { source: Source::Bytes(bytes.into()), mime: Some(mime.to_owned()) }
}

fn tool() -> Tool {
    Tool::function("add", "Adds", json!({"type": "object", "properties": {"x": {"type": "integer"}}}))
}

/// A request with a call in it, and the tool's failure.
fn called() -> ChatRequest {
    let result =
        ToolResult { call_id: "call_1".into(), name: Some("add".into()), parts: vec![Part::text("3")], is_error: true };
    let request = ChatRequest::new("m").user("1+2?").tool(tool());
    let request = request.message(Message::new(Role::Assistant, [Part::tool_call("call_1", "add", r#"{"x":1}"#)]));
    request.message(Message::new(Role::Tool, [Content::ToolResult(result).into()]))
}

fn with(part: impl Into<Part>) -> ChatRequest {
    ChatRequest::new("m").message(Message::new(Role::User, [Part::text("look"), part.into()]))
}

/// An earlier answer with this part, and a question after it.
fn after(part: impl Into<Part>) -> ChatRequest {
    let answer = Message::new(Role::Assistant, [part.into(), Part::text("so")]);
    ChatRequest::new("m").user("go").message(answer).user("and?")
}

/// A request with one feature in it; `None` for what is no request's.
pub(crate) fn probe(feature: &Feature) -> Option<ChatRequest> {
    let base = || ChatRequest::new("m").user("hi");
    let set = |set: &dyn Fn(&mut ChatRequest)| {
        let mut request = base();
        set(&mut request);
        request
    };
    let schema = json!({"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"],
        "additionalProperties": false, "title": "x"});
    Some(match feature {
        Feature::Tools => base().tool(tool()),
        Feature::ToolErrors => called(),
        Feature::ParallelTools => ChatRequest { parallel_tool_calls: Some(false), ..base().tool(tool()) },
        Feature::ToolChoice => ChatRequest { tool_choice: Some(ToolChoice::Required), ..base().tool(tool()) },
        Feature::StrictTools => {
            let strict = FunctionTool {
                name: "add".into(),
                parameters: Some(schema),
                strict: Some(true),
                ..FunctionTool::default()
            };
            base().tool(Tool::Function(strict))
        }
        Feature::Images => with(Part::image(media("image/png", b"\x89PNG\r\n\x1a\n"))),
        Feature::Audio => with(Content::Audio(media("audio/wav", b"RIFF"))),
        Feature::Video => with(Content::Video(media("video/mp4", b"mp4"))),
        Feature::Documents => {
            with(Content::Document(Document { media: media("application/pdf", b"%PDF"), title: None }))
        }
        Feature::MediaUrls => {
            with(Part::image(Media { source: Source::Url("https://a.test/x.png".into()), mime: None }))
        }
        Feature::JsonOutput => base().response_format(ResponseFormat::Json),
        Feature::JsonSchema => base().response_format(ResponseFormat::JsonSchema {
            name: "x".into(),
            schema,
            description: None,
            strict: None,
        }),
        Feature::Reasoning => after(Part::reasoning("hm")),
        Feature::Signatures => after(Content::Reasoning(Reasoning {
            text: "hm".into(),
            signature: Some("c2lnbmVk".into()),
            encrypted: None,
        })),
        Feature::ReasoningEffort => base().effort(Effort::Low),
        Feature::ReasoningBudget => set(&|request| {
            request.reasoning = Some(ReasoningRequest { budget: Some(2048), ..ReasoningRequest::default() });
            request.max_tokens = Some(8192);
        }),
        Feature::Citations => {
            let citation =
                Citation { url: Some("https://a.test".into()), title: Some("A".into()), ..Citation::default() };
            ChatRequest::new("m")
                .user("go")
                .message(Message::new(Role::Assistant, [Part::text("so"), Content::Citation(citation).into()]))
                .user("and?")
        }
        // A refusal is all that is said.
        Feature::Refusals => {
            let refusal = Part::from(Content::Refusal { text: "no".into() });
            ChatRequest::new("m").user("go").message(Message::new(Role::Assistant, [refusal])).user("and?")
        }
        Feature::CacheMarks => set(&|request| request.messages[0].parts[0].cache = Some(CacheMark::default())),
        Feature::CacheKey => set(&|request| request.cache_key = Some("k".into())),
        Feature::SystemPrompt => ChatRequest::new("m").system("Be brief.").user("hi"),
        Feature::SystemMidway => {
            ChatRequest::new("m").user("hi").message(Message::assistant("ho")).system("Now be brief.").user("go")
        }
        Feature::Names => set(&|request| request.messages[0].name = Some("ann".into())),
        Feature::MaxTokens => base().max_tokens(100),
        Feature::Temperature => set(&|request| request.temperature = Some(0.5)),
        Feature::TopP => set(&|request| request.top_p = Some(0.5)),
        Feature::TopK => set(&|request| request.top_k = Some(5)),
        Feature::Stop => set(&|request| request.stop = vec!["END".into()]),
        Feature::Seed => set(&|request| request.seed = Some(7)),
        Feature::PresencePenalty => set(&|request| request.presence_penalty = Some(0.5)),
        Feature::FrequencyPenalty => set(&|request| request.frequency_penalty = Some(0.5)),
        Feature::User => set(&|request| request.user = Some("u1".into())),
        Feature::Metadata => set(&|request| {
            request.metadata.insert("k".into(), "v".into());
        }),
        Feature::Streaming => set(&|request| request.stream = true),
        _ => return None,
    })
}

/// Whether a dialect carries a request's feature without a loss.
pub(crate) fn carries(dialect: &dyn Dialect, endpoint: &Endpoint, feature: &Feature) -> Option<bool> {
    let request = probe(feature)?;
    Some(
        dialect
            .encode(&request, endpoint)
            .is_ok_and(|encoded| encoded.losses.iter().all(|loss| loss.path == "response_format.name")),
    )
}

#[test]
fn dialects_can_what_they_say_they_can() {
    let endpoint = Endpoint { base_url: "http://there".into(), ..Endpoint::default() };
    let mut wrong = Vec::new();
    for dialect in sabir::dialects::dialects() {
        let stated = dialect.abilities(&endpoint.quirks).features;
        let (mut missing, mut extra) = (Vec::new(), Vec::new());
        for feature in Feature::ALL {
            match carries(*dialect, &endpoint, feature) {
                Some(true) if !stated.has(feature) => extra.push(format!("Feature::{feature:?}")),
                Some(false) if stated.has(feature) => missing.push(format!("Feature::{feature:?}")),
                _ => {}
            }
        }
        if !(missing.is_empty() && extra.is_empty()) {
            wrong.push(format!(
                "{}: says that it carries, and loses: {}\n  carries, and does not say so: {}",
                dialect.name(),
                missing.join(", "),
                extra.join(", ")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
