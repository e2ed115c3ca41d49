//! Servers of the Model Context Protocol (specification of 2025-11-25), by its official client.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt::Display;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, ContentBlock, Implementation,
    PaginatedRequestParams, ResourceContents,
};
use rmcp::service::{ClientInitializeError, RoleClient, RunningService};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use rmcp::{ServiceError, ServiceExt as _};
use sabir::chat::{Media, Part, Tool, ToolCall};
use sabir::config::{McpConfig, McpProgram};
use sabir::dialects::providers::nearest;
use sabir::tools::Output;
use tokio::io::AsyncReadExt as _;
use tokio::process::ChildStderr;
use tokio::task::JoinHandle;

use super::http::Http;
use super::result::bounded;
use crate::failure::Failure;
use crate::markdown::safe;

/// How much of what a server complains about is kept, in bytes.
const MOST_COMPLAINTS: usize = 4096;
/// The most tools that are taken from a server, and the most pages of them.
const MOST_TOOLS: usize = 1000;
const MOST_PAGES: usize = 100;
/// The longest that a server's own words are shown, in characters.
const MOST_WORDS: usize = 300;
/// How long a server may take to end.
const FAREWELL: Duration = Duration::from_secs(3);
/// How long is waited for what a server that does not start has to say.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A server that answered, and its tools.
pub(super) struct Server {
    name: String,
    service: RunningService<RoleClient, ClientConfig>,
    tools: Vec<rmcp::model::Tool>,
    timeout: Duration,
    most: usize,
}

impl Server {
    /// Starts or reaches a server and asks for its tools, within its time to start.
    pub(super) async fn connect(name: &str, settings: &McpConfig) -> Result<Self, Failure> {
        let mut complaints = Complaints::default();
        let connecting = async {
            let service = match (settings.program()?, &settings.url) {
                (Some(program), _) => start(name, &program, &mut complaints).await?,
                (None, Some(url)) => reach(name, &url.0, settings).await?,
                (None, None) => return Err(Failure::usage(format!("mcp.{name} has neither a command nor a url"))),
            };
            let tools = list(&service).await.map_err(|error| failed(name, "does not list its tools", &error))?;
            Ok((service, tools))
        };
        let (service, tools) = match tokio::time::timeout(settings.start_timeout, connecting).await {
            Ok(Ok(connected)) => connected,
            Ok(Err(failure)) => return Err(failure.cause(complaints.last().await)),
            Err(_) => {
                let what = format!("the MCP server {name} gave no answer within {:?}", settings.start_timeout);
                return Err(Failure::failed(what)
                    .cause(complaints.last().await)
                    .hint(format!("is it an MCP server? mcp.{name}.start_timeout gives it more time")));
            }
        };
        let (timeout, most) = (settings.timeout, settings.max_output.bytes());
        Ok(Self { name: name.to_owned(), service, tools, timeout, most })
    }

    /// All of its tools.
    pub(super) fn tools(&self) -> &[rmcp::model::Tool] {
        &self.tools
    }

    /// What it says of itself: name and version.
    pub(super) fn about(&self) -> String {
        let info = self.service.peer_info();
        let who = info.as_ref().and_then(|info| info.server_info.as_ref());
        who.map_or_else(String::new, |who| safe(&format!("{} {}", who.name, who.version)).into_owned())
    }

    /// The tools of these names; all where there are no names.
    pub(super) fn offered(&self, names: &BTreeSet<String>) -> Result<Vec<rmcp::model::Tool>, Failure> {
        let all = || self.tools.iter().map(|tool| &*tool.name);
        if let Some(missing) = names.iter().find(|name| !all().any(|known| known == *name)) {
            let failure = Failure::usage(format!("the MCP server {} has no tool {missing:?}", self.name));
            return Err(match nearest(missing, all()) {
                Some(near) => failure.hint(format!("did you mean {}.{}?", self.name, safe(near))),
                None => failure.hint(format!("`sabir tools {}` lists what it has", self.name)),
            });
        }
        let is_wanted = |tool: &&rmcp::model::Tool| names.is_empty() || names.contains(&*tool.name);
        Ok(self.tools.iter().filter(is_wanted).cloned().collect())
    }

