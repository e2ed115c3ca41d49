//! What counting costs beside the library under it, from the cache, and on hostile text. Timed, the fastest of several
//! runs: `benches/run tokens` prints it, and fails where a promise is broken.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command for people")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use sabir::ChatRequest;
use sabir::tokens::{Counter, Encoding, ModelId};

/// The most that a count may cost of what the library takes, and a count that is remembered, in percent.
const MOST: u128 = 110;
const MOST_REMEMBERED: u128 = 10;
/// The most that a byte may cost, whatever it is.
const MOST_A_BYTE: Duration = Duration::from_micros(1);

fn main() -> ExitCode {
    let library = tiktoken_rs::o200k_base_singleton();
    let model = ModelId::new("openai", "gpt-4o");
    let mut broken = 0;
    let mut check = |holds: bool| {
        broken += u32::from(!holds);
        if holds { "" } else { "  (too much)" }
    };
    let code = include_str!("../../crates/sabir/src/client.rs").repeat(4);
    let prose = include_str!("../../ARCHITECTURE.md").repeat(8);
    let scripts = include_str!("../../crates/sabir-tokens/tests/corpus/counts.jsonl");
    for (name, text) in [("prose", prose.as_str()), ("code", &code), ("JSON in many scripts", scripts)] {
        let request = ChatRequest::new("gpt-4o").user(text);
        let (cold, warm) = (Counter::new(0), Counter::default());
        warm.count(&request, &model);
        // In turns, so that a slow moment is everybody's.
        let (mut under, mut counted, mut remembered) = (Duration::MAX, Duration::MAX, Duration::MAX);
        for _ in 0..20 {
            under = under.min(fastest(3, || library.encode_ordinary(text)));
            counted = counted.min(fastest(3, || cold.count(&request, &model)));
            remembered = remembered.min(fastest(3, || warm.count(&request, &model)));
        }
        let percent = |time: Duration| time.as_nanos() * 100 / under.as_nanos().max(1);
        let (all, again) = (percent(counted), percent(remembered));
        let said = [check(all <= MOST), check(again <= MOST_REMEMBERED)];
        let each = per_byte(under, text);
        println!(
            "{name}: the library {each:.1} ns a byte; counted {all} % of it{}; again {again} %{}",
            said[0], said[1]
        );
    }
    for (name, unit) in HOSTILE {
        let text = unit.repeat(200_000 / unit.len());
        let time = fastest(15, || Encoding::O200k.count(&text));
        let holds = time <= MOST_A_BYTE * u32::try_from(text.len()).unwrap_or(u32::MAX);
        println!("{name}: {:.0} ns a byte{}", per_byte(time, &text), check(holds));
    }
    if broken > 0 {
        eprintln!("{broken} promises are broken");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// What the patterns or the merges could be slowest at.
const HOSTILE: &[(&str, &str)] = &[
    ("one letter", "a"),
    ("marks", "\u{300}"),
    ("faces joined", "👩\u{200d}"),
    ("digits", "7"),
    ("line ends", "\n"),
    ("spaces", " "),
    ("spaces of no break", "\u{a0}"),
    ("dashes", "-"),
    ("slashes and line ends", "/\r"),
    ("vowel signs", "กำ"),
    ("ideographs", "字"),
    ("dots and faces", ".😀"),
    ("words of no tongue", "xqzjvkwpbghf"),
    ("signs of no use", "\u{fffd}"),
    ("private use", "\u{e000}\u{f8ff}"),
    ("other planes", "\u{10ffff}"),
    ("joined scripts", "ﷺ𒐫꧅"),
    ("a word and its mark", "a\u{301}"),
];

/// The fastest of some runs: what others do on the machine only ever adds.
fn fastest<T>(runs: u32, mut run: impl FnMut() -> T) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..runs {
        let begun = now();
        black_box(run());
        best = best.min(now().saturating_sub(begun));
    }
    best
}

/// The processor time of this thread: what else runs does not count.
fn now() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn per_byte(time: Duration, text: &str) -> f64 {
    time.as_nanos() as f64 / text.len() as f64
}
