use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sabir_core::chat::Usage;
use sabir_core::{Error, ErrorKind, Result, Stage};

use super::{Dimension, Ended, Filter, Group, Ledger, Opened, Outcome, Spent};

/// A ledger in this process, which is gone with it. Clones are the same ledger.
///
/// It holds at most 100,000 closed attempts (or [`MemoryLedger::with_rows`]) and forgets the ones that were closed
/// first: sums that reach further back are then too low, and [`MemoryLedger::forgotten`] says that they may be. As many
/// may be open at once; then no more are.
#[derive(Clone)]
pub struct MemoryLedger(Arc<Mutex<State>>);

struct State {
    open: HashMap<Id, Opened>,
    /// In the order in which they were closed.
    closed: VecDeque<(Opened, Ended)>,
    /// Which attempts are among the closed.
    known: HashSet<Id>,
    most: usize,
    forgotten: u64,
}

/// A call and which attempt of it.
type Id = (Arc<str>, u32);

const MOST: usize = 100_000;

impl MemoryLedger {
    /// A ledger that holds at most so many closed attempts.
    pub fn with_rows(most: usize) -> Self {
        let (open, closed, known) = (HashMap::new(), VecDeque::new(), HashSet::new());
        Self(Arc::new(Mutex::new(State { open, closed, known, most, forgotten: 0 })))
    }