    /// Carries out one call. Whatever goes wrong is for the model to read.
    pub(super) async fn call(&self, tool: String, call: &ToolCall) -> Output {
        let text = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
        let mut params = CallToolRequestParams::new(Cow::Owned(tool));
        params.arguments = match serde_json::from_str(text) {
            Ok(arguments) => Some(arguments),
            Err(error) => return Output::error(format_args!("the arguments are no JSON object: {error}")),
        };
        match tokio::time::timeout(self.timeout, self.service.call_tool(params)).await {
            Ok(Ok(result)) => output(result, self.most),
            Ok(Err(ServiceError::McpError(error))) => Output::error(bounded(error.message.to_string(), self.most)),
            Ok(Err(error)) => Output::error(format_args!("the server {} did not answer: {}", self.name, words(&error))),
            Err(_) => Output::error(format_args!("the server {} gave no result within {:?}", self.name, self.timeout)),
        }
    }

    /// Ends it, in the way that the protocol asks for.
    pub(super) async fn close(mut self) {
        // One that does not end is killed when its transport goes.
        let _ = self.service.close_with_timeout(FAREWELL).await;
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("name", &self.name).field("tools", &self.tools.len()).finish_non_exhaustive()
    }
}

/// A tool of a server's under the name that the model is given.
pub(super) fn definition(name: String, tool: &rmcp::model::Tool) -> Tool {
    let about = tool.description.as_deref().or(tool.title.as_deref()).unwrap_or_default();
    Tool::function(name, about, serde_json::Value::Object((*tool.input_schema).clone()))
}

fn who() -> ClientConfig {
    ClientConfig::new(ClientCapabilities::default(), Implementation::new("sabir", env!("CARGO_PKG_VERSION")))
}

async fn start(
    name: &str,
    program: &McpProgram,
    complaints: &mut Complaints,
) -> Result<RunningService<RoleClient, ClientConfig>, Failure> {
    // Ctrl-C at the terminal stops an answer, not the server: that one is told when all is over.
    let command = tokio::process::Command::from(program.command());
    let words = command.as_std().get_program().to_string_lossy().into_owned();
    let spawned = TokioChildProcess::builder(command).stderr(Stdio::piped()).spawn();
    let (process, stderr) =
        spawned.map_err(|error| Failure::io(&format!("cannot start the MCP server {name} ({words})"), &error))?;
    if let Some(stderr) = stderr {
        complaints.listen(stderr);
    }
    who().serve(process).await.map_err(|error| failed(name, "did not start", &why(&error)))
}

