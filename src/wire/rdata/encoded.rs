//! Octets written in hexadecimal digits, in Base64 and in Base32 (RFC 4648).
//!
//! What stands at the end of a record may be cut by blanks anywhere, even inside a group of digits.

use super::words::{Fault, What, Word, Words};

const HEX: What = What::Expected("hexadecimal digits");
const HEX_ODD: What = What::Rule("there is one hexadecimal digit too few: two make an octet");
const BASE64: What = What::Expected("Base64");
const BASE64_END: What = What::Rule("the Base64 does not end as it must: its last group is cut short");
const SALT: What = What::Expected("the salt in up to 510 hexadecimal digits, or - for none");
const HASH: What = What::Expected("a hash in Base32 with the extended hexadecimal alphabet, 0 to 9 and A to V");
const DIGEST: What = What::Rule("the digest is not as long as its type says");

const HEX_DIGITS: &[u8; 16] = b"0123456789ABCDEF";
const BASE64_DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE32_DIGITS: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";

// ----- Hexadecimal ----------------------------------------------------------------------------------------

/// The value of a hexadecimal digit.
pub(super) fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Reads all remaining words as hexadecimal digits, for `least` octets at least.
pub(super) fn parse_hex(
    words: &mut Words<'_>,
    wire: &mut Vec<u8>,
    least: usize,
    label: &'static str,
) -> Result<(), Fault> {
    let start = wire.len();
    let mut half = None;
    let mut last = None;
    while !words.is_empty() {
        let word = words.take_plain(label)?;
        for (at, digit) in word.raw.iter().enumerate() {
            let value = hex_value(*digit).ok_or_else(|| word.fault_within(at, 1, HEX))?;
            match half.take() {
                None => half = Some(value << 4),
                Some(high) => wire.push(high | value),
            }
        }
        last = Some(word);
    }
    match (half, last) {
        (Some(_), Some(word)) => Err(word.fault(HEX_ODD)),
        _ => enough(words, last, wire.len() - start, least, label),
    }
}

/// Whether there are octets enough; what is missing is missing at the end.
fn enough(
    words: &mut Words<'_>,
    last: Option<Word<'_>>,
    size: usize,
    least: usize,
    label: &'static str,
) -> Result<(), Fault> {
    match last {
        _ if size >= least => Ok(()),
        Some(word) => Err(word.fault(What::Rule("there are too few octets here"))),
        None => words.take(label).map(|_| ()),
    }
}

/// Writes octets in hexadecimal digits.
pub(super) fn print_hex(octets: &[u8], text: &mut String) {
    for octet in octets {
        text.push(HEX_DIGITS[usize::from(octet >> 4)] as char);
        text.push(HEX_DIGITS[usize::from(octet & 15)] as char);
    }
}

