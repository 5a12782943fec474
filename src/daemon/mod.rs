//! The server as a process: the only place that knows everything.
//!
//! Start: settings, store, sockets, ready. Stop: the same backwards. A fault at the start is one line with its
//! cure on standard error; from then on the log speaks.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use crate::zone::Zone;

mod admin;
mod alive;
mod authority;
mod demo;
mod descriptors;
mod develop;
mod edge;
mod encrypted;
mod logging;
mod pack;
mod passed;
mod ready;
mod run;
mod secret;
mod settings;
mod systemd;
mod tickets;

pub use logging::{Format, Level, Settings as LogSettings};
pub use settings::{Bad, Chosen, Loaded, Settings, load};

/// Reads a zone file, or says (as a text to show) why it is not served.
pub type ReadZone = fn(&Path) -> Result<Arc<Zone>, String>;
/// Writes rows in columns.
pub type Table = fn(&mut dyn Write, &[&str], &[Vec<String>]) -> io::Result<()>;

/// What development mode borrows from the command line, which stands on the same floor and so is not imported.
#[derive(Clone, Copy)]
pub struct Hands {
    /// Reads a zone file.
    pub read_zone: ReadZone,
    /// Writes a table.
    pub table: Table,
    /// Called when all that is kept has been read, on the thread that has read it.
    pub loaded: fn(),
    /// Called when the server serves, and later now and then, if it keeps many names: a good moment to tidy memory up.
    pub pack: fn(),
}

/// Why the server does not start, or did not stop well.
#[derive(Debug)]
struct Failure {
    message: String,
    cure: String,
}

impl Failure {
    fn new(message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { message: message.into(), cure: cure.into() }
    }

    /// A fault of a lower floor in one line, which ends with its cure behind the last colon.
    fn line(line: &str) -> Self {
        let (message, cure) = line.rsplit_once(": ").unwrap_or((line, ""));
        Self::new(message, cure)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.message)?;
        if self.cure.is_empty() { Ok(()) } else { writeln!(f, " = cure: {}", self.cure) }
    }
}

/// Runs the server until it is told to stop. The exit code is 0, or 1 if it failed, or 2 for bad settings.
pub fn serve(chosen: &Chosen, hands: Hands) -> ExitCode {
    let loaded = match load(chosen) {
        Ok(loaded) => loaded,
        Err(bad) => {
            let _ = write!(io::stderr(), "{bad}");
            return ExitCode::from(2);
        }
    };
    match run::run(chosen, loaded, hands) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = write!(io::stderr(), "{failure}");
            ExitCode::FAILURE
        }
    }
}
