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
    #[command(after_help = "\
Examples:
  freehold zone add example.org --name-server ns1.example.net ns2.example.net
  freehold zone add example.org --name-server ns1.example.org --email anna@example.org

Name servers inside the zone need addresses: freehold record add ns1.example.org A 192.0.2.53")]
    Add {
        /// The zone
        #[arg(value_name = "ZONE", value_parser = zone_name)]
        zone: Name,
        /// The full names of its name servers, the primary first
        #[arg(long = "name-server", value_name = "SERVER", value_parser = zone_name, required = true, num_args = 1..)]
        name_servers: Vec<Name>,
        /// Whom to write to about the zone [default: hostmaster at the zone]
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
        /// Only say what would change
        #[arg(long)]
        dry_run: bool,
    },
    /// Read zone files and report every fault; needs no server
    #[command(after_help = "\
Examples:
  freehold zone check example.org.zone          a file
  freehold zone check zones/                    every file in a directory that ends in .zone
  freehold zone check - --origin example.org    standard input

It ends with 1 if there are errors, and with 3 if there are only warnings.")]
    Check(ZoneFiles),
    /// Make zones exactly what their zone files say, each in one step, or not at all
    #[command(after_help = "\
Examples:
  freehold zone import example.org.zone         new, or over the zone that is there
  freehold zone import zones/                   every file in a directory that ends in .zone
  freehold zone import --dry-run *.zone         only say what would change

A zone whose file has errors stays as it is; the others are imported.")]
    Import {
        /// The zone files.
        #[command(flatten)]
        files: ZoneFiles,
        /// Only say what would change
        #[arg(long)]
        dry_run: bool,
    },
    /// Open a zone in an editor, show what is different, ask, and change it
    #[command(after_help = "\
Examples:
  freehold zone edit example.org
  EDITOR='code --wait' freehold zone edit example.org

The editor is $VISUAL, $EDITOR, `editor` or `vi`. A zone that was changed by somebody else meanwhile is not
overwritten: the text is kept, and it is said where. The serial takes care of itself.")]
    Edit {
        /// The zone
        #[arg(value_name = "ZONE", value_parser = zone_name)]
        zone: Name,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Only say what would change
        #[arg(long, conflicts_with = "yes")]
        dry_run: bool,
    },
    /// Write a zone as a zone file
    #[command(after_help = "\
Examples:
  freehold zone export example.org                      to standard output
  freehold zone export example.org example.org.zone     to a file, which appears only when it is whole")]
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
    #[command(after_help = "\
Examples:
  freehold zone history example.org         the last 20 changes
  freehold zone history example.org 17      what revision 17 did")]
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
    #[command(after_help = "\
Examples:
  freehold zone undo example.org            the last change; a deleted zone comes back
  freehold zone undo example.org 17         the change that made revision 17
  freehold zone undo example.org --dry-run  only say what would change")]
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

/// Zone files, and how to read them.
#[derive(Args, Debug)]
pub struct ZoneFiles {
    /// Zone files; a directory is every file in it that ends in .zone, `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The name of the zone, when neither $ORIGIN nor the file's name (home.example.zone) says it
    #[arg(long, value_name = "ZONE", value_parser = zone_name)]
    pub origin: Option<Name>,
}

/// A zone file, and how to read it.
#[derive(Args, Debug)]
pub struct ZoneFile {
    /// The zone file; `-` is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The name of the zone, when neither $ORIGIN nor the file's name (home.example.zone) says it
    #[arg(long, value_name = "ZONE", value_parser = zone_name)]
    pub origin: Option<Name>,
}
