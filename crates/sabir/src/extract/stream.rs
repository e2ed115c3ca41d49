use std::fmt;

use sabir_core::Result;
use sabir_core::chat::{ChatResponse, Event, Fold};
use sabir_core::dialect::truncated;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ask::Asked;
use super::partial::complete;
use super::{Extracted, Extraction};
use crate::ChatStream;

/// A value as it grows.
///
/// ```no_run
/// # #[derive(serde::Deserialize, schemars::JsonSchema)]
/// # struct Person { name: String }
/// # async fn example(client: sabir::Client) -> sabir::Result<()> {
/// let mut stream = client.extraction::<Person>("Ada wrote it.").stream().await?;
/// while let Some(so_far) = stream.next().await? {
///     println!("{so_far}");
/// }
/// let person = stream.finish().await?.value;
/// # Ok(()) }
/// ```
pub struct ExtractStream<T> {
    events: ChatStream,
    extraction: Extraction<T>,
    asked: Asked,
    fold: Fold,
    last: Option<Value>,
    /// How many bytes have come, and at how many the value is looked at again: each look reads all of them, so the
    /// looks grow rarer as the answer grows longer.
    come: usize,
    due: usize,
    done: Option<ChatResponse>,
}

impl<T: DeserializeOwned + JsonSchema> ExtractStream<T> {
    pub(super) fn new(events: ChatStream, extraction: Extraction<T>, asked: Asked) -> Self {
        Self { events, extraction, asked, fold: Fold::default(), last: None, come: 0, due: 0, done: None }
    }

    /// What is known of the value, each time more is known; `None` when the answer is complete. Properties that have
    /// not come yet are not there, and texts may go on.
    ///
    /// # Errors
    /// The stream's terminal error.
    pub async fn next(&mut self) -> Result<Option<Value>> {
        while self.done.is_none() {
            let event = self.events.next().await.ok_or_else(truncated)??;
            if let Event::Done(response) = event {
                self.done = Some(*response);
                break;
            }
            self.come += match &event {
                Event::Text(delta) => delta.len(),
                Event::ToolArguments { fragment, .. } => fragment.len(),
                _ => 0,
            };
            let is_end = matches!(event, Event::ToolEnd { .. });
            self.fold.apply(&event);
            if self.come < self.due && !is_end {
                continue;
            }
            self.due = self.come + 1 + self.come / 16;
            let so_far = self.asked.json_so_far(self.fold.response()).and_then(|json| complete(&json));
            let so_far = so_far.and_then(|json| self.extraction.shape.unwrapped(json));
            if so_far.is_some() && so_far != self.last {
                self.last.clone_from(&so_far);
                return Ok(so_far);
            }
        }
        Ok(None)
    }

    /// Reads to the end and gives the value.
    ///
    /// # Errors
    /// As [`Client::extract`](crate::Client::extract); the model is not asked again.
    pub async fn finish(mut self) -> Result<Extracted<T>> {
        while self.next().await?.is_some() {}
        let answer = self.done.take().ok_or_else(truncated)?;
        match self.extraction.value(&self.asked, &answer) {
            Ok(value) => Ok(Extracted { value, way: self.asked.way, answers: vec![answer] }),
            Err(wrong) => Err(self.extraction.failure(&wrong, answer)),
        }
    }
}

impl<T> fmt::Debug for ExtractStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExtractStream").field("last", &self.last).finish_non_exhaustive()
    }
}
