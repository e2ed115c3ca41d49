//! What a provider says of its own limits, held to as if it were a rule of ours.

use std::time::Duration;

use sabir_core::chat::RateLimit;
use sabir_store::Rate;

use super::estimate::Need;
use super::reset;
use super::rule::What;

/// The limits of one place, as its answers tell them.
#[derive(Debug, Default)]
pub(super) struct Learned {
    buckets: [Bucket; KINDS.len()],
    /// Nothing goes before then: the provider said when to come again.
    closed: Duration,
    /// When the newest answer came that was learned from.
    newest: Option<Duration>,
}

/// The words of the headers, and what they count.
const KINDS: [(&str, What); 4] = [
    ("requests", What::Requests),
    ("tokens", What::Tokens),
    ("input-tokens", What::InputTokens),
    ("output-tokens", What::OutputTokens),
];

#[derive(Debug, Default)]
struct Bucket {
    rate: Option<Rate>,
    /// When it is full again, in nanoseconds.
    full: u64,
    /// Nothing of this kind goes before then.
    closed: Duration,
    /// How often the provider knew of more use than we did. What was taken before that is in its count already, and
    /// must not be given back from it.
    corrections: u64,
}

/// What was taken of one bucket: its mark, and the corrections at that time.
pub(super) type Marks = [(u64, u64); KINDS.len()];

/// An answer's headers, and when they came.
pub(super) struct Told<'a> {
    pub(super) limits: &'a [RateLimit],
    /// When to come again, where the provider refused.
    pub(super) retry_after: Option<Duration>,
    pub(super) at: Duration,
    pub(super) now: Duration,
    pub(super) since_1970: Option<Duration>,
}

/// Where a provider does not say what span its limit is for.
const MINUTE: Duration = Duration::from_secs(60);
/// The longest that a provider's word closes a place.
const DAY: Duration = Duration::from_secs(86_400);

impl Learned {
    /// Takes from every bucket or from none.
    pub(super) fn take(&mut self, need: &Need, now: Duration) -> Result<Marks, (What, Duration)> {
        if let Some(wait) = left(self.closed, now) {
            return Err((What::Requests, wait));
        }
        let mut marks = Marks::default();
        if self.newest.is_none() {
            return Ok(marks);
        }
        let mut longest = None;
        for ((bucket, mark), (_, what)) in self.buckets.iter().zip(&mut marks).zip(KINDS) {
            match bucket.take(need.amount(what), now) {
                Ok(full) => *mark = (full, bucket.corrections),
                Err(wait) if longest.is_none_or(|(_, longest)| wait > longest) => longest = Some((what, wait)),
                Err(_) => {}
            }
        }
        if let Some(longest) = longest {
            return Err(longest);
        }
        for (bucket, (full, _)) in self.buckets.iter_mut().zip(marks) {
            bucket.full = full;
        }
        Ok(marks)
    }

    /// Corrects the buckets for a call that took `taken` and used `used`.
    pub(super) fn settle(&mut self, marks: &Marks, taken: &Need, used: &Need, now: Duration) {
        if self.newest.is_none() {
            return;
        }
        for ((bucket, (mark, corrections)), (_, what)) in self.buckets.iter_mut().zip(marks).zip(KINDS) {
            let (taken, used) = (taken.amount(what), used.amount(what));
            if let Some(rate) = &bucket.rate
                && (used > taken || *corrections == bucket.corrections)
            {
                bucket.full = rate.settle(bucket.full, taken, used, *mark, nanos(now));
            }
        }
    }

    /// Learns from an answer, unless a newer one was learned from already.
    pub(super) fn observe(&mut self, told: &Told<'_>) {
        if let Some(wait) = told.retry_after {
            self.closed = self.closed.max(told.now + wait.min(DAY));
        }
        if self.newest.is_some_and(|newest| told.at < newest) {
            return;
        }
        self.newest = Some(told.at);
        for limit in told.limits {
            if let Some(kind) = KINDS.iter().position(|(name, _)| *name == limit.name) {
                self.buckets[kind].observe(limit, told);
            }
        }
    }
}

impl Bucket {
    fn take(&self, units: u64, now: Duration) -> Result<u64, Duration> {
        if units > 0
            && let Some(wait) = left(self.closed, now)
        {
            return Err(wait);
        }
        let Some(rate) = &self.rate else { return Ok(self.full) };
        rate.take(self.full, units, nanos(now)).map_err(Duration::from_nanos)
    }

    /// OpenAI and Groq say in how much time all that is used comes back, which is the rate; at a provider whose windows
    /// are fixed that is so where the window is nearly used up, and before that there is room anyway.
    fn observe(&mut self, limit: &RateLimit, told: &Told<'_>) {
        // A date is read against the present, anything else against when it was said.
        let written = limit.reset.as_deref();
        let left = match written.and_then(|text| reset::until(text, None)) {
            Some(left) => Some(left),
            None => written
                .and_then(|text| reset::until(text, told.since_1970))
                .map(|left| (told.now + left).saturating_sub(told.at)),
        };
        if limit.remaining == Some(0)
            && told.retry_after.is_none()
            && let Some(left) = left
        {
            self.closed = self.closed.max(told.at + left);
        }
        let Some(amount) = limit.limit.filter(|amount| *amount > 0) else { return };
        let used = amount.saturating_sub(limit.remaining.unwrap_or(amount));
        let rate = match (left, &self.rate) {
            (Some(left), _) if used > 0 && !left.is_zero() => Rate::new(used, left, amount),
            (_, Some(known)) if known.burst() == amount => *known,
            _ => Rate::new(amount, MINUTE, amount),
        };
        let now = nanos(told.now);
        if let Some(old) = self.rate
            && old != rate
        {
            let missing = old.missing(self.full, now);
            self.full = now.saturating_add(nanos(rate.refill(missing)));
        }
        self.rate = Some(rate);
        let full = nanos(told.at).saturating_add(nanos(rate.refill(used)));
        if full > self.full {
            (self.full, self.corrections) = (full, self.corrections + 1);
        }
    }
}

