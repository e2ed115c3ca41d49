//! The conversation of the mode: what a person asks, and what its commands do.

use sabir::Message;
use sabir::chat::{Part, Role};
use sabir::config::Config;
use serde_json::Value;

use super::command::{self, Command};
use super::completion::at_home;
use super::spent::Spent;
use super::transcript;
use crate::chat::ask::End;
use crate::chat::session::Session;
use crate::chat::{Args, finish, kept, template};
use crate::failure::{self, Failure};
use crate::input;
use crate::markdown::safe;
use crate::output::notice;
use crate::writer::Writer;

/// Whether it goes on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    Leave,
}

/// A conversation that a person holds at the prompt.
pub(super) struct Talk<'a> {
    session: Session,
    /// Options of whatever dialect the model has.
    options: Vec<(String, Value)>,
    args: &'a Args,
    config: &'a Config,
    /// What is sent along with the next question.
    attached: Vec<Part>,
    /// A question that came to nothing, and is not part of the conversation.
    failed: Option<Message>,
    spent: Spent,
}

impl<'a> Talk<'a> {
    pub(super) fn new(session: Session, options: Vec<(String, Value)>, args: &'a Args, config: &'a Config) -> Self {
        Self { session, options, args, config, attached: Vec::new(), failed: None, spent: Spent::default() }
    }

    pub(super) fn model(&self) -> &str {
        &self.session.model
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.session.id()
    }

    /// Asks what the command was given. Files without words wait for the first question.
    pub(super) async fn begin(&mut self, message: Message) -> Result<(), Failure> {
        let has_words = self.args.template.is_some() || self.args.words.has_prompt();
        if has_words {
            return self.ask(message).await;
        }
        self.attached = message.parts;
        Ok(())
    }

    /// Asks a question, with what was attached.
    pub(super) async fn say(&mut self, text: &str) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        let mut parts = std::mem::take(&mut self.attached);
        parts.push(Part::text(text));
        self.ask(Message::new(Role::User, parts)).await
    }

    /// Asks, and writes the answer. What fails is told, and the conversation goes on without it.
    async fn ask(&mut self, message: Message) -> Result<(), Failure> {
        let mut writer =
            if self.args.no_stream { Writer::held(self.args.plain) } else { Writer::live(self.args.plain) };
        self.failed = None;
        let before = self.session.conversation().messages.len();
        let asked = self.session.turn(message.clone(), &mut writer).await;
        finish(&asked, &mut writer, self.args)?;
        if let Some(answer) = &asked.answer {
            self.spent.add(answer);
        }
        if self.session.conversation().messages.len() == before {
            self.failed = Some(message);
        }
        match asked.end {
            End::Done | End::Stopped => {}
            End::Failed(error) => {
                failure::show(&Failure::from(error));
            }
            End::Unread(failure) => return Err(failure),
        }
        Ok(())
    }

    /// Does what a command says. What is wrong with it is told; only what ends the mode is an error.
    pub(super) async fn obey(&mut self, command: Command) -> Result<Next, Failure> {
        match command {
            Command::Quit => return Ok(Next::Leave),
            Command::Retry => match self.failed.take().or_else(|| self.session.undo()) {
                Some(message) => self.ask(message).await?,
                None => notice("nothing was asked yet"),
            },
            other => match self.change(other).await {
                Ok(said) => notice(&safe(&said)),
                Err(failure) => {
                    failure::show(&failure);
                }
            },
        }
        Ok(Next::GoOn)
    }

    /// Does what a command says that asks nothing, and gives what there is to say of it.
    async fn change(&mut self, command: Command) -> Result<String, Failure> {
        Ok(match command {
            Command::Help => command::help(),
            Command::Model(Some(name)) => {
                self.session.switch(name, &self.options, self.config).await?;
                format!("{} is asked from now on", self.session.model)
            }
            Command::System(None) => {
                self.session.conversation().system.clone().unwrap_or_else(|| "there are no instructions".to_owned())
            }
            Command::System(Some(text)) => {
                let is_none = text == "-";
                self.session.instruct((!is_none).then_some(text));
                if is_none { "without instructions from now on" } else { "these instructions hold from now on" }
                    .to_owned()
            }
            Command::Role(None) if self.config.roles.is_empty() => "the configuration has none in `roles`".to_owned(),
            Command::Role(None) => self.config.roles.keys().cloned().collect::<Vec<_>>().join("\n"),
            Command::Role(Some(name)) => {
                let text = template::role(self.config, &name)?.clone();
                self.session.instruct(Some(text));
                format!("{name} from now on")
            }
            Command::Attach(file) => self.attach(&file)?,
            Command::New => {
                self.session.turn_to(None);
                (self.attached, self.failed) = (Vec::new(), None);
                "a new conversation".to_owned()
            }
            Command::Continue(id) => self.go_on_with(id.as_deref()).await?,
            Command::Undo if self.failed.take().is_some() || self.session.undo().is_some() => {
                "the last question and its answer are taken back".to_owned()
            }
            Command::Undo => "there is nothing to take back".to_owned(),
            Command::Id => self.id().unwrap_or("this is not in the log").to_owned(),
            Command::Usage => self.spent.in_words(),
            Command::Save(file) => {
                let path = at_home(&file);
                transcript::save(self.session.conversation(), &path)?;
                format!("{} is written", path.display())
            }
            Command::Tools => match self.session.kit() {
                Some(kit) => kit.names().collect::<Vec<_>>().join("\n"),
                None => "the model may call nothing; `sabir chat -t NAME` names tools of the configuration".to_owned(),
            },
            Command::Model(None) | Command::Retry | Command::Quit => self.session.model.clone(),
        })
    }

    fn attach(&mut self, file: &str) -> Result<String, Failure> {
        if file == "-" {
            return Err(Failure::usage("standard input is the prompt's here; name a file"));
        }
        let path = at_home(file);
        let part = input::attached(&path.to_string_lossy())?;
        self.attached.push(part);
        Ok(format!("{file} goes along with the next question"))
    }

    async fn go_on_with(&mut self, id: Option<&str>) -> Result<String, Failure> {
        let past = kept(self.config, id)?;
        let (id, model) = (past.kept.conversation.clone(), past.model.clone());
        self.session.turn_to(Some(past));
        (self.attached, self.failed) = (Vec::new(), None);
        // A model that is gone, or has no key here, keeps nobody from going on with another.
        if let Err(failure) = self.session.switch(model, &self.options, self.config).await {
            failure::show(&failure);
        }
        let said = self.session.conversation().messages.iter().filter(|message| message.role == Role::User).count();
        let questions = if said == 1 { "1 question".to_owned() } else { format!("{said} questions") };
        Ok(format!("conversation {id} with {questions}; {} is asked", self.session.model))
    }
}
