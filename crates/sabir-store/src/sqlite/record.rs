//! One line of a journal: an attempt that was opened, one for which more was reserved, or one that was closed.
//!
//! A record is a checksum over all that follows it, the length of what follows the head, and that: the payload. Heads are
//! two `u32` and the checksum is the CRC-32 of IEEE 802.3, little-endian. In the payload a number is one byte where it is
//! less than 247, else a byte that says how many follow (248 for one, 255 for eight), little-endian; 247 is an unknown
//! one. Texts have their length before them. A closed attempt is written with all that was written when it was opened: so
//! either record can be understood without the other.

use std::cell::Cell;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use sabir_core::chat::{Cost, CostBasis, Item, Line, Receipt, Usage};
use sabir_core::{Error, ErrorKind, Result, Stage};
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use serde::de::value::Error as WordError;

use crate::{Ended, Opened, Outcome};

/// What stands before a payload.
pub(super) const HEAD: usize = 8;
/// The longest payload; a length beyond it is damage.
pub(super) const MOST: usize = 64 * 1024;
/// The most that the names and labels of an attempt may come to, so that its end always has room beside them.
const MOST_OPENED: usize = 16 * 1024;

/// In place of a number that is unknown; what is more says how long a number is.
const UNKNOWN: u8 = 247;

const OPENED: u8 = 1;
const CLOSED: u8 = 2;
const RAISED: u8 = 3;

/// The bytes of a record. Each thread writes all of its records into the same memory.
#[derive(Debug)]
pub(super) struct Bytes(Vec<u8>);

thread_local! {
    static LENT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What nearly every record has room in; more is given back.
const ROOM: usize = 1024;

impl Bytes {
    fn new() -> Self {
        // At a thread's very end its memory is gone.
        let mut bytes = LENT.try_with(Cell::take).unwrap_or_default();
        bytes.clear();
        bytes.reserve(ROOM);
        Self(bytes)
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.0);
        if bytes.capacity() <= 2 * ROOM {
            let _ = LENT.try_with(|lent| lent.set(bytes));
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// What a payload says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Record {
    Opened(Opened),
    Raised(Raised),
    Closed(Opened, Box<Ended>),
}

/// For an attempt that was opened, more is reserved.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Raised {
    pub call: Arc<str>,
    pub attempt: u32,
    pub reserved: Option<u64>,
}

/// The record of an attempt that is opened.
pub(super) fn opened(attempt: &Opened) -> Result<Bytes> {
    let mut bytes = begin(OPENED, attempt)?;
    finish(&mut bytes.0);
    Ok(bytes)
}

/// The record of an attempt for which more is reserved.
pub(super) fn raised(attempt: &Opened) -> Bytes {
    let mut record = Bytes::new();
    let bytes = &mut record.0;
    bytes.extend_from_slice(&[0; HEAD]);
    bytes.push(RAISED);
    put_text(bytes, &attempt.call);
    put(bytes, attempt.attempt.into());
    put_known(bytes, attempt.reserved);
    finish(bytes);
    record
}

/// The record of an attempt that is closed. Where a receipt or a provider's list of its own tools is beyond all measure,
/// it is left out: the cost is not.
pub(super) fn closed(attempt: &Opened, ended: &Ended) -> Result<Bytes> {
    let mut record = begin(CLOSED, attempt)?;
    let bytes = &mut record.0;
    let start = bytes.len();
    for (receipt, tools) in [(true, true), (false, true), (false, false)] {
        put_ended(bytes, ended, receipt, tools);
        if bytes.len() <= HEAD + MOST {
            break;
        }
        bytes.truncate(start);
    }
    finish(bytes);
    Ok(record)
}

/// What stands at the front of these bytes of a journal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    /// A payload.
    Whole(&'a [u8]),
    /// The beginning of a record, or nothing.
    Short,
    /// No record.
    Damaged,
}

pub(super) fn next(bytes: &[u8]) -> Next<'_> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else { return Next::Short };
    let [a, b, c, d, length @ ..] = *head;
    let (sum, length) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes(length) as usize);
    if length > MOST {
        return Next::Damaged;
    }
    match rest.get(..length) {
        None => Next::Short,
        Some(payload) if crc32fast::hash(&bytes[4..HEAD + length]) == sum => Next::Whole(payload),
        Some(_) => Next::Damaged,
    }
}

