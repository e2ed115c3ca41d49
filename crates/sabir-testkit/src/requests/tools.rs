//! Tools, calls and results.

use sabir_core::chat::{
    CacheMark, ChatRequest, Content, FunctionTool, Media, Message, Part, Role, Tool, ToolChoice, ToolResult,
};
use serde_json::json;

use super::{Asking, PNG, asking, plain};

pub(super) fn tools() -> Vec<Asking> {
    let schema = json!({"type": "object", "properties": {"zone": {"type": "string", "description": "IANA name"},
        "at": {"type": ["integer", "null"], "minimum": -1.0}}, "required": ["zone"]});
    let clock = || Tool::function("clock", "Tells the time.", schema.clone());
    let with = || plain().tool(clock()).tool(Tool::function("weather", "Tells the weather.", schema.clone()));
    let function = |change: fn(&mut FunctionTool)| {
        let mut tool =
            FunctionTool { name: "clock".into(), parameters: Some(schema.clone()), ..FunctionTool::default() };
        change(&mut tool);
        plain().tool(Tool::Function(tool))
    };
    let call = |id: &str| Part::tool_call(id, "clock", r#"{"zone":"Europe/Madrid","at":1.0}"#);
    let called = |calls: Vec<Part>| with().message(Message::new(Role::Assistant, calls));
    let failed = ToolResult {
        call_id: "call_1".into(),
        parts: vec!["No clock.".into()],
        is_error: true,
        ..ToolResult::default()
    };
    let seen = ToolResult {
        call_id: "call_1".into(),
        parts: vec!["Look:".into(), Part::image(Media::bytes(PNG, "image/png"))],
        ..ToolResult::default()
    };
    let result = |result: ToolResult| {
        called(vec![call("call_1")]).message(Message::new(Role::Tool, [Content::ToolResult(result).into()]))
    };
    let allowed = |required| ToolChoice::Allowed { names: vec!["clock".into()], required };
    vec![
        asking("tools", with()),
        asking("tool with no more than a schema", function(|_| ())),
        asking("tool without parameters", function(|t| t.parameters = None)),
        asking("strict tool", function(|t| t.strict = Some(true))),
        asking("cache mark on a tool", function(|t| t.cache = Some(CacheMark::default()))),
        asking("tools as it likes", with().tool_choice(ToolChoice::Auto)),
        asking("tools not at all", with().tool_choice(ToolChoice::None)),
        asking("some tool", with().tool_choice(ToolChoice::Required)),
        asking("this tool", with().tool_choice(ToolChoice::Named("clock".into()))),
        asking("one of these tools", with().tool_choice(allowed(true))),
        asking("only these tools", with().tool_choice(allowed(false))),
        asking("one call at a time", ChatRequest { parallel_tool_calls: Some(false), ..with() }),
        asking("calls at once", ChatRequest { parallel_tool_calls: Some(true), ..with() }),
        asking("result", called(vec![call("call_1")]).message(Message::tool_result("call_1", "12:00")).user("So?")),
        asking(
            "results",
            called(vec![Part::text("I look."), call("call_1"), call("call_2")])
                .message(Message::tool_result("call_1", "12:00"))
                .message(Message::tool_result("call_2", "13:00")),
        ),
        asking("failed tool", result(failed)),
        asking("result with an image", result(seen)),
        asking(
            "foreign tool",
            plain().tool(Tool::Opaque { dialect: "testkit-other".into(), json: json!({"type": "x"}) }),
        ),
    ]
}