/// How long it is until then; `None` where it is over.
fn left(until: Duration, now: Duration) -> Option<Duration> {
    until.checked_sub(now).filter(|left| !left.is_zero())
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limit(name: &str, limit: u64, remaining: u64, reset: &str) -> RateLimit {
        RateLimit { name: name.into(), limit: Some(limit), remaining: Some(remaining), reset: Some(reset.into()) }
    }

    fn tell(learned: &mut Learned, limits: &[RateLimit], at: Duration) {
        learned.observe(&Told { limits, retry_after: None, at, now: at, since_1970: None });
    }

    fn need(requests: u64, input: u64) -> Need {
        Need { requests, input, output: 0 }
    }

    #[test]
    fn nothing_learned_lets_everything_through() {
        assert!(Learned::default().take(&need(1, u64::MAX), Duration::ZERO).is_ok());
    }

    #[test]
    fn the_rate_is_what_comes_back_in_the_time_to_the_reset() {
        let mut learned = Learned::default();
        // 60 a minute, 58 of them used.
        tell(&mut learned, &[limit("requests", 60, 2, "58s")], Duration::ZERO);
        assert!(learned.take(&need(2, 9), Duration::ZERO).is_ok());
        assert_eq!(learned.take(&need(1, 9), Duration::ZERO), Err((What::Requests, SECOND)));
        // A rate by the day: 14,400, 30 of them used, six seconds each.
        tell(&mut learned, &[limit("requests", 14_400, 14_370, "3m")], SECOND);
        let missing = learned.buckets[0].rate.expect("learned").missing(learned.buckets[0].full, nanos(SECOND));
        assert_eq!(missing, 59, "what was known of the use is still known");
        assert_eq!(learned.buckets[0].rate.expect("learned").refill(1), 6 * SECOND);
    }

    #[test]
    fn nothing_left_closes_until_the_reset_and_only_what_is_meant() {
        let mut learned = Learned::default();
        tell(&mut learned, &[limit("input-tokens", 1_000, 0, "20s")], Duration::ZERO);
        assert!(learned.take(&need(1, 0), Duration::ZERO).is_ok());
        let closed = (What::InputTokens, 10 * SECOND);
        assert_eq!(learned.take(&need(1, 1), 10 * SECOND), Err(closed));
        assert!(learned.take(&need(1, 1), 20 * SECOND).is_ok());
    }

    #[test]
    fn the_word_of_when_to_come_again_wins_over_the_reset() {
        let mut learned = Learned::default();
        let limits = [limit("requests", 60, 0, "60s")];
        let retry_after = Some(2 * SECOND);
        learned.observe(&Told { limits: &limits, retry_after, at: SECOND, now: SECOND, since_1970: None });
        assert_eq!(learned.take(&need(1, 0), SECOND), Err((What::Requests, 2 * SECOND)));
        assert!(learned.take(&need(1, 0), 3 * SECOND).is_ok());
    }

    #[test]
    fn what_is_old_or_without_sense_is_not_learned() {
        let mut learned = Learned::default();
        tell(&mut learned, &[limit("requests", 60, 59, "1s")], 5 * SECOND);
        tell(&mut learned, &[limit("requests", 60, 0, "60s")], SECOND);
        assert!(learned.take(&need(1, 0), 5 * SECOND).is_ok());
        let odd = [limit("requests", 0, u64::MAX, "?"), limit("tokens", u64::MAX, 0, ""), limit("seas", 7, 0, "9s")];
        tell(&mut learned, &odd, 6 * SECOND);
        assert!(learned.take(&need(1, 0), 6 * SECOND).is_ok());
    }

    #[test]
    fn what_the_provider_knows_of_already_is_not_given_back() {
        let mut learned = Learned::default();
        tell(&mut learned, &[limit("input-tokens", 600, 600, "0s")], Duration::ZERO);
        let taken = need(1, 500);
        let marks = learned.take(&taken, Duration::ZERO).expect("room");
        let mut again = learned.buckets[2].full;
        learned.settle(&marks, &taken, &need(1, 400), Duration::ZERO);
        assert!(learned.buckets[2].full < again);
        let marks = learned.take(&need(1, 100), Duration::ZERO).expect("room");
        tell(&mut learned, &[limit("input-tokens", 600, 20, "58s")], Duration::ZERO);
        again = learned.buckets[2].full;
        learned.settle(&marks, &need(1, 100), &need(1, 10), Duration::ZERO);
        assert_eq!(learned.buckets[2].full, again);
    }
}
