use sabir_core::chat::Effort;
use sabir_core::{Efforts, ModelTraits};

use super::row::Row;
use super::table::{FLAGS, TABLE};
use super::{models, traits};

fn efforts(words: &str) -> Efforts {
    words.split_whitespace().map(Effort::from).collect()
}

#[test]
fn every_row_can_be_found() {
    assert!(TABLE.is_sorted_by(|(a, _), (b, _)| a < b), "providers are sorted, none twice");
    let mut count = 0;
    for (provider, rows) in TABLE {
        assert!(rows.is_sorted_by(|a, b| a.id < b.id), "{provider}: models are sorted, none twice");
        for row in *rows {
            assert_eq!(row.yes & row.no, 0, "{provider}/{}: yes and no at once", row.id);
            assert_eq!((row.yes | row.no) >> FLAGS.len(), 0, "{provider}/{}: a bit without a name", row.id);
            assert_ne!(row.traits(), ModelTraits::default(), "{provider}/{}: a row that says nothing", row.id);
            let found = traits(provider, row.id);
            assert_eq!(row.traits().or(found), found, "{provider}/{}: its own word counts", row.id);
            count += 1;
        }
    }
    assert!(count > 2000, "{count} rows");
}

#[test]
fn bits_are_read_as_they_are_written() {
    for (at, name) in FLAGS.iter().enumerate() {
        for (yes, no, value) in [(1 << at, 0, "Some(true)"), (0, 1 << at, "Some(false)")] {
            let shown = format!("{:?}", super::row::row("m", yes, no, 0, 0, 0).traits());
            assert!(shown.contains(&format!("{name}: {value}")), "{name}: {shown}");
            assert_eq!(shown.matches("Some").count(), 1, "{name}: {shown}");
        }
    }
    let row: Row = super::row::row("m", 0, 0, 0x80, 7, 0);
    let known = (row.traits().efforts, row.traits().context_window, row.traits().max_output);
    assert_eq!(known, (Some(Efforts::default()), Some(7), None));
}

#[test]
fn claude() {
    for id in ["claude-sonnet-5-5", "claude-fable-5-1", "claude-fable-5-2", "claude-opus-5-5"] {
        let t = traits("anthropic", id);
        let refused = [t.sampling, t.forced_tool_use, t.prefill, t.budget_thinking];
        assert_eq!(refused, [Some(false); 4], "{id}");
        assert_eq!([t.adaptive_thinking, t.thinking_always_on], [Some(true); 2], "{id}");
        assert_eq!(t.efforts, Some(efforts("low medium high xhigh max")), "{id}");
        assert_eq!((t.context_window, t.max_output), (Some(1_000_000), Some(128_000)), "{id}");
    }
    let haiku = traits("claude", "claude-haiku-5-5");
    assert_eq!([haiku.sampling, haiku.prefill, haiku.budget_thinking, haiku.thinking_always_on], [Some(false); 4]);
    assert_eq!([haiku.forced_tool_use, haiku.adaptive_thinking], [Some(true); 2]);
    let old = traits("anthropic", "claude-haiku-4-5-20251001");
    assert_eq!([old.sampling, old.prefill, old.budget_thinking], [Some(true); 3]);
    assert_eq!((old.adaptive_thinking, old.efforts), (Some(false), Some(efforts(""))));
    let middle = traits("anthropic", "claude-opus-4-6");
    assert_eq!([middle.sampling, middle.budget_thinking, middle.adaptive_thinking], [Some(true); 3]);
    assert_eq!(middle.prefill, Some(false));
}

