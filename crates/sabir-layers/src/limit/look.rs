//! Limits that are looked at, and not used.

use std::sync::Arc;

use sabir_core::{Call, Request, Result};

use super::estimate::Need;
use super::permit::Permit;
use super::{Limits, wait};
use crate::Place;

impl Limits {
    /// Whether a call would go through at once, without a wait; what was taken to find out is there again.
    ///
    /// # Errors
    /// The error of a call that may not wait.
    pub async fn would_admit(&self, call: &Call, request: &Request) -> Result<()> {
        let need = Need::of(call, request, &self.count, self.reserve);
        let at_once = Arc::new(self.clone().refuse());
        let mut permit = Permit::new(at_once, self.lane(call, request), need);
        wait::admit(&mut permit).await?;
        permit.give_back();
        Ok(())
    }

    /// The limits that hold for a call, in words.
    pub(super) fn concerning(&self, call: &Call, request: &Request) -> Vec<String> {
        let place = Place::of(call, request);
        let rules = self.rules.iter().chain(self.of_labels(call));
        rules.filter(|rule| rule.group(&place).is_some()).map(ToString::to_string).collect()
    }
}
