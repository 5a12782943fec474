//! Names, TTLs and values as people give them one at a time, to the admin API and on the command line.
//!
//! They are those of a zone file, with two differences. Unicode names are taken and converted to A-labels (RFC 5891; in a
//! file an octet is an octet). And a text with blanks must stand in quotes: in a file `TXT v=spf1 -all` is two strings
//! which no blank joins again, and nobody who types that means it.

use std::borrow::Cow;

use crate::wire::rdata::{self, What, Word, Words};
use crate::wire::{Kind, Name, NameFault, NameRef};
use crate::zone::{Fault, Place};

use super::trouble::{DataTrouble, DirectiveTrouble, OwnerTrouble, Trouble};
use super::{ttl as ttls, wording};

/// Types whose data holds domain names and no plain text, so that whatever is not ASCII there is a name.
const KINDS_WITH_NAMES: [Kind; 11] = [
    Kind::NS,
    Kind::CNAME,
    Kind::DNAME,
    Kind::PTR,
    Kind::MX,
    Kind::SRV,
    Kind::SOA,
    Kind::SVCB,
    Kind::HTTPS,
    Kind::AFSDB,
    Kind::KX,
];

/// Reads a name; one without a final dot is completed with `origin`, and `@` is the origin itself.
pub fn name(text: &str, origin: NameRef<'_>) -> Result<Name, Fault> {
    let ascii = ascii(text).ok_or_else(|| not_unicode(text))?;
    Name::parse(ascii.as_bytes(), Some(origin)).map_err(|fault| bad_name(text, fault))
}

/// Reads a TTL: seconds, or numbers with units as in `1h30m`.
pub fn ttl(text: &str) -> Result<u32, Fault> {
    ttls::parse(text.as_bytes())
        .map_err(|fault| wording::fault(None, &Trouble::Directive(DirectiveTrouble::Ttl(fault)), text.as_bytes()))
}

/// Reads the data of one record. Relative names are completed with `origin`. A fault's place is in `text`.
pub fn value(kind: Kind, text: &str, origin: NameRef<'_>) -> Result<Box<[u8]>, Fault> {
    let told = |fault: &rdata::Fault| {
        let start = fault.at.min(text.len());
        let culprit = &text.as_bytes()[start..(start + fault.size).min(text.len())];
        let trouble = Trouble::Data(DataTrouble::Unfit(kind, fault.what.clone()));
        wording::fault(Some(place(text, start, culprit.len())), &trouble, culprit)
    };
    let mut words = Vec::new();
    rdata::cut(text.as_bytes(), &mut words).map_err(|fault| told(&fault))?;
    text_in_quotes(kind, &words).map_err(|fault| told(&fault))?;
    let converted = convert(kind, &words)?;
    let words: Vec<_> = words.iter().zip(&converted).map(|(word, raw)| Word { raw: raw.as_ref(), ..*word }).collect();
    let mut data = Vec::new();
    let read = rdata::parse(kind, &mut Words::new(&words, text.len()), origin, &mut data);
    read.map_err(|fault| told(&fault))?;
    Ok(data.into())
}

fn text_in_quotes(kind: Kind, words: &[Word<'_>]) -> Result<(), rdata::Fault> {
    const RULE: What = What::Rule("a text with blanks must stand in quotes, or the blanks are lost");
    let is_text = matches!(kind, Kind::TXT | Kind::SPF) && words.first().is_some_and(|word| word.raw != b"\\#");
    match words.iter().find(|word| !word.quoted) {
        Some(word) if is_text && words.len() > 1 => Err(word.fault(RULE)),
        Some(_) | None => Ok(()),
    }
}

/// The words with their Unicode names in ASCII.
fn convert<'w>(kind: Kind, words: &[Word<'w>]) -> Result<Vec<Cow<'w, [u8]>>, Fault> {
    let convert = |word: &Word<'w>| match std::str::from_utf8(word.raw) {
        Ok(text) if KINDS_WITH_NAMES.contains(&kind) && !word.quoted && !text.is_ascii() && !text.contains('=') => {
            let name = ascii(text).ok_or_else(|| not_unicode(text))?;
            Ok(Cow::Owned(name.into_owned().into_bytes()))
        }
        Ok(_) | Err(_) => Ok(Cow::Borrowed(word.raw)),
    };
    words.iter().map(convert).collect()
}

