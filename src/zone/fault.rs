//! What is wrong with a zone, where, and what to do about it.

use std::fmt;

/// A place in a zone file. Lines and columns count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which of the files that were read: 0 is the first, `$INCLUDE` adds more.
    pub file: u16,
    /// The line.
    pub line: u32,
    /// The column, in octets; 65,535 also stands for everything behind it.
    pub column: u16,
    /// How many octets are meant; 0 for the point before the column.
    pub width: u16,
}

/// Whether a zone with this fault is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The zone is refused.
    Error,
    /// The zone is served, but somebody should look.
    Warning,
}

/// One fault of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Whether the zone is refused for it.
    pub severity: Severity,
    /// Where it stands, if the zone came from a file.
    pub place: Option<Place>,
    /// What is wrong, naming the culprit.
    pub message: String,
    /// What to do about it.
    pub cure: String,
}

impl Fault {
    /// An error: the zone is refused.
    pub fn error(place: Option<Place>, message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { severity: Severity::Error, place, message: message.into(), cure: cure.into() }
    }

    /// A warning: the zone is served.
    pub fn warning(place: Option<Place>, message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, place, message: message.into(), cure: cure.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.message, self.cure)
    }
}

impl std::error::Error for Fault {}
