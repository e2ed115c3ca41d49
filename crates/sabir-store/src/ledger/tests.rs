//! What every ledger has to do; each implementation runs [`suite`], and [`agree`] beside the one in memory.

use std::time::Duration;

use sabir_core::ErrorKind;
use sabir_core::chat::{Cost, CostBasis, Item, Line, Receipt};

use super::*;

/// Numbers that look random and are the same in every run (Marsaglia's xorshift).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("below")
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn some(&mut self, below: u64) -> Option<u64> {
        let number = self.next();
        (number & 3 != 0).then(|| (number >> 2) % below)
    }
}

/// The last day of 2026, at noon.
const NOON: u64 = 1_798_718_400;
const NAMES: [&str; 4] = ["", "acme", "it's \"odd\"", "größe"];

pub(crate) fn attempt(random: &mut Random, call: usize) -> Opened {
    let mut attempt = Opened { call: format!("call {call}").into(), ..Opened::default() };
    attempt.attempt = u32::try_from(random.below(3)).expect("small");
    attempt.time =
        Duration::new(NOON + random.next() % (40 * 86_400), u32::try_from(random.below(1_000)).expect("small"));
    attempt.tenant = random.one(&NAMES).into();
    attempt.key = random.one(&["", "main", "spare"]).into();
    attempt.provider = random.one(&["openai", "anthropic"]).into();
    attempt.model = random.one(&["small", "large"]).into();
    let tags = random.below(3);
    let tag = |_| (random.one(&["team", "a.b", "\"q\""]).to_owned(), random.one(&NAMES).to_owned());
    attempt.tags = (0..tags).map(tag).collect();
    attempt.reserved = random.some(1 << 40);
    attempt
}

pub(crate) fn ended(random: &mut Random) -> Ended {
    let outcome = match random.below(5) {
        0 => Outcome::Failed([ErrorKind::RateLimit, ErrorKind::Truncated][random.below(2)]),
        1 => Outcome::Cut,
        2 => Outcome::Dropped,
        _ => Outcome::Answered,
    };
    let mut ended = Ended::new(outcome, Duration::from_nanos(random.next() >> 20));
    let usage = &mut ended.usage;
    (usage.input, usage.output, usage.cache_read) = (random.some(1 << 20), random.some(1 << 20), random.some(100));
    (usage.cache_write_1h, usage.reasoning, usage.image_output) =
        (random.some(9), random.some(1 << 10), random.some(2));
    usage.estimated = random.below(2) == 0;
    if random.below(4) == 0 {
        (usage.input_stated, usage.output_stated) = (random.some(1 << 20), random.some(1 << 20));
        usage.tools.insert(random.one(&["web_search", "code's"]).to_owned(), random.next() >> 50);
    }
    let bases = [CostBasis::Reported, CostBasis::ListPrice, CostBasis::Estimate];
    ended.cost = random.some(1 << 40).map(|nano_usd| Cost { nano_usd, basis: bases[random.below(3)] });
    if random.below(2) == 0 {
        let mut line = Line::new(Item::Input, random.some(1 << 20), random.some(1 << 30));
        line.attempt = random.some(3).map(|at| usize::try_from(at).expect("small"));
        let tool = Line::new(Item::Tool("web_search".into()), Some(1), Some(10_000_000));
        ended.receipt = Some(Receipt::new(vec![line, tool], "2026-11-21", ended.cost));
    }
    ended.first_event = random.some(1 << 30).map(Duration::from_nanos);
    ended
}

fn one(call: &str, second: u64, reserved: Option<u64>) -> Opened {
    Opened { call: call.into(), time: Duration::from_secs(NOON + second), reserved, ..Opened::default() }
}

fn cost(nano_usd: Option<u64>) -> Ended {
    let mut ended = Ended::new(Outcome::Answered, Duration::from_secs(2));
    ended.cost = nano_usd.map(|nano_usd| Cost { nano_usd, basis: CostBasis::ListPrice });
    ended
}

