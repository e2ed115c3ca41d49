//! Answers, read and written.

use sabir_core::chat::{
    ChatRequest, ChatResponse, Citation, Content, Event, FinishReason, Media, Message, Part, Reasoning, Role, Usage,
};
use sabir_core::dialect::Dialect;
use sabir_core::{Feature, Loss};
use serde_json::{Value, json};

use super::{Gemini, NAME, array, chunk, decode, encode, last, rich, signature, sse, stream};

#[test]
fn an_answer_is_read_whole_streamed_and_as_a_list() {
    let streamed = stream(&sse(&rich())).expect("whole");
    let mut parts = streamed.parts.iter();
    assert_eq!(parts.next(), Some(&Part::reasoning("Let me think.")));
    assert_eq!(parts.next(), Some(&Part::text("I look.")));
    let calls: Vec<_> = streamed.tool_calls().map(|c| (c.id.as_str(), c.name.as_str(), c.arguments.as_str())).collect();
    let expected = [("call_gemini_r1_0", "weather", r#"{"city":"Málaga","n":1.0}"#), ("abc", "clock", "{}")];
    assert_eq!(calls, expected);
    assert_eq!(signature(parts.next().expect("a call")), Some("c2ln+/=="));
    assert_eq!(parts.nth(1).map(|part| (part.as_text(), signature(part))), Some((Some(""), Some("ZW5k"))));
    assert_eq!((&streamed.finish.reason, streamed.finish.raw.as_deref()), (&FinishReason::ToolCalls, Some("STOP")));
    let usage = &streamed.usage;
    assert_eq!((usage.input, usage.cache_read, usage.audio_input), (Some(40), Some(40), Some(20)));
    assert_eq!((usage.output, usage.reasoning, usage.input_total()), (Some(7), Some(5), Some(100)));
    assert_eq!(usage.tools["toolUsePromptTokenCount"], 9);
    let kept = streamed.meta.of(NAME).expect("kept");
    assert_eq!(kept["safetyRatings"], json!([{"category": "X"}]));
    assert_eq!(kept["response"], json!({"createTime": "2026-11-01T00:00:00Z"}));
    assert_eq!(kept["usageMetadata"], json!({"serviceTier": "standard"}));

    let list = Value::from(rich()).to_string();
    assert_eq!(array(&list).expect("whole"), streamed);
    assert_eq!(decode(&list).expect("a list is read where one object was awaited"), streamed);
    let mut whole = rich().pop().expect("the last");
    whole["candidates"][0]["content"]["parts"] = json!([
        {"text": "Let me think.", "thought": true}, {"text": "I look."},
        {"functionCall": {"name": "weather", "args": {"city": "Málaga", "n": 1.0}}, "thoughtSignature": "c2ln+/=="},
        {"functionCall": {"name": "clock", "args": {}, "id": "abc"}}, {"text": "", "thoughtSignature": "ZW5k"},
    ]);
    assert_eq!(decode(&whole.to_string()).expect("whole"), streamed);
}

/// The events that tell an answer.
fn events(response: &ChatResponse) -> Vec<Event> {
    let mut events = vec![Event::Start { id: response.id.clone(), model: response.model.clone() }];
    let mut index = 0;
    for part in &response.parts {
        let meta = part.meta.clone();
        match &part.content {
            Content::Text { text } if !text.is_empty() => {
                events.extend([Event::Text(text.clone()), Event::PartEnd { signature: None, meta }]);
            }
            Content::Reasoning(thought) if thought.encrypted.is_none() => {
                let signature = thought.signature.clone();
                events.extend([Event::Reasoning(thought.text.clone()), Event::PartEnd { signature, meta }]);
            }
            Content::ToolCall(call) => {
                events.push(Event::ToolStart { index, id: call.id.clone(), name: call.name.clone() });
                events.push(Event::ToolArguments { index, fragment: call.arguments.clone() });
                events.push(Event::ToolEnd { index, call: call.clone(), meta });
                index += 1;
            }
            _ => events.push(Event::Part(part.clone().into())),
        }
    }
    events.push(Event::Done(Box::new(response.clone())));
    events
}

#[test]
fn an_answer_goes_out_as_it_came_in() {
    let response = stream(&sse(&rich())).expect("whole");
    let asked = |alt: Option<&str>| {
        let request = ChatRequest { stream: true, ..ChatRequest::new("m").user("x") };
        alt.map_or(request.clone(), |alt| request.option(NAME, "alt", alt))
    };
    let responded = Gemini.respond(&response, &asked(None));
    assert_eq!(responded.losses, []);
    assert_eq!(decode(std::str::from_utf8(&responded.body).expect("text")).expect("whole"), response);
    for (alt, kind) in [(None, "text/event-stream"), (Some("json"), "application/json")] {
        let mut encoder = Gemini.encoder(&asked(alt));
        assert_eq!(encoder.content_type(), kind);
        let mut out = Vec::new();
        for event in events(&response) {
            encoder.event(&event, &mut out);
        }
        let text = String::from_utf8(out).expect("text");
        let read = if alt.is_some() { array(&text) } else { stream(&text) };
        assert_eq!(read.expect("whole"), response, "{text}");
        assert_eq!(encoder.losses(), []);
    }
}

#[test]
fn texts_in_one_chunk_are_apart_and_across_chunks_are_one() {
    let whole = decode(&last(&json!([{"text": "One."}, {"text": "Two."}])).to_string()).expect("whole");
    assert_eq!(whole.parts, [Part::text("One."), Part::text("Two.")]);
    let one = stream(&sse(&[chunk(&json!([{"text": "One."}])), last(&json!([{"text": "Two."}]))])).expect("whole");
    assert_eq!(one.parts, [Part::text("One.Two.")]);
    let mut encoder = Gemini.encoder(&ChatRequest::default());
    let mut out = Vec::new();
    let end = || Event::PartEnd { signature: None, meta: sabir_core::chat::Meta::default() };
    for event in [Event::Text("One.".into()), end(), Event::Text("Two.".into()), end(), Event::Done(Box::default())] {
        encoder.event(&event, &mut out);
    }
    assert_eq!(stream(std::str::from_utf8(&out).expect("text")).expect("whole").parts, whole.parts);
}

#[test]
fn a_signature_stays_with_its_part() {
    let part = |parts: &Value| stream(&sse(&[chunk(&json!([{"text": "Hi"}])), last(parts)])).expect("whole").parts;
    let signed = part(&json!([{"text": "", "thoughtSignature": "QQ=="}]));
    assert_eq!(signed, [Part::text("Hi").with_meta(NAME, "thoughtSignature", "QQ==".into())]);
    let bare = part(&json!([{"thoughtSignature": "QQ=="}]));
    assert_eq!(bare, signed);
    let thought = part(&json!([{"text": "Hm", "thought": true, "thoughtSignature": "QQ=="}]));
    assert!(
        matches!(&thought[1].content, Content::Reasoning(r) if r.text == "Hm" && r.signature.as_deref() == Some("QQ=="))
    );
    // What follows a thought is no part of it.
    let parts = json!([{"text": "Hm", "thought": true}, {"text": "", "thoughtSignature": "QQ=="}]);
    let after = decode(&last(&parts).to_string()).expect("whole").parts;
    assert_eq!((signature(&after[0]), signature(&after[1])), (None, Some("QQ==")));

    let history = ChatRequest { model: "gemini-3-pro".into(), ..ChatRequest::default() }
        .user("x")
        .message(Message::new(Role::Assistant, [signed, thought].concat()));
    let (_, body, losses) = encode(&history);
    let expected = json!([{"text": "Hi", "thoughtSignature": "QQ=="}, {"text": "Hi"}, {"text": "Hm", "thought": true, "thoughtSignature": "QQ=="}]);
    assert_eq!((&body["contents"][1]["parts"], losses), (&expected, vec![]));
    // Another provider's signature is kept from Google, and its calls are let pass.
    let foreign = Content::Reasoning(Reasoning { text: "Hm".into(), signature: Some("x".into()), encrypted: None });
    let history = ChatRequest::new("gemini-3-pro").user("x").message(Message::new(
        Role::Assistant,
        [foreign.into(), Part::tool_call("c1", "f", "{}"), Part::tool_call("c2", "f", "{}")],
    ));
    let (_, body, losses) = encode(&history);
    let expected = json!([{"text": "Hm", "thought": true},
        {"functionCall": {"id": "c1", "name": "f", "args": {}}, "thoughtSignature": "skip_thought_signature_validator"},
        {"functionCall": {"id": "c2", "name": "f", "args": {}}}]);
    assert_eq!((&body["contents"][1]["parts"], losses), (&expected, vec![Feature::Signatures]));
}

#[test]
fn arguments_in_parts_are_put_together() {
    let call = |call: Value| chunk(&json!([{ "functionCall": call }]));
    let piece = |text: &str, more: bool| json!({"jsonPath": "$.city", "stringValue": text, "willContinue": more});
    let chunks = [
        call(json!({"name": "weather", "willContinue": true})),
        call(json!({"partialArgs": [piece("Má", true)], "willContinue": true})),
        call(
            json!({"partialArgs": [piece("laga", false), {"jsonPath": "$.days", "numberValue": 2}], "willContinue": true}),
        ),
        call(json!({})),
        // A new name ends the call before it.
        call(json!({"name": "a", "partialArgs": [{"jsonPath": "$.x", "boolValue": true}], "willContinue": true})),
        call(json!({"name": "b", "args": {"y": 1}})),
        last(&json!([])),
    ];
    let response = stream(&sse(&chunks)).expect("whole");
    let calls: Vec<_> = response.tool_calls().map(|c| (c.name.as_str(), c.arguments.as_str())).collect();
    assert_eq!(calls, [("weather", r#"{"city":"Málaga","days":2}"#), ("a", r#"{"x":true}"#), ("b", r#"{"y":1}"#)]);
}

#[test]
fn odd_answers_are_read() {
    let blocked = json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 5}});
    for read in [decode(&blocked.to_string()), stream(&sse(&[blocked]))] {
        let response = read.expect("an answer");
        assert_eq!((response.text().as_str(), &response.finish.reason), ("", &FinishReason::ContentFilter));
        assert_eq!(response.finish.raw.as_deref(), Some("PROHIBITED_CONTENT"));
        assert_eq!((response.usage.input_total(), response.usage.output_total()), (Some(5), Some(0)));
        let again = Gemini.respond(&response, &ChatRequest::default()).body;
        assert_eq!(decode(std::str::from_utf8(&again).expect("text")).expect("an answer"), response);
    }
    let numbered = json!({"candidates": [], "promptFeedback": {"blockReason": 2}});
    let response = stream(&sse(&[numbered])).expect("an answer");
    assert_eq!((&response.finish.reason, response.finish.raw.as_deref()), (&FinishReason::ContentFilter, Some("2")));
    let numbers = json!({"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": 2}]});
    let response = decode(&numbers.to_string()).expect("an answer");
    assert_eq!((&response.finish.reason, response.finish.raw.as_deref()), (&FinishReason::Length, Some("2")));
    let odd = json!({"candidates": [{"content": {"role": "model"}, "finishReason": "MOONRISE", "index": null}, {"index": 1}], "x": 1});
    let response = decode(&odd.to_string()).expect("an answer");
    assert_eq!(response.finish.reason, FinishReason::Other("MOONRISE".into()));
    assert_eq!(response.losses.iter().map(|loss| &loss.feature).collect::<Vec<_>>(), [&Feature::Choices]);
    let parts = json!([{"inlineData": {"mimeType": "image/png", "data": "iVBORw0="}}, {"inlineData": {"data": "***"}},
        {"executableCode": {"language": "PYTHON", "code": "1"}}, {"codeExecutionResult": {"outcome": "OUTCOME_OK"}},
        {"hologram": {"x": 1}, "thoughtSignature": "QQ=="}, {"fileData": {"fileUri": "gs://b/v.mp4"}}, "text", null]);
    let response = decode(&last(&parts).to_string()).expect("an answer");
    assert_eq!(response.parts[0], Part::image(Media::bytes(&b"\x89PNG\r"[..], "image/png")));
    let opaque = |json| Part::from(Content::Opaque { dialect: NAME.into(), json });
    assert_eq!(response.parts[1], opaque(json!({"inlineData": {"data": "***"}})));
    assert!(matches!(&response.parts[2].content, Content::ServerToolUse(used) if used.name == "code_execution"));
    assert!(matches!(&response.parts[3].content, Content::ServerToolResult(r) if r.kind == "codeExecutionResult"));
    assert_eq!(response.parts[4], opaque(json!({"hologram": {"x": 1}, "thoughtSignature": "QQ=="})));
    assert!(matches!(&response.parts[5].content, Content::Video(media) if media.mime.is_none()));
    let history = ChatRequest::new("m").user("x").message(response.to_message());
    let (_, body, losses) = encode(&history);
    let mut expected = parts.as_array().expect("a list")[..6].to_vec();
    expected[5]["fileData"] = json!({"mimeType": "video/mp4", "fileUri": "gs://b/v.mp4"});
    assert_eq!((&body["contents"][1]["parts"], losses), (&Value::from(expected), vec![]));
}

