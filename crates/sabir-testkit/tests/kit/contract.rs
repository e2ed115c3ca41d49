#![allow(clippy::unnecessary_wraps, reason = "the items of a stream are results")]

use sabir_core::chat::{ChatResponse, Event, Meta, Part, ToolCall, Usage};
use sabir_core::{Error, ErrorKind, Result};
use sabir_testkit::{Violation, check_events};

fn text(words: &str) -> Result<Event> {
    Ok(Event::Text(words.into()))
}

fn done(parts: impl Into<Vec<Part>>) -> Result<Event> {
    let mut response = ChatResponse::default();
    response.parts = parts.into();
    Ok(Event::Done(Box::new(response)))
}

fn start(id: &str) -> Result<Event> {
    Ok(Event::Start { id: id.into(), model: String::new() })
}

fn end() -> Result<Event> {
    Ok(Event::PartEnd { signature: None, meta: Meta::default() })
}

fn call(index: usize) -> Result<Event> {
    Ok(Event::ToolStart { index, id: "c".into(), name: "f".into() })
}

fn arguments(index: usize, fragment: &str) -> Result<Event> {
    Ok(Event::ToolArguments { index, fragment: fragment.into() })
}

fn called(index: usize, name: &str, arguments: &str) -> Result<Event> {
    let call = ToolCall { id: "c".into(), name: name.into(), arguments: arguments.into() };
    Ok(Event::ToolEnd { index, call, meta: Meta::default() })
}

fn failed(partial: Option<Vec<Part>>) -> Result<Event> {
    let error = Error::new(ErrorKind::Truncated, "cut");
    Err(partial.map_or(error.clone(), |parts| {
        let mut response = ChatResponse::default();
        response.parts = parts;
        error.with_partial(response)
    }))
}

#[test]
fn good_streams_pass() {
    let tool = || Part::tool_call("c", "f", "{}");
    let cut_call = Part::tool_call("c", "f", "{\"a").with_meta("d", "m", 1.into());
    let good: [Vec<Result<Event>>; 6] = [
        vec![done([])],
        vec![failed(None)],
        vec![start("a"), text("x"), text("y"), end(), text("z"), failed(Some(vec!["xy".into(), "z".into()]))],
        vec![
            call(0),
            call(1),
            arguments(1, "{"),
            arguments(0, "{}"),
            arguments(1, "}"),
            called(1, "f", "{}"),
            called(0, "f", "{}"),
            done([tool(), tool()]),
        ],
        vec![Ok(Event::Part(tool().into())), call(1), arguments(1, "{}"), called(1, "f", "{}"), done([tool(), tool()])],
        vec![call(0), arguments(0, "{\"a"), failed(Some(vec![cut_call]))],
    ];
    for items in good {
        assert_eq!(check_events(&items), Ok(()), "{items:?}");
    }
}

#[test]
fn each_breach_is_named() {
    let usage = |n| Ok(Event::Usage(count(n).into()));
    let cases: Vec<(Vec<Result<Event>>, &str)> = vec![
        (vec![], "the stream ended after 0 items without a terminal one"),
        (vec![text("x")], "the stream ended after 1 items without a terminal one"),
        (vec![done([]), done([])], "item 1 came after the terminal item"),
        (vec![failed(None), text("x")], "item 1 came after the terminal item"),
        (vec![start(""), start("")], "item 1 is a Start, and not the first item"),
        (vec![start("a"), done([])], "Start said \"a\", the answer says \"\""),
        (vec![text("")], "item 0 is an empty delta"),
        (vec![call(0), arguments(0, "")], "item 1 is an empty delta"),
        (vec![end()], "item 0 ends a part, and none is open"),
        (vec![text("x"), end(), end()], "item 2 ends a part, and none is open"),
        (vec![call(1)], "item 0 starts call 1; the next number is 0"),
        (vec![call(0), call(0)], "item 1 starts call 0; the next number is 1"),
        (vec![arguments(0, "{}")], "item 0 is of call 0, which is not running"),
        (vec![called(7, "f", "")], "item 0 is of call 7, which is not running"),
        (vec![call(0), called(0, "f", ""), arguments(0, "x")], "item 2 is of call 0, which is not running"),
        (vec![call(0), called(0, "g", "")], "item 1 ends call 0 under another id or name"),
        (
            vec![call(0), arguments(0, "{"), called(0, "f", "{}")],
            "the fragments of call 0 are \"{\", the whole call says \"{}\"",
        ),
        (vec![call(0), done([])], "call 0 had not ended when the answer was done"),
        (
            vec![text("x"), done([Part::text("y")])],
            "the answer is not what the events told: [0].text: \"x\" became \"y\"",
        ),
        (vec![usage(1), usage(2), done([])], "the answer's usage is not the last one told: input: 2 became null"),
        (vec![text("x"), failed(None)], "1 parts had arrived, and the error carries none of them: truncated: cut"),
        (
            vec![text("x"), failed(Some(vec![]))],
            "the error's partial answer is not what had arrived: : 1 items became 0; {\"type\":\"text\",\"text\":\"x\"}",
        ),
    ];
    for (items, words) in cases {
        let violation = check_events(&items).expect_err(words);
        assert_eq!(violation.to_string(), words, "{items:?}");
    }
    assert_eq!(check_events(&[]), Err(Violation::NoTerminal { items: 0 }));
}

fn count(input: u64) -> Usage {
    let mut usage = Usage::default();
    usage.input = Some(input);
    usage
}
