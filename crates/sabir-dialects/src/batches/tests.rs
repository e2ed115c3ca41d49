use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use sabir_core::batch::{Answered, Batch, Batching, Line, State, Told, Wanted};
use sabir_core::dialect::{Answer, Asked, Encoded};
use sabir_core::{Endpoint, Error, ErrorKind};
use serde_json::{Value, json};

use super::{all, of};

fn endpoint(base_url: &str) -> Endpoint {
    Endpoint { provider: "x".into(), base_url: base_url.into(), ..Endpoint::default() }
}

fn lines() -> Vec<Line> {
    let line = |id: &str, text: &str| Line {
        id: id.to_owned(),
        path: "/v1beta/models/m:generateContent".to_owned(),
        headers: HeaderMap::new(),
        body: json!({"model": "m", "text": text}).to_string().into(),
    };
    vec![line("a-0", "one\ntwo {"), line("a-1", "--sabir-batch-of-json-lines--\r\n")]
}

fn batch(state: State) -> Batch {
    let mut batch = Batch::default();
    (batch.id, batch.name, batch.state) = ("batches/7".to_owned(), Some("n".to_owned()), state);
    batch
}

fn accepted(format: &dyn Batching, sent: &Encoded) -> Option<Wanted> {
    let path = sent.uri.path_and_query().expect("a path").as_str();
    format.accept(Asked { method: &sent.method, path, headers: &sent.headers, body: &sent.body }).expect("read")
}

fn answer(body: &[u8]) -> Answer<'_> {
    static NONE: std::sync::LazyLock<HeaderMap> = std::sync::LazyLock::new(HeaderMap::new);
    Answer { status: StatusCode::OK, headers: &NONE, body }
}

#[test]
fn what_is_sent_is_what_is_accepted() {
    for format in all() {
        let name = format.name();
        let at = endpoint("https://x.test");
        let (id, upload) = ("batches/7", format.upload(&lines(), &at).expect("encoded"));
        let packed = |wanted| match wanted {
            Some(Wanted::Upload(lines) | Wanted::Create { lines, .. }) => lines,
            other => panic!("{name}: {other:?}"),
        };
        let create = format.create(&lines(), Some("file-1"), "my-name", &at).expect("encoded");
        let got = packed(accepted(*format, upload.as_ref().unwrap_or(&create)));
        assert_eq!(got.len(), 2, "{name}");
        for (got, sent) in got.iter().zip(lines()) {
            let value = |line: &Line| serde_json::from_slice::<Value>(&line.body).expect("JSON");
            assert_eq!((&got.id, value(got)), (&sent.id, value(&sent)), "{name}");
        }
        let Some(Wanted::Create { name: given, upload: from, .. }) = accepted(*format, &create) else { panic!() };
        assert_eq!(given.is_some(), format.keeps_names(), "{name}");
        assert_eq!(from.is_some(), upload.is_some(), "{name}");
        let id = if name == "gemini-batches" { id } else { "b7" };
        let asked = |sent: sabir_core::Result<Encoded>| accepted(*format, &sent.expect("encoded"));
        assert!(matches!(asked(format.status(id, &at)), Some(Wanted::Status(got)) if got == id), "{name}");
        assert!(matches!(asked(format.cancel(id, &at)), Some(Wanted::Cancel(got)) if got == id), "{name}");
        assert!(matches!(asked(format.list(&at)), Some(Wanted::List)), "{name}");
    }
}

