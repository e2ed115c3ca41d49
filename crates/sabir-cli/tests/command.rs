//! The command, as a person runs it.

mod support;

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use support::{Served, command, sabir, text};

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {} {}", text(&output.stdout), text(&output.stderr)))
}

const ANSWER: &str = r#"{"id":"c1","model":"m","choices":[{"message":{"content":"Hi","tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{ \"a\": 1}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}"#;

#[test]
fn chat_answers_from_the_simulator_and_says_so() {
    let output = sabir(&["chat", "Why is the sea salt?"], "", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("simulat"), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("built-in simulator"), "{}", text(&output.stderr));

    let whole = sabir(&["chat", "--no-stream", "Why is the sea salt?"], "", &[]);
    assert_eq!(whole.stdout, output.stdout, "streamed or not, the answer is the same");

    let answer = json(&sabir(&["chat", "--json", "Why is the sea salt?"], "", &[]));
    assert_eq!(answer["text"].as_str().expect("text").trim_end(), text(&output.stdout).trim_end());
    assert!(answer["usage"]["output_total"].as_u64().expect("counted") > 0);
}

#[test]
fn chat_reads_pipes_and_files() {
    let dir = std::env::temp_dir().join(format!("sabir-test-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a folder");
    let file = dir.join("notes.txt");
    std::fs::write(&file, "the harbour is deep").expect("a file");
    let output = sabir(&["chat", "-s", "Review.", "-f", file.to_str().expect("text"), "Look:"], "piped words", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let missing = sabir(&["chat", "-f", "/no/such/file", "hi"], "", &[]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("cannot read /no/such/file"), "{}", text(&missing.stderr));
    std::fs::remove_dir_all(&dir).expect("removed");
}

#[test]
fn mistakes_get_one_clear_line_and_their_status() {
    // Arguments, environment, exit status, and what is said.
    type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], i32, &'a str);
    let cases: &[Case<'_>] = &[
        (&["chat", "-m", "openai/gpt-6-luna", "hi"], &[], 2, "OPENAI_API_KEY"),
        (&["chat", "-m", "opnai/x", "hi"], &[], 2, "did you mean \"openai\"?"),
        (&["chat", "-m", "gpt-6-luna", "hi"], &[], 2, "provider/gpt-6-luna"),
        (&["chat", "-m", "ollama/x", "hi"], &[("OLLAMA_HOST", "http://127.0.0.1:1")], 1, "127.0.0.1:1"),
        (&["chat"], &[], 2, "nothing to ask"),
        (&["chat", "--modle", "x", "hi"], &[], 2, "--model"),
        (&["wire", "decode", "--dialect", "nope"], &[], 2, "openai-chat"),
        (&["wire", "decode", "--dialect", "openai-chat", "--status", "9"], &[], 2, "--status"),
        (&["wire", "encode", "--dialect", "openai-chat"], &[], 2, "vocabulary"),
        (&["wire", "encode", "--dialect", "openai-chat", "--provider", "nobody"], &[], 2, "unknown provider"),
        (&["wire", "decode", "--dialect", "nope"], &[], 2, "jina-rerank"),
        (&["wire", "decode", "--dialect", "cohere-embed", "--stream"], &[], 2, "no streams"),
        (&["wire", "encode", "--dialect", "jina-rerank"], &[], 2, "vocabulary"),
        (&["wire", "translate", "--from", "openai-chat", "--to", "gemini-embed"], &[], 2, "no conversations"),
        (&["wire", "encode", "--dialect", "bedrock-converse", "--provider", "bedrock"], &[], 2, "vocabulary"),
        (&["chat", "-m", "voyage/x", "hi"], &[("VOYAGE_API_KEY", "k")], 1, "holds no conversations"),
        (&["sim", "--script", "/no/such/file"], &[], 2, "cannot read /no/such/file"),
        (&["serve", "--host", "0.0.0.0", "--port", "0"], &[], 2, "asks for no keys"),
        (&["serve", "--port", "99999"], &[], 2, "--port"),
    ];
    for (arguments, env, status, says) in cases {
        let output = sabir(arguments, "", env);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(*status), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
        if !said.contains("--help") {
            let (what, why) = said.trim_end().split_once('\n').unwrap_or((said.trim_end(), ""));
            assert!(what.starts_with("error: "), "{arguments:?}: {said}");
            let is_named = |line: &str| line.starts_with("  cause: ") || line.starts_with("  hint: ");
            assert!(why.lines().all(is_named), "{arguments:?}: {said}");
        }
    }
}

#[test]
fn a_key_that_a_provider_repeats_is_not_shown() {
    let body =
        r#"{"error":{"message":"Incorrect API key provided: sk-proj-Zk3x9QpL7vNb2Wc4.","code":"invalid_api_key"}}"#;
    let output = sabir(&["wire", "decode", "--dialect", "openai-chat", "--status", "401"], body, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!text(&output.stdout).contains("Zk3x9QpL7vNb2Wc4"));
    assert_eq!(json(&output)["error"]["kind"], "authentication");
}

#[test]
fn wire_decode_says_what_an_answer_says() {
    let answer = json(&sabir(&["wire", "decode", "--dialect", "openai-chat"], ANSWER, &[]));
    assert_eq!(answer["text"], "Hi");
    assert_eq!(answer["tool_calls"][0]["arguments"]["a"], 1);
    assert_eq!(answer["tool_calls"][0]["arguments_raw"], r#"{ "a": 1}"#);
    assert_eq!(
        (&answer["usage"]["input_total"], &answer["usage"]["cache_read"]),
        (&9.into(), &serde_json::Value::Null)
    );
    assert_eq!((&answer["finish_reason"], &answer["finish_reason_raw"]), (&"tool_calls".into(), &"tool_calls".into()));

    let cut = "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n";
    let output = sabir(&["wire", "decode", "--dialect", "openai-chat", "--stream"], cut, &[]);
    assert_eq!(output.status.code(), Some(1));
    let error = &json(&output)["error"];
    assert_eq!((&error["kind"], &error["partial"]["text"]), (&"truncated".into(), &"Hel".into()));

    let output = sabir(&["wire", "decode", "--dialect", "openai-chat", "--stream", "--events"], cut, &[]);
    let kinds: Vec<String> = text(&output.stdout)
        .lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).expect("JSON"))
        .map(|v| v["type"].as_str().unwrap_or("error").to_owned())
        .collect();
    assert_eq!(kinds, ["start", "text", "error"]);
}

