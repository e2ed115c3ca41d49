//! `sabir probe`: what of a dialect a server that claims to speak it really does.

mod ask;
mod checks;
mod row;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use sabir::http::HttpTransport;
use sabir::{ChatRequest, ChatResponse, Env, Error, ErrorKind};
use serde_json::{Value, json};

use self::ask::{Quirks, Server, TARGET, is_refusal};
use self::checks::{CHECKS, Check};
use crate::failure::{Failure, Outcome};
use crate::output::{notice, print, print_json};
use crate::table::table;

/// Look at what of its dialect a server really speaks.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sabir probe http://localhost:8000/v1\n  \
    sabir probe https://api.example.com/v1 --key-env EXAMPLE_API_KEY --model big --write example.toml\n\n\
    Some twenty short requests are sent. Where one is refused, what other servers want instead is tried; what helps is \
    written as a provider of the configuration. `yes`: it holds. `quirk`: it holds in another way. `unclear`: it is \
    accepted, and the answer does not show it. `no`: it is refused. Exit status 1 where the server does not answer or \
    does not stream.")]
pub(crate) struct Args {
    /// Where its API begins
    base_url: String,
    /// The variable with its key; none is sent without it
    #[arg(long, value_name = "NAME")]
    key_env: Option<String>,
    /// The model to ask; the first that it lists otherwise
    #[arg(short, long)]
    model: Option<String>,
    /// The dialect that it is to speak
    #[arg(long, default_value = "openai-chat", value_name = "D")]
    dialect: String,
    /// Write it as a provider, with its quirks, for the configuration
    #[arg(long, value_name = "FILE.toml")]
    write: Option<PathBuf>,
    /// What the provider is called there
    #[arg(long, default_value = "probed", value_name = "ID")]
    name: String,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

/// What was found of one thing.
#[derive(Debug)]
struct Found {
    name: &'static str,
    verdict: &'static str,
    note: String,
}

/// What is known so far.
#[derive(Debug, Default)]
struct Findings {
    found: Vec<Found>,
    quirks: Quirks,
    /// Where reasoning stood in answers.
    reasoning: BTreeSet<&'static str>,
}

pub(crate) async fn run(args: Args) -> Outcome {
    let key = match &args.key_env {
        Some(name) => {
            let none = || Failure::usage(format!("the variable {name} is not set"));
            Some(Env::process().get(name).ok_or_else(none)?.into())
        }
        None => None,
    };
    let (url, dialect) = (args.base_url.trim_end_matches('/').to_owned(), args.dialect.clone());
    let server = Server { url, dialect, key, transport: Arc::new(HttpTransport::new()?) };
    let mut findings = Findings::default();
    let model = findings.models(&server, args.model.as_deref()).await?;
    for check in CHECKS {
        if let Some(error) = findings.look(&server, &model, check).await?
            && check.name == "answers"
        {
            return Err(error.into());
        }
    }
    findings.developer(&server, &model).await;
    findings.errors(&server).await;
    let places: Vec<&str> = findings.reasoning.iter().copied().collect();
    if !places.is_empty() {
        findings.add("reasoning", "yes", format!("in {}", places.join(", ")));
    }
    if let Some(path) = &args.write {
        let text = row::toml(&args.name, &server, &model, args.key_env.as_deref(), &findings.quirks);
        std::fs::write(path, text).map_err(|e| Failure::io(&format!("cannot write {}", path.display()), &e))?;
    }
    findings.tell(&args, &model)?;
    let holds = |name: &str| findings.found.iter().any(|found| found.name == name && found.verdict != "no");
    Ok(if holds("answers") && holds("stream") { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Findings {
    fn add(&mut self, name: &'static str, verdict: &'static str, note: impl Into<String>) {
        self.found.push(Found { name, verdict, note: note.into() });
    }

    /// Which model to ask.
    async fn models(&mut self, server: &Server, wanted: Option<&str>) -> Result<String, Failure> {
        let first = match server.client(&self.quirks)?.models(TARGET).await {
            Ok(models) => {
                self.add("list of models", "yes", format!("{} models", models.len()));
                models.into_iter().next().map(|model| model.id)
            }
            Err(error) => {
                self.add("list of models", "no", error.message());
                None
            }
        };
        let none = || Failure::usage("the server lists no models; say one with --model");
        wanted.map(str::to_owned).or(first).ok_or_else(none)
    }

    /// Makes one check; the error where it was refused.
    async fn look(&mut self, server: &Server, model: &str, check: &Check) -> Result<Option<Error>, Failure> {
        let request = (check.request)(ChatRequest::new(model));
        let error = match server.ask(&self.quirks, request.clone()).await {
            Ok(response) => {
                self.judged(check, &response, "yes", "");
                return Ok(None);
            }
            Err(error) if meets_all(&error) => return Err(error.into()),
            Err(error) => error,
        };
        if let Some((quirk, values)) = check.quirk.filter(|_| is_refusal(&error)) {
            for value in values {
                let mut quirks = self.quirks.clone();
                quirks.insert(quirk, value);
                if let Ok(response) = server.ask(&quirks, request.clone()).await {
                    self.quirks = quirks;
                    self.judged(check, &response, "quirk", &format!("{quirk} = {value:?}"));
                    return Ok(None);
                }
            }
        }
        self.add(check.name, "no", error.message());
        Ok(Some(error))
    }

    fn judged(&mut self, check: &Check, response: &ChatResponse, verdict: &'static str, note: &str) {
        // A whole field that the dialect has not; of others a part is lost, and the rest is looked at.
        let lost = response.losses.iter().find(|loss| !loss.path.contains('.'));
        if let Some(loss) = lost.filter(|_| verdict == "yes") {
            self.add(check.name, "no", loss.to_string());
            return;
        }
        let fault = (check.judge)(response);
        let notes: Vec<&str> = [Some(note).filter(|note| !note.is_empty()), fault].into_iter().flatten().collect();
        let verdict = if fault.is_some() && verdict == "yes" { "unclear" } else { verdict };
        self.add(check.name, verdict, notes.join("; "));
        let raw = response.raw.as_deref().unwrap_or_default();
        let has = |word: &str| raw.windows(word.len()).any(|window| window == word.as_bytes());
        for place in ["reasoning_content", "reasoning_details", "reasoning", "thinking"] {
            if has(&format!("\"{place}\":\"")) || has(&format!("\"{place}\":[{{")) || has(&format!("\"{place}\": \"")) {
                self.reasoning.insert(place);
            }
        }
        let counted = response.usage.total().is_some();
        let usage = if counted { "yes" } else { "no" };
        match check.name {
            "answers" => self.add("usage", usage, ""),
            "stream" => {
                self.add("usage in a stream", usage, "");
                if ["openai-chat", "openai-completions"].contains(&&*response_dialect(raw)) {
                    let ends = has("[DONE]");
                    self.add("[DONE] at the end", if ends { "yes" } else { "no" }, "");
                }
            }
            _ => {}
        }
    }

    /// Whether the role of developers is known: where it is not, such messages go as the system's.
    async fn developer(&mut self, server: &Server, model: &str) {
        if server.dialect != "openai-chat" {
            return;
        }
        let mut quirks = self.quirks.clone();
        quirks.insert("system_role", "developer");
        let instruction = sabir::Message::new(sabir::chat::Role::Developer, [sabir::Part::text("Answer in one word.")]);
        let request = ChatRequest::new(model).message(instruction).user("Which city is the capital of Norway?");
        match server.ask(&quirks, request).await {
            Ok(_) => {
                self.quirks = quirks;
                self.add("developer role", "yes", "system_role = \"developer\"");
            }
            Err(error) => self.add("developer role", "no", error.message()),
        }
    }

    /// How it says what is wrong: a model that it has not, a request without messages.
    async fn errors(&mut self, server: &Server) {
        let asked = server.ask(&self.quirks, ChatRequest::new("no-such-model-as-this").user("Hello.")).await;
        let (verdict, note) = match asked {
            Ok(_) => ("unclear", "it answers under any model's name".to_owned()),
            Err(error) => match error.kind() {
                ErrorKind::NotFound | ErrorKind::InvalidRequest => ("yes", shape(&error)),
                _ => ("no", shape(&error)),
            },
        };
        self.add("error of an unknown model", verdict, note);
        // A role that nobody has.
        let nobody = sabir::Message::new(sabir::chat::Role::Other("nobody".to_owned()), [sabir::Part::text("Hello.")]);
        let asked = server.ask(&self.quirks, ChatRequest::new("any").message(nobody)).await;
        let (verdict, note) = match asked {
            Ok(_) => ("unclear", "a role that nobody has is taken".to_owned()),
            // The dialect itself has no such word: nothing was sent.
            Err(error) if error.status().is_none() => return,
            Err(error) if error.status().is_some_and(|status| status.is_client_error()) => ("yes", shape(&error)),
            Err(error) => ("no", shape(&error)),
        };
        self.add("error of a wrong request", verdict, note);
    }

    fn tell(&self, args: &Args, model: &str) -> Result<(), Failure> {
        if args.json {
            let checks = self
                .found
                .iter()
                .map(|found| json!({ "check": found.name, "verdict": found.verdict, "note": found.note }));
            let checks: Vec<Value> = checks.collect();
            return print_json(
                &json!({ "base_url": args.base_url, "dialect": args.dialect, "model": model, "checks": checks,
                "quirks": self.quirks }),
            );
        }
        let rows: Vec<Vec<String>> = self
            .found
            .iter()
            .map(|found| vec![found.name.to_owned(), found.verdict.to_owned(), found.note.clone()])
            .collect();
        print(&table(&["WHAT", "HOLDS", ""], &[false, false, false], &rows))?;
        notice(&format!("asked {model} in {}", args.dialect));
        if let Some(path) = &args.write {
            notice(&format!("{} is a provider for the configuration.", path.display()));
        }
        Ok(())
    }
}

/// Whether more questions would only be told the same: nobody there, or the key is wrong.
fn meets_all(error: &Error) -> bool {
    let kind = error.kind();
    matches!(kind, ErrorKind::Authentication | ErrorKind::Quota | ErrorKind::Configuration)
        || (kind == ErrorKind::Network && error.status().is_none())
}

/// Status, code and message of an error, as they were read.
fn shape(error: &Error) -> String {
    let status = error.status().map_or_else(|| "no status".to_owned(), |status| status.as_u16().to_string());
    let code = error.code().map(|code| format!(", {code}")).unwrap_or_default();
    format!("{status}{code}: {}", error.message())
}

/// Whose stream a body looks like.
fn response_dialect(raw: &[u8]) -> String {
    let is_chunked = raw.windows(9).any(|window| window == b"\"choices\"");
    if is_chunked { "openai-chat".to_owned() } else { String::new() }
}
