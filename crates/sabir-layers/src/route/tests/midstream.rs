use sabir_core::chat::{Attempt, Event, Fold, Meta, Usage};
use sabir_testkit::check_events;

use super::*;

fn start(id: &str) -> Event {
    Event::Start { id: format!("id-{id}"), model: format!("model-{id}") }
}

fn text(delta: &str) -> Event {
    Event::Text(delta.into())
}

fn usage(input: u64, output: u64) -> Usage {
    let mut usage = Usage::default();
    (usage.input, usage.output) = (Some(input), Some(output));
    usage
}

fn folded(events: &[Event]) -> ChatResponse {
    let mut fold = Fold::default();
    for event in events {
        fold.apply(event);
    }
    fold.into_response()
}

/// A stream that tells these events and breaks off.
fn broken(kind: ErrorKind, events: Vec<Event>) -> Outcome {
    let error = Error::new(kind, "it broke").with_partial(folded(&events));
    Outcome::events(events.into_iter().map(Ok).chain([Err(error)]))
}

/// A stream that tells these events and ends well.
fn good(events: Vec<Event>) -> Outcome {
    let done = Event::Done(Box::new(folded(&events)));
    Outcome::events(events.into_iter().chain([done]).map(Ok))
}

fn bench(mode: MidStream, answer: impl Fn(&str) -> Outcome + Send + Sync + 'static) -> Bench {
    let targets = ["a", "b", "c"].map(|id| Target::new(id, id).prefill(id != "b"));
    Bench::new(Route::named("fast", targets).mid_stream(mode), answer)
}

fn items(bench: &Bench) -> Vec<Result<Event>> {
    items_of(bench, &streaming())
}

fn items_of(bench: &Bench, request: &Request) -> Vec<Result<Event>> {
    let stream = bench.send(&Call::to("route"), request).and_then(Reply::stream).expect("a stream");
    let items = block_on_with(&bench.clock, collect(stream));
    assert_eq!(check_events(&items), Ok(()), "{items:?}");
    assert_eq!((bench.in_flight(), bench.inner.in_flight()), (0, 0));
    items
}

fn done(items: &[Result<Event>]) -> &ChatResponse {
    match items.last() {
        Some(Ok(Event::Done(response))) => response,
        other => panic!("it does not end well: {other:?}"),
    }
}

fn error(items: &[Result<Event>]) -> &Error {
    items.last().and_then(|item| item.as_ref().err()).expect("it ends in an error")
}

#[test]
fn by_default_the_caller_gets_the_error_and_what_had_arrived() {
    let bench = bench(MidStream::Fail, |_| broken(ErrorKind::Network, vec![start("a"), text("One ")]));
    let items = items(&bench);
    assert_eq!(error(&items).partial().map(ChatResponse::text).as_deref(), Some("One "));
    assert_eq!(bench.went(), ["a"]);
}