async fn reach(
    name: &str,
    url: &str,
    settings: &McpConfig,
) -> Result<RunningService<RoleClient, ClientConfig>, Failure> {
    let mut headers = HashMap::new();
    for (header, secret) in &settings.headers {
        let wrong = |what| Failure::usage(format!("mcp.{name}.headers.{header}: {what}"));
        let key: ::http::HeaderName = header.parse().map_err(|_| wrong("is no name of a header"))?;
        let mut value = ::http::HeaderValue::from_str(secret.resolve()?.expose())
            .map_err(|_| wrong("cannot stand in a header; it has other characters than letters, digits and marks"))?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    let config = StreamableHttpClientTransportConfig::with_uri(url).custom_headers(headers);
    let transport = StreamableHttpClientTransport::with_client(Http::new()?, config);
    who().serve(transport).await.map_err(|error| failed(name, &format!("at {url} did not answer as one"), &why(&error)))
}

/// All tools, page by page.
async fn list(service: &RunningService<RoleClient, ClientConfig>) -> Result<Vec<rmcp::model::Tool>, ServiceError> {
    let mut tools = Vec::new();
    let mut cursor = None;
    for _ in 0..MOST_PAGES {
        let page = service.list_tools(Some(PaginatedRequestParams::default().with_cursor(cursor))).await?;
        tools.extend(page.tools);
        cursor = page.next_cursor;
        if cursor.is_none() || tools.len() >= MOST_TOOLS {
            break;
        }
    }
    tools.truncate(MOST_TOOLS);
    Ok(tools)
}

/// What a tool gave, as parts for the model.
fn output(result: CallToolResult, most: usize) -> Output {
    let is_error = result.is_error == Some(true);
    let mut parts: Vec<Part> = result.content.into_iter().map(|block| part(block, most)).collect();
    // Its structured result says what its text says, where there is a text.
    if parts.is_empty() {
        let value = result.structured_content.map(|value| value.to_string());
        parts.push(Part::text(bounded(value.unwrap_or_else(|| "(no output)".to_owned()), most)));
    }
    Output { parts, is_error }
}

fn part(block: ContentBlock, most: usize) -> Part {
    let media = |data: &str, mime: &str| {
        // Four characters are three bytes.
        if data.len() / 4 * 3 > most.saturating_mul(64) {
            return Err("it is too long".to_owned());
        }
        Media::base64(data, Some(mime)).map_err(|error| error.message().to_owned())
    };
    match block {
        ContentBlock::Text(text) => Part::text(bounded(text.text, most)),
        ContentBlock::Image(image) => match media(&image.data, &image.mime_type) {
            Ok(media) => Part::image(media),
            Err(why) => Part::text(format!("[an image that cannot be shown: {why}]")),
        },
        ContentBlock::Audio(audio) => match media(&audio.data, &audio.mime_type) {
            Ok(media) => sabir::chat::Content::Audio(media).into(),
            Err(why) => Part::text(format!("[a sound that cannot be played: {why}]")),
        },
        ContentBlock::Resource(resource) => match resource.resource {
            ResourceContents::TextResourceContents { uri, text, .. } => {
                Part::text(bounded(format!("{uri}:\n{text}"), most))
            }
            ResourceContents::BlobResourceContents { uri, .. } => Part::text(format!("[bytes of {uri}]")),
            _ => Part::text("[a resource of an unknown kind]"),
        },
        ContentBlock::ResourceLink(link) => Part::text(format!("[{}]({})", link.name, link.uri)),
        _ => Part::text("[something that is neither text nor image, sound or resource]"),
    }
}

/// What a server writes to its standard error: the end of it.
#[derive(Default)]
struct Complaints {
    kept: Arc<Mutex<VecDeque<u8>>>,
    listening: Option<JoinHandle<()>>,
}

impl Complaints {
    fn listen(&mut self, mut stderr: ChildStderr) {
        let kept = Arc::clone(&self.kept);
        self.listening = Some(tokio::spawn(async move {
            let mut piece = [0; 1024];
            while let Ok(read @ 1..) = stderr.read(&mut piece).await {
                let Ok(mut kept) = kept.lock() else { return };
                kept.extend(&piece[..read]);
                let more = kept.len().saturating_sub(MOST_COMPLAINTS);
                kept.drain(..more);
            }
        }));
    }

    /// The last line of a server that is gone, or about to go: it says what went wrong.
    async fn last(&mut self) -> Option<String> {
        let _ = tokio::time::timeout(LAST_WORDS, self.listening.take()?).await;
        let kept: Vec<u8> = self.kept.lock().ok()?.iter().copied().collect();
        let text = String::from_utf8_lossy(&kept);
        let line = text.lines().rev().find(|line| !line.trim().is_empty())?;
        Some(format!("it said: {}", words(&line.trim())))
    }
}

/// Why a server is none, without the names of the client's own parts.
fn why(error: &ClientInitializeError) -> String {
    match error {
        ClientInitializeError::TransportError { error, .. } => words(&error.error),
        ClientInitializeError::JsonRpcError(error) => words(&error.message),
        other => words(other),
    }
}

fn failed(name: &str, what: &str, error: &impl Display) -> Failure {
    Failure::failed(format!("the MCP server {name} {what}: {}", words(error)))
}

/// A server's words, or words about it, in a line that a terminal may have.
fn words(error: &impl Display) -> String {
    let line = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shown: String = line.chars().take(MOST_WORDS).collect();
    if shown.len() < line.len() {
        shown.push('…');
    }
    safe(&shown).into_owned()
}
