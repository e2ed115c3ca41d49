//! `sabir serve` by a configuration, and `sabir gateway-key`.
#![cfg(unix)]

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;
use support::{Folder, Served, command, sabir, text};

fn new_key(name: &str) -> (String, String) {
    let made = sabir(&["gateway-key", "new", name, "--json"], "", &[]);
    let said: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    let of = |field: &str| said[field].as_str().expect(field).to_owned();
    (of("key"), of("hash"))
}

#[test]
fn a_key_is_shown_once_with_the_line_for_the_configuration() {
    let made = sabir(&["gateway-key", "new", "ada"], "", &[]);
    assert_eq!(made.status.code(), Some(0));
    assert!(text(&made.stdout).starts_with("sk-sabir-") && text(&made.stdout).trim().len() == 52);
    let said = text(&made.stderr);
    assert!(said.contains("[gateway.keys.ada]\nhash = \"sha256:") && !said.contains("sk-sabir-"), "{said}");
    let refused = sabir(&["gateway-key", "new", "a b"], "", &[]);
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn serve_goes_by_its_configuration_and_follows_it() {
    let folder = Folder::new("serve");
    let ((ada, hash), (eve, later)) = (new_key("ada"), new_key("eve"));
    let first = format!("[gateway]\nlisten = \"127.0.0.1:0\"\n[gateway.keys.ada]\nhash = \"{hash}\"\n");
    let file = folder.file("sabir.toml", first.as_bytes());
    let checked = sabir(&["--config", &file, "config", "check"], "", &[]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));

    let home = folder.path().to_str().expect("text");
    let mut command = command(&["--config", &file, "serve"], &[("XDG_DATA_HOME", home)]);
    let mut served = Served::start(command.stderr(Stdio::piped()));
    let base = served.v1();
    let ask = |key: &str| {
        let env = [("OPENAI_BASE_URL", base.as_str()), ("OPENAI_API_KEY", key)];
        sabir(&["chat", "-m", "openai/sim/any", "Hello"], "", &env).status.code()
    };
    assert_eq!((ask(&ada), ask(&eve)), (Some(0), Some(1)));

    let mut told = BufReader::new(served.child.stderr.take().expect("piped")).lines();
    let mut next = || told.next().expect("a line").expect("text");
    folder.file("sabir.toml", format!("{first}[gateway.keys.eve]\nhash = \"{later}\"\n").as_bytes());
    let read = next();
    assert!(read.contains("read anew"), "{read}");
    assert_eq!((ask(&ada), ask(&eve)), (Some(0), Some(0)));

    folder.file("sabir.toml", b"[gateway]\nlisten = 5\n");
    let refused = next();
    assert!(refused.contains("stays") && refused.contains("gateway.listen"), "{refused}");
    assert_eq!(ask(&eve), Some(0), "what was there stays");
    let hung_up = Command::new("kill").args(["-HUP", &served.child.id().to_string()]).status().expect("told");
    assert!(hung_up.success() && next().contains("stays"));
}

#[test]
fn a_gateway_that_stops_has_written_its_log_of_requests() {
    let folder = Folder::new("serve-log");
    let log = folder.path().join("requests.db");
    let said = format!("[gateway]\nlisten = \"127.0.0.1:0\"\nrequest_log = {{ path = \"{}\" }}\n", log.display());
    let file = folder.file("sabir.toml", said.as_bytes());
    let home = folder.path().to_str().expect("text");
    let mut command = command(&["--config", &file, "serve"], &[("XDG_DATA_HOME", home)]);
    let mut served = Served::start(&mut command);
    let base = served.v1();
    let env = [("OPENAI_BASE_URL", base.as_str()), ("OPENAI_API_KEY", "any")];
    for _ in 0..3 {
        assert_eq!(sabir(&["chat", "-m", "openai/sim/any", "Hello"], "", &env).status.code(), Some(0));
    }
    let told = Command::new("kill").args(["-TERM", &served.child.id().to_string()]).status().expect("told");
    assert!(told.success() && served.child.wait().expect("it ends").success());
    let rows = rusqlite::Connection::open(&log).expect("it opens");
    let rows: (u32, u32) = rows
        .query_row("SELECT count(*), sum(status = 200 AND model = 'any') FROM requests", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .expect("rows");
    assert_eq!(rows, (3, 3));
}

#[test]
fn a_certificate_that_the_environment_names_is_trusted() {
    let folder = Folder::new("serve-tls");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let certificate = folder.file("cert.pem", made.cert.pem().as_bytes());
    let key = folder.file("key.pem", made.signing_key.serialize_pem().as_bytes());
    let said =
        format!("[gateway]\nlisten = \"127.0.0.1:0\"\ntls = {{ certificate = {certificate:?}, key = {key:?} }}\n");
    let file = folder.file("sabir.toml", said.as_bytes());
    let home = folder.path().to_str().expect("text");
    let served = Served::start(&mut command(&["--config", &file, "serve"], &[("XDG_DATA_HOME", home)]));
    let base = served.v1().replace("127.0.0.1", "localhost");
    let env = [("OPENAI_BASE_URL", base.as_str()), ("OPENAI_API_KEY", "any"), ("SABIR_RETRY_ATTEMPTS", "1")];
    let ask = |more: &[(&str, &str)]| {
        let output = sabir(&["chat", "-m", "openai/sim/any", "Hello"], "", &[&env[..], more].concat());
        (output.status.code(), text(&output.stderr))
    };
    let (status, said) = ask(&[]);
    assert!(status == Some(1) && said.contains("in SSL_CERT_FILE if the server is yours"), "{said}");
    let (status, said) = ask(&[("SSL_CERT_FILE", &certificate)]);
    assert_eq!(status, Some(0), "{said}");
    let (status, said) = ask(&[("SSL_CERT_FILE", "/no/such/file")]);
    assert!(status == Some(2) && said.contains("SSL_CERT_FILE names /no/such/file, which cannot be read"), "{said}");
    let doctor = sabir(&["doctor", "--offline"], "", &[("SSL_CERT_FILE", &certificate)]);
    assert!(text(&doctor.stdout).contains("trusts those of SSL_CERT_FILE, too: "), "{doctor:?}");
}