/// What a fresh ledger does.
pub(crate) fn suite(ledger: &dyn Ledger) {
    let all = Filter::default();
    let spent = |of: &Filter| {
        let Spent { settled, reserved, unpriced } = ledger.spent(of).expect("readable");
        (settled, reserved, unpriced)
    };
    assert_eq!(spent(&all), (0, 0, 0));
    assert_eq!(ledger.report(&all, &[]).expect("readable"), [], "a group of nothing is no group");

    // An open attempt counts with its reservation until it is closed, once.
    let mut first = one("a", 0, Some(100));
    first.tags = [("team".into(), "red".into()), ("job".into(), "1".into())].into();
    ledger.open(&first).expect("written");
    ledger.open(&first).expect("written");
    ledger.open(&one("unpriced", 1, None)).expect("written");
    assert_eq!(spent(&all), (0, 100, 1));
    // It may be raised, and only that.
    let raise = |attempt: &Opened, reserved| ledger.raise(&Opened { reserved, ..attempt.clone() }).expect("written");
    raise(&first, Some(250));
    raise(&first, Some(120));
    raise(&one("never opened", 2, None), Some(9));
    assert_eq!(spent(&all), (0, 250, 1));
    assert_eq!(ledger.report(&all, &[]).expect("readable"), [], "what is open is in no report");
    ledger.close(&first, &cost(Some(30))).expect("written");
    ledger.close(&first, &cost(Some(31))).expect("written");
    ledger.open(&first).expect("written");
    raise(&first, Some(500));
    assert_eq!(spent(&all), (30, 0, 1), "closed once, and never again");
    ledger.close(&one("never opened", 2, Some(9)), &cost(None)).expect("written");
    ledger.close(&Opened { attempt: 1, ..first.clone() }, &cost(Some(12))).expect("written");
    assert_eq!(spent(&all), (42, 0, 2));

    // Filters: from a time on, before a time, by every name.
    let at = |second: u64| Some(Duration::from_secs(NOON + second));
    assert_eq!(spent(&Filter { from: at(1), ..Filter::default() }), (0, 0, 2));
    assert_eq!(spent(&Filter { until: at(1), ..Filter::default() }), (42, 0, 0));
    assert_eq!(spent(&Filter { tenant: Some("acme".into()), ..Filter::default() }), (0, 0, 0));
    assert_eq!(spent(&Filter { tenant: Some(String::new()), ..Filter::default() }), (42, 0, 2));
    let tagged = |tags: &[(&str, &str)]| Filter {
        tags: tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..Filter::default()
    };
    assert_eq!(spent(&tagged(&[("team", "red"), ("job", "1")])), (42, 0, 0));
    assert_eq!(spent(&tagged(&[("team", "red"), ("job", "2")])), (0, 0, 0));

    let groups = ledger.report(&all, &[Dimension::Day(12 * 3_600), Dimension::Tag("team".into())]).expect("readable");
    let told: Vec<_> = groups.iter().map(|g| (g.names.join(" "), g.attempts, g.nano_usd, g.unpriced)).collect();
    assert_eq!(told, [("2027-01-01 ".to_owned(), 1, 0, 1), ("2027-01-01 red".to_owned(), 2, 42, 0)]);
    assert_eq!(groups[1].latency, Duration::from_secs(4));

    // A hostile counter neither overflows nor makes the rest unreadable.
    let mut hostile = cost(Some(u64::MAX));
    (hostile.usage.input, hostile.usage.cache_read, hostile.usage.input_stated) =
        (Some(u64::MAX), Some(u64::MAX), Some(u64::MAX));
    hostile.usage.tools.insert("t".into(), u64::MAX);
    hostile.latency = Duration::MAX;
    let far = Opened { call: "hostile".into(), attempt: u32::MAX, time: Duration::MAX, ..Opened::default() };
    for at in 0..3 {
        ledger.close(&Opened { attempt: u32::MAX - at, ..far.clone() }, &hostile).expect("written");
    }
    assert!(spent(&all).0 >= 1 << 62);
    let group = &ledger.report(&Filter { from: at(9), ..Filter::default() }, &[]).expect("readable")[0];
    assert!(group.attempts == 3 && group.nano_usd >= 1 << 62 && group.usage.input_total() >= Some(1 << 56));
}

/// Two fresh ledgers that are told the same say the same.
pub(crate) fn agree(mine: &dyn Ledger, other: &dyn Ledger, seed: u64) {
    let mut random = Random(seed);
    let mut open = Vec::new();
    for call in 0..400 {
        let attempt = attempt(&mut random, call);
        if random.below(8) > 0 {
            mine.open(&attempt).and_then(|()| other.open(&attempt)).expect("written");
            open.push(attempt);
        } else {
            let ended = ended(&mut random);
            mine.close(&attempt, &ended).and_then(|()| other.close(&attempt, &ended)).expect("written");
        }
        if random.below(4) == 0 && !open.is_empty() {
            let at = random.below(open.len());
            open[at].reserved = random.some(1 << 40);
            mine.raise(&open[at]).and_then(|()| other.raise(&open[at])).expect("written");
        }
        while random.below(2) == 0 && !open.is_empty() {
            let (attempt, ended) = (open.swap_remove(random.below(open.len())), ended(&mut random));
            mine.close(&attempt, &ended).and_then(|()| other.close(&attempt, &ended)).expect("written");
        }
        if call % 20 == 0 {
            same(mine, other, &mut random);
        }
    }
    for _ in 0..100 {
        same(mine, other, &mut random);
    }
}

/// Asks both the same.
fn same(mine: &dyn Ledger, other: &dyn Ledger, random: &mut Random) {
    let of = filter(random);
    let by: Vec<_> = (0..random.below(4)).map(|_| dimension(random)).collect();
    assert_eq!(mine.spent(&of), other.spent(&of), "{of:?}");
    assert_eq!(mine.report(&of, &by), other.report(&of, &by), "{of:?} by {by:?}");
}

fn filter(random: &mut Random) -> Filter {
    let mut filter = Filter::default();
    let time = |random: &mut Random| random.some(40 * 86_400).map(|second| Duration::from_secs(NOON + second));
    (filter.from, filter.until) = (time(random), time(random));
    if random.below(3) == 0 {
        let attempt = attempt(random, 0);
        let mut maybe = |name: &str| (random.below(2) == 0).then(|| name.to_owned());
        (filter.tenant, filter.key) = (maybe(&attempt.tenant), maybe(&attempt.key));
        (filter.provider, filter.model) = (maybe(&attempt.provider), maybe(&attempt.model));
        filter.tags = attempt.tags.iter().take(random.below(3)).cloned().collect();
    }
    filter
}

fn dimension(random: &mut Random) -> Dimension {
    let east = [0, 3_600, -18_000][random.below(3)];
    match random.below(7) {
        0 => Dimension::Day(east),
        1 => Dimension::Month(east),
        2 => Dimension::Provider,
        3 => Dimension::Model,
        4 => Dimension::Key,
        5 => Dimension::Tenant,
        _ => Dimension::Tag(["team", "a.b", "\"q\""][random.below(3)].into()),
    }
}

#[test]
fn memory_keeps_to_it() {
    suite(&MemoryLedger::default());
    agree(&MemoryLedger::default(), &MemoryLedger::default(), 3);
}
