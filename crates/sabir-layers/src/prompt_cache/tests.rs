use std::sync::Mutex;

use sabir_core::chat::{ChatResponse, Effort, ToolChoice, ToolResult};
use sabir_testkit::{ManualClock, Outcome, Scripted, block_on, check_layer};

use super::*;

fn tool(name: &str) -> Tool {
    Tool::function(name, "", serde_json::json!({"type": "object"}))
}

fn conversation() -> ChatRequest {
    ChatRequest::new("m")
        .tool(tool("first"))
        .tool(tool("last"))
        .tool(Tool::Opaque { dialect: "d".into(), json: serde_json::json!({}) })
        .system("Be brief.")
        .system("Be kind.")
        .user("Why is the sea salt?")
        .message(Message::assistant("Let me look.").with(Part::tool_call("c", "last", "{}")))
        .message(Message::tool_result("c", "Rivers."))
        .message(Message::user("And?").with(Part::reasoning("no mark here")).with(Part::text("")))
}

/// What reached the inner service.
fn through(layer: &impl Layer, call: &Call, request: &ChatRequest) -> ChatRequest {
    let inner = Scripted::answering(&ManualClock::new(), |_, _| Outcome::whole(ChatResponse::default()));
    block_on(layer.apply(inner.shared()).call(call, &Request::Chat(request.clone()))).expect("an answer");
    match inner.seen().remove(0).request {
        Request::Chat(chat) => chat,
        other => panic!("{other:?}"),
    }
}

/// Where the marks are.
fn marks(chat: &ChatRequest) -> Vec<String> {
    let tools = chat.tools.iter().enumerate().filter_map(|(at, tool)| match tool {
        Tool::Function(function) if function.cache.is_some() => Some(format!("tools[{at}]")),
        _ => None,
    });
    let parts = chat.messages.iter().enumerate().flat_map(|(at, message)| {
        let marked = message.parts.iter().enumerate().filter(|(_, part)| bears_mark(part));
        marked.map(move |(number, _)| format!("messages[{at}].parts[{number}]"))
    });
    tools.chain(parts).collect()
}

#[test]
fn both_layers_let_everything_through() {
    check_layer(|inner| PromptCache::default().for_provider("testkit").apply(inner)).assert_ok();
    check_layer(|inner| PrefixCheck::default().apply(inner)).assert_ok();
}

#[test]
fn a_prompt_is_marked_where_the_next_turn_begins_alike() {
    let layer = PromptCache::default().for_provider("a").ttl("1h");
    let marked = through(&layer, &Call::to("a"), &conversation());
    assert_eq!(marks(&marked), ["tools[1]", "messages[1].parts[0]", "messages[4].parts[0]", "messages[5].parts[0]"]);
    assert_eq!(marked.messages[5].parts[0].cache.as_ref().and_then(|mark| mark.ttl.as_deref()), Some("1h"));
    assert_eq!(first_change(&conversation(), &marked), None, "marks are no part of the prompt");
    for short in [ChatRequest::new("m"), ChatRequest::new("m").user(""), ChatRequest::new("m").assistant("Hm.")] {
        assert!(marks(&through(&layer, &Call::to("a"), &short)).is_empty());
    }
}

#[test]
fn only_where_it_is_asked_for_and_nobody_marked_before() {
    let layer = PromptCache::default().for_provider("a").when(|call, chat| call.provider == "b" && chat.model == "m");
    let marked = |provider: &str, chat: &ChatRequest| through(&layer, &Call::to(provider), chat) != *chat;
    assert!(marked("a", &conversation()) && marked("b", &conversation()) && !marked("c", &conversation()));
    assert!(through(&PromptCache::default(), &Call::to("a"), &conversation()) == conversation());
    let mut asks = conversation();
    asks.cache = Some(CacheMark::default());
    let mut tools = conversation();
    if let Tool::Function(function) = &mut tools.tools[0] {
        function.cache = Some(CacheMark::default());
    }
    let part = conversation().message(Message::new(Role::User, [Part::text("x").cached()]));
    let parts = vec![Part::text("x").cached()];
    let nested = Content::ToolResult(ToolResult { parts, ..ToolResult::default() });
    let nested = conversation().message(Message::new(Role::Tool, [nested.into()]));
    for own in [asks, tools, part, nested] {
        assert!(!marked("a", &own));
    }
}

#[test]
fn the_first_change_is_told_with_its_place() {
    let before = conversation();
    let changed = |change: fn(&mut ChatRequest)| {
        let mut after = conversation().assistant("It always was.").user("Really?");
        change(&mut after);
        first_change(&before, &after)
    };
    assert_eq!(changed(|_| {}), None);
    let path = |change| changed(change).map(|change| change.path).unwrap_or_default();
    for (expected, change) in [
        ("model", (|chat| chat.model = "n".into()) as fn(&mut ChatRequest)),
        ("tools[1]", |chat| drop(chat.tools.remove(1))),
        ("tools[0]", |chat| chat.tools.swap(0, 1)),
        ("tool_choice", |chat| chat.tools.push(tool("one more"))),
        ("tool_choice", |chat| chat.tool_choice = Some(ToolChoice::Auto)),
        ("reasoning", |chat| *chat = chat.clone().effort(Effort::Low)),
        ("messages[0].parts[0]", |chat| chat.messages[0] = Message::system("It is noon. Be brief.")),
        ("messages[1]", |chat| chat.messages[1].role = Role::User),
        ("messages[5].parts[2]", |chat| drop(chat.messages[5].parts.pop())),
        ("messages[5]", |chat| chat.messages.truncate(5)),
        ("messages[2].parts[0]", |chat| chat.messages[2].parts[0] = Part::text("Why is the sea blue?")),
    ] {
        assert_eq!(path(change), expected);
    }
    let salt = changed(|chat| chat.messages[2].parts[0] = Part::text("Why is the sea sweet?")).expect("changed");
    let blue = changed(|chat| chat.messages[2].parts[0] = Part::text("Why is the sea blue?")).expect("changed");
    assert_eq!(salt.offset, blue.offset + 1, "the s is the same");
    let told =
        format!("the prompt changes at messages[2].parts[0], after {} bytes: no cache finds what follows", blue.offset);
    assert_eq!(blue.to_string(), told);
}

#[test]
#[should_panic(expected = "the prompt changes at messages[0].parts[0]")]
fn an_assertion_for_tests() {
    assert_prefix_stable(&conversation(), &conversation());
    assert_prefix_stable(&ChatRequest::from("one"), &ChatRequest::from("two"));
}

#[test]
fn conversations_are_told_apart() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    let layer = PrefixCheck::default()
        .tag("thread")
        .on_change(move |name, change| tell.lock().unwrap().push((name.to_owned(), change.path.clone())));
    let ask = |tenant: &str, thread: &str, text: &str| {
        let mut call = Call::to("p");
        call.tenant = tenant.into();
        call.tags.push(("thread".into(), thread.into()));
        through(&layer, &call, &ChatRequest::new("m").user(text));
    };
    ask("", "a", "one");
    ask("", "b", "two");
    ask("t", "a", "three");
    ask("", "a", "one");
    assert!(told.lock().unwrap().is_empty());
    ask("", "a", "four");
    assert_eq!(*told.lock().unwrap(), [("a".to_owned(), "messages[0].parts[0]".to_owned())]);
    assert_eq!(layer.check("a", &ChatRequest::new("n").user("four")).expect("changed").path, "model");
    through(&layer, &Call::to("p"), &ChatRequest::new("m"));
}
