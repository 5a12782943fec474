//! What the server says while it runs: events with fields, on standard error, for systemd or a file to keep.

use std::io::{self, IsTerminal};

use serde::Deserialize;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry, fmt, reload};

/// Settings of the log: the section `[log]` of the settings file.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The least important events that are told: error, warn, info, debug or trace. Default: info. Applied on SIGHUP.
    pub level: Level,
    /// text for people, json for programs. Default: text.
    pub format: Format,
}

/// How important an event is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Something is broken.
    Error,
    /// Somebody should look.
    Warn,
    /// What an operator wants to know.
    #[default]
    Info,
    /// What a developer wants to know.
    Debug,
    /// Everything.
    Trace,
}

/// How events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One line an event, for people.
    #[default]
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// Changes the level of a log that runs.
pub(super) struct Log {
    handle: reload::Handle<LevelFilter, Registry>,
    level: Level,
}

impl Level {
    fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

/// Starts the log of this process.
pub(super) fn start(settings: Settings) -> Log {
    let (level, handle) = reload::Layer::new(settings.level.filter());
    let events = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let events = match settings.format {
        Format::Text => events.with_target(false).boxed(),
        Format::Json => events.json().flatten_event(true).boxed(),
    };
    // A second start in one process would be refused; the first log then stays, which is what is wanted.
    let _ = tracing::subscriber::set_global_default(Registry::default().with(level).with(events));
    Log { handle, level: settings.level }
}

impl Log {
    /// From now on at this level. Whether that is another one than before.
    pub(super) fn turn_to(&mut self, level: Level) -> bool {
        if level == self.level {
            return false;
        }
        if let Err(fault) = self.handle.reload(level.filter()) {
            tracing::error!(%fault, "the level of the log cannot be changed");
            return false;
        }
        self.level = level;
        true
    }
}
