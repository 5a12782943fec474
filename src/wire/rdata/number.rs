//! Numbers in decimal, and periods with units.

use std::fmt::Write;

use super::words::{Fault, What, Words};

/// Reads a number from 0 to `max`.
pub(super) fn parse(words: &mut Words<'_>, max: u32, label: &'static str) -> Result<u32, Fault> {
    let word = words.take_plain(label)?;
    match decimal(word.raw) {
        Some(number) if number <= max => Ok(number),
        _ => Err(word.fault(What::Range { field: label, max: max.into() })),
    }
}

/// Reads a number and appends it in 8 bits.
pub(super) fn parse_u8(words: &mut Words<'_>, wire: &mut Vec<u8>, label: &'static str) -> Result<(), Fault> {
    wire.push(parse(words, u8::MAX.into(), label)? as u8);
    Ok(())
}

/// Reads a number and appends it in 16 bits.
pub(super) fn parse_u16(words: &mut Words<'_>, wire: &mut Vec<u8>, label: &'static str) -> Result<(), Fault> {
    wire.extend((parse(words, u16::MAX.into(), label)? as u16).to_be_bytes());
    Ok(())
}

/// Reads a number and appends it in 32 bits.
pub(super) fn parse_u32(words: &mut Words<'_>, wire: &mut Vec<u8>, label: &'static str) -> Result<(), Fault> {
    wire.extend(parse(words, u32::MAX, label)?.to_be_bytes());
    Ok(())
}

/// A number of digits only; `None` for anything else, and beyond 32 bits.
pub(super) fn decimal(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 64 {
        return None;
    }
    digits.iter().try_fold(0u32, |number, digit| match digit {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(u32::from(digit - b'0')),
        _ => None,
    })
}

/// Reads seconds, either as a number or with units (`1w2d3h4m5s`, in any case), and appends them in 32 bits.
pub(super) fn parse_period(words: &mut Words<'_>, wire: &mut Vec<u8>, label: &'static str) -> Result<(), Fault> {
    let word = words.take_plain(label)?;
    let seconds = decimal(word.raw).or_else(|| period(word.raw));
    let wrong = What::Range { field: label, max: u32::MAX.into() };
    wire.extend(seconds.ok_or_else(|| word.fault(wrong))?.to_be_bytes());
    Ok(())
}

fn period(text: &[u8]) -> Option<u32> {
    let mut seconds = 0u32;
    let mut parts = text.split_inclusive(u8::is_ascii_alphabetic);
    if text.is_empty() {
        return None;
    }
    parts.try_for_each(|part| {
        let (unit, digits) = part.split_last()?;
        let size = match unit.to_ascii_lowercase() {
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        seconds = decimal(digits)?.checked_mul(size)?.checked_add(seconds)?;
        Some(())
    })?;
    Some(seconds)
}

/// Writes a number of up to 4 octets.
pub(super) fn print(octets: &[u8], text: &mut String) {
    let number = octets.iter().fold(0u32, |number, octet| number << 8 | u32::from(*octet));
    let _ = write!(text, "{number}"); // a String takes everything
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Kind;
    use crate::wire::rdata::proof::{fault, sound};

    /// The SOA of RFC 1035, section 5.3, with some of its timers in units.
    #[test]
    fn timers_take_units() {
        sound(
            Kind::SOA,
            "VENERA Action\\.domains 20 2h 10M 1w 1h0m0s",
            "0656454e455241076578616d706c6500 0e416374696f6e2e646f6d61696e73076578616d706c6500 \
             00000014 00001c20 00000258 00093a80 00000e10",
            "VENERA.example. Action\\.domains.example. 20 7200 600 604800 3600",
        );
        assert_eq!(
            (decimal(b"4294967295"), decimal(b"4294967296"), decimal(b"5000000000")),
            (Some(u32::MAX), None, None)
        );
        assert_eq!(period(b"1w2d3h4m5s"), Some(604_800 + 2 * 86_400 + 3 * 3_600 + 245));
        for wrong in ["", "h", "1x", "1h2", "7102w", "1h-1m"] {
            assert_eq!(period(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn numbers_have_a_range() {
        sound(Kind::MX, "65535 .", "ffff 00", "65535 .");
        for wrong in ["65536", "-1", "+1", "0x1", "1h", "99999999999999999999"] {
            let what = What::Range { field: "MX preference", max: 65_535 };
            assert_eq!(fault(Kind::MX, &format!("{wrong} .")), (0, wrong.len(), what), "{wrong}");
        }
    }
}
