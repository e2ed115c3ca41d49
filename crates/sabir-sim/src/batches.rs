//! Providers' batches, simulated: each line is answered as if it had been asked by itself. A batch is under way when it is
//! asked about for the first time, and over at the second.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request as HttpRequest, Response, StatusCode};
use sabir_core::batch::{Answered, Batch, Batching, Line, State, Told, Wanted};
use sabir_core::dialect::Asked;
use sabir_core::transport::{Body, whole};
use sabir_core::{Error, ErrorKind, Result};

use crate::exchange::alone;
use crate::simulator::Simulator;

/// How many uploads and batches are kept; the oldest go first.
const KEPT: usize = 64;
/// A batch of this model fails.
const FAILS: &str = "simulated-batch-failed";
/// The time of a batch of this model is over when half of it is done.
const EXPIRES: &str = "simulated-batch-expired";

/// What was left here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    uploads: VecDeque<(String, Vec<Line>)>,
    batches: VecDeque<Kept>,
    made: u64,
}

#[derive(Clone, Debug)]
struct Kept {
    batch: Batch,
    lines: Vec<Line>,
    /// Answers and errors.
    results: BTreeMap<bool, Vec<Answered>>,
    polls: u32,
}

/// Answers one request about batches.
pub(crate) async fn exchange(
    simulator: &Simulator,
    format: &'static dyn Batching,
    request: &HttpRequest<Bytes>,
) -> Response<Body> {
    let (status, body) = match answered(simulator, format, request).await {
        Ok(told) => (StatusCode::OK, format.respond(&told)),
        Err(error) => format.refuse(&error),
    };
    let mut response = Response::new(whole(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn answered(simulator: &Simulator, format: &'static dyn Batching, request: &HttpRequest<Bytes>) -> Result<Told> {
    let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let asked = Asked { method: request.method(), path, headers: request.headers(), body: request.body() };
    match format.accept(asked)? {
        Some(Wanted::Upload(lines)) => Ok(Told::Uploaded(simulator.batches().upload(lines))),
        Some(Wanted::Create { upload, lines, name }) => {
            let batch = simulator.batches().create(format, upload.as_deref(), lines, name)?;
            simulator.log_batch(format.name(), &batch);
            Ok(Told::Batch(batch, None))
        }
        Some(Wanted::Status(id)) => status(simulator, &id).await,
        Some(Wanted::Cancel(id)) => {
            let mut store = simulator.batches();
            let kept = store.find(&id)?;
            if !kept.batch.state.is_over() {
                kept.batch.state = State::Cancelled;
            }
            Ok(Told::Batch(kept.batch.clone(), None))
        }
        Some(Wanted::List) => {
            let list = simulator.batches().batches.iter().rev().map(|kept| kept.batch.clone()).collect();
            Ok(Told::List(list))
        }
        Some(Wanted::Results(id)) => simulator.batches().results(&id).map(Told::Results),
        _ => Err(Error::new(ErrorKind::NotFound, "the simulator does not know this of batches")),
    }
}

async fn status(simulator: &Simulator, id: &str) -> Result<Told> {
    let lines = {
        let mut store = simulator.batches();
        let kept = store.find(id)?;
        if kept.batch.state.is_over() {
            return Ok(Told::Batch(kept.batch.clone(), Some(kept.all())));
        }
        kept.polls += 1;
        if kept.polls == 1 {
            kept.batch.state = State::Running;
            return Ok(Told::Batch(kept.batch.clone(), None));
        }
        kept.lines.clone()
    };
    let is_of = |model: &str| lines.iter().any(|line| contains(&line.body, model) || line.path.contains(model));
    let (state, most) = match () {
        () if is_of(FAILS) => (State::Failed, 0),
        () if is_of(EXPIRES) => (State::Expired, lines.len() / 2),
        () => (State::Done, lines.len()),
    };
    let mut results = Vec::new();
    for (at, line) in lines.into_iter().enumerate() {
        results.push(if at < most { work(simulator, line).await } else { late(line) });
    }
    let mut store = simulator.batches();
    let kept = store.find(id)?;
    kept.end(state, results);
    Ok(Told::Batch(kept.batch.clone(), Some(kept.all())))
}

/// A line as a request of its own.
async fn work(simulator: &Simulator, line: Line) -> Answered {
    let asked = HttpRequest::builder().method(Method::POST).uri(&line.path).body(line.body);
    let answer = match asked {
        Ok(request) => alone(simulator, request).await,
        Err(_) => Err(Error::new(ErrorKind::InvalidRequest, "the line's url is none")),
    };
    Answered { id: line.id, answer }
}

fn late(line: Line) -> Answered {
    let error = Error::new(ErrorKind::Timeout, "this request could not be done before the batch expired");
    Answered { id: line.id, answer: Err(error.with_code("batch_expired")) }
}

fn contains(body: &[u8], word: &str) -> bool {
    body.windows(word.len()).any(|window| window == word.as_bytes())
}

impl Kept {
    fn all(&self) -> Vec<Answered> {
        self.results.values().flatten().cloned().collect()
    }

    fn end(&mut self, state: State, results: Vec<Answered>) {
        let batch = &mut self.batch;
        batch.state = state;
        if state == State::Failed {
            batch.why = Some("the simulator fails batches of this model".to_owned());
            return;
        }
        for one in results {
            let is_ok = one.answer.as_ref().is_ok_and(|(status, _)| status.is_success());
            *(if is_ok { &mut batch.counts.done } else { &mut batch.counts.failed }) += 1;
            self.results.entry(!is_ok).or_default().push(one);
        }
        let word = |fails: &bool| if *fails { "errors" } else { "output" };
        batch.files = self.results.keys().map(|fails| format!("file-{}-{}", word(fails), batch.id)).collect();
    }
}

impl Store {
    fn upload(&mut self, lines: Vec<Line>) -> String {
        self.made += 1;
        let id = format!("file-in-{}", self.made);
        self.uploads.push_back((id.clone(), lines));
        if self.uploads.len() > KEPT {
            self.uploads.pop_front();
        }
        id
    }

    fn create(
        &mut self,
        format: &dyn Batching,
        upload: Option<&str>,
        lines: Vec<Line>,
        name: Option<String>,
    ) -> Result<Batch> {
        let lines = match upload {
            None => lines,
            Some(id) => {
                let found = self.uploads.iter().find(|(known, _)| known == id);
                found.map(|(_, lines)| lines.clone()).ok_or_else(|| unknown("file"))?
            }
        };
        if lines.is_empty() {
            return Err(Error::new(ErrorKind::InvalidRequest, "a batch of nothing"));
        }
        self.made += 1;
        let mut batch = Batch::default();
        // Gemini's ids are paths.
        let prefix = if format.name().starts_with("gemini") { "batches/" } else { "batch_" };
        (batch.id, batch.name) = (format!("{prefix}{}", self.made), name);
        batch.counts.total = lines.len() as u64;
        self.batches.push_back(Kept { batch: batch.clone(), lines, results: BTreeMap::new(), polls: 0 });
        if self.batches.len() > KEPT {
            self.batches.pop_front();
        }
        Ok(batch)
    }

    fn find(&mut self, id: &str) -> Result<&mut Kept> {
        self.batches.iter_mut().find(|kept| kept.batch.id == id).ok_or_else(|| unknown("batch"))
    }

    /// Those of a file, or of a batch.
    fn results(&mut self, id: &str) -> Result<Vec<Answered>> {
        let of_file = self.batches.iter().find_map(|kept| {
            let at = kept.batch.files.iter().position(|file| file == id)?;
            kept.results.values().nth(at).cloned()
        });
        of_file.map_or_else(|| self.find(id).map(|kept| kept.all()), Ok)
    }
}

fn unknown(what: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no such {what}")).with_status(StatusCode::NOT_FOUND)
}