    /// How many closed attempts were forgotten.
    pub fn forgotten(&self) -> u64 {
        self.state().forgotten
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryLedger {
    fn default() -> Self {
        Self::with_rows(MOST)
    }
}

impl Ledger for MemoryLedger {
    fn open(&self, attempt: &Opened) -> Result<()> {
        let mut state = self.state();
        let id = id(attempt);
        if state.known.contains(&id) || state.open.contains_key(&id) {
            return Ok(());
        }
        if state.open.len() >= state.most {
            let message = format!("the ledger in memory has {} open attempts and may have no more", state.most);
            return Err(Error::new(ErrorKind::Overloaded, message).with_stage(Stage::NotSent));
        }
        state.open.insert(id, attempt.clone());
        Ok(())
    }

    fn raise(&self, attempt: &Opened) -> Result<()> {
        if let Some(open) = self.state().open.get_mut(&id(attempt)) {
            open.reserved = open.reserved.max(attempt.reserved);
        }
        Ok(())
    }

    fn close(&self, attempt: &Opened, ended: &Ended) -> Result<()> {
        let mut state = self.state();
        let id = id(attempt);
        state.open.remove(&id);
        if state.known.insert(id) {
            state.closed.push_back((attempt.clone(), ended.clone()));
        }
        while state.closed.len() > state.most {
            if let Some((oldest, _)) = state.closed.pop_front() {
                state.known.remove(&self::id(&oldest));
                state.forgotten += 1;
            }
        }
        Ok(())
    }

    fn spent(&self, of: &Filter) -> Result<Spent> {
        let state = self.state();
        let mut spent = Spent::default();
        for (_, ended) in state.closed.iter().filter(|(attempt, _)| of.has(attempt)) {
            match ended.cost {
                Some(cost) => spent.settled = spent.settled.saturating_add(cost.nano_usd),
                None => spent.unpriced += 1,
            }
        }
        for attempt in state.open.values().filter(|attempt| of.has(attempt)) {
            match attempt.reserved {
                Some(nano_usd) => spent.reserved = spent.reserved.saturating_add(nano_usd),
                None => spent.unpriced += 1,
            }
        }
        Ok(spent)
    }

    fn report(&self, of: &Filter, by: &[Dimension]) -> Result<Vec<Group>> {
        let state = self.state();
        let mut groups: BTreeMap<Vec<String>, Sums> = BTreeMap::new();
        for (attempt, ended) in state.closed.iter().filter(|(attempt, _)| of.has(attempt)) {
            let names = by.iter().map(|dimension| dimension.name_of(attempt)).collect();
            groups.entry(names).or_default().add(ended);
        }
        Ok(groups.into_iter().map(|(names, sums)| Group { names, ..sums.finish() }).collect())
    }
}

fn id(attempt: &Opened) -> Id {
    (attempt.call.clone(), attempt.attempt)
}

/// The sums of a group, and the totals that its usage needs where a provider stated one.
#[derive(Default)]
struct Sums {
    group: Group,
    input: Option<u64>,
    output: Option<u64>,
    is_input_stated: bool,
    is_output_stated: bool,
}

impl Sums {
    fn add(&mut self, ended: &Ended) {
        let group = &mut self.group;
        group.attempts += 1;
        group.failed += u64::from(ended.outcome != Outcome::Answered);
        match ended.cost {
            Some(cost) => group.nano_usd = group.nano_usd.saturating_add(cost.nano_usd),
            None => group.unpriced += 1,
        }
        group.latency = group.latency.saturating_add(ended.latency);
        add_known(&mut group.usage, &ended.usage);
        add(&mut self.input, ended.usage.input_total());
        add(&mut self.output, ended.usage.output_total());
        self.is_input_stated |= ended.usage.input_stated.is_some();
        self.is_output_stated |= ended.usage.output_stated.is_some();
    }

    fn finish(mut self) -> Group {
        self.group.usage.input_stated = self.input.filter(|_| self.is_input_stated);
        self.group.usage.output_stated = self.output.filter(|_| self.is_output_stated);
        self.group
    }
}

/// Adds what is known; what neither knows stays unknown.
fn add(sum: &mut Option<u64>, more: Option<u64>) {
    if let Some(more) = more {
        *sum = Some(sum.unwrap_or(0).saturating_add(more));
    }
}

fn add_known(sum: &mut Usage, more: &Usage) {
    add(&mut sum.input, more.input);
    add(&mut sum.cache_read, more.cache_read);
    add(&mut sum.cache_write, more.cache_write);
    add(&mut sum.cache_write_1h, more.cache_write_1h);
    add(&mut sum.audio_input, more.audio_input);
    add(&mut sum.image_input, more.image_input);
    add(&mut sum.output, more.output);
    add(&mut sum.reasoning, more.reasoning);
    add(&mut sum.audio_output, more.audio_output);
    add(&mut sum.image_output, more.image_output);
    for (tool, uses) in &more.tools {
        let sum = sum.tools.entry(tool.clone()).or_default();
        *sum = sum.saturating_add(*uses);
    }
    sum.estimated |= more.estimated;
}

impl Filter {
    /// Whether an attempt is one of these.
    pub(crate) fn has(&self, attempt: &Opened) -> bool {
        let is = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
        self.from.is_none_or(|from| attempt.time >= from)
            && self.until.is_none_or(|until| attempt.time < until)
            && is(&self.tenant, &attempt.tenant)
            && is(&self.key, &attempt.key)
            && is(&self.provider, &attempt.provider)
            && is(&self.model, &attempt.model)
            && self.tags.iter().all(|tag| attempt.tags.contains(tag))
    }
}

impl fmt::Debug for MemoryLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("MemoryLedger")
            .field("open", &state.open.len())
            .field("closed", &state.closed.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_oldest_are_forgotten_and_counted() {
        let ledger = MemoryLedger::with_rows(2);
        for at in 0..3 {
            let attempt = Opened { call: at.to_string().into(), ..Opened::default() };
            ledger.open(&attempt).expect("room");
            ledger.close(&attempt, &Ended::new(Outcome::Answered, Duration::ZERO)).expect("room");
        }
        assert_eq!((ledger.forgotten(), ledger.report(&Filter::default(), &[]).expect("here")[0].attempts), (1, 2));
        for at in 0..3 {
            let opened = ledger.open(&Opened { call: format!("open {at}").into(), ..Opened::default() });
            assert_eq!(opened.is_ok(), at < 2);
        }
    }
}
