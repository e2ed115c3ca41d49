//! Tokens, models and costs, as a person asks for them.

mod support;

use serde_json::Value;
use support::{Folder, lines, sabir, said, text};

/// The header of a PNG of 640 × 480; no more of it is read.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0";

#[test]
fn tokens_counts_pipes_and_files_and_says_how_well() {
    assert_eq!(said(&["tokens", "-m", "openai/gpt-4o"], "hello world"), "2  exact  -\n");
    let folder = Folder::new("tokens");
    let (one, two) = (folder.file("one.txt", b"hello world"), folder.file("two.txt", "the ".repeat(1_000).as_bytes()));
    let table = said(&["tokens", "-m", "openai/gpt-4o", &one, &two], "");
    let expected = format!("    2  exact  {one}\n1,001  exact  {two}\n1,003  exact  total\n");
    assert_eq!(table, expected);

    // A vocabulary that is not public, and an image: both with the range in which they should be.
    let estimate = said(&["tokens", "-m", "anthropic/claude-sonnet-4-6"], "hello world");
    assert!(estimate.contains("about, ") && estimate.contains(" to "), "{estimate}");
    let png = folder.file("a.png", PNG);
    let object = &lines(&["tokens", "-m", "anthropic/claude-sonnet-4-6", "--json", &png, &one], "")[0];
    assert_eq!(
        (&object["files"][0]["precision"], &object["files"][0]["counted_by"]),
        (&"estimate".into(), &"sabir".into())
    );
    let sum: u64 = object["files"].as_array().expect("files").iter().map(|f| f["tokens"].as_u64().expect("n")).sum();
    assert_eq!(object["total"]["tokens"], sum);
    assert!(object["total"]["low"].as_u64() < object["total"]["high"].as_u64(), "{object}");

    // As a message there is more around it: 3 and the role before it, 3 that begin the answer.
    assert_eq!(said(&["tokens", "-m", "openai/gpt-4o", "--message"], "hello world"), "9  exact  -\n");
    // The simulator counts when it is asked.
    let asked = lines(&["tokens", "-m", "sim/any", "--ask", "--json"], "the sea is salt!");
    assert_eq!((&asked[0]["files"][0]["counted_by"], &asked[0]["total"]["tokens"]), (&"sim".into(), &4.into()));
}

#[test]
fn models_are_found_by_what_they_are_and_cost() {
    let all = lines(&["models", "--json"], "");
    assert!(all.len() > 2_000);
    let fits = |arguments: &[&str], holds: &dyn Fn(&Value) -> bool| {
        let found = lines(&[&["models", "--json"], arguments].concat(), "");
        assert_eq!(found.len(), all.iter().filter(|model| holds(model)).count(), "{arguments:?}");
        assert!(!found.is_empty() && found.len() < all.len(), "{arguments:?}");
    };
    let price =
        |model: &Value, of: &str| Some(model["prices"]["standard"][of].as_str()?.parse::<f64>().expect("a price"));
    fits(&["--provider", "anthropic"], &|model| model["provider"] == "anthropic");
    fits(&["--vision", "--tools"], &|model| model["vision"] == true && model["tools"] == true);
    fits(&["--max-input-price", "0.5"], &|model| price(model, "input").is_some_and(|price| price <= 0.5));
    fits(&["--max-output-price", "2"], &|model| price(model, "output").is_some_and(|price| price <= 2.0));
    fits(&["--min-context", "500k"], &|model| model["context"].as_u64().is_some_and(|n| n >= 500_000));
    fits(&["HAIKU", "anthropic/"], &|model| {
        let name = model["model"].as_str().expect("a name").to_lowercase();
        name.contains("haiku") && name.contains("anthropic/")
    });

    let cheapest = lines(&["models", "--json", "--sort", "price", "-p", "google"], "");
    let prices: Vec<f64> = cheapest.iter().filter_map(|model| price(model, "input")).collect();
    assert!(prices.is_sorted() && prices.len() > 5 && cheapest[0]["provider"] == "gemini");

    let table = sabir(&["models", "claude-haiku-4-5-20251001", "-p", "anthropic"], "", &[]);
    let shown = text(&table.stdout);
    assert!(shown.starts_with("MODEL ") && shown.lines().count() == 2, "{shown}");
    assert!(shown.contains("200,000") && shown.contains("tools vision structured reasoning"), "{shown}");
    assert!(text(&table.stderr).starts_with("1 models; list prices of 20"), "{}", text(&table.stderr));
}

