//! Telling of the attempts before the one that ended a call.

use sabir_core::chat::Attempt;
use sabir_core::{Call, Error, Reply};

use crate::{End, Watch, watch};

/// Puts attempts before those that the reply tells of at its end.
pub(crate) fn tell(reply: Reply, attempts: Vec<Attempt>) -> Reply {
    if attempts.is_empty() { reply } else { watch(reply, Before(attempts)) }
}

/// Writes down the attempt that ended in this error, after those that the error tells of.
pub(crate) fn note(attempts: &mut Vec<Attempt>, call: &Call, model: &str, error: &Error) {
    attempts.extend_from_slice(error.attempts());
    attempts.push(Attempt::failed(call, model, error));
    call.trail.fails();
}

/// The number of the next attempt of a call that began with this one.
pub(crate) fn number(first: u32, attempts: &[Attempt]) -> u32 {
    first.saturating_add(u32::try_from(attempts.len()).unwrap_or(u32::MAX))
}

struct Before(Vec<Attempt>);

impl Watch for Before {
    fn end(&mut self, end: End<'_>) {
        let attempts = std::mem::take(&mut self.0);
        match end {
            End::Answer(response) => drop(response.attempts.splice(0..0, attempts)),
            End::Failed(error) => *error = error.clone().with_attempts(attempts),
            End::Other | End::Dropped => {}
        }
    }
}
