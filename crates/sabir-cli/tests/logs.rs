//! `sabir logs`, and the log that `sabir chat` keeps, as a person uses them.

mod support;

use std::path::PathBuf;
use std::process::Output;

use serde_json::{Value, json};
use support::{Folder, command, text};

struct Home(Folder);

impl Home {
    fn new(name: &str) -> Self {
        Self(Folder::new(name))
    }

    fn sabir(&self, arguments: &[&str]) -> Output {
        let mut command = command(arguments, &[]);
        command.env("XDG_DATA_HOME", self.0.path()).env("XDG_CONFIG_HOME", self.0.path()).current_dir(self.0.path());
        support::run(&mut command, "")
    }

    /// What it answers, where all goes well and nothing else is said.
    fn says(&self, arguments: &[&str]) -> String {
        let output = self.sabir(arguments);
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{arguments:?}");
        text(&output.stdout)
    }

    fn refuses(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.sabir(arguments);
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
        (output.status.code(), text(&output.stderr).trim_end().to_owned())
    }

    /// Asks, and gives the conversation's id.
    fn ask(&self, arguments: &[&str]) -> String {
        let arguments: Vec<&str> = ["chat", "--json"].iter().chain(arguments).copied().collect();
        let answer: Value = serde_json::from_str(&self.says(&arguments)).expect("JSON");
        answer["conversation"].as_str().expect("an id").to_owned()
    }

    fn log(&self) -> PathBuf {
        self.0.path().join("sabir/logs.db")
    }

    fn shown(&self, id: &str) -> Value {
        serde_json::from_str(&self.says(&["logs", "show", id, "--json"])).expect("JSON")
    }
}

fn refused(status: i32, text: &str) -> (Option<i32>, String) {
    (Some(status), format!("error: {text}"))
}

#[test]
fn a_conversation_goes_on_with_all_that_was_in_it() {
    let home = Home::new("go-on");
    let picture = home.0.file("a.png", b"\x89PNG\r\n\x1a\n0000");
    let id = home.ask(&["-m", "sim/x", "-s", "Be brief.", "-a", &picture, "--effort", "low", "What is it?"]);
    let again = home.ask(&["-c", "And now?"]);
    assert_eq!(id, again);
    let other = home.ask(&["-m", "sim/y", "Something else"]);
    assert_ne!(id, other);
    assert_eq!(home.ask(&["--id", &id[..6], "-m", "sim/z", "-s", "Be long.", "And then?"]), id);

    let shown = home.shown(&id);
    let exchanges = shown["exchanges"].as_array().expect("a list");
    let said: Vec<Vec<&str>> = exchanges
        .iter()
        .map(|exchange| {
            let messages = exchange["messages"].as_array().expect("a list");
            messages.iter().map(|message| message["role"].as_str().expect("a role")).collect()
        })
        .collect();
    assert_eq!(
        said,
        [vec!["system", "user", "assistant"], vec!["user", "assistant"], vec!["system", "user", "assistant"]]
    );
    assert_eq!([&exchanges[0]["model"], &exchanges[1]["model"], &exchanges[2]["model"]], ["sim/x", "sim/x", "sim/z"]);
    let (picture, thought) = (&exchanges[0]["messages"][1]["parts"][0], &exchanges[0]["messages"][2]["parts"][0]);
    assert_eq!(picture["source"]["bytes"], "iVBORw0KGgowMDAw");
    assert_eq!(
        (&thought["type"], &thought["signature"]),
        (&json!("reasoning"), &json!("c2ltdWxhdGVkIHNpZ25hdHVyZQ=="))
    );
    // What the model was sent: the simulator tells of it.
    let told = exchanges[2]["messages"][2]["parts"][0]["text"].as_str().expect("text");
    assert_eq!(
        told,
        "This is Sabir's simulator, not a language model. You said: “And then?” (2 words). Your system prompt has 2 words; \
         a model would follow it. This is answer number 3 of our conversation."
    );

    let list = home.says(&["logs"]);
    assert_eq!(list.lines().count(), 5, "{list}");
    let newest: Vec<&str> = list.lines().skip(1).map(|line| line.split("  ").next().expect("a word")).collect();
    assert_eq!(newest, [&id, &other, &id, &id]);
    assert_eq!(home.says(&["logs", "-n", "1", "--model", "SIM/Y"]).lines().count(), 2);
    assert_eq!(home.says(&["logs", "--since", "1h", "-n", "0"]), list);
    assert_eq!(home.refuses(&["logs", "--model", "nobody"]), refused(1, "nothing is logged of that"));
    let lines = home.says(&["logs", "--json"]);
    let first: Value = serde_json::from_str(lines.lines().next().expect("a line")).expect("JSON");
    assert_eq!(
        (&first["conversation"], &first["number"], &first["asked"]),
        (&json!(id), &json!(3), &json!("And then?"))
    );
    let text = home.says(&["logs", "show", &id]);
    assert!(text.contains("[image, image/png, 12 bytes]") && text.contains("\n[user]\n"), "{text}");
    assert_eq!(home.says(&["logs", "path"]), format!("{}\n", home.log().display()));
}

