//! A conversation with one model: asked, written, kept.

use std::sync::Arc;

use sabir::chat::{ChatRequest, Content, Message, Role};
use sabir::config::Config;
use sabir::{ChatResponse, Client, Conversation};
use serde_json::Value;

use super::ask::{Asked, End, Form, ask};
use super::request;
use crate::failure::Failure;
use crate::local;
use crate::log::{Exchange, Log, Outcome, Past, now};
use crate::tools::Kit;
use crate::writer::Writer;

/// The number of no exchange in the log: the conversation has gone another way since, and is written as a new one.
const APART: u32 = 0;

/// A conversation that goes on, turn by turn.
#[derive(Debug)]
pub(super) struct Session {
    client: Client,
    /// Who is asked: `provider/model`, or a name of the configuration's.
    pub(super) model: String,
    /// What is asked for with every question, without messages.
    settings: ChatRequest,
    form: Form,
    /// What the model may call.
    kit: Option<Arc<Kit>>,
    conversation: Conversation,
    log: Log,
    /// What of the conversation is in the log.
    past: Option<Past>,
}

impl Session {
    /// Begins a conversation, or goes on with one. Instructions take the place of those that it had.
    pub(super) fn new(
        client: Client,
        settings: ChatRequest,
        (form, kit): (Form, Option<Arc<Kit>>),
        system: Option<String>,
        (log, past): (Log, Option<Past>),
    ) -> Self {
        let mut conversation = conversation(past.as_ref());
        conversation.system = system.or(conversation.system);
        Self { client, model: settings.model.clone(), settings, form, kit, conversation, log, past }
    }

    /// The conversation's id in the log, once it is there.
    pub(super) fn id(&self) -> Option<&str> {
        self.past.as_ref().filter(|past| past.kept.number != APART).map(|past| past.kept.conversation.as_str())
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    pub(super) fn kit(&self) -> Option<&Kit> {
        self.kit.as_deref()
    }

    /// Asks another model from now on.
    pub(super) async fn switch(
        &mut self,
        model: String,
        options: &[(String, Value)],
        config: &Config,
    ) -> Result<(), Failure> {
        let model = local::model(&self.client, config, Some(model)).await?;
        let mut settings = ChatRequest { model: model.clone(), ..self.settings.clone() };
        request::set_options(&mut settings, options, &self.client, config)?;
        (self.model, self.settings) = (model, settings);
        Ok(())
    }

    /// Gives instructions from now on, or none.
    pub(super) fn instruct(&mut self, system: Option<String>) {
        self.conversation.system = system;
    }

    /// Begins a new conversation, or goes on with one of the log; without instructions of its own, with those that hold.
    pub(super) fn turn_to(&mut self, past: Option<Past>) {
        let system = self.conversation.system.take();
        self.conversation = conversation(past.as_ref());
        self.conversation.system = self.conversation.system.take().or(system);
        self.past = past;
    }

    /// Takes the last question back, and all that came of it. In the log both stay: what is said next is a conversation
    /// of its own there, with what was said before.
    pub(super) fn undo(&mut self) -> Option<Message> {
        let asked = |messages: &[Message]| messages.iter().rposition(|message| message.role == Role::User);
        let at = asked(&self.conversation.messages)?;
        let mut taken = self.conversation.messages.split_off(at);
        if let Some(past) = &mut self.past {
            past.kept.number = APART;
            if let Some(at) = asked(&past.messages) {
                past.messages.truncate(at);
            }
        }
        Some(taken.swap_remove(0))
    }

    /// Says something, writes the answer, and keeps both. What failed, the conversation goes on without.
    pub(super) async fn turn(&mut self, message: Message, writer: &mut Writer) -> Asked {
        let time = now();
        let mut request = self.settings.clone();
        request.messages = self.conversation.request().messages;
        request.messages.push(message.clone());
        let asked = ask(&self.client, request, &self.form, self.kit.as_deref(), writer).await;

        let is_done = matches!(asked.end, End::Done);
        let answer = asked.answer.as_ref();
        let said = match (&asked.value, answer) {
            // A call that only carried it has no result to go on with.
            (Some(value), Some(answer)) if answer.tool_calls().next().is_some() => {
                Some(Message::assistant(value.to_string()))
            }
            (_, answer) if is_done => answer.map(ChatResponse::to_message),
            (_, answer) => answer.map(words),
        };
        let said = said.filter(|said| !said.parts.is_empty());
        let outcome = match &said {
            _ if is_done => Outcome::Answered,
            Some(_) => Outcome::Partial,
            None => Outcome::Failed,
        };
        let mut added = self.new_instructions();
        added.push(message);
        if is_done && !asked.said.is_empty() {
            added.extend(asked.said.iter().cloned());
        } else {
            added.extend(said);
        }
        if outcome != Outcome::Failed {
            let said = added.iter().filter(|message| message.role != Role::System);
            self.conversation.messages.extend(said.cloned());
        }
        let exchange = Exchange {
            past: self.past.as_ref(),
            time,
            model: &self.model,
            outcome,
            error: asked.error().map(|error| error.to_string()),
            request: &self.settings,
            added: &added,
            answer: asked.answer.as_ref(),
        };
        if let Some(kept) = self.log.write(&exchange) {
            let mut messages = self.past.take().map(|past| past.messages).unwrap_or_default();
            if outcome != Outcome::Failed {
                messages.extend(added);
            }
            self.past = Some(Past { kept, model: self.model.clone(), messages });
        }
        asked
    }

    /// The instructions, where the log has others.
    fn new_instructions(&self) -> Vec<Message> {
        let kept = self.past.iter().flat_map(|past| &past.messages).rfind(|message| message.role == Role::System);
        let system = self.conversation.system.as_ref();
        let new = system.filter(|system| kept.is_none_or(|kept| kept.text() != **system));
        new.map(Message::system).into_iter().collect()
    }
}

/// What was said in a conversation of the log.
fn conversation(past: Option<&Past>) -> Conversation {
    let mut conversation = Conversation::new();
    for message in past.iter().flat_map(|past| &past.messages) {
        match message.role {
            Role::System => conversation.system = Some(message.text()),
            _ => conversation.messages.push(message.clone()),
        }
    }
    conversation
}

/// The words of an answer that broke off. A call that is not whole, and a thought without its signature, are not taken
/// back by those who gave them.
fn words(answer: &ChatResponse) -> Message {
    let words = answer.parts.iter().filter(|part| matches!(part.content, Content::Text { .. }));
    Message::new(Role::Assistant, words.cloned().collect::<Vec<_>>())
}
