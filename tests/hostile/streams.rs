//! Hostile streams that every dialect can meet, made of its own frames.

use bytes::Bytes;
use http::StatusCode;
use sabir::chat::FinishReason;
use sabir::drive::Limits;
use sabir::{ChatResponse, Error, ErrorKind};

use crate::play::{KEY, end, frames, items, play, room, stream, told};
use crate::wires::{Frame, WIRES, Wire};

/// What these bytes come to, the same whether they arrive at once or one by one.
fn read(case: &str, wire: &Wire, bytes: &[u8]) -> Result<ChatResponse, Error> {
    let case = format!("{} ({}), {case}", wire.dialect, wire.content_type);
    let whole = told(&case, &play(wire, vec![Bytes::copy_from_slice(bytes)]));
    let one_by_one = play(wire, bytes.iter().map(|byte| Bytes::copy_from_slice(&[*byte])).collect());
    assert_eq!(told(&case, &one_by_one), whole, "{case}: it matters how it is cut");
    whole
}

fn read_frames(case: &str, wire: &Wire, frames: &[&[Frame]], words: &[(&str, &str)]) -> Result<ChatResponse, Error> {
    read(case, wire, &[&stream(wire, frames, words), end(wire)].concat())
}

/// The text that had arrived before an error.
fn partial(error: &Error) -> Option<String> {
    error.partial().map(ChatResponse::text)
}

/// Goes on with all dialects, and says at the end which failed.
fn each(check: impl Fn(&Wire) -> Result<(), String>) {
    let failures: Vec<String> = WIRES
        .iter()
        .filter_map(|wire| Some(format!("{} ({}): {}", wire.dialect, wire.content_type, check(wire).err()?)))
        .collect();
    assert!(failures.is_empty(), "{} dialects fail:\n{}", failures.len(), failures.join("\n"));
}

fn expect(kind: ErrorKind, text: &str, got: &Result<ChatResponse, Error>) -> Result<(), String> {
    match got {
        Ok(answer) => Err(format!("it is taken for an answer: {:?}, {:?}", answer.text(), answer.finish)),
        Err(error) if error.kind() != kind => Err(format!("it is {} and not {kind}: {error}", error.kind())),
        Err(error) if partial(error).as_deref() != Some(text) => {
            Err(format!("what had arrived is {:?} and not {text:?}", partial(error)))
        }
        Err(_) => Ok(()),
    }
}

#[test]
fn a_body_cut_with_a_clean_close_is_truncated_and_keeps_what_came() {
    each(|wire| {
        let so_far = stream(wire, &[wire.start, wire.text, wire.text], &[]);
        expect(ErrorKind::Truncated, "HelloHello", &read("cut between frames", wire, &so_far))?;
        let before = stream(wire, &[wire.start, wire.text], &[]).len();
        // Inside the name of the event, the JSON, a string in it, and before the frame's end.
        for at in [before + 9, usize::midpoint(before, so_far.len()), so_far.len() - 6] {
            let got = read("cut inside a frame", wire, &so_far[..at]);
            expect(ErrorKind::Truncated, "Hello", &got).map_err(|why| format!("cut at byte {at}: {why}"))?;
        }
        Ok(())
    });
}

#[test]
fn the_dialects_own_end_makes_an_answer_whole() {
    each(|wire| {
        let frames = [wire.start, wire.text, wire.finish];
        let got = read_frames("no last marker", wire, &frames, &[]);
        if wire.is_whole_without_marker {
            let answer = got.map_err(|error| format!("without the last marker: {error}"))?;
            assert_eq!((answer.text().as_str(), answer.finish.raw.is_some()), ("Hello", true), "{}", wire.dialect);
        } else {
            expect(ErrorKind::Truncated, "Hello", &got)?;
        }
        let [start, text, finish] = frames;
        let answer = read_frames("whole", wire, &[start, text, finish, wire.marker], &[]);
        let answer = answer.map_err(|error| format!("whole: {error}"))?;
        assert_eq!(answer.text(), "Hello");
        // What comes after the end is not read.
        let frames = [start, text, finish, wire.marker, &[wire.error]];
        let late = read_frames("an error after the end", wire, &frames, &[]);
        if wire.marker.is_empty() || late.is_ok() {
            return Ok(());
        }
        Err(format!("what comes after the end marker is read: {late:?}"))
    });
}

