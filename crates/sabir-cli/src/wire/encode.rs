use std::fmt::Write as _;
use std::process::ExitCode;

use sabir::dialect::Encoded;
use sabir::{Auth, ChatRequest, Endpoint, Secret};
use serde_json::{Map, Value, json};

use super::names;
use crate::failure::{Failure, Outcome};
use crate::{input, output};

/// Read a request in Sabir's vocabulary (JSON) from standard input; write the HTTP request.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  echo '{\"model\":\"claude-haiku-5-5\",\"messages\":[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"text\":\"hi\"}]}]}' \\\n    \
    | sabir wire encode --dialect anthropic-messages --curl"
)]
pub(crate) struct Args {
    /// The wire format
    #[arg(long, value_name = "D")]
    dialect: String,
    /// For whom
    #[arg(long, value_name = "P")]
    provider: Option<String>,
    /// Ask for a stream
    #[arg(long)]
    stream: bool,
    /// Write a command that can be run
    #[arg(long)]
    curl: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let named = names::find(&args.dialect, args.provider.as_deref())?;
    let mut request: ChatRequest = serde_json::from_slice(&input::stdin()?).map_err(|e| {
        Failure::usage(format!(
            "standard input is not a request in Sabir's vocabulary: {}",
            sabir::dialect::without_values(&e.to_string())
        ))
    })?;
    request.stream |= args.stream;
    let mut endpoint = named.endpoint()?;
    let variable = named.provider.as_ref().and_then(|p| p.key_env().first().copied());
    if endpoint.auth != Auth::None && variable.is_some() {
        endpoint.key = Some(Secret::new(format!("${}", variable.unwrap_or_default())));
    }
    let mut encoded = named.dialect.encode(&request, &endpoint)?;
    endpoint.authorize(&mut encoded.uri, &mut encoded.headers)?;
    if args.curl {
        for loss in &encoded.losses {
            output::notice(&format!("loss: {loss}"));
        }
        output::print(&curl(&encoded))?;
    } else {
        output::print_json(&shown(&encoded, &endpoint))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The request as JSON, its key hidden.
fn shown(encoded: &Encoded, endpoint: &Endpoint) -> Value {
    let key = endpoint.key.as_ref().map_or("", |k| k.expose());
    let hide = |text: &str| if key.is_empty() { text.to_owned() } else { text.replace(key, "…") };
    let headers: Map<String, Value> = encoded
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), hide(value.to_str().unwrap_or("(not text)")).into()))
        .collect();
    json!({
        "method": encoded.method.as_str(),
        "url": hide(&encoded.uri.to_string()),
        "headers": headers,
        "body": serde_json::from_slice::<Value>(&encoded.body).unwrap_or(Value::Null),
        "losses": encoded.losses,
    })
}

/// A command for a POSIX shell. The key is the variable that holds it, so it stands in double quotes.
fn curl(encoded: &Encoded) -> String {
    let mut out = format!("curl -sS -X {} \"{}\"", encoded.method, encoded.uri);
    for (name, value) in &encoded.headers {
        let _ = write!(out, " \\\n  -H \"{name}: {}\"", value.to_str().unwrap_or_default());
    }
    let body = String::from_utf8_lossy(&encoded.body).replace('\'', r"'\''");
    let _ = writeln!(out, " \\\n  -d '{body}'");
    out
}
