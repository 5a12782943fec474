//! Record data: one table says which fields a type has; text, wire, compression and canonical form follow from it.

pub mod words;

pub use words::{Fault, What, Word, Words};

use super::{Kind, NameRef};

/// Reads presentation format into wire format, appended to `wire`. Relative names are completed with `origin`.
/// Takes all words; `\# n hex` (RFC 3597) is understood for every type. On a fault `wire` is as before.
pub fn parse(kind: Kind, words: &mut Words<'_>, origin: NameRef<'_>, wire: &mut Vec<u8>) -> Result<(), Fault> {
    let _ = (kind, words, origin, wire);
    unimplemented!()
}

/// Writes wire format in presentation format: names absolute, TXT quoted, unknown types as `\# n hex`.
/// Data that is not sound (see [`verify`]) is written as `\# n hex` too, so that nothing is ever lost.
pub fn print(kind: Kind, rdata: &[u8], text: &mut String) {
    let _ = (kind, rdata, text);
    unimplemented!()
}

/// Whether octets are sound record data of the type (anything is, for a type we do not know).
pub fn verify(kind: Kind, rdata: &[u8]) -> bool {
    let _ = (kind, rdata);
    unimplemented!()
}

/// A domain name inside record data.
#[derive(Clone, Copy, Debug)]
pub struct Embedded<'a> {
    /// Offset of the name in the record data.
    pub at: usize,
    /// The name.
    pub name: NameRef<'a>,
    /// Whether a sender may compress it (RFC 3597, section 4).
    pub compressible: bool,
}

/// The domain names inside sound record data, in order.
pub fn names(kind: Kind, rdata: &[u8]) -> impl Iterator<Item = Embedded<'_>> {
    let _ = (kind, rdata);
    std::iter::empty()
}

/// Appends the canonical form (RFC 4034, section 6.2; RFC 6840, section 5.1): names of the old types in lower case.
pub fn canonical(kind: Kind, rdata: &[u8], out: &mut Vec<u8>) {
    let _ = (kind, rdata, out);
    unimplemented!()
}
