//! `sabir keys` and `sabir doctor`, completions and the manual.

mod support;

use serde_json::Value;
use support::{Folder, sabir, text};

const KEY: &str = "sk-kept-0123456789abcdef";

/// Runs it with a file of keys of the test's own; gives its status, what it wrote and what it remarked.
fn with(folder: &Folder, arguments: &[&str], input: &str, more: &[(&str, &str)]) -> (i32, String, String) {
    let keys = folder.path().join("keys/keys.toml");
    let data = folder.path().to_str().expect("text");
    let env = [&[("SABIR_KEYS", keys.to_str().expect("text")), ("XDG_DATA_HOME", data)], more].concat();
    let output = sabir(arguments, input, &env);
    let (said, remarked) = (text(&output.stdout), text(&output.stderr));
    assert!(!said.contains(KEY) && !remarked.contains(KEY), "{arguments:?} shows a key");
    (output.status.code().expect("it ends"), said, remarked)
}

#[test]
fn keys_are_kept_masked_used_and_forgotten() {
    let folder = Folder::new("keys");
    let (status, _, remarked) = with(&folder, &["keys", "set", "openai"], &format!("{KEY}\n"), &[]);
    assert_eq!(status, 0, "{remarked}");
    let path = folder.path().join("keys/keys.toml");
    assert_eq!(with(&folder, &["keys", "path"], "", &[]).1.trim(), path.to_str().expect("text"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &std::path::Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().expect("a folder"))), (0o600, 0o700));
    }
    // It is used where no variable has one, and said to be overridden where one has.
    let explain = ["explain", "--json", "-m", "openai/gpt-4o", "hi"];
    let explained: Value = serde_json::from_str(&with(&folder, &explain, "", &[]).1).expect("JSON");
    assert_eq!(explained["candidates"][0]["request"]["key_variable"], "OPENAI_API_KEY");
    let listed: Value = serde_json::from_str(&with(&folder, &["keys", "list", "--json"], "", &[]).1).expect("JSON");
    assert_eq!(
        (&listed["name"], &listed["key"], &listed["overridden_by"]),
        (&"openai".into(), &"sk-k…".into(), &Value::Null)
    );
    let shadowed = with(&folder, &["keys", "list"], "", &[("OPENAI_API_KEY", "sk-other-0123456789")]).1;
    assert!(shadowed.contains("not used: OPENAI_API_KEY is set"), "{shadowed}");
    // A name of one's own is for the configuration.
    assert_eq!(with(&folder, &["keys", "set", "work"], KEY, &[]).0, 0);
    let config = folder.file("sabir.toml", b"[providers.groq]\napi_key = \"key:work\"\n");
    let doctor = ["doctor", "--offline", "--json", "--config", &config];
    let (status, found, _) = with(&folder, &doctor, "", &[]);
    assert!(status == 0 && found.contains("from stored key work"), "{found}");

    assert_eq!(with(&folder, &["keys", "remove", "work"], "", &[]).0, 0);
    let (status, found, _) = with(&folder, &doctor, "", &[]);
    assert!(status == 1 && found.contains("there is no key work"), "{found}");
    assert_eq!(with(&folder, &["keys", "remove", "work"], "", &[]).0, 2);
}

#[test]
fn what_is_no_key_and_what_others_can_read_is_refused() {
    let folder = Folder::new("keys-refused");
    for (name, key) in [("openai", ""), ("openai", "two words"), ("openai", "line\nbreak"), ("a b", KEY), ("", KEY)] {
        let (status, _, remarked) = with(&folder, &["keys", "set", name], key, &[]);
        assert_eq!(status, 2, "{name:?}: {remarked}");
    }
    // Nothing of it stays behind.
    let left: Vec<_> = std::fs::read_dir(folder.path().join("keys")).map_or_else(|_| Vec::new(), Iterator::collect);
    assert!(left.is_empty(), "{left:?}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(with(&folder, &["keys", "set", "openai"], KEY, &[]).0, 0);
        let path = folder.path().join("keys/keys.toml");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("set");
        for arguments in
            [&["keys", "list"][..], &["keys", "set", "groq"], &["chat", "-m", "openai/gpt-4o", "hi"], &["chat", "hi"]]
        {
            let (status, _, remarked) = with(&folder, arguments, KEY, &[]);
            assert!(status == 2 && remarked.contains("chmod 600"), "{arguments:?}: {remarked}");
        }
        let (status, found, _) = with(&folder, &["doctor", "--offline"], "", &[]);
        assert!(status == 1 && found.contains("others can read"), "{found}");
    }
}

/// Arguments, variables, and what is found.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);

#[test]
fn a_doctor_finds_what_is_wrong_and_says_what_to_do() {
    let folder = Folder::new("doctor");
    let (status, found, _) = with(&folder, &["doctor", "--offline"], "", &[]);
    assert!(status == 0 && found.contains("no file") && found.contains("key  "), "{found}");
    let wrong = folder.file("wrong.toml", b"retyr = 5\n");
    let cases: &[Case<'_>] = &[
        (&["--config", &wrong], &[], "did you mean `retry`"),
        (&[], &[("HTTPS_PROXY", "ftp://me:secret@nowhere")], "proxy"),
        (&[], &[("OPENAI_API_KEY", "line\nbreak")], "OPENAI_API_KEY"),
        (&[], &[("SSL_CERT_FILE", &wrong)], "wrong.toml, in which no certificate can be used"),
    ];
    for (arguments, env, said) in cases {
        let (status, found, _) = with(&folder, &[&["doctor", "--offline", "--json"], *arguments].concat(), "", env);
        let findings: Vec<Value> = found.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let wrong: Vec<&Value> = findings.iter().filter(|finding| finding["state"] == "wrong").collect();
        assert_eq!((status, wrong.len()), (1, 1), "{found}");
        assert!(wrong[0].to_string().contains(said) && wrong[0]["advice"].is_string(), "{found}");
        assert!(!found.contains("secret"), "{found}");
    }
    // A provider that somebody gave a key for and that nobody answers for.
    let env = [("OPENAI_API_KEY", KEY), ("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")];
    let (status, found, _) =
        with(&folder, &["doctor", "--timeout", "2"], "", &[&env[..], &[("NO_PROXY", "*")]].concat());
    assert!(found.contains("openai"), "{found}");
    assert!(status == 1 || found.contains("does not run on this machine"), "{found}");
}

#[test]
fn every_command_has_an_example_and_a_page() {
    let folder = Folder::new("man");
    let to = folder.path().join("man");
    let (status, said, _) = with(&folder, &["man", "--to", to.to_str().expect("text")], "", &[]);
    assert_eq!(status, 0, "{said}");
    let mut pages = 0;
    for page in std::fs::read_dir(&to).expect("pages") {
        let page = page.expect("a page").path();
        let name = page.file_stem().and_then(|name| name.to_str()).expect("text").to_owned();
        let written = std::fs::read_to_string(&page).expect("text");
        assert!(written.contains(".TH "), "{name}");
        pages += 1;
        let spaced = name.replace('-', " ").replace("gateway key", "gateway-key");
        let words: Vec<&str> = spaced.split(' ').skip(1).collect();
        let help = with(&folder, &[&words[..], &["--help"]].concat(), "", &[]).1;
        assert!(help.contains("Example"), "`{spaced}` has no example:\n{help}");
    }
    assert!(pages > 20, "{pages}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = with(&folder, &["completions", shell], "", &[]).1;
        assert!(script.contains("explain") && script.contains("no-stream"), "{shell}");
    }
}
