//! Every recorded exchange through the rooms, against an oracle that shares no code with us.
//!
//! What is compared: text, reasoning (but for white space), calls with parsed arguments, the provider's own finish
//! word, the model, and the totals of the usage; of errors the status and the message.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use sabir::chat::Event;
use sabir::dialect::Asked;
use sabir::drive::{Origin, decode_whole};
use sabir::{Call, ChatRequest, ChatResponse, Endpoint, Error, Request, Result, Service as _};
use sabir_tests::{DIALECTS, Playback, Recording, deviations, recordings};
use serde_json::Value;

#[test]
fn answers_are_read_as_the_oracle_reads_them() {
    let known = deviations();
    let mut failures = Vec::new();
    let mut unneeded = known.clone();
    for dialect in DIALECTS {
        let (mut right, mut all) = (0, 0);
        for recording in recordings(dialect) {
            let Some(expected) = &recording.expected else { continue };
            all += 1;
            let got =
                decode_whole(recording.room(), recording.status, &recording.headers, &recording.body, recording.stream);
            let differences = compare(&recording, expected, &got);
            if differences.is_empty() {
                right += 1;
            } else if unneeded.remove(&recording.id).is_none() {
                failures.push(format!("{dialect} {} {}: {}", recording.provider, recording.id, differences.join("; ")));
            }
        }
        println!("{dialect}: {right} of {all} as the oracle says");
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
    assert!(unneeded.is_empty(), "these are no deviations any more, take them out: {unneeded:?}");
}

#[test]
fn streams_come_out_the_same_however_they_are_cut() {
    for dialect in DIALECTS {
        for recording in recordings(dialect).iter().filter(|r| r.stream && r.status.is_success()) {
            let whole = stream(recording, vec![recording.body.clone()]);
            check_contract(recording, &whole);
            let bytes: Vec<Bytes> = (0..recording.body.len()).map(|at| recording.body.slice(at..=at)).collect();
            assert_eq!(last(&stream(recording, bytes)), last(&whole), "{} byte by byte", recording.id);
            if recording.body.len() <= 1500 {
                for at in 1..recording.body.len() {
                    let cut = vec![recording.body.slice(..at), recording.body.slice(at..)];
                    assert_eq!(last(&stream(recording, cut)), last(&whole), "{} cut at byte {at}", recording.id);
                }
            }
        }
    }
}

#[test]
fn a_cut_stream_never_passes_for_a_whole_one() {
    for dialect in DIALECTS {
        for recording in recordings(dialect).iter().filter(|r| r.stream && r.status.is_success()) {
            let Some(whole) = last(&stream(recording, vec![recording.body.clone()])).ok() else { continue };
            for tenth in 1..10 {
                let cut = recording.body.slice(..recording.body.len() * tenth / 10);
                if let Ok(answer) = last(&stream(recording, vec![cut])) {
                    // Only what comes after the provider's own finish word may be missing: counters, and remarks.
                    assert_eq!(answer.text(), whole.text(), "{} cut at {tenth}/10", recording.id);
                    assert_eq!(answer.finish.raw, whole.finish.raw, "{} cut at {tenth}/10", recording.id);
                }
            }
        }
    }
}

#[test]
fn client_requests_are_accepted() {
    let mut failures = Vec::new();
    for dialect in DIALECTS {
        let (mut accepted, mut all) = (0, 0);
        for recording in recordings(dialect) {
            let Some(body) = recording.request.as_ref().filter(|_| recording.status.is_success()) else { continue };
            all += 1;
            let body = body.to_string();
            let asked = Asked {
                method: &Method::POST,
                path: &recording.path,
                headers: &http::HeaderMap::new(),
                body: body.as_bytes(),
            };
            match recording.room().accept(asked) {
                Ok(_) => accepted += 1,
                Err(error) => failures.push(format!("{dialect} {} {}: {error}", recording.provider, recording.id)),
            }
        }
        println!("{dialect}: {accepted} of {all} requests accepted");
    }
    assert!(failures.is_empty(), "{} refused:\n{}", failures.len(), failures.join("\n"));
}

/// The items of a recorded stream, through the whole stack, when it arrives in these pieces.
fn stream(recording: &Recording, pieces: Vec<Bytes>) -> Vec<Result<Event>> {
    let playback = Playback { status: recording.status, headers: recording.headers.clone(), pieces };
    let endpoint = Endpoint { base_url: "http://recorded".into(), ..Endpoint::default() };
    let origin = Origin::new(recording.room(), endpoint, Arc::new(playback));
    let asked = Request::Chat(ChatRequest { stream: true, ..ChatRequest::new("any").user("any") });
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let mut events = match origin.call(&Call::default(), &asked).await.and_then(sabir::Reply::stream) {
            Ok(events) => events,
            Err(error) => return vec![Err(error)],
        };
        let mut items = Vec::new();
        while let Some(item) = std::future::poll_fn(|cx| events.as_mut().poll_next(cx)).await {
            items.push(item);
        }
        items
    })
}

/// The terminal item as an answer or an error.
fn last(items: &[Result<Event>]) -> Result<ChatResponse, Error> {
    match items.last().expect("a stream is never empty") {
        Ok(Event::Done(response)) => Ok((**response).clone()),
        Ok(other) => panic!("the last item is {other:?}"),
        Err(error) => Err(error.clone()),
    }
}

