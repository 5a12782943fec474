//! Octets written as hexadecimal digits.

use super::words::{Fault, What, Word, Words};

const HEX: What = What::Expected("hexadecimal digits");
const HEX_ODD: What = What::Rule("there is one hexadecimal digit too few: two make an octet");
const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// The value of a hexadecimal digit.
fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Reads all remaining words as hexadecimal digits; an octet may be cut in two by a blank.
pub(super) fn parse_hex(words: &mut Words<'_>, wire: &mut Vec<u8>, label: &'static str) -> Result<(), Fault> {
    let mut half = None;
    let mut last: Option<Word<'_>> = None;
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
        _ => Ok(()),
    }
}

/// Writes octets as hexadecimal digits.
pub(super) fn print_hex(octets: &[u8], text: &mut String) {
    for octet in octets {
        text.push(DIGITS[usize::from(octet >> 4)] as char);
        text.push(DIGITS[usize::from(octet & 15)] as char);
    }
}
