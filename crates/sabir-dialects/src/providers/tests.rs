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
    let known: [Vec<&str>; 6] = [
        crate::dialects().iter().map(|d| d.name()).collect(),
        crate::embeddings().iter().map(|e| e.name()).collect(),
        crate::rerankings().iter().map(|r| r.name()).collect(),
        crate::listings().iter().map(|l| l.name()).collect(),
        crate::countings().iter().map(|c| c.name()).collect(),
        crate::batches::all().iter().map(|b| b.name()).collect(),
    ];
    for row in rows() {
        let formats = [row.dialect, row.embed, row.rerank, row.models, row.count, row.batches];
        assert!(formats.iter().any(|format| !format.is_empty()), "{} does nothing", row.id);
        for (format, known) in formats.iter().zip(&known) {
            // Built with some rooms alone, their formats alone are known.
            let there = format.is_empty() || known.is_empty() || known.contains(format);
            assert!(there || !cfg!(feature = "default"), "{}: no room is called {format}", row.id);
            assert_eq!(row.speaks(format), !format.is_empty());
        }
        assert!(!row.speaks("nothing"));
        for (dialect, path) in row.also {
            assert!(
                known[0].contains(dialect) || !cfg!(feature = "default"),
                "{}: no room is called {dialect}",
                row.id
            );
            assert!(*dialect != row.dialect && row.speaks(dialect), "{}: {dialect} twice", row.id);
            let whole = path.is_empty() || (path.starts_with('/') && !path.ends_with('/'));
            assert!(whole, "{}: {path:?} is no path", row.id);
        }
        for (header, variables) in row.header_env {
            assert!(HeaderName::from_static(header) == *header && !variables.is_empty(), "{}: {header}", row.id);
        }
    }
}

#[test]
fn dialects_are_found_by_their_names_and_by_the_ends_of_them() {
    for (id, name, found) in [
        ("openai", "openai-chat", Some(("openai-chat", ""))),
        ("openai", "chat", Some(("openai-chat", ""))),
        ("openai", "responses", Some(("openai-responses", ""))),
        ("deepseek", "completions", Some(("openai-completions", "/beta"))),
        ("ollama", "chat", Some(("ollama-chat", ""))),
        ("ollama", "openai-chat", Some(("openai-chat", "/v1"))),
        ("ollama", "generate", Some(("ollama-generate", ""))),
        ("cohere", "v1-chat", Some(("cohere-v1-chat", ""))),
        ("openai", "messages", None),
        ("openai", "openai-embeddings", None),
        ("openai", "", None),
        ("voyage", "chat", None),
        ("voyage", "", None),
    ] {
        assert_eq!(find(id).expect("a row").dialect_called(name), found, "{id}:{name}");
    }
}

#[test]
fn another_dialect_stands_beside_the_usual_one() {
    for (id, base, path, url) in [
        ("openai", "https://api.openai.com/v1", "", "https://api.openai.com/v1"),
        ("moonshot", "https://api.moonshot.ai/v1", "/anthropic", "https://api.moonshot.ai/anthropic"),
        ("moonshot", "https://api.moonshot.ai/anthropic/", "/anthropic", "https://api.moonshot.ai/anthropic"),
        ("zai", "https://api.z.ai/api/paas/v4", "/api/anthropic", "https://api.z.ai/api/anthropic"),
        ("deepseek", "https://api.deepseek.com", "/beta", "https://api.deepseek.com/beta"),
        ("deepseek", "https://api.deepseek.com/v1", "/beta", "https://api.deepseek.com/beta"),
        ("ollama", "http://box:11434", "/v1", "http://box:11434/v1"),
        ("ollama", "http://box:11434/v1", "/v1", "http://box:11434/v1"),
        ("moonshot", "https://proxy.test/kimi", "/anthropic", "https://proxy.test/kimi/anthropic"),
        ("moonshot", "https://proxy.test/kimi/v1", "/anthropic", "https://proxy.test/kimi/anthropic"),
        ("azure", "https://r.openai.azure.com/openai/v1", "/x", "https://r.openai.azure.com/x"),
        ("moonshot", "", "/anthropic", "/anthropic"),
    ] {
        assert_eq!(find(id).expect("a row").base_url_with(base, path), url, "{id}: {base} {path}");
    }
}

#[test]
fn a_host_that_is_gone_is_known_by_its_name() {
    let textgen = find("tgi").expect("a row");
    let now = Some("https://router.huggingface.co/hf-inference/models");
    for (base, moved) in [
        ("https://api-inference.huggingface.co", now),
        ("http://Api-Inference.huggingface.co:443/models", now),
        ("api-inference.huggingface.co/models", now),
        ("https://api-inference.huggingface.co.test", None),
        ("https://router.huggingface.co/v1", None),
        ("", None),
        ("://", None),
    ] {
        assert_eq!(textgen.moved(base), moved, "{base}");
    }
    assert_eq!(find("openai").expect("a row").moved("https://api-inference.huggingface.co"), None);
}

/// The quirks of a dialect or a format.
fn quirks_of(name: &str) -> Vec<&'static str> {
    let dialects = crate::dialects().iter().filter(|d| d.name() == name).flat_map(|d| d.quirks());
    let embeddings = crate::embeddings().iter().filter(|e| e.name() == name).flat_map(|e| e.quirks());
    let rerankings = crate::rerankings().iter().filter(|r| r.name() == name).flat_map(|r| r.quirks());
    let listings = crate::listings().iter().filter(|l| l.name() == name).flat_map(|l| l.quirks());
    let countings = crate::countings().iter().filter(|c| c.name() == name).flat_map(|c| c.quirks());
    dialects.chain(embeddings).chain(rerankings).chain(listings).chain(countings).copied().collect()
}

#[test]
#[cfg(feature = "default")]
fn every_quirk_of_a_row_is_one_of_what_it_speaks() {
    for row in rows() {
        let formats = row.dialects().map(|(dialect, _)| dialect).chain([row.embed, row.rerank, row.models, row.count]);
        let known: HashSet<&str> = formats.flat_map(quirks_of).collect();
        for (quirk, _) in row.quirks {
            assert!(known.contains(quirk), "{}: nothing that it speaks has the quirk {quirk}", row.id);
        }
    }
}

#[test]
#[cfg(feature = "default")]
fn the_head_of_the_rows_documents_every_quirk_and_no_other() {
    let head = include_str!("../../providers.toml").split("[[provider]]").next().unwrap_or_default();
    let (_, quirks) = head.split_once("\n# Quirks").expect("a list of quirks");
    let word =
        |line: &'static str| line.strip_prefix("# ")?.split_once("  ").or(line.strip_prefix("# ")?.split_once(' '));
    let is_name = |name: &&str| name.contains('_') || ["purpose", "route"].contains(name);
    let documented: HashSet<&str> = quirks.lines().filter_map(word).map(|(name, _)| name).filter(is_name).collect();
    let names = crate::dialects().iter().map(|d| d.name()).chain(crate::embeddings().iter().map(|e| e.name()));
    let names = names.chain(crate::rerankings().iter().map(|r| r.name()));
    let declared: HashSet<&str> = names.chain(crate::listings().iter().map(|l| l.name())).flat_map(quirks_of).collect();
    assert_eq!(documented, declared);
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
        ("vertex-count", Some("vertex")),
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
