use bytes::Bytes;
use sabir_core::chat::{ChatRequest, Content, Event, FinishReason, Meta, Part};
use sabir_core::frame::{Framer, Framing};
use sabir_core::{ErrorKind, Sink};

use super::*;

const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"cache_creation_input_tokens":30,"cache_read_input_tokens":20,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"output_tokens":1,"service_tier":"standard"}}}"#;
const DELTA: &str = r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null,"container":{"id":"c"}},"usage":{"output_tokens":50,"output_tokens_details":{"thinking_tokens":15},"server_tool_use":{"web_search_requests":1}},"context_management":{"applied_edits":[]}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

const BLOCKS: [&str; 29] = [
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm, "}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"salt."}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}"#,
    r#"{"type":"content_block_stop","index":0}"#,
    r#"{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"c2VhbGVk"}}"#,
    r#"{"type":"content_block_stop","index":1}"#,
    r#"{"type": "ping"}"#,
    r#"{"type":"content_block_start","index":2,"content_block":{"type":"server_tool_use","id":"srv_1","name":"web_search","input":{},"caller":{"type":"direct"}}}"#,
    r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}"#,
    r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"q\":"}}"#,
    r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":" \"é\"}"}}"#,
    r#"{"type":"content_block_stop","index":2}"#,
    r#"{"type":"content_block_start","index":3,"content_block":{"type":"web_search_tool_result","tool_use_id":"srv_1","content":[{"type":"web_search_result","url":"https://x.test"}]}}"#,
    r#"{"type":"content_block_stop","index":3}"#,
    r#"{"type":"content_block_start","index":4,"content_block":{"citations":[],"type":"text","text":""}}"#,
    r#"{"type":"content_block_delta","index":4,"delta":{"type":"citations_delta","citation":{"type":"web_search_result_location","url":"https://x.test","title":"X","cited_text":"wet","encrypted_index":"e"}}}"#,
    r#"{"type":"content_block_delta","index":4,"delta":{"type":"text_delta","text":"The sea "}}"#,
    r#"{"type":"content_block_delta","index":4,"delta":{"type":"text_delta","text":"is \"wet\" 🌊"}}"#,
    r#"{"type":"content_block_stop","index":4}"#,
    r#"{"type":"content_block_start","index":5,"content_block":{"type":"compaction","content":null}}"#,
    r#"{"type":"content_block_delta","index":5,"delta":{"type":"compaction_delta","content":"in short"}}"#,
    r#"{"type":"content_block_stop","index":5}"#,
    r#"{"type":"content_block_start","index":6,"content_block":{"type":"tool_use","id":"toolu_1","name":"go","input":{}}}"#,
    r#"{"type":"content_block_delta","index":6,"delta":{"type":"input_json_delta","partial_json":""}}"#,
    r#"{"type":"content_block_delta","index":6,"delta":{"type":"input_json_delta","partial_json":"{\"to\": 1.50}"}}"#,
    r#"{"type":"content_block_stop","index":6}"#,
    r#"{"type":"content_block_start","index":7,"content_block":{"type":"tool_use","id":"toolu_2","name":"rest","input":{},"caller":{"type":"direct"}}}"#,
    r#"{"type":"content_block_stop","index":7}"#,
];