/// Reads the salt of NSEC3, one word, and appends its length and its octets.
pub(super) fn parse_salt(words: &mut Words<'_>, wire: &mut Vec<u8>) -> Result<(), Fault> {
    let word = words.take_plain("the salt, or - for none")?;
    let digits = if word.raw == b"-" { &[] } else { word.raw };
    wire.push(u8::try_from(digits.len() / 2).map_err(|_| word.fault(SALT))?);
    for pair in digits.chunks(2) {
        let octet = match pair {
            [high, low] => hex_value(*high).zip(hex_value(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        wire.push(octet.ok_or_else(|| word.fault(SALT))?);
    }
    Ok(())
}

/// Writes a sound salt.
pub(super) fn print_salt(octets: &[u8], text: &mut String) {
    match octets {
        [_, salt @ ..] if !salt.is_empty() => print_hex(salt, text),
        _ => text.push('-'),
    }
}

// ----- Digests --------------------------------------------------------------------------------------------

/// How many octets a digest has. A wrong DS is a zone that nobody resolves, so it is worth looking.
pub(super) struct DigestSizes {
    /// Offset of the octet that says the type of the digest, in the record data.
    pub(super) type_at: usize,
    /// The size of a digest of each type that is known.
    pub(super) sizes: &'static [(u8, usize)],
    /// How many octets a digest of any other type has at least.
    pub(super) least: usize,
}

impl DigestSizes {
    /// Reads all remaining words as the digest of a record that starts at `start`.
    pub(super) fn parse(
        &self,
        words: &mut Words<'_>,
        wire: &mut Vec<u8>,
        start: usize,
        label: &'static str,
    ) -> Result<(), Fault> {
        let first = words.peek();
        let at = wire.len();
        parse_hex(words, wire, 1, label)?;
        match first {
            Some(word) if !self.fits(&wire[start..], &wire[at..]) => Err(word.fault(DIGEST)),
            _ => Ok(()),
        }
    }

    /// Whether `digest` has the size that `rdata` asks for.
    pub(super) fn fits(&self, rdata: &[u8], digest: &[u8]) -> bool {
        match self.sizes.iter().find(|(of, _)| rdata.get(self.type_at) == Some(of)) {
            Some((_, size)) => digest.len() == *size,
            None => digest.len() >= self.least,
        }
    }
}

/// Takes a last word `0` as one zero octet, as RFC 8078, section 4, writes it in CDS and people in CDNSKEY.
pub(super) fn parse_zero(words: &mut Words<'_>, wire: &mut Vec<u8>) -> bool {
    let mut behind = words.clone();
    let is_zero = behind.take_plain("").is_ok_and(|word| word.raw == b"0") && behind.is_empty();
    if is_zero {
        *words = behind;
        wire.push(0);
    }
    is_zero
}

// ----- Base64 ---------------------------------------------------------------------------------------------

/// What is no digit of Base64.
const NO_DIGIT: u8 = 0xff;

/// The value of each Base64 digit.
static BASE64_VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 64 {
        values[BASE64_DIGITS[value] as usize] = value as u8;
        value += 1;
    }
    values
};

/// Base64 as it comes in, digit after digit.
#[derive(Default)]
struct Base64 {
    bits: u32,
    digits: u8,
    padding: u8,
}

impl Base64 {
    /// Takes the groups of four digits at the start that are whole; returns how many digits that was.
    fn take_groups(&mut self, text: &[u8], wire: &mut Vec<u8>) -> usize {
        let mut taken = 0;
        if self.digits + self.padding > 0 {
            return taken;
        }
        for group in text.chunks_exact(4) {
            let [a, b, c, d] = [0, 1, 2, 3].map(|at| BASE64_VALUES[usize::from(group[at])]);
            if a | b | c | d == NO_DIGIT {
                break;
            }
            wire.extend_from_slice(&[a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]);
            taken += 4;
        }
        taken
    }

    /// Takes a digit; appends three octets with every fourth.
    fn take(&mut self, digit: u8, wire: &mut Vec<u8>) -> Option<()> {
        if digit == b'=' {
            self.padding += 1;
            return (self.digits >= 2 && self.digits + self.padding <= 4).then_some(());
        }
        if self.padding > 0 {
            return None;
        }
        match BASE64_VALUES[usize::from(digit)] {
            NO_DIGIT => return None,
            value => self.bits = self.bits << 6 | u32::from(value),
        }
        self.digits += 1;
        if self.digits == 4 {
            wire.extend_from_slice(&self.bits.to_be_bytes()[1..]);
            (self.bits, self.digits) = (0, 0);
        }
        Some(())
    }

    /// Appends what the last, padded group holds; its unused bits are zero (RFC 4648, section 3.5).
    fn finish(self, wire: &mut Vec<u8>) -> Option<()> {
        let whole = self.bits << (6 * (4 - u32::from(self.digits)));
        let [_, octets @ ..] = whole.to_be_bytes();
        let size = match (self.digits, self.padding) {
            (0, 0) => 0,
            (2, 2) if octets[1..] == [0, 0] => 1,
            (3, 1) if octets[2] == 0 => 2,
            _ => return None,
        };
        wire.extend_from_slice(&octets[..size]);
        Some(())
    }
}

/// Reads all remaining words as Base64, for `least` octets at least.
pub(super) fn parse_base64(
    words: &mut Words<'_>,
    wire: &mut Vec<u8>,
    least: usize,
    label: &'static str,
) -> Result<(), Fault> {
    let start = wire.len();
    let mut base64 = Base64::default();
    let mut last = None;
    while !words.is_empty() {
        let word = words.take_plain(label)?;
        let taken = base64.take_groups(word.raw, wire);
        for (at, digit) in word.raw.iter().enumerate().skip(taken) {
            base64.take(*digit, wire).ok_or_else(|| word.fault_within(at, 1, BASE64))?;
        }
        last = Some(word);
    }
    match (base64.finish(wire), last) {
        (None, Some(word)) => Err(word.fault(BASE64_END)),
        _ => enough(words, last, wire.len() - start, least, label),
    }
}

/// Reads octets that are Base64 as a whole.
pub(super) fn base64(text: &[u8], wire: &mut Vec<u8>) -> Option<()> {
    let mut base64 = Base64::default();
    text.iter().try_for_each(|digit| base64.take(*digit, wire))?;
    base64.finish(wire)
}

/// Writes octets in Base64.
pub(super) fn print_base64(octets: &[u8], text: &mut String) {
    for group in octets.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, octet| bits << 8 | u32::from(*octet)) << (8 * (3 - group.len()));
        for at in 0..4 {
            let digit = BASE64_DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at > group.len() { '=' } else { digit as char });
        }
    }
}

