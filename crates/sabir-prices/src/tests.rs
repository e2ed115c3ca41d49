//! Every kind of line worked out by hand, and what holds of all.

use std::time::Duration;

use sabir_core::chat::{Attempt, Cost, CostBasis, Item, Receipt, ReceiptBasis, Usage};
use sabir_core::{Call, Error, ErrorKind, Stage};

use crate::{Options, Overlay, Prices, service_tier};

/// Usage with these buckets, by their names.
fn used(buckets: &[(&str, u64)]) -> Usage {
    let object: serde_json::Map<_, _> = buckets.iter().map(|(name, n)| ((*name).to_owned(), (*n).into())).collect();
    serde_json::from_value(object.into()).expect("usage")
}

fn of(provider: &str, model: &str, buckets: &[(&str, u64)], options: &Options<'_>) -> Receipt {
    Prices::default().receipt(provider, model, &used(buckets), options)
}

fn tier(service_tier: &str) -> Options<'_> {
    Options { service_tier: Some(service_tier), ..Options::default() }
}

/// The sums of the lines, in their order.
fn sums(receipt: &Receipt) -> Vec<u64> {
    receipt.lines.iter().map(|line| line.nano_usd.expect("a known price")).collect()
}

#[test]
fn input_caches_and_output_at_anthropic() {
    // Claude Sonnet 4.5, for a million: 3 in, 0.30 read, 3.75 written for 5 minutes, 6 for an hour, 15 out.
    let all = [("input", 7), ("cache_read", 1_001), ("cache_write", 33), ("cache_write_1h", 10), ("output", 210)];
    let receipt = of("anthropic", "claude-sonnet-4-5", &all, &Options::default());
    // 7 × 3,000 = 21,000 nano-dollars; 1,001 × 300 = 300,300; 33 × 3,750 = 123,750; 10 × 6,000 = 60,000;
    // 210 × 15,000 = 3,150,000.
    assert_eq!(sums(&receipt), [21_000, 300_300, 123_750, 60_000, 3_150_000]);
    assert_eq!((receipt.total, receipt.basis), (Some(3_655_050), ReceiptBasis::ListPrice));
    assert_eq!(receipt.prices, "2026-11-21");
}

#[test]
fn web_searches_at_anthropic() {
    // Claude Opus 4.8: 5 in, 25 out; web search 10 dollars for 1,000, web fetch nothing.
    let mut usage = used(&[("input", 1_000), ("output", 100)]);
    usage.tools = [("web_search_requests".to_owned(), 3), ("web_fetch_requests".to_owned(), 2)].into();
    let receipt = Prices::default().receipt("anthropic", "claude-opus-4-8", &usage, &Options::default());
    // 1,000 × 5,000; 100 × 25,000; 2 × 0; 3 × 0.01 dollars.
    assert_eq!(sums(&receipt), [5_000_000, 2_500_000, 0, 30_000_000]);
    usage.tools.insert("mind_reading".to_owned(), 1);
    let receipt = Prices::default().receipt("anthropic", "claude-opus-4-8", &usage, &Options::default());
    assert_eq!((receipt.total, receipt.basis), (None, ReceiptBasis::Unknown));
    assert_eq!(receipt.known(), Some(37_500_000), "no less than this");
}

#[test]
fn long_inputs_are_dearer_as_a_whole() {
    // GPT-5.4: 2.50 in, 0.25 read, 15 out; above 272,000 tokens of input, cached ones included, 5, 0.50 and 22.50.
    let short = [("input", 2_000), ("cache_read", 270_000), ("output", 10)];
    // 2,000 × 2,500; 270,000 × 250; 10 × 15,000.
    assert_eq!(sums(&of("openai", "gpt-5.4", &short, &Options::default())), [5_000_000, 67_500_000, 150_000]);
    let long = [("input", 2_001), ("cache_read", 270_000), ("output", 10)];
    // 2,001 × 5,000; 270,000 × 500; 10 × 22,500.
    assert_eq!(sums(&of("openai", "gpt-5.4", &long, &Options::default())), [10_005_000, 135_000_000, 225_000]);
    // Qwen3 Coder Plus: 1 in; above 32,000 1.80, above 128,000 3, above 256,000 6. The last tier that is passed holds.
    for (input, price) in [(32_000, 1_000), (32_001, 1_800), (128_001, 3_000), (1_000_000, 6_000)] {
        let receipt = of("dashscope", "qwen3-coder-plus", &[("input", input), ("output", 0)], &Options::default());
        assert_eq!(receipt.total, Some(input * price), "{input}");
    }
}