#[test]
fn an_error_inside_a_stream_is_that_error_and_last() {
    each(|wire| {
        for (frames, text) in [
            (&[wire.start, wire.text, &[wire.error][..], wire.text, wire.finish, wire.marker][..], "Hello"),
            (&[&[wire.error][..]], ""),
        ] {
            let got = read_frames("an error", wire, frames, &[]);
            let Err(error) = &got else { return Err("it is taken for an answer".to_owned()) };
            if !error.message().contains("busy") || matches!(error.kind(), ErrorKind::Decode | ErrorKind::Truncated) {
                return Err(format!("it is {}: {error}", error.kind()));
            }
            expect(error.kind(), text, &got)?;
        }
        Ok(())
    });
}

#[test]
fn a_key_in_an_error_is_masked() {
    each(|wire| {
        let (event, json) = wire.error;
        let json = json.replace("busy", &format!("key {KEY} may not"));
        let bytes = [&stream_of(wire, &[(event, &json)]), end(wire)].concat();
        let Err(error) = read("a key", wire, &bytes) else {
            return Err("it is taken for an answer".to_owned());
        };
        let shown = format!("{error} {error:?} {}", error.message());
        if shown.contains(KEY) || !shown.contains("may not") { Err(shown) } else { Ok(()) }
    });
}

/// The bytes of frames that live only here.
fn stream_of(wire: &Wire, all: &[(&str, &str)]) -> Vec<u8> {
    frames(wire, all.iter().copied(), &[])
}

#[test]
fn every_line_end_and_every_comment_is_read() {
    each(|wire| {
        let good = [&stream(wire, &[wire.start, wire.text, wire.finish, wire.marker], &[]), end(wire)].concat();
        let plain = read("plain", wire, &good).map_err(|error| error.to_string())?;
        let Ok(text) = String::from_utf8(good) else { return Ok(()) };
        let changed = match wire.content_type {
            "text/event-stream" => vec![
                text.replace('\n', "\r\n"),
                text.replace('\n', "\r"),
                text.replace("\n\n", "\n\n: OPENROUTER PROCESSING\n\n:\n\n"),
                text.replace("data: ", "data:"),
                format!("\u{feff}\n\n{text}"),
            ],
            "application/json" => vec![text.replace('\n', "\r\n"), text.replace('\n', " "), format!("\n {text} \n\n")],
            _ => vec![text.replace('\n', "\r\n"), text.replace('\n', "\n\n \n")],
        };
        for variant in changed {
            let got = read("line ends", wire, variant.as_bytes());
            if got.as_ref() != Ok(&plain) {
                return Err(format!("{variant:?} is read as {got:?}"));
            }
        }
        Ok(())
    });
}

#[test]
fn a_character_split_across_packets_is_whole() {
    each(|wire| {
        let words = "Gr\u{fc}\u{df}e 世界 👩\u{200d}🚀 \\\"q\\\" \\ud83d\\ude00";
        let frames = [wire.start, wire.text, wire.finish, wire.marker];
        let answer = read_frames("characters", wire, &frames, &[("$T", words)]).map_err(|error| error.to_string())?;
        (answer.text() == "Grüße 世界 👩\u{200d}🚀 \"q\" 😀").then_some(()).ok_or_else(|| answer.text())
    });
}

