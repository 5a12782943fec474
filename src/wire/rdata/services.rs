//! A protocol and its ports as a map of bits: WKS (RFC 1035, section 3.4.2), which nobody should use any more.

use super::mnemonic::Mnemonics;
use super::number;
use super::words::{Fault, What, Words};

const PORT: What = What::Range { field: "WKS port", max: 65_535 };
/// Octets of a map with all ports.
const MAP_SIZE_MAX: usize = 8_192;

static PROTOCOLS: Mnemonics = Mnemonics::new(&[("ICMP", 1), ("TCP", 6), ("UDP", 17)]);
static PORTS: Mnemonics = Mnemonics::new(&[
    ("FTP-DATA", 20),
    ("FTP", 21),
    ("SSH", 22),
    ("TELNET", 23),
    ("SMTP", 25),
    ("TIME", 37),
    ("DOMAIN", 53),
    ("TFTP", 69),
    ("FINGER", 79),
    ("HTTP", 80),
    ("POP3", 110),
    ("NNTP", 119),
    ("NTP", 123),
    ("IMAP", 143),
    ("SNMP", 161),
    ("HTTPS", 443),
]);

/// Reads a protocol and all remaining words as ports.
pub(super) fn parse(words: &mut Words<'_>, wire: &mut Vec<u8>) -> Result<(), Fault> {
    PROTOCOLS.parse_u8(words, wire, "WKS protocol")?;
    let start = wire.len();
    while let Some(word) = words.peek() {
        let number = PORTS.named(word).map(u32::from).or_else(|| number::decimal(word.raw));
        let port = number.and_then(|number| u16::try_from(number).ok()).ok_or_else(|| word.fault(PORT))?;
        words.take_plain("WKS port")?;
        let at = start + usize::from(port / 8);
        wire.resize(wire.len().max(at + 1), 0);
        wire[at] |= 0x80 >> (port % 8);
    }
    Ok(())
}

/// Whether octets are a protocol and a map that is not too long.
pub(super) fn is_sound(octets: &[u8]) -> bool {
    (1..=1 + MAP_SIZE_MAX).contains(&octets.len())
}

/// Writes the protocol and the ports; `None` if the map has zero octets at its end, which no text could tell.
pub(super) fn print(octets: &[u8], text: &mut String) -> Option<()> {
    let (protocol, map) = octets.split_first()?;
    if map.last() == Some(&0) {
        return None;
    }
    number::print(&[*protocol], text);
    for (at, octet) in (0u16..).zip(map) {
        for bit in (0..8).filter(|bit| octet & (0x80 >> bit) != 0) {
            text.push(' ');
            number::print(&(at * 8 + bit).to_be_bytes(), text);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Kind;
    use crate::wire::rdata::proof::{fault, sound};

    #[test]
    fn ports_are_bits() {
        sound(Kind::WKS, "10.0.0.1 tcp smtp 0 7", "0a000001 06 81000040", "10.0.0.1 6 0 7 25");
        sound(Kind::WKS, "10.0.0.1 17", "0a000001 11", "10.0.0.1 17");
        sound(Kind::WKS, "\\# 6 0a000001 06 00", "0a000001 06 00", "\\# 6 0A0000010600");
        assert_eq!(fault(Kind::WKS, "10.0.0.1 6 25 gopher"), (14, 6, PORT));
        assert_eq!(fault(Kind::WKS, "10.0.0.1"), (8, 0, What::Missing("WKS protocol")));
    }
}
