//! Every framing: the same frames however the body is cut, back what was written, and no way to make it hang,
//! panic or hoard.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;

use super::{Framer, Framing, event_stream, json_array, ndjson, sse};
use crate::error::{ErrorKind, Result};

type Owned = (String, String, bool);

/// Takes out what is there; an error comes last.
fn drain(framer: &mut Framer, out: &mut Vec<Result<Owned, ErrorKind>>) {
    loop {
        match framer.next() {
            Ok(Some(f)) => out.push(Ok((f.event.into(), String::from_utf8_lossy(f.data).into(), f.exception))),
            Ok(None) => return,
            Err(error) => {
                if !matches!(out.last(), Some(Err(_))) {
                    out.push(Err(error.kind()));
                }
                return;
            }
        }
    }
}

fn read_pieces<'a>(framer: Framer, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Result<Owned, ErrorKind>> {
    let (mut framer, mut out) = (framer, Vec::new());
    for piece in pieces {
        framer.push(Bytes::copy_from_slice(piece));
        drain(&mut framer, &mut out);
    }
    framer.finish();
    drain(&mut framer, &mut out);
    drain(&mut framer, &mut out);
    out
}

/// The frames of a body; the same whole, cut in two at every byte, in pieces of every small size,
/// and when everything arrives before the first look.
fn read_limited(framing: Framing, body: &[u8], limit: usize) -> Vec<Result<Owned, ErrorKind>> {
    let framer = || Framer::new(framing).with_limit(limit);
    let whole = read_pieces(framer(), [body]);
    for at in 0..=body.len() {
        let (a, b) = body.split_at(at);
        assert_eq!(read_pieces(framer(), [a, b]), whole, "cut at {at}");
        let mut late = framer();
        late.push(Bytes::copy_from_slice(a));
        late.push(Bytes::copy_from_slice(b));
        assert_eq!(read_pieces(late, []), whole, "cut at {at}, read late");
    }
    for size in 1..40 {
        assert_eq!(read_pieces(framer(), body.chunks(size)), whole, "pieces of {size}");
    }
    whole
}

fn read(framing: Framing, body: &[u8]) -> Vec<Result<Owned, ErrorKind>> {
    read_limited(framing, body, super::DEFAULT_LIMIT)
}

#[expect(clippy::unnecessary_wraps, reason = "compared with results")]
fn ok(event: &str, data: &str) -> Result<Owned, ErrorKind> {
    Ok((event.into(), data.into(), false))
}

fn sse_frames(body: &str) -> Vec<(String, String)> {
    read(Framing::Sse, body.as_bytes()).into_iter().map(|f| f.map(|(e, d, _)| (e, d)).expect("no error")).collect()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(e, d)| ((*e).into(), (*d).into())).collect()
}

