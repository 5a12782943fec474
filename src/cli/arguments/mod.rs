//! What can be typed: every command and option, declared once. Help, usage faults, completions and manual pages come
//! from here.
//!
//! A value's name in capitals is also what the shell completes it by: ZONE, NAME, TYPE, FILE (`complete.rs`).

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::wire::{Name, NameRef};
use crate::zone::{Fault, text};

mod cert;
mod record;
mod route;
mod token;
mod zone;

pub use cert::Cert;
pub use record::{Owner, Record, Records};
pub use route::{ChangedRoute, NewRoute, Route};
pub use token::{NewToken, Token};
pub use zone::{Zone, ZoneFile, ZoneFiles};

/// Where the options stand in the help that every command takes.
pub(super) const EVERY: &str = "Options of every command";

/// What the first page says behind its commands.
pub(super) const DESCRIPTION: &str = "\
Without a settings file, `freehold serve` runs in development mode: on this machine only, on port 5300, with the zones
of ./zones. Commands talk to the running server, or work on the data directory when none runs.";

/// How every command ends.
pub(super) const EXITS: [(u8, &str); 5] = [
    (0, "Done"),
    (1, "Failed: standard error says why, and what to do"),
    (2, "The command line or the settings make no sense"),
    (3, "Done, with warnings that somebody should look at"),
    (5, "The server cannot be reached"),
];

/// What most people do first.
const EXAMPLES: &str = "\
Examples:
  freehold serve                                    a server to try, on port 5300
  freehold zone import example.org.zone             bring a zone
  freehold record set www.example.org A 192.0.2.7   change a record
  freehold zone undo example.org                    take it back
  freehold COMMAND --help                           what a command can do, with examples";

fn after_help() -> String {
    let exits = EXITS.map(|(code, meaning)| format!("  {code}  {meaning}\n")).concat();
    format!("{DESCRIPTION}\n\nExit codes:\n{exits}\n{EXAMPLES}")
}

/// Own your name: an authoritative DNS server in one binary and one data directory
#[derive(Debug, Parser)]
#[command(name = "freehold", version, max_term_width = 110, disable_help_subcommand = true)]
#[command(after_help = after_help())]
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
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Settings file [default: ./freehold.toml, then /etc/freehold/freehold.toml]
    #[arg(long, global = true, value_name = "FILE", help_heading = EVERY)]
    pub config: Option<PathBuf>,
    /// Data directory; goes before the settings file's [also: the environment's FREEHOLD_DATA]
    #[arg(long, global = true, value_name = "DIRECTORY", help_heading = EVERY)]
    pub data: Option<PathBuf>,
    /// Talk to the server at this URL instead of this machine's [also: the environment's FREEHOLD_SERVER]
    #[arg(long, global = true, value_name = "URL", help_heading = EVERY, conflicts_with_all = ["config", "data"])]
    pub server: Option<OsString>,
    /// The token for it [also: FREEHOLD_TOKEN_FILE, or the token itself in FREEHOLD_TOKEN]
    #[arg(long, global = true, value_name = "FILE", help_heading = EVERY)]
    pub token_file: Option<PathBuf>,
    /// The CA to trust about it [default: those of this system; also: FREEHOLD_CA_FILE]
    #[arg(long, global = true, value_name = "FILE", help_heading = EVERY)]
    pub ca_file: Option<PathBuf>,
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
    #[command(after_help = "\
Examples:
  freehold serve                            development mode: this machine only, port 5300, the zones of ./zones
  freehold serve --listen 127.0.0.1:0       on a free port
  freehold serve --config my.toml           with settings; docs/settings.md has them all")]
    Serve(Serve),
    /// Prepare the first start: settings file, data directory, first token; and say what to do next
    #[command(after_help = "\
Examples:
  freehold init                                       here: ./freehold.toml, unless there are settings already
  freehold init --config /etc/freehold/freehold.toml --data /srv/freehold

What is there already stays as it is; run it again to see what there is.")]
    Init,
    /// Zones: list, add, check, import, export, edit, diff, history, undo, delete
    #[command(subcommand)]
    Zone(Zone),
    /// Records: list, set, add, delete
    #[command(subcommand)]
    Record(Record),
    /// Routes, from a host to an app: list, add, set, drain, delete
    #[command(subcommand)]
    Route(Route),
    /// Certificates: list, why, request, renew, export, import, delete
    #[command(subcommand)]
    Cert(Cert),
    /// Tokens, for whoever uses the admin API without being root: list, create, revoke
    #[command(subcommand)]
    Token(Token),
    /// Show what the server does: version, zones, addresses
    Status,
    /// Show who changed what and when, in all zones, newest first
    #[command(after_help = "\
Examples:
  freehold log                          the last 20 changes
  freehold log --limit 500 -o json      more of them, for programs
  freehold log --before 1200            what was before revision 1200")]
    Log(Past),
    /// Write all that Freehold knows to one file, also while it serves
    #[command(after_help = "\
Examples:
  freehold backup /backups/freehold-$(date +%F)       a file appears only when it is whole
  freehold backup - | ssh elsewhere 'cat > backup'    to standard output")]
    Backup {
        /// Where to; `-` is standard output
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Fill an empty data directory from a backup; the server must not run
    #[command(after_help = "\
Examples:
  freehold restore FILE --dry-run                                       is it whole, and what is in it?
  sudo -u freehold freehold restore FILE --data /var/lib/freehold       into an empty directory")]
    Restore {
        /// The backup
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Only read and verify it
        #[arg(long)]
        dry_run: bool,
    },
    /// Print what a shell needs to complete commands, zones and names
    #[command(after_help = "\
Examples:
  source <(freehold completions bash)                                   in ~/.bashrc
  source <(freehold completions zsh)                                    in ~/.zshrc, behind compinit
  freehold completions fish > ~/.config/fish/completions/freehold.fish

systemd/install puts them in place for everybody. Names of zones and records come from the running server.")]
    Completions {
        /// Which shell: bash, zsh or fish
        #[arg(value_name = "SHELL", hide_possible_values = true)]
        shell: Shell,
    },
    /// Print a page of the manual, or write all of them to a directory
    #[command(after_help = "\
Examples:
  freehold man | man -l -                             the main page
  freehold man zone import | man -l -                 that of a command
  freehold man --directory /usr/local/share/man/man1  all of them")]
    Man {
        /// The command whose page it is [default: the main page]
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
        /// Write every page into this directory
        #[arg(long, value_name = "DIRECTORY", conflicts_with = "command")]
        directory: Option<PathBuf>,
    },
}

/// A shell whose completions are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU Bash, version 4 or newer.
    Bash,
    /// Z shell.
    Zsh,
    /// Friendly interactive shell.
    Fish,
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
    /// Serve plain HTTP here instead of where the settings say; may be given several times; port 0 takes a free port
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub http_listen: Vec<SocketAddr>,
    /// Serve HTTPS here instead of where the settings say; may be given several times; port 0 takes a free port
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub https_listen: Vec<SocketAddr>,
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
