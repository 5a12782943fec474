//! The keys of service parameters (the IANA registry "Service Parameter Keys").

use super::super::number::{self, decimal};
use super::super::words::{Fault, What, Word};

pub(super) const MANDATORY: u16 = 0;
pub(super) const ALPN: u16 = 1;
pub(super) const NO_DEFAULT_ALPN: u16 = 2;
pub(super) const PORT: u16 = 3;
pub(super) const IPV4HINT: u16 = 4;
pub(super) const ECH: u16 = 5;
pub(super) const IPV6HINT: u16 = 6;
pub(super) const DOHPATH: u16 = 7;
pub(super) const OHTTP: u16 = 8;

/// The names of the keys, each at its number.
const NAMES: [&str; 9] =
    ["mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath", "ohttp"];
const UNKNOWN: What = What::Expected("a parameter such as alpn, port, ipv4hint, ech, ipv6hint or key123");

/// A key as it was written.
#[derive(Clone, Copy)]
pub(super) struct Key {
    pub(super) number: u16,
    /// Written as `key123`, so that the value is plain octets (RFC 9460, section 2.1).
    pub(super) is_generic: bool,
}

impl Key {
    /// Reads a key, which stands at the start of `word`.
    pub(super) fn from_text(word: Word<'_>, text: &[u8]) -> Result<Self, Fault> {
        let unknown = || word.fault_within(0, text.len(), UNKNOWN);
        let number = named(text).ok_or_else(unknown)?;
        Ok(Self { number, is_generic: text.len() > 3 && text.starts_with(b"key") })
    }
}

/// The number of a key, which is written in small letters and without leading zeros.
pub(super) fn named(text: &[u8]) -> Option<u16> {
    let number = match (NAMES.iter().position(|name| name.as_bytes() == text), text.strip_prefix(b"key")) {
        (Some(number), _) => return u16::try_from(number).ok(),
        (None, Some([b'0', _, ..]) | None) => return None,
        (None, Some(digits)) => decimal(digits)?,
    };
    u16::try_from(number).ok()
}

/// Writes a key.
pub(super) fn print(key: u16, text: &mut String) {
    match NAMES.get(usize::from(key)) {
        Some(name) => text.push_str(name),
        None => {
            text.push_str("key");
            number::print(&key.to_be_bytes(), text);
        }
    }
}

/// The numbers that octets are, two by two.
pub(super) fn numbers(octets: &[u8]) -> impl Iterator<Item = u16> + Clone {
    octets.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
}