#[test]
fn sse_by_the_standard() {
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("", &[]),
        ("data: a\n\ndata: b\n\n", &[("", "a"), ("", "b")]),
        ("data: a\r\n\r\ndata: b\r\n\r\n", &[("", "a"), ("", "b")]),
        ("data: a\r\rdata: b\r\r", &[("", "a"), ("", "b")]),
        ("data: a\r\n\ndata: b\n\r\n\r\rdata: c\r\n\r", &[("", "a"), ("", "b"), ("", "c")]),
        ("\u{feff}data: a\n\n\u{feff}data: b\n\n", &[("", "a")]),
        ("\u{feff}\u{feff}data: a\n\n", &[]),
        ("\u{feff}", &[]),
        ("\u{feff}\ndata: a\n\n", &[("", "a")]),
        ("data:{\"a\":1}\n\n", &[("", "{\"a\":1}")]),
        ("data:  two spaces \n\n", &[("", " two spaces ")]),
        ("data: YHOO\ndata: +2\ndata: 10\n\n", &[("", "YHOO\n+2\n10")]),
        ("data: a\nevent: late\n: between\nid: 3\ndata: b\n\n", &[("late", "a\nb")]),
        ("data\n\ndata\ndata\n\ndata:", &[("", ""), ("", "\n"), ("", "")]),
        ("event: a\ndata: 1\n\ndata: 2\n\n", &[("a", "1"), ("", "2")]),
        ("event: nodata\n\ndata: 1\n\n", &[("", "1")]),
        ("event: a\nevent: b\ndata: 1\n\n", &[("b", "1")]),
        ("event: a\nevent:\ndata: 1\n\n", &[("", "1")]),
        (": comment\n:\n\n\n\n: PROCESSING\n\ndata: x\n\n\n\n\ndata: y\n\n", &[("", "x"), ("", "y")]),
        ("id: 7\nretry: 10\nnope\nnope: x\ndatas: x\ndat: x\ndata : x\n data: x\ndata: y\n\n", &[("", "y")]),
        ("data: é 漢 🦀\n\nevent: naïve\ndata: ñ\n\n", &[("", "é 漢 🦀"), ("naïve", "ñ")]),
        ("data: [DONE]", &[("", "[DONE]")]),
        ("data: a\n\nevent: end\ndata: b\r\n", &[("", "a"), ("end", "b")]),
        ("data: a\n\nevent: no data", &[("", "a")]),
    ];
    for (body, expected) in cases {
        assert_eq!(sse_frames(body), pairs(expected), "{body:?}");
    }
    assert_eq!(read(Framing::Sse, b"event: \xff\ndata: \xff\n\n"), [ok("", "\u{fffd}")]);
}

#[test]
fn sse_from_providers() {
    // Recorded from Anthropic, Gemini, Hugging Face and OpenRouter, shortened.
    let body =
        "event: message_start\ndata: {\"type\":\"message_start\"}\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n";
    let expected = [("message_start", "{\"type\":\"message_start\"}"), ("ping", "{\"type\": \"ping\"}")];
    assert_eq!(sse_frames(body), pairs(&expected));
    let body = "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"Hi\"}]}}]}\r\n\r\ndata: {}\r\n\r\n";
    let expected = [("", "{\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"Hi\"}]}}]}"), ("", "{}")];
    assert_eq!(sse_frames(body), pairs(&expected));
    let body = "data:{\"index\":1,\"token\":{\"id\":25,\"text\":\":\"}}\n\ndata:{\"index\":2}\n\n";
    assert_eq!(
        sse_frames(body),
        pairs(&[("", "{\"index\":1,\"token\":{\"id\":25,\"text\":\":\"}}"), ("", "{\"index\":2}")])
    );
    let body = ": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\ndata: {}\n\ndata: [DONE]\n\n";
    assert_eq!(sse_frames(body), pairs(&[("", "{}"), ("", "[DONE]")]));
}

#[test]
fn sse_round_trip() {
    for event in ["", "delta", "naïve"] {
        for data in ["", "{}", " leading", "a\nb", "\n", "a\n\nb\n", "漢字"] {
            let mut body = Vec::new();
            sse::comment(&mut body, "two\nlines");
            sse::write(&mut body, event, data.as_bytes());
            sse::comment(&mut body, "");
            sse::write(&mut body, "", b"next");
            assert_eq!(read(Framing::Sse, &body), [ok(event, data), ok("", "next")]);
        }
    }
    let mut body = Vec::new();
    sse::write(&mut body, "a\ndata: forged\n\n", b"1\r\n2\r3");
    assert_eq!(String::from_utf8_lossy(&body), "event: a\ndata: 1\ndata: 2\ndata: 3\n\n");
}

