//! Tools of the configuration: commands, and what MCP servers offer, as a toolbox that a model may use.

mod arguments;
mod command;
mod confirm;
mod http;
pub(crate) mod list;
mod mcp;
mod result;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use sabir::Client;
use sabir::chat::{ChatRequest, Tool};
use sabir::config::{Config, Confirm};
use sabir::dialects::providers::nearest;
use sabir::tools::{Ended, Run, RunEvent, Toolbox};

use crate::failure::Failure;
use confirm::Confirmer;

/// The word for all that is configured.
const ALL: &str = "all";
/// The longest name that every provider takes for a tool: OpenAI's rule, which is the narrowest.
const LONGEST_NAME: usize = 64;

/// Which tools the model may call, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// A tool that the model may call: a command or an MCP server of the configuration's, one of a server's as
    /// SERVER.TOOL, or `all`; may be given several times
    #[arg(short = 't', long = "tool", value_name = "NAME")]
    tools: Vec<String>,
    /// Call tools without asking first
    #[arg(short, long)]
    yes: bool,
    /// How often the model is asked at most, while it goes on calling tools
    #[arg(long, value_name = "TIMES", default_value_t = 10)]
    max_turns: usize,
}

/// The tools that a model may call, and the servers that some of them are on.
#[derive(Debug)]
pub(crate) struct Kit {
    toolbox: Toolbox,
    servers: Vec<Arc<mcp::Server>>,
    max_turns: usize,
}

impl Kit {
    /// Makes ready what the flags name, and starts the servers; `None` where they name nothing.
    pub(crate) async fn open(config: &Config, flags: &Flags) -> Result<Option<Self>, Failure> {
        if flags.tools.is_empty() {
            return Ok(None);
        }
        let chosen = Chosen::of(config, &flags.tools)?;
        // Before anything is started: nothing is worth starting that could not be called.
        let asks = |confirm: Confirm| confirm == Confirm::Always && !flags.yes;
        if !confirm::can_ask() {
            let tools = chosen.commands.iter().map(|name| ("tools", name, config.tools[name].confirm));
            let servers = chosen.servers.keys().map(|name| ("mcp", name, config.mcp[name].confirm));
            if let Some((section, name, _)) = tools.chain(servers).find(|(.., confirm)| asks(*confirm)) {
                return Err(Failure::usage(format!(
                    "{name} asks before each call, and there is no terminal to ask on"
                ))
                .hint(format!("give --yes, or set {section}.{name}.confirm = \"never\"")));
            }
        }
        let mut kit = Self { toolbox: Toolbox::new(), servers: Vec::new(), max_turns: flags.max_turns };
        let mut asked = HashSet::new();
        let mut longest = Duration::ZERO;
        for name in &chosen.commands {
            let tool = Arc::new(config.tools[name].clone());
            if asks(tool.confirm) {
                asked.insert(name.clone());
            }
            longest = longest.max(tool.timeout);
            let definition = Tool::function(name.clone(), tool.description.clone(), tool.parameters.0.clone());
            kit.toolbox = kit.toolbox.raw(definition, move |call| command::call(Arc::clone(&tool), call));
        }
        for (name, wanted) in &chosen.servers {
            let settings = &config.mcp[name];
            let server = match mcp::Server::connect(name, settings).await {
                Ok(server) => Arc::new(server),
                Err(failure) => {
                    kit.close().await;
                    return Err(failure);
                }
            };
            kit.servers.push(Arc::clone(&server));
            longest = longest.max(settings.timeout);
            let offered = match server.offered(wanted) {
                Ok(offered) => offered,
                Err(failure) => {
                    kit.close().await;
                    return Err(failure);
                }
            };
            for tool in offered {
                let shown = kit.free_name(name, &tool.name);
                if asks(settings.confirm) {
                    asked.insert(shown.clone());
                }
                let (server, theirs) = (Arc::clone(&server), tool.name.to_string());
                kit.toolbox = kit.toolbox.raw(mcp::definition(shown, &tool), move |call| {
                    let (server, theirs) = (Arc::clone(&server), theirs.clone());
                    async move { server.call(theirs, &call).await }
                });
            }
        }
        // Each has its own limit; the toolbox's is only behind them.
        let limit = longest.saturating_add(Duration::from_secs(10));
        let confirmer = Arc::new(Confirmer::new(asked));
        kit.toolbox = kit.toolbox.timeout(limit).approve(move |call| {
            let confirmer = Arc::clone(&confirmer);
            async move { confirmer.ask(&call).await }
        });
        Ok(Some(kit))
    }

