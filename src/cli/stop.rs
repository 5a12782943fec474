//! Why a command ended early, and with which exit code.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::api::{Problem, system_reason};

/// How a command can end, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exit {
    /// What was asked is done.
    Done,
    /// It is done, and somebody should look at the warnings.
    Warnings,
    /// It is not done.
    Failed,
    /// The command line or the settings make no sense.
    Usage,
    /// The server cannot be reached.
    Unreachable,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Warnings => 3,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 5,
        })
    }
}

/// What to do about a file that cannot be read or written.
const FILE_CURES: [(io::ErrorKind, &str); 4] = [
    (io::ErrorKind::NotFound, "check the path"),
    (io::ErrorKind::PermissionDenied, "run as a user who may, or change the permissions"),
    (io::ErrorKind::IsADirectory, "name a file, not a directory"),
    (io::ErrorKind::StorageFull, "make room on that disk"),
];

/// Why a command ended early.
#[derive(Debug)]
pub(super) struct Stop {
    pub(super) exit: Exit,
    /// What is wrong; empty if it was said already.
    pub(super) message: String,
    /// What to do next.
    pub(super) cure: String,
    /// The HTTP status, if the server refused.
    pub(super) status: Option<u16>,
}

impl Stop {
    pub(super) fn new(exit: Exit, message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { exit, message: message.into(), cure: cure.into(), status: None }
    }

    /// Exit code 1.
    pub(super) fn failed(message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message, cure)
    }

    /// A fault of a lower floor in one line, which ends with its cure behind the last colon.
    pub(super) fn line(exit: Exit, line: &str) -> Self {
        let (message, cure) = line.rsplit_once(": ").unwrap_or((line, ""));
        Self::new(exit, message, cure)
    }

    /// Bad settings, told in full by this text.
    pub(super) fn shown(text: &str) -> Self {
        let _ = write!(io::stderr(), "{text}");
        Self::told(Exit::Usage)
    }

    /// The faults have been printed already.
    pub(super) fn told(exit: Exit) -> Self {
        Self::new(exit, "", "")
    }

    /// What the admin API answered.
    pub(super) fn problem(problem: &Problem) -> Self {
        let mut message = problem.detail.clone();
        // A fault that is the only one is the detail already.
        for fault in problem.faults.iter().filter(|fault| fault.message != problem.detail) {
            let line = fault.line.map(|line| format!("line {line}: ")).unwrap_or_default();
            message += &format!("\n  {}: {line}{}: {}", fault.severity, fault.message, fault.cure);
        }
        Self { status: Some(problem.status), ..Self::failed(message, problem.hint.clone()) }
    }

    /// A file that could not be read or written.
    pub(super) fn file(deed: &str, path: &Path, fault: &io::Error) -> Self {
        let cure = FILE_CURES.iter().find(|(kind, _)| *kind == fault.kind());
        let cure = cure.map_or("check the path and its permissions", |(_, cure)| cure);
        Self::failed(format!("cannot {deed} {}: {}", path.display(), system_reason(fault)), cure)
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.message.is_empty() {
            return Ok(());
        }
        writeln!(f, "error: {}", self.message)?;
        if self.cure.is_empty() { Ok(()) } else { writeln!(f, " = cure: {}", self.cure) }
    }
}

/// Standard output is gone (`freehold zone export … | head`): nobody is left to tell.
impl From<io::Error> for Stop {
    fn from(fault: io::Error) -> Self {
        if fault.kind() == io::ErrorKind::BrokenPipe {
            return Self::told(Exit::Failed);
        }
        Self::failed(format!("cannot write the result: {}", system_reason(&fault)), "check where it goes")
    }
}
