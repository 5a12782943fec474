//! `freehold record`: what can be typed.

use clap::{Args, Subcommand};

use super::{ttl, zone_name};
use crate::wire::{Kind, Name};

/// What to do with records. Values are written as in a zone file: `10 mail.example.org.`, `"some text"`.
#[derive(Debug, Subcommand)]
pub enum Record {
    /// Show the records of a zone, or only those of a name, or of a name and a type
    #[command(after_help = "\
Examples:
  freehold record list example.org
  freehold record list example.org www
  freehold record list example.org @ MX -o json")]
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
    #[command(after_help = "\
Examples:
  freehold record set www.example.org A 192.0.2.7 192.0.2.8
  freehold record set example.org MX '10 mail' '20 mx.example.net.' --ttl 1h
  freehold record set example.org TXT '\"v=spf1 -all\"'       a text with blanks: quotes inside quotes
  freehold record set @ CAA '0 issue \"letsencrypt.org\"' --zone example.org")]
    Set(Records),
    /// Add records to those that are there
    #[command(after_help = "\
Examples:
  freehold record add www.example.org AAAA 2001:db8::7
  freehold record add _acme-challenge.example.org TXT 'gfj9Xq...Rg85nM' --ttl 60")]
    Add(Records),
    /// Delete one record, or all of a type, or all of a name
    #[command(after_help = "\
Examples:
  freehold record delete www.example.org A 192.0.2.8     one
  freehold record delete www.example.org A               all of a type
  freehold record delete www.example.org --dry-run       all of a name; only say what would go")]
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
