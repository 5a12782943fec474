//! Character strings: one, several, the long ones without a length, and the tag of CAA.

use std::fmt::Write;

use super::super::name::unescape;
use super::words::{Fault, What, Word, Words};

const TOO_LONG: What = What::Rule("a string is longer than 255 octets; cut it into several strings in quotes");
const BAD_ESCAPE: What = What::Rule("a backslash must be followed by a character or by three digits from 000 to 255");
const TAG: What = What::Expected("a CAA tag of 1 to 255 letters and digits, such as issue");

/// Appends the octets that a word stands for, escapes resolved.
pub(super) fn decode(word: Word<'_>, wire: &mut Vec<u8>) -> Result<(), Fault> {
    if !word.raw.contains(&b'\\') {
        wire.extend_from_slice(word.raw);
        return Ok(());
    }
    let mut rest = word.raw.iter();
    while let Some(&octet) = rest.next() {
        let at = word.raw.len() - rest.len() - 1;
        wire.push(match octet {
            b'\\' => unescape(&mut rest).ok_or_else(|| word.fault_within(at, 1, BAD_ESCAPE))?,
            plain => plain,
        });
    }
    Ok(())
}

/// Reads one string, in quotes or not.
pub(super) fn parse(words: &mut Words<'_>, wire: &mut Vec<u8>, label: &'static str) -> Result<(), Fault> {
    let word = words.take(label)?;
    let length_at = wire.len();
    wire.push(0);
    decode(word, wire)?;
    wire[length_at] = u8::try_from(wire.len() - length_at - 1).map_err(|_| word.fault(TOO_LONG))?;
    Ok(())
}

/// Reads one string or more, to the end.
pub(super) fn parse_all(words: &mut Words<'_>, wire: &mut Vec<u8>, label: &'static str) -> Result<(), Fault> {
    parse(words, wire, label)?;
    while !words.is_empty() {
        parse(words, wire, label)?;
    }
    Ok(())
}

/// Reads a string of at least `least` octets that takes no length octet.
pub(super) fn parse_long(
    words: &mut Words<'_>,
    wire: &mut Vec<u8>,
    least: usize,
    label: &'static str,
) -> Result<(), Fault> {
    let word = words.take(label)?;
    let start = wire.len();
    decode(word, wire)?;
    if wire.len() - start < least {
        return Err(word.fault(What::Missing(label)));
    }
    Ok(())
}

/// Reads the tag of a CAA record.
pub(super) fn parse_tag(words: &mut Words<'_>, wire: &mut Vec<u8>) -> Result<(), Fault> {
    let word = words.take_plain("CAA tag")?;
    match u8::try_from(word.raw.len()) {
        Ok(size) if is_tag(word.raw) => wire.push(size),
        _ => return Err(word.fault(TAG)),
    }
    wire.extend_from_slice(word.raw);
    Ok(())
}

fn is_tag(octets: &[u8]) -> bool {
    !octets.is_empty() && octets.iter().all(u8::is_ascii_alphanumeric)
}

/// How many octets the string at the start has, its length octet included.
pub(super) fn size(rest: &[u8]) -> Option<usize> {
    let size = 1 + usize::from(*rest.first()?);
    (size <= rest.len()).then_some(size)
}

/// All octets, if they are one string after another, and at least one.
pub(super) fn size_of_all(rest: &[u8]) -> Option<usize> {
    let mut at = size(rest)?;
    while at < rest.len() {
        at += size(&rest[at..])?;
    }
    Some(at)
}

/// How many octets the tag at the start has, its length octet included.
pub(super) fn size_of_tag(rest: &[u8]) -> Option<usize> {
    let size = size(rest)?;
    is_tag(&rest[1..size]).then_some(size)
}

/// Writes sound strings, each in quotes.
pub(super) fn print(mut octets: &[u8], text: &mut String) {
    while let Some(size) = size(octets) {
        print_quoted(&octets[1..size], text);
        octets = &octets[size..];
        if !octets.is_empty() {
            text.push(' ');
        }
    }
}

/// Writes octets in quotes.
pub(super) fn print_quoted(octets: &[u8], text: &mut String) {
    text.push('"');
    for &octet in octets {
        match octet {
            b'"' | b'\\' => text.extend(['\\', octet as char]),
            b' '..=b'~' => text.push(octet as char),
            _ => {
                let _ = write!(text, "\\{octet:03}"); // a String takes everything
            }
        }
    }
    text.push('"');
}

/// Writes a sound tag, without its length.
pub(super) fn print_tag(octets: &[u8], text: &mut String) {
    text.extend(octets.iter().skip(1).map(|octet| *octet as char));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Kind;
    use crate::wire::rdata::proof::{fault, sound};

    #[test]
    fn strings_stand_in_quotes_or_not() {
        sound(
            Kind::TXT,
            r#"a "b c" "" d\ e \"\\\000\200"#,
            "0161 03622063 00 03642065 04225c00c8",
            r#""a" "b c" "" "d e" "\"\\\000\200""#,
        );
        sound(Kind::HINFO, "PC \"Linux 6\"", "025043 074c696e75782036", "\"PC\" \"Linux 6\"");
        sound(Kind::TXT, "\"\u{fc}\"", "02c3bc", r#""\195\188""#);
    }

    #[test]
    fn a_string_has_a_limit() {
        let full = "a".repeat(255);
        sound(Kind::TXT, &full, &format!("ff{}", "61".repeat(255)), &format!("\"{full}\""));
        assert_eq!(fault(Kind::TXT, &format!("x {full}a")), (2, 256, TOO_LONG));
        assert_eq!(fault(Kind::TXT, ""), (0, 0, What::Missing("TXT string")));
        assert_eq!(fault(Kind::TXT, r#""ab\256""#), (3, 1, BAD_ESCAPE));
        assert_eq!(fault(Kind::HINFO, "a b c"), (4, 1, What::TooMany));
    }

    /// RFC 8659, section 4.2.
    #[test]
    fn caa() {
        sound(
            Kind::CAA,
            "0 issue \"ca1.example.net\"",
            "00 056973737565 6361312e6578616d706c652e6e6574",
            "0 issue \"ca1.example.net\"",
        );
        sound(
            Kind::CAA,
            "128 iodef mailto:a@b.example",
            "80 05696f646566 6d61696c746f3a6140622e6578616d706c65",
            "128 iodef \"mailto:a@b.example\"",
        );
        sound(Kind::CAA, "0 issue \"\"", "00 056973737565", "0 issue \"\"");
        let long = "x".repeat(300);
        sound(
            Kind::CAA,
            &format!("0 issue {long}"),
            &format!("00 056973737565{}", "78".repeat(300)),
            &format!("0 issue \"{long}\""),
        );
        assert_eq!(fault(Kind::CAA, "0 is-sue x"), (2, 6, TAG));
        assert_eq!(fault(Kind::CAA, "\\# 2 0000").1, 2);
        assert_eq!(fault(Kind::CAA, "0 issue a b"), (10, 1, What::TooMany));
        assert_eq!(fault(Kind::CAA, "0 issue"), (7, 0, What::Missing("CAA value")));
    }
}