#[test]
fn service_tiers_at_openai() {
    // GPT-5.4, batch and flex: 1.25 in, 0.13 read, 7.50 out; priority: 5 in, 0.50 read, 30 out.
    let all = [("input", 100), ("cache_read", 50), ("output", 10)];
    let batch = Options { batch: true, ..Options::default() };
    for options in [batch, tier("batch"), tier("flex")] {
        let receipt = of("openai", "gpt-5.4", &all, &options);
        // 100 × 1,250; 50 × 130; 10 × 7,500.
        assert_eq!((sums(&receipt), receipt.basis), (vec![125_000, 6_500, 75_000], ReceiptBasis::ListPrice));
    }
    let receipt = of("openai", "gpt-5.4", &all, &tier("priority"));
    // 100 × 5,000; 50 × 500; 10 × 30,000.
    assert_eq!((sums(&receipt), receipt.basis), (vec![500_000, 25_000, 300_000], ReceiptBasis::ListPrice));
    // The lists do not say what a long input costs in a batch: no more than the long input itself.
    let long = of("openai", "gpt-5.4", &[("input", 300_000), ("output", 0)], &tier("flex"));
    assert_eq!((long.total, long.basis), (Some(300_000 * 5_000), ReceiptBasis::Estimate));
    let long = of("openai", "gpt-5.4", &[("input", 300_000), ("output", 0)], &tier("priority"));
    assert_eq!((long.total, long.basis), (None, ReceiptBasis::Unknown));
    // Claude's priority tier is bought in advance and has no list price.
    let other = of("anthropic", "claude-sonnet-4-5", &all, &tier("priority"));
    assert_eq!(other.basis, ReceiptBasis::Unknown);
    assert_eq!(of("openai", "gpt-5.4", &all, &tier("scale")).basis, ReceiptBasis::Estimate);
}

#[test]
fn what_a_discount_does_not_name_is_at_its_full_price() {
    // Claude Sonnet 4.5 in a batch: 1.50 in, 1.875 written; an hour's write is not listed and 6 outside of a batch.
    let all = [("input", 2), ("cache_write", 8), ("cache_write_1h", 1), ("output", 0)];
    let receipt = of("anthropic", "claude-sonnet-4-5", &all, &Options { batch: true, ..Options::default() });
    assert_eq!((sums(&receipt), receipt.basis), (vec![3_000, 15_000, 6_000], ReceiptBasis::Estimate));
    let estimated: Vec<bool> = receipt.lines.iter().map(|line| line.estimated).collect();
    assert_eq!(estimated, [false, false, true]);
}

#[test]
fn reasoning_sound_and_images() {
    // Qwen3 14B: 0.35 in, 1.40 out, 4.20 for reasoning.
    let thought = [("input", 10), ("output", 20), ("reasoning", 30)];
    assert_eq!(sums(&of("dashscope", "qwen3-14b", &thought, &Options::default())), [3_500, 28_000, 126_000]);
    // GPT-5.4 lists none for reasoning, which is output.
    let receipt = of("openai", "gpt-5.4", &thought, &Options::default());
    assert_eq!((sums(&receipt), receipt.basis), (vec![25_000, 300_000, 450_000], ReceiptBasis::ListPrice));
    // GPT Audio: 2.50 in, 10 out, sound 32 in and 64 out.
    let sound = [("input", 4), ("audio_input", 50), ("output", 5), ("audio_output", 60)];
    let receipt = of("openai", "gpt-audio", &sound, &Options::default());
    assert_eq!(sums(&receipt), [10_000, 1_600_000, 50_000, 3_840_000]);
    // Gemini 3 Pro Image: 2 in, pictures that come in as text, 12 out, 120 for pictures.
    let images = [("input", 4), ("image_input", 560), ("output", 5), ("image_output", 1_120)];
    let receipt = of("google", "gemini-3-pro-image-preview", &images, &Options::default());
    assert_eq!(sums(&receipt), [8_000, 1_120_000, 60_000, 134_400_000]);
    // GPT-5.4 has no price for sound that comes out, and that of output would be far too little.
    assert_eq!(of("openai", "gpt-5.4", &sound, &Options::default()).total, None);
}

#[test]
fn the_tokens_of_tool_results_at_gemini() {
    // Gemini 2.5 Flash: 0.30 in, 2.50 out; what tools put into the prompt is counted apart and is input.
    let mut usage = used(&[("input", 100), ("output", 10)]);
    usage.tools.insert("toolUsePromptTokenCount".to_owned(), 40);
    let receipt = Prices::default().receipt("gemini", "gemini-2.5-flash", &usage, &Options::default());
    assert_eq!((sums(&receipt), receipt.basis), (vec![30_000, 25_000, 12_000], ReceiptBasis::ListPrice));
}

