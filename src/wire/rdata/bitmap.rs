//! Sets of record types as bits: the windows of NSEC, NSEC3 and CSYNC (RFC 4034, section 4.1.2), and the one
//! map of NXT (RFC 2535, section 5.2).

use super::mnemonic::{kind, print_type};
use super::words::{Fault, What, Words};

const LABEL: &str = "a record type";
const OLD: What = What::Expected("a record type from 1 to 127, as NXT knows no other");

/// Reads all remaining words as record types, `least` of them at least, in any order.
pub(super) fn parse(words: &mut Words<'_>, wire: &mut Vec<u8>, least: usize) -> Result<(), Fault> {
    if least > 0 && words.is_empty() {
        return words.take(LABEL).map(|_| ());
    }
    let again = words.clone();
    let mut low = [0; 32];
    let mut has_high = false;
    while !words.is_empty() {
        match kind(words.take_plain(LABEL)?)?.0.to_be_bytes() {
            [0, bit] => set(&mut low, bit),
            _ => has_high = true,
        }
    }
    push_window(0, &low, wire);
    if has_high { parse_high(again, wire) } else { Ok(()) }
}

/// The windows behind the first, which few records have: 8 KiB of bits would cost all the others too much.
fn parse_high(mut words: Words<'_>, wire: &mut Vec<u8>) -> Result<(), Fault> {
    let mut windows = [[0; 32]; 256];
    while !words.is_empty() {
        let [window, bit] = kind(words.take_plain(LABEL)?)?.0.to_be_bytes();
        set(&mut windows[usize::from(window)], bit);
    }
    for (window, bits) in (0..=u8::MAX).zip(&windows).skip(1) {
        push_window(window, bits, wire);
    }
    Ok(())
}

fn set(bits: &mut [u8; 32], bit: u8) {
    bits[usize::from(bit / 8)] |= 0x80 >> (bit % 8);
}

/// Appends a window up to its last octet that is not zero; nothing, if there is none.
fn push_window(window: u8, bits: &[u8; 32], wire: &mut Vec<u8>) {
    if let Some(last) = bits.iter().rposition(|octet| *octet != 0) {
        wire.extend([window, last as u8 + 1]);
        wire.extend_from_slice(&bits[..=last]);
    }
}

/// Whether octets are windows in ascending order, none empty, none with a zero octet at its end, and enough of them.
pub(super) fn is_sound(mut octets: &[u8], least: usize) -> bool {
    if octets.len() < least {
        return false;
    }
    let mut next = 0;
    while let [window, size @ 1..=32, rest @ ..] = octets {
        let Some((bits, rest)) = rest.split_at_checked(usize::from(*size)) else { return false };
        if u16::from(*window) < next || bits.last() == Some(&0) {
            return false;
        }
        next = u16::from(*window) + 1;
        octets = rest;
    }
    octets.is_empty()
}

/// Writes the types of sound windows.
pub(super) fn print(mut octets: &[u8], text: &mut String) {
    let start = text.len();
    while let [window, size, rest @ ..] = octets {
        let (bits, rest) = rest.split_at(rest.len().min(usize::from(*size)));
        print_bits(*window, bits, start, text);
        octets = rest;
    }
}

/// Writes the types of one window; a blank before each but the first of the field, which began at `start`.
fn print_bits(window: u8, bits: &[u8], start: usize, text: &mut String) {
    for bit in 0..=u8::MAX {
        if bits.get(usize::from(bit / 8)).is_some_and(|octet| octet & (0x80 >> (bit % 8)) != 0) {
            if text.len() > start {
                text.push(' ');
            }
            let _ = print_type(&[window, bit], text); // two octets are always a type
        }
    }
}

/// Reads all remaining words as record types below 128.
pub(super) fn parse_old(words: &mut Words<'_>, wire: &mut Vec<u8>) -> Result<(), Fault> {
    let start = wire.len();
    while !words.is_empty() {
        let word = words.take_plain(LABEL)?;
        let number = match kind(word)?.0 {
            number @ 1..=127 => number,
            _ => return Err(word.fault(OLD)),
        };
        let at = start + usize::from(number / 8);
        wire.resize(wire.len().max(at + 1), 0);
        wire[at] |= 0x80 >> (number % 8);
    }
    if wire.len() == start { words.take(LABEL).map(|_| ()) } else { Ok(()) }
}

/// Whether octets are a map of types below 128 with something in it and no zero octet at its end.
pub(super) fn is_sound_old(octets: &[u8]) -> bool {
    octets.len() <= 16 && octets.last().is_some_and(|last| *last != 0) && octets[0] & 0x80 == 0
}

/// Writes the types of a sound map.
pub(super) fn print_old(octets: &[u8], text: &mut String) {
    print_bits(0, octets, text.len(), text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Kind;
    use crate::wire::rdata::proof::{fault, sound};

    /// RFC 4034, section 4.3; RFC 7477, section 2.1.3; RFC 2535, section 5.3.
    #[test]
    fn types_are_bits() {
        sound(
            Kind::NSEC,
            "host.example.com. TYPE1234 ( nsec MX RRSIG A a )",
            "04686f7374076578616d706c6503636f6d00 0006400100000003 041b000000000000000000000000000000000000000000000000000020",
            "host.example.com. A MX RRSIG NSEC TYPE1234",
        );
        sound(Kind::CSYNC, "66 3 A NS AAAA", "00000042 0003 000460000008", "66 3 A NS AAAA");
        sound(Kind::CSYNC, "66 3", "00000042 0003", "66 3");
        sound(
            Kind::NSEC,
            ". TYPE65535 TYPE0",
            "00 000180 ff20".replace("ff20", &format!("ff20{}01", "00".repeat(31))).as_str(),
            ". TYPE0 TYPE65535",
        );
        sound(
            Kind::NXT,
            "medium.foo.tld. A MX SIG NXT",
            "066d656469756d03666f6f03746c6400 40010082",
            "medium.foo.tld. A MX SIG NXT",
        );
    }

    #[test]
    fn faults() {
        assert_eq!(fault(Kind::NSEC, "a."), (2, 0, What::Missing(LABEL)));
        assert_eq!(fault(Kind::NSEC, "a. A AX").0, 5);
        assert_eq!(fault(Kind::NXT, "a. A TYPE128"), (5, 7, OLD));
        for unsound in ["000100", "0000", "0140", "0021", "00014000", "010140000140", "00014000014 0"] {
            let text = format!("\\# {} 00 {unsound}", 1 + unsound.replace(' ', "").len() / 2);
            assert!(!matches!(fault(Kind::NSEC, &text).2, What::Missing(_)), "{unsound}");
        }
    }
}
