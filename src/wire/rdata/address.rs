//! Addresses: IPv4 and IPv6, and those of other networks (MAC, ILNP, OSI).

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::encoded::{hex_value, print_hex};
use super::words::{Fault, What, Words};

const IPV4: What = What::Expected("an IPv4 address such as 192.0.2.1");
const IPV6: What = What::Expected("an IPv6 address such as 2001:db8::1");
const EUI48: What = What::Expected("an EUI-48 address such as 00-00-5e-00-53-2a");
const EUI64: What = What::Expected("an EUI-64 address such as 00-00-5e-ef-10-00-00-2a");
const LOCATOR: What = What::Expected("64 bits as four groups of up to four hexadecimal digits, such as 2001:db8:0:1");
const NSAP: What = What::Expected("an NSAP address: 0x and pairs of hexadecimal digits, between which dots may stand");

/// Reads an IPv4 address. Four decimal numbers, nothing else: `192.0.2` and `0192.0.2.1` mean different
/// addresses to different programs.
pub(super) fn parse_ipv4(words: &mut Words<'_>, wire: &mut Vec<u8>) -> Result<(), Fault> {
    let word = words.take_plain("the IPv4 address")?;
    let octets = ipv4(word.raw).ok_or_else(|| word.fault(IPV4))?;
    wire.extend_from_slice(&octets);
    Ok(())
}

/// The octets of an IPv4 address. Here and below by hand, because a large zone is mostly addresses and the standard
/// library's readers cost several times as much.
pub(super) fn ipv4(text: &[u8]) -> Option<[u8; 4]> {
    let mut octets = [0; 4];
    let mut rest = text;
    for (at, octet) in octets.iter_mut().enumerate() {
        if at > 0 {
            rest = rest.strip_prefix(b".")?;
        }
        let size = rest.iter().take(3).take_while(|digit| digit.is_ascii_digit()).count();
        let (digits, behind) = rest.split_at(size);
        if digits.is_empty() || digits.len() > 1 && digits[0] == b'0' {
            return None;
        }
        let number = digits.iter().fold(0, |number: u16, digit| number * 10 + u16::from(digit - b'0'));
        *octet = u8::try_from(number).ok()?;
        rest = behind;
    }
    rest.is_empty().then_some(octets)
}

/// Reads an IPv6 address (RFC 4291, section 2.2).
pub(super) fn parse_ipv6(words: &mut Words<'_>, wire: &mut Vec<u8>) -> Result<(), Fault> {
    let word = words.take_plain("the IPv6 address")?;
    let octets = ipv6(word.raw).ok_or_else(|| word.fault(IPV6))?;
    wire.extend_from_slice(&octets);
    Ok(())
}

/// The octets of an IPv6 address.
pub(super) fn ipv6(text: &[u8]) -> Option<[u8; 16]> {
    let mut octets = [0; 16];
    let (mut size, mut gap_at) = (0, None);
    let mut rest = text;
    if let Some(behind) = rest.strip_prefix(b"::") {
        (rest, gap_at) = (behind, Some(0));
    }
    while !(rest.is_empty() && gap_at == Some(size)) {
        let (number, digits) = hex_group(rest);
        if rest.get(digits) == Some(&b'.') {
            octets.get_mut(size..size + 4)?.copy_from_slice(&ipv4(rest)?);
            size += 4;
            break;
        }
        octets.get_mut(size..size + 2)?.copy_from_slice(&number.to_be_bytes());
        size += 2;
        rest = match &rest[digits..] {
            _ if digits == 0 => return None,
            [] => break,
            [b':', b':', behind @ ..] if gap_at.replace(size).is_none() => behind,
            [b':', behind @ ..] if !behind.starts_with(b":") && !behind.is_empty() => behind,
            _ => return None,
        };
    }
    match gap_at {
        None if size == 16 => Some(octets),
        Some(at) if size <= 14 => {
            octets.copy_within(at..size, 16 - (size - at));
            octets[at..16 - (size - at)].fill(0);
            Some(octets)
        }
        _ => None,
    }
}