const WHOLE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[
    {"type":"thinking","thinking":"Hm, salt.","signature":"c2ln"},
    {"type":"redacted_thinking","data":"c2VhbGVk"},
    {"type":"server_tool_use","id":"srv_1","name":"web_search","input":{"q": "é"},"caller":{"type":"direct"}},
    {"type":"web_search_tool_result","tool_use_id":"srv_1","content":[{"type":"web_search_result","url":"https://x.test"}]},
    {"type":"text","text":"The sea is \"wet\" 🌊","citations":[{"type":"web_search_result_location","url":"https://x.test","title":"X","cited_text":"wet","encrypted_index":"e"}]},
    {"type":"compaction","content":"in short"},
    {"type":"tool_use","id":"toolu_1","name":"go","input":{"to": 1.50}},
    {"type":"tool_use","id":"toolu_2","name":"rest","input":{},"caller":{"type":"direct"}}
  ],"stop_reason":"tool_use","stop_sequence":null,"container":{"id":"c"},"context_management":{"applied_edits":[]},
  "usage":{"input_tokens":9,"cache_creation_input_tokens":30,"cache_read_input_tokens":20,
    "cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"output_tokens":50,
    "output_tokens_details":{"thinking_tokens":15},"server_tool_use":{"web_search_requests":1},"service_tier":"standard"}}"#;

fn full_stream() -> String {
    let all: Vec<&str> = [START].into_iter().chain(BLOCKS).chain([DELTA, STOP]).collect();
    events(&all)
}

fn with_block(block: &[&str]) -> String {
    let all: Vec<&str> = [START].into_iter().chain(block.iter().copied()).chain([DELTA, STOP]).collect();
    events(&all)
}

#[test]
fn a_stream_says_what_the_whole_answer_says() {
    let whole = decode(200, WHOLE).expect("an answer");
    assert_eq!(decode_stream(&full_stream()).expect("an answer"), whole);
    assert_eq!(whole.text(), "The sea is \"wet\" 🌊");
    assert_eq!(whole.reasoning().as_deref(), Some("Hm, salt."));
    let calls: Vec<_> = whole.tool_calls().map(|c| c.arguments.as_str()).collect();
    assert_eq!(calls, ["{\"to\": 1.50}", "{}"]);
    assert_eq!(whole.finish.reason, FinishReason::ToolCalls);
    let usage = &whole.usage;
    assert_eq!(
        (usage.input, usage.cache_read, usage.cache_write, usage.cache_write_1h),
        (Some(9), Some(20), Some(10), Some(20))
    );
    assert_eq!((usage.output, usage.reasoning, usage.total()), (Some(35), Some(15), Some(109)));
    assert_eq!(usage.tools["web_search_requests"], 1);
    assert_eq!(whole.meta.get("anthropic-messages", "usage").expect("kept")["service_tier"], "standard");
}

#[test]
fn every_cut_and_every_line_end_gives_the_same() {
    let whole = decode(200, WHOLE).expect("an answer");
    let dressed = full_stream().replace(
        "data: {\"type\":\"content_block_stop\"",
        ": wait\n\n:\n\nid: 7\nevent: content_block_stop\ndata:{\"type\":\"content_block_stop\"",
    );
    let read = |pieces: &mut dyn Iterator<Item = Bytes>| {
        let mut framer = Framer::new(Framing::Sse);
        let (mut decoder, mut sink) = (AnthropicMessages.decoder(), Sink::whole());
        for piece in pieces {
            framer.push(piece);
            while let Some(frame) = framer.next().expect("frames") {
                decoder.frame(frame, &mut sink).expect("events");
            }
        }
        assert!(sink.has_ended());
        sink.into_response()
    };
    let crlf = Bytes::from(dressed.replace('\n', "\r\n"));
    for cut in 0..crlf.len() {
        let pieces = [crlf.slice(..cut), crlf.slice(cut..)];
        assert_eq!(read(&mut pieces.into_iter()), whole, "cut at {cut}");
    }
    for body in [full_stream(), dressed.replace('\n', "\r") + "\r", dressed] {
        let bytes = Bytes::from(body);
        assert_eq!(read(&mut (0..bytes.len()).map(|i| bytes.slice(i..=i))), whole, "byte by byte");
    }
}

