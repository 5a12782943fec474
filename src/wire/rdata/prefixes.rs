//! Address prefixes, `!2:2001:db8::/32`: APL (RFC 3123).

use super::words::{Fault, What, Word, Words};
use super::{address, number};

const ITEM: What = What::Expected("a prefix such as 1:192.0.2.0/24, 2:2001:db8::/32 or !1:192.0.2.1/32");
const NEGATED: u8 = 0x80;

/// Reads all remaining words as prefixes; none is also a list.
pub(super) fn parse(words: &mut Words<'_>, wire: &mut Vec<u8>) -> Result<(), Fault> {
    while !words.is_empty() {
        let word = words.take_plain("a prefix")?;
        item(word, wire).ok_or_else(|| word.fault(ITEM))?;
    }
    Ok(())
}

fn item(word: Word<'_>, wire: &mut Vec<u8>) -> Option<()> {
    let (negated, rest) = match word.raw {
        [b'!', rest @ ..] => (NEGATED, rest),
        rest => (0, rest),
    };
    let (family, rest) = split_at(rest, b':')?;
    let (address, prefix) = split_at(rest, b'/')?;
    let (ipv4, ipv6);
    let (octets, family): (&[u8], u8) = match family {
        b"1" => {
            ipv4 = address::ipv4(address)?;
            (&ipv4, 1)
        }
        b"2" => {
            ipv6 = address::ipv6(address)?;
            (&ipv6, 2)
        }
        _ => return None,
    };
    let prefix = u8::try_from(number::decimal(prefix)?).ok()?;
    if usize::from(prefix) > octets.len() * 8 {
        return None;
    }
    let size = octets.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1);
    wire.extend([0, family, prefix, negated | size as u8]);
    wire.extend_from_slice(&octets[..size]);
    Some(())
}

fn split_at(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|octet| *octet == separator)?;
    Some((&text[..at], &text[at + 1..]))
}

/// One prefix in wire format.
struct Item<'a> {
    family: u16,
    prefix: u8,
    negated: bool,
    octets: &'a [u8],
}

/// The prefix at the start and what follows it; `None` if it is not sound (RFC 3123, section 4: no zero octets
/// at the end of the address).
fn first(octets: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let [high, low, prefix, size, rest @ ..] = octets else { return None };
    let (octets, rest) = rest.split_at_checked(usize::from(size & !NEGATED))?;
    let family = u16::from_be_bytes([*high, *low]);
    let width = match family {
        1 => 4,
        2 => 16,
        _ => 127,
    };
    let fits = octets.len() <= width && usize::from(*prefix) <= width * 8 && octets.last() != Some(&0);
    fits.then_some((Item { family, prefix: *prefix, negated: size & NEGATED != 0, octets }, rest))
}

/// Whether octets are sound prefixes, or none.
pub(super) fn is_sound(mut octets: &[u8]) -> bool {
    while let Some((_, rest)) = first(octets) {
        octets = rest;
    }
    octets.is_empty()
}

/// Writes sound prefixes; `None` if one is of a family that has no text.
pub(super) fn print(mut octets: &[u8], text: &mut String) -> Option<()> {
    while let Some((item, rest)) = first(octets) {
        let mut address = [0; 16];
        let full = address.get_mut(..if item.family == 1 { 4 } else { 16 })?;
        full.get_mut(..item.octets.len())?.copy_from_slice(item.octets);
        text.push_str(if item.negated { "!" } else { "" });
        number::print(&item.family.to_be_bytes(), text);
        text.push(':');
        match item.family {
            1 => address::print_ipv4(full, text)?,
            2 => address::print_ipv6(full, text)?,
            _ => return None,
        }
        text.push('/');
        number::print(&[item.prefix], text);
        text.push_str(if rest.is_empty() { "" } else { " " });
        octets = rest;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Kind;
    use crate::wire::rdata::proof::{fault, sound};

    /// RFC 3123, section 5.
    #[test]
    fn apl() {
        sound(
            Kind::APL,
            "1:192.168.32.0/21 !1:192.168.38.0/28",
            "0001 15 03 c0a820 0001 1c 83 c0a826",
            "1:192.168.32.0/21 !1:192.168.38.0/28",
        );
        sound(
            Kind::APL,
            "1:224.0.0.0/4 2:FF00:0:0:0:0:0:0:0/8",
            "0001 04 01 e0 0002 08 01 ff",
            "1:224.0.0.0/4 2:ff00::/8",
        );
        sound(Kind::APL, "1:0.0.0.0/0", "0001 00 00", "1:0.0.0.0/0");
        sound(Kind::APL, "", "", "");
        sound(Kind::APL, "\\# 5 0003 08 01 11", "0003 08 01 11", "\\# 5 0003080111");
    }

    #[test]
    fn faults() {
        for wrong in ["1:192.0.2.0", "192.0.2.0/24", "1:192.0.2.0/33", "2:::/129", "3:a/1", "1:::/0", "!!1:0.0.0.0/0"] {
            assert_eq!(fault(Kind::APL, wrong), (0, wrong.len(), ITEM), "{wrong}");
        }
        assert!(fault(Kind::APL, "\\# 5 0001 08 01 00").0 == 0);
        assert!(fault(Kind::APL, "\\# 5 0001 08 02 01").0 == 0);
    }
}
