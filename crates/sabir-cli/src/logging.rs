//! The log: what the layers tell of as events of `tracing`, on standard error.

use std::io::IsTerminal as _;

use sabir::config::{Config, LogFormat, LogLevel};
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, Targets, filter_fn};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::prelude::*;

use crate::otlp::Spans;

/// Writes the log from now on, as the configuration's `logging` has it. A call that is traced is a line when it is over.
/// Where somebody else is told of spans, that is done, too; what is traced for their sake alone is no line here.
pub(crate) fn start(config: &Config, told: Option<Spans>) {
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
    let which = Targets::new().with_default(others).with_target("sabir", level).with_target("sabir_gateway", others);
    let is_traced = config.trace.is_some();
    let which = which.and(filter_fn(move |told| is_traced || !told.is_span()));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_span_events(FmtSpan::CLOSE);
    let written = match config.logging.format {
        LogFormat::Json => lines.json().with_filter(which).boxed(),
        _ => lines.with_filter(which).boxed(),
    };
    let ours = Targets::new().with_target("sabir", LevelFilter::INFO);
    // A second client of the same process writes to the same log.
    let _ = match told {
        Some(told) => tracing_subscriber::registry().with(written).with(told.with_filter(ours)).try_init(),
        // Not as a layer that is none: with one, every span is made, and for nobody.
        None => tracing_subscriber::registry().with(written).try_init(),
    };
}