/// The number that up to four hexadecimal digits at the start are, and how many they are.
fn hex_group(text: &[u8]) -> (u16, usize) {
    let (mut number, mut digits) = (0, 0);
    while let Some(value) = text.get(digits).filter(|_| digits < 4).and_then(|digit| hex_value(*digit)) {
        number = number << 4 | u16::from(value);
        digits += 1;
    }
    (number, digits)
}

/// Writes an IPv4 address.
pub(super) fn print_ipv4(octets: &[u8], text: &mut String) -> Option<()> {
    let octets: [u8; 4] = octets.try_into().ok()?;
    write!(text, "{}", Ipv4Addr::from(octets)).ok()
}

/// Writes an IPv6 address as RFC 5952 has it.
pub(super) fn print_ipv6(octets: &[u8], text: &mut String) -> Option<()> {
    let octets: [u8; 16] = octets.try_into().ok()?;
    write!(text, "{}", Ipv6Addr::from(octets)).ok()
}

/// Reads octets as `00-00-5e-00-53-2a` (RFC 7043, sections 3.2 and 4.2).
pub(super) fn parse_mac(words: &mut Words<'_>, wire: &mut Vec<u8>, size: usize) -> Result<(), Fault> {
    let word = words.take_plain("the address")?;
    let start = wire.len();
    let sound = word.raw.split(|octet| *octet == b'-').all(|pair| match pair {
        [high, low] => push_octet(*high, *low, wire).is_some(),
        _ => false,
    });
    match sound && wire.len() - start == size {
        true => Ok(()),
        false => Err(word.fault(if size == 6 { EUI48 } else { EUI64 })),
    }
}

fn push_octet(high: u8, low: u8, wire: &mut Vec<u8>) -> Option<()> {
    wire.push(hex_value(high)? << 4 | hex_value(low)?);
    Some(())
}

/// Reads 64 bits as `0014:4fff:ff20:ee64` (RFC 6742, section 2.1.2).
pub(super) fn parse_locator(words: &mut Words<'_>, wire: &mut Vec<u8>) -> Result<(), Fault> {
    let word = words.take_plain("the 64 bits of node or locator")?;
    let start = wire.len();
    let sound = word.raw.split(|octet| *octet == b':').all(|group| match group {
        [_, ..] if group.len() <= 4 => {
            let number =
                group.iter().try_fold(0, |number: u16, digit| Some(number << 4 | u16::from(hex_value(*digit)?)));
            number.map(|number| wire.extend(number.to_be_bytes())).is_some()
        }
        _ => false,
    });
    if sound && wire.len() - start == 8 { Ok(()) } else { Err(word.fault(LOCATOR)) }
}

/// Writes octets in small hexadecimal digits, `group` octets between two separators.
pub(super) fn print_groups(octets: &[u8], group: usize, separator: char, text: &mut String) {
    for (at, octet) in octets.iter().enumerate() {
        if at > 0 && at % group == 0 {
            text.push(separator);
        }
        let _ = write!(text, "{octet:02x}"); // a String takes everything
    }
}

/// Reads an OSI address as `0x47.0005.80...` (RFC 1706, section 6).
pub(super) fn parse_nsap(words: &mut Words<'_>, wire: &mut Vec<u8>) -> Result<(), Fault> {
    let word = words.take_plain("the NSAP address")?;
    let wrong = || word.fault(NSAP);
    let ([b'0', b'x' | b'X', digits @ ..], true) = (word.raw, word.raw.len() > 2) else { return Err(wrong()) };
    let mut digits = digits.iter().filter(|octet| **octet != b'.');
    while let Some(high) = digits.next() {
        let low = digits.next().ok_or_else(wrong)?;
        push_octet(*high, *low, wire).ok_or_else(wrong)?;
    }
    Ok(())
}

