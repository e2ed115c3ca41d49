//! The model and the tools at work, over a simulated provider.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sabir::chat::{Content, Event, Part, Tool, ToolChoice, Usage};
use sabir::tools::{Approval, Ended, Output, RunEvent, Toolbox};
use sabir::{ChatRequest, Client, ErrorKind};
use sabir_sim::{Answer, Failure, Script, Simulator, Turn};
use serde_json::{Value, json};

fn client(turns: impl IntoIterator<Item = Turn>) -> Client {
    let script = turns.into_iter().fold(Script::new().strict(), Script::turn);
    let builder = Client::builder().service("sim", Simulator::scripted(script)).model("sim/model");
    builder.build().expect("a client")
}

fn adder() -> Toolbox {
    Toolbox::new().function("add", "Adds", json!({"type": "object"}), |numbers: Value| async move {
        match (numbers["x"].as_i64(), numbers["y"].as_i64()) {
            (Some(x), Some(y)) => Ok(x + y),
            _ => Err("x and y are numbers"),
        }
    })
}

fn calls(arguments: &[Value]) -> Turn {
    let answer = Answer::text("Let me see.");
    Turn::answer(arguments.iter().fold(answer, |answer, arguments| answer.tool_call("add", arguments.clone())))
}

/// The texts of the results that the model was given, in order.
fn results(done: &sabir::tools::RunDone) -> Vec<(String, bool)> {
    let parts = done.messages.iter().flat_map(|message| &message.parts);
    let results = parts.filter_map(|part| match &part.content {
        Content::ToolResult(result) => Some((result.text(), result.is_error)),
        _ => None,
    });
    results.collect()
}

