//! `sabir config`, and a command that goes by it, as a person runs them.

mod support;

use std::path::Path;
use std::process::Output;

use support::{Folder, command, text};

/// Runs `sabir` in a folder.
fn sabir_in(folder: &Folder, arguments: &[&str], input: &str, env: &[(&str, &str)]) -> Output {
    // `printf` is looked for in the usual place.
    support::run(command(arguments, env).env("PATH", "/usr/bin:/bin").current_dir(folder.path()), input)
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn init_asks_and_what_it_writes_is_right() {
    let folder = Folder::new("init");
    let answers = "opnai\nanthropic\n\nsk-ant-a-key-in-the-wrong-place\ncmd:printf k-ant\n";
    let (status, out, err) = said(&sabir_in(&folder, &["config", "init"], answers, &[]));
    assert_eq!((status, out.contains("sabir.toml is written")), (Some(0), true), "{err}");
    assert!(err.contains("did you mean openai?") && err.contains("a key does not belong into the file"), "{err}");
    let file = std::fs::read_to_string(folder.path().join("sabir.toml")).expect("a file");
    assert!(file.contains("\n[providers.anthropic]\napi_key = \"cmd:printf k-ant\"\n"), "{file}");
    assert!(!file.contains("sk-ant"), "{file}");
    assert_eq!(
        said(&sabir_in(&folder, &["config", "check"], "", &[])),
        (Some(0), "sabir.toml is right.\n".into(), String::new())
    );

    let (status, _, err) = said(&sabir_in(&folder, &["config", "init", "--yes"], "", &[]));
    assert_eq!(status, Some(2));
    assert!(err.contains("sabir.toml is there already; --force writes over it"), "{err}");
    let (status, ..) = said(&sabir_in(&folder, &["config", "init", "-y", "--force"], "", &[("GROQ_API_KEY", "k")]));
    let file = std::fs::read_to_string(folder.path().join("sabir.toml")).expect("a file");
    assert!(status == Some(0) && file.contains("model = \"groq/"), "{file}");
    let (status, _, err) = said(&sabir_in(&folder, &["config", "init", "sub/new.toml"], "openai\n", &[]));
    assert_eq!((status, err.contains("--yes asks nothing")), (Some(2), true), "{err}");
    let (status, _, err) = said(&sabir_in(&folder, &["config", "init", "x.yaml"], "", &[]));
    assert_eq!((status, err.contains("must end in .toml")), (Some(2), true), "{err}");
}

#[test]
fn check_says_all_that_is_wrong() {
    let folder = Folder::new("check");
    folder.file("own.yaml", b"retyr:\n  max_attempts: 5\ntimeout: 30\n");
    let (status, out, err) = said(&sabir_in(&folder, &["config", "check", "--config", "own.yaml"], "", &[]));
    assert_eq!((status, out.as_str()), (Some(2), ""));
    assert_eq!(
        err,
        "error: own.yaml:1: retyr: is not known; did you mean `retry`?\n\
         own.yaml:3: timeout: must be a duration with its unit like 30s, 500ms, 1m30s or 24h, not 30\n"
    );
    let (status, _, err) = said(&sabir_in(&folder, &["config", "check"], "", &[]));
    assert_eq!((status, err.contains("no configuration file")), (Some(0), true), "{err}");
    for (arguments, env, says) in [
        (&["config", "check"][..], &[("SABIR_CONFIG", "none.toml")][..], "$SABIR_CONFIG: there is no file none.toml"),
        (&["config", "check", "--config", "none.toml"], &[], "cannot read none.toml"),
        (&["config", "check", "--config", "own.ini"], &[], "must end in .toml"),
        (
            &["config", "check"],
            &[("LLM_MAX_BUDGET", "lots")],
            "$LLM_MAX_BUDGET: cost_control.max_budget: must be dollars",
        ),
        (&["chat", "--config", "own.yaml", "hi"], &[], "did you mean `retry`?"),
    ] {
        let (status, _, err) = said(&sabir_in(&folder, arguments, "", env));
        assert_eq!((status, err.contains(says)), (Some(2), true), "{arguments:?}: {err}");
    }
    folder.file("sabir.toml", b"");
    folder.file("sabir.json", b"{}");
    let (status, _, err) = said(&sabir_in(&folder, &["config", "check"], "", &[]));
    assert_eq!((status, err.contains("sabir.toml and sabir.json are both there")), (Some(2), true), "{err}");
}

#[test]
fn show_tells_where_everything_comes_from() {
    let folder = Folder::new("show");
    folder.file(
        "xdg/sabir/config.toml",
        b"model = \"openai/m\"\n[providers.openai]\napi_key = \"sk-proj-Zk3x9QpL7vNb2Wc4\"\n",
    );
    let xdg = folder.path().join("xdg");
    let env = [("XDG_CONFIG_HOME", xdg.to_str().expect("text")), ("LLM_TIMEOUT", "45s")];
    let (status, out, err) = said(&sabir_in(&folder, &["config", "show"], "", &env));
    assert_eq!(status, Some(0), "{err}");
    let place = Path::new(env[0].1).join("sabir/config.toml");
    let lines: Vec<String> = out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        lines,
        [
            format!("model = openai/m # {}:1", place.display()),
            format!("providers.openai.api_key = sk-p… # {}:3", place.display()),
            "timeout = 45s # $LLM_TIMEOUT".to_owned(),
        ]
    );
    let (_, out, _) = said(&sabir_in(&folder, &["config", "show", "--all", "--json"], "", &env));
    assert!(
        out.lines().any(|line| line == r#"{"field":"retry.max_attempts","value":"3","source":"default"}"#),
        "{out}"
    );
    let (_, out, _) = said(&sabir_in(&folder, &["config", "schema"], "", &[]));
    let schema: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(schema["properties"]["retry"]["properties"]["max_attempts"]["default"], 3);
}

#[test]
fn chat_goes_by_the_configuration() {
    let folder = Folder::new("chat");
    folder.file("sabir.toml", b"model = \"small\"\n[aliases]\nsmall = \"sim/simulated\"\n");
    let ask = |arguments: &[&str], env: &[(&str, &str)]| {
        let output = sabir_in(&folder, &[&["chat", "--json", "salt"], arguments].concat(), "", env);
        let (status, out, err) = said(&output);
        assert_eq!(status, Some(0), "{err}");
        assert!(!err.contains("built-in simulator"), "nobody guessed: {err}");
        serde_json::from_str::<serde_json::Value>(&out).expect("JSON")["model"].as_str().expect("a model").to_owned()
    };
    assert_eq!(ask(&[], &[]), "simulated");
    assert_eq!(ask(&["-m", "small"], &[]), "simulated");
    assert_eq!(ask(&[], &[("LLM_MODEL", "sim/other")]), "other", "the environment weighs more");
    assert_eq!(ask(&["-m", "sim/said"], &[("LLM_MODEL", "sim/other")]), "said", "and what is said the most");
    let (status, _, err) = said(&sabir_in(&folder, &["chat", "-m", "opnai/x", "hi"], "", &[]));
    assert_eq!((status, err.contains("did you mean \"openai\"?")), (Some(2), true), "{err}");
}
