//! What the recorded answers cost: every bucket of their usage once, and the buckets together what the provider says.

use std::collections::BTreeMap;

use sabir::chat::{Item, Receipt, ReceiptBasis, Usage};
use sabir::drive::decode_whole;
use sabir::prices::{Options, Prices, service_tier};
use sabir_tests::{DIALECTS, Recording, deviations, recordings};

/// Every recorded answer that says what it used.
fn answers(mut each: impl FnMut(&Recording, &sabir::ChatResponse)) {
    for dialect in DIALECTS {
        for recording in recordings(dialect) {
            let read =
                decode_whole(recording.room(), recording.status, &recording.headers, &recording.body, recording.stream);
            if let Some(answer) = read.ok().filter(|answer| answer.usage.total().is_some()) {
                each(&recording, &answer);
            }
        }
    }
}

fn receipt(recording: &Recording, answer: &sabir::ChatResponse) -> Receipt {
    let mut options = Options::default();
    options.service_tier = service_tier(&answer.meta);
    options.reported = answer.cost;
    // The corpus names some services otherwise than we do.
    let provider = match recording.provider.as_str() {
        "alibaba" => "dashscope",
        name => name,
    };
    Prices::default().receipt(provider, &answer.model, &answer.usage, &options)
}

#[test]
fn buckets_are_disjoint_and_come_to_the_providers_own_total() {
    let known = deviations();
    let (mut right, mut apart, mut wrong) = (0, 0, Vec::new());
    answers(|recording, answer| {
        let usage = &answer.usage;
        let Some(total) = recording.expected.as_ref().and_then(|expected| expected["usage"]["total"].as_u64()) else {
            return;
        };
        let sum = usage.total().expect("it is known");
        // Gemini has what tools put into the prompt in the total, and neither in the prompt nor in the answer.
        let tools = usage.tools.get("toolUsePromptTokenCount").copied().unwrap_or(0);
        if sum + tools == total {
            right += 1;
        } else if known.contains_key(&recording.id) {
            apart += 1;
        } else {
            wrong.push(format!("{} {} {}: {sum} and not {total}: {usage:?}", recording.dialect, recording.provider, recording.id));
        }
    });
    println!("{right} come to the total, {apart} are known deviations");
    assert!(right > 1_000, "{right}");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// The tokens of a receipt's lines.
fn tokens(receipt: &Receipt) -> u64 {
    let lines = receipt.lines.iter().filter(|line| !matches!(line.what, Item::Tool(_)));
    lines.filter_map(|line| line.quantity).sum()
}

fn is_plain(usage: &Usage) -> bool {
    usage.input_stated.is_none() && usage.output_stated.is_none()
}

#[test]
fn every_bucket_is_on_the_receipt_once() {
    let (mut exact, mut listed, mut estimates, mut unknown) = (0, 0, 0, 0);
    let mut unpriced: BTreeMap<String, usize> = BTreeMap::new();
    answers(|recording, answer| {
        let receipt = receipt(recording, answer);
        let total = answer.usage.total();
        assert_eq!(Some(tokens(&receipt)), total, "{} {}: {:?}", recording.provider, recording.id, answer.usage);
        if is_plain(&answer.usage) {
            let sum: Option<u64> = receipt.lines.iter().map(|line| line.nano_usd).sum();
            assert_eq!(receipt.total, sum, "{}", recording.id);
        }
        let is_priced = Prices::default().find(&recording.provider, &answer.model).is_some();
        match receipt.basis {
            ReceiptBasis::Exact => exact += 1,
            ReceiptBasis::ListPrice => listed += 1,
            ReceiptBasis::Estimate => estimates += 1,
            _ => {
                unknown += 1;
                let why = if is_priced { "a bucket or tier without a price" } else { "not listed" };
                *unpriced.entry(format!("{}: {why}", recording.provider)).or_default() += 1;
            }
        }
        assert!(receipt.basis == ReceiptBasis::Unknown || receipt.cost().is_some(), "{}", recording.id);
    });
    println!("exact {exact}, list price {listed}, estimate {estimates}, unknown {unknown}: {unpriced:#?}");
    assert!(listed > 500 && exact > 50, "list price {listed}, exact {exact}");
}
