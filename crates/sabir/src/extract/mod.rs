//! Values of Rust types, taken out of a model's answer.
//!
//! ```no_run
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! struct Person {
//!     name: String,
//!     /// In years.
//!     age: Option<u8>,
//! }
//! # async fn example(client: sabir::Client) -> sabir::Result<()> {
//! let person: Person = client.extract("Ada, 36, wrote the first program.").await?;
//! # Ok(()) }
//! ```

mod ask;
mod partial;
mod shape;
mod stream;

use std::fmt;
use std::marker::PhantomData;

use sabir_core::chat::{ChatRequest, ChatResponse, FinishReason, Message};
use sabir_core::{Error, ErrorKind, Result, Stage};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Client;

pub use partial::complete;
pub use shape::schema_of;
pub use stream::ExtractStream;

use ask::Asked;
use shape::Shape;

/// How a model is held to a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Way {
    /// By the provider, which lets the model write nothing else.
    Schema,
    /// As the arguments of a tool that it has to call.
    Tool,
    /// By words in the prompt, and the provider's JSON mode where it has one.
    Words,
}

/// A value, and how it came.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Extracted<T> {
    /// The value.
    pub value: T,
    /// How the model was held to the schema.
    pub way: Way,
    /// The answers, the one with the value last; those before it did not hold what was asked for.
    pub answers: Vec<ChatResponse>,
}

/// A value that is going to be asked for.
///
/// ```no_run
/// # #[derive(serde::Deserialize, schemars::JsonSchema)]
/// # struct Person { name: String }
/// # async fn example(client: sabir::Client) -> sabir::Result<()> {
/// use sabir::extract::Way;
/// let extracted = client.extraction::<Person>("Ada wrote it.").way(Way::Tool).retries(2).send().await?;
/// println!("{} ({:?})", extracted.value.name, extracted.way);
/// # Ok(()) }
/// ```
#[must_use = "nothing is asked until it is sent"]
pub struct Extraction<T> {
    client: Client,
    request: ChatRequest,
    way: Option<Way>,
    retries: usize,
    shape: Shape,
    kind: PhantomData<fn() -> T>,
}

impl Client {
    /// Asks for a value of a type. The model's native way is taken: a JSON Schema, a tool that it has to call, or
    /// words; what it answers is checked against the schema of the type, and where it does not hold, the model is
    /// told why and asked once more.
    ///
    /// # Errors
    /// As [`chat`](Self::chat); `Decode` where the answer is not the value that was asked for, with what is wrong
    /// with it and the answer itself ([`Error::partial`]).
    pub async fn extract<T: DeserializeOwned + JsonSchema>(&self, request: impl Into<ChatRequest>) -> Result<T> {
        Ok(self.extraction::<T>(request).send().await?.value)
    }

    /// Asks for a value of a type, with more to say on how.
    pub fn extraction<T: DeserializeOwned + JsonSchema>(&self, request: impl Into<ChatRequest>) -> Extraction<T> {
        let (client, request, shape) = (self.clone(), request.into(), Shape::of::<T>());
        Extraction { client, request, way: None, retries: 1, shape, kind: PhantomData }
    }

    /// Asks for a value by a JSON Schema that is known only now; `name` is what errors and the model call it. The value
    /// is of any kind: what is no object stands in one on its way.
    ///
    /// ```no_run
    /// # async fn example(client: sabir::Client) -> sabir::Result<()> {
    /// let schema = serde_json::json!({ "type": "object", "properties": { "name": { "type": "string" } } });
    /// let value = client.extraction_by("person", schema, "Ada wrote it.")?.send().await?.value;
    /// println!("{}", value["name"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `InvalidRequest` where the schema is none.
    pub fn extraction_by(
        &self,
        name: &str,
        schema: Value,
        request: impl Into<ChatRequest>,
    ) -> Result<Extraction<Value>> {
        let shape = Shape::given(name, schema).map_err(|wrong| {
            Error::new(ErrorKind::InvalidRequest, format!("this is no JSON Schema: {wrong}")).with_stage(Stage::NotSent)
        })?;
        let (client, request) = (self.clone(), request.into());
        Ok(Extraction { client, request, way: None, retries: 1, shape, kind: PhantomData })
    }
}

impl<T: DeserializeOwned + JsonSchema> Extraction<T> {
    /// Sets how the model is held to the schema, in place of its native way.
    pub fn way(mut self, way: Way) -> Self {
        self.way = Some(way);
        self
    }

    /// How often the model is asked again where its answer does not hold; once unless said otherwise.
    pub fn retries(mut self, retries: usize) -> Self {
        self.retries = retries;
        self
    }

    /// Asks, and waits for the value.
    ///
    /// # Errors
    /// As [`Client::extract`].
    pub async fn send(self) -> Result<Extracted<T>> {
        let mut asked = self.asked()?;
        let mut answers = Vec::new();
        loop {
            let answer = self.client.chat(asked.request.clone()).await?;
            match self.value(&asked, &answer) {
                Ok(value) => {
                    answers.push(answer);
                    return Ok(Extracted { value, way: asked.way, answers });
                }
                Err(wrong) if answers.len() < self.retries && is_whole(&answer) => {
                    asked.again(&answer, &wrong);
                    answers.push(answer);
                }
                Err(wrong) => return Err(self.failure(&wrong, answer)),
            }
        }
    }

    /// Asks, and gives the value as it grows. What comes is not asked for again.
    ///
    /// # Errors
    /// What goes wrong before the answer begins; later errors end the stream.
    pub async fn stream(self) -> Result<ExtractStream<T>> {
        let asked = self.asked()?;
        let events = self.client.stream(asked.request.clone()).await?;
        Ok(ExtractStream::new(events, self, asked))
    }

    fn asked(&self) -> Result<Asked> {
        let model = &self.request.model;
        let abilities = self.client.abilities(model)?;
        Asked::new(&self.request, &self.shape, &abilities, self.way)
    }

    /// The value that an answer holds, or what is wrong with it.
    fn value(&self, asked: &Asked, answer: &ChatResponse) -> Result<T, String> {
        if let Some(refusal) = answer.refusal() {
            return Err(format!("the model refused: {refusal}"));
        }
        let json = asked
            .json(answer)
            .and_then(|json| serde_json::from_str::<Value>(&json).map_err(|error| format!("it is not JSON: {error}")));
        let cut = |wrong| {
            if is_whole(answer) { wrong } else { format!("it was cut off ({}) and is not whole", answer.finish.reason) }
        };
        let json = json.map_err(cut)?;
        self.shape.read(json)
    }

    fn failure(&self, wrong: &str, answer: ChatResponse) -> Error {
        let message = format!("the answer is not the {} that was asked for: {wrong}", self.shape.name);
        Error::new(ErrorKind::Decode, message).with_model(&answer.model).with_partial(answer)
    }
}

impl<T> fmt::Debug for Extraction<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extraction").field("of", &self.shape.name).field("way", &self.way).finish_non_exhaustive()
    }
}

/// Whether the model has said all that it wanted to: asked again, it would be cut off or refused again.
fn is_whole(answer: &ChatResponse) -> bool {
    !matches!(answer.finish.reason, FinishReason::Length | FinishReason::ContentFilter | FinishReason::Error)
}

/// What is said to a model whose answer did not hold.
fn once_more(wrong: &str) -> Message {
    Message::user(format!(
        "That is not what was asked for: {wrong}. Answer again, with the whole JSON and nothing else."
    ))
}