#[test]
fn words_are_found_and_what_is_deleted_is_gone() {
    let home = Home::new("search");
    let id = home.ask(&["-m", "sim/x", "The harbour of Málta is deep"]);
    let other = home.ask(&["-m", "sim/x", "-s", "unmistakable", "A lake"]);
    let found = home.says(&["logs", "search", "malta", "harb*", "--json"]);
    let hits: Vec<Value> = found.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(hits.len(), 2, "the question, and the simulator's answer, which repeats it: {found}");
    assert!(hits.iter().all(|hit| hit["conversation"] == id.as_str()), "{found}");
    let text = home.says(&["logs", "search", "of malta"]);
    assert!(text.contains("user: The harbour [of Málta] is deep"), "{text}");
    assert_eq!(home.refuses(&["logs", "search", "malta lake"]), refused(1, "nothing is logged of that"));
    assert_eq!(home.says(&["logs", "search", "unmistakable"]).lines().count(), 2);

    let output = home.sabir(&["logs", "delete", &other]);
    assert_eq!((output.status.code(), support::text(&output.stderr).as_str()), (Some(0), "1 exchange is deleted.\n"));
    assert_eq!(home.refuses(&["logs", "search", "unmistakable"]), refused(1, "nothing is logged of that"));
    let bytes = std::fs::read(home.log()).expect("a file");
    assert!(!bytes.windows(12).any(|at| at == b"unmistakable"), "it is overwritten");
    assert_eq!(home.refuses(&["logs", "delete", "--before", "1h"]), refused(1, "nothing is logged of that"));
    let tomorrow = "2999-01-01";
    assert_eq!(home.sabir(&["logs", "delete", "--before", tomorrow]).status.code(), Some(0));
    assert_eq!(home.refuses(&["logs"]), refused(1, "nothing is logged of that"));
}

#[test]
fn who_asks_for_what_is_not_there_is_told() {
    let home = Home::new("not-there");
    let log = home.log().display().to_string();
    assert_eq!(home.refuses(&["logs"]), refused(1, &format!("nothing is logged yet: there is no {log}")));
    let none = refused(2, &format!("there is no conversation to go on with in {log}"));
    assert_eq!(home.refuses(&["chat", "-c", "x"]), none);
    home.says(&["chat", "--no-log", "-m", "sim/x", "x"]);
    assert!(!home.log().exists());
    // Failed, and so nothing to go on with; but it is listed.
    assert_eq!(home.sabir(&["chat", "-m", "openai/x", "x"]).status.code(), Some(2));
    assert_eq!(home.refuses(&["chat", "-c", "x"]), none);
    assert!(home.says(&["logs"]).contains("[failed] x"));

    // Of seventeen ids, two begin with the same digit.
    let mut ids: Vec<String> = (0..17).map(|_| home.ask(&["-m", "sim/x", "x"])).collect();
    ids.sort();
    let pair = ids.windows(2).find(|pair| pair[0][..1] == pair[1][..1]).expect("a pair");
    let (status, said) = home.refuses(&["chat", "--id", &pair[0][..1], "x"]);
    let begin = format!("error: {:?} is the beginning of several conversations (", &pair[0][..1]);
    assert!(status == Some(2) && said.starts_with(&begin) && said.ends_with("); write more of it"), "{said}");
    for none in ["zzz", "%", "", "'"] {
        let says = format!("there is no conversation {none:?}; `sabir logs` lists them");
        assert_eq!(home.refuses(&["logs", "show", none]), refused(2, &says));
    }
}

#[test]
fn a_log_that_cannot_be_used_keeps_nobody_from_an_answer() {
    let home = Home::new("broken");
    let log = home.0.file("sabir/logs.db", b"this is no database, but it is long enough to be taken for one, nearly");
    let says = format!("the log {log} cannot be used: file is not a database; name another file in `logs.path`");
    let output = home.sabir(&["chat", "-m", "sim/x", "hello"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("hello"));
    assert_eq!(text(&output.stderr), format!("note: this is not logged: {says}\n"));
    assert_eq!(home.refuses(&["chat", "-c", "x"]), refused(1, &says));
    assert_eq!(home.refuses(&["logs"]), refused(1, &says));

    let output = home.sabir(&["chat", "-m", "sim/x", "-m", "sim/y", "hello"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), format!("note: this is not logged: {says}\n")));

    // A folder in its place; and a file where its folder should be.
    for path in ["sabir", "sabir/logs.db/deeper/logs.db"] {
        home.0.file("sabir.toml", format!("[logs]\npath = {:?}\n", home.0.path().join(path)).as_bytes());
        let output = home.sabir(&["chat", "-m", "sim/x", "hello"]);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stderr).starts_with("note: this is not logged: the log "), "{}", text(&output.stderr));
        assert_eq!(text(&output.stderr).lines().count(), 1);
    }
}

#[test]
fn the_configuration_says_whether_and_where() {
    let home = Home::new("where");
    home.0.file("sabir.toml", b"[logs]\nenabled = false\npath = \"mine/chats.db\"\n");
    home.says(&["chat", "-m", "sim/x", "hello"]);
    let log = home.0.path().join("mine/chats.db");
    assert!(!log.exists() && !home.log().exists());
    home.says(&["chat", "--log", "-m", "sim/x", "hello"]);
    assert!(log.exists() && !home.log().exists());
    assert_eq!(home.says(&["logs", "path"]), "mine/chats.db\n");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: PathBuf| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode(log), mode(home.0.path().join("mine"))), (0o600, 0o700));
    }
}

/// Several processes at once: each waits its turn, and every exchange is there.
#[test]
fn several_processes_keep_one_log() {
    let home = Home::new("processes");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| home.ask(&["-m", "sim/x", "at once"]));
        }
    });
    assert_eq!(home.says(&["logs"]).lines().count(), 5);
}