#[test]
fn what_is_told_is_what_is_read() {
    let states = [State::Queued, State::Running, State::Done, State::Failed, State::Expired, State::Cancelled];
    for format in all() {
        let name = format.name();
        for state in states {
            let mut batch = batch(state);
            (batch.counts.total, batch.counts.done) = (4, if state == State::Done { 4 } else { 1 });
            batch.counts.failed = if state == State::Done { 0 } else { 3 };
            let read = format.batch(answer(&format.respond(&Told::Batch(batch.clone(), None)))).expect("read");
            assert_eq!((&read.id, read.counts), (&batch.id, batch.counts), "{name} {state:?}");
            assert_eq!(read.name.is_some(), format.keeps_names(), "{name}");
            // Anthropic has one word for all that wait, and one for all ends: those that are told by the lines.
            if name != "anthropic-batches" || !matches!(state, State::Queued | State::Failed) {
                assert_eq!(read.state, state, "{name}");
            }
        }
        let error: Bytes = format.refuse(&Error::new(ErrorKind::InvalidRequest, "no")).1;
        let undone = Error::new(ErrorKind::Timeout, "late").with_code("batch_expired");
        let results = vec![
            Answered { id: "a-1".into(), answer: Ok((StatusCode::OK, Bytes::from_static(b"{\"x\":1}"))) },
            Answered { id: "a-0".into(), answer: Ok((StatusCode::BAD_REQUEST, error)) },
            Answered { id: "a-2".into(), answer: Err(undone) },
        ];
        let mut batch = batch(State::Done);
        batch.counts.total = 3;
        let body = match name {
            "gemini-batches" => format.respond(&Told::Batch(batch, Some(results))),
            _ => format.respond(&Told::Results(results)),
        };
        let read = format.answered(answer(&body)).expect("read");
        let said: Vec<_> =
            read.iter().map(|one| (one.id.as_str(), one.answer.as_ref().map(|a| a.0.as_u16()))).collect();
        assert!(matches!(said[..], [("a-1", Ok(200)), ("a-0", Ok(400)), ("a-2", Err(_))]), "{name}: {said:?}");
        assert_eq!(read[2].answer.as_ref().expect_err("late").code(), Some("batch_expired"), "{name}");
    }
}

#[test]
fn hostile_answers_are_errors_and_nothing_else() {
    for format in all() {
        for body in
            ["", "null", "[]", "{", "nonsense", "{\"data\":7}", "{\"request_counts\":{\"total\":-1}}", "\n\n{}\n{"]
        {
            let _ = format.batch(answer(body.as_bytes()));
            let _ = format.batches(answer(body.as_bytes()));
            let _ = format.uploaded(answer(body.as_bytes()));
            let _ = format.answered(answer(body.as_bytes()));
        }
        let most = u64::MAX;
        let body = format!(
            r#"{{"request_counts":{{"succeeded":{most},"errored":{most},"expired":{most},"processing":{most}}}}}"#
        );
        format.batch(answer(body.as_bytes())).expect("read");
        assert!(format.answered(answer(b"{\"response\":{\"inlinedResponses\":[{}]}}")).is_err(), "{}", format.name());
        let status = StatusCode::TOO_MANY_REQUESTS;
        let refused = Answer { status, headers: &HeaderMap::new(), body: b"{\"error\":{\"message\":\"slow down\"}}" };
        let errors = [format.batch(refused).err(), format.answered(refused).err(), format.batches(refused).err()];
        assert!(errors.iter().all(|e| e.as_ref().is_some_and(|e| e.kind() == ErrorKind::RateLimit)), "{errors:?}");
    }
}

#[test]
fn formats_are_found() {
    for format in all() {
        assert!(format.dialects().iter().all(|name| crate::dialect(name).is_some()), "{}", format.name());
        let spoken = crate::providers::rows().iter().any(|row| row.batches == format.name());
        assert!(spoken, "{} is spoken by nobody", format.name());
    }
    assert_eq!(of("openai-batches").map(Batching::name), Some("openai-batches"));
    assert!(of("groq").is_none());
    let spoken = |method: &Method, path: &str| {
        super::spoken(method, &path.parse().expect("a path"), &HeaderMap::new()).map(Batching::name)
    };
    assert_eq!(spoken(&Method::POST, "/any/v1/batches"), Some("openai-batches"));
    assert_eq!(spoken(&Method::GET, "/v1/messages/batches/x/results"), Some("anthropic-batches"));
    assert_eq!(spoken(&Method::POST, "/v1beta/models/m:batchGenerateContent"), Some("gemini-batches"));
    for path in ["/v1/batchesque", "/v1/messages", "/v1beta/models/m:generateContent", "/v1/files/x"] {
        assert_eq!(spoken(&Method::GET, path), None, "{path}");
    }
}
