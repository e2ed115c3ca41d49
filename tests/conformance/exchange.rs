//! A format of one question and one answer against the descriptions of its service.

use http::{HeaderMap, Method};
use sabir::dialect::{Answer, Asked};
use sabir_core::exchange::Exchange;
use sabir_tests::{Recording, deviations, recordings};
use serde::Serialize;
use serde_json::Value;

use crate::schemas::{Body, Schemas};
use crate::subjects::Subject;
use crate::tally::{Row, Tally, same};

type Format<Q, A> = dyn Exchange<Request = Q, Response = A>;

pub(crate) fn run<Q: Serialize + Default + 'static, A: 'static>(
    subject: &Subject,
    format: &Format<Q, A>,
    questions: Vec<(&'static str, Q)>,
    answers: Vec<(&'static str, A)>,
    schemas: &Schemas,
) -> Row {
    let mut row = Row { name: subject.name, ..Row::default() };
    let otherwise = deviations();
    for recording in subject.corpora().flat_map(recordings) {
        let asked = request(subject, format, &recording, schemas, &mut row).unwrap_or_default();
        if recording.expected.is_some() {
            // `exchanges.rs` holds every answer to this, and the list of deviations to being true.
            row.read.count(!otherwise.contains_key(&recording.id));
        }
        let decoded =
            format.decode(Answer { status: recording.status, headers: &recording.headers, body: &recording.body });
        let (body, column): (_, fn(&mut Row) -> &mut Tally) = if recording.status.is_success() {
            (Body::Response, |row| &mut row.answers)
        } else {
            (Body::Error, |row| &mut row.refusals)
        };
        let theirs = serde_json::from_slice::<Value>(&recording.body).unwrap_or_default();
        if schemas.check(subject.slots(body), &theirs) != Some(Ok(())) {
            column(&mut row).apart += 1;
            continue;
        }
        let ours = match &decoded {
            Ok(response) => format.respond(response, &asked).body,
            Err(error) => format.refuse(error).1,
        };
        let outcome = subject.valid(body, &ours, schemas);
        row.note(column, "answer", &recording.id, outcome);
    }
    for (name, request) in questions {
        match format.encode(&request, &subject.endpoint()) {
            Ok(encoded) => {
                let outcome = subject.valid(Body::Request, &encoded.body, schemas);
                row.note(|row| &mut row.own_requests, "own-request", name, outcome);
            }
            Err(_) => row.own_requests.apart += 1,
        }
    }
    for (name, answer) in answers {
        let outcome = subject.valid(Body::Response, &format.respond(&answer, &Q::default()).body, schemas);
        row.note(|row| &mut row.own_answers, "own-answer", name, outcome);
    }
    row
}

fn request<Q: Serialize + 'static, A: 'static>(
    subject: &Subject,
    format: &Format<Q, A>,
    recording: &Recording,
    schemas: &Schemas,
    row: &mut Row,
) -> Option<Q> {
    let body = recording.request.as_ref().filter(|_| recording.status.is_success())?;
    let (text, headers) = (body.to_string(), HeaderMap::new());
    let asked = Asked { method: &Method::POST, path: &recording.path, headers: &headers, body: text.as_bytes() };
    let accepted = format.accept(asked);
    let outcome = accepted.as_ref().map(|_| ()).map_err(ToString::to_string);
    row.note(|row| &mut row.accepted, "accept", &recording.id, outcome);
    let accepted = accepted.ok()?;
    let encoded = format.encode(&accepted, &subject.endpoint());
    if let Ok(encoded) = &encoded {
        let path = encoded.uri.path_and_query().map_or("/", |path| path.as_str());
        let asked = Asked { method: &encoded.method, path, headers: &encoded.headers, body: &encoded.body };
        let kept = format.accept(asked).map_err(|error| error.to_string()).and_then(|again| same(&accepted, &again));
        let outcome = if encoded.losses.is_empty() { kept } else { Ok(()) };
        row.note(|row| &mut row.same, "same", &recording.id, outcome);
    }
    if schemas.check(subject.slots(Body::Request), body) == Some(Ok(())) {
        let outcome = match &encoded {
            Ok(encoded) => subject.valid(Body::Request, &encoded.body, schemas),
            Err(error) => Err(format!("it cannot be encoded: {error}")),
        };
        row.note(|row| &mut row.requests, "request", &recording.id, outcome);
    } else {
        row.requests.apart += 1;
    }
    Some(accepted)
}