#[test]
fn gpt() {
    let sol = traits("openai", "gpt-6.1-sol");
    assert_eq!((sol.sampling, sol.thinking_always_on), (Some(false), Some(true)));
    assert_eq!(sol.efforts, Some(efforts("low medium high xhigh max")));
    let luna = traits("openai", "gpt-6-luna");
    let known = (luna.sampling, luna.sampling_with_reasoning, luna.thinking_always_on, luna.tools_with_reasoning);
    assert_eq!(known, (None, Some(false), None, None));
    assert_eq!(luna.efforts, Some(efforts("none low medium high xhigh max")));
    for (provider, id) in [("openai", "gpt-5.6"), ("openai", "gpt-5.6-sol"), ("azure", "gpt-5.6-sol-2026-07-09")] {
        let t = traits(provider, id);
        assert_eq!((t.tools_with_reasoning, t.sampling_with_reasoning), (Some(false), Some(false)), "{id}");
    }
    assert_eq!(traits("openrouter", "openai/gpt-5.6-sol").tools_with_reasoning, None, "the host's own");
    let dated = traits("openai", "gpt-5.4-2026-03-05");
    assert_eq!((dated.sampling, dated.sampling_with_reasoning), (None, Some(false)), "filled in from gpt-5.4");
    assert_eq!(traits("openai", "o3-2025-04-16").thinking_always_on, Some(true));
    assert_eq!(traits("openai", "gpt-4.1").sampling, Some(true));
}

#[test]
fn gemini() {
    let second = traits("gemini", "gemini-2.5-flash");
    assert_eq!((second.budget_thinking, second.sampling, second.thinking_always_on), (Some(true), Some(true), None));
    let third = traits("gemini", "gemini-3.1-pro-preview");
    assert_eq!((third.budget_thinking, third.sampling, third.thinking_always_on), (None, Some(true), Some(true)));
    assert_eq!(third.efforts, Some(efforts("low medium high")));
    assert_eq!(traits("google", "gemini-3.7-flash").sampling, Some(false));
    assert_eq!(traits("vertex", "gemini-3.7-flash").sampling, Some(false));
}

#[test]
fn hosts_serve_their_makers_models() {
    let refusing = |provider: &str, id: &str| {
        let t = traits(provider, id);
        [t.sampling, t.forced_tool_use, t.prefill, t.budget_thinking] == [Some(false); 4]
    };
    for (provider, id) in [
        ("bedrock", "anthropic.claude-sonnet-5-5"),
        ("bedrock", "us.anthropic.claude-fable-5-2"),
        ("bedrock", "ca.anthropic.claude-opus-5-5-v1:0"),
        ("bedrock", "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-5-5"),
        ("vertex", "claude-opus-5-5@20261001"),
        ("vertex", "claude-sonnet-5-5@default"),
        ("openrouter", "anthropic/claude-opus-5.5"),
        ("openrouter", "anthropic/claude-opus-5.5:batch"),
        ("anthropic", "claude-sonnet-5-5-20261003"),
        ("anthropic", "claude-sonnet-5-5-latest"),
    ] {
        assert!(refusing(provider, id), "{provider}/{id}: {:?}", traits(provider, id));
    }
}

#[test]
fn nothing_is_guessed() {
    for (provider, id) in [
        ("anthropic", "claude-sonnet-9"),
        ("anthropic", "claude-sonnet-5-5-mini"),
        ("anthropic", ""),
        ("anthropic", "-20251001"),
        ("anthropic", "é-2025-10-01"),
        ("bedrock", "."),
        ("bedrock", "nobody.model-v1:0"),
        ("openrouter", "/"),
        ("openrouter", "anthropic/claude-sonnet-9"),
        ("custom", "claude-sonnet-5-5"),
        ("vllm", "gpt-5.6"),
        ("nobody", "gpt-5.6"),
        ("", ""),
    ] {
        assert_eq!(traits(provider, id), ModelTraits::default(), "{provider}/{id}");
    }
}

#[test]
fn something_is_known_of_every_model_in_the_list() {
    let mut seen = 0;
    for (provider, model) in models() {
        assert!(traits(provider, model) != ModelTraits::default(), "{provider}/{model}");
        seen += 1;
    }
    assert!(seen > 1_000);
}