#[test]
fn what_stops_early_is_truncated_and_keeps_what_came() {
    let all = full_stream();
    let end = all.rfind("data: {\"type\":\"message_stop\"").expect("it is there");
    for (cut, text) in [
        (0, ""),
        (all.find("is ").expect("there"), "The sea "),
        (end, "The sea is \"wet\" 🌊"),
        (end + 20, "The sea is \"wet\" 🌊"),
    ] {
        let error = failed(decode_stream(&all[..cut]));
        assert_eq!(error.kind(), ErrorKind::Truncated, "cut at {cut}");
        assert_eq!(error.partial().expect("kept").text(), text);
    }
    let usage = failed(decode_stream(&all[..end / 2])).partial().expect("kept").usage.clone();
    assert_eq!((usage.input, usage.output), (Some(9), None), "the output of message_start is no count");
}

#[test]
fn an_error_inside_the_stream_is_the_last_word() {
    let text = [
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"Hel"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}}"#,
    ];
    let errors = [
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}"#,
            ErrorKind::Overloaded,
            "Overloaded",
        ),
        (r#"{"type":"error","error":{"type":"api_error","message":"Internal"}}"#, ErrorKind::Provider, "Internal"),
        (r#"{"error":{"message":"no more","code":429}}"#, ErrorKind::RateLimit, "no more"),
    ];
    for (event, kind, message) in errors {
        let error = failed(decode_stream(&events(&[START, text[0], text[1], event, STOP])));
        assert_eq!((error.kind(), error.message()), (kind, message));
        assert_eq!(error.partial().expect("kept").text(), "Hello");
    }
    let named = format!("{}event: error\ndata: upstream died\n\n", events(&[START]));
    assert_eq!(failed(decode_stream(&named)).message(), "upstream died");
    let masked = r#"{"type":"error","error":{"type":"api_error","message":"bad sk-ant-api03-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}"#;
    assert!(!failed(decode_stream(&events(&[masked]))).to_string().contains("AAAAAAAA"));
}

#[test]
fn the_end_marker_alone_ends() {
    let openrouter = full_stream().replace(
        "data: {\"type\":\"message_stop\"}",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\nevent: data\ndata: [DONE]",
    );
    assert!(decode_stream(&openrouter).is_ok());
    let done_only = format!("{}event: data\ndata: [DONE]\n\n", events(&[START, DELTA]));
    assert_eq!(failed(decode_stream(&done_only)).kind(), ErrorKind::Truncated);
    let by_name: String = full_stream()
        .lines()
        .map(|line| match line.strip_prefix("data: {\"type\":\"message_stop\"}") {
            Some(_) => "event: message_stop\ndata: {}\n".to_owned(),
            None => format!("{line}\n"),
        })
        .collect();
    assert!(decode_stream(&by_name).is_ok());
}

