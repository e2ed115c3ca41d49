//! What was spent before this process began.

use std::sync::Arc;
use std::time::Duration;

use sabir_core::chat::Notice;
use sabir_core::{Error, ErrorKind, Result, Stage};
use sabir_store::{Dimension, Filter, Ledger};
use tokio::sync::oneshot;

use super::Spend;
use super::purse::{Fund, Purse};

/// How many pieces of a sliding window are asked for, so that what was spent at its start is forgotten first.
const PIECES: u32 = 12;

impl Spend {
    /// Puts into the store what the ledger has of a purse from before this process began, once.
    pub(super) async fn load(
        &self,
        fund: &Fund,
        purse: &Arc<Purse>,
        now: Duration,
        notices: &mut Vec<Notice>,
    ) -> Result<()> {
        let ledger = self.ledger.as_ref().filter(|_| self.loads && purse.from < self.born);
        let Some(ledger) = ledger else {
            purse.loaded.get_or_init(|| async {}).await;
            return Ok(());
        };
        let load = || async {
            for (at, spent) in read(ledger, pieces(purse, self.born)).await? {
                self.store.settle(&purse.level, spent, at.min(now));
            }
            Ok(())
        };
        let Err(error) = purse.loaded.get_or_try_init(load).await else { return Ok(()) };
        let error: Error = error;
        let reason = format!("what was spent of the budget of {} cannot be read: {}", fund.budget, error.message());
        if fund.budget.refuses_without_ledger() {
            return Err(Error::new(error.kind(), reason).with_stage(Stage::NotSent));
        }
        tracing::warn!("{reason}");
        notices.push(Notice::Unrecorded { reason });
        Ok(())
    }
}

/// The rows to be asked for, and when what they come to is taken to have been spent.
fn pieces(purse: &Purse, born: Duration) -> Vec<(Filter, Option<String>, Duration)> {
    let (filter, without) = &purse.rows;
    let (count, length) = match purse.until {
        Some(_) => (1, born.saturating_sub(purse.from)),
        None => (PIECES, born.saturating_sub(purse.from) / PIECES),
    };
    let piece = |at: u32| {
        let mut filter = filter.clone();
        let until = if at + 1 == count { born } else { purse.from + length * (at + 1) };
        (filter.from, filter.until) = (Some(purse.from + length * at), Some(until));
        (filter, without.clone(), until)
    };
    (0..count).map(piece).collect()
}

/// Reads the ledger in a thread of its own: it may be on a disk. Attempts that are open are of other processes, or of one
/// that died: they count with what was reserved for them.
async fn read(
    ledger: &Arc<dyn Ledger>,
    pieces: Vec<(Filter, Option<String>, Duration)>,
) -> Result<Vec<(Duration, u64)>> {
    let (ledger, (tell, told)) = (ledger.clone(), oneshot::channel());
    let spent = move |filter: &Filter, without: Option<String>| -> Result<u64> {
        let Some(tag) = without else {
            let spent = ledger.spent(filter)?;
            return Ok(spent.settled.saturating_add(spent.reserved));
        };
        let groups = ledger.report(filter, &[Dimension::Tag(tag)])?;
        let unlabelled = groups.iter().filter(|group| group.names.iter().all(String::is_empty));
        Ok(unlabelled.fold(0, |sum, group| sum.saturating_add(group.nano_usd)))
    };
    let all = move || {
        let read = pieces.into_iter().map(|(filter, without, at)| Ok((at, spent(&filter, without)?))).collect();
        // Who asked may have gone.
        let _ = tell.send(read);
    };
    let failed = || Error::new(ErrorKind::Configuration, "no thread could be started to read the ledger");
    std::thread::Builder::new().name("sabir-ledger".into()).spawn(all).map_err(|_| failed())?;
    told.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Provider, "the ledger panicked")))
}