// ----- Base32 ---------------------------------------------------------------------------------------------

/// Reads the next hashed owner of NSEC3, one word, and appends its length and its octets.
pub(super) fn parse_hash(words: &mut Words<'_>, wire: &mut Vec<u8>) -> Result<(), Fault> {
    let word = words.take_plain("the next hashed owner name")?;
    let length_at = wire.len();
    wire.push(0);
    let decoded = base32(word.raw, wire);
    let size = wire.len() - length_at - 1;
    match (decoded, u8::try_from(size)) {
        (Some(()), Ok(size @ 1..)) => wire[length_at] = size,
        _ => return Err(word.fault(HASH)),
    }
    Ok(())
}

/// Appends the octets of Base32 without padding.
fn base32(text: &[u8], wire: &mut Vec<u8>) -> Option<()> {
    let (mut bits, mut count) = (0u32, 0);
    for digit in text {
        let digit = digit.to_ascii_uppercase();
        let value = BASE32_DIGITS.iter().position(|known| *known == digit)?;
        bits = (bits << 5 | value as u32) & 0xffff;
        count += 5;
        if count >= 8 {
            count -= 8;
            wire.push((bits >> count) as u8);
        }
    }
    (count < 5 && bits & ((1 << count) - 1) == 0).then_some(())
}