#[test]
fn ndjson_lines() {
    let body = "{\"a\":1}\n\n  \r\n{\"b\":\"é\"}\r\n\n{\"c\":3}";
    assert_eq!(
        read(Framing::Ndjson, body.as_bytes()),
        [ok("", "{\"a\":1}"), ok("", "{\"b\":\"é\"}"), ok("", "{\"c\":3}")]
    );
    assert_eq!(read(Framing::Ndjson, b"{}\r"), [ok("", "{}")]);
    assert_eq!(read(Framing::Ndjson, b"\n\n \n"), []);
    assert_eq!(read(Framing::Ndjson, b" "), []);
    let mut body = Vec::new();
    ndjson::write(&mut body, b"{\r\n  \"a\": 1\n}");
    ndjson::write(&mut body, b"{}");
    assert_eq!(read(Framing::Ndjson, &body), [ok("", "{    \"a\": 1 }"), ok("", "{}")]);
}

/// Recorded from Amazon Bedrock (`ConverseStream`) by opentelemetry-python-contrib, Apache-2.0.
const RECORDED: &str = "\
    AAAAkAAAAFIxQcihCzpldmVudC10eXBlBwAMbWVzc2FnZVN0YXJ0DTpjb250ZW50LXR5cGUHABBhcHBsaWNhdGlvbi9qc29uDTptZXNzYWdlLX\
    R5cGUHAAVldmVudHsicCI6ImFiY2RlZmdoaWprbG1ub3BxcnMiLCJyb2xlIjoiYXNzaXN0YW50In0RduqwAAAA2wAAAFduCFV2CzpldmVudC10\
    eXBlBwARY29udGVudEJsb2NrRGVsdGENOmNvbnRlbnQtdHlwZQcAEGFwcGxpY2F0aW9uL2pzb24NOm1lc3NhZ2UtdHlwZQcABWV2ZW50eyJjb2\
    50ZW50QmxvY2tJbmRleCI6MCwiZGVsdGEiOnsidGV4dCI6IkkgYW0gaGVyZSBhbmQgcmVhZHkgdG8gYXNzaXN0In0sInAiOiJhYmNkZWZnaGlq\
    a2xtbm9wcXJzdHV2d3h5ekFCQ0RFRkdISUpLIn0uPEHpAAAAkAAAAFY2LAy4CzpldmVudC10eXBlBwAQY29udGVudEJsb2NrU3RvcA06Y29udG\
    VudC10eXBlBwAQYXBwbGljYXRpb24vanNvbg06bWVzc2FnZS10eXBlBwAFZXZlbnR7ImNvbnRlbnRCbG9ja0luZGV4IjowLCJwIjoiYWJjZGVm\
    Z2hpamtsIn3C2aZeAAAAjgAAAFF3mLD4CzpldmVudC10eXBlBwALbWVzc2FnZVN0b3ANOmNvbnRlbnQtdHlwZQcAEGFwcGxpY2F0aW9uL2pzb2\
    4NOm1lc3NhZ2UtdHlwZQcABWV2ZW50eyJwIjoiYWJjZGVmZ2hpamsiLCJzdG9wUmVhc29uIjoibWF4X3Rva2VucyJ9cjPl1AAAAMwAAABO2KO2\
    JAs6ZXZlbnQtdHlwZQcACG1ldGFkYXRhDTpjb250ZW50LXR5cGUHABBhcHBsaWNhdGlvbi9qc29uDTptZXNzYWdlLXR5cGUHAAVldmVudHsibW\
    V0cmljcyI6eyJsYXRlbmN5TXMiOjYwNX0sInAiOiJhYmNkZWZnaGlqa2xtIiwidXNhZ2UiOnsiaW5wdXRUb2tlbnMiOjgsIm91dHB1dFRva2Vu\
    cyI6MTAsInRvdGFsVG9rZW5zIjoxOH19/X5xsw==";

fn recorded() -> Vec<u8> {
    BASE64_STANDARD.decode(RECORDED).expect("base64")
}

#[test]
fn event_stream_from_bedrock() {
    let frames = read(Framing::EventStream, &recorded());
    let names: Vec<_> = frames.iter().map(|f| f.as_ref().map(|(event, ..)| event.as_str())).collect();
    assert_eq!(names, ["messageStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"].map(Ok));
    for frame in frames {
        let (_, data, exception) = frame.expect("checked above");
        assert!(!exception);
        serde_json::from_str::<serde_json::Value>(&data).expect("the payload is JSON");
    }
}

