use std::collections::HashSet;

use super::*;

#[test]
fn ids_and_aliases_are_unique_and_found() {
    let mut seen = HashSet::new();
    for row in rows() {
        for id in std::iter::once(&row.id).chain(row.aliases) {
            assert!(seen.insert(*id), "{id} stands twice");
            assert!(!id.contains('/') && *id == id.to_lowercase(), "{id} cannot stand before a model");
            assert_eq!(find(id).map(|found| found.id), Some(row.id));
        }
    }
    assert!(find("OpenAI").is_none() && find("").is_none() && find("openai/gpt").is_none());
}

#[test]
fn every_row_is_an_endpoint() {
    for row in rows() {
        let endpoint = row.endpoint();
        assert_eq!(endpoint.headers.len(), row.headers.len(), "{}", row.id);
        assert!(!row.base_url.ends_with('/'), "{}: no trailing slash", row.id);
        if row.base_url.is_empty() {
            let said = !row.base_url_env.is_empty() || row.auth == AuthRow::Aws;
            assert!(said, "{}: nobody can say where it is", row.id);
        } else {
            endpoint.url("/x").expect(row.id);
        }
        assert!(!row.key_required || !row.key_env.is_empty(), "{}: nobody can give it its key", row.id);
        for (quirk, value) in row.quirks {
            assert_eq!(endpoint.quirks.get(quirk), Some(*value));
            assert_eq!(row.quirk(quirk), Some(*value));
        }
    }
    assert_eq!(find("anthropic").expect("a row").endpoint().headers["anthropic-version"], "2023-06-01");
    assert_eq!(find("groq").expect("a row").quirk("no_such_quirk"), None);
}

#[test]
fn every_format_of_a_row_has_a_room_and_does_something() {
    let known: [Vec<&str>; 4] = [
        crate::dialects().iter().map(|d| d.name()).collect(),
        crate::embeddings().iter().map(|e| e.name()).collect(),
        crate::rerankings().iter().map(|r| r.name()).collect(),
        crate::listings().iter().map(|l| l.name()).collect(),
    ];
    for row in rows() {
        let formats = [row.dialect, row.embed, row.rerank, row.models];
        assert!(formats.iter().any(|format| !format.is_empty()), "{} does nothing", row.id);
        for (format, known) in formats.iter().zip(&known) {
            // Built with some rooms alone, their formats alone are known.
            let there = format.is_empty() || known.is_empty() || known.contains(format);
            assert!(there || !cfg!(feature = "default"), "{}: no room is called {format}", row.id);
            assert_eq!(row.speaks(format), !format.is_empty());
        }
        assert!(!row.speaks("nothing"));
    }
}

#[test]
fn formats_have_their_inventors() {
    for (format, inventor) in [
        ("openai-chat", Some("openai")),
        ("openai-responses", Some("openai")),
        ("anthropic-messages", Some("anthropic")),
        ("gemini-embed", Some("gemini")),
        ("bedrock-converse", Some("bedrock")),
        ("jina-rerank", Some("jina")),
        ("ollama-tags", Some("ollama")),
        ("nobody-chat", None),
        ("", None),
    ] {
        assert_eq!(super::inventor(format).map(|row| row.id), inventor, "{format}");
    }
}

#[test]
fn slips_are_guessed_and_strangers_are_not() {
    for (given, meant) in [
        ("opena", Some("openai")),
        ("OpenAI", Some("openai")),
        ("antrhopic", Some("anthropic")),
        ("gorq", Some("groq")),
        ("mistrall", Some("mistral")),
        ("claud", Some("claude")),
        ("hugging", Some("huggingface")),
        ("openai-chat", Some("openai")),
        ("xi", Some("xai")),
        ("", None),
        ("q", None),
        ("watson", None),
    ] {
        assert_eq!(did_you_mean(given), meant, "{given}");
    }
    assert_eq!(did_you_mean(&"openai".repeat(100_000)), None);
}

#[test]
fn base_urls_are_made_whole() {
    let ollama = find("ollama").expect("a row");
    for (given, whole) in [
        ("box", "http://box:11434"),
        ("box:80", "http://box:80"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:1", "http://[::1]:1"),
        ("https://ollama.com/", "https://ollama.com"),
        ("http://box:1/v1/", "http://box:1/v1"),
        ("box/proxy", "http://box/proxy"),
    ] {
        assert_eq!(ollama.whole_base_url(given), whole, "{given}");
    }
    let azure = find("azure").expect("a row");
    assert_eq!(azure.whole_base_url("https://r.openai.azure.com/"), "https://r.openai.azure.com/openai/v1");
    assert_eq!(azure.whole_base_url("https://r.openai.azure.com/openai/v1"), "https://r.openai.azure.com/openai/v1");
    let openai = find("openai").expect("a row");
    assert_eq!(openai.whole_base_url("https://proxy.test"), "https://proxy.test");
    // An endpoint made of these says what is wrong; here they only must not panic.
    for hostile in ["", " ", "/", "://", "http://", "]", ":", "é", "http://é"] {
        ollama.whole_base_url(hostile);
    }
}