#[test]
fn strange_streams_are_read_as_far_as_they_go() {
    let calls = |body: &str| {
        let response = decode_stream(body).expect("an answer");
        response.tool_calls().map(|c| format!("{}:{}", c.id, c.arguments)).collect::<Vec<_>>()
    };
    // Twice the same number, none at all, and numbers that must not size anything.
    let twice = with_block(&[
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"n\":1}"}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"b","name":"f","input":{}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"n\":2}"}}"#,
        r#"{"type":"content_block_start","content_block":{"type":"tool_use","id":"c","name":"f","input":{}}}"#,
        r#"{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{\"n\":3}"}}"#,
        r#"{"type":"content_block_start","index":4000000000,"content_block":{"type":"tool_use","id":"d","name":"f","input":{"n": 4}}}"#,
        r#"{"type":"content_block_delta","index":18446744073709551615,"delta":{"type":"input_json_delta","partial_json":"ignored"}}"#,
    ]);
    assert_eq!(calls(&twice), ["a:{\"n\":1}", "b:{\"n\":2}", "c:{\"n\":3}", "d:{\"n\": 4}"]);

    let unknown = with_block(&[
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"hologram","beam":"a","parts":[1]}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"beam_delta","beam":"b","parts":[2],"text":{"not":"text"}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"later_delta"}}"#,
        r#"{"type":"content_block_delta","index":9,"delta":{"type":"text_delta","text":"nobody's"}}"#,
        r#"{"type":"content_block_stop","index":9}"#,
        r#"{"type":"novelty","index":"one","delta":[]}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"ok"}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"bored"},"usage":null}"#,
    ]);
    let response = decode_stream(&unknown.replace(DELTA, r#"{"type":"ping"}"#)).expect("an answer");
    let Content::Opaque { dialect, json } = &response.parts[0].content else { panic!("{:?}", response.parts) };
    assert_eq!(
        (dialect.as_str(), &json["beam"], &json["parts"]),
        ("anthropic-messages", &"ab".into(), &serde_json::json!([1, 2]))
    );
    assert_eq!(response.text(), "ok");
    assert_eq!(response.finish.reason, FinishReason::Other("bored".into()));
    assert_eq!(response.usage.output, Some(1), "provisional, but all there is");

    let open = |index: usize| {
        format!(
            r#"{{"type":"content_block_start","index":{index},"content_block":{{"type":"tool_use","id":"x","name":"f","input":{{}}}}}}"#
        )
    };
    let many: Vec<String> = (0..2000).map(open).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(failed(decode_stream(&with_block(&many))).kind(), ErrorKind::Decode);
    for garbage in
        ["[]", "7", "null", "\"hi\"", "{\"type\":\"message_start\"", "{\"type\":\"message_start\",\"message\":5}"]
    {
        assert_eq!(failed(decode_stream(&events(&[START, garbage, STOP]))).kind(), ErrorKind::Decode, "{garbage}");
    }
    let deep = format!(
        "{{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{{\"type\":\"x\",\"y\":{}{}}}}}",
        "[".repeat(9_000),
        "]".repeat(9_000)
    );
    assert_eq!(failed(decode_stream(&with_block(&[&deep]))).kind(), ErrorKind::Decode);
}

#[test]
fn later_counters_replace_earlier_ones() {
    let usage = |deltas: &[&str]| {
        let deltas: Vec<String> =
            deltas.iter().map(|u| format!(r#"{{"type":"message_delta","delta":{{}},"usage":{u}}}"#)).collect();
        let all: Vec<&str> = [START].into_iter().chain(deltas.iter().map(String::as_str)).chain([STOP]).collect();
        decode_stream(&events(&all)).expect("an answer").usage
    };
    let known =
        usage(&[r#"{"output_tokens":5}"#, r#"{"output_tokens":8,"input_tokens":70,"cache_read_input_tokens":null}"#]);
    assert_eq!((known.input, known.cache_read, known.output_total()), (Some(70), Some(20), Some(8)));
    let known = usage(&[r#"{"output_tokens":8,"cache_creation_input_tokens":5}"#]);
    assert_eq!((known.cache_write, known.cache_write_1h), (Some(0), Some(5)), "no more than the later total");
    let known =
        usage(&[r#"{"output_tokens":8,"output_tokens_details":{"thinking_tokens":3}}"#, r#"{"output_tokens":20}"#]);
    assert_eq!((known.output, known.reasoning), (Some(17), Some(3)));
}

fn written(events: &[Event]) -> String {
    let mut encoder = AnthropicMessages.encoder(&ChatRequest::default());
    let mut out = Vec::new();
    for event in events {
        encoder.event(event, &mut out);
    }
    String::from_utf8(out).expect("text")
}

fn end_part() -> Event {
    Event::PartEnd { signature: None, meta: Meta::default() }
}

#[test]
fn what_is_written_is_read_again() {
    let mut whole = decode(200, WHOLE).expect("an answer");
    // The metadata of a streamed call comes after its start.
    whole.parts[8].meta = Meta::default();
    let mut told = vec![
        Event::Start { id: "msg_1".into(), model: "claude-x".into() },
        Event::Usage(whole.usage.clone().into()),
        Event::Reasoning("Hm, ".into()),
        Event::Reasoning("salt.".into()),
        Event::PartEnd { signature: Some("c2ln".into()), meta: Meta::default() },
    ];
    told.extend(whole.parts[1..4].iter().cloned().map(|part| Event::Part(part.into())));
    told.extend([Event::Text("The sea ".into()), Event::Text("is \"wet\" 🌊".into()), end_part()]);
    told.extend(whole.parts[5..].iter().cloned().map(|part| Event::Part(part.into())));
    told.push(Event::Done(Box::new(whole.clone())));
    let stream = written(&told);
    assert_eq!(decode_stream(&stream).expect("an answer"), whole, "{stream}");
    let names: Vec<&str> = stream.lines().filter_map(|l| l.strip_prefix("event: ")).collect();
    assert_eq!(names[0], "message_start");
    assert_eq!(names[names.len() - 2..], ["message_delta", "message_stop"]);
    assert!(
        stream.contains(r#""usage":{"input_tokens":9,"cache_creation_input_tokens":30"#),
        "the start knows the usage"
    );
    for line in stream.lines().filter_map(|l| l.strip_prefix("data: ")) {
        serde_json::from_str::<Value>(line).expect("each event is JSON on one line");
    }
}

#[test]
fn a_plain_stream_is_what_the_api_sends() {
    let mut answer =
        decode(200, r#"{"id":"","model":"m","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn"}"#)
            .expect("an answer");
    answer.finish.raw = Some("stop".into());
    let told = [
        Event::Start { id: String::new(), model: "m".into() },
        Event::Text("Hi".into()),
        end_part(),
        Event::Done(Box::new(answer)),
    ];
    let expected = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_sabir","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"output_tokens":0}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":0,"output_tokens":0}}

event: message_stop
data: {"type":"message_stop"}

"#;
    assert_eq!(written(&told), expected);
}

#[test]
fn calls_that_run_side_by_side_keep_their_own_arguments() {
    let start = |index, id: &str| Event::ToolStart { index, id: id.into(), name: "f".into() };
    let more = |index, fragment: &str| Event::ToolArguments { index, fragment: fragment.into() };
    let end = |index| Event::ToolEnd { index, call: sabir_core::chat::ToolCall::default(), meta: Meta::default() };
    let mut done = ChatResponse::default();
    done.parts = vec![
        Part::tool_call("", "f", "{\"n\":1}"),
        Part::tool_call("b", "f", "{\"n\":2}"),
        Part::tool_call("c", "f", "{}"),
    ];
    done.settle_finish();
    let stream = written(&[
        Event::Start { id: "resp.1".into(), model: "m".into() },
        start(0, ""),
        more(0, "{\"n\":"),
        start(1, "b"),
        more(1, "{\"n\":"),
        more(0, "1}"),
        more(1, "2}"),
        start(2, "c"),
        end(0),
        end(1),
        Event::Done(Box::new(done)),
    ]);
    let read = decode_stream(&stream).expect("an answer");
    let calls: Vec<String> = read.tool_calls().map(|c| format!("{} {}", c.id, c.arguments)).collect();
    assert_eq!(calls, ["toolu_resp_1_0 {\"n\":1}", "b {\"n\":2}", "c {}"]);
    assert_eq!(read.finish.raw.as_deref(), Some("tool_use"));
    let stops = stream.matches("event: content_block_stop").count();
    assert_eq!(stops, 3, "each block stops once: {stream}");
}

#[test]
fn an_error_after_the_head_is_an_event() {
    let mut out = Vec::new();
    let error = Error::new(ErrorKind::Overloaded, "busy");
    AnthropicMessages.encoder(&ChatRequest::default()).error(&error, &mut out);
    assert_eq!(
        out,
        b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n"
    );
    let read = failed(decode_stream(std::str::from_utf8(&out).expect("text")));
    assert_eq!((read.kind(), read.message()), (ErrorKind::Overloaded, "busy"));
}