/// Writes a sound hash.
pub(super) fn print_hash(octets: &[u8], text: &mut String) {
    let (mut bits, mut count) = (0u32, 0);
    for octet in octets.iter().skip(1) {
        bits = (bits << 8 | u32::from(*octet)) & 0xffff;
        count += 8;
        while count >= 5 {
            count -= 5;
            text.push(BASE32_DIGITS[(bits >> count & 31) as usize] as char);
        }
    }
    if count > 0 {
        text.push(BASE32_DIGITS[(bits << (5 - count) & 31) as usize] as char);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Kind;
    use crate::wire::rdata::proof::{fault, octets, sound};

    /// RFC 4034, section 5.4; RFC 8078, section 4.
    #[test]
    fn digests() {
        let digest = "2BB183AF5F22588179A53B0A98631FAD1A292118";
        let text = format!("60485 5 1 {digest}");
        sound(
            Kind::DS,
            &format!("60485 RSASHA1 SHA-1 ( {} {} )", &digest[..19], digest[19..].to_lowercase()),
            &format!("ec45 05 01 {digest}"),
            &text,
        );
        sound(Kind::CDS, "0 0 0 0", "0000 00 00 00", "0 0 0 00");
        sound(Kind::CDNSKEY, "0 3 0 0", "0000 03 00 00", "0 3 0 AA==");
        sound(Kind::DLV, "1 8 200 00", "0001 08 c8 00", "1 8 200 00");
        assert_eq!(fault(Kind::DS, &text[..text.len() - 2]), (10, 38, DIGEST));
        assert_eq!(fault(Kind::DS, "1 8 200 0"), (8, 1, HEX_ODD));
        assert_eq!(fault(Kind::DS, "1 8 200"), (7, 0, What::Missing("DS digest")));
        assert_eq!(fault(Kind::DS, "1 8 200 ab cx"), (12, 1, HEX));
        assert_eq!(fault(Kind::DS, "1 8 RSA ab").2, What::Range { field: "DS digest type", max: 255 });
    }

    #[test]
    fn digests_are_as_long_as_their_type_says() {
        for (kind, digest_type, size) in [
            (Kind::DS, "1 8 1", 20),
            (Kind::DS, "1 8 2", 32),
            (Kind::DS, "1 8 3", 32),
            (Kind::CDS, "1 8 4", 48),
            (Kind::SSHFP, "4 1", 20),
            (Kind::SSHFP, "4 2", 32),
            (Kind::ZONEMD, "1 1 1", 48),
            (Kind::ZONEMD, "1 1 2", 64),
        ] {
            for wrong in [size - 1, size + 1] {
                assert_eq!(fault(kind, &format!("{digest_type} {}", "ab".repeat(wrong))).2, DIGEST, "{kind}");
            }
            assert!(octets(kind, &format!("{digest_type} {}", "ab".repeat(size))).is_ok(), "{kind}");
        }
    }

    /// RFC 4255, section 3.2; RFC 6698, section 2.3; RFC 8976, appendix A.1.
    #[test]
    fn fingerprints() {
        let print = "123456789ABCDEF67890123456789ABCDEF67890";
        sound(Kind::SSHFP, &format!("2 1 {print}"), &format!("02 01 {print}"), &format!("2 1 {print}"));
        assert_eq!(fault(Kind::SSHFP, &format!("4 2 {print}")), (4, 40, DIGEST));
        let whole = "D2ABDE240D7CD3EE6B4B28C54DF034B97983A1D16E8A410E4561CB106618E971";
        sound(
            Kind::TLSA,
            &format!("DANE-EE SPKI SHA2-256 {} {}", &whole[..33], &whole[33..]),
            &format!("03 01 01 {whole}"),
            &format!("3 1 1 {whole}"),
        );
        sound(Kind::SMIMEA, "3 0 0 00", "03 00 00 00", "3 0 0 00");
        let digest = "c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3a1ddc0b9a87153b9a9713b3c9ae5cc27777f98b8e730044c";
        sound(
            Kind::ZONEMD,
            &format!("2018031900 1 1 {digest}"),
            &format!("7848b91c 01 01 {digest}"),
            &format!("2018031900 1 1 {}", digest.to_uppercase()),
        );
        assert_eq!(fault(Kind::ZONEMD, "1 1 240 0011"), (8, 4, DIGEST));
    }

    /// The start of the key of RFC 4034, section 2.3; RFC 7929; RFC 4701, section 3.6.1.
    #[test]
    fn keys_in_base64() {
        sound(
            Kind::DNSKEY,
            "256 3 5 AQPS KmynfzW4k yBv015 MUG2DeIQ3",
            "0100 03 05 0103d22a6ca77f35b893206fd35e4c506d83788437",
            "256 3 5 AQPSKmynfzW4kyBv015MUG2DeIQ3",
        );
        sound(Kind::OPENPGPKEY, "AAECAw==", "00010203", "AAECAw==");
        sound(
            Kind::DHCID,
            "( AAIBY2/AuCccgoJbsaxcQc9TUapptP69l OjxfNuVAA2kjEA= )",
            "000201636fc0b8271c82825bb1ac5c41cf5351aa69b4febd94e8f17cdb95000da48c40",
            "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=",
        );
        sound(Kind::KEY, "49152 3 0", "c000 03 00", "49152 3 0");
        assert_eq!(fault(Kind::OPENPGPKEY, ""), (0, 0, What::Missing("OpenPGP key")));
        for (wrong, at, size, what) in [
            ("AA*=", 2, 1, BASE64),
            ("A=", 1, 1, BASE64),
            ("AA==A", 4, 1, BASE64),
            ("AAA==", 4, 1, BASE64),
            ("AAA", 0, 3, BASE64_END),
            ("AAB=", 0, 4, BASE64_END),
            ("AB==", 0, 4, BASE64_END),
            ("AA=", 0, 3, BASE64_END),
        ] {
            assert_eq!(fault(Kind::OPENPGPKEY, wrong), (at, size, what), "{wrong}");
        }
    }

    /// RFC 5155, section 3.3 and appendix A.
    #[test]
    fn salt_and_hash() {
        sound(Kind::NSEC3PARAM, "1 0 12 aabbccdd", "01 00 000c 04 aabbccdd", "1 0 12 AABBCCDD");
        sound(Kind::NSEC3PARAM, "1 0 0 -", "01 00 0000 00", "1 0 0 -");
        let hash = "14 17f3df17b2b2adaef615257de4d2020b80ac6c7c";
        let text = "1 1 12 aabbccdd 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG";
        sound(
            Kind::NSEC3,
            text,
            &format!("01 01 000c 04 aabbccdd {hash} 0006400000000002"),
            "1 1 12 AABBCCDD 2VPTU5TIMAMQTTGL4LUU9KG21E0AOR3S A RRSIG",
        );
        sound(Kind::NSEC3, "1 0 0 - 04", "01 00 0000 00 01 01", "1 0 0 - 04");
        for wrong in ["a", "abc", "--", "gg", &"0".repeat(512)] {
            assert_eq!(fault(Kind::NSEC3PARAM, &format!("1 0 0 {wrong}")), (6, wrong.len(), SALT), "{wrong}");
        }
        for wrong in ["0", "05", "0w", "000", "-"] {
            assert_eq!(fault(Kind::NSEC3, &format!("1 0 0 - {wrong}")), (8, wrong.len(), HASH), "{wrong}");
        }
    }
}