#[test]
fn wire_encode_accept_and_translate_are_each_others_mirrors() {
    let body = r#"{"model":"m","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"hi"}],"max_tokens":5,"top_k":3}"#;
    let request = text(
        &sabir(
            &["wire", "accept", "--dialect", "anthropic-messages"],
            body.replace("{\"role\":\"system\",\"content\":\"Be brief.\"},", "").as_str(),
            &[],
        )
        .stdout,
    );
    assert!(request.contains("\"top_k\":3"), "{request}");

    let encoded = json(&sabir(&["wire", "encode", "--dialect", "openai-chat", "--stream"], &request, &[]));
    assert_eq!(encoded["url"], "https://api.openai.com/v1/chat/completions");
    assert_eq!(encoded["body"]["stream"], true);
    assert_eq!(encoded["losses"][0]["feature"], "top_k");
    assert!(!encoded["headers"]["authorization"].as_str().expect("a header").contains("OPENAI"));

    let curl = text(&sabir(&["wire", "encode", "--dialect", "anthropic-messages", "--curl"], &request, &[]).stdout);
    assert!(
        curl.starts_with("curl -sS -X POST \"https://api.anthropic.com/v1/messages\"")
            && curl.contains("$ANTHROPIC_API_KEY"),
        "{curl}"
    );

    let output = sabir(&["wire", "translate", "--from", "openai-chat", "--to", "anthropic-messages"], body, &[]);
    assert_eq!(json(&output)["system"], "Be brief.");

    let output =
        sabir(&["wire", "translate", "--from", "openai-chat", "--to", "anthropic-messages", "--response"], ANSWER, &[]);
    assert_eq!(json(&output)["content"][1]["type"], "tool_use");
    let output = sabir(&["wire", "accept", "--dialect", "openai-chat"], "[1]", &[]);
    assert_eq!((output.status.code(), &json(&output)["error"]["kind"]), (Some(1), &"invalid_request".into()));
}