#[tokio::test]
async fn calls_are_carried_out_until_the_model_has_its_answer() {
    let client = client([
        calls(&[json!({"x": 1, "y": 2}), json!({"x": 3, "y": 4})]),
        calls(&[json!({"x": 3, "y": 7})]),
        Turn::text("It is 10."),
    ]);
    let mut run = client.run("1+2+3+4?", &adder());
    let mut seen = Vec::new();
    let done = loop {
        match run.next().await.expect("a terminal event comes first").expect("no error") {
            RunEvent::Answer(Event::Done(_)) => seen.push("answer".to_owned()),
            RunEvent::Call(call) => seen.push(format!("call {}", call.arguments)),
            RunEvent::Result { result, .. } => seen.push(format!("result {}", result.text())),
            RunEvent::Done(done) => break done,
            _ => {}
        }
    };
    assert!(run.next().await.is_none(), "one terminal event, always last");
    let call = |text: &str| format!("call {text}");
    assert_eq!(
        seen,
        [
            "answer".to_owned(),
            call(r#"{"x":1,"y":2}"#),
            call(r#"{"x":3,"y":4}"#),
            "result 3".to_owned(),
            "result 7".to_owned(),
            "answer".to_owned(),
            call(r#"{"x":3,"y":7}"#),
            "result 10".to_owned(),
            "answer".to_owned(),
        ]
    );
    assert_eq!((done.ended, done.text().as_str(), done.turns.len()), (Ended::Answered, "It is 10.", 3));
    assert_eq!(done.messages.len(), 6, "question, calls, results, call, result, answer");
    let sum = done.turns.iter().filter_map(|turn| turn.usage.total()).sum::<u64>();
    assert_eq!(done.usage().total(), Some(sum).filter(|sum| *sum > 0));
    assert_ne!(done.usage(), Usage::default());
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_in_a_tool_is_the_models_to_read() {
    let tools = adder()
        .function("panics", "", json!({"type": "object"}), |given: Value| async move {
            Ok::<_, String>(given["none"].as_u64().expect("a secret of the program's"))
        })
        .function("hangs", "", json!({"type": "object"}), |_: Value| std::future::pending::<Result<(), String>>())
        .function("typed", "", json!({"type": "object"}), |[x, y]: [u8; 2]| async move { Ok::<_, String>(x + y) })
        .raw(Tool::function("raw", "", json!({"type": "object"})), |_| async { Output::parts([Part::text("as is")]) })
        .timeout(Duration::from_secs(5));
    let answer = ["add", "panics", "hangs", "typed", "raw", "unknown"]
        .iter()
        .fold(Answer::default(), |answer, name| answer.tool_call(*name, json!({"x": "one"})));
    let client = client([Turn::answer(answer), Turn::text("I see.")]);
    let done = client.run("go", &tools).at_once(2).finish().await.expect("tools never fail the run");
    let said = results(&done);
    assert_eq!(said[0], ("x and y are numbers".to_owned(), true));
    assert_eq!(said[1], ("the tool failed unexpectedly".to_owned(), true), "its words stay in the house");
    assert_eq!(said[2], ("the tool gave no result within 5s".to_owned(), true));
    assert!(said[3].0.starts_with("the arguments do not fit the schema:") && said[3].1, "{said:?}");
    assert_eq!(said[4], ("as is".to_owned(), false));
    let known = "there are: add, hangs, panics, raw, typed";
    assert_eq!(said[5], (format!("there is no tool \"unknown\"; {known}"), true));
}

#[tokio::test]
async fn a_call_that_is_not_approved_is_not_made() {
    let made = Arc::new(AtomicUsize::new(0));
    let count = made.clone();
    let tools = Toolbox::new()
        .function("add", "", json!({"type": "object"}), move |_: Value| {
            count.fetch_add(1, Ordering::Relaxed);
            async { Ok::<_, String>(0) }
        })
        .approve(|call| async move {
            if call.arguments.contains("13") { Approval::Denied("not that one".into()) } else { Approval::Granted }
        });
    let client = client([calls(&[json!({"x": 13}), json!({"x": 1})]), Turn::text("Well.")]);
    let done = client.run("go", &tools).finish().await.expect("an answer");
    assert_eq!(results(&done), [("the call was not allowed: not that one".to_owned(), true), ("0".to_owned(), false)]);
    assert_eq!(made.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn turns_are_limited_and_nothing_is_lost() {
    let again = || calls(&[json!({"x": 1, "y": 1})]);
    let client = client([again(), again(), again()]);
    let done = client.run("go", &adder()).max_turns(2).finish().await.expect("a stated end");
    assert_eq!((done.ended, done.turns.len()), (Ended::TurnLimit, 2));
    assert_eq!(results(&done).len(), 2, "the last calls are carried out, so that the conversation can go on");
}

#[tokio::test]
async fn the_callers_own_tools_are_left_to_the_caller() {
    let theirs = Tool::function("theirs", "", json!({"type": "object"}));
    let client = client([Turn::answer(Answer::default().tool_call("theirs", json!({})))]);
    let request = ChatRequest::default().user("go").tool(theirs);
    let done = client.run(request, &adder()).finish().await.expect("an answer");
    assert_eq!(done.ended, Ended::ForeignCalls);
    assert_eq!(done.response().expect("an answer").tool_calls().next().expect("a call").name, "theirs");
}

#[tokio::test]
async fn a_forced_tool_is_forced_once() {
    let client = client([calls(&[json!({"x": 1, "y": 1})]), Turn::text("2")]);
    let mut request = ChatRequest::default().user("go");
    request.tool_choice = Some(ToolChoice::Required);
    let done = client.run(request, &adder()).finish().await.expect("an answer");
    assert_eq!(done.text(), "2");
}

#[tokio::test]
async fn an_error_of_the_provider_ends_the_run() {
    let client = client([calls(&[json!({"x": 1, "y": 1})]), Turn::error(Failure::new(401, "no such key"))]);
    let mut run = client.run("go", &adder());
    let mut last = None;
    while let Some(event) = run.next().await {
        assert!(last.is_none(), "nothing comes after the error");
        last = event.err();
    }
    assert_eq!(last.expect("an error").kind(), ErrorKind::Authentication);
}

#[tokio::test(start_paused = true)]
async fn dropping_a_run_cancels_the_tools_at_work() {
    struct Flag(Arc<AtomicUsize>);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let flag = dropped.clone();
    let tools = Toolbox::new().function("add", "", json!({"type": "object"}), move |_: Value| {
        let flag = Flag(flag.clone());
        async move {
            let _flag = flag;
            std::future::pending::<Result<(), String>>().await
        }
    });
    let client = client([calls(&[json!({}), json!({})])]);
    let mut run = client.run("go", &tools);
    let mut called = 0;
    while called < 2 {
        if matches!(run.next().await, Some(Ok(RunEvent::Call(_)))) {
            called += 1;
        }
    }
    assert!(tokio::time::timeout(Duration::from_secs(1), run.next()).await.is_err(), "they are at work");
    drop(run);
    assert_eq!(dropped.load(Ordering::Relaxed), 2);
}
