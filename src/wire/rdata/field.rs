//! The kinds of field there are, and what each can do: be read from words, measured, and written as words.
//!
//! One enum instead of a trait: the table is plain data, and every `match` is checked to be complete.

use super::super::NameRef;
use super::words::{Fault, Words};
use super::{address, name, number, string};

/// One field of record data, with the label by which a person is told about it.
pub(super) enum Field {
    /// A number of 8 bits.
    U8(&'static str),
    /// A number of 16 bits.
    U16(&'static str),
    /// A number of 32 bits.
    U32(&'static str),
    /// Seconds in 32 bits; in text also with units, as `1h30m`.
    Period(&'static str),
    /// A domain name.
    Name(Spelling, &'static str),
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// One string of up to 255 octets behind its length.
    Text(&'static str),
    /// One such string or more, to the end.
    Texts(&'static str),
    /// A string to the end, without a length and so longer than 255 octets if need be.
    LongText {
        /// How many octets it has at least.
        least: usize,
        /// What it is.
        label: &'static str,
    },
    /// The name of a CAA property (RFC 8659, section 4.1).
    Tag,
}

/// What may happen to the letters of a name inside record data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// Senders may compress it, and the canonical form is in lower case: the types of RFC 1035.
    Compressed,
    /// Never compressed (RFC 3597, section 4), but the canonical form is in lower case (RFC 4034, section 6.2).
    Lowered,
    /// Never compressed and never changed: every younger type.
    Exact,
}

impl Field {
    /// Reads the field from words and appends its octets. The record data began at `start` of `wire`.
    pub(super) fn parse(
        &self,
        words: &mut Words<'_>,
        origin: NameRef<'_>,
        wire: &mut Vec<u8>,
        start: usize,
    ) -> Result<(), Fault> {
        let _ = start;
        match *self {
            Self::U8(label) => wire.push(number::parse(words, u8::MAX.into(), label)? as u8),
            Self::U16(label) => wire.extend((number::parse(words, u16::MAX.into(), label)? as u16).to_be_bytes()),
            Self::U32(label) => wire.extend((number::parse(words, u32::MAX.into(), label)? as u32).to_be_bytes()),
            Self::Period(label) => wire.extend(number::parse_period(words, label)?.to_be_bytes()),
            Self::Name(_, label) => name::parse(words, origin, wire, label)?,
            Self::Ipv4 => address::parse_ipv4(words, wire)?,
            Self::Ipv6 => address::parse_ipv6(words, wire)?,
            Self::Text(label) => string::parse(words, wire, label)?,
            Self::Texts(label) => string::parse_all(words, wire, label)?,
            Self::LongText { least, label } => string::parse_long(words, wire, least, label)?,
            Self::Tag => string::parse_tag(words, wire)?,
        }
        Ok(())
    }

    /// Where the field ends that starts at `at`; `None` if the octets there are not sound.
    pub(super) fn end(&self, rdata: &[u8], at: usize) -> Option<usize> {
        let rest = rdata.get(at..)?;
        let size = match *self {
            Self::U8(_) => 1,
            Self::U16(_) => 2,
            Self::U32(_) | Self::Period(_) | Self::Ipv4 => 4,
            Self::Ipv6 => 16,
            Self::Name(..) => name::size(rest)?,
            Self::Text(_) => string::size(rest)?,
            Self::Texts(_) => string::size_of_all(rest)?,
            Self::LongText { least, .. } => (rest.len() >= least).then_some(rest.len())?,
            Self::Tag => string::size_of_tag(rest)?,
        };
        (size <= rest.len()).then_some(at + size)
    }

    /// Writes the sound field from `at` to `end`; `None` if there is no text that gives these octets again.
    pub(super) fn print(&self, rdata: &[u8], at: usize, end: usize, text: &mut String) -> Option<()> {
        let octets = rdata.get(at..end)?;
        match *self {
            Self::U8(_) | Self::U16(_) | Self::U32(_) | Self::Period(_) => number::print(octets, text),
            Self::Name(..) => name::print(octets, text)?,
            Self::Ipv4 => address::print_ipv4(octets, text)?,
            Self::Ipv6 => address::print_ipv6(octets, text)?,
            Self::Text(_) | Self::Texts(_) => string::print(octets, text),
            Self::LongText { .. } => string::print_quoted(octets, text),
            Self::Tag => string::print_tag(octets, text),
        }
        Some(())
    }

    /// Whether a name may stand in this field.
    pub(super) const fn may_hold_name(&self) -> bool {
        matches!(self, Self::Name(..))
    }

    /// Whether more than one name may stand in this field.
    pub(super) fn repeats(&self) -> bool {
        false
    }

    /// The first name in the field that starts at `at`, with its own offset.
    pub(super) fn name_at<'a>(&self, rdata: &'a [u8], at: usize) -> Option<(usize, NameRef<'a>, Spelling)> {
        let (name_at, spelling) = match self {
            Self::Name(spelling, _) => (at, *spelling),
            _ => return None,
        };
        let (name, _) = NameRef::read(rdata.get(name_at..)?).ok()?;
        Some((name_at, name, spelling))
    }
}