/// What a payload says; `None` where it was not written by this version.
pub(super) fn read(payload: &[u8]) -> Option<Record> {
    let mut from = Reader(payload);
    let record = match from.byte()? {
        OPENED => Record::Opened(from.opened()?),
        RAISED => Record::Raised(from.raised()?),
        CLOSED => Record::Closed(from.opened()?, Box::new(from.ended()?)),
        _ => return None,
    };
    from.0.is_empty().then_some(record)
}

/// Nanoseconds, as far as they go: to the year 2554.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn begin(kind: u8, attempt: &Opened) -> Result<Bytes> {
    let mut record = Bytes::new();
    let bytes = &mut record.0;
    bytes.extend_from_slice(&[0; HEAD]);
    bytes.push(kind);
    put_text(bytes, &attempt.call);
    put(bytes, attempt.attempt.into());
    put(bytes, nanos(attempt.time));
    for text in [&attempt.tenant, &attempt.key, &attempt.provider, &attempt.model] {
        put_text(bytes, text);
    }
    put(bytes, attempt.tags.len() as u64);
    for (name, value) in &*attempt.tags {
        put_text(bytes, name);
        put_text(bytes, value);
    }
    put_known(bytes, attempt.reserved);
    if bytes.len() <= HEAD + MOST_OPENED {
        return Ok(record);
    }
    let message = "the names and labels of a call are too long for the ledger: 16 KB are the most";
    Err(Error::new(ErrorKind::InvalidRequest, message).with_stage(Stage::NotSent))
}

fn finish(bytes: &mut [u8]) {
    let length = u32::try_from(bytes.len() - HEAD).expect("a payload has at most 64 KB").to_le_bytes();
    bytes[4..HEAD].copy_from_slice(&length);
    let sum = crc32fast::hash(&bytes[4..]).to_le_bytes();
    bytes[..4].copy_from_slice(&sum);
}

/// Without a loop: most of what a record costs its writer are numbers.
#[inline]
fn put(bytes: &mut Vec<u8>, number: u64) {
    if number < u64::from(UNKNOWN) {
        return bytes.push(number.to_le_bytes()[0]);
    }
    let spare = number.leading_zeros() / 8;
    let mut long = [0; 9];
    long[0] = UNKNOWN + (8 - spare).to_le_bytes()[0];
    long[1..].copy_from_slice(&number.to_le_bytes());
    bytes.extend_from_slice(&long);
    bytes.truncate(bytes.len() - spare as usize);
}

#[inline]
fn put_known(bytes: &mut Vec<u8>, number: Option<u64>) {
    match number {
        Some(number) => put(bytes, number),
        None => bytes.push(UNKNOWN),
    }
}

