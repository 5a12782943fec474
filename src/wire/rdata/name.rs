//! Domain names as fields: completed with the origin, `@` for the origin itself, never in quotes.

use std::fmt::Write;

use super::super::NameRef;
use super::super::name::parse_into;
use super::words::{Fault, What, Words};
use crate::limits::NAME_SIZE_MAX;

/// Reads a name and appends it.
pub(super) fn parse(
    words: &mut Words<'_>,
    origin: NameRef<'_>,
    wire: &mut Vec<u8>,
    label: &'static str,
) -> Result<(), Fault> {
    let word = words.take_plain(label)?;
    let mut buffer = [0; NAME_SIZE_MAX];
    let size = parse_into(word.raw, Some(origin), &mut buffer).map_err(|fault| word.fault(What::Name(fault)))?;
    wire.extend_from_slice(&buffer[..size]);
    Ok(())
}

/// Reads names to the end, or none.
pub(super) fn parse_all(
    words: &mut Words<'_>,
    origin: NameRef<'_>,
    wire: &mut Vec<u8>,
    label: &'static str,
) -> Result<(), Fault> {
    while !words.is_empty() {
        parse(words, origin, wire, label)?;
    }
    Ok(())
}

/// How many octets the name at the start has.
pub(super) fn size(rest: &[u8]) -> Option<usize> {
    NameRef::read(rest).ok().map(|(name, _)| name.as_bytes().len())
}

/// All octets, if they are names, or none.
pub(super) fn size_of_all(rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < rest.len() {
        at += size(&rest[at..])?;
    }
    Some(at)
}

/// Writes names, absolute.
pub(super) fn print(mut octets: &[u8], text: &mut String) -> Option<()> {
    while !octets.is_empty() {
        let (name, rest) = NameRef::read(octets).ok()?;
        let blank = if rest.is_empty() { "" } else { " " };
        write!(text, "{name}{blank}").ok()?;
        octets = rest;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use crate::wire::rdata::What;
    use crate::wire::rdata::proof::{fault, sound};
    use crate::wire::{Kind, NameFault};

    #[test]
    fn names_are_completed_and_keep_their_case() {
        sound(Kind::NS, "Ns1", "034e73310765 78616d706c65 00", "Ns1.example.");
        sound(Kind::CNAME, "@", "076578616d706c6500", "example.");
        sound(Kind::PTR, r"a\.b.\000.", "03612e62 0100 00", r"a\.b.\000.");
        sound(Kind::DNAME, ".", "00", ".");
        sound(Kind::CNAME, "b\u{fc}cher.", "0762c3bc63686572 00", r"b\195\188cher.");
    }

    #[test]
    fn a_wrong_name_is_pointed_at() {
        assert_eq!(fault(Kind::MX, "10 a..b"), (3, 4, What::Name(NameFault::EmptyLabel)));
        assert_eq!(fault(Kind::MX, "10"), (2, 0, What::Missing("the name of the mail server")));
        assert_eq!(fault(Kind::MX, "10 \"a\""), (3, 3, What::Rule("this must stand without quotes")));
        assert_eq!(fault(Kind::NS, "a b"), (2, 1, What::TooMany));
    }
}