#[test]
fn sources_become_citations() {
    let mut body = last(&json!([{"text": "It rained. It shone."}]));
    body["candidates"][0]["groundingMetadata"] = json!({"webSearchQueries": ["rain"],
        "groundingChunks": [{"web": {"uri": "https://a.test", "title": "A"}}, {"retrievedContext": {"title": "B", "text": "said"}}, {}],
        "groundingSupports": [{"segment": {"endIndex": 10}, "groundingChunkIndices": [0, 9, 4_000_000_000_u64]}]});
    let response = decode(&body.to_string()).expect("an answer");
    let cited: Vec<_> = response.parts[1..]
        .iter()
        .filter_map(|part| match &part.content {
            Content::Citation(c) => Some((c.url.as_deref(), c.title.as_deref(), c.quote.as_deref(), c.span)),
            _ => None,
        })
        .collect();
    assert_eq!(
        cited,
        [(Some("https://a.test"), Some("A"), None, Some((0, 10))), (None, Some("B"), Some("said"), None)]
    );
    let again = Gemini.respond(&response, &ChatRequest::default()).body;
    assert_eq!(decode(std::str::from_utf8(&again).expect("text")).expect("an answer"), response);
}

#[test]
fn reports_of_usage_replace_and_never_add() {
    let with = |usage: Value| {
        let mut chunk = chunk(&json!([{"text": "x"}]));
        chunk["usageMetadata"] = usage;
        chunk
    };
    let mut end = last(&json!([]));
    end["usageMetadata"] = json!({"trafficType": "ON_DEMAND"});
    let chunks = [
        with(
            json!({"promptTokenCount": 9, "candidatesTokenCount": 21, "thoughtsTokenCount": 35, "totalTokenCount": 65}),
        ),
        with(json!({"promptTokenCount": 87, "thoughtsTokenCount": 78, "totalTokenCount": "165"})),
        end,
    ];
    let usage = stream(&sse(&chunks)).expect("whole").usage;
    assert_eq!((usage.input, usage.output, usage.reasoning), (Some(87), Some(0), Some(78)));
    let odd = json!({"promptTokenCount": -1, "candidatesTokenCount": null, "cachedContentTokenCount": 3,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": u64::MAX}, {"modality": 2, "tokenCount": 5}]});
    let usage = stream(&sse(&[with(odd), last(&json!([]))])).expect("whole").usage;
    assert_eq!((usage.input, usage.audio_input, usage.output_total()), (None, None, None));
}

/// An answer as another dialect gave it: read again whole and streamed, with what was lost.
fn told(parts: Vec<Part>, usage: Usage) -> (ChatResponse, ChatResponse, Vec<String>) {
    let mut response = ChatResponse::default();
    (response.parts, response.usage) = (parts, usage);
    let responded = Gemini.respond(&response, &ChatRequest::default());
    let whole = decode(std::str::from_utf8(&responded.body).expect("text")).expect("an answer");
    let mut encoder = Gemini.encoder(&ChatRequest::default());
    let mut out = Vec::new();
    for event in events(&response) {
        encoder.event(&event, &mut out);
    }
    let streamed = stream(std::str::from_utf8(&out).expect("text")).expect("an answer");
    let paths = |losses: Vec<Loss>| losses.into_iter().map(|loss| loss.path).collect::<Vec<_>>();
    let lost = paths(responded.losses);
    assert_eq!(paths(encoder.losses()), lost, "a stream loses what the whole loses");
    (whole, streamed, lost)
}

#[test]
fn what_is_lost_between_thoughts_does_not_join_them() {
    let sealed = Reasoning { encrypted: Some("QQ==".into()), ..Reasoning::default() };
    let parts = vec![Part::reasoning("a"), Content::Reasoning(sealed).into(), Part::reasoning("b")];
    let (whole, streamed, lost) = told(parts, Usage::default());
    assert_eq!(whole.parts, [Part::reasoning("a"), Part::reasoning("b")]);
    assert_eq!((streamed.parts, lost), (whole.parts, vec!["parts[1]".to_owned()]));
}

#[test]
fn line_ends_of_arguments_are_said_to_be_lost() {
    let (whole, streamed, lost) =
        told(vec![Part::tool_call("1", "f", "{\n  \"a b\": \"c\\n\"\r\n}")], Usage::default());
    let Content::ToolCall(call) = &whole.parts[0].content else { panic!("{whole:?}") };
    assert_eq!((&*call.arguments, lost), (r#"{"a b": "c\n"}"#, vec!["parts[0]".to_owned()]));
    assert_eq!(streamed.parts, whole.parts);
}

#[test]
fn sources_without_a_name_or_a_place_are_said_to_be_lost() {
    let source = |url: Option<&str>| {
        Part::from(Content::Citation(Citation { url: url.map(str::to_owned), ..Citation::default() }))
    };
    let parts = vec![Part::text("a"), source(Some("https://a.test")), Part::text("b"), source(None)];
    let (whole, _, lost) = told(parts, Usage::default());
    assert_eq!(lost, ["parts[1]", "parts[3]"]);
    assert_eq!(whole.parts.len(), 3, "{:?}", whole.parts);
}

#[test]
fn a_signature_that_is_no_base64_is_said_to_be_lost() {
    let foreign = Reasoning { text: "Hm".into(), signature: Some("§".into()), encrypted: None };
    let own = Part::text("Hi").with_meta(NAME, "thoughtSignature", "<redacted>".into());
    let (whole, streamed, lost) = told(vec![Content::Reasoning(foreign).into(), own], Usage::default());
    assert_eq!(lost, ["parts[0]", "parts[1]"]);
    assert_eq!(whole.parts, [Part::reasoning("Hm"), Part::text("Hi")]);
    assert_eq!(streamed.parts, whole.parts);
}

#[test]
fn a_stated_total_is_told_without_its_parts() {
    let mut usage = Usage::default();
    (usage.cache_read, usage.reasoning) = (Some(9), Some(61));
    usage.input_from_total(Some(7));
    usage.output_from_total(Some(9));
    let (whole, _, lost) = told(vec![Part::text("x")], usage);
    assert_eq!((whole.usage.input_total(), whole.usage.output_total()), (Some(7), Some(9)));
    assert_eq!(lost, ["usage.cache_read", "usage.reasoning"]);
}
