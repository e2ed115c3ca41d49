//! `sabir usage`: what was spent, by day, model, provider, key or label.

mod money;
mod show;
pub(crate) mod when;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use sabir::ledger::{Dimension, Filter, Group, Ledger as _, Sqlite};

use crate::config;
use crate::failure::{Failure, Outcome};
use crate::output::{notice, print, print_json};
use when::When;

/// What was spent, by day, model, provider, key or label.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sabir usage --since 7d\n  sabir usage --by model --since 2026-11-01\n  \
    sabir usage --by month,provider --csv\n  sabir usage --by tag:team --tag env=production\n\n\
    An attempt is a row: a call that was tried three times is three. Money is exact: whole nano-dollars.")]
pub(crate) struct Args {
    /// What to sum by, outermost first: day, month, provider, model, key, tenant, tag:NAME
    #[arg(long, value_name = "WHAT", value_delimiter = ',', default_value = "day")]
    by: Vec<By>,
    /// Only what began then or later: a day (2026-11-21) or so long ago (12h, 7d, 4w)
    #[arg(long, value_name = "WHEN")]
    since: Option<When>,
    /// Only what began before then
    #[arg(long, value_name = "WHEN")]
    until: Option<When>,
    /// How far east of UTC days begin
    #[arg(long, value_name = "+HH:MM", default_value = "+00:00", allow_hyphen_values = true, value_parser = when::offset)]
    offset: i32,
    /// Only of this provider
    #[arg(long, value_name = "ID")]
    provider: Option<String>,
    /// Only of this model
    #[arg(short, long, value_name = "NAME")]
    model: Option<String>,
    /// Only with the key of this name
    #[arg(long, value_name = "NAME")]
    key: Option<String>,
    /// Only of this tenant
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Only with this label; may be given several times
    #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = tag)]
    tags: Vec<(String, String)>,
    /// The file of the ledger [default: the configuration's, else sabir/spend.db in the data folder, ~/.local/share]
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Write one JSON object
    #[arg(long, conflicts_with_all = ["csv", "chart"])]
    json: bool,
    /// Write comma-separated values
    #[arg(long, conflicts_with = "chart")]
    csv: bool,
    /// Draw bars beside the sums, also where no terminal shows them
    #[arg(long)]
    chart: bool,
}

pub(crate) fn run(args: &Args, config: Option<PathBuf>) -> Outcome {
    let said = match &args.ledger {
        Some(path) => Some(path.clone()),
        None => config::load(config)?.ledger.as_ref().map(|ledger| ledger.path.clone()),
    };
    let path = said.or_else(default_path).ok_or_else(|| {
        Failure::usage("there is no home folder to look for a ledger in; name the file with --ledger FILE")
    })?;
    if !path.exists() {
        return Err(Failure::usage(format!(
            "there is no ledger {} yet; name another with --ledger FILE",
            path.display()
        )));
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let of = args.filter(now)?;
    let by: Vec<_> = args.by.iter().map(|by| by.dimension(args.offset)).collect();
    let ledger = Sqlite::open(&path)?;
    let groups = ledger.report(&of, &by)?;
    let total = ledger.report(&of, &[])?.into_iter().next().unwrap_or_default();
    let open = ledger.spent(&of)?.reserved;
    let titles: Vec<_> = args.by.iter().map(By::title).collect();
    if args.json {
        print_json(&show::json(&titles, &groups, &total, open))?;
    } else if args.csv {
        print(&show::csv(&titles, &groups))?;
    } else {
        print(&show::table(&titles, &groups, &total, args.chart || std::io::stdout().is_terminal()))?;
        remark(&total, open);
    }
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn filter(&self, now: Duration) -> Result<Filter, Failure> {
        let mut of = Filter::default();
        let time = |when: &When| when.time(now, self.offset).ok_or_else(|| Failure::usage("that is before 1970"));
        of.from = self.since.as_ref().map(time).transpose()?;
        of.until = self.until.as_ref().map(time).transpose()?;
        // Rows have a provider's own id, whatever alias it was asked by.
        let registry = sabir::Registry::new();
        of.provider = self.provider.as_deref().map(|name| registry.own_id(name).to_owned());
        of.model.clone_from(&self.model);
        (of.key, of.tenant, of.tags) = (self.key.clone(), self.tenant.clone(), self.tags.clone());
        Ok(of)
    }
}

/// What a person should know of the sums.
fn remark(total: &Group, open: u64) {
    if total.unpriced > 0 {
        notice(&format!("note: of {} attempts no price is known; they are in no sum", total.unpriced));
    }
    if open > 0 {
        notice(&format!("note: ${} more are reserved for calls under way", money::dollars(open, money::scale(open))));
    }
}

/// `sabir/spend.db` in the folder for data: `XDG_DATA_HOME`, else `~/.local/share`.
/// <https://specifications.freedesktop.org/basedir-spec/latest/>
pub(crate) fn default_path() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = folder("XDG_DATA_HOME").or_else(|| Some(folder("HOME")?.join(".local/share")))?;
    Some(data.join("sabir").join("spend.db"))
}

fn tag(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// What to sum by.
#[derive(Clone, Debug)]
enum By {
    Day,
    Month,
    Provider,
    Model,
    Key,
    Tenant,
    Tag(String),
}

impl FromStr for By {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "day" => Self::Day,
            "month" => Self::Month,
            "provider" => Self::Provider,
            "model" => Self::Model,
            "key" => Self::Key,
            "tenant" => Self::Tenant,
            _ => match text.strip_prefix("tag:") {
                Some(name) if !name.is_empty() => Self::Tag(name.to_owned()),
                _ => return Err("one of day, month, provider, model, key, tenant, tag:NAME".to_owned()),
            },
        })
    }
}

impl By {
    fn dimension(&self, offset: i32) -> Dimension {
        match self {
            Self::Day => Dimension::Day(offset),
            Self::Month => Dimension::Month(offset),
            Self::Provider => Dimension::Provider,
            Self::Model => Dimension::Model,
            Self::Key => Dimension::Key,
            Self::Tenant => Dimension::Tenant,
            Self::Tag(name) => Dimension::Tag(name.clone()),
        }
    }

    fn title(&self) -> &str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Key => "key",
            Self::Tenant => "tenant",
            Self::Tag(name) => name,
        }
    }
}