/// The stream keeps the contract.
fn check_contract(recording: &Recording, items: &[Result<Event>]) {
    if let Err(violation) = sabir_testkit::check_events(items) {
        panic!("{} {}: {violation}", recording.dialect, recording.id);
    }
}

fn compare(recording: &Recording, expected: &Value, got: &Result<ChatResponse>) -> Vec<String> {
    let error = expected
        .get("error")
        .filter(|e| !e.is_null())
        .or_else(|| expected.get("stream_error").filter(|e| !e.is_null()));
    match (error, got) {
        (Some(expected), Err(error)) => compare_errors(expected, error),
        (Some(_), Ok(_)) => vec!["an error is not reported as one".to_owned()],
        (None, Err(error)) => vec![format!("an answer is reported as an error: {error}")],
        (None, Ok(response)) => compare_answers(recording, expected, response),
    }
}

fn compare_errors(expected: &Value, error: &Error) -> Vec<String> {
    let mut differences = Vec::new();
    let wanted: String = expected["message"].as_str().unwrap_or_default().trim().chars().take(60).collect();
    if !error.message().contains(&wanted) {
        differences.push(format!("message {:?}, not {wanted:?}", error.message()));
    }
    if let (Some(wanted), Some(status)) = (expected["status"].as_u64(), error.status())
        && u64::from(status.as_u16()) != wanted
    {
        differences.push(format!("status {status}, not {wanted}"));
    }
    differences
}

fn compare_answers(recording: &Recording, expected: &Value, got: &ChatResponse) -> Vec<String> {
    let mut differences = Vec::new();
    let mut differ = |what: &str, got: String, expected: String| {
        if got != expected {
            let short = |s: String| s.chars().take(80).collect::<String>();
            differences.push(format!("{what} {:?}, not {:?}", short(got), short(expected)));
        }
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let squash = |s: &str| s.split_whitespace().collect::<String>();
    // Where a service says the text twice and not the same (its tokens, and the whole), either is right.
    let is_twofold = recording.notes.iter().any(|note| note.contains("generated_text") || note.contains("blank"));
    if !is_twofold {
        differ("text", got.text(), text(&expected["text"]));
    }
    differ("reasoning", squash(&got.reasoning().unwrap_or_default()), squash(&text(&expected["reasoning"])));
    // A word, or a number where the client asked for numbers.
    let finish = &expected["finish_reason_raw"];
    let finish = finish.as_str().map_or_else(|| finish.as_u64().map(|n| n.to_string()), |word| Some(word.to_owned()));
    if let Some(finish) = finish.filter(|word| !word.is_empty()) {
        differ("finish", got.finish.raw.clone().unwrap_or_default(), finish);
    }
    if !expected["model"].is_null() {
        differ("model", got.model.clone(), text(&expected["model"]));
    }

    let calls: Vec<_> = got.tool_calls().collect();
    let wanted = expected["tool_calls"].as_array().cloned().unwrap_or_default();
    differ("calls", calls.len().to_string(), wanted.len().to_string());
    for (call, wanted) in calls.iter().zip(&wanted) {
        differ("name", call.name.clone(), text(&wanted["name"]));
        if !wanted["arguments"].is_null() {
            let arguments = serde_json::from_str::<Value>(&call.arguments).unwrap_or_default();
            if arguments != wanted["arguments"] {
                differ("arguments", arguments.to_string(), wanted["arguments"].to_string());
            }
        }
        if !text(&wanted["id"]).is_empty() {
            differ("call id", call.id.clone(), text(&wanted["id"]));
        }
    }

    let raw = &expected["usage"];
    let (input, output) = totals(recording, raw);
    if input.is_some() {
        differ("input total", format!("{:?}", got.usage.input_total()), format!("{input:?}"));
    }
    if output.is_some() {
        differ("output total", format!("{:?}", got.usage.output_total()), format!("{output:?}"));
    }
    for (name, got) in [("cached_input", got.usage.cache_read), ("reasoning_output", got.usage.reasoning)] {
        if let Some(wanted) = raw[name].as_u64().filter(|n| *n > 0) {
            differ(name, format!("{got:?}"), format!("{:?}", Some(wanted)));
        }
    }
    differences
}

/// What a provider's raw counters mean as all input and all output: Anthropic's input excludes the cache; some
/// OpenAI-compatible services count reasoning beside the completion and not in it.
fn totals(recording: &Recording, usage: &Value) -> (Option<u64>, Option<u64>) {
    let [input, output, cached, written, reasoning, total] =
        ["input", "output", "cached_input", "cache_write", "reasoning_output", "total"]
            .map(|name| usage[name].as_u64());
    if recording.dialect == "gemini-generate" {
        // Candidates are counted without their thoughts.
        let all = output.into_iter().chain(reasoning).reduce(|a, b| a + b);
        return (input, all);
    }
    if matches!(recording.dialect.as_str(), "anthropic-messages" | "bedrock-converse") {
        return (input.map(|i| i + cached.unwrap_or(0) + written.unwrap_or(0)), output);
    }
    if recording.dialect != "openai-chat" {
        return (input, output);
    }
    let beside = match (input, output, reasoning, total) {
        (Some(i), Some(o), Some(r), Some(t)) => r > 0 && o > 0 && t == i + o + r && t != i + o,
        _ => false,
    };
    (input, output.map(|o| if beside { o + reasoning.unwrap_or(0) } else { o }))
}
