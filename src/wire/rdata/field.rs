//! The kinds of field there are, and what each can do: be read from words, measured, and written as words.
//!
//! One enum instead of a trait: the table is plain data, and every `match` is checked to be complete.

use super::super::NameRef;
use super::mnemonic::{self, Mnemonics};
use super::words::{Fault, Words};
use super::{address, bitmap, encoded, gateway, hip, loc, name, number, prefixes, services, string, svcb, time};

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
    /// A moment in 32 bits; in text as `YYYYMMDDHHMMSS` or as seconds since 1970 (RFC 4034, section 3.2).
    Time(&'static str),
    /// A number of 8 bits, some of which have names.
    Named8(&'static Mnemonics, &'static str),
    /// A number of 16 bits, some of which have names.
    Named16(&'static Mnemonics, &'static str),
    /// A record type.
    Type(&'static str),
    /// A domain name.
    Name(Spelling, &'static str),
    /// Domain names to the end, or none.
    Names(Spelling, &'static str),
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// That many octets as `00-00-5e-00-53-2a`.
    Mac(usize),
    /// 64 bits as `0014:4fff:ff20:ee64`.
    Locator64,
    /// An OSI address as `0x47.0005...`, to the end.
    Nsap,
    /// One string of up to 255 octets behind its length.
    Text(&'static str),
    /// One such string, or nothing.
    OptionalText(&'static str),
    /// One such string or more, to the end.
    Texts(&'static str),
    /// A string of at least so many octets to the end, without a length and so longer than 255 octets if need be.
    LongText(usize, &'static str),
    /// The name of a CAA property (RFC 8659, section 4.1).
    Tag,
    /// At least so many octets to the end, in hexadecimal digits.
    Hex(usize, &'static str),
    /// At least so many octets to the end, in Base64.
    Base64(usize, &'static str),
    /// Octets to the end in hexadecimal digits, as many as their type asks for.
    Digest(&'static encoded::DigestSizes, &'static str),
    /// The last field, for which text may also have `0`, meaning one zero octet (RFC 8078, section 4).
    OrZero(&'static Field),
    /// Hexadecimal digits behind their length, `-` for none (RFC 5155, section 3.3).
    Salt,
    /// Base32 behind its length (RFC 5155, section 3.3).
    Hash,
    /// At least so many record types as windows of bits, to the end (RFC 4034, section 4.1.2).
    Types(usize),
    /// Record types below 128 as one map of bits, to the end (RFC 2535, section 5.2).
    OldTypes,
    /// A protocol and its ports as a map of bits, to the end (RFC 1035, section 3.4.2).
    Services,
    /// A place on earth (RFC 1876).
    Location,
    /// Address prefixes to the end (RFC 3123).
    Prefixes,
    /// The parameters of a service binding, to the end (RFC 9460).
    Params,
    /// Nothing, an address or a name, as the octet at offset 1 says (RFC 4025, section 2.3; RFC 8777, section 4.2.3).
    Gateway(gateway::TypeBits),
    /// Whether discovery is optional, and the type of the gateway (RFC 8777, sections 4.2.2 and 4.2.3).
    RelayType,
    /// A host's tag and key (RFC 8005, section 5).
    HostIdentity,
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
        match *self {
            Self::U8(label) => number::parse_u8(words, wire, label),
            Self::U16(label) => number::parse_u16(words, wire, label),
            Self::U32(label) => number::parse_u32(words, wire, label),
            Self::Period(label) => number::parse_period(words, wire, label),
            Self::Time(label) => time::parse(words, wire, label),
            Self::Named8(mnemonics, label) => mnemonics.parse_u8(words, wire, label),
            Self::Named16(mnemonics, label) => mnemonics.parse_u16(words, wire, label),
            Self::Type(label) => mnemonic::parse_type(words, wire, label),
            Self::Name(_, label) => name::parse(words, origin, wire, label),
            Self::Names(_, label) => name::parse_all(words, origin, wire, label),
            Self::Ipv4 => address::parse_ipv4(words, wire),
            Self::Ipv6 => address::parse_ipv6(words, wire),
            Self::Mac(size) => address::parse_mac(words, wire, size),
            Self::Locator64 => address::parse_locator(words, wire),
            Self::Nsap => address::parse_nsap(words, wire),
            Self::Text(label) => string::parse(words, wire, label),
            Self::OptionalText(label) if !words.is_empty() => string::parse(words, wire, label),
            Self::OptionalText(_) => Ok(()),
            Self::Texts(label) => string::parse_all(words, wire, label),
            Self::LongText(least, label) => string::parse_long(words, wire, least, label),
            Self::Tag => string::parse_tag(words, wire),
            Self::Hex(least, label) => encoded::parse_hex(words, wire, least, label),
            Self::Base64(least, label) => encoded::parse_base64(words, wire, least, label),
            Self::Digest(sizes, label) => sizes.parse(words, wire, start, label),
            Self::OrZero(field) => match encoded::parse_zero(words, wire) {
                true => Ok(()),
                false => field.parse(words, origin, wire, start),
            },
            Self::Salt => encoded::parse_salt(words, wire),
            Self::Hash => encoded::parse_hash(words, wire),
            Self::Types(least) => bitmap::parse(words, wire, least),
            Self::OldTypes => bitmap::parse_old(words, wire),
            Self::Services => services::parse(words, wire),
            Self::Location => loc::parse(words, wire),
            Self::Prefixes => prefixes::parse(words, wire),
            Self::Params => svcb::parse(words, wire),
            Self::Gateway(bits) => gateway::parse(words, origin, wire, bits.of(&wire[start..])),
            Self::RelayType => gateway::parse_relay_type(words, wire),
            Self::HostIdentity => hip::parse(words, wire),
        }
    }

    /// Where the field ends that starts at `at`; `None` if the octets there are not sound.
    pub(super) fn end(&self, rdata: &[u8], at: usize) -> Option<usize> {
        let rest = rdata.get(at..)?;
        let size = match *self {
            Self::U8(_) | Self::Named8(..) | Self::RelayType => 1,
            Self::U16(_) | Self::Named16(..) | Self::Type(_) => 2,
            Self::U32(_) | Self::Period(_) | Self::Time(_) | Self::Ipv4 => 4,
            Self::Locator64 => 8,
            Self::Ipv6 => 16,
            Self::Mac(size) => size,
            Self::Name(..) => name::size(rest)?,
            Self::Names(..) => name::size_of_all(rest)?,
            Self::Text(_) => string::size(rest)?,
            Self::OptionalText(_) if rest.is_empty() => 0,
            Self::OptionalText(_) => string::size(rest)?,
            Self::Texts(_) => string::size_of_all(rest)?,
            Self::Tag => string::size_of_tag(rest)?,
            Self::LongText(least, _) | Self::Hex(least, _) | Self::Base64(least, _) => rest.len().max(least),
            Self::Nsap => rest.len().max(1),
            Self::Digest(sizes, _) => sizes.fits(rdata, rest).then_some(rest.len())?,
            Self::OrZero(field) => return field.end(rdata, at),
            Self::Salt => string::size(rest)?,
            Self::Hash => string::size(rest).filter(|size| *size > 1)?,
            Self::Types(least) => bitmap::is_sound(rest, least).then_some(rest.len())?,
            Self::OldTypes => bitmap::is_sound_old(rest).then_some(rest.len())?,
            Self::Services => services::is_sound(rest).then_some(rest.len())?,
            Self::Location => loc::is_sound(rest).then_some(loc::SIZE)?,
            Self::Prefixes => prefixes::is_sound(rest).then_some(rest.len())?,
            Self::Params => svcb::is_sound(rest).then_some(rest.len())?,
            Self::Gateway(bits) => gateway::size(rest, bits.of(rdata))?,
            Self::HostIdentity => hip::size(rest)?,
        };
        (size <= rest.len()).then_some(at + size)
    }

    /// Writes the sound field from `at` to `end`; `None` if there is no text that gives these octets again.
    pub(super) fn print(&self, rdata: &[u8], at: usize, end: usize, text: &mut String) -> Option<()> {
        let octets = rdata.get(at..end)?;
        match *self {
            Self::U8(_) | Self::U16(_) | Self::U32(_) | Self::Period(_) => number::print(octets, text),
            Self::Time(_) => time::print(octets, text)?,
            Self::Named8(mnemonics, _) | Self::Named16(mnemonics, _) => mnemonics.print(octets, text),
            Self::Type(_) => mnemonic::print_type(octets, text)?,
            Self::Name(..) | Self::Names(..) => name::print(octets, text)?,
            Self::Ipv4 => address::print_ipv4(octets, text)?,
            Self::Ipv6 => address::print_ipv6(octets, text)?,
            Self::Mac(_) => address::print_groups(octets, 1, '-', text),
            Self::Locator64 => address::print_groups(octets, 2, ':', text),
            Self::Nsap => address::print_nsap(octets, text),
            Self::Text(_) | Self::OptionalText(_) | Self::Texts(_) => string::print(octets, text),
            Self::LongText(..) => string::print_quoted(octets, text),
            Self::Tag => string::print_tag(octets, text),
            Self::Hex(..) | Self::Digest(..) => encoded::print_hex(octets, text),
            Self::Base64(..) => encoded::print_base64(octets, text),
            Self::OrZero(field) => field.print(rdata, at, end, text)?,
            Self::Salt => encoded::print_salt(octets, text),
            Self::Hash => encoded::print_hash(octets, text),
            Self::Types(_) => bitmap::print(octets, text),
            Self::OldTypes => bitmap::print_old(octets, text),
            Self::Services => services::print(octets, text)?,
            Self::Location => loc::print(octets, text)?,
            Self::Prefixes => prefixes::print(octets, text)?,
            Self::Params => svcb::print(octets, text)?,
            Self::Gateway(bits) => gateway::print(octets, bits.of(rdata), text)?,
            Self::RelayType => gateway::print_relay_type(octets, text),
            Self::HostIdentity => hip::print(octets, text)?,
        }
        Some(())
    }

    /// Whether a name may stand in this field.
    pub(super) const fn may_hold_name(&self) -> bool {
        matches!(self, Self::Name(..) | Self::Names(..) | Self::Gateway(_))
    }

    /// Whether more than one name may stand in this field.
    pub(super) fn repeats(&self) -> bool {
        matches!(self, Self::Names(..))
    }

    /// The name at the start of the field that starts at `at`, if there is one.
    pub(super) fn name_at<'a>(&self, rdata: &'a [u8], at: usize) -> Option<(NameRef<'a>, Spelling)> {
        let spelling = if let Self::Name(spelling, _) | Self::Names(spelling, _) = self {
            *spelling
        } else if let Self::Gateway(bits) = self
            && bits.of(rdata) == gateway::NAME
        {
            Spelling::Exact
        } else {
            return None;
        };
        let (name, _) = NameRef::read(rdata.get(at..)?).ok()?;
        Some((name, spelling))
    }
}
