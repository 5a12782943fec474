//! What the tests of all fields share: one line says the text, the octets and the text that comes back.

mod examples;
mod properties;
mod random;

use super::{What, Word, Words, cut, parse, print, verify};
use crate::wire::{Kind, Name};

/// Reads text with the origin `example.`
pub(super) fn octets(kind: Kind, text: &str) -> Result<Vec<u8>, super::Fault> {
    let mut words: Vec<Word<'_>> = Vec::new();
    cut(text.as_bytes(), &mut words)?;
    let origin: Name = "example.".parse().unwrap();
    let mut wire = b"before".to_vec();
    let read = parse(kind, &mut Words::new(&words, text.len()), origin.borrow(), &mut wire);
    assert!(wire.starts_with(b"before"));
    if read.is_err() {
        assert_eq!(wire, b"before", "{kind} {text}");
    }
    read.map(|()| wire[6..].to_vec())
}

/// Writes octets as text.
pub(super) fn printed(kind: Kind, rdata: &[u8]) -> String {
    let mut text = String::new();
    print(kind, rdata, &mut text);
    text
}

/// The text is read as `hex`, and `hex` is written as `back`, which is read as `hex` again.
#[track_caller]
pub(super) fn sound(kind: Kind, text: &str, hex: &str, back: &str) {
    let digits: Vec<u8> = hex.bytes().filter(|octet| !octet.is_ascii_whitespace()).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let expected: Vec<u8> = digits.chunks(2).map(pair).collect();
    assert_eq!(octets(kind, text).as_deref(), Ok(&expected[..]), "{kind} {text}");
    assert!(verify(kind, &expected), "{kind} {text}");
    assert_eq!(printed(kind, &expected), back);
    assert_eq!(octets(kind, back).as_deref(), Ok(&expected[..]), "{kind} {back}");
}

/// Where the text is wrong, how wide, and why.
#[track_caller]
pub(super) fn fault(kind: Kind, text: &str) -> (usize, usize, What) {
    let fault = octets(kind, text).unwrap_err();
    (fault.at, fault.size, fault.what)
}
