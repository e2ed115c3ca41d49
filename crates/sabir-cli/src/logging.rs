//! The log: what the layers tell of as events of `tracing`, on standard error.

use std::io::IsTerminal as _;

use sabir::config::{Config, LogFormat, LogLevel};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::prelude::*;

/// Writes the log from now on, as the configuration's `logging` has it. A call that is traced is a line when it is over.
pub(crate) fn start(config: &Config) {
    let level = match config.logging.level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
        _ => LevelFilter::INFO,
    };
    // What libraries below tell of is for finding faults: it comes only where all is asked for.
    let others = if level == LevelFilter::TRACE { level } else { level.min(LevelFilter::WARN) };
    let which = Targets::new().with_default(others).with_target("sabir", level);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_span_events(FmtSpan::CLOSE);
    let written = match config.logging.format {
        LogFormat::Json => lines.json().with_filter(which).boxed(),
        _ => lines.with_filter(which).boxed(),
    };
    // A second client of the same process writes to the same log.
    let _ = tracing_subscriber::registry().with(written).try_init();
}
