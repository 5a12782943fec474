//! A place on earth: LOC (RFC 1876).
//!
//! Angles are thousandths of a second of arc around 2^31, the altitude is centimetres above 100 km below the
//! reference ellipsoid, and the three sizes are one decimal digit and a power of ten of centimetres.

use std::fmt::Write;

use super::number::decimal;
use super::words::{Fault, What, Word, Words};

/// Octets of a location.
pub(super) const SIZE: usize = 16;

const LATITUDE: What = What::Expected("a latitude: degrees up to 90, then maybe minutes and seconds, then N or S");
const LONGITUDE: What = What::Expected("a longitude: degrees up to 180, then maybe minutes and seconds, then E or W");
const ALTITUDE: What = What::Expected("an altitude in metres, from -100000.00 to 42849672.95");
const EXTENT: What = What::Expected("a size or precision in metres, from 0 to 90000000.00");

const EQUATOR: u32 = 1 << 31;
const DEGREE: u32 = 3_600_000;
/// What 0 m is in the wire, in centimetres.
const SEA_LEVEL: i64 = 10_000_000;
/// Size 1 m, horizontal precision 10,000 m, vertical precision 10 m (RFC 1876, section 3).
const DEFAULTS: [u8; 3] = [0x12, 0x16, 0x13];

/// Reads a location.
pub(super) fn parse(words: &mut Words<'_>, wire: &mut Vec<u8>) -> Result<(), Fault> {
    let latitude = angle(words, 90, *b"NS", LATITUDE)?;
    let longitude = angle(words, 180, *b"EW", LONGITUDE)?;
    let altitude = altitude(words)?;
    let mut extents = DEFAULTS;
    for extent in &mut extents {
        if words.is_empty() {
            break;
        }
        let word = words.take_plain("a size")?;
        *extent = metres(word.raw).and_then(mantissa_and_power).ok_or_else(|| word.fault(EXTENT))?;
    }
    wire.push(0);
    wire.extend_from_slice(&extents);
    for number in [latitude, longitude, altitude] {
        wire.extend(number.to_be_bytes());
    }
    Ok(())
}

/// Reads `52 22 23.000 N`: up to three numbers, then a letter; the first of `letters` is the positive one.
fn angle(words: &mut Words<'_>, degrees_max: u32, letters: [u8; 2], wrong: What) -> Result<u32, Fault> {
    let first = words.take_plain("the position")?;
    let mut word = first;
    let mut sum = 0;
    for (unit, max) in [(DEGREE, degrees_max), (60_000, 59), (1, 59_999)] {
        let number = if unit == 1 { fixed(word.raw, 3) } else { decimal(word.raw).map(u64::from) };
        match number.and_then(|number| u32::try_from(number).ok()) {
            Some(number) if number <= max => sum += number * unit,
            _ => return Err(word.fault(wrong)),
        }
        word = words.take_plain("a letter for the direction")?;
        match direction(word, letters) {
            Some(_) if sum > degrees_max * DEGREE => return Err(first.fault(wrong)),
            Some(true) => return Ok(EQUATOR + sum),
            Some(false) => return Ok(EQUATOR - sum),
            None => (),
        }
    }
    Err(word.fault(wrong))
}

fn direction(word: Word<'_>, [positive, negative]: [u8; 2]) -> Option<bool> {
    match word.raw {
        [letter] if letter.eq_ignore_ascii_case(&positive) => Some(true),
        [letter] if letter.eq_ignore_ascii_case(&negative) => Some(false),
        _ => None,
    }
}

fn altitude(words: &mut Words<'_>) -> Result<u32, Fault> {
    let word = words.take_plain("LOC altitude")?;
    let (sign, digits) = match word.raw {
        [b'-', digits @ ..] => (-1, digits),
        digits => (1, digits),
    };
    let centimetres = metres(digits).and_then(|size| i64::try_from(size).ok()).map(|size| SEA_LEVEL + sign * size);
    centimetres.and_then(|number| u32::try_from(number).ok()).ok_or_else(|| word.fault(ALTITUDE))
}

/// Centimetres, of metres with up to two decimals and maybe an `m`.
fn metres(text: &[u8]) -> Option<u64> {
    fixed(text.strip_suffix(b"m").or_else(|| text.strip_suffix(b"M")).unwrap_or(text), 2)
}

/// A number with up to so many decimals, times ten to that power.
fn fixed(text: &[u8], decimals: usize) -> Option<u64> {
    let (whole, part) = match text.iter().position(|octet| *octet == b'.') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &b"0"[..]),
    };
    if part.len() > decimals {
        return None;
    }
    let power = |count: usize| 10u64.pow(count as u32);
    Some(u64::from(decimal(whole)?) * power(decimals) + u64::from(decimal(part)?) * power(decimals - part.len()))
}

/// The two digits that a size is; what they cannot express is rounded down, as by everybody else.
fn mantissa_and_power(mut centimetres: u64) -> Option<u8> {
    let mut power = 0;
    while centimetres > 9 {
        centimetres /= 10;
        power += 1;
    }
    (power <= 9).then_some((centimetres as u8) << 4 | power)
}

