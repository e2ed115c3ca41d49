//! Batches: many conversations that a provider works off by itself, within a day, for less.
//!
//! What a [`Batching`] format carries are whole exchanges of a [`Dialect`](crate::Dialect), as bytes: it knows how they
//! are packed, and nothing of what they say.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::dialect::{Answer, Asked, Encoded};
use crate::{Endpoint, Error, Result};

/// One conversation of a batch, as its dialect encodes it.
#[derive(Clone, Debug)]
pub struct Line {
    /// Who it is: up to 64 letters, digits, `-` and `_`, which every provider takes.
    pub id: String,
    /// The path at which it would be asked by itself.
    pub path: String,
    /// The headers with which it would be asked, without the endpoint's.
    pub headers: HeaderMap,
    /// The body, which is JSON.
    pub body: Bytes,
}

/// What became of one conversation.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Who it is.
    pub id: String,
    /// Status and body, as the dialect answers them; or why there is none.
    pub answer: Result<(StatusCode, Bytes)>,
}

/// Where a batch stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// It is looked at, or waits.
    #[default]
    Queued,
    /// It is worked on.
    Running,
    /// It will be cancelled.
    Cancelling,
    /// It is over: each conversation has an answer or an error.
    Done,
    /// It could not be worked on.
    Failed,
    /// Its time was over before all of it was done; what was done can be fetched.
    Expired,
    /// It was cancelled; what was done can be fetched.
    Cancelled,
}

impl State {
    /// Whether it will not change any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Expired | Self::Cancelled)
    }
}

/// How many conversations of a batch stand where, as the provider tells; 0 where it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// All of them.
    pub total: u64,
    /// Those with an answer.
    pub done: u64,
    /// Those that failed, expired or were cancelled.
    pub failed: u64,
}

/// A batch, as its provider tells of it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Batch {
    /// The provider's name for it.
    pub id: String,
    /// The name that it was submitted with, where the provider keeps one.
    pub name: Option<String>,
    /// Where it stands.
    pub state: State,
    /// How far it is.
    pub counts: Counts,
    /// Why it failed, in the provider's words.
    pub why: Option<String>,
    /// The files that have its results, where they are in files.
    pub files: Vec<String>,
}

/// One wire format of batches, both ways. Pure functions over bytes.
pub trait Batching: std::fmt::Debug + Send + Sync + 'static {
    /// Its name: `openai-batches`.
    fn name(&self) -> &'static str;

    /// The dialects whose conversations it carries.
    fn dialects(&self) -> &'static [&'static str];

    /// Whether all conversations of a batch must be of one model.
    fn wants_one_model(&self) -> bool;

    /// Whether the provider keeps the name that a batch is submitted with, and tells it in its list.
    fn keeps_names(&self) -> bool;

    /// The request that uploads the lines, where that comes before the batch.
    ///
    /// # Errors
    /// `Configuration` where the endpoint is none.
    fn upload(&self, lines: &[Line], endpoint: &Endpoint) -> Result<Option<Encoded>> {
        let _ = (lines, endpoint);
        Ok(None)
    }

    /// The request that makes a batch: of what was uploaded under this id, else of the lines.
    ///
    /// # Errors
    /// `InvalidRequest` for lines that cannot be in one batch.
    fn create(&self, lines: &[Line], upload: Option<&str>, name: &str, endpoint: &Endpoint) -> Result<Encoded>;

    /// The request that asks where a batch stands.
    ///
    /// # Errors
    /// `Configuration` where the endpoint is none.
    fn status(&self, id: &str, endpoint: &Endpoint) -> Result<Encoded>;

    /// The request that cancels a batch.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    fn cancel(&self, id: &str, endpoint: &Endpoint) -> Result<Encoded>;

    /// The request for the batches that were made last.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    fn list(&self, endpoint: &Endpoint) -> Result<Encoded>;

    /// The requests for all results of a batch that is over.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    fn results(&self, batch: &Batch, endpoint: &Endpoint) -> Result<Vec<Encoded>>;

    /// The id of what was uploaded.
    ///
    /// # Errors
    /// What the provider says, or `Decode`.
    fn uploaded(&self, answer: Answer<'_>) -> Result<String>;

    /// The batch that an answer tells of. One to a cancellation may tell nothing: it has no id.
    ///
    /// # Errors
    /// What the provider says, or `Decode`.
    fn batch(&self, answer: Answer<'_>) -> Result<Batch>;

    /// The batches of a list.
    ///
    /// # Errors
    /// What the provider says, or `Decode`.
    fn batches(&self, answer: Answer<'_>) -> Result<Vec<Batch>>;

    /// The results in one answer. A line that cannot be read is an error of the whole: nothing is left out in silence.
    ///
    /// # Errors
    /// What the provider says, or `Decode`.
    fn answered(&self, answer: Answer<'_>) -> Result<Vec<Answered>>;

    /// What a client asks of us; `None` where it is nothing of this format's.
    ///
    /// # Errors
    /// `InvalidRequest` with what is wrong.
    fn accept(&self, asked: Asked<'_>) -> Result<Option<Wanted>>;

    /// What we answer.
    fn respond(&self, told: &Told) -> Bytes;

    /// An error in this format's own shape.
    fn refuse(&self, error: &Error) -> (StatusCode, Bytes);
}

/// What a client wants of one who serves batches.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Wanted {
    /// To leave these bytes.
    Upload(Vec<Line>),
    /// A batch, of what was uploaded or of these lines.
    Create {
        /// What was uploaded.
        upload: Option<String>,
        /// The lines, where they come with it.
        lines: Vec<Line>,
        /// The client's name for it.
        name: Option<String>,
    },
    /// To know where a batch stands.
    Status(String),
    /// To cancel a batch.
    Cancel(String),
    /// The batches.
    List,
    /// The results of a batch, or of a file.
    Results(String),
}

/// What one who serves batches answers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Told {
    /// It was uploaded under this id.
    Uploaded(String),
    /// A batch, and its results where the format tells them with it and they are there.
    Batch(Batch, Option<Vec<Answered>>),
    /// The batches.
    List(Vec<Batch>),
    /// Results.
    Results(Vec<Answered>),
}