    /// A name by which a server's tool can be called, and that no other has.
    fn free_name(&self, server: &str, tool: &str) -> String {
        let plain = |name: &str| -> String {
            let fits = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
            name.chars().map(fits).take(LONGEST_NAME).collect()
        };
        let own = plain(tool);
        if !own.is_empty() && !self.toolbox.has(&own) {
            return own;
        }
        let longer = (1..).map(|number| match number {
            1 => plain(&format!("{server}_{tool}")),
            number => plain(&format!("{number}_{server}_{tool}")),
        });
        longer.into_iter().find(|name| !self.toolbox.has(name)).unwrap_or(own)
    }

    /// The model and the tools at work.
    pub(crate) fn run(&self, client: &Client, request: ChatRequest) -> Run {
        client.run(request, &self.toolbox).max_turns(self.max_turns)
    }

    /// The tools that the model may call, by name.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.toolbox.definitions().iter().filter_map(|tool| match tool {
            Tool::Function(function) => Some(function.name.as_str()),
            _ => None,
        })
    }

    /// What is told of something that happens, in a line; `None` of what the model says.
    pub(crate) fn in_words(&self, event: &RunEvent) -> Option<String> {
        match event {
            RunEvent::Call(call) => Some(confirm::call_in_words(call)),
            RunEvent::Result { result, took } => Some(result::in_words(result, *took)),
            RunEvent::Done(done) => match done.ended {
                Ended::TurnLimit => Some(format!(
                    "note: the model still asks for tools after {} turns; --max-turns allows more",
                    self.max_turns
                )),
                Ended::ForeignCalls => Some("note: the model asks for a tool that is not its to call".to_owned()),
                _ => None,
            },
            _ => None,
        }
    }

    /// Ends the servers that were started.
    pub(crate) async fn close(self) {
        let Self { toolbox, servers, .. } = self;
        // Its functions hold the servers, too.
        drop(toolbox);
        for server in servers {
            if let Some(server) = Arc::into_inner(server) {
                server.close().await;
            }
        }
    }
}

/// What was named.
struct Chosen {
    commands: BTreeSet<String>,
    /// The tools of each server; none means all.
    servers: BTreeMap<String, BTreeSet<String>>,
}

impl Chosen {
    fn of(config: &Config, names: &[String]) -> Result<Self, Failure> {
        let mut chosen = Self { commands: BTreeSet::new(), servers: BTreeMap::new() };
        for name in names {
            if config.tools.contains_key(name) {
                chosen.commands.insert(name.clone());
            } else if config.mcp.contains_key(name) {
                chosen.servers.insert(name.clone(), BTreeSet::new());
            } else if let Some((server, tool)) = name.split_once('.')
                && config.mcp.contains_key(server)
            {
                // Who has named all of them has named this one, too.
                let is_all = names.iter().any(|other| other == server || other == ALL);
                let tools = chosen.servers.entry(server.to_owned()).or_default();
                tools.extend((!is_all).then(|| tool.to_owned()));
            } else if name == ALL {
                chosen.commands.extend(config.tools.keys().cloned());
                chosen.servers.extend(config.mcp.keys().map(|name| (name.clone(), BTreeSet::new())));
            } else {
                return Err(unknown(config, name));
            }
        }
        Ok(chosen)
    }
}

/// There is nothing of this name.
pub(crate) fn unknown(config: &Config, name: &str) -> Failure {
    let names: Vec<&str> = config.tools.keys().chain(config.mcp.keys()).map(String::as_str).collect();
    let failure = Failure::usage(format!("there is no tool {name:?}"));
    match (nearest(name, names.iter().copied()), names.as_slice()) {
        (Some(near), _) => failure.hint(format!("did you mean {near}?")),
        (None, []) => failure.hint("the configuration has none; add [tools.NAME] or [mcp.NAME]"),
        (None, names) => failure.hint(format!("there are: {}", names.join(", "))),
    }
}
