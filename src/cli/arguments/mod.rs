//! What can be typed: every command and option, declared once. Help, usage faults and (later) completions and
//! manual pages come from here.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::wire::{Name, NameRef};
use crate::zone::{Fault, text};

mod record;
mod zone;

pub use record::{Owner, Record, Records};
pub use zone::{Zone, ZoneFile};

/// Where the options stand in the help that every command takes.
const EVERY: &str = "Options of every command";

/// Own your name: an authoritative DNS server in one binary and one data directory.
///
/// Without a settings file, `freehold serve` runs in development mode: on this machine only, on port 5300, with
/// the zones of ./zones. Commands talk to the running server, or work on the data directory when none runs.
///
/// Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 done with warnings, 5 the server cannot be reached.
#[derive(Debug, Parser)]
#[command(name = "freehold", version, max_term_width = 110, disable_help_subcommand = true)]
pub struct Arguments {
    /// Options that every command takes.
    #[command(flatten)]
    pub options: Options,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Arguments {
    /// Reads the command line. Help and usage faults end the process here, with exit code 0 or 2.
    pub fn read() -> Self {
        Self::parse()
    }
}

/// Options that every command takes.
#[derive(Args, Debug)]
pub struct Options {
    /// Settings file [default: ./freehold.toml, then /etc/freehold/freehold.toml]
    #[arg(long, global = true, value_name = "FILE", help_heading = EVERY)]
    pub config: Option<PathBuf>,
    /// Data directory; goes before the settings file's [also: the environment's FREEHOLD_DATA]
    #[arg(long, global = true, value_name = "DIRECTORY", help_heading = EVERY)]
    pub data: Option<PathBuf>,
    /// How results are printed: table or json
    #[arg(short, long, global = true, default_value = "table", value_name = "FORM", help_heading = EVERY)]
    #[arg(hide_possible_values = true)]
    pub output: Output,
    /// Colour: always, never, or auto, which is on a terminal unless NO_COLOR is set
    #[arg(long, global = true, default_value = "auto", value_name = "WHEN", help_heading = EVERY)]
    #[arg(hide_possible_values = true)]
    pub color: Color,
}

/// How results are printed: `table` for people, `json` for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server, in the foreground, until SIGTERM or Ctrl-C
    Serve(Serve),
    /// Zones: list, add, check, import, export, compare, history, undo, delete
    #[command(subcommand)]
    Zone(Zone),
    /// Records: list, set, add, delete
    #[command(subcommand)]
    Record(Record),
    /// Show what the server does: version, zones, addresses
    Status,
    /// Show who changed what and when, in all zones, newest first
    Log(Past),
    /// Write all that Freehold knows to one file, also while it runs
    Backup {
        /// Where to; `-` is standard output
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Fill an empty data directory from a backup; the server must not run
    Restore {
        /// The backup
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// Options of `freehold serve`.
#[derive(Args, Debug)]
pub struct Serve {
    /// Answer DNS here instead of where the settings say; may be given several times; port 0 takes a free port
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Vec<SocketAddr>,
}

/// How much of the past to show.
#[derive(Args, Debug)]
pub struct Past {
    /// So many changes at most
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Only changes before this revision
    #[arg(long, value_name = "REVISION")]
    pub before: Option<u64>,
}

fn zone_name(text: &str) -> Result<Name, Fault> {
    text::name(text, NameRef::root())
}

fn ttl(text: &str) -> Result<u32, Fault> {
    text::ttl(text)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// clap checks its declarations only when they are used: a clash of two options would show at a user's.
    #[test]
    fn declarations_are_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn global_options_stand_anywhere() {
        let before = Arguments::try_parse_from(["freehold", "--data", "d", "-o", "json", "zone", "list"]).unwrap();
        let after = Arguments::try_parse_from(["freehold", "zone", "list", "--data", "d", "-o", "json"]).unwrap();
        for arguments in [before, after] {
            assert_eq!(arguments.options.data, Some("d".into()));
            assert_eq!(arguments.options.output, Output::Json);
        }
    }

    #[test]
    fn a_bad_zone_name_is_a_usage_fault() {
        let fault = Arguments::try_parse_from(["freehold", "zone", "export", "a..b"]).unwrap_err();
        assert_eq!(fault.exit_code(), 2);
        assert!(fault.to_string().contains("empty label"), "{fault}");
    }
}
