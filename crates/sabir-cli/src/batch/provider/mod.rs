//! A batch that the provider works off by itself: sent whole, asked about now and then, kept when it is over. The journal
//! has each step before the next one is made, so that a process that is killed goes on with the batch that is there.

mod money;

use std::collections::BTreeSet;
use std::time::Duration;

use sabir::batch::{Batch, Line, State};
use sabir::config::Config;
use sabir::drive::Batches;
use sabir::{Client, Error, ErrorKind, Stage};
use tokio::time::sleep;

use self::money::Money;
use super::journal::{Standing, Step};
use super::mark::unwritten;
use super::results;
use super::work::{Stop, Work};
use crate::failure::Failure;
use crate::output::notice;
use crate::table::grouped;

/// The longest time between two questions about a batch, where the first is no longer.
const LONGEST: Duration = Duration::from_secs(600);
/// How many of those in a row may fail in a way that passes.
const MOST_FAILURES: u32 = 20;

/// What the caller says of it.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "A provider's own batch")]
pub(super) struct How {
    /// Let the provider work all of it off by itself, within a day, for its lower price (OpenAI, Anthropic, Gemini)
    #[arg(long)]
    pub(super) provider_batch: bool,
    /// Seconds until it is first asked how far it is; then half as long again each time, to ten minutes
    #[arg(long, default_value_t = 15, value_name = "SECONDS", requires = "provider_batch", value_parser = clap::value_parser!(u64).range(..=3600))]
    poll: u64,
    /// Cancel the batch, and keep what was done of it
    #[arg(long, requires = "provider_batch")]
    cancel_batch: bool,
    /// Go on with this batch of the provider's, which a killed process submitted
    #[arg(long, value_name = "ID", requires = "provider_batch")]
    batch_id: Option<String>,
    /// Submit it again, though a killed process may have done so
    #[arg(long, requires = "provider_batch", conflicts_with = "batch_id")]
    submit_again: bool,
}

/// Who is asked by the lines of a file: providers, and the models of each.
pub(super) type Places = BTreeSet<(String, String)>;

/// The batches of the one provider that all lines ask.
pub(super) fn batches_of(client: &Client, places: &Places) -> Result<(String, Batches), Failure> {
    let providers: BTreeSet<&str> = places.iter().map(|(provider, _)| provider.as_str()).collect();
    let Some(provider) = providers.first().filter(|_| providers.len() == 1) else {
        let names = providers.into_iter().collect::<Vec<_>>().join(", ");
        return Err(Failure::usage(format!(
            "a provider's batch is of one provider, and the lines ask {names}; split them"
        )));
    };
    if !client.registry().contains(provider) {
        let message = "a provider's batch is asked of one provider; name it in place of a name of the configuration's";
        return Err(Failure::usage(format!("{message}: -m PROVIDER/MODEL")));
    }
    let batches = client.batches(provider)?;
    if batches.format().wants_one_model() && places.len() > 1 {
        let names = places.iter().map(|(_, model)| model.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Failure::usage(format!(
            "a batch of {provider} is of one model, and the lines ask {names}; split them"
        )));
    }
    Ok(((*provider).to_owned(), batches))
}

/// Submits what has no result, or goes on with what was submitted, until it is over.
pub(super) async fn run(
    work: &Work,
    config: &Config,
    how: &How,
    (provider, batches): (String, Batches),
    retry_failed: bool,
) -> Result<Option<Stop>, Failure> {
    let sending = Sending { work, how, provider, batches, money: Money::open(work, config)?, retry_failed };
    let standing = match work.journal.standing() {
        Some(standing) if standing.provider != sending.provider => {
            let message = format!("its batch is with {}; go on with that", standing.provider);
            return Err(Failure::usage(message));
        }
        Some(standing) => standing,
        None => match sending.begin().await? {
            Some(standing) => standing,
            None => return Ok(None),
        },
    };
    let id = match sending.taken(&standing).await? {
        Ok(id) => id,
        Err(stop) => return Ok(Some(stop)),
    };
    if how.cancel_batch {
        sending.batches.cancel(&id).await?;
    }
    match sending.wait(&id).await {
        Ok(batch) => sending.keep(&standing.name, &batch).await,
        Err(stop) => Ok(Some(stop)),
    }
}