#[test]
fn cost_is_a_range_and_adds_up() {
    // 2 tokens of text and 7 around them; gpt-4o at 2.50 and 10 dollars for a million.
    let object = &lines(&["cost", "-m", "openai/gpt-4o", "--output-tokens", "100", "--json"], "hello world")[0];
    assert_eq!(object["input"]["tokens"], 9);
    assert_eq!(object["nano_usd"]["low"], 9 * 2_500 + 100 * 10_000);
    assert_eq!(object["nano_usd"]["low"], object["nano_usd"]["high"]);
    let sum = |lines: &Value| -> u64 {
        lines.as_array().expect("lines").iter().map(|line| line["nano_usd"].as_u64().expect("a sum")).sum()
    };
    assert_eq!(object["nano_usd"]["high"], sum(&object["lines"]["high"]));

    // Without a word on output the range reaches from none to the most that the model writes.
    let models = ["anthropic/claude-sonnet-4-6", "openai/gpt-4o"];
    let several = lines(&["cost", "-m", models[0], "-m", models[1], "--input-tokens", "1m", "--json"], "");
    assert_eq!(several.iter().map(|cost| cost["model"].as_str().expect("a name")).collect::<Vec<_>>(), models);
    for cost in &several {
        let (low, high) = (cost["nano_usd"]["low"].as_u64(), cost["nano_usd"]["high"].as_u64());
        assert!(low.is_some() && low < high && cost["output"]["low"] == 0, "{cost}");
    }
    let table = said(&["cost", "-m", models[1], "--input-tokens", "1m", "--output-tokens", "2k"], "");
    assert_eq!(table, "MODEL              INPUT    OUTPUT  COST\nopenai/gpt-4o  1,000,000     2,000  $2.52\n");
}

#[test]
fn slips_get_one_line_and_what_was_probably_meant() {
    let folder = Folder::new("slips");
    let bytes = folder.file("a.bin", &[0xff, 0xfe, 0]);
    let cases: &[(&[&str], i32, &str)] = &[
        (
            &["cost", "-m", "anthropic/claude-sonet-4-6", "--input-tokens", "9"],
            2,
            "did you mean anthropic/claude-sonnet-4-6",
        ),
        (&["cost", "-m", "groq/gpt-4o", "--input-tokens", "9"], 2, "openai/gpt-4o"),
        (&["cost", "-m", "sim/x", "--input-tokens", "9"], 2, "no price is known of sim/x"),
        (&["cost", "-m", "openai/gpt-4o"], 2, "nothing to send"),
        (&["cost", "--input-tokens", "9"], 2, "--model"),
        (&["cost", "-m", "openai/gpt-4o", "--input-tokens", "many"], 2, "128k"),
        (&["tokens", "-m", "opnai/gpt-4o"], 2, "did you mean \"openai\"?"),
        (&["tokens"], 2, "nothing to count"),
        (&["tokens", "/no/such/file"], 2, "cannot read /no/such/file"),
        (&["tokens", &bytes], 2, "neither text nor"),
        (&["models", "-p", "opnai"], 2, "did you mean \"openai\"?"),
        (&["models", "gpt-4oo"], 1, "did you mean"),
        (&["models", "--max-input-price", "cheap"], 2, "--max-input-price"),
    ];
    for (arguments, status, says) in cases {
        let output = sabir(arguments, "", &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(*status), "{arguments:?}: {said}");
        assert!(said.contains(says) && !said.contains("panicked"), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        if !said.contains("--help") {
            assert_eq!(said.trim_end().lines().count(), 1, "{arguments:?}: {said}");
        }
    }
    // Counting goes on, and the slip is noticed.
    let output = sabir(&["tokens", "-m", "openai/gpt-4oo"], "hello world", &[]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), "2  exact  -\n"));
    assert!(text(&output.stderr).contains("did you mean openai/gpt-4o"), "{}", text(&output.stderr));
}
