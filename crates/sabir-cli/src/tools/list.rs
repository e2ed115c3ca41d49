//! `sabir tools`: what a model may be given to call.

use std::path::PathBuf;
use std::process::ExitCode;

use sabir::config::{Config, ToolCommand};
use serde_json::{Value, json};

use super::{mcp, unknown};
use crate::config;
use crate::failure::Outcome;
use crate::markdown::safe;
use crate::output::{notice, print, print_json};
use crate::table::table;

/// List the tools of the configuration, or what an MCP server offers.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sabir tools\n  sabir tools files\n  sabir chat -t files.read_file \"What is in notes.txt?\"\n\n\
    A tool is a command ([tools.NAME] in the configuration) or comes from a server of the Model Context Protocol \
    ([mcp.NAME]). Asked with a name of the latter, this starts the server."
)]
pub(crate) struct Args {
    /// A tool, or an MCP server whose tools are listed
    name: Option<String>,
    /// Write one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, config: Option<PathBuf>) -> Outcome {
    let config = config::load(config)?;
    let lines = match &args.name {
        None => all(&config),
        Some(name) => match (config.tools.get(name), config.mcp.get(name)) {
            (Some(_), _) => all(&config).into_iter().filter(|line| line.name == *name).collect(),
            (_, Some(settings)) => {
                let server = mcp::Server::connect(name, settings).await?;
                let about = server.about();
                let lines: Vec<Line> = server.tools().iter().map(|tool| Line::of(name, settings, tool)).collect();
                server.close().await;
                if !args.json {
                    notice(&format!("{} tools of {name} ({about})", lines.len()));
                }
                lines
            }
            _ => return Err(unknown(&config, name)),
        },
    };
    if args.json {
        for line in &lines {
            print_json(&line.object())?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if lines.is_empty() && args.name.is_none() {
        notice("The configuration has no tools; add [tools.NAME] for a command or [mcp.NAME] for an MCP server.");
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = lines.iter().map(Line::row).collect();
    print(&table(&["NAME", "KIND", "CONFIRM", "ARGUMENTS", "WHAT"], &[false; 5], &rows))?;
    Ok(ExitCode::SUCCESS)
}

/// One tool, or a server.
struct Line {
    name: String,
    kind: &'static str,
    confirm: String,
    about: String,
    /// `None` of a server.
    parameters: Option<Value>,
}

/// All that the configuration names; nothing is started for it.
fn all(config: &Config) -> Vec<Line> {
    let commands = config.tools.iter().map(|(name, tool)| Line {
        name: name.clone(),
        kind: if matches!(tool.command, ToolCommand::Line(_)) { "shell line" } else { "command" },
        confirm: tool.confirm.to_string(),
        about: tool.description.clone(),
        parameters: Some(tool.parameters.0.clone()),
    });
    let servers = config.mcp.iter().map(|(name, server)| Line {
        name: name.clone(),
        kind: "MCP server",
        confirm: server.confirm.to_string(),
        about: match (&server.command, &server.url) {
            (Some(program), _) => format!("{program} {}", server.args.join(" ")).trim().to_owned(),
            (_, url) => url.as_ref().map(|url| url.0.clone()).unwrap_or_default(),
        },
        parameters: None,
    });
    commands.chain(servers).collect()
}

impl Line {
    fn of(server: &str, settings: &sabir::config::McpConfig, tool: &rmcp::model::Tool) -> Self {
        let about = tool.description.as_deref().or(tool.title.as_deref()).unwrap_or_default();
        Self {
            name: format!("{server}.{}", tool.name),
            kind: "MCP tool",
            confirm: settings.confirm.to_string(),
            about: about.to_owned(),
            parameters: Some(Value::Object((*tool.input_schema).clone())),
        }
    }

    fn row(&self) -> Vec<String> {
        let first = self.about.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
        let arguments = self.parameters.as_ref().and_then(|schema| schema["properties"].as_object());
        let arguments = arguments.map(|names| names.keys().map(String::as_str).collect::<Vec<_>>().join(" "));
        let cells = [&self.name, self.kind, &self.confirm, &arguments.unwrap_or_default(), first];
        cells.iter().map(|cell| safe(cell).into_owned()).collect()
    }

    fn object(&self) -> Value {
        json!({
            "name": self.name,
            "kind": self.kind,
            "confirm": self.confirm,
            "description": self.about,
            "parameters": self.parameters,
        })
    }
}