#[test]
fn a_restart_says_so_and_begins_anew() {
    let bench = bench(MidStream::Restart, |id| match id {
        "a" => broken(ErrorKind::Network, vec![start("a"), text("One "), Event::Usage(usage(10, 2).into())]),
        "b" => fails(ErrorKind::Overloaded),
        _ => good(vec![start("c"), text("Uno "), text("dos."), Event::Usage(usage(12, 4).into())]),
    });
    let items = items(&bench);
    let restart = items.iter().position(|item| matches!(item, Ok(Event::Restart(_)))).expect("it is told");
    let Ok(Event::Restart(attempt)) = &items[restart] else { unreachable!() };
    assert_eq!((attempt.provider.as_str(), attempt.kind, &attempt.usage), ("a", ErrorKind::Network, &usage(10, 2)));
    assert_eq!(items[restart + 1], Ok(start("c")));
    let answer = done(&items);
    assert_eq!((answer.text().as_str(), &answer.usage), ("Uno dos.", &usage(12, 4)));
    let told: Vec<_> = answer.attempts.iter().map(|attempt| (attempt.provider.as_str(), attempt.kind)).collect();
    assert_eq!(told, [("a", ErrorKind::Network), ("b", ErrorKind::Overloaded)]);
    assert_eq!(bench.inner.seen().iter().map(|seen| seen.call.attempt).collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn several_restarts_and_no_end() {
    let bench = bench(MidStream::Restart, |id| broken(ErrorKind::Truncated, vec![start(id), text(id)]));
    let items = items(&bench);
    assert_eq!(items.iter().filter(|item| matches!(item, Ok(Event::Restart(_)))).count(), 2);
    let error = error(&items);
    assert_eq!((error.partial().map(ChatResponse::text).as_deref(), error.attempts().len()), (Some("c"), 2));
    assert_eq!(bench.went(), ["a", "b", "c"]);
}

#[test]
fn where_nobody_takes_over_nothing_is_void() {
    for mode in [MidStream::Restart, MidStream::Continue, MidStream::ContinueOrRestart] {
        let bench = bench(mode, |id| match id {
            "a" => broken(ErrorKind::Network, vec![start("a"), text("One ")]),
            _ => fails(ErrorKind::Authentication),
        });
        let items = items(&bench);
        assert!(!items.iter().any(|item| matches!(item, Ok(Event::Restart(_)))), "{mode:?}");
        let error = error(&items);
        assert_eq!(error.partial().map(ChatResponse::text).as_deref(), Some("One "));
        let all: Vec<_> = error.attempts().iter().map(|attempt| attempt.kind).collect();
        let tried = if mode == MidStream::Continue { 1 } else { 2 };
        assert_eq!(
            (all.len(), all[0], error.kind()),
            (tried, ErrorKind::Network, ErrorKind::Authentication),
            "{mode:?}"
        );
    }
}

#[test]
fn what_is_wrong_everywhere_goes_nowhere() {
    for mode in [MidStream::Restart, MidStream::Continue, MidStream::ContinueOrRestart] {
        let bench = bench(mode, |_| broken(ErrorKind::InvalidRequest, vec![start("a"), text("One ")]));
        assert_eq!(error(&items(&bench)).kind(), ErrorKind::InvalidRequest);
        assert_eq!(bench.went(), ["a"]);
    }
}

#[test]
fn a_continued_answer_is_one_answer() {
    let end = || Event::PartEnd { signature: None, meta: Meta::default() };
    let bench = bench(MidStream::Continue, move |id| match id {
        "a" => {
            broken(ErrorKind::Network, vec![start("a"), text("One "), text("two "), Event::Usage(usage(10, 2).into())])
        }
        _ => good(vec![
            start("c"),
            Event::Usage(usage(12, 0).into()),
            text(" three."),
            end(),
            Event::Usage(usage(12, 3).into()),
        ]),
    });
    let mut asked = ChatRequest::new("fast").user("Count.").max_tokens(100);
    asked.stream = true;
    let items = items_of(&bench, &Request::Chat(asked));
    assert_eq!(items.iter().filter(|item| matches!(item, Ok(Event::Start { .. }))).count(), 1);
    let told: String = items
        .iter()
        .filter_map(|item| match item {
            Ok(Event::Text(delta)) => Some(delta.as_str()),
            _ => None,
        })
        .collect();
    let answer = done(&items);
    assert_eq!((told.as_str(), answer.text().as_str()), ("One two three.", "One two three."));
    assert_eq!((answer.parts.len(), &answer.usage), (1, &usage(22, 5)));
    assert_eq!((answer.id.as_str(), answer.model.as_str()), ("id-a", "model-a"));
    assert_eq!((answer.attempts.len(), &answer.attempts[0].usage), (1, &usage(10, 2)));

    assert_eq!(bench.went(), ["a", "c"], "b cannot go on with what another has begun");
    let Request::Chat(sent) = bench.inner.seen().remove(1).request else { panic!("a chat") };
    assert_eq!((sent.messages.len(), sent.messages[1].text().as_str()), (2, "One two"));
    assert_eq!((sent.model.as_str(), sent.max_tokens), ("c", Some(98)));
}

#[test]
fn an_answer_is_continued_more_than_once_and_unknown_use_stays_unknown() {
    let targets = ["a", "b", "c"].map(|id| Target::new(id, id).prefill(true));
    let bench = Bench::new(Route::named("fast", targets).mid_stream(MidStream::Continue), |id| match id {
        "a" => broken(ErrorKind::Network, vec![text("One"), text(" \n")]),
        "b" => {
            broken(ErrorKind::Network, vec![start("b"), text(" \n t"), text("wo"), Event::Usage(usage(5, 1).into())])
        }
        _ => good(vec![start("c"), text(" three"), Event::Usage(usage(7, 2).into())]),
    });
    let items = items(&bench);
    let answer = done(&items);
    assert_eq!(answer.text(), "One \n two three");
    assert_eq!((answer.usage.input, answer.usage.output, answer.attempts.len()), (None, None, 2));
    let sent: Vec<_> = bench.inner.seen().iter().map(|seen| last_words(&seen.request)).collect();
    assert_eq!(sent, ["Hi", "One", "One \n two"]);

    // The caller's own beginning of the answer stays where it is.
    let mut asked = ChatRequest::new("fast").user("Hi").assistant("Zero ");
    asked.stream = true;
    items_of(&bench, &Request::Chat(asked));
    assert_eq!(last_words(&bench.inner.seen()[4].request), "Zero One");
}

fn last_words(request: &Request) -> String {
    let Request::Chat(chat) = request else { panic!("a chat") };
    chat.messages.last().expect("a message").text()
}

#[test]
fn white_space_is_told_once_and_use_to_the_end() {
    let bench = bench(MidStream::Continue, |id| match id {
        "a" => broken(ErrorKind::Network, vec![start("a"), Event::Usage(usage(10, 1).into()), text("One ")]),
        _ => good(vec![start("c"), text("two"), text(" three")]),
    });
    let items = items(&bench);
    assert_eq!(done(&items).text(), "One two three");
    assert_eq!(done(&items).usage.input, None, "what the second used was not told");
}

#[test]
fn what_began_anew_can_be_continued() {
    let bench = bench(MidStream::ContinueOrRestart, |id| match id {
        "a" => broken(
            ErrorKind::Network,
            vec![start("a"), Event::Reasoning("Hm.".into()), Event::Usage(usage(9, 9).into())],
        ),
        "b" => broken(ErrorKind::Network, vec![start("b"), text("One"), Event::Usage(usage(10, 1).into())]),
        _ => good(vec![start("c"), text(" two"), Event::Usage(usage(11, 2).into())]),
    });
    let items = items(&bench);
    let answer = done(&items);
    assert_eq!((answer.text().as_str(), answer.parts.len(), answer.id.as_str()), ("One two", 1, "id-b"));
    assert_eq!((&answer.usage, answer.attempts.len()), (&usage(21, 3), 2));
}

#[test]
fn what_cannot_be_continued_fails_or_restarts_as_was_set() {
    let thought = || vec![start("a"), Event::Reasoning("Hm.".into()), text("One")];
    let call = || vec![start("a"), text("One"), Event::ToolStart { index: 0, id: "1".into(), name: "t".into() }];
    let blank = || vec![start("a"), text(" ")];
    for begun in [thought(), call(), blank()] {
        for mode in [MidStream::Continue, MidStream::ContinueOrRestart] {
            let begun = begun.clone();
            let bench = bench(mode, move |id| match id {
                "a" => broken(ErrorKind::Network, begun.clone()),
                _ => good(vec![start(id), text("Uno")]),
            });
            let items = items(&bench);
            if mode == MidStream::Continue {
                assert_eq!((error(&items).kind(), bench.went()), (ErrorKind::Network, vec!["a".into()]));
            } else {
                assert_eq!((done(&items).text().as_str(), bench.went()), ("Uno", vec!["a".into(), "b".into()]));
            }
        }
    }
    // It can be continued, and who could does not; the others begin anew.
    let bench = bench(MidStream::ContinueOrRestart, |id| match id {
        "a" => broken(ErrorKind::Network, vec![start("a"), text("One")]),
        "c" => fails(ErrorKind::InvalidRequest),
        _ => good(vec![start(id), text("Uno")]),
    });
    let items = items(&bench);
    assert_eq!((done(&items).text().as_str(), bench.went()), ("Uno", vec!["a".into(), "c".into(), "b".into()]));
    assert_eq!(last_words(&bench.inner.seen()[2].request), "Hi", "who begins anew is asked as the first was");
    let kinds: Vec<_> = done(&items).attempts.iter().map(|attempt: &Attempt| attempt.kind).collect();
    assert_eq!(kinds, [ErrorKind::Network, ErrorKind::InvalidRequest]);
}

#[test]
fn an_answer_broken_at_any_event_is_whole_in_the_end() {
    for mode in [MidStream::Restart, MidStream::ContinueOrRestart] {
        for source in sabir_testkit::answers() {
            for cut in 0..source.events.len() {
                let (whole, begun) = (source.events.clone(), source.events[..cut].to_vec());
                let bench = bench(mode, move |id| match id {
                    "a" => broken(ErrorKind::Truncated, begun.clone()),
                    _ => Outcome::events(whole.clone().into_iter().map(Ok)),
                });
                let items = items(&bench);
                let answer = done(&items);
                let was_told = items.iter().any(|item| matches!(item, Ok(Event::Restart(_))));
                if mode == MidStream::Restart || was_told {
                    assert_eq!(answer.parts, source.response.parts, "{} cut after {cut}", source.name);
                }
                assert_eq!(answer.attempts.len(), 1, "{} cut after {cut}", source.name);
            }
        }
    }
}
