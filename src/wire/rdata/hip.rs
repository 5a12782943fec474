//! The fixed part of a HIP record (RFC 8005, section 5): in the wire the two lengths stand in front.

use super::words::{Fault, What, Words};
use super::{encoded, number};

const TAG: What = What::Expected("the host identity tag in up to 510 hexadecimal digits");
const KEY: What = What::Expected("the public key in Base64, as one word");

/// Reads algorithm, tag and key. Unlike elsewhere the key is one word, because names follow it.
pub(super) fn parse(words: &mut Words<'_>, wire: &mut Vec<u8>) -> Result<(), Fault> {
    let start = wire.len();
    wire.push(0);
    number::parse_u8(words, wire, "HIP algorithm")?;
    wire.extend([0, 0]);
    let tag = words.take_plain("the host identity tag")?;
    for pair in tag.raw.chunks(2) {
        let [high, low] = *pair else { return Err(tag.fault(TAG)) };
        let octet = encoded::hex_value(high).zip(encoded::hex_value(low)).map(|(high, low)| high << 4 | low);
        wire.push(octet.ok_or_else(|| tag.fault(TAG))?);
    }
    wire[start] = u8::try_from(wire.len() - start - 4).map_err(|_| tag.fault(TAG))?;
    let key = words.take_plain("the public key")?;
    let key_at = wire.len();
    encoded::base64(key.raw, wire).ok_or_else(|| key.fault(KEY))?;
    let size = u16::try_from(wire.len() - key_at).map_err(|_| key.fault(KEY))?;
    wire[start + 2..start + 4].copy_from_slice(&size.to_be_bytes());
    Ok(())
}

/// How many octets there are up to the names; both tag and key must be there.
pub(super) fn size(rest: &[u8]) -> Option<usize> {
    match *rest {
        [tag, _, high, low, ..] if tag > 0 && (high, low) != (0, 0) => {
            Some(4 + usize::from(tag) + usize::from(u16::from_be_bytes([high, low])))
        }
        _ => None,
    }
}

/// Writes algorithm, tag and key.
pub(super) fn print(octets: &[u8], text: &mut String) -> Option<()> {
    let [tag_size, algorithm, _, _, rest @ ..] = octets else { return None };
    let (tag, key) = rest.split_at_checked(usize::from(*tag_size))?;
    number::print(&[*algorithm], text);
    text.push(' ');
    encoded::print_hex(tag, text);
    text.push(' ');
    encoded::print_base64(key, text);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Kind;
    use crate::wire::rdata::names;
    use crate::wire::rdata::proof::{fault, octets, sound};

    /// RFC 8005, section 6, with a shorter key.
    #[test]
    fn hip() {
        let tag = "200100107B1A74DF365639CC39F1D578";
        sound(
            Kind::HIP,
            &format!("2 {tag} AwEAAbdxyhNu"),
            &format!("10 02 0009 {tag} 03010001b771ca136e"),
            &format!("2 {tag} AwEAAbdxyhNu"),
        );
        let text = format!("2 {tag} AwEAAbdxyhNu rvs1 rvs2.example.");
        let wire = octets(Kind::HIP, &text).unwrap();
        let found: Vec<_> = names(Kind::HIP, &wire).map(|found| found.name.to_string()).collect();
        assert_eq!(found, ["rvs1.example.", "rvs2.example."]);
        assert_eq!(fault(Kind::HIP, "\\# 5 00020001 00").1, 2);
        assert_eq!(fault(Kind::HIP, "\\# 5 01020000 00").1, 2);
        assert_eq!(fault(Kind::HIP, "2 2001g0 AA==").1, 6);
        assert_eq!(fault(Kind::HIP, "2 2001 A"), (7, 1, KEY));
        assert_eq!(fault(Kind::HIP, "2"), (1, 0, What::Missing("the host identity tag")));
    }
}
