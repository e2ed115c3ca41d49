//! What the recorded answers cost: every bucket of their usage once, and the buckets together what the provider says.

use std::collections::BTreeMap;

use sabir::chat::{Item, Receipt, ReceiptBasis, Usage};
use sabir::drive::decode_whole;
use sabir::prices::{Options, Prices, service_tier};
use sabir_tests::{DIALECTS, Recording, recordings};

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

/// The model: as the answer names it, else as the request does.
fn model(recording: &Recording, answer: &sabir::ChatResponse) -> String {
    let asked = recording.request.as_ref().and_then(|body| body["model"].as_str());
    // `/model/ID/converse`, `/models/ID:generateContent`.
    let in_path = recording.path.split_once("/model/").or_else(|| recording.path.split_once("/models/"));
    let in_path = in_path.and_then(|(_, rest)| rest.split('/').next()).map(|id| {
        let verb = [":generateContent", ":streamGenerateContent"].iter().find_map(|verb| id.split_once(verb));
        verb.map_or(id, |(id, _)| id).replace("%3A", ":")
    });
    let named = Some(answer.model.clone()).filter(|model| !model.is_empty());
    named.or_else(|| asked.map(str::to_owned)).or(in_path).unwrap_or_default()
}

/// The corpus names some services otherwise than we do.
fn provider(recording: &Recording) -> &str {
    match recording.provider.as_str() {
        "alibaba" => "dashscope",
        name => name,
    }
}

fn receipt(recording: &Recording, answer: &sabir::ChatResponse) -> Receipt {
    let mut options = Options::default();
    options.service_tier = service_tier(&answer.meta);
    options.reported = answer.cost;
    Prices::default().receipt(provider(recording), &model(recording, answer), &answer.usage, &options)
}

/// Answers whose total has more than what their counters say is input and output, and of what that is.
const BESIDE: &[(&str, &str)] = &[
    ("ruby-llm-e7114a301f12d58c", "sound that came in, which this one of Mistral's counts beside the prompt"),
    ("pydantic-ai-b3d01536a5d9056d", "thoughts, which Gemini's OpenAI endpoint has in the total alone"),
    ("pydantic-ai-ea7822044bca2396", "thoughts, likewise"),
];

#[test]
fn buckets_are_disjoint_and_come_to_the_providers_own_total() {
    let mut known: BTreeMap<&str, &str> = BESIDE.iter().copied().collect();
    let (mut right, mut wrong) = (0, Vec::new());
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
        } else if known.remove(recording.id.as_str()).is_none() {
            wrong.push(format!(
                "{} {} {}: {sum} and not {total}: {usage:?}",
                recording.dialect, recording.provider, recording.id
            ));
        }
    });
    println!("{right} come to the total, {} do not", BESIDE.len());
    assert!(known.is_empty(), "these come to the total now, take them out: {known:?}");
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
    let mut unlisted: BTreeMap<String, usize> = BTreeMap::new();
    answers(|recording, answer| {
        let receipt = receipt(recording, answer);
        let total = answer.usage.total();
        assert_eq!(Some(tokens(&receipt)), total, "{} {}: {:?}", recording.provider, recording.id, answer.usage);
        if is_plain(&answer.usage) {
            let sum: Option<u64> = receipt.lines.iter().map(|line| line.nano_usd).sum();
            assert_eq!(receipt.total, sum, "{}", recording.id);
        }
        let model = model(recording, answer);
        let is_listed = Prices::default().find(provider(recording), &model).is_some();
        let is_unknown = receipt.basis == ReceiptBasis::Unknown;
        assert!(!(is_listed && is_unknown), "{} {model} {}: {receipt:?}", recording.provider, recording.id);
        match receipt.basis {
            ReceiptBasis::Exact => exact += 1,
            ReceiptBasis::ListPrice => listed += 1,
            ReceiptBasis::Estimate => estimates += 1,
            _ => {
                unknown += 1;
                *unlisted.entry(recording.provider.clone()).or_default() += 1;
            }
        }
        assert_eq!(receipt.cost().is_none(), is_unknown, "{}", recording.id);
    });
    println!("exact {exact}, list price {listed}, estimate {estimates}, unknown {unknown}: {unlisted:?}");
    assert!(listed > 500 && exact > 50, "list price {listed}, exact {exact}");
}