#[test]
fn event_stream_round_trip() {
    let mut body = Vec::new();
    event_stream::write(&mut body, &[(":message-type", "event"), (":event-type", "chunk")], b"{\"a\":1}");
    event_stream::write(&mut body, &[], b"");
    event_stream::write(
        &mut body,
        &[(":exception-type", "throttlingException"), (":message-type", "exception")],
        b"{}",
    );
    event_stream::write(
        &mut body,
        &[(":message-type", "error"), (":error-code", "internal"), (":error-message", "it broke")],
        b"",
    );
    let expected = [
        ok("chunk", "{\"a\":1}"),
        ok("", ""),
        Ok(("throttlingException".into(), "{}".into(), true)),
        Ok(("internal".into(), "it broke".into(), true)),
    ];
    assert_eq!(read(Framing::EventStream, &body), expected);

    let mut long = Vec::new();
    event_stream::write(&mut long, &[(&"é".repeat(200), &"x".repeat(70_000))], b"{}");
    assert_eq!(read_pieces(Framer::new(Framing::EventStream), [&long[..]]), [ok("", "{}")]);
}

/// A message with these raw headers and right checksums.
fn message(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let total = u32::try_from(headers.len() + payload.len() + 16).expect("small");
    with_lengths(total, u32::try_from(headers.len()).expect("small"), &[headers, payload].concat())
}

fn with_lengths(total: u32, headers: u32, rest: &[u8]) -> Vec<u8> {
    let mut out = [total.to_be_bytes(), headers.to_be_bytes()].concat();
    out.extend_from_slice(&super::crc32::crc32(&out).to_be_bytes());
    out.extend_from_slice(rest);
    out.extend_from_slice(&super::crc32::crc32(&out).to_be_bytes());
    out
}

#[test]
fn event_stream_headers_of_every_type() {
    let mut headers = Vec::new();
    for (kind, len) in [(0, 0), (1, 0), (2, 1), (3, 2), (4, 4), (5, 8), (8, 8), (9, 16)] {
        headers.extend_from_slice(&[1, b'x', kind]);
        headers.resize(headers.len() + len, 0xAA);
    }
    headers.extend_from_slice(b"\x01b\x06\x00\x03\xFF\xFE\xFD");
    headers.extend_from_slice(b"\x0B:event-type\x07\x00\x02ok");
    let body = message(&headers, b"{}");
    assert_eq!(read(Framing::EventStream, &body), [ok("ok", "{}")]);
    for bad in [&b"\x01x\x0A"[..], b"\x05x", b"\x01x", b"\x01x\x07\x00", b"\x01x\x07\xFF\xFFa", b"\x01x\x09abc"] {
        assert_eq!(read(Framing::EventStream, &message(bad, b"{}")), [Err(ErrorKind::Decode)], "{bad:?}");
    }
}

#[test]
fn event_stream_damage_is_seen() {
    let good = message(b"\x0B:event-type\x07\x00\x02ok", b"{}");
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        let frames = read_pieces(Framer::new(Framing::EventStream), [&bad[..]]);
        assert_eq!(frames, [Err(ErrorKind::Decode)], "byte {at}");
    }
    for cut in 1..good.len() {
        let frames = read_pieces(Framer::new(Framing::EventStream), [&good[..cut]]);
        assert_eq!(frames, [Err(ErrorKind::Truncated)], "cut at {cut}");
    }
    for (total, headers) in [(u32::MAX, 0), (u32::MAX, u32::MAX), (15, 0), (0, 0), (16, 1), (20, 5), (40, u32::MAX)] {
        let head = with_lengths(total, headers, b"");
        let mut framer = Framer::new(Framing::EventStream);
        framer.push(Bytes::from(head));
        let kind = framer.next().map(|_| ()).map_err(|e| e.kind());
        assert_eq!(kind, Err(ErrorKind::Decode), "{total} {headers}: at once, with nothing allocated");
    }
    assert_eq!(read(Framing::EventStream, b"<html><body>502 Bad Gateway</body>"), [Err(ErrorKind::Decode)]);
}

