use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures_core::Stream;
use futures_util::StreamExt as _;
use sabir_core::chat::{ChatRequest, ChatResponse, Content, Event, Message, Role, ToolCall, ToolResult, Usage};
use sabir_core::dialect::truncated;
use sabir_core::transport::BoxFuture;
use sabir_core::{Error, Result};

use super::Toolbox;
use crate::{ChatStream, Client};

/// The model and the tools at work: events, then exactly one terminal item, [`RunEvent::Done`] or an error. Dropping
/// it cancels the call and the tools that are at work.
///
/// ```no_run
/// # async fn example(client: sabir::Client, tools: sabir::tools::Toolbox) -> sabir::Result<()> {
/// let done = client.run("What is the weather in Valletta?", &tools).max_turns(5).finish().await?;
/// println!("{} (after {} turns)", done.text(), done.turns.len());
/// # Ok(()) }
/// ```
#[must_use = "a run does nothing until its events are read or it is finished"]
pub struct Run {
    client: Client,
    tools: Toolbox,
    request: ChatRequest,
    max_turns: usize,
    at_once: usize,
    turns: Vec<ChatResponse>,
    asked: usize,
    results: Vec<Option<ToolResult>>,
    ready: VecDeque<RunEvent>,
    state: State,
}

enum State {
    Asking(BoxFuture<'static, Result<ChatStream>>),
    Listening(ChatStream),
    Working(Pin<Box<dyn Stream<Item = (usize, ToolResult, Instant)> + Send>>),
    Next,
    Over,
}

/// What happens while a run goes on.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RunEvent {
    /// The model answers: an event of the answer, its `Done` included, one for each turn.
    Answer(Event),
    /// A tool is called.
    Call(ToolCall),
    /// A tool has given its result; those of one turn come in the order in which they are ready.
    Result {
        /// What it gave.
        result: ToolResult,
        /// How long it took, an approval included.
        took: std::time::Duration,
    },
    /// The end.
    Done(Box<RunDone>),
}

/// How a run ended, and all that was said.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RunDone {
    /// Why it ended.
    pub ended: Ended,
    /// The whole conversation: what was asked, the answers, the results.
    pub messages: Vec<Message>,
    /// The model's answers, one for each turn.
    pub turns: Vec<ChatResponse>,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// The model has answered and asks for nothing more.
    Answered,
    /// The model asks for tools that are not in the toolbox; their calls are the last answer's.
    ForeignCalls,
    /// The model still asks for tools, and there are no turns left; the results of the last calls are in the messages.
    TurnLimit,
}

impl RunDone {
    /// The last answer.
    pub fn response(&self) -> Option<&ChatResponse> {
        self.turns.last()
    }

    /// The text of the last answer.
    pub fn text(&self) -> String {
        self.response().map(ChatResponse::text).unwrap_or_default()
    }

    /// What all turns used together. A counter that one of them did not give is unknown.
    pub fn usage(&self) -> Usage {
        self.turns.iter().map(|turn| turn.usage.clone()).reduce(|sum, turn| sum.plus(&turn)).unwrap_or_default()
    }
}

impl Client {
    /// Lets the model use tools: asks, carries out the calls, gives back the results, and so on until it has its
    /// answer. Tools that the request names beside the toolbox end the run when they are called.
    pub fn run(&self, request: impl Into<ChatRequest>, tools: &Toolbox) -> Run {
        let mut request = request.into();
        let known = request.tools.len();
        request.tools.extend(
            tools
                .definitions()
                .iter()
                .filter(|tool| !request.tools[..known].contains(tool))
                .cloned()
                .collect::<Vec<_>>(),
        );
        Run {
            client: self.clone(),
            tools: tools.clone(),
            request,
            max_turns: 10,
            at_once: 4,
            turns: Vec::new(),
            asked: 0,
            results: Vec::new(),
            ready: VecDeque::new(),
            state: State::Next,
        }
    }
}

impl Run {
    /// How often the model is asked at most; 10 unless said otherwise, and never less than once.
    pub fn max_turns(mut self, turns: usize) -> Self {
        self.max_turns = turns.max(1);
        self
    }

    /// How many calls of one turn are carried out at once; 4 unless said otherwise.
    pub fn at_once(mut self, calls: usize) -> Self {
        self.at_once = calls.max(1);
        self
    }