#[test]
fn prices_by_the_hour_at_deepseek() {
    // DeepSeek Flash: 0.30 in, 0.006 read, 1.20 out; 0.15, 0.003 and 0.60 from 00 to 01, 04 to 06 and 10 to 24 UTC, and
    // on weekends.
    let all = [("input", 100), ("cache_read", 1_000), ("output", 10)];
    let friday = 20_777 * 86_400;
    let at = |hour: u64| Options { time: Some(Duration::from_secs(friday + hour * 3_600)), ..Options::default() };
    let (dear, cheap) = (vec![30_000, 6_000, 12_000], vec![15_000, 3_000, 6_000]);
    for (hour, expected) in [(0, &cheap), (1, &dear), (3, &dear), (5, &cheap), (9, &dear), (23, &cheap), (26, &cheap)] {
        let receipt = of("deepseek", "deepseek-flash", &all, &at(hour));
        assert_eq!((&sums(&receipt), receipt.basis), (expected, ReceiptBasis::ListPrice), "{hour}");
    }
    let receipt = of("deepseek", "deepseek-flash", &all, &Options::default());
    assert_eq!((sums(&receipt), receipt.basis), (dear, ReceiptBasis::Estimate));
}

#[test]
fn searches_by_the_piece_at_cohere() {
    // Rerank v3.5: 2 dollars for 1,000 searches, and nothing for tokens, of which it says nothing.
    let mut usage = Usage::default();
    usage.tools.insert("search_units".to_owned(), 3);
    let receipt = Prices::default().receipt("cohere-v1", "rerank-v3.5", &usage, &Options::default());
    assert_eq!((receipt.total, receipt.basis), (Some(6_000_000), ReceiptBasis::ListPrice));
}

#[test]
fn what_is_unknown_is_never_zero() {
    let some = [("input", 1), ("output", 1)];
    for (provider, model, buckets) in [
        ("openai", "gpt-99", &some[..]),
        ("nobody", "gpt-5.4", &some),
        ("ollama", "llama3", &[("input", 0), ("output", 0)]),
        ("ollama", "llama3", &[]),
        ("openai", "gpt-5.4", &[("input", 1)]),
        ("openai", "gpt-5.4", &[("output", 1)]),
        ("openai", "gpt-5.4", &[]),
        ("openai", "gpt-5.4", &[("input", u64::MAX), ("output", 1)]),
        ("openai", "gpt-5.4", &[("input", u64::MAX), ("cache_read", u64::MAX), ("output", u64::MAX)]),
    ] {
        let receipt = of(provider, model, buckets, &Options::default());
        let told = (receipt.total, receipt.cost(), receipt.basis);
        assert_eq!(told, (None, None, ReceiptBasis::Unknown), "{provider}/{model} {buckets:?}");
    }
    // The same model under another date, and counters that are a guess.
    let dated = of("openai", "gpt-6-luna-2027-01-01", &some, &Options::default());
    assert_eq!((dated.total, dated.basis), (Some(100 + 500), ReceiptBasis::Estimate));
    let mut guess = used(&some);
    guess.estimated = true;
    let guess = Prices::default().receipt("openai", "gpt-6-luna", &guess, &Options::default());
    assert_eq!(guess.cost(), Some(Cost { nano_usd: 600, basis: CostBasis::Estimate }));
}

#[test]
fn a_total_that_is_stated_wins() {
    // More reasoning than output: 9 are billed. More cached input than input: 100 are billed, as cached.
    let stated = [
        ("input", 0),
        ("cache_read", 150),
        ("input_stated", 100),
        ("output", 0),
        ("reasoning", 61),
        ("output_stated", 9),
    ];
    let receipt = of("openai", "gpt-5.4", &stated, &Options::default());
    assert_eq!((sums(&receipt), receipt.basis), (vec![25_000, 135_000], ReceiptBasis::Estimate));
    // Of parts at several prices the dear ones count: 60 of sound at 1 dollar, and 40 of 80 that were read at 0.03.
    let mixed = [("input", 0), ("cache_read", 80), ("audio_input", 60), ("input_stated", 100), ("output", 0)];
    let receipt = of("gemini", "gemini-2.5-flash", &mixed, &Options::default());
    assert_eq!(receipt.total, Some(60_000 + 1_200));
}