#[test]
fn limits_hold_at_every_cut() {
    for (framing, body, fits) in [
        (Framing::Sse, &b"data: 1\n\nevent: a\ndata: 123\n\ndata: 4\n\n"[..], 19),
        (Framing::Sse, b"data: 1\r\n\r\ndata: 12\r\ndata: 3\r\n\r\ndata: 4\r\n\r\n", 19),
        (Framing::Sse, b": a long comment\n\ndata: 1\n\n", 16),
        (Framing::Sse, b"data: 1\n\ndata: 4567890", 13),
        (Framing::Ndjson, b"{}\n{\"a\":1}\n{}\n", 7),
        (Framing::EventStream, &recorded(), 219),
    ] {
        assert!(read_limited(framing, body, fits).iter().all(Result::is_ok), "{framing:?} {fits}");
        let frames = read_limited(framing, body, fits - 1);
        assert_eq!(frames.last(), Some(&Err(ErrorKind::Decode)), "{framing:?} {fits}");
    }
}

#[test]
fn an_error_is_final_and_the_same() {
    let mut framer = Framer::new(Framing::Sse).with_limit(10);
    framer.push(Bytes::from_static(b"data: 1\n\ndata: far too long"));
    assert!(framer.next().expect("fits").is_some());
    let first = framer.next().expect_err("too long").to_string();
    framer.push(Bytes::from_static(b"\n\ndata: 2\n\n"));
    assert_eq!(framer.next().expect_err("still").to_string(), first);
    framer.finish();
    assert_eq!(framer.next().expect_err("still").to_string(), first);
    assert!(first.contains("limit of 10 bytes"), "{first}");
}

#[test]
fn comments_alone_do_not_fill_the_buffer() {
    let mut framer = Framer::new(Framing::Sse).with_limit(64);
    for _ in 0..10_000 {
        framer.push(Bytes::from_static(b": ping\n"));
        assert!(framer.next().expect("nothing to refuse").is_none());
        assert_eq!(framer.buffer.unread().len(), 0);
    }
}

#[test]
fn whole_events_are_not_copied() {
    let body = Bytes::from_static(b"data: {}\n\ndata: {\"a\":1}\n\n");
    let range = body.as_ptr_range();
    let mut framer = Framer::new(Framing::Sse);
    framer.push(body);
    while let Some(frame) = framer.next().expect("well-formed") {
        assert!(range.contains(&frame.data.as_ptr()));
    }
}

#[test]
fn a_long_line_in_small_pieces_arrives_whole() {
    let piece = Bytes::from(vec![b'x'; 1024]);
    for framing in [Framing::Sse, Framing::Ndjson] {
        let mut framer = Framer::new(framing);
        framer.push(Bytes::from_static(b"data: "));
        for _ in 0..8192 {
            framer.push(piece.clone());
            assert!(framer.next().expect("under the limit").is_none());
        }
        framer.push(Bytes::from_static(b"\n\n"));
        let prefix = if framing == Framing::Sse { 0 } else { 6 };
        assert_eq!(framer.next().expect("fits").expect("whole").data.len(), prefix + 8 * 1024 * 1024);
    }
}

#[test]
fn many_tiny_data_lines_are_one_event() {
    let body = "data: a\n".repeat(100_000) + "\n";
    let frames = read_pieces(Framer::new(Framing::Sse), body.as_bytes().chunks(1000));
    let [Ok((_, data, _))] = &frames[..] else { panic!("one event") };
    assert_eq!(data.len(), 199_999);
}

