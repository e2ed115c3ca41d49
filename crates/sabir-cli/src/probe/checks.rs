//! What is looked at: a request, how its answer is judged, and what may be tried where it is refused.

use sabir::chat::{FinishReason, FunctionTool, Message, Part, ResponseFormat, Role, Tool, ToolChoice};
use sabir::{ChatRequest, ChatResponse};
use serde_json::{Value, json};

/// One look at a server.
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) request: fn(ChatRequest) -> ChatRequest,
    /// What is wrong with an answer; `None` where it is as it should be.
    pub(super) judge: fn(&ChatResponse) -> Option<&'static str>,
    /// A quirk with the values to try where the request is refused.
    pub(super) quirk: Option<(&'static str, &'static [&'static str])>,
}

/// The checks, in order: what the first find holds for those that follow.
pub(super) const CHECKS: &[Check] = &[
    check("answers", |r| r.user("Reply with one short sentence about salt."), has_text),
    Check {
        quirk: Some(("max_tokens_field", &["max_completion_tokens"])),
        ..check("max_tokens", |r| r.user("Count to 200, one number after the other.").max_tokens(16), is_cut)
    },
    check("system role", |r| r.system("Answer in one word.").user("Which city is the capital of Norway?"), has_text),
    check("text as a list of parts", |r| r.message(parts()), has_text),
    Check {
        quirk: Some(("stream_options", &["false"])),
        ..check("stream", |r| streamed(r).user("Reply with one short sentence about pepper."), has_text)
    },
    check("stop", |r| stop(r).user("count to 9"), is_stopped),
    check("tools", |r| weather(r, None).user("What is the weather in Oslo? Use the tool."), calls),
    check(
        "tools in a stream",
        |r| streamed(weather(r, None)).user("What is the weather in Rome? Use the tool."),
        calls,
    ),
    Check {
        quirk: Some(("strict_tools", &["false"])),
        ..check("strict tools", |r| weather(r, Some(true)).user("What is the weather in Bonn? Use the tool."), calls)
    },
    check(
        "parallel tools",
        |r| parallel(r).user("What is the weather in Oslo and in Rome? Call get_weather and get_time."),
        calls_twice,
    ),
    Check {
        quirk: Some(("forced_tool", &["any"])),
        ..check("forced tool", |r| weather(r, None).tool_choice(ToolChoice::Required).user("Hello."), calls)
    },
    check(
        "named tool",
        |r| weather(r, None).tool_choice(ToolChoice::Named("get_weather".to_owned())).user("Hello."),
        calls,
    ),
    check("tool without parameters", |r| bare(r).user("What time is it? Use the tool."), calls),
    check("result of a tool", result, has_text),
    check("JSON", |r| r.user("Give a JSON object with a field `city`.").response_format(ResponseFormat::Json), is_json),
    Check {
        quirk: Some(("json_schema", &["false"])),
        ..check("JSON schema", |r| r.user("Name a city, as JSON.").response_format(schema()), has_city)
    },
    Check {
        quirk: Some(("seed_field", &["random_seed"])),
        ..check("seed", |r| ChatRequest { seed: Some(7), ..r.user("Reply with one word.") }, has_text)
    },
    Check {
        quirk: Some(("user_field", &["safety_identifier", "none"])),
        ..check("user", |r| ChatRequest { user: Some("probe".to_owned()), ..r.user("Reply with one word.") }, has_text)
    },
];

const fn check(
    name: &'static str,
    request: fn(ChatRequest) -> ChatRequest,
    judge: fn(&ChatResponse) -> Option<&'static str>,
) -> Check {
    Check { name, request, judge, quirk: None }
}

fn streamed(request: ChatRequest) -> ChatRequest {
    ChatRequest { stream: true, ..request }
}

fn stop(request: ChatRequest) -> ChatRequest {
    ChatRequest { stop: vec!["5".to_owned()], ..request }
}

fn parts() -> Message {
    Message::new(Role::User, vec![Part::text("Reply with one short sentence "), Part::text("about salt.")])
}

fn function(name: &str, parameters: Option<Value>, strict: Option<bool>) -> Tool {
    let description = Some(format!("Tells what {name} says."));
    Tool::Function(FunctionTool { name: name.to_owned(), description, parameters, strict, ..FunctionTool::default() })
}

fn city() -> Value {
    json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"],
        "additionalProperties": false })
}

fn weather(request: ChatRequest, strict: Option<bool>) -> ChatRequest {
    request.tool(function("get_weather", Some(city()), strict))
}

fn parallel(request: ChatRequest) -> ChatRequest {
    let request = weather(request, None).tool(function("get_time", Some(city()), None));
    ChatRequest { parallel_tool_calls: Some(true), ..request }
}

fn bare(request: ChatRequest) -> ChatRequest {
    request.tool(function("get_time", None, None))
}

fn result(request: ChatRequest) -> ChatRequest {
    let call = Message::new(Role::Assistant, [Part::tool_call("call_1", "get_weather", r#"{"city":"Oslo"}"#)]);
    let request = weather(request, None).user("What is the weather in Oslo?").message(call);
    request.message(Message::tool_result("call_1", "Sunny, 21 degrees."))
}

fn schema() -> ResponseFormat {
    ResponseFormat::JsonSchema { name: "place".to_owned(), schema: city(), description: None, strict: Some(true) }
}

fn has_text(response: &ChatResponse) -> Option<&'static str> {
    response.text().trim().is_empty().then_some("no text came")
}

fn is_cut(response: &ChatResponse) -> Option<&'static str> {
    (response.finish.reason != FinishReason::Length).then_some("accepted, and the answer was not cut")
}

fn is_stopped(response: &ChatResponse) -> Option<&'static str> {
    response.text().contains('5').then_some("accepted, and the answer went on")
}

fn calls(response: &ChatResponse) -> Option<&'static str> {
    let mut calls = response.tool_calls().peekable();
    if calls.peek().is_none() {
        return Some("accepted, and no tool was called");
    }
    let is_object = |arguments: &str| serde_json::from_str::<Value>(arguments).is_ok_and(|value| value.is_object());
    (!calls.all(|call| is_object(&call.arguments))).then_some("the arguments are no JSON object")
}

fn calls_twice(response: &ChatResponse) -> Option<&'static str> {
    calls(response).or_else(|| (response.tool_calls().count() < 2).then_some("accepted, and one call came"))
}

fn is_json(response: &ChatResponse) -> Option<&'static str> {
    serde_json::from_str::<Value>(&response.text()).is_err().then_some("accepted, and the answer is no JSON")
}

fn has_city(response: &ChatResponse) -> Option<&'static str> {
    let value: Value = serde_json::from_str(&response.text()).unwrap_or_default();
    (!value["city"].is_string()).then_some("accepted, and the answer does not follow it")
}