#[test]
fn calls_with_one_index_and_two_ids_are_two() {
    each(|wire| {
        // Version 1 of Cohere has neither ids nor an index, and says its list again.
        if wire.call.is_empty() || wire.dialect == "cohere-v1-chat" {
            return Ok(());
        }
        let first = [("$K", "call_a"), ("$N", "clock"), ("$I", "1")];
        let second = [("$K", "call_b"), ("$N", "weather"), ("$I", "1")];
        let bytes = in_turn(
            wire,
            &[(wire.start, &[]), (wire.call, &first), (wire.call, &second), (wire.finish, &[]), (wire.marker, &[])],
        );
        let answer = read("two calls", wire, &bytes).map_err(|error| error.to_string())?;
        let names: Vec<_> = answer.tool_calls().map(|call| call.name.as_str()).collect();
        let ids: std::collections::BTreeSet<_> = answer.tool_calls().map(|call| call.id.as_str()).collect();
        if names == ["clock", "weather"] && ids.len() == 2 { Ok(()) } else { Err(format!("{names:?} {ids:?}")) }
    });
}

type Filled<'a> = (&'a [Frame], &'a [(&'a str, &'a str)]);

/// Frames with other words each time.
fn in_turn(wire: &Wire, all: &[Filled<'_>]) -> Vec<u8> {
    let filled: Vec<(&str, String)> = all
        .iter()
        .flat_map(|(frames, words)| {
            frames.iter().map(|(event, json)| {
                (*event, words.iter().fold((*json).to_owned(), |json, (name, word)| json.replace(name, word)))
            })
        })
        .collect();
    let filled = filled.iter().map(|(event, json)| (*event, json.as_str()));
    [&frames(wire, filled, &[]), end(wire)].concat()
}

/// An index that nobody counts to allocates nothing, and one that is missing or no number loses no call.
#[test]
fn strange_indices_lose_no_call() {
    each(|wire| {
        if !wire.call.iter().any(|(_, json)| json.contains("$I")) {
            return Ok(());
        }
        let field = |json: &str| {
            ["\"output_index\":$I,", "\"contentBlockIndex\":$I,", "\"index\":$I,", "\"contentBlockIndex\":$I"]
                .iter()
                .fold(json.to_owned(), |json, field| json.replace(field, ""))
        };
        let missing: Vec<(&str, String)> = wire.call.iter().map(|(event, json)| (*event, field(json))).collect();
        let missing: Vec<_> = missing.iter().map(|(event, json)| (*event, json.as_str())).collect();
        let without = |frames: &[(&str, &str)]| {
            let parts = [stream(wire, &[wire.start], &[]), stream_of(wire, frames)];
            [&parts.concat()[..], &stream(wire, &[wire.finish, wire.marker], &[]), end(wire)].concat()
        };
        let mut failures = Vec::new();
        let mut is_kept = |what: &str, bytes: &[u8]| match read(what, wire, bytes) {
            Ok(answer) if answer.tool_calls().map(|call| call.name.as_str()).eq(["clock"]) => {}
            got => failures.push(format!("index {what}: {got:?}")),
        };
        is_kept("missing", &without(&missing));
        for index in ["4000000000", "18446744073709551615"] {
            let frames = [wire.start, wire.call, wire.finish, wire.marker];
            is_kept(index, &[&stream(wire, &frames, &[("$I", index)]), end(wire)].concat());
        }
        if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
    });
}

#[test]
fn unknown_words_and_fields_are_kept_or_passed_over() {
    each(|wire| {
        let strange: &[Frame] =
            &[("moonrise", r#"{"type":"moonrise","event_type":"moonrise","moon":{"phase":[1,null]}}"#)];
        let typed = ["anthropic-messages", "openai-responses", "cohere-v2-chat", "cohere-v1-chat", "bedrock-converse"];
        let strange = if typed.contains(&wire.dialect) { strange } else { &[] };
        let frames = [wire.start, strange, wire.text, wire.finish, wire.marker];
        let answer = read_frames("moonrise", wire, &frames, &[("$W", "moonrise")]);
        let answer = answer.map_err(|error| error.to_string())?;
        // Responses says its status, and the reason beside it.
        let raw = if wire.dialect == "openai-responses" { "incomplete" } else { "moonrise" };
        let finish = &answer.finish;
        let is_kept = matches!(&finish.reason, FinishReason::Other(word) if word == "moonrise");
        if answer.text() == "Hello" && is_kept && finish.raw.as_deref() == Some(raw) {
            return Ok(());
        }
        Err(format!("{:?} {finish:?}", answer.text()))
    });
}

#[test]
fn reports_of_usage_replace_and_never_add() {
    each(|wire| {
        if wire.usage.is_empty() {
            return Ok(());
        }
        let report = |tokens: &'static str| [("$U", tokens)];
        let (two, five) = (report("2"), report("5"));
        // The frames with a finish word of the OpenAI kind say `usage: null` between the reports.
        let frames: [Filled<'_>; 7] = [
            (wire.start, &[]),
            (wire.usage, &two),
            (wire.text, &[]),
            (wire.usage, &five),
            (wire.finish, &[]),
            (wire.usage, &five),
            (wire.marker, &[]),
        ];
        let bytes = in_turn(wire, &frames);
        let answer = read("usage", wire, &bytes).map_err(|error| error.to_string())?;
        let usage = (answer.usage.input_total(), answer.usage.output_total());
        if usage == (Some(3), Some(5)) { Ok(()) } else { Err(format!("{usage:?}")) }
    });
}

#[test]
fn what_is_no_object_is_a_decode_error() {
    each(|wire| {
        for json in ["42", "[1,2]", "\"words\"", "{\"half\":"] {
            // In a list half an object takes in all that follows: the list is cut.
            if wire.content_type == "application/json" && json.starts_with('{') {
                continue;
            }
            let name = wire.text[0].0;
            let bytes = [
                &stream(wire, &[wire.start, wire.text], &[])[..],
                &continued(wire, &[(name, json)]),
                &continued(wire, wire.finish),
                &continued(wire, wire.marker),
            ];
            let got = read("no object", wire, &bytes.concat());
            expect(ErrorKind::Decode, "Hello", &got).map_err(|why| format!("{json}: {why}"))?;
        }
        Ok(())
    });
}

/// More frames, after those that are there.
fn continued(wire: &Wire, frames: &[(&str, &str)]) -> Vec<u8> {
    let bytes = stream_of(wire, frames);
    if wire.content_type == "application/json" && !bytes.is_empty() {
        // The first of a list opens it; here it is open.
        return [b",", &bytes[1..]].concat();
    }
    bytes
}

#[test]
fn a_line_without_an_end_is_a_bounded_error() {
    const LIMIT: usize = 64 << 10;
    each(|wire| {
        let opening: &[u8] = match wire.content_type {
            "text/event-stream" => b"data: {\"a\":\"",
            "application/json" => b"[{\"a\":\"",
            // A head that announces 1 MB, checksum and all, and no end to what follows.
            "application/vnd.amazon.eventstream" => b"\x00\x10\x00\x00\x00\x00\x00\x00\x02\xfc\x43\xa7",
            _ => b"{\"a\":\"",
        };
        let mut pieces = vec![Bytes::copy_from_slice(opening)];
        pieces.extend(std::iter::repeat_n(Bytes::from_static(&[b'a'; 4096]), 4 * LIMIT / 4096));
        let limits = Limits { frame: LIMIT, ..Limits::default() };
        let got = told(wire.dialect, &items(room(wire), StatusCode::OK, wire.content_type, pieces, limits));
        expect(ErrorKind::Decode, "", &got)
    });
}

#[test]
fn an_empty_body_is_truncated() {
    each(|wire| {
        for bytes in [&b""[..], b"\n\n", b" "] {
            let got = read("empty", wire, bytes);
            match &got {
                Err(error) if matches!(error.kind(), ErrorKind::Truncated) => {}
                // An empty line is no message of a binary stream, and white space is no JSON.
                Err(error) if !bytes.is_empty() && error.kind() == ErrorKind::Decode => {}
                _ => return Err(format!("{bytes:?}: {got:?}")),
            }
        }
        Ok(())
    });
}
