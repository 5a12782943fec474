//! What can be typed: every command and option, declared once. Help, usage faults and (later) completions and
//! manual pages come from here.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::wire::{Kind, Name, NameRef};
use crate::zone::{Fault, text};

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
    /// Be reached by programs here instead of where the settings say; may be given several times; port 0 takes a free port
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub admin_listen: Vec<SocketAddr>,
}

/// What to do with zones.
#[derive(Debug, Subcommand)]
pub enum Zone {
    /// Show all zones
    List,
    /// Make a new zone of its name and its name servers
    Add {
        /// The zone
        #[arg(value_name = "ZONE", value_parser = zone_name)]
        zone: Name,
        /// The full names of its name servers, the primary first
        #[arg(long = "name-server", value_name = "NAME", value_parser = zone_name, required = true, num_args = 1..)]
        name_servers: Vec<Name>,
        /// Whom to write to about the zone [default: hostmaster at the zone]
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
        /// Only say what would change
        #[arg(long)]
        dry_run: bool,
    },
    /// Read a zone file and report every fault; needs no server
    Check(ZoneFile),
    /// Make a zone exactly what a zone file says, in one step, or not at all
    Import {
        /// The zone file.
        #[command(flatten)]
        file: ZoneFile,
        /// Only say what would change
        #[arg(long)]
        dry_run: bool,
    },
    /// Write a zone as a zone file
    Export {
        /// The zone
        #[arg(value_name = "ZONE", value_parser = zone_name)]
        zone: Name,
        /// Where to [default: standard output]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Show what an import of a zone file would take away (-) and add (+)
    Diff(ZoneFile),
    /// Show who changed what and when, newest first; or what one change took away (-) and added (+)
    History {
        /// The zone; it may be gone
        #[arg(value_name = "ZONE", value_parser = zone_name)]
        zone: Name,
        /// One change, by its revision
        #[arg(value_name = "REVISION", conflicts_with_all = ["limit", "before"])]
        revision: Option<u64>,
        /// How much.
        #[command(flatten)]
        past: Past,
    },
    /// Take a change back, by a new change; refused if something newer would be lost
    Undo {
        /// The zone; it may be gone
        #[arg(value_name = "ZONE", value_parser = zone_name)]
        zone: Name,
        /// Which change, by its revision [default: the last one of the zone]
        #[arg(value_name = "REVISION")]
        revision: Option<u64>,
        /// Only say what would change
        #[arg(long)]
        dry_run: bool,
    },
    /// Delete a zone and all its records
    Delete {
        /// The zone
        #[arg(value_name = "ZONE", value_parser = zone_name)]
        zone: Name,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Only say what would go
        #[arg(long)]
        dry_run: bool,
    },
}

/// What to do with records. Values are written as in a zone file: `10 mail.example.org.`, `"some text"`.
#[derive(Debug, Subcommand)]
pub enum Record {
    /// Show the records of a zone, or only those of a name, or of a name and a type
    List {
        /// The zone
        #[arg(value_name = "ZONE", value_parser = zone_name)]
        zone: Name,
        /// Only this name; in full, relative to the zone, or @ for the zone itself
        #[arg(value_name = "NAME")]
        name: Option<String>,
        /// Only this type
        #[arg(value_name = "TYPE")]
        kind: Option<Kind>,
    },
    /// Make these the only records of a name and a type
    Set(Records),
    /// Add records to those that are there
    Add(Records),
    /// Delete one record, or all of a type, or all of a name
    Delete {
        /// Whose records.
        #[command(flatten)]
        owner: Owner,
        /// Only this type
        #[arg(value_name = "TYPE")]
        kind: Option<Kind>,
        /// Only these values
        #[arg(value_name = "VALUE")]
        values: Vec<String>,
        /// Only say what would go
        #[arg(long)]
        dry_run: bool,
    },
}

/// Whose records.
#[derive(Args, Debug)]
pub struct Owner {
    /// The full name; with --zone also relative to that zone, or @ for the zone itself
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The zone [default: the one whose name fits best]
    #[arg(long, value_name = "ZONE", value_parser = zone_name)]
    pub zone: Option<Name>,
}

/// Records of one name and type.
#[derive(Args, Debug)]
pub struct Records {
    /// Whose records.
    #[command(flatten)]
    pub owner: Owner,
    /// The type, such as A, AAAA, MX or TXT
    #[arg(value_name = "TYPE")]
    pub kind: Kind,
    /// The values, each an argument of its own
    #[arg(value_name = "VALUE", required = true)]
    pub values: Vec<String>,
    /// How long resolvers keep them, as in 300 or 1h30m [default: as it is now; for new ones as the zone's SOA]
    #[arg(long, value_name = "TTL", value_parser = ttl)]
    pub ttl: Option<u32>,
    /// Only say what would change
    #[arg(long)]
    pub dry_run: bool,
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

/// A zone file, and how to read it.
#[derive(Args, Debug)]
pub struct ZoneFile {
    /// The zone file; `-` is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The name of the zone, when neither $ORIGIN nor the file's name (home.example.zone) says it
    #[arg(long, value_name = "NAME", value_parser = zone_name)]
    pub origin: Option<Name>,
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
