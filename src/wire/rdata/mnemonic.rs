//! Numbers that have names: algorithms, certificate types, record types and the like.

use std::fmt::Write;

use super::super::Kind;
use super::number::{self, decimal};
use super::words::{Fault, What, Word, Words};

/// The names of some numbers, as an IANA registry lists them.
pub(super) struct Mnemonics {
    /// Each name with its number; where one number has two names, the usual one first.
    names: &'static [(&'static str, u16)],
    /// Whether names are written, too, and not only read. Numbers are what every reader understands.
    written: bool,
}

/// DNS security algorithm numbers, with the spellings of BIND.
pub(super) static ALGORITHMS: Mnemonics = Mnemonics::new(&[
    ("RSAMD5", 1),
    ("DH", 2),
    ("DSA", 3),
    ("ECC", 4),
    ("RSASHA1", 5),
    ("NSEC3DSA", 6),
    ("DSA-NSEC3-SHA1", 6),
    ("NSEC3RSASHA1", 7),
    ("RSASHA1-NSEC3-SHA1", 7),
    ("RSASHA256", 8),
    ("RSASHA512", 10),
    ("ECCGOST", 12),
    ("ECC-GOST", 12),
    ("ECDSAP256SHA256", 13),
    ("ECDSAP384SHA384", 14),
    ("ED25519", 15),
    ("ED448", 16),
    ("SM2SM3", 17),
    ("ECC-GOST12", 23),
    ("INDIRECT", 252),
    ("PRIVATEDNS", 253),
    ("PRIVATEOID", 254),
]);

/// DS digest types.
pub(super) static DIGESTS: Mnemonics = Mnemonics::new(&[
    ("SHA-1", 1),
    ("SHA1", 1),
    ("SHA-256", 2),
    ("SHA256", 2),
    ("GOST", 3),
    ("SHA-384", 4),
    ("SHA384", 4),
]);

/// Certificate types (RFC 4398, section 2.1).
pub(super) static CERTIFICATES: Mnemonics = Mnemonics::new(&[
    ("PKIX", 1),
    ("SPKI", 2),
    ("PGP", 3),
    ("IPKIX", 4),
    ("ISPKI", 5),
    ("IPGP", 6),
    ("ACPKIX", 7),
    ("IACPKIX", 8),
    ("URI", 253),
    ("OID", 254),
]);

/// TLSA certificate usages (RFC 7218, section 2.1).
pub(super) static USAGES: Mnemonics =
    Mnemonics::new(&[("PKIX-TA", 0), ("PKIX-EE", 1), ("DANE-TA", 2), ("DANE-EE", 3), ("PrivCert", 255)]);

/// TLSA selectors (RFC 7218, section 2.2).
pub(super) static SELECTORS: Mnemonics = Mnemonics::new(&[("Cert", 0), ("SPKI", 1), ("PrivSel", 255)]);

/// TLSA matching types (RFC 7218, section 2.3).
pub(super) static MATCHINGS: Mnemonics =
    Mnemonics::new(&[("Full", 0), ("SHA2-256", 1), ("SHA2-512", 2), ("PrivMatch", 255)]);

/// Schemes of DSYNC (RFC 9859, section 2.2), whose text form asks for the name.
pub(super) static SCHEMES: Mnemonics = Mnemonics { names: &[("NOTIFY", 1)], written: true };

impl Mnemonics {
    /// Names that are read and never written.
    pub(super) const fn new(names: &'static [(&'static str, u16)]) -> Self {
        Self { names, written: false }
    }

    /// Reads a name or a number and appends it in 8 bits.
    pub(super) fn parse_u8(&self, words: &mut Words<'_>, wire: &mut Vec<u8>, label: &'static str) -> Result<(), Fault> {
        match words.peek().and_then(|word| self.named(word)) {
            Some(number) => wire.push(number as u8),
            None => return number::parse_u8(words, wire, label),
        }
        words.take(label).map(|_| ())
    }

    /// Reads a name or a number and appends it in 16 bits.
    pub(super) fn parse_u16(
        &self,
        words: &mut Words<'_>,
        wire: &mut Vec<u8>,
        label: &'static str,
    ) -> Result<(), Fault> {
        match words.peek().and_then(|word| self.named(word)) {
            Some(number) => wire.extend(number.to_be_bytes()),
            None => return number::parse_u16(words, wire, label),
        }
        words.take(label).map(|_| ())
    }

    /// The number that a word names.
    pub(super) fn named(&self, word: Word<'_>) -> Option<u16> {
        let is_it = |name: &str| !word.quoted && name.as_bytes().eq_ignore_ascii_case(word.raw);
        let found = self.names.iter().find(|(name, _)| is_it(name));
        found.map(|(_, number)| *number)
    }

    /// Writes a number of up to 2 octets, or its name where names are written.
    pub(super) fn print(&self, octets: &[u8], text: &mut String) {
        let number = octets.iter().fold(0, |number: u16, octet| number << 8 | u16::from(*octet));
        match self.names.iter().find(|(_, named)| self.written && *named == number) {
            Some((name, _)) => text.push_str(name),
            None => number::print(octets, text),
        }
    }
}

/// Reads a record type, by name, as `TYPE123`, or as a number alone, and appends it.
pub(super) fn parse_type(words: &mut Words<'_>, wire: &mut Vec<u8>, label: &'static str) -> Result<(), Fault> {
    wire.extend(kind(words.take_plain(label)?)?.0.to_be_bytes());
    Ok(())
}

/// The record type that a word names.
pub(super) fn kind(word: Word<'_>) -> Result<Kind, Fault> {
    let number = || decimal(word.raw).and_then(|number| u16::try_from(number).ok()).map(Kind);
    let unknown = What::Expected("a record type, by name or as TYPE123");
    Kind::from_text(word.raw).or_else(number).ok_or_else(|| word.fault(unknown))
}

/// Writes a record type.
pub(super) fn print_type(octets: &[u8], text: &mut String) -> Option<()> {
    write!(text, "{}", Kind(u16::from_be_bytes(octets.try_into().ok()?))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::rdata::proof::{fault, sound};

    /// RFC 9859, section 2.3, and a scheme without a name.
    #[test]
    fn dsync_writes_names() {
        let wire = "003b 01 14ef 0763 646e 732d 7363 00";
        sound(Kind::DSYNC, "CDS NOTIFY 5359 cdns-sc.", wire, "CDS NOTIFY 5359 cdns-sc.");
        sound(Kind::DSYNC, "type65280 2 0 .", "ff00 02 0000 00", "TYPE65280 2 0 .");
    }

    /// RFC 4398 lets type and algorithm be names.
    #[test]
    fn cert_reads_names() {
        sound(Kind::CERT, "PKIX 1 rsasha256 AAEC", "0001 0001 08 000102", "1 1 8 AAEC");
        sound(Kind::CERT, "254 65535 255 AA==", "00fe ffff ff 00", "254 65535 255 AA==");
        assert_eq!(fault(Kind::CERT, "PKIY 1 8 AA==").2, What::Range { field: "CERT type", max: 65_535 });
        assert_eq!(fault(Kind::CERT, "1 1 300 AA==").2, What::Range { field: "CERT algorithm", max: 255 });
    }

    #[test]
    fn no_mnemonic_is_a_number_too() {
        for list in [&ALGORITHMS, &DIGESTS, &CERTIFICATES, &USAGES, &SELECTORS, &MATCHINGS, &SCHEMES] {
            assert!(list.names.iter().all(|(name, _)| decimal(name.as_bytes()).is_none()));
        }
    }
}
