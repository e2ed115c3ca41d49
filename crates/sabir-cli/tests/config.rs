//! `sabir config`, and a command that goes by it, as a person runs them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sabir-cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }

    /// Runs `sabir` in the folder, with an environment that has nothing in it but what is given.
    fn sabir(&self, arguments: &[&str], input: &str, env: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sabir"));
        // `printf` is looked for in the usual place; nothing listens on port 1.
        command.args(arguments).current_dir(&self.0).env_clear().env("PATH", "/usr/bin:/bin");
        command.env("OLLAMA_HOST", "http://127.0.0.1:1").envs(env.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command runs");
        // The command may not read its input at all.
        let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
        child.wait_with_output().expect("the command ends")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn init_asks_and_what_it_writes_is_right() {
    let folder = Folder::new("init");
    let answers = "opnai\nanthropic\n\nsk-ant-a-key-in-the-wrong-place\ncmd:printf k-ant\n";
    let (status, out, err) = said(&folder.sabir(&["config", "init"], answers, &[]));
    assert_eq!((status, out.contains("sabir.toml is written")), (Some(0), true), "{err}");
    assert!(err.contains("did you mean openai?") && err.contains("a key does not belong into the file"), "{err}");
    let file = std::fs::read_to_string(folder.0.join("sabir.toml")).expect("a file");
    assert!(file.contains("\n[providers.anthropic]\napi_key = \"cmd:printf k-ant\"\n"), "{file}");
    assert!(!file.contains("sk-ant"), "{file}");
    assert_eq!(
        said(&folder.sabir(&["config", "check"], "", &[])),
        (Some(0), "sabir.toml is right.\n".into(), String::new())
    );

    let (status, _, err) = said(&folder.sabir(&["config", "init", "--yes"], "", &[]));
    assert_eq!(status, Some(2));
    assert!(err.contains("sabir.toml is there already; --force writes over it"), "{err}");
    let (status, ..) = said(&folder.sabir(&["config", "init", "-y", "--force"], "", &[("GROQ_API_KEY", "k")]));
    let file = std::fs::read_to_string(folder.0.join("sabir.toml")).expect("a file");
    assert!(status == Some(0) && file.contains("model = \"groq/"), "{file}");
    let (status, _, err) = said(&folder.sabir(&["config", "init", "sub/new.toml"], "openai\n", &[]));
    assert_eq!((status, err.contains("--yes asks nothing")), (Some(2), true), "{err}");
    let (status, _, err) = said(&folder.sabir(&["config", "init", "x.yaml"], "", &[]));
    assert_eq!((status, err.contains("must end in .toml")), (Some(2), true), "{err}");
}

#[test]
fn check_says_all_that_is_wrong() {
    let folder = Folder::new("check");
    folder.write("own.yaml", "retyr:\n  max_attempts: 5\ntimeout: 30\n");
    let (status, out, err) = said(&folder.sabir(&["config", "check", "--config", "own.yaml"], "", &[]));
    assert_eq!((status, out.as_str()), (Some(2), ""));
    assert_eq!(
        err,
        "error: own.yaml:1: retyr: is not known; did you mean `retry`?\n\
         own.yaml:3: timeout: must be a duration with its unit like 30s, 500ms, 1m30s or 24h, not 30\n"
    );
    let (status, _, err) = said(&folder.sabir(&["config", "check"], "", &[]));
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
        let (status, _, err) = said(&folder.sabir(arguments, "", env));
        assert_eq!((status, err.contains(says)), (Some(2), true), "{arguments:?}: {err}");
    }
    folder.write("sabir.toml", "");
    folder.write("sabir.json", "{}");
    let (status, _, err) = said(&folder.sabir(&["config", "check"], "", &[]));
    assert_eq!((status, err.contains("sabir.toml and sabir.json are both there")), (Some(2), true), "{err}");
}

#[test]
fn show_tells_where_everything_comes_from() {
    let folder = Folder::new("show");
    folder.write(
        "xdg/sabir/config.toml",
        "model = \"openai/m\"\n[providers.openai]\napi_key = \"sk-proj-Zk3x9QpL7vNb2Wc4\"\n",
    );
    let xdg = folder.0.join("xdg");
    let env = [("XDG_CONFIG_HOME", xdg.to_str().expect("text")), ("LLM_TIMEOUT", "45s")];
    let (status, out, err) = said(&folder.sabir(&["config", "show"], "", &env));
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
    let (_, out, _) = said(&folder.sabir(&["config", "show", "--all", "--json"], "", &env));
    assert!(
        out.lines().any(|line| line == r#"{"field":"retry.max_attempts","value":"3","source":"default"}"#),
        "{out}"
    );
    let (_, out, _) = said(&folder.sabir(&["config", "schema"], "", &[]));
    let schema: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(schema["properties"]["retry"]["properties"]["max_attempts"]["default"], 3);
}

#[test]
fn chat_goes_by_the_configuration() {
    let folder = Folder::new("chat");
    folder.write("sabir.toml", "model = \"small\"\n[aliases]\nsmall = \"sim/simulated\"\n");
    let ask = |arguments: &[&str], env: &[(&str, &str)]| {
        let output = folder.sabir(&[&["chat", "--json", "salt"], arguments].concat(), "", env);
        let (status, out, err) = said(&output);
        assert_eq!(status, Some(0), "{err}");
        assert!(!err.contains("built-in simulator"), "nobody guessed: {err}");
        serde_json::from_str::<serde_json::Value>(&out).expect("JSON")["model"].as_str().expect("a model").to_owned()
    };
    assert_eq!(ask(&[], &[]), "simulated");
    assert_eq!(ask(&["-m", "small"], &[]), "simulated");
    assert_eq!(ask(&[], &[("LLM_MODEL", "sim/other")]), "other", "the environment weighs more");
    assert_eq!(ask(&["-m", "sim/said"], &[("LLM_MODEL", "sim/other")]), "said", "and what is said the most");
    let (status, _, err) = said(&folder.sabir(&["chat", "-m", "opnai/x", "hi"], "", &[]));
    assert_eq!((status, err.contains("did you mean \"openai\"?")), (Some(2), true), "{err}");
}