#[test]
fn the_providers_own_figure_stands_beside_the_lines() {
    let reported = Some(Cost { nano_usd: 4_242, basis: CostBasis::Reported });
    let options = Options { reported, ..Options::default() };
    let receipt = of("openrouter", "nobody/knows", &[("input", 1), ("output", 1)], &options);
    assert_eq!((receipt.basis, receipt.cost(), receipt.total), (ReceiptBasis::Exact, reported, None));
    assert_eq!((receipt.reported, receipt.lines.len()), (reported, 2));
}

#[test]
fn abandoned_attempts_are_lines() {
    let attempt = |kind, stage, usage: Usage| {
        let mut attempt = Attempt::failed(&Call::to("openai"), "gpt-6-luna", &Error::new(kind, "no").with_stage(stage));
        attempt.usage = usage;
        attempt
    };
    let attempts = [
        attempt(ErrorKind::Network, Stage::NotSent, Usage::default()),
        attempt(ErrorKind::RateLimit, Stage::Answered, Usage::default()),
        attempt(ErrorKind::Truncated, Stage::Answered, used(&[("input", 100), ("output", 7)])),
    ];
    let prices = Prices::default();
    let mut receipt = of("openai", "gpt-6-luna", &[("input", 100), ("output", 10)], &Options::default());
    receipt.add(prices.attempts(&attempts, &Options::default()));
    // GPT-6 Luna: 0.10 in, 0.50 out. 100 × 100 + 10 × 500, and 100 × 100 + 7 × 500 of the one that broke off.
    assert_eq!((sums(&receipt), receipt.total), (vec![10_000, 5_000, 10_000, 3_500], Some(28_500)));
    let places: Vec<Option<usize>> = receipt.lines.iter().map(|line| line.attempt).collect();
    assert_eq!((places, receipt.basis), (vec![None, None, Some(2), Some(2)], ReceiptBasis::ListPrice));
    let silent = attempt(ErrorKind::Timeout, Stage::MaybeSent, Usage::default());
    receipt.add(prices.attempts(&[silent], &Options::default()));
    assert_eq!((receipt.total, receipt.basis), (Some(28_500), ReceiptBasis::Estimate));
    assert_eq!(receipt.lines.last().map(|line| &line.what), Some(&Item::Attempt));
}

