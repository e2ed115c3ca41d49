use std::fmt::Write as _;
use std::process::ExitCode;

use sabir::dialect::Encoded;
use sabir::drive::encode as encode_for;
use sabir::{Auth, ChatRequest, Endpoint, Secret};
use serde_json::{Map, Value, json};

use super::{exchange, names};
use crate::failure::{Failure, Outcome};
use crate::{input, output};

/// Read a request in Sabir's vocabulary (JSON) from standard input; write the HTTP request.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  echo '{\"model\":\"claude-haiku-5-5\",\"messages\":[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"text\":\"hi\"}]}]}' \\\n    \
    | sabir wire encode --dialect anthropic-messages --curl"
)]
pub(crate) struct Args {
    #[arg(long, value_name = "D", help = format!("The wire format: {}", names::known()))]
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
    if let Some(format) = names::find_format(&args.dialect, args.provider.as_deref()) {
        let format = format?;
        let endpoint = with_key_variable(&format)?;
        return write(exchange::encode(&format, &endpoint)?, &endpoint, args.curl);
    }
    let named = names::find(&args.dialect, args.provider.as_deref())?;
    let mut request: ChatRequest = serde_json::from_slice(&input::stdin()?).map_err(|e| not_ours(&e))?;
    request.stream |= args.stream;
    let endpoint = with_key_variable(&named)?;
    write(encode_for(named.dialect, &request, &endpoint)?, &endpoint, args.curl)
}

/// Standard input is JSON of another kind, or none.
pub(super) fn not_ours(error: &serde_json::Error) -> Failure {
    let why = sabir::dialect::without_values(&error.to_string());
    Failure::usage(format!("standard input is not a request in Sabir's vocabulary: {why}"))
}

/// The endpoint with the variable of its key in the key's place.
fn with_key_variable<T>(named: &names::Named<T>) -> Result<Endpoint, Failure> {
    let mut endpoint = named.endpoint()?;
    let variable = named.provider.as_ref().and_then(|p| p.key_env().first().copied());
    if let Some(variable) = variable.filter(|_| endpoint.auth != Auth::None) {
        endpoint.key = Some(Secret::new(format!("${variable}")));
    }
    Ok(endpoint)
}

fn write(mut encoded: Encoded, endpoint: &Endpoint, as_curl: bool) -> Outcome {
    endpoint.authorize(&mut encoded.uri, &mut encoded.headers)?;
    if as_curl {
        for loss in &encoded.losses {
            output::notice(&format!("loss: {loss}"));
        }
        output::print(&curl(&encoded))?;
    } else {
        output::print_json(&shown(&encoded, endpoint))?;
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
    if encoded.body.is_empty() {
        return out + "\n";
    }
    let body = String::from_utf8_lossy(&encoded.body).replace('\'', r"'\''");
    let _ = writeln!(out, " \\\n  -d '{body}'");
    out
}