    /// The next event; `None` after the terminal one.
    pub async fn next(&mut self) -> Option<Result<RunEvent>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Goes on to the end.
    ///
    /// # Errors
    /// What the model's provider says; tools' failures are the model's to read.
    pub async fn finish(mut self) -> Result<RunDone> {
        while let Some(event) = self.next().await {
            if let RunEvent::Done(done) = event? {
                return Ok(*done);
            }
        }
        Err(truncated())
    }

    fn ask(&mut self) {
        self.asked += 1;
        // A tool that had to be called has been: to force it again would be without end.
        if self.asked > 1 {
            self.request.tool_choice = None;
        }
        let (client, request) = (self.client.clone(), self.request.clone());
        self.state = State::Asking(Box::pin(async move { client.stream(request).await }));
    }

    /// The answer of a turn is whole: on to its calls, or to the end.
    fn answered(&mut self, response: &ChatResponse) {
        let message = Message::new(Role::Assistant, response.parts.clone());
        self.request.messages.push(message);
        self.turns.push(response.clone());
        let calls: Vec<ToolCall> = response.tool_calls().cloned().collect();
        if calls.is_empty() {
            return self.end(Ended::Answered);
        }
        if calls.iter().any(|call| self.is_foreign(&call.name)) {
            return self.end(Ended::ForeignCalls);
        }
        self.ready.extend(calls.iter().cloned().map(RunEvent::Call));
        self.results = vec![None; calls.len()];
        let tools = self.tools.clone();
        let work = futures_util::stream::iter(calls.into_iter().enumerate()).map(move |(at, call)| {
            let (tools, begun) = (tools.clone(), Instant::now());
            async move { (at, tools.call(call).await, begun) }
        });
        self.state = State::Working(Box::pin(work.buffer_unordered(self.at_once)));
    }

    /// Whether a tool is offered by the request, but not in the toolbox: its caller means to carry it out.
    fn is_foreign(&self, name: &str) -> bool {
        let is_offered = self
            .request
            .tools
            .iter()
            .any(|tool| matches!(tool, sabir_core::chat::Tool::Function(function) if function.name == name));
        is_offered && !self.tools.has(name)
    }

    /// All results of a turn are there: they go back in the order of the calls.
    fn worked(&mut self) {
        let results = std::mem::take(&mut self.results).into_iter().flatten();
        let parts: Vec<_> = results.map(|result| Content::ToolResult(result).into()).collect();
        self.request.messages.push(Message::new(Role::Tool, parts));
        if self.asked >= self.max_turns { self.end(Ended::TurnLimit) } else { self.state = State::Next }
    }

    fn end(&mut self, ended: Ended) {
        let messages = std::mem::take(&mut self.request.messages);
        let turns = std::mem::take(&mut self.turns);
        self.ready.push_back(RunEvent::Done(Box::new(RunDone { ended, messages, turns })));
        self.state = State::Over;
    }

    fn fail(&mut self, error: Error) -> Poll<Option<Result<RunEvent>>> {
        self.state = State::Over;
        Poll::Ready(Some(Err(error)))
    }
}

impl Stream for Run {
    type Item = Result<RunEvent>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(event) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            match &mut this.state {
                State::Next => this.ask(),
                State::Asking(asking) => match ready!(asking.as_mut().poll(cx)) {
                    Ok(stream) => this.state = State::Listening(stream),
                    Err(error) => return this.fail(error),
                },
                State::Listening(stream) => match ready!(Pin::new(stream).poll_next(cx)) {
                    Some(Ok(event)) => {
                        if let Event::Done(response) = &event {
                            this.answered(response);
                        }
                        // Before the calls and the end, which follow from it.
                        return Poll::Ready(Some(Ok(RunEvent::Answer(event))));
                    }
                    Some(Err(error)) => return this.fail(error),
                    None => return this.fail(truncated()),
                },
                State::Working(work) => match ready!(work.as_mut().poll_next(cx)) {
                    Some((at, result, begun)) => {
                        this.results[at] = Some(result.clone());
                        return Poll::Ready(Some(Ok(RunEvent::Result { result, took: begun.elapsed() })));
                    }
                    None => this.worked(),
                },
                State::Over => return Poll::Ready(None),
            }
        }
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("asked", &self.asked).field("max_turns", &self.max_turns).finish_non_exhaustive()
    }
}