/// Bytes that matter to the formats, in every order a small generator finds: no panic, the same at every cut.
#[test]
fn noise_is_cut_the_same_everywhere() {
    const WORDS: &[&[u8]] = &[
        b"\n", b"\r", b"\r\n", b"data", b"event", b":", b" ", b"x", b"\xEF\xBB\xBF", b"\xFF", b"{}", b"data: 1\n",
        b"\n\n", b"\0", b"[", b"{\"a\":[", b"\\", b"\"", b"]}", b"]", b",",
    ];
    let mut state = 1_u64;
    for round in 0..120 {
        let mut body = Vec::new();
        for _ in 0..round % 30 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = usize::try_from(state >> 40).expect("24 bits") % WORDS.len();
            body.extend_from_slice(WORDS[at]);
        }
        for framing in [Framing::Sse, Framing::Ndjson, Framing::EventStream, Framing::JsonArray] {
            for limit in [4, 9, 1000] {
                read_limited(framing, &body, limit);
            }
        }
    }
}

#[test]
fn an_array_is_cut_into_its_elements() {
    let cut = ErrorKind::Truncated;
    let array = |body: &str| read(Framing::JsonArray, body.as_bytes());
    let ok = |data: &str| ok("", data);
    let cases: &[(&str, Vec<Result<Owned, ErrorKind>>)] = &[
        ("", vec![]),
        (" \r\n", vec![]),
        ("[]", vec![]),
        ("[ {\"a\": 1}\n,\r\n{\"b\": [{}, \"]\"]}\n]\n ", vec![ok("{\"a\": 1}"), ok("{\"b\": [{}, \"]\"]}")]),
        (r#"[{"a":"}]\"\\"},[1,[2]]]"#, vec![ok(r#"{"a":"}]\"\\"}"#), ok("[1,[2]]")]),
        ("\u{feff}[{\"é\": \"漢\"}]", vec![ok("{\"é\": \"漢\"}")]),
        ("{\"error\": {}}", vec![ok("{\"error\": {}}")]),
        ("{}\n{}\n", vec![ok("{}"), ok("{}")]),
        ("[{}", vec![ok("{}"), Err(cut)]),
        ("[{},", vec![ok("{}"), Err(cut)]),
        ("[{}, {\"a\": \"b", vec![ok("{}"), Err(cut)]),
        ("[", vec![Err(cut)]),
        ("{\"a\": [", vec![Err(cut)]),
        ("[{}] x", vec![ok("{}"), Err(ErrorKind::Decode)]),
        ("[{}][{}]", vec![ok("{}"), Err(ErrorKind::Decode)]),
        ("[1]", vec![Err(ErrorKind::Decode)]),
        ("\"a\"", vec![Err(ErrorKind::Decode)]),
        ("<html>", vec![Err(ErrorKind::Decode)]),
    ];
    for (body, expected) in cases {
        assert_eq!(&array(body), expected, "{body:?}");
    }
    let long = read_limited(Framing::JsonArray, b"[{}, {\"a\": 1}]", 7);
    assert_eq!(long, [ok("{}"), Err(ErrorKind::Decode)]);
    let mut written = Vec::new();
    for (at, json) in ["{\"a\": 1}", "{}"].iter().enumerate() {
        json_array::write(&mut written, at == 0, json.as_bytes());
    }
    json_array::write_end(&mut written, false);
    assert_eq!(read(Framing::JsonArray, &written), [ok("{\"a\": 1}"), ok("{}")]);
    written.clear();
    json_array::write_end(&mut written, true);
    assert_eq!(read(Framing::JsonArray, &written), []);
}

#[test]
fn debug_does_not_show_the_data() {
    let mut framer = Framer::new(Framing::Sse);
    framer.push(Bytes::from_static(b"data: private\n\ndata: private"));
    let frame = format!("{:?}", framer.next().expect("well-formed"));
    assert!(!frame.contains("private") && frame.contains("data_len: 7"), "{frame}");
    let framer = format!("{framer:?}");
    assert!(!framer.contains("private") && framer.contains("unread: 13"), "{framer}");
}
