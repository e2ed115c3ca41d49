//! One question and its answer, however it ends.

use std::future::Future;

use sabir::chat::{ChatRequest, Event, Fold, Usage};
use sabir::tools::{RunDone, RunEvent};
use sabir::{ChatResponse, Client, Error, ErrorKind, Message};
use serde_json::Value;

use crate::failure::Failure;
use crate::output::notice;
use crate::tools::Kit;
use crate::writer::Writer;

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
    /// What was said, where that is more than the answer: calls of tools and their results, the answer last.
    pub(super) said: Vec<Message>,
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
        Self { answer: Some(answer), value, said: Vec::new(), end: End::Done }
    }

    fn failed(error: Error) -> Self {
        Self { answer: error.partial().cloned(), value: None, said: Vec::new(), end: End::Failed(error) }
    }

    fn stopped(answer: Option<ChatResponse>) -> Self {
        Self { answer, value: None, said: Vec::new(), end: End::Stopped }
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

/// Asks, and writes the answer in its form.
pub(super) async fn ask(
    client: &Client,
    request: ChatRequest,
    form: &Form,
    kit: Option<&Kit>,
    writer: &mut Writer,
) -> Asked {
    match (form, kit) {
        (Form::Value(schema), _) => value(client, request, schema, writer).await,
        (Form::Stream, None) => stream(client, request, writer).await,
        (form, Some(kit)) => at_work(client, request, kit, matches!(form, Form::Whole), writer).await,
        (Form::Whole, None) => match unless_stopped(client.chat(request)).await {
            None => Asked::stopped(None),
            Some(Err(error)) => Asked::failed(error),
            Some(Ok(response)) => {
                let unread = writer.whole(&response).err();
                Asked::done(response, None).unless_unread(unread)
            }
        },
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
        Some(Err(error)) => broken_off(Some(error), fold, writer),
        None => broken_off(None, fold, writer),
    }
}

/// The model and the tools at work; what they do is told as it comes, and answers are, unless they are wanted whole.
async fn at_work(client: &Client, request: ChatRequest, kit: &Kit, is_whole: bool, writer: &mut Writer) -> Asked {
    let before = request.messages.len();
    let mut fold = Fold::default();
    let listen = async {
        let mut run = kit.run(client, request);
        while let Some(event) = run.next().await {
            let event = event?;
            match (kit.in_words(&event), &event) {
                // Whoever is asked whether to call it has to see it first.
                (Some(line), RunEvent::Call(_)) => notice(&line),
                (Some(line), _) => writer.line(&line),
                (None, _) => {}
            }
            match event {
                RunEvent::Answer(event) => {
                    // A call is told when it is carried out.
                    if !is_whole
                        && !matches!(event, Event::ToolEnd { .. })
                        && let Err(failure) = writer.event(&event)
                    {
                        return Ok(Err(failure));
                    }
                    fold.apply(&event);
                    if matches!(event, Event::Done(_)) {
                        fold = Fold::default();
                    }
                }
                RunEvent::Done(done) => return Ok(Ok(*done)),
                _ => {}
            }
        }
        Err(sabir::dialect::truncated())
    };
    match unless_stopped(listen).await {
        Some(Ok(Ok(done))) => {
            let RunDone { mut messages, turns, .. } = done;
            let Some(answer) = together(turns) else { return Asked::failed(sabir::dialect::truncated()) };
            let unread = if is_whole { writer.whole(&answer).err() } else { None };
            let said = messages.split_off(before.min(messages.len()));
            Asked { said, ..Asked::done(answer, None) }.unless_unread(unread)
        }
        Some(Ok(Err(failure))) => Asked::stopped(Some(fold.into_response())).unless_unread(Some(failure)),
        Some(Err(error)) => broken_off(Some(error), fold, writer),
        None => broken_off(None, fold, writer),
    }
}

/// An answer that an error ended or, without one, a person; what had come of it is kept.
fn broken_off(error: Option<Error>, fold: Fold, writer: &mut Writer) -> Asked {
    // Where standard output is closed, too, the first thing that went wrong is told.
    let _ = writer.end();
    let arrived = fold.into_response();
    error.map_or_else(|| Asked::stopped(Some(arrived).filter(|some| !some.parts.is_empty())), Asked::failed)
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
            let unread = writer.verbatim(&text).err();
            match together(extracted.answers) {
                Some(last) => Asked::done(last, Some(extracted.value)).unless_unread(unread),
                None => Asked::stopped(None),
            }
        }
    }
}

/// The last answer, with what all of them used.
fn together(mut answers: Vec<ChatResponse>) -> Option<ChatResponse> {
    let mut last = answers.pop()?;
    for before in &answers {
        last.usage = Usage::plus(&last.usage, &before.usage);
        last.cost = last.cost.zip(before.cost).map(|(mut cost, more)| {
            cost.nano_usd = cost.nano_usd.saturating_add(more.nano_usd);
            cost
        });
        // The lines of one answer would not add up to it.
        last.receipt = None;
    }
    Some(last)
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
