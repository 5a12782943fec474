//! Addresses: IPv4 and IPv6.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::words::{Fault, What, Words};

const IPV4: What = What::Expected("an IPv4 address such as 192.0.2.1");
const IPV6: What = What::Expected("an IPv6 address such as 2001:db8::1");

/// Reads an IPv4 address. Four decimal numbers, nothing else: `192.0.2` and `0192.0.2.1` mean different
/// addresses to different programs.
pub(super) fn parse_ipv4(words: &mut Words<'_>, wire: &mut Vec<u8>) -> Result<(), Fault> {
    let word = words.take_plain("the IPv4 address")?;
    let octets = ipv4(word.raw).ok_or_else(|| word.fault(IPV4))?;
    wire.extend_from_slice(&octets);
    Ok(())
}

/// The octets of an IPv4 address. By hand, because the standard library's reader costs three times as much
/// and a large zone is mostly addresses.
pub(super) fn ipv4(text: &[u8]) -> Option<[u8; 4]> {
    let mut octets = [0; 4];
    let mut parts = text.split(|octet| *octet == b'.');
    for octet in &mut octets {
        *octet = match *parts.next()? {
            [a @ b'0'..=b'9'] => a - b'0',
            [a @ b'1'..=b'9', b @ b'0'..=b'9'] => (a - b'0') * 10 + b - b'0',
            [a @ b'1'..=b'2', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
                let number = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
                u8::try_from(number).ok()?
            }
            _ => return None,
        };
    }
    parts.next().is_none().then_some(octets)
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
    std::str::from_utf8(text).ok()?.parse::<Ipv6Addr>().ok().map(|address| address.octets())
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

    proptest::proptest! {
        #[test]
        fn our_reader_agrees_with_the_standard_library(text in "[0-9]{0,4}(\\.[0-9]{1,3}){2,4}") {
            proptest::prop_assert_eq!(ipv4(text.as_bytes()), text.parse().ok().map(|a: Ipv4Addr| a.octets()));
        }
    }
}