const VECTORS: &str =
    r#"{"data":[{"index":0,"embedding":[0.5,-1]}],"model":"m-1","usage":{"prompt_tokens":5,"total_tokens":5}}"#;
const RANKED: &str = r#"{"id":"r1","results":[{"index":0,"relevance_score":0.1},{"index":1,"relevance_score":0.9}],"meta":{"billed_units":{"search_units":1}}}"#;

#[test]
fn wire_decode_reads_vectors_and_orders() {
    let output = sabir(&["wire", "decode", "--dialect", "openai-embeddings"], VECTORS, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = json(&output);
    assert_eq!(said["vectors"], serde_json::json!([[0.5, -1.0]]));
    assert_eq!((&said["provider"], &said["model"]), (&"openai".into(), &"m-1".into()));
    assert_eq!(
        (&said["usage"]["input_total"], &said["usage"]["output_total"]),
        (&5.into(), &serde_json::Value::Null),
        "{said}"
    );

    let said = json(&sabir(&["wire", "decode", "--dialect", "cohere-rerank"], RANKED, &[]));
    assert_eq!((&said["ranking"][0]["index"], &said["id"]), (&1.into(), &"r1".into()));

    let listed = r#"{"models":[{"name":"gemma4:latest","model":"gemma4:latest"}]}"#;
    assert_eq!(
        json(&sabir(&["wire", "decode", "--dialect", "ollama-tags"], listed, &[]))["models"][0]["id"],
        "gemma4:latest"
    );

    let refused = r#"{"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#;
    let output = sabir(&["wire", "decode", "--dialect", "openai-embeddings", "--status", "429"], refused, &[]);
    assert_eq!(output.status.code(), Some(1));
    let error = &json(&output)["error"];
    assert_eq!((&error["kind"], &error["status"]), (&"rate_limit".into(), &429.into()));
    assert_eq!((&error["code"], &error["message"]), (&"rate_limit_exceeded".into(), &"slow down".into()));
}

#[test]
fn wire_encode_and_accept_mirror_vectors_and_orders() {
    let asked = r#"{"model":"m","inputs":[{"text":"salt"}],"dimensions":8}"#;
    let encoded =
        json(&sabir(&["wire", "encode", "--dialect", "openai-embeddings", "--provider", "mistral"], asked, &[]));
    assert_eq!(encoded["url"], "https://api.mistral.ai/v1/embeddings");
    assert_eq!((&encoded["body"]["input"][0], &encoded["body"]["output_dimension"]), (&"salt".into(), &8.into()));
    let body = encoded["body"].to_string();
    let accepted = json(&sabir(&["wire", "accept", "--dialect", "openai-embeddings"], &body, &[]));
    assert_eq!(accepted, serde_json::from_str::<serde_json::Value>(asked).expect("JSON"));

    let asked = r#"{"model":"m","query":"q","documents":["a","b"],"top_n":1}"#;
    let curl = text(&sabir(&["wire", "encode", "--dialect", "jina-rerank", "--curl"], asked, &[]).stdout);
    assert!(
        curl.starts_with("curl -sS -X POST \"https://api.jina.ai/v1/rerank\"") && curl.contains("$JINA_API_KEY"),
        "{curl}"
    );
    let curl = text(&sabir(&["wire", "encode", "--dialect", "openai-models", "--curl"], "{}", &[]).stdout);
    assert!(curl.starts_with("curl -sS -X GET \"https://api.openai.com/v1/models\"") && !curl.contains("-d"), "{curl}");

    let output = sabir(&["wire", "accept", "--dialect", "jina-rerank"], "[1]", &[]);
    assert_eq!((output.status.code(), &json(&output)["error"]["kind"]), (Some(1), &"invalid_request".into()));
}

#[test]
fn inventors_and_regions_stand_behind_dialects() {
    let asked = r#"{"model":"m","messages":[{"role":"user","parts":[{"type":"text","text":"hi"}]}]}"#;
    let encode = |arguments: &[&str], env: &[(&str, &str)]| {
        let arguments = [&["wire", "encode", "--dialect"], arguments].concat();
        sabir(&arguments, asked, &[env, &[("HOME", "/nowhere")]].concat())
    };
    let url = |output: &Output| json(output)["url"].as_str().expect("a URL").to_owned();
    assert!(url(&encode(&["openai-responses"], &[])).starts_with("https://api.openai.com/v1/"));
    assert!(url(&encode(&["gemini-generate"], &[])).starts_with("https://generativelanguage.googleapis.com/"));
    // Nobody asked for Amazon's own place: the request can be looked at without a region.
    assert!(url(&encode(&["bedrock-converse"], &[])).starts_with("http://localhost/model/"));
    let there = encode(&["bedrock-converse", "--provider", "aws"], &[("AWS_REGION", "eu-west-3")]);
    assert!(url(&there).starts_with("https://bedrock-runtime.eu-west-3.amazonaws.com/model/"));
    let nowhere = encode(&["bedrock-converse", "--provider", "aws"], &[]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(text(&nowhere.stderr).contains("AWS_REGION"), "{}", text(&nowhere.stderr));
}

#[test]
fn help_names_every_dialect_and_format() {
    let help = text(&sabir(&["wire", "decode", "--help"], "", &[]).stdout);
    for name in ["openai-chat", "bedrock-converse", "mistral-chat", "cohere-rerank", "ollama-embed", "gemini-models"] {
        assert!(help.contains(name), "{name}: {help}");
    }
}

#[test]
fn a_local_ollama_is_found_by_its_list() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let host = listener.local_addr().expect("an address").to_string();
    let server = std::thread::spawn(move || {
        use std::io::Read as _;
        let (mut stream, _) = listener.accept().expect("a client");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a request");
            head.push(byte[0]);
        }
        let body = r#"{"models":[{"name":"sea-1","model":"sea-1"}]}"#;
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).expect("written");
        text(&head)
    });
    // The list is all that this Ollama answers: the call itself fails, and says whom it asked.
    let output = sabir(&["chat", "hi"], "", &[("OLLAMA_HOST", &host)]);
    assert!(server.join().expect("served").starts_with("GET /api/tags "));
    assert!(text(&output.stderr).contains("local Ollama (sea-1)"), "{}", text(&output.stderr));
}

#[test]
fn serve_answers_an_sdk_and_stops_when_told() {
    let mut command = command(&["serve", "--port", "0"], &[("SABIR_SERVE_KEY", "sk-of-the-house")]);
    let mut served = Served::start(command.stderr(Stdio::piped()));
    let base = served.v1();
    let ask = |key: &str| {
        sabir(&["chat", "-m", "openai/sim/any", "Hello"], "", &[("OPENAI_BASE_URL", &base), ("OPENAI_API_KEY", key)])
    };
    let answered = ask("sk-of-the-house");
    assert_eq!(answered.status.code(), Some(0), "{}", text(&answered.stderr));
    assert!(text(&answered.stdout).contains("simulat"), "{}", text(&answered.stdout));
    let refused = ask("sk-of-another");
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("not known here"), "{}", text(&refused.stderr));

    let told = Command::new("kill").arg(served.child.id().to_string()).status().expect("told to stop");
    assert!(told.success());
    assert_eq!(served.child.wait().expect("it ends").code(), Some(0));
}
