use sabir_core::ErrorKind;
use sabir_core::chat::{
    ChatRequest, ChatResponse, Content, Document, Effort, FinishReason, Media, Message, Part, ResponseFormat, Role,
    Tool, ToolChoice,
};
use serde_json::{Value, json};

use super::{NOTICE, SIGNATURE, answer};

fn ask(text: &str) -> ChatRequest {
    ChatRequest::new("m").user(text)
}

fn answered(request: &ChatRequest) -> ChatResponse {
    answer(request).expect("a valid request")
}

fn tool(name: &str) -> Tool {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    Tool::function(name, "A tool.", schema)
}

#[test]
fn it_says_what_it_is_and_what_it_heard() {
    let response = answered(&ask("Why is the sea salt?"));
    assert_eq!(response.text(), format!("{NOTICE} You said: “Why is the sea salt?” (5 words)."));
    assert_eq!((response.finish.reason, response.model.as_str()), (FinishReason::Stop, "m"));
    assert!(answered(&ask("Hi there")).text().starts_with("Hello! This is Sabir's simulator"));
    assert!(!answered(&ask("History?")).text().starts_with("Hello!"));
    assert!(answered(&ask("Please count to 5")).text().contains("1, 2, 3, 4, 5."));
    assert!(answered(&ask("count to 99999999999")).text().ends_with("1000."));
    let long = answered(&ask(&"a".repeat(1_000_000))).text();
    assert!(long.len() < 1_000 && long.contains("a…”"));
}

#[test]
fn it_tells_what_else_it_was_sent() {
    let document = Content::Document(Document {
        media: Media::bytes(&b"%PDF"[..], "application/pdf"),
        title: Some("Report".into()),
    });
    let message =
        Message::user("Look").with(Part::image(Media::bytes(&b"\x89PNG"[..], "image/png"))).with(Part::from(document));
    let request = ChatRequest::new("m").system("Be brief now.").user("1").assistant("2").message(message);
    let text = answered(&request).text();
    assert!(text.contains("an image (image/png, 4 bytes), a document “Report” (application/pdf, 4 bytes)."), "{text}");
    assert!(text.contains("system prompt has 3 words") && text.contains("answer number 2"), "{text}");
}

#[test]
fn the_same_request_has_the_same_answer_and_another_has_another() {
    let (one, again, other) = (answered(&ask("a")), answered(&ask("a")), answered(&ask("b")));
    assert_eq!(one, again);
    assert_ne!(one.id, other.id);
    let mut streamed = ask("a");
    streamed.stream = true;
    assert_eq!(answered(&streamed), one);
}

#[test]
fn tools_are_called_by_name_or_else_the_first() {
    let both = |text: &str| ask(text).tool(tool("get_weather")).tool(tool("get_time"));
    let names =
        |request: &ChatRequest| -> Vec<String> { answered(request).tool_calls().map(|c| c.name.clone()).collect() };
    assert_eq!(names(&both("Hello")), ["get_weather"]);
    assert_eq!(names(&both("What is the time? get time!")), ["get_time"]);
    assert_eq!(names(&both("get_time and get_weather")), ["get_weather", "get_time"]);
    let mut single = both("get_time and get_weather");
    single.parallel_tool_calls = Some(false);
    assert_eq!(names(&single), ["get_weather"]);
    assert_eq!(names(&both("x").tool_choice(ToolChoice::Named("get_time".into()))), ["get_time"]);
    let allowed = ToolChoice::Allowed { names: vec!["get_time".into()], required: true };
    assert_eq!(names(&both("get_weather").tool_choice(allowed)), ["get_time"]);
    assert!(names(&both("x").tool_choice(ToolChoice::None)).is_empty());
    let error = answer(&both("x").tool_choice(ToolChoice::Named("nope".into()))).expect_err("no such tool");
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);

    let response = answered(&both("get_time and get_weather"));
    assert_eq!(response.finish.reason, FinishReason::ToolCalls);
    let ids: Vec<_> = response.tool_calls().map(|c| c.id.clone()).collect();
    assert_ne!(ids[0], ids[1]);
    let arguments: Value = response.tool_calls().next().expect("a call").parse().expect("JSON");
    assert_eq!(arguments, json!({"city": "simulated city"}));
}

#[test]
fn a_tools_result_is_told() {
    let asked = ask("Weather?").tool(tool("get_weather")).tool(tool("get_time"));
    let call = Message::new(Role::Assistant, [Part::tool_call("c1", "get_weather", "{}")]);
    let request = asked.message(call).message(Message::tool_result("c1", "22 °C"));
    assert_eq!(answered(&request).text(), format!("{NOTICE} The tool get_weather gave: “22 °C”."));
    let asked_again = request.user("And the get_time?");
    assert_eq!(answered(&asked_again).tool_calls().count(), 1);
}

#[test]
fn json_is_answered_in_json() {
    let text = answered(&ask("x").response_format(ResponseFormat::Json)).text();
    let json: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&json["simulated"], &json["you_said"]), (&json!(true), &json!("x")));
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 4}}, "required": ["n"]});
    let format = ResponseFormat::JsonSchema { name: "n".into(), schema, description: None, strict: Some(true) };
    assert_eq!(answered(&ask("x").response_format(format)).text(), r#"{"n":4}"#);
}

#[test]
fn thoughts_come_first_and_only_when_asked_for() {
    let response = answered(&ask("x").effort(Effort::Low));
    let Content::Reasoning(thought) = &response.parts[0].content else { panic!("no thought first") };
    assert_eq!(thought.signature.as_deref(), Some(SIGNATURE));
    assert!(response.usage.reasoning > Some(0));
    assert_eq!(answered(&ask("x").effort(Effort::None)).reasoning(), None);
    assert_eq!(answered(&ask("x")).usage.reasoning, None);
}

#[test]
fn limits_hold() {
    let response = answered(&ask("x").max_tokens(3));
    assert_eq!((response.text().as_str(), response.finish.reason), ("This is Sabi", FinishReason::Length));
    assert_eq!(response.usage.output, Some(3));
    assert!(answered(&ask("x").max_tokens(0)).parts.is_empty());
    assert_eq!(answered(&ask("x").max_tokens(u64::MAX)).finish.reason, FinishReason::Stop);
    let cut = answered(&ask("x").tool(tool("f")).max_tokens(3));
    assert_eq!(cut.finish.reason, FinishReason::Length);
    assert_eq!(cut.tool_calls().next().expect("a call").arguments, r#"{"city":"#);
    let cut = answered(&ask("x").effort(Effort::High).max_tokens(2));
    assert_eq!((cut.reasoning().as_deref(), cut.parts.len()), (Some("I am a s"), 1));

    let mut request = ask("x");
    request.stop = vec![String::new(), "language".into(), "Sabir".into()];
    let response = answered(&request);
    assert_eq!(response.text(), "This is ");
    assert_eq!(response.finish.stop_sequence.as_deref(), Some("Sabir"));
}

#[test]
fn nothing_to_answer_is_refused() {
    assert_eq!(answer(&ChatRequest::new("m")).expect_err("empty").kind(), ErrorKind::InvalidRequest);
}

#[test]
fn usage_is_counted_in_its_buckets() {
    let usage = answered(&ask("12345678")).usage;
    assert_eq!(usage.input, Some(2));
    assert_eq!(usage.output_total(), usage.output);
    assert!(usage.output > Some(10));
}
