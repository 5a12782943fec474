//! `freehold record`: what can be typed.

use clap::{Args, Subcommand};

use super::{ttl, zone_name};
use crate::wire::{Kind, Name};

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