/// A name in ASCII: as it is, or each of its Unicode labels as an A-label. `None` if Unicode forbids it, or if it has
/// escapes as well, which nobody could tell apart afterwards.
fn ascii(text: &str) -> Option<Cow<'_, str>> {
    match text.is_ascii() {
        true => Some(Cow::Borrowed(text)),
        false if text.contains('\\') => None,
        // No list of forbidden ASCII: `_dmarc` and `*` are names as well.
        false => idna::domain_to_ascii_cow(text.as_bytes(), idna::AsciiDenyList::EMPTY).ok(),
    }
}

fn not_unicode(text: &str) -> Fault {
    let message = format!("{} is not an internationalized domain name", wording::quote(text.as_bytes()));
    Fault::error(None, message, "correct it, or write it in its ASCII form, which begins with xn--")
}

fn bad_name(text: &str, fault: NameFault) -> Fault {
    wording::fault(None, &Trouble::Owner(OwnerTrouble::Name(fault)), text.as_bytes())
}

fn place(text: &str, at: usize, size: usize) -> Place {
    let before = &text.as_bytes()[..at];
    let line = before.iter().filter(|octet| **octet == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|octet| **octet != b'\n').count() + 1;
    let narrow = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
    Place { file: 0, line: u32::try_from(line).unwrap_or(u32::MAX), column: narrow(column), width: narrow(size) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> Name {
        "home.example".parse().unwrap()
    }

    #[test]
    fn names_in_unicode_become_ascii() {
        let name = |text| name(text, home().borrow()).map(|name| name.to_string()).map_err(|fault| fault.message);
        for (text, expected) in [
            ("@", "home.example."),
            ("www", "www.home.example."),
            ("Bücher", "xn--bcher-kva.home.example."),
            ("_dmarc.bücher.example.", "_dmarc.xn--bcher-kva.example."),
            ("*.例え", "*.xn--r8jz45g.home.example."),
        ] {
            assert_eq!(name(text).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(name("bü\\.x").unwrap_err(), "\"bü\\.x\" is not an internationalized domain name");
        assert!(name("a..b").unwrap_err().contains("empty label"));
        assert!(name("\u{ad}").is_err(), "nothing is left of a soft hyphen");
    }

    fn printed(kind: Kind, text: &str) -> Result<String, (String, u16)> {
        let data = value(kind, text, home().borrow());
        let data = data.map_err(|fault| (fault.message, fault.place.map_or(0, |place| place.column)))?;
        let mut text = String::new();
        rdata::print(kind, &data, &mut text);
        Ok(text)
    }

    #[test]
    fn values_are_those_of_a_zone_file() {
        for (kind, text, expected) in [
            (Kind::A, " 192.0.2.7 ", "192.0.2.7"),
            (Kind::MX, "10 mail", "10 mail.home.example."),
            (Kind::MX, "10 bücher.example.", "10 xn--bcher-kva.example."),
            (Kind::TXT, "\"v=spf1 -all\"", "\"v=spf1 -all\""),
            (Kind::TXT, "\"grün\" \"b\"", "\"gr\\195\\188n\" \"b\""),
            (Kind::TXT, "plain", "\"plain\""),
            (Kind::TXT, "\\# 2 0161", "\"a\""),
            (Kind(65_280), "\\# 1 ff", "\\# 1 FF"),
        ] {
            assert_eq!(printed(kind, text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_fault_says_which_word_and_what_was_expected() {
        for (kind, text, expected, column) in [
            (Kind::A, "192.0.2.256", "found \"192.0.2.256\"", 1),
            (Kind::MX, "70000 mail", "MX preference must be a number from 0 to 65535", 1),
            (Kind::MX, "10", "is missing in this MX record", 3),
            (Kind::TXT, "v=spf1 -all", "a text with blanks must stand in quotes", 1),
            (Kind::TXT, "v=DKIM1; k=rsa", "a semicolon must stand in quotes", 8),
            (Kind::A, "", "is missing", 1),
        ] {
            let (message, at) = printed(kind, text).unwrap_err();
            assert!(message.contains(expected) && at == column, "{text}: {message} at {at}");
        }
    }
}
