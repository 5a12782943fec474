//! `freehold zone`: what can be typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Past, zone_name};
use crate::wire::Name;

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
