//! The moments between which a signature holds: `YYYYMMDDHHMMSS` or seconds since 1970 (RFC 4034, section 3.2).
//!
//! The wire has 32 bits, which wrap in 2106. Earlier and later years are accepted in text and wrap, as BIND has it,
//! which writes such years. What the wire holds is written here as a moment between 1970 and 2106, because this
//! floor reads no clock to know better.

use std::fmt::Write;

use super::number::decimal;
use super::words::{Fault, What, Words};

const WRITTEN: What = What::Expected("a time as YYYYMMDDHHMMSS, or as seconds since 1970");
const DAY: i64 = 86_400;
/// The first year of the calendar that BIND accepts; no signature is older.
const YEAR_MIN: i64 = 1601;

/// Reads a moment and appends its 32 bits.
pub(super) fn parse(words: &mut Words<'_>, wire: &mut Vec<u8>, label: &'static str) -> Result<(), Fault> {
    let word = words.take_plain(label)?;
    let seconds = if word.raw.len() == 14 { moment(word.raw) } else { decimal(word.raw) };
    wire.extend(seconds.ok_or_else(|| word.fault(WRITTEN))?.to_be_bytes());
    Ok(())
}

/// Writes a moment as `YYYYMMDDHHMMSS`.
pub(super) fn print(octets: &[u8], text: &mut String) -> Option<()> {
    let seconds = i64::from(u32::from_be_bytes(octets.try_into().ok()?));
    let (mut days, rest) = (seconds / DAY, seconds % DAY);
    let mut year = 1970;
    while days >= days_before(year + 1) - days_before(1970) {
        year += 1;
    }
    days -= days_before(year) - days_before(1970);
    let mut month = 1;
    while days >= days_of_month(year, month) {
        days -= days_of_month(year, month);
        month += 1;
    }
    let (day, hour, minute, second) = (days + 1, rest / 3_600, rest / 60 % 60, rest % 60);
    write!(text, "{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}").ok()
}

/// The seconds since 1970 of 14 digits, modulo 2^32.
fn moment(digits: &[u8]) -> Option<u32> {
    let number = |from: usize, to: usize| decimal(&digits[from..to]).map(i64::from);
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    let exists = year >= YEAR_MIN
        && (1..=12).contains(&month)
        && (1..=days_of_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !exists {
        return None;
    }
    let months: i64 = (1..month).map(|month| days_of_month(year, month)).sum();
    let days = days_before(year) - days_before(1970) + months + day - 1;
    Some((days * DAY + hour * 3_600 + minute * 60 + second) as u32)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && year % 100 != 0 || year % 400 == 0
}

/// How many days there are from the year 1 to the beginning of this year.
fn days_before(year: i64) -> i64 {
    let full = year - 1;
    full * 365 + full / 4 - full / 100 + full / 400
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_seconds() {
        for (text, seconds) in [
            ("19700101000000", 0),
            ("20030322173103", 1_048_354_263), // RFC 4034, section 3.3
            ("20000229235959", 951_868_799),
            ("20010909014640", 1_000_000_000),
            ("21060207062815", u32::MAX),
        ] {
            assert_eq!(moment(text.as_bytes()), Some(seconds), "{text}");
            let mut back = String::new();
            print(&seconds.to_be_bytes(), &mut back);
            assert_eq!(back, text);
        }
        assert_eq!(moment(b"21060207062816"), Some(0));
        assert_eq!(moment(b"19691231235959"), Some(u32::MAX));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for wrong in [
            "16001231235959",
            "20010229000000",
            "20011301000000",
            "20010001000000",
            "20010100000000",
            "20010101240000",
            "20010101006000",
            "20010101000060",
            "2001010100000x",
        ] {
            assert_eq!(moment(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
