use serde_json::json;

use super::*;
use crate::chat::{Message, ToolResult};

fn faults(request: &ChatRequest, abilities: &Abilities, traits: &ModelTraits) -> Vec<String> {
    let Err(error) = check(request, abilities, traits) else { return Vec::new() };
    assert!(matches!(error.kind(), ErrorKind::InvalidRequest | ErrorKind::Unsupported));
    error.faults().iter().map(Fault::to_string).collect()
}

fn any(request: &ChatRequest) -> Vec<String> {
    let abilities = Abilities { free_arguments: false, ..Abilities::default() };
    faults(request, &abilities, &ModelTraits::default())
}

fn call(id: &str, arguments: &str) -> Message {
    Message::new(Role::Assistant, [Part::tool_call(id, "add", arguments)])
}

#[test]
fn a_sound_conversation_has_no_fault() {
    let request = ChatRequest::new("m").user("1 and 2?").message(call("a", r#"{"x":1}"#));
    let request = request.message(Message::tool_result("a", "3")).user("and 4?").message(call("b", ""));
    let request = request.message(Message::tool_result("b", "7")).tool(Tool::function("add", "", json!({})));
    assert_eq!(any(&request), [""; 0]);
}

#[test]
fn every_fault_is_told_at_once_with_its_place() {
    let mut request = ChatRequest::new("m").message(Message::tool_result("z", "3")).message(call("a", "[1"));
    request = request.message(Message::tool_result("a", "3")).message(Message::tool_result("a", "4"));
    request = request.tool(Tool::function("no good", "", json!({}))).tool(Tool::function("", "", json!(1)));
    request.tool_choice = Some(ToolChoice::Named("other".into()));
    request.max_tokens = Some(0);
    request.temperature = Some(f64::NAN);
    assert_eq!(
        any(&request),
        [
            r#"messages[0].parts[0]: the result answers no call: none before it has the id "z""#,
            "messages[1].parts[0]: the arguments of the call are not a JSON object",
            r#"messages[3].parts[0]: the call "a" was answered before, at messages[2].parts[0]"#,
            "tools[0].name: has ' ' in it; letters, digits and _ - . : / are taken here",
            "tools[1].name: the tool has no name",
            "tools[1].parameters: a JSON Schema is an object",
            r#"tool_choice: no tool is called "other""#,
            "max_tokens: is 0: no answer fits",
            "temperature: is NaN, which is no number that can be sent; it goes from 0 to 2",
        ]
    );
    let error = check(&request, &Abilities::default(), &ModelTraits::default()).expect_err("faults");
    assert!(error.to_string().contains("8 faults"), "where arguments are text they may be anything: {error}");
    assert!(!error.to_string().contains('\n'));
}

#[test]
fn what_is_said_is_not_shown() {
    let request = ChatRequest::new("m").message(call("a", "a secret, not JSON"));
    assert!(!any(&request).concat().contains("secret"));
}

#[test]
fn an_empty_conversation_is_a_fault_unless_the_provider_holds_one() {
    assert_eq!(any(&ChatRequest::new("m")), ["messages: is empty; say something, for example with `.user(…)`"]);
    let held = ChatRequest::new("m").option("openai-responses", "previous_response_id", "resp_1");
    assert_eq!(any(&held), [""; 0]);
    assert_eq!(any(&held.message(Message::tool_result("a", "3"))), [""; 0]);
}

#[test]
fn a_model_that_cannot_is_said_before_it_is_asked() {
    let traits = ModelTraits {
        tools: Some(false),
        vision: Some(false),
        max_output: Some(100),
        context_window: Some(10),
        ..ModelTraits::default()
    };
    let image = Part::image(Media::from_url("https://a.test/x.png").expect("a URL"));
    let request = ChatRequest::new("blind").message(Message::new(Role::User, [image]));
    let request = request.tool(Tool::function("add", "", json!({})));
    let error = check(&request, &Abilities::default(), &traits).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(error.faults().len(), 2);
    let request = ChatRequest { max_tokens: Some(101), ..ChatRequest::new("m").user("x".repeat(1409)) };
    assert_eq!(
        faults(&request, &Abilities::default(), &traits),
        [
            "max_tokens: is 101, and m writes 100 at most",
            "messages: is at least 11 tokens long, and m reads 10 at most"
        ]
    );
}

#[test]
fn media_keep_to_what_is_taken() {
    let abilities = Abilities { images: &["image/png"], inline_bytes: Some(3), ..Abilities::default() };
    let image = |bytes: &'static [u8], mime: &str| {
        Part::image(Media { source: Source::Bytes(bytes.into()), mime: Some(mime.to_owned()) })
    };
    let result = ToolResult { call_id: "a".into(), parts: vec![image(b"1234", "image/png")], ..ToolResult::default() };
    let said = Message::new(Role::User, [image(b"1", "image/tiff"), image(b"", "image/png")]);
    let request = ChatRequest::new("m").message(said).message(call("a", "{}"));
    let request = request.message(Message::new(Role::Tool, [Content::ToolResult(result).into()]));
    assert_eq!(
        faults(&request, &abilities, &ModelTraits::default()),
        [
            "messages[0].parts[0]: an image of the type image/tiff is not taken; send one of image/png",
            "messages[0].parts[1]: the medium is empty",
            "messages[2].parts[0]: the medium has 4 bytes, and 3 can be sent within a request",
        ]
    );
}

#[test]
fn turns_are_kept_where_they_must_be() {
    let abilities = Abilities { turns: true, ..Abilities::default() };
    let told = |request: &ChatRequest| faults(request, &abilities, &ModelTraits::default());
    let sound = ChatRequest::new("m").system("Be brief.").user("1 and 2?").message(call("a", "{}"));
    let sound = sound.message(Message::tool_result("a", "3")).message(Message::assistant("3.")).user("And 4?");
    assert_eq!(told(&sound), [""; 0]);
    let twice = ChatRequest::new("m").message(Message::assistant("Hm.")).user("1?").user("2?");
    assert_eq!(
        told(&twice),
        [
            "messages[0]: is the assistant's; the user must begin here",
            "messages[2]: is the user's again; user and assistant must take turns here: join the two",
        ]
    );
    assert_eq!(any(&twice), [""; 0], "most take what comes");
}
