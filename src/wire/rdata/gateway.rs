//! The gateway of IPSECKEY (RFC 4025) and the relay of AMTRELAY (RFC 8777): an earlier octet says what it is.

use super::super::NameRef;
use super::words::{Fault, What, Words};
use super::{address, name, number};

const NONE: u8 = 0;
const IPV4: u8 = 1;
const IPV6: u8 = 2;
/// The type of a gateway that is a name.
pub(super) const NAME: u8 = 3;

const ABSENT: What = What::Expected("a dot, because the type of the gateway is 0, none");
const UNKNOWN: What = What::Rule("the type of the gateway must be 0 (none), 1 (IPv4), 2 (IPv6) or 3 (a name)");
const LABEL: &str = "the gateway";

/// Which bits of the octet at offset 1 are the type of the gateway.
#[derive(Clone, Copy)]
pub(super) struct TypeBits(pub(super) u8);

impl TypeBits {
    /// The type of the gateway in the record data.
    pub(super) fn of(self, rdata: &[u8]) -> u8 {
        rdata.get(1).map_or(NONE, |octet| octet & self.0)
    }
}

/// Reads a gateway of that type.
pub(super) fn parse(
    words: &mut Words<'_>,
    origin: NameRef<'_>,
    wire: &mut Vec<u8>,
    gateway_type: u8,
) -> Result<(), Fault> {
    match gateway_type {
        NONE => {
            let word = words.take_plain(LABEL)?;
            if word.raw == b"." { Ok(()) } else { Err(word.fault(ABSENT)) }
        }
        IPV4 => address::parse_ipv4(words, wire),
        IPV6 => address::parse_ipv6(words, wire),
        NAME => name::parse(words, origin, wire, LABEL),
        _ => Err(words.take(LABEL)?.fault(UNKNOWN)),
    }
}

/// How many octets the gateway of that type has; `None` for a type that is not defined.
pub(super) fn size(rest: &[u8], gateway_type: u8) -> Option<usize> {
    match gateway_type {
        NONE => Some(0),
        IPV4 => Some(4),
        IPV6 => Some(16),
        NAME => name::size(rest),
        _ => None,
    }
}

/// Writes the gateway of that type.
pub(super) fn print(octets: &[u8], gateway_type: u8, text: &mut String) -> Option<()> {
    match gateway_type {
        NONE => text.push('.'),
        IPV4 => address::print_ipv4(octets, text)?,
        IPV6 => address::print_ipv6(octets, text)?,
        NAME => name::print(octets, text)?,
        _ => return None,
    }
    Some(())
}

/// Reads `0 3`: whether discovery is optional, and the type of the relay; one octet.
pub(super) fn parse_relay_type(words: &mut Words<'_>, wire: &mut Vec<u8>) -> Result<(), Fault> {
    let optional = number::parse(words, 1, "AMTRELAY discovery-optional")?;
    let relay_type = number::parse(words, 127, "AMTRELAY type")?;
    wire.push((optional << 7 | relay_type) as u8);
    Ok(())
}

/// Writes the two numbers.
pub(super) fn print_relay_type(octets: &[u8], text: &mut String) {
    for octet in octets {
        text.push(if *octet < 128 { '0' } else { '1' });
        text.push(' ');
        number::print(&[octet & 127], text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Kind;
    use crate::wire::rdata::names;
    use crate::wire::rdata::proof::{fault, octets, sound};

    const KEY: &str = "AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==";
    const KEY_HEX: &str = "010351537986ed35533b6064478eeeb27b5bd74dae149b6e81ba3a0521af82ab7801";

    /// RFC 4025, section 3.1 and 3.2.
    #[test]
    fn ipseckey() {
        for (front, hex) in [
            ("10 1 2 192.0.2.38", "0a 01 02 c0000226"),
            ("10 0 2 .", "0a 00 02"),
            ("10 3 2 mygateway.example.com.", "0a 03 02 096d7967617465776179 076578616d706c65 03636f6d 00"),
            ("10 2 2 2001:db8:0:8002::2000:1", "0a 02 02 20010db8000080020000000020000001"),
        ] {
            let text = format!("{front} {KEY}");
            sound(Kind::IPSECKEY, &text, &format!("{hex} {KEY_HEX}"), &text);
        }
        sound(Kind::IPSECKEY, "1 0 0 .", "01 00 00", "1 0 0 .");
        assert_eq!(fault(Kind::IPSECKEY, "10 4 2 . AA=="), (7, 1, UNKNOWN));
        assert_eq!(fault(Kind::IPSECKEY, "10 0 2 gw AA=="), (7, 2, ABSENT));
        assert_eq!(fault(Kind::IPSECKEY, "10 1 2 gw AA==").0, 7);
    }

    /// RFC 8777, section 4.3.
    #[test]
    fn amtrelay() {
        sound(Kind::AMTRELAY, "10 0 1 203.0.113.15", "0a 01 cb00710f", "10 0 1 203.0.113.15");
        sound(
            Kind::AMTRELAY,
            "128 1 3 amtrelays",
            "80 83 09616d7472656c617973076578616d706c6500",
            "128 1 3 amtrelays.example.",
        );
        sound(Kind::AMTRELAY, "0 0 0 .", "00 00", "0 0 0 .");
        assert_eq!(
            fault(Kind::AMTRELAY, "1 2 0 ."),
            (2, 1, What::Range { field: "AMTRELAY discovery-optional", max: 1 })
        );
    }

    #[test]
    fn a_gateway_is_a_name_only_if_its_type_says_so() {
        let named = octets(Kind::IPSECKEY, "10 3 2 gw AA==").unwrap();
        let found: Vec<_> = names(Kind::IPSECKEY, &named).map(|found| (found.at, found.compressible)).collect();
        assert_eq!(found, [(3, false)]);
        let address = octets(Kind::IPSECKEY, "10 1 2 192.0.2.1 AA==").unwrap();
        assert_eq!(names(Kind::IPSECKEY, &address).count(), 0);
    }
}