#[inline]
fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put(bytes, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

fn put_ended(bytes: &mut Vec<u8>, ended: &Ended, with_receipt: bool, with_tools: bool) {
    match ended.outcome {
        Outcome::Answered => bytes.push(0),
        Outcome::Failed(kind) => {
            bytes.push(1);
            put_text(bytes, kind.as_str());
        }
        Outcome::Cut => bytes.push(2),
        Outcome::Dropped => bytes.push(3),
        Outcome::Lost => bytes.push(4),
    }
    put_usage(bytes, &ended.usage, with_tools);
    put_cost(bytes, ended.cost);
    let receipt = ended.receipt.as_ref().filter(|_| with_receipt);
    bytes.push(receipt.is_some().into());
    if let Some(receipt) = receipt {
        put_receipt(bytes, receipt);
    }
    put_known(bytes, ended.first_event.map(nanos));
    put(bytes, nanos(ended.latency));
}

fn put_usage(bytes: &mut Vec<u8>, usage: &Usage, with_tools: bool) {
    let known = buckets(usage);
    let bits = known.iter().enumerate().fold(0, |bits, (at, n)| bits | u64::from(n.is_some()) << at);
    put(bytes, bits << 1 | u64::from(usage.estimated));
    known.into_iter().flatten().for_each(|number| put(bytes, number));
    let tools = if with_tools { usage.tools.len() } else { 0 };
    put(bytes, tools as u64);
    for (tool, uses) in usage.tools.iter().take(tools) {
        put_text(bytes, tool);
        put(bytes, *uses);
    }
}

/// The counters of a usage, in the order of [`super::schema::BUCKETS`].
pub(super) fn buckets(usage: &Usage) -> [Option<u64>; 12] {
    [
        usage.input, usage.cache_read, usage.cache_write, usage.cache_write_1h, usage.audio_input, usage.image_input,
        usage.output, usage.reasoning, usage.audio_output, usage.image_output, usage.input_stated, usage.output_stated,
    ]
}

/// The usage with these counters.
pub(super) fn usage_of(buckets: [Option<u64>; 12]) -> Usage {
    let mut usage = Usage::default();
    let places = [
        &mut usage.input, &mut usage.cache_read, &mut usage.cache_write, &mut usage.cache_write_1h,
        &mut usage.audio_input, &mut usage.image_input, &mut usage.output, &mut usage.reasoning,
        &mut usage.audio_output, &mut usage.image_output, &mut usage.input_stated, &mut usage.output_stated,
    ];
    places.into_iter().zip(buckets).for_each(|(place, number)| *place = number);
    usage
}

fn put_cost(bytes: &mut Vec<u8>, cost: Option<Cost>) {
    let Some(cost) = cost else { return bytes.push(0) };
    bytes.push(match cost.basis {
        CostBasis::Reported => 1,
        CostBasis::ListPrice => 2,
        // What is not known here is trusted least.
        _ => 3,
    });
    put(bytes, cost.nano_usd);
}

/// Total and basis follow from what is written.
fn put_receipt(bytes: &mut Vec<u8>, receipt: &Receipt) {
    put_text(bytes, &receipt.prices);
    put_cost(bytes, receipt.reported);
    put(bytes, receipt.lines.len() as u64);
    for line in &receipt.lines {
        let place = place_of(&line.what);
        bytes.push(place);
        if usize::from(place) == ITEMS.len() {
            put_text(bytes, &serde_json::to_string(&line.what).unwrap_or_default());
        }
        bytes.push(line.estimated.into());
        put_known(bytes, line.attempt.map(|attempt| attempt as u64));
        put_known(bytes, line.quantity);
        put_known(bytes, line.unit_price);
        put_known(bytes, line.nano_usd);
    }
}

/// Items that are written as their place here; others as JSON. Only ever added to.
const ITEMS: [Item; 11] = [
    Item::Input,
    Item::CacheRead,
    Item::CacheWrite,
    Item::CacheWrite1h,
    Item::AudioInput,
    Item::ImageInput,
    Item::Output,
    Item::Reasoning,
    Item::AudioOutput,
    Item::ImageOutput,
    Item::Attempt,
];

/// The place among [`ITEMS`]; their number where it is none of them.
fn place_of(item: &Item) -> u8 {
    match item {
        Item::Input => 0,
        Item::CacheRead => 1,
        Item::CacheWrite => 2,
        Item::CacheWrite1h => 3,
        Item::AudioInput => 4,
        Item::ImageInput => 5,
        Item::Output => 6,
        Item::Reasoning => 7,
        Item::AudioOutput => 8,
        Item::ImageOutput => 9,
        Item::Attempt => 10,
        _ => 11,
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        self.known()?
    }

    /// What may be unknown: `None` inside where it is.
    #[expect(clippy::option_option, reason = "the outer one says whether it could be read, as everywhere here")]
    fn known(&mut self) -> Option<Option<u64>> {
        let first = self.byte()?;
        let Some(length) = first.checked_sub(UNKNOWN) else { return Some(Some(first.into())) };
        let (bytes, rest) = self.0.split_at_checked(length.into())?;
        self.0 = rest;
        let mut whole = [0; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        Some((length > 0).then_some(u64::from_le_bytes(whole)))
    }

    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn owned(&mut self) -> Option<String> {
        self.text().map(str::to_owned)
    }

    fn shared(&mut self) -> Option<Arc<str>> {
        self.text().map(Arc::from)
    }

    fn opened(&mut self) -> Option<Opened> {
        let mut attempt = Opened {
            call: self.shared()?,
            attempt: u32::try_from(self.number()?).ok()?,
            time: Duration::from_nanos(self.number()?),
            tenant: self.shared()?,
            key: self.shared()?,
            provider: self.shared()?,
            model: self.shared()?,
            ..Opened::default()
        };
        let mut tags = Vec::new();
        for _ in 0..self.number()? {
            tags.push((self.owned()?, self.owned()?));
        }
        attempt.tags = tags.into();
        attempt.reserved = self.known()?;
        Some(attempt)
    }

    fn raised(&mut self) -> Option<Raised> {
        let (call, attempt) = (self.shared()?, u32::try_from(self.number()?).ok()?);
        Some(Raised { call, attempt, reserved: self.known()? })
    }

    fn ended(&mut self) -> Option<Ended> {
        let outcome = match self.byte()? {
            0 => Outcome::Answered,
            1 => Outcome::Failed(kind(self.text()?)?),
            2 => Outcome::Cut,
            3 => Outcome::Dropped,
            4 => Outcome::Lost,
            _ => return None,
        };
        let mut ended = Ended::new(outcome, Duration::ZERO);
        ended.usage = self.usage()?;
        ended.cost = self.cost()?;
        if self.flag()? {
            ended.receipt = Some(self.receipt()?);
        }
        ended.first_event = self.known()?.map(Duration::from_nanos);
        ended.latency = Duration::from_nanos(self.number()?);
        Some(ended)
    }

    fn usage(&mut self) -> Option<Usage> {
        let bits = self.number()?;
        let mut known = [None; 12];
        for (at, bucket) in known.iter_mut().enumerate() {
            if bits >> (at + 1) & 1 == 1 {
                *bucket = Some(self.number()?);
            }
        }
        let mut usage = usage_of(known);
        usage.estimated = bits & 1 == 1;
        for _ in 0..self.number()? {
            usage.tools.insert(self.owned()?, self.number()?);
        }
        Some(usage)
    }

    #[expect(clippy::option_option, reason = "as above")]
    fn cost(&mut self) -> Option<Option<Cost>> {
        let basis = match self.byte()? {
            0 => return Some(None),
            1 => CostBasis::Reported,
            2 => CostBasis::ListPrice,
            3 => CostBasis::Estimate,
            _ => return None,
        };
        Some(Some(Cost { nano_usd: self.number()?, basis }))
    }

    fn receipt(&mut self) -> Option<Receipt> {
        let (prices, reported) = (self.owned()?, self.cost()?);
        let mut lines = Vec::new();
        for _ in 0..self.number()? {
            let what = match ITEMS.get(usize::from(self.byte()?)) {
                Some(item) => item.clone(),
                None => serde_json::from_str(self.text()?).ok()?,
            };
            let estimated = self.flag()?;
            let attempt = self.known()?.map(usize::try_from).transpose().ok()?;
            let (quantity, unit_price, nano_usd) = (self.known()?, self.known()?, self.known()?);
            lines.push(Line { what, attempt, quantity, unit_price, nano_usd, estimated });
        }
        Some(Receipt::new(lines, prices, reported))
    }
}

fn kind(word: &str) -> Option<ErrorKind> {
    let word: serde::de::value::StrDeserializer<'_, WordError> = word.into_deserializer();
    ErrorKind::deserialize(word).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::{Random, attempt, ended};

    #[test]
    fn what_is_written_is_read() {
        let mut random = Random(7);
        for at in 0..2_000 {
            let (attempt, ended) = (attempt(&mut random, at), ended(&mut random));
            let Opened { call, attempt: number, reserved, .. } = attempt.clone();
            for (bytes, record) in [
                (opened(&attempt), Record::Opened(attempt.clone())),
                (Ok(raised(&attempt)), Record::Raised(Raised { call, attempt: number, reserved })),
                (closed(&attempt, &ended), Record::Closed(attempt, Box::new(ended))),
            ] {
                let bytes = bytes.expect("fits");
                let Next::Whole(payload) = next(&bytes) else { panic!("{bytes:?}") };
                assert_eq!(payload.len() + HEAD, bytes.len());
                assert_eq!(read(payload), Some(record));
                for end in 0..payload.len() {
                    assert_eq!(read(&payload[..end]), None, "cut at {end}");
                }
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let mut random = Random(8);
        let bytes = closed(&attempt(&mut random, 1), &ended(&mut random)).expect("fits");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(next(&flipped), Next::Whole(_)), "bit {bit}");
        }
        assert_eq!(next(&[0; 100]), Next::Damaged, "a block that was never written");
    }

    #[test]
    fn hostile_payloads_are_no_records() {
        let mut random = Random(9);
        let bytes = closed(&attempt(&mut random, 1), &ended(&mut random)).expect("fits");
        for _ in 0..20_000 {
            let mut payload = bytes[HEAD..].to_vec();
            for _ in 0..3 {
                let at = random.below(payload.len());
                payload[at] = random.next().to_le_bytes()[0];
            }
            // Whatever comes of it: no panic, and no memory beyond its length.
            if let Some(Record::Opened(attempt) | Record::Closed(attempt, _)) = read(&payload) {
                assert!(attempt.call.len() <= payload.len());
            }
        }
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[2, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1]), None, "a text beyond its record");
    }

    #[test]
    fn numbers_of_every_length_and_items_of_every_kind() {
        let numbers = (0..64).flat_map(|bits| [(1_u64 << bits) - 1, 1 << bits, u64::MAX >> bits]).chain(240..260);
        for number in numbers.map(Some).chain([None]) {
            let mut bytes = Vec::new();
            put_known(&mut bytes, number);
            assert_eq!(Reader(&bytes).known(), Some(number), "{bytes:?}");
            assert!(bytes.len() <= 9);
        }
        for (place, item) in ITEMS.iter().enumerate() {
            assert_eq!(usize::from(place_of(item)), place, "{item:?}");
        }
        assert_eq!(usize::from(place_of(&Item::Tool("t".into()))), ITEMS.len());
    }

    #[test]
    fn what_is_beyond_all_measure_is_left_out_or_refused() {
        let mut attempt = attempt(&mut Random(1), 1);
        let mut ended = Ended::new(Outcome::Answered, Duration::ZERO);
        ended.cost = Some(Cost { nano_usd: 5, basis: CostBasis::Reported });
        ended.usage.tools = (0..9_000).map(|at| (format!("tool {at}"), 1)).collect();
        let bytes = closed(&attempt, &ended).expect("fits without its tools");
        let Next::Whole(payload) = next(&bytes) else { panic!() };
        let Some(Record::Closed(_, read)) = read(payload) else { panic!("{payload:?}") };
        assert_eq!((read.cost, read.usage.tools.len()), (ended.cost, 0));
        attempt.tags = [("long".into(), "x".repeat(MOST_OPENED))].into();
        assert_eq!(opened(&attempt).expect_err("too long").kind(), ErrorKind::InvalidRequest);
    }
}
