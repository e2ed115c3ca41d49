//! One answer, whole and streamed, whole and cut.

use std::collections::BTreeSet;

use bytes::Bytes;
use sabir_core::chat::{ChatResponse, Event};
use sabir_core::frame::Framing;
use sabir_core::{ErrorKind, Feature, Loss};

use super::DialectKit;
use super::whole::{equal, kept, same, same_words};
use super::wire::{End, Streamed, streamed, told, whole};
use crate::player::Player;
use crate::{Answer, Report, every_split};

pub(super) fn check(kit: &DialectKit, answer: &Answer, report: &mut Report) {
    let (name, player) = (answer.name, kit.player());
    let mut unary = None;
    report.check("whole keeps", name, || {
        let (read, losses) = unary.insert(whole(kit, &answer.response)?);
        kept(&answer.response, read, losses)
    });
    let mut stream = None;
    report.check("contract", name, || {
        let wire = streamed(kit, &answer.events, &End::Events)?;
        let items = player.play(wire.content_type, std::slice::from_ref(&wire.bytes));
        let read = told(&items)?.map_err(|e| format!("its own stream cannot be read: {e}"))?;
        stream = Some((wire, items, read));
        Ok(())
    });
    let Some((wire, items, read)) = stream else { return };
    report.check("stream keeps", name, || kept(&answer.response, &read, &wire.losses));
    if let Some((unary, losses)) = unary {
        // Where only one face lost something, each was held against what was sent.
        if features(&losses) == features(&wire.losses) {
            let without_order = losses.iter().any(|loss| loss.feature == Feature::Order);
            report.check("stream is whole", name, || {
                if without_order { same_words(&read, &unary) } else { same(&read, &unary) }
            });
        }
    }
    report.check("splits", name, || splits(&player, &wire, &items));
    report.check("truncation", name, || truncation(&player, &wire, &read));
    if wire.framing == Framing::Sse {
        report.check("line ends", name, || line_ends(&player, &wire, &items));
    }
}

fn features(losses: &[Loss]) -> BTreeSet<&str> {
    losses.iter().map(|loss| loss.feature.as_str()).collect()
}

fn splits(player: &Player, wire: &Streamed, items: &[sabir_core::Result<Event>]) -> Result<(), String> {
    let mut outcome = Ok(());
    every_split(&wire.bytes, |pieces| {
        if outcome.is_ok() {
            let lengths = pieces.iter().map(Bytes::len).take(12);
            let cut = || format!("cut in pieces of {:?} bytes", lengths.collect::<Vec<_>>());
            outcome =
                equal_items(items, &player.play(wire.content_type, pieces)).map_err(|e| format!("{}: {e}", cut()));
        }
    });
    outcome
}

fn equal_items(expected: &[sabir_core::Result<Event>], items: &[sabir_core::Result<Event>]) -> Result<(), String> {
    let same = expected.iter().zip(items).take_while(|(a, b)| a == b).count();
    if same == expected.len() && same == items.len() {
        return Ok(());
    }
    Err(format!("item {same} is {:?} and not {:?}", items.get(same), expected.get(same)))
}

/// Every prefix of the bytes is either an error that carries what had arrived, or the whole answer: where all that
/// counts is there and only the trailing marker, or the usage, is not.
fn truncation(player: &Player, wire: &Streamed, full: &ChatResponse) -> Result<(), String> {
    for length in 0..wire.bytes.len() {
        let items = player.play(wire.content_type, &[wire.bytes.slice(..length)]);
        let of = || format!("the first {length} of {} bytes", wire.bytes.len());
        match told(&items).map_err(|e| format!("{}: {e}", of()))? {
            Ok(_) if length == 0 => return Err("an empty body is taken for an answer".into()),
            Ok(read) => {
                let shape = |r: &ChatResponse| serde_json::json!({"parts": r.parts, "finish": r.finish});
                equal(&shape(full), &shape(&read))
                    .map_err(|e| format!("{} are taken for a whole answer, and it is another: {e}", of()))?;
            }
            Err(error) if !matches!(error.kind(), ErrorKind::Truncated | ErrorKind::Decode) => {
                return Err(format!("{} are an error of another kind: {error}", of()));
            }
            Err(error) if error.partial().is_none() => {
                return Err(format!("{} are an error without what had arrived: {error}", of()));
            }
            Err(_) => {}
        }
    }
    Ok(())
}

/// WHATWG HTML §9.2: lines end in LF, CRLF or CR; a line that begins with a colon is a comment; a byte order mark
/// may come first.
fn line_ends(player: &Player, wire: &Streamed, items: &[sabir_core::Result<Event>]) -> Result<(), String> {
    let text = std::str::from_utf8(&wire.bytes).map_err(|e| format!("the stream is not UTF-8: {e}"))?;
    let variants = [
        ("CRLF line ends", text.replace('\n', "\r\n")),
        ("CR line ends", text.replace('\n', "\r")),
        ("comments", format!(": hello\n\n{}", text.replace("\n\n", "\n\n: keep-alive\n\n:\n"))),
        ("a byte order mark", format!("\u{feff}{text}")),
    ];
    for (what, variant) in variants {
        let read = player.play(wire.content_type, &[variant.into()]);
        equal_items(items, &read).map_err(|e| format!("with {what}, {e}"))?;
    }
    Ok(())
}
