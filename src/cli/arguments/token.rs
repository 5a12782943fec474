//! `freehold token`: what can be typed.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use super::ttl;
use crate::wire::Kind;

/// What to do with tokens, by which others than root use the admin API.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Show all tokens: what each may do and where, when it ends, when it was last used
    List,
    /// Make a token and show its secret, this once
    #[command(after_help = "\
Examples:
  freehold token create anna --admin
  freehold token create monitoring --read --from 192.0.2.0/24
  freehold token create acme --write --zone home.example --name '_acme-challenge.*' --type TXT --expires 90d
  freehold token create printer --write --zone home.example --name printer.home.example --type A --file token

A limit that is not given is none. In a name, one * stands for one label or more. A token that is limited to names
or types reaches single record sets and no zone as a whole.")]
    Create(NewToken),
    /// Revoke a token, at once
    Revoke {
        /// The token, by its name or its id
        #[arg(value_name = "TOKEN")]
        token: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// A token to be made.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("rights").required(true).args(["read", "write", "admin"]))]
pub struct NewToken {
    /// What it is called, in one word; the history says it for every change that is made with it
    #[arg(value_name = "TOKEN")]
    pub name: String,
    /// It may look
    #[arg(long)]
    pub read: bool,
    /// It may look, and change zones and records
    #[arg(long)]
    pub write: bool,
    /// It may do everything: also make tokens and take backups
    #[arg(long)]
    pub admin: bool,
    /// Only in this zone; may be given several times
    #[arg(long = "zone", value_name = "ZONE")]
    pub zones: Vec<String>,
    /// Only at this name, or at names like `_acme-challenge.*` or `*.lan.home.example`; may be given several times
    #[arg(long = "name", value_name = "PATTERN")]
    pub names: Vec<String>,
    /// Only records of this type; may be given several times
    #[arg(long = "type", value_name = "TYPE")]
    pub kinds: Vec<Kind>,
    /// Only from this network or address; may be given several times
    #[arg(long = "from", value_name = "NETWORK")]
    pub networks: Vec<String>,
    /// It ends after this time, as in 90d or 12h [default: never]
    #[arg(long, value_name = "TIME", value_parser = ttl)]
    pub expires: Option<u32>,
    /// Write the secret to a new file, which only its owner can read, instead of showing it
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}
