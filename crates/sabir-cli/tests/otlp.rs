//! What `sabir serve` tells a collector of OpenTelemetry.
#![cfg(unix)]

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;
use support::{Folder, Served, command};

/// A collector: gives what it is told, with the line of the request and its header `x-key`.
fn collector() -> (String, Receiver<(String, String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (told, tells) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (told, mut stream) = (told.clone(), stream.expect("a connection"));
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().expect("the same"));
                loop {
                    let (mut first, mut key, mut length) = (String::new(), String::new(), 0);
                    if lines.read_line(&mut first).unwrap_or(0) == 0 {
                        return;
                    }
                    loop {
                        let mut line = String::new();
                        lines.read_line(&mut line).expect("a line");
                        let Some((name, value)) = line.trim().split_once(": ") else { break };
                        match name.to_lowercase().as_str() {
                            "content-length" => length = value.parse().expect("a number"),
                            "x-key" => value.clone_into(&mut key),
                            _ => {}
                        }
                    }
                    let mut body = vec![0; length];
                    lines.read_exact(&mut body).expect("a body");
                    let json = serde_json::from_slice(&body).expect("JSON");
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
                    stream.write_all(answer).expect("answered");
                    if told.send((first, key, json)).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (url, tells)
}

/// `sabir serve` at a free port, and its address.
fn serve(env: &[(&str, &str)]) -> (Served, String) {
    let served = Served::start(command(&["serve", "--port", "0"], env).stderr(Stdio::piped()));
    let address = served.url.rsplit('/').next().expect("an address").to_owned();
    (served, address)
}

/// Tells it to stop, and gives what it wrote to standard error.
fn stop(mut served: Served) -> String {
    let told = Command::new("kill").args(["-TERM", &served.child.id().to_string()]).status().expect("told");
    assert!(told.success() && served.child.wait().expect("it ends").success());
    let mut text = String::new();
    served.child.stderr.take().expect("piped").read_to_string(&mut text).expect("text");
    text
}

fn ask(address: &str) {
    let body = r#"{"model":"sim/a","messages":[{"role":"user","content":"Hello, pepper"}]}"#;
    let length = body.len();
    let mut stream = TcpStream::connect(address).expect("a connection");
    let request = format!(
        "POST /v1/chat/completions?key=secret HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

fn attribute<'a>(of: &'a Value, name: &str) -> &'a Value {
    let all = of["attributes"].as_array().expect("a list");
    all.iter().find(|one| one["key"] == name).map_or(&Value::Null, |one| &one["value"])
}

#[test]
fn a_request_is_a_trace_that_goes_on_with_its_clients() {
    let (url, told) = collector();
    let folder = Folder::new("otlp");
    let home = folder.path().to_str().expect("text");
    let env = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=hush"),
        ("OTEL_BSP_SCHEDULE_DELAY", "1"),
        ("XDG_DATA_HOME", home),
    ];
    let (served, address) = serve(&env);
    ask(&address);
    let said = stop(served);
    assert!(!said.contains("call") && !said.contains("request"), "spans are no lines of the log: {said}");

    let (mut spans, mut metrics) = (Vec::new(), Vec::new());
    for (line, key, json) in told.try_iter() {
        assert_eq!(key, "hush");
        let text = json.to_string();
        assert!(!text.contains("pepper") && !text.contains("secret"), "{text}");
        if line.starts_with("POST /v1/traces ") {
            let resource = &json["resourceSpans"][0]["resource"];
            assert_eq!(attribute(resource, "service.name")["stringValue"], "sabir");
            spans.extend(json["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().expect("a list").clone());
        } else {
            assert!(line.starts_with("POST /v1/metrics "), "{line}");
            metrics
                .extend(json["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().expect("a list").clone());
        }
    }
    let find =
        |name: &str| spans.iter().find(|span| span["name"] == name).unwrap_or_else(|| panic!("{name}: {spans:?}"));
    let (request, call) = (find("POST /v1/chat/completions"), find("chat a"));
    assert_eq!(
        (&request["traceId"], &request["parentSpanId"]),
        (&"4bf92f3577b34da6a3ce929d0e0e4736".into(), &"00f067aa0ba902b7".into())
    );
    assert_eq!((&call["traceId"], &call["parentSpanId"]), (&request["traceId"], &request["spanId"]));
    assert_eq!(attribute(request, "http.response.status_code")["intValue"], "200");
    assert_eq!(attribute(call, "gen_ai.provider.name")["stringValue"], "sim");
    let tokens = attribute(call, "gen_ai.usage.input_tokens")["intValue"].as_str().expect("a count");
    let find = |name: &str| metrics.iter().find(|metric| metric["name"] == name).expect(name);
    let points = &find("gen_ai.client.token.usage")["histogram"]["dataPoints"];
    let point = points
        .as_array()
        .expect("a list")
        .iter()
        .find(|point| attribute(point, "gen_ai.token.type")["stringValue"] == "input");
    assert_eq!(point.expect("input")["sum"].as_f64(), tokens.parse().ok());
    assert_eq!(find("gen_ai.client.operation.duration")["histogram"]["dataPoints"][0]["count"], "1");
}

#[test]
fn a_collector_that_is_not_there_holds_nobody_up() {
    let folder = Folder::new("otlp-none");
    let home = folder.path().to_str().expect("text");
    let env = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("XDG_DATA_HOME", home),
    ];
    let (served, address) = serve(&env);
    (0..3).for_each(|_| ask(&address));
    drop(served);
}