/// Writes an OSI address.
pub(super) fn print_nsap(octets: &[u8], text: &mut String) {
    text.push_str("0x");
    print_hex(octets, text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Kind;
    use crate::wire::rdata::proof::{fault, sound};

    #[test]
    fn addresses() {
        sound(Kind::A, "192.0.2.1", "c0000201", "192.0.2.1");
        sound(Kind::A, "255.255.255.255", "ffffffff", "255.255.255.255");
        sound(Kind::AAAA, "2001:DB8:0::1", "20010db8000000000000000000000001", "2001:db8::1");
        sound(Kind::AAAA, "::ffff:192.0.2.1", "00000000000000000000ffffc0000201", "::ffff:192.0.2.1");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for wrong in
            ["192.0.2", "192.0.2.256", "192.0.2.01", "192.0.2.1.", "192.0.2.1.1", "1..2.3", "1.2.3.1000", "::1"]
        {
            assert_eq!(fault(Kind::A, wrong), (0, wrong.len(), IPV4), "{wrong}");
        }
        for wrong in ["192.0.2.1", "2001:db8", "::1::", "::12345", "fe80::1%eth0"] {
            assert_eq!(fault(Kind::AAAA, wrong), (0, wrong.len(), IPV6), "{wrong}");
        }
        assert_eq!(fault(Kind::A, ""), (0, 0, What::Missing("the IPv4 address")));
        assert_eq!(fault(Kind::A, "192.0.2.1 192.0.2.2"), (10, 9, What::TooMany));
    }

    /// RFC 7043, sections 3.3 and 4.3; RFC 6742, sections 2.1 to 2.3; RFC 1706, section 7.
    #[test]
    fn addresses_of_other_networks() {
        sound(Kind::EUI48, "00-00-5E-00-53-2a", "00005e00532a", "00-00-5e-00-53-2a");
        sound(Kind::EUI64, "00-00-5e-ef-10-00-00-2a", "00005eef1000002a", "00-00-5e-ef-10-00-00-2a");
        sound(Kind::NID, "10 0014:4fff:ff20:ee64", "000a 00144fffff20ee64", "10 0014:4fff:ff20:ee64");
        sound(Kind::L64, "20 2001:DB8:1140:1000", "0014 20010db811401000", "20 2001:0db8:1140:1000");
        sound(Kind::L32, "10 10.1.02.0".replace("02", "2").as_str(), "000a 0a010200", "10 10.1.2.0");
        sound(Kind::LP, "10 L64-sub", "000a 074c36342d737562 076578616d706c6500", "10 L64-sub.example.");
        sound(
            Kind::NSAP,
            "0x47.0005.80.005a00.0000.0001.e133.ffffff000161.00",
            "47000580005a0000000001e133ffffff00016100",
            "0x47000580005A0000000001E133FFFFFF00016100",
        );
    }

    #[test]
    fn other_networks_have_faults_too() {
        for wrong in
            ["00-00-5e-00-53", "00-00-5e-00-53-2a-00", "0-00-5e-00-53-2a", "00:00:5e:00:53:2a", "00-00-5e-00-53-2g"]
        {
            assert_eq!(fault(Kind::EUI48, wrong), (0, wrong.len(), EUI48), "{wrong}");
        }
        for wrong in ["1:2:3", "1:2:3:4:5", "1::3:4", "12345:1:1:1", "1:2:3:g"] {
            assert_eq!(fault(Kind::NID, &format!("1 {wrong}")), (2, wrong.len(), LOCATOR), "{wrong}");
        }
        for wrong in ["47", "0x", "0x4", "0x4g"] {
            assert_eq!(fault(Kind::NSAP, wrong), (0, wrong.len(), NSAP), "{wrong}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

        #[test]
        fn our_readers_agree_with_the_standard_library(
            v4 in "[0-9]{0,4}(\\.[0-9]{1,3}){2,4}",
            v6 in "(::|:|)([0-9a-fA-F]{1,5}(:|::)){0,8}([0-9a-f]{0,4}|1\\.2\\.3\\.[0-9]{0,4})",
            sound: u128,
            zeros: u128,
        ) {
            let sound = Ipv6Addr::from(sound & zeros & zeros.rotate_left(64)).to_string();
            for text in [&v4, &v6, &sound] {
                proptest::prop_assert_eq!(ipv4(text.as_bytes()), text.parse().ok().map(|a: Ipv4Addr| a.octets()));
                let expected = text.parse().ok().map(|a: Ipv6Addr| a.octets());
                proptest::prop_assert_eq!(ipv6(text.as_bytes()), expected, "{}", text);
            }
        }
    }
}
