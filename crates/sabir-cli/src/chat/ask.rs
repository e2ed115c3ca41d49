//! One question and its answer, however it ends.

use std::future::Future;

use sabir::chat::{ChatRequest, Event, Fold, Usage};
use sabir::extract::Extracted;
use sabir::{ChatResponse, Client, Error, ErrorKind};
use serde_json::Value;

use super::writer::Writer;
use crate::failure::Failure;

/// In which form an answer is wanted.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// As it comes.
    Stream,
    /// Whole.
    Whole,
    /// A value of this JSON Schema.
    Value(Value),
}

/// An answer, or as much of it as came.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) answer: Option<ChatResponse>,
    /// The value that was asked for, where one was.
    pub(super) value: Option<Value>,
    pub(super) end: End,
}

/// How an answer ended.
#[derive(Debug)]
pub(super) enum End {
    Done,
    /// What went wrong; what had arrived is the answer.
    Failed(Error),
    /// A person stopped it.
    Stopped,
    /// Nobody reads it.
    Unread(Failure),
}

impl Asked {
    fn done(answer: ChatResponse, value: Option<Value>) -> Self {
        Self { answer: Some(answer), value, end: End::Done }
    }

    fn failed(error: Error) -> Self {
        Self { answer: error.partial().cloned(), value: None, end: End::Failed(error) }
    }

    fn stopped(answer: Option<ChatResponse>) -> Self {
        Self { answer, value: None, end: End::Stopped }
    }

    fn unless_unread(self, unread: Option<Failure>) -> Self {
        match unread {
            Some(failure) => Self { end: End::Unread(failure), ..self },
            None => self,
        }
    }

    /// The error that stands for an answer that did not come to its end.
    pub(super) fn error(&self) -> Option<Error> {
        match &self.end {
            End::Done | End::Unread(_) => None,
            End::Failed(error) => Some(error.clone()),
            End::Stopped => {
                let error = Error::new(ErrorKind::Cancelled, "stopped by Ctrl-C");
                Some(self.answer.iter().cloned().fold(error, Error::with_partial))
            }
        }
    }
}

/// Asks, and writes the answer in its form. This is where the model is called: whatever calls it otherwise
/// ([`Client::run`] with tools) stands here, and gives the events of its answers to the writer.
pub(super) async fn ask(client: &Client, request: ChatRequest, form: &Form, writer: &mut Writer) -> Asked {
    match form {
        Form::Stream => stream(client, request, writer).await,
        Form::Whole => match unless_stopped(client.chat(request)).await {
            None => Asked::stopped(None),
            Some(Err(error)) => Asked::failed(error),
            Some(Ok(response)) => {
                let unread = writer.whole(&response).err();
                Asked::done(response, None).unless_unread(unread)
            }
        },
        Form::Value(schema) => value(client, request, schema, writer).await,
    }
}

/// Writes the answer as it comes.
async fn stream(client: &Client, request: ChatRequest, writer: &mut Writer) -> Asked {
    let mut fold = Fold::default();
    let listen = async {
        let mut stream = client.stream(request).await?;
        while let Some(event) = stream.next().await {
            let event = event?;
            fold.apply(&event);
            if let Err(failure) = writer.event(&event) {
                return Ok(Some(failure));
            }
            if matches!(event, Event::Done(_)) {
                return Ok(None);
            }
        }
        Err(sabir::dialect::truncated())
    };
    match unless_stopped(listen).await {
        Some(Ok(None)) => Asked::done(fold.into_response(), None),
        Some(Ok(Some(failure))) => Asked::stopped(Some(fold.into_response())).unless_unread(Some(failure)),
        Some(Err(error)) => {
            // Where standard output is closed, too, the first thing that went wrong is told.
            let _ = writer.end();
            Asked::failed(error)
        }
        None => {
            let _ = writer.end();
            let arrived = fold.into_response();
            Asked::stopped(Some(arrived).filter(|arrived| !arrived.parts.is_empty()))
        }
    }
}

/// Asks for a value, and writes it.
async fn value(client: &Client, request: ChatRequest, schema: &Value, writer: &mut Writer) -> Asked {
    let extraction = match client.extraction_by("value", schema.clone(), request) {
        Ok(extraction) => extraction,
        Err(error) => return Asked::failed(error),
    };
    match unless_stopped(extraction.send()).await {
        None => Asked::stopped(None),
        Some(Err(error)) => Asked::failed(error),
        Some(Ok(extracted)) => {
            let text = if std::io::IsTerminal::is_terminal(&std::io::stdout()) {
                format!("{:#}\n", extracted.value)
            } else {
                format!("{}\n", extracted.value)
            };
            let unread = writer.text(&text).err();
            together(extracted).unless_unread(unread)
        }
    }
}

/// The last answer, with what all of them used.
fn together(extracted: Extracted<Value>) -> Asked {
    let mut answers = extracted.answers;
    let Some(mut last) = answers.pop() else { return Asked::stopped(None) };
    for before in &answers {
        last.usage = Usage::plus(&last.usage, &before.usage);
        last.cost = last.cost.zip(before.cost).map(|(mut cost, more)| {
            cost.nano_usd = cost.nano_usd.saturating_add(more.nano_usd);
            cost
        });
        // The lines of one answer would not add up to it.
        last.receipt = None;
    }
    Asked::done(last, Some(extracted.value))
}

/// What comes of it; `None` where Ctrl-C was pressed before. What is under way is dropped, and so cancelled.
async fn unless_stopped<T>(work: impl Future<Output = T>) -> Option<T> {
    let stopped = async {
        // Where the system tells of no signals, it ends the process itself.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        // What has come is not thrown away.
        biased;
        done = work => Some(done),
        () = stopped => None,
    }
}