struct Sending<'a> {
    work: &'a Work,
    how: &'a How,
    provider: String,
    batches: Batches,
    money: Money,
    retry_failed: bool,
}

impl Sending<'_> {
    /// Begins a batch of what has no result; `None` where all has one.
    async fn begin(&self) -> Result<Option<Standing>, Failure> {
        let journal = &self.work.journal;
        let items = journal.to_ask(self.retry_failed);
        if items.is_empty() {
            return Ok(None);
        }
        self.money.reserve(self.work, &items).await?;
        self.step(Step::Begun { provider: self.provider.clone(), name: journal.next_name() })?;
        Ok(journal.standing())
    }

    /// The provider's id of the batch: that of the journal, else that of its list, else of one that is submitted now.
    async fn taken(&self, standing: &Standing) -> Result<Result<String, Stop>, Failure> {
        if let Some(id) = &standing.id {
            notice(&format!("The batch {id} was submitted before; asking {} how far it is.", self.provider));
            return Ok(Ok(id.clone()));
        }
        if standing.was_asked_for
            && let Some(id) = self.found(standing).await?
        {
            notice(&format!("The batch {id} was taken before; asking {} how far it is.", self.provider));
            self.step(Step::Taken(id.clone()))?;
            return Ok(Ok(id));
        }
        let items = self.work.journal.to_ask(self.retry_failed);
        let lines = self.lines(&standing.name, &items)?;
        let mut upload = standing.upload.clone();
        if upload.is_none() {
            upload = match self.batches.upload(&lines).await {
                Ok(upload) => upload,
                Err(error) => {
                    // What was uploaded is no batch: nothing is worked on.
                    self.step(Step::Refused)?;
                    return Ok(Err(Stop::Failed(error)));
                }
            };
            if let Some(id) = &upload {
                self.step(Step::Uploaded(id.clone()))?;
            }
        }
        self.step(Step::Asked)?;
        match self.batches.create(&lines, upload.as_deref(), &standing.name).await {
            Ok(batch) => {
                self.step(Step::Taken(batch.id.clone()))?;
                notice(&format!("Submitted {} as {} to {}.", grouped(lines.len() as u64), batch.id, self.provider));
                Ok(Ok(batch.id))
            }
            Err(error) => {
                let was_refused = error.status().is_some_and(|status| status.is_client_error());
                if was_refused || error.stage() == Stage::NotSent {
                    self.step(Step::Refused)?;
                }
                Ok(Err(Stop::Failed(error)))
            }
        }
    }

    /// The batch that a process may have submitted before it was killed.
    async fn found(&self, standing: &Standing) -> Result<Option<String>, Failure> {
        if let Some(id) = &self.how.batch_id {
            return Ok(Some(id.clone()));
        }
        if self.how.submit_again {
            return Ok(None);
        }
        if self.batches.format().keeps_names() {
            return Ok(self.batches.find(&standing.name).await?.map(|batch| batch.id));
        }
        let message = format!(
            "the batch was on its way to {} when the last process ended, and {} keeps no name by which it could be found",
            self.provider, self.provider
        );
        let hint = "look at the provider's list of batches: where it is there, say --batch-id ID; else --submit-again";
        Err(Failure::nothing(message).hint(hint))
    }

    /// The items as lines, whose ids are the batch's name and their places.
    fn lines(&self, name: &str, items: &[usize]) -> Result<Vec<Line>, Failure> {
        let line = |index: &usize| {
            let (item, _, request) = self.work.request(*index)?;
            let line = self.batches.line(format!("{name}-{index}"), &request);
            line.map_err(|error| Failure::usage(format!("nothing was sent; item {}: {}", item, error.message())))
        };
        items.iter().map(line).collect()
    }

    /// Asks how far it is until it is over.
    async fn wait(&self, id: &str) -> Result<Batch, Stop> {
        let mut pause = Duration::from_secs(self.how.poll);
        let (longest, mut failures, mut told) = (LONGEST.max(pause), 0, None);
        let mut interrupted = Box::pin(tokio::signal::ctrl_c());
        loop {
            let asked = tokio::select! {
                asked = self.batches.status(id) => asked,
                _ = &mut interrupted => return Err(self.left(id)),
            };
            match asked {
                Ok(batch) if batch.state.is_over() => return Ok(batch),
                Ok(batch) => {
                    failures = 0;
                    let now = (batch.state, batch.counts.done + batch.counts.failed);
                    if told.replace(now) != Some(now) {
                        notice(&format!("{} of {} are done.", grouped(now.1), grouped(batch.counts.total)));
                    }
                }
                Err(error) if error.is_retryable() && failures < MOST_FAILURES => failures += 1,
                Err(error) => return Err(Stop::Failed(error)),
            }
            tokio::select! {
                () = sleep(pause) => {}
                _ = &mut interrupted => return Err(self.left(id)),
            }
            pause = (pause * 3 / 2).min(longest);
        }
    }

    fn left(&self, id: &str) -> Stop {
        Stop::Said(format!(
            "Stopped by Ctrl-C. {} goes on with {id}; --cancel-batch with the same command would cancel it.",
            self.provider
        ))
    }

    /// Keeps the results of a batch that is over.
    async fn keep(&self, name: &str, batch: &Batch) -> Result<Option<Stop>, Failure> {
        let (journal, mut strangers) = (&self.work.journal, 0_u64);
        if batch.state == State::Failed {
            self.step(Step::Over)?;
            let why = batch.why.as_deref().unwrap_or("it does not say why");
            return Ok(Some(Stop::Said(format!("{} failed the batch {}: {why}", self.provider, batch.id))));
        }
        let results = match self.batches.results(batch).await {
            Ok(results) => results,
            Err(error) => return Ok(Some(Stop::Failed(error))),
        };
        for (id, answered) in results {
            let place = id.strip_prefix(name).and_then(|rest| rest.strip_prefix('-')?.parse().ok());
            let Some(index) = place.filter(|index: &usize| *index < self.work.input.len()) else {
                strangers += 1;
                continue;
            };
            if !journal.is_answered(index) {
                self.write(index, answered).await?;
            }
        }
        if strangers > 0 {
            notice(&format!("{} results are of no line of this batch; they are left out.", grouped(strangers)));
        }
        if batch.state == State::Done {
            for index in (0..self.work.input.len()).filter(|index| !journal.has(*index)) {
                let error = Error::new(ErrorKind::Decode, "the provider's batch is over and has no result for this");
                self.write(index, Err(error)).await?;
            }
        }
        self.step(Step::Over)?;
        Ok(match batch.state {
            State::Expired => Some(Stop::Said(format!("The batch {} expired before all was done.", batch.id))),
            State::Cancelled => Some(Stop::Said(format!("The batch {} was cancelled.", batch.id))),
            _ => None,
        })
    }

    async fn write(&self, index: usize, answered: sabir::Result<sabir::ChatResponse>) -> Result<(), Failure> {
        let (id, call, request) = self.work.request(index)?;
        let answered = self.money.book(call, request, answered).await;
        let kept = results::of(index, &id, &answered).map_err(std::io::Error::other);
        kept.and_then(|done| self.work.journal.done(done)).map_err(|error| unwritten(&error))?;
        Ok(())
    }

    /// Writes a step down, for good: what follows it is paid.
    fn step(&self, step: Step) -> Result<(), Failure> {
        let journal = &self.work.journal;
        let written = journal.step(step).and_then(|()| journal.file()?.sync_data());
        written.map_err(|error| Failure::from(unwritten(&error)))
    }
}
