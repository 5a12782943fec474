//! A zone file becomes a [`Draft`], and every mistake in it a [`Fault`] with its line, its column and its cure.
//!
//! The language is that of RFC 1035, section 5, with what BIND, NSD and Knot added and people use: `$TTL` (RFC 2308),
//! `$GENERATE`, units in TTLs, unknown types (RFC 3597), parentheses before the type and inside of each other.
//! Where the three differ, that is accepted which cannot be misread: a quote ends on its line (as in BIND), `1h30`
//! is no TTL (in NSD it is 1 h 30 s), an octet like NUL must be written `\000` (as in Knot).
//!
//! The text is walked once. [`lexer`] cuts it into entries (the words of a record, over all its lines), [`record`]
//! and [`directive`] read them, [`generate`] makes records of a template. A fault is a [`trouble::Trouble`] until it
//! is kept; only then is its place worked out and put into words. What follows from a fault alone is not told:
//! after a broken owner its records, after a broken SOA its TTLs are passed over in silence.
//!
//! This floor does no I/O: whoever calls gives a function that opens an included file, and says with it which files
//! may be opened. Rules between records (two CNAMEs, a missing NS) belong to the zone that is built of the draft.
//!
//! Rejected: a grammar generator (Knot's Ragel scanner is 6 MB of C and gives a line, no column), and one `String` a
//! word (a million records have seven million words).

mod directive;
mod generate;
mod lexer;
mod reader;
mod record;
mod show;
#[cfg(test)]
mod tests;
mod trouble;
mod ttl;
mod value;
mod wording;

use std::io;
use std::sync::Arc;

use crate::wire::Name;

use super::{Draft, Fault};

pub use show::show;
pub use ttl::TTL_MAX;
pub use value::{name, ttl, value};

/// Faults that are kept: nobody reads more in one go, and rubbish has one a line.
const FAULTS_MAX: usize = 1_000;
/// Files that include each other: deep enough for a tree of templates, and no stack overflows.
const INCLUDE_DEPTH_MAX: usize = 16;
/// Files that are read for one zone: a few lines can ask for `10^16`.
const INCLUDES_MAX: usize = 10_000;
/// Records that all `$GENERATE` of a zone make: the addresses of an IPv4 /12.
const GENERATED_MAX: u64 = 1 << 20;
/// Octets of text that all `$GENERATE` of a zone make: a short line can ask for a lot of memory.
const GENERATED_OCTETS_MAX: usize = 256 << 20;
/// Octets between two calls of the function that shows progress.
const PROGRESS_STEP: usize = 1 << 20;

/// What came of reading a zone file.
pub struct Reading {
    /// The records. If there is an error among the faults, some are missing, others stand in for what could not be
    /// read so that nothing else is blamed for it, and no zone is ever built of them.
    pub draft: Draft,
    /// What is wrong, in the order of the text; at most [`FAULTS_MAX`] and one that counts the rest.
    pub faults: Vec<Fault>,
    /// The files that were read, as [`super::Place::file`] counts them.
    pub files: Vec<Source>,
}

/// A file that was read.
pub struct Source {
    /// What a person calls it: its path.
    pub label: String,
    /// Its octets.
    pub text: Arc<[u8]>,
}

/// Opens the file that `$INCLUDE` names: gets the path as written and the label of the file it is written in,
/// gives the label and the octets.
pub type Load<'l> = dyn FnMut(&str, &str) -> io::Result<(String, Arc<[u8]>)> + 'l;

/// Reads a zone file, to its end whatever is wrong with it.
///
/// `origin` is the zone's name, if it is known; otherwise it is the owner of the first SOA, and `$ORIGIN` or an
/// absolute owner has to say which. `progress` is called about every MiB with the octets that were read so far.
pub fn read(
    text: Arc<[u8]>,
    label: &str,
    origin: Option<Name>,
    load: &mut Load<'_>,
    progress: &mut dyn FnMut(usize),
) -> Reading {
    let mut reader = reader::Reader::new(origin.clone(), load, progress);
    reader.first_file(Source { label: label.to_owned(), text }, origin);
    reader.finish()
}
