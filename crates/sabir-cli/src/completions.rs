//! `sabir completions` and `sabir man`: what shells and the manual know of the commands, from their one definition.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory as _;

use crate::Cli;
use crate::failure::{Failure, Outcome};
use crate::output::{print, print_bytes};

/// Write the completions of a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sabir completions bash > ~/.local/share/bash-completion/completions/sabir\n  \
    sabir completions zsh > ~/.zfunc/_sabir\n  sabir completions fish > ~/.config/fish/completions/sabir.fish")]
pub(crate) struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

/// Write the manual's pages, one a command.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sabir man --to ~/.local/share/man/man1 && man sabir-chat")]
pub(crate) struct ManArgs {
    /// The folder that they are written to, which is made where it is missing; without it the first page goes to standard output
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "sabir", &mut script);
    print_bytes(&script)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn run_man(args: &ManArgs) -> Outcome {
    // Names of subcommands within are then whole: `sabir wire decode`.
    let mut command = Cli::command();
    command.build();
    let Some(folder) = &args.to else {
        print_bytes(&page(&command)?)?;
        return Ok(ExitCode::SUCCESS);
    };
    let cannot = |error: std::io::Error| Failure::usage(format!("cannot write to {}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(cannot)?;
    let mut left = vec![command];
    let mut pages = 0;
    while let Some(command) = left.pop() {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name());
        std::fs::write(folder.join(format!("{name}.1")), page(&command)?).map_err(cannot)?;
        pages += 1;
        left.extend(command.get_subcommands().filter(|inner| inner.get_name() != "help").cloned());
    }
    print(&format!("{pages} pages in {}\n", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn page(command: &clap::Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .render(&mut page)
        .map_err(|error| Failure::io("cannot make the page", &error))?;
    Ok(page)
}
