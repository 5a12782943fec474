//! Record data: one table says which fields a type has; text, wire, compression and canonical form follow from it.
//!
//! `table.rs` lists the types, one line each; `field.rs` says what every kind of field can do: be read from words,
//! be measured in wire format (which is also the check that it is sound), be written as text. The other files
//! hold one family of fields each. So a new record type is a line in the table, and what is true of one type
//! (a name is completed with the origin, a fault knows its place) is true of all.
//!
//! A type that is not in the table is opaque octets, written as `\# n hex` (RFC 3597), and served all the same.
//!
//! Nothing here allocates while an ordinary type is read: octets are appended to the caller's buffer.
//!
//! Rejected: a Rust type per record type (80 structs whose only use would be to be turned into octets again),
//! and hickory-proto's text parser (it refuses about 30 valid spellings and gives no places).

mod address;
mod bitmap;
mod encoded;
mod field;
mod gateway;
mod hip;
mod loc;
mod mnemonic;
mod name;
mod number;
mod prefixes;
#[cfg(test)]
mod proof;
mod services;
mod string;
mod svcb;
mod table;
mod time;
mod unknown;
pub mod words;

pub use words::{Fault, What, Word, Words, cut};

use super::{Kind, NameRef};
use field::{Field, Spelling};

/// Octets of record data (its length has 16 bits, RFC 1035, section 3.2.1).
const SIZE_MAX: usize = 65_535;

/// Reads presentation format into wire format, appended to `wire`. Relative names are completed with `origin`.
/// Takes all words; `\# n hex` (RFC 3597) is understood for every type. On a fault `wire` is as before.
pub fn parse(kind: Kind, words: &mut Words<'_>, origin: NameRef<'_>, wire: &mut Vec<u8>) -> Result<(), Fault> {
    let start = wire.len();
    let first = words.peek();
    let read = read(kind, words, origin, wire).and_then(|()| match words.peek() {
        Some(word) => Err(word.fault(What::TooMany)),
        None => Ok(()),
    });
    let size = wire.len() - start;
    let read = read.and_then(|()| match first {
        Some(word) if size > SIZE_MAX => Err(word.fault(What::TooLong)),
        _ => Ok(()),
    });
    if read.is_err() {
        wire.truncate(start);
    }
    read
}

fn read(kind: Kind, words: &mut Words<'_>, origin: NameRef<'_>, wire: &mut Vec<u8>) -> Result<(), Fault> {
    let start = wire.len();
    let layout = match table::layout(kind) {
        Some(layout) if !unknown::is_next(words) => layout,
        _ => {
            let first = words.peek();
            unknown::parse(words, wire)?;
            return match first {
                Some(word) if !verify(kind, &wire[start..]) => Err(word.fault(unknown::UNSOUND)),
                _ => Ok(()),
            };
        }
    };
    for field in layout.fields {
        field.parse(words, origin, wire, start)?;
    }
    Ok(())
}

/// Writes wire format in presentation format: names absolute, TXT quoted, unknown types as `\# n hex`.
/// Data that is not sound (see [`verify`]) is written as `\# n hex` too, so that nothing is ever lost.
pub fn print(kind: Kind, rdata: &[u8], text: &mut String) {
    let start = text.len();
    if print_fields(kind, rdata, text).is_none() {
        text.truncate(start);
        unknown::print(rdata, text);
    }
}

/// `None` where the data has no text of its own that [`parse`] would turn into the same octets.
fn print_fields(kind: Kind, rdata: &[u8], text: &mut String) -> Option<()> {
    let start = text.len();
    let mut at = 0;
    for field in table::layout(kind)?.fields {
        let end = field.end(rdata, at)?;
        let before = text.len();
        if before > start {
            text.push(' ');
        }
        let blank = text.len();
        field.print(rdata, at, end, text)?;
        if text.len() == blank {
            text.truncate(before); // a field that may be empty, and is
        }
        at = end;
    }
    (at == rdata.len()).then_some(())
}

/// Whether octets are sound record data of the type (anything is, for a type we do not know).
pub fn verify(kind: Kind, rdata: &[u8]) -> bool {
    let Some(layout) = table::layout(kind) else { return rdata.len() <= SIZE_MAX };
    let end = layout.fields.iter().try_fold(0, |at, field| field.end(rdata, at));
    end == Some(rdata.len()) && rdata.len() <= SIZE_MAX
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
    spelled_names(kind, rdata).map(|(at, name, spelling)| Embedded {
        at,
        name,
        compressible: spelling == Spelling::Compressed,
    })
}

/// Appends the canonical form (RFC 4034, section 6.2; RFC 6840, section 5.1): names of the old types in lower case.
pub fn canonical(kind: Kind, rdata: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(rdata);
    for (at, name, spelling) in spelled_names(kind, rdata) {
        if spelling != Spelling::Exact {
            out[start + at..][..name.as_bytes().len()].make_ascii_lowercase();
        }
    }
}

/// Walks no further than the last field that may hold a name: for an address that is nowhere at all.
fn spelled_names(kind: Kind, rdata: &[u8]) -> impl Iterator<Item = (usize, NameRef<'_>, Spelling)> {
    let mut fields = table::layout(kind).map_or(&[] as &[Field], |layout| layout.with_names());
    let mut at = 0;
    std::iter::from_fn(move || {
        while let [field, later @ ..] = fields {
            let start = at;
            match field.name_at(rdata, start) {
                Some((name, spelling)) => {
                    at = start + name.as_bytes().len();
                    fields = if field.repeats() { fields } else { later };
                    return Some((start, name, spelling));
                }
                None => (at, fields) = (field.end(rdata, start)?, later),
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::proof::{fault, octets, printed};
    use super::*;

    #[test]
    fn data_longer_than_its_length_can_say_is_refused() {
        let full = format!("\"{}\" ", "a".repeat(255)).repeat(255); // 255 strings of 256 octets: 65,280
        assert_eq!(octets(Kind::TXT, &format!("{full}\"{}\"", "a".repeat(254))).map(|wire| wire.len()), Ok(SIZE_MAX));
        assert_eq!(fault(Kind::TXT, &format!("{full}\"{}\"", "a".repeat(255))), (0, 257, What::TooLong));
        assert!(!verify(Kind::NULL, &[0; SIZE_MAX + 1]));
    }

    #[test]
    fn data_that_is_not_sound_is_not_lost() {
        assert_eq!(printed(Kind::A, b"\x0a\0\0"), "\\# 3 0A0000");
        assert_eq!(printed(Kind::MX, b"\0\x0a\xc0\x0c"), "\\# 4 000AC00C");
        assert_eq!(printed(Kind(65280), b""), "\\# 0");
    }

    /// The names a referral, an MX answer and the additional section need, in their order.
    #[test]
    fn names_know_their_place() {
        let wire = octets(Kind::SOA, "ns hostmaster.example. 1 2 3 4 5").unwrap();
        let found: Vec<_> = names(Kind::SOA, &wire).map(|found| (found.at, found.name.to_string())).collect();
        assert_eq!(found, [(0, "ns.example.".to_owned()), (12, "hostmaster.example.".to_owned())]);
        assert_eq!(names(Kind::TXT, b"\x01a").count(), 0);
        assert_eq!(names(Kind(65280), b"\x01a\0").count(), 0);
    }
}