/// Whether octets begin with a location that is on earth (RFC 1876, section 2; only version 0 is defined). Nothing
/// times a power of ten has no text that would tell the power, and is refused, as by BIND.
pub(super) fn is_sound(rest: &[u8]) -> bool {
    let Some((extents, angles)) = rest.get(..12).map(|octets| octets.split_at(4)) else { return false };
    let within = |octets: &[u8], degrees: u32| {
        let angle = octets.iter().fold(0u32, |number, octet| number << 8 | u32::from(*octet));
        angle.abs_diff(EQUATOR) <= degrees * DEGREE
    };
    extents[0] == 0
        && extents[1..].iter().all(|extent| *extent == 0 || (1..=9).contains(&(extent >> 4)) && extent & 15 <= 9)
        && within(&angles[..4], 90)
        && within(&angles[4..], 180)
}

/// Writes a sound location.
pub(super) fn print(octets: &[u8], text: &mut String) -> Option<()> {
    let [_, extents @ .., _, _, _, _, _, _, _, _, _, _, _, _] = octets else { return None };
    let number = |at: usize| Some(u32::from_be_bytes(octets.get(at..at + 4)?.try_into().ok()?));
    print_angle(number(4)?, ["N", "S"], text)?;
    print_angle(number(8)?, ["E", "W"], text)?;
    let altitude = i64::from(number(12)?) - SEA_LEVEL;
    let sign = if altitude < 0 { "-" } else { "" };
    let altitude = altitude.unsigned_abs();
    write!(text, "{sign}{}.{:02}m", altitude / 100, altitude % 100).ok()?;
    for extent in extents {
        let centimetres = u64::from(extent >> 4) * 10u64.pow(u32::from(extent & 15));
        match centimetres {
            ..100 => write!(text, " 0.{centimetres:02}m").ok()?,
            _ => write!(text, " {}m", centimetres / 100).ok()?,
        }
    }
    Some(())
}

fn print_angle(angle: u32, [positive, negative]: [&str; 2], text: &mut String) -> Option<()> {
    let size = angle.abs_diff(EQUATOR);
    let (degrees, minutes, seconds) = (size / DEGREE, size / 60_000 % 60, size % 60_000);
    let letter = if angle < EQUATOR { negative } else { positive };
    write!(text, "{degrees} {minutes} {}.{:03} {letter} ", seconds / 1_000, seconds % 1_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Kind;
    use crate::wire::rdata::proof::{fault, sound};

    /// RFC 1876, section 4 and appendix A.
    #[test]
    fn places() {
        sound(
            Kind::LOC,
            "42 21 54 N 71 06 18 W -24m 30m",
            "00 331613 89172dd0 70be15f0 00988d20",
            "42 21 54.000 N 71 6 18.000 W -24.00m 30m 10000m 10m",
        );
        sound(
            Kind::LOC,
            "52 14 05 n 00 08 50 e 10.5",
            "00 121613 8b3556c8 80081650 00989a9a",
            "52 14 5.000 N 0 8 50.000 E 10.50m 1m 10000m 10m",
        );
        let corner = format!("{:08x} {:08x} 00000000", EQUATOR - 90 * DEGREE, EQUATOR - 180 * DEGREE);
        sound(
            Kind::LOC,
            "90 S 180 W -100000.00 0.99 90000000.00 0m",
            &format!("00 919900 {corner}"),
            "90 0 0.000 S 180 0 0.000 W -100000.00m 0.90m 90000000m 0.00m",
        );
    }

    #[test]
    fn faults() {
        for (wrong, at, size, what) in [
            ("91 N 0 E 0", 0, 2, LATITUDE),
            ("90 0 0.001 N 0 E 0", 0, 2, LATITUDE),
            ("1 60 N 0 E 0", 2, 2, LATITUDE),
            ("1 0 60 N 0 E 0", 4, 2, LATITUDE),
            ("1 0 0 0 N 0 E 0", 6, 1, LATITUDE),
            ("1 E 0 N 0", 2, 1, LATITUDE),
            ("1 N 181 E 0", 4, 3, LONGITUDE),
            ("1 N 1 1 1.0001 E 0", 8, 6, LONGITUDE),
            ("1 N 1 E x", 8, 1, ALTITUDE),
            ("1 N 1 E -100000.01", 8, 10, ALTITUDE),
            ("1 N 1 E 0 100000000m", 10, 10, EXTENT),
            ("1 N 1 E", 7, 0, What::Missing("LOC altitude")),
            ("1 N 1 E 0 1 2 3 4", 16, 1, What::TooMany),
        ] {
            assert_eq!(fault(Kind::LOC, wrong), (at, size, what), "{wrong}");
        }
        assert_eq!(fault(Kind::LOC, "\\# 16 01121613 80000000 80000000 00989680").1, 2);
        assert_eq!(fault(Kind::LOC, "\\# 16 00011613 80000000 80000000 00989680").1, 2);
        assert_eq!(fault(Kind::LOC, "\\# 16 00121a13 80000000 80000000 00989680").1, 2);
        assert_eq!(fault(Kind::LOC, "\\# 16 00a21613 80000000 80000000 00989680").1, 2);
    }
}