#[test]
fn ones_own_prices_come_first() {
    let overlay = |json: &str| serde_json::from_str::<Overlay>(json).expect("an overlay");
    let prices = Prices::default()
        .with(overlay(r#"{"models": {"vllm/*": {"standard": {"input": 0, "output": 0}}, "openai/gpt-5.4": {"standard": {"input": 1}}}}"#))
        .with(overlay(
            r#"{"version": "mine", "models": {"openai/gpt-5.4": {
                "standard": {"input": "2", "output": "0.5", "tools": {"web_search": 10000}},
                "tiers": [{"above": 10, "rates": {"input": 3, "output": 4}}],
                "off_peak": {"windows": ["67:0000-2400"], "rates": {"input": 1}}
            }}}"#,
        ));
    assert_eq!(prices.version(), "2026-11-21+own+mine");
    let total = |provider, model, buckets| prices.receipt(provider, model, &used(buckets), &Options::default()).total;
    assert_eq!(total("vllm", "any", &[("input", 5), ("output", 5)]), Some(0), "free, since it was said");
    assert_eq!(total("vllm", "any", &[]), Some(0));
    assert_eq!(total("openai", "gpt-5.4", &[("input", 10), ("output", 2)]), Some(21_000));
    assert_eq!(total("openai", "gpt-5.4", &[("input", 11), ("output", 1)]), Some(37_000));
    assert_eq!(total("openai", "gpt-6-luna", &[("input", 10), ("output", 0)]), Some(1_000), "the list is still there");
    assert!(serde_json::from_str::<Overlay>(r#"{"models": {"a/b": {"standard": {"imput": 1}}}}"#).is_err());
    assert!(serde_json::from_str::<Overlay>(r#"{"models": {"a/b": {"standard": {"input": 0.1}}}}"#).is_err());
}

#[test]
fn a_newer_list_replaces_the_old_one() {
    let prices = Prices::read("#2027-01-31\n=openai\ngpt-7\tin=1 out=2\n".to_owned()).expect("a list");
    let receipt = prices.receipt("openai", "gpt-7", &used(&[("input", 1), ("output", 1)]), &Options::default());
    assert_eq!((receipt.total, receipt.prices.as_str()), (Some(3_000), "2027-01-31"));
    assert!(prices.find("openai", "gpt-5.4").is_none());
    assert!(Prices::read("#2027\n=openai\ngpt-7\tin=much\n".to_owned()).is_err());
}

#[test]
fn service_tiers_are_found_where_dialects_leave_them() {
    let meta = |json: &str| serde_json::from_str(json).expect("meta");
    for (json, tier) in [
        (r#"{"openai-chat": {"service_tier": "flex"}}"#, Some("flex")),
        (r#"{"anthropic-messages": {"usage": {"service_tier": "priority"}}}"#, Some("priority")),
        (r#"{"a": {"x": 1}, "b": {"service_tier": "batch"}}"#, Some("batch")),
        (r#"{"a": {"service_tier": {"type": "flex"}}}"#, None),
        ("{}", None),
    ] {
        assert_eq!(service_tier(&meta(json)), tier, "{json}");
    }
}

const BUCKETS: [&str; 10] = [
    "input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning", "audio_input", "audio_output",
    "image_input", "image_output",
];

#[test]
fn every_model_adds_up_and_never_costs_less_for_more() {
    let prices = Prices::default();
    let table = crate::built_in();
    let mut seed = 0x5ab1_u64;
    let mut next = || {
        // A linear congruential generator: the same in every run.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed >> 33
    };
    let mut compared = 0;
    for (provider, models) in table.rows() {
        for id in models.lines().filter_map(|line| line.split('\t').next()) {
            let mut buckets: Vec<(&str, u64)> = BUCKETS.iter().map(|name| (*name, 0)).collect();
            for bucket in &mut buckets {
                let size = next() % 400_000;
                let is_used = matches!(bucket.0, "input" | "output") || next() % 8 == 0;
                bucket.1 = if is_used { size } else { 0 };
            }
            let options = match next() % 5 {
                0 => Options { batch: true, ..Options::default() },
                1 => tier("flex"),
                2 => tier("priority"),
                3 => Options { time: Some(Duration::from_secs(next())), ..Options::default() },
                _ => Options::default(),
            };
            let receipt = |buckets: &[(&str, u64)]| prices.receipt(provider, id, &used(buckets), &options);
            let before = receipt(&buckets);
            let sum: u64 = before.lines.iter().filter_map(|line| line.nano_usd).sum();
            assert_eq!(before.known(), Some(sum), "{provider}/{id}");
            assert!(before.total.is_none_or(|total| total == sum), "{provider}/{id}: {before:?}");
            let billed: u64 = before.lines.iter().filter_map(|line| line.quantity).sum();
            assert_eq!(billed, buckets.iter().map(|(_, n)| n).sum::<u64>(), "{provider}/{id}: each bucket once");
            let at = usize::try_from(next() % 3).expect("small");
            buckets[at].1 += 1 + next() % 400_000;
            let after = receipt(&buckets);
            if let (Some(before), Some(after)) = (before.total, after.total) {
                assert!(before <= after, "{provider}/{id} {} {options:?}", buckets[at].0);
                compared += 1;
            }
            buckets[at].1 = u64::MAX;
            let most = receipt(&buckets);
            assert!(most.total.is_none_or(|total| total >= before.total.unwrap_or(0)), "{provider}/{id}");
        }
    }
    assert!(compared > 1_000, "{compared} comparisons");
}

#[test]
fn every_model_that_is_named_has_prices() {
    let overlay = r#"{"models": {"mine/m/1": {"standard": {"input": 1}}, "mine/*": {"standard": {"input": 2}}}}"#;
    let overlay: Overlay = serde_json::from_str(overlay).expect("an overlay");
    let prices = Prices::default().with(overlay);
    let named: Vec<_> = prices.models().collect();
    assert!(named.len() > 2_000 && named.contains(&("mine", "m/1")) && !named.contains(&("mine", "*")));
    assert!(named.into_iter().all(|(provider, model)| prices.find(provider, model).is_some()));
}

#[test]
fn a_second_account_costs_what_the_first_does_unless_it_is_said() {
    let overlay: Overlay =
        serde_json::from_str(r#"{"models": {"work/gpt-5.4": {"standard": {"input": 1}}}}"#).expect("an overlay");
    let plain = Prices::default();
    assert!(plain.find("work", "gpt-6-luna").is_none());
    let prices = plain.with(overlay).like("work", "openai").like("round", "and").like("and", "round");
    assert_eq!(prices.find("work", "gpt-6-luna"), prices.find("openai", "gpt-6-luna"));
    assert_ne!(prices.find("work", "gpt-5.4"), prices.find("openai", "gpt-5.4"), "what was said goes first");
    assert!(prices.find("round", "gpt-6-luna").is_none() && prices.find("play", "gpt-6-luna").is_none());
}
