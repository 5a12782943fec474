//! The parameters of a service binding: SVCB and HTTPS (RFC 9460, section 2.1).
//!
//! In text they stand in any order; in the wire they ascend by key, and no key stands twice. [`value`] knows what
//! the value of each key is. A key is known by name or as `key123`; the value of the latter is plain octets, but
//! where the key is known they must still be sound.

mod key;
mod value;

use std::borrow::Cow;

use super::string;
use super::words::{Fault, What, Word, Words};
use key::Key;

const TWICE: What = What::Rule("this parameter stands here twice (RFC 9460, section 2.2)");
const TOO_LONG: What = What::Rule("the value of this parameter is longer than 65,535 octets");
const NOT_ALONE: What = What::Rule("no-default-alpn is only allowed together with alpn (RFC 9460, section 7.1.1)");
const NOT_THERE: What = What::Rule("mandatory names a parameter that is not here (RFC 9460, section 8)");

/// Octets in front of a value: the key and the length.
const HEAD: usize = 4;

/// Reads all remaining words as parameters; none is also a list.
pub(super) fn parse(words: &mut Words<'_>, wire: &mut Vec<u8>) -> Result<(), Fault> {
    let start = wire.len();
    let mut rules = Vec::new(); // the words of the parameters that ask for others
    while let Some(word) = words.peek() {
        let (key, value) = take(words)?;
        let at = wire.len();
        wire.extend(key.number.to_be_bytes());
        wire.extend([0, 0]);
        let octets = match value {
            Some(value) => decode(value)?,
            None => Cow::Borrowed(&[] as &[u8]),
        };
        value::parse(key, &octets, wire).map_err(|what| value.unwrap_or(word).fault(what))?;
        let size = u16::try_from(wire.len() - at - HEAD).map_err(|_| word.fault(TOO_LONG))?;
        wire[at + 2..at + HEAD].copy_from_slice(&size.to_be_bytes());
        if matches!(key.number, key::MANDATORY | key::NO_DEFAULT_ALPN) {
            rules.push((key.number, word));
        }
        sort_in(&mut wire[start..], at - start).ok_or_else(|| word.fault(TWICE))?;
    }
    for (number, word) in rules {
        check_rule(number, &wire[start..]).map_err(|what| word.fault(what))?;
    }
    Ok(())
}

/// Takes the words of one parameter: `key`, `key=value`, or `key="value"`, which a lexer may have cut in two.
fn take<'a>(words: &mut Words<'a>) -> Result<(Key, Option<Word<'a>>), Fault> {
    let word = words.take("a parameter")?;
    let Some(equals) = word.raw.iter().position(|octet| *octet == b'=') else {
        return Ok((Key::from_text(word, word.raw)?, None));
    };
    let (name, raw) = (&word.raw[..equals], &word.raw[equals + 1..]);
    let key = Key::from_text(word, name)?;
    let at = word.at + usize::from(word.quoted) + equals + 1;
    let value = match (raw, words.peek()) {
        ([], Some(next)) if next.quoted && next.at == at => words.take("the value")?,
        ([b'"', inside @ .., b'"'], _) => Word { raw: inside, quoted: true, at },
        _ => Word { raw, quoted: false, at },
    };
    Ok((key, Some(value)))
}

/// The octets that a word stands for.
fn decode(word: Word<'_>) -> Result<Cow<'_, [u8]>, Fault> {
    if !word.raw.contains(&b'\\') {
        return Ok(Cow::Borrowed(word.raw));
    }
    let mut octets = Vec::new();
    string::decode(word, &mut octets)?;
    Ok(Cow::Owned(octets))
}

/// Moves the last parameter, which begins at `last`, to its place by key; `None` if the key is there already.
fn sort_in(wire: &mut [u8], last: usize) -> Option<()> {
    let (before, new) = wire.split_at(last);
    let key = Params(new).next()?.key;
    let mut place = 0;
    for param in Params(before) {
        match param.key {
            earlier if earlier < key => place += HEAD + param.value.len(),
            earlier if earlier == key => return None,
            _ => break,
        }
    }
    let size = wire.len() - last;
    wire[place..].rotate_right(size);
    Some(())
}

/// One parameter in wire format.
struct Param<'a> {
    key: u16,
    value: &'a [u8],
}

/// The parameters in wire format, up to the first octets that are none.
struct Params<'a>(&'a [u8]);

impl<'a> Iterator for Params<'a> {
    type Item = Param<'a>;

    fn next(&mut self) -> Option<Param<'a>> {
        let [key_high, key_low, high, low, rest @ ..] = self.0 else { return None };
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
        self.0 = rest;
        Some(Param { key: u16::from_be_bytes([*key_high, *key_low]), value })
    }
}

/// Whether octets are parameters in ascending order, each sound, and none without those it asks for.
pub(super) fn is_sound(octets: &[u8]) -> bool {
    let mut params = Params(octets);
    let mut next = 0;
    for param in params.by_ref() {
        if u32::from(param.key) < next || value::check(param.key, param.value).is_err() {
            return false;
        }
        next = u32::from(param.key) + 1;
    }
    params.0.is_empty()
        && [key::MANDATORY, key::NO_DEFAULT_ALPN].iter().all(|number| check_rule(*number, octets).is_ok())
}

/// Whether the parameters that this one asks for are there.
fn check_rule(number: u16, octets: &[u8]) -> Result<(), What> {
    let has = |key: u16| Params(octets).any(|param| param.key == key);
    let Some(param) = Params(octets).find(|param| param.key == number) else { return Ok(()) };
    match number {
        key::NO_DEFAULT_ALPN if !has(key::ALPN) => Err(NOT_ALONE),
        key::MANDATORY if !key::numbers(param.value).all(has) => Err(NOT_THERE),
        _ => Ok(()),
    }
}

/// Writes sound parameters.
pub(super) fn print(octets: &[u8], text: &mut String) -> Option<()> {
    for (at, param) in Params(octets).enumerate() {
        text.push_str(if at > 0 { " " } else { "" });
        key::print(param.key, text);
        if !param.value.is_empty() {
            text.push('=');
            value::print(param.key, param.value, text)?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Kind;
    use crate::wire::rdata::proof::{fault, octets, printed, sound};

    const FOO: &str = "03666f6f 076578616d706c65 03636f6d 00";

    /// All vectors of RFC 9460, appendix D.1 and D.2.
    #[test]
    fn vectors() {
        for (text, hex, back) in [
            ("0 foo.example.com.", format!("0000 {FOO}"), "0 foo.example.com."),
            ("1 .", "0001 00".to_owned(), "1 ."),
            ("16 foo.example.com. port=53", format!("0010 {FOO} 0003 0002 0035"), "16 foo.example.com. port=53"),
            ("1 foo.example.com. key667=hello", format!("0001 {FOO} 029b 0005 68656c6c6f"), "1 foo.example.com. key667=\"hello\""),
            ("1 foo.example.com. key667=\"hello\\210qoo\"", format!("0001 {FOO} 029b 0009 68656c6c6fd2716f6f"),
                "1 foo.example.com. key667=\"hello\\210qoo\""),
            ("1 foo.example.com. ( ipv6hint=\"2001:db8::1,2001:db8::53:1\" )",
                format!("0001 {FOO} 0006 0020 20010db8000000000000000000000001 20010db8000000000000000000530001"),
                "1 foo.example.com. ipv6hint=2001:db8::1,2001:db8::53:1"),
            ("16 foo.example.org. ( alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1 )",
                "0010 03666f6f 076578616d706c65 036f7267 00 0000 0004 00010004 0001 0009 02 6832 05 68332d3139 0004 0004 c0000201".to_owned(),
                "16 foo.example.org. mandatory=alpn,ipv4hint alpn=\"h2,h3-19\" ipv4hint=192.0.2.1"),
            (r#"16 foo.example.org. alpn="f\\\\oo\\,bar,h2""#,
                "0010 03666f6f 076578616d706c65 036f7267 00 0001 000c 08 665c6f6f2c626172 02 6832".to_owned(),
                r#"16 foo.example.org. alpn="f\\\\oo\\,bar,h2""#),
            (r"16 foo.example.org. alpn=f\\\092oo\092,bar,h2",
                "0010 03666f6f 076578616d706c65 036f7267 00 0001 000c 08 665c6f6f2c626172 02 6832".to_owned(),
                r#"16 foo.example.org. alpn="f\\\\oo\\,bar,h2""#),
        ] {
            sound(Kind::SVCB, text, &hex, back);
            sound(Kind::HTTPS, text, &hex, back);
        }
    }

    /// All vectors of RFC 9460, appendix D.3, and more.
    #[test]
    fn failures() {
        for (params, at, size) in [
            ("key123=abc key123=def", 13, 10),
            ("mandatory", 2, 9),
            ("alpn", 2, 4),
            ("port", 2, 4),
            ("ipv4hint", 2, 8),
            ("ipv6hint", 2, 8),
            ("ech", 2, 3),
            ("alpn=h2 no-default-alpn=abc", 26, 3),
            ("mandatory=key123", 2, 16),
            ("mandatory=mandatory", 12, 9),
            ("mandatory=key123,key123 key123=abc", 12, 13),
            ("no-default-alpn", 2, 15),
            ("port=65536", 7, 5),
            ("port=", 7, 0),
            ("alpn=h2,,h3", 7, 6),
            ("alpn=\"h2,\"", 7, 5),
            ("ipv4hint=192.0.2.1,", 11, 10),
            ("ipv6hint=192.0.2.1", 11, 9),
            ("ech=AA", 6, 2),
            ("ohttp=1", 8, 1),
            ("dohpath=/dns-query", 10, 10),
            ("key3=a", 7, 1),
            ("key65536=a", 2, 8),
            ("key01=a", 2, 5),
            ("nokey=a", 2, 5),
            ("ALPN=h2", 2, 4),
            ("=a", 2, 0),
            (r"key9=\256", 7, 1),
        ] {
            let text = format!(". {params}");
            let found = fault(Kind::SVCB, &format!("1 {text}"));
            assert_eq!((found.0, found.1), (at + 2, size), "{params}: {}", found.2);
        }
    }

    #[test]
    fn keys_of_younger_documents() {
        sound(
            Kind::HTTPS,
            "1 . alpn=h3 no-default-alpn ech=AAECAw== dohpath=/q{?dns} ohttp",
            "0001 00 0001 0003 02 6833 0002 0000 0005 0004 00010203 0007 0008 2f717b3f646e737d 0008 0000",
            "1 . alpn=\"h3\" no-default-alpn ech=AAECAw== dohpath=\"/q{?dns}\" ohttp",
        );
        sound(Kind::SVCB, r#"1 . alpn="a\\,""#, "0001 00 0001 0003 02 612c", r#"1 . alpn="a\\,""#);
        sound(
            Kind::HTTPS,
            r"1 . key1=\002h2 key3=\001\187 key9=",
            "0001 00 0001 0003 02 6832 0003 0002 01bb 0009 0000",
            "1 . alpn=\"h2\" port=443 key9",
        );
    }

    #[test]
    fn a_value_in_quotes_is_one_word_or_two() {
        let whole = [
            Word { raw: b"1", quoted: false, at: 0 },
            Word { raw: b".", quoted: false, at: 2 },
            Word { raw: b"alpn=\"h2,h3\"", quoted: false, at: 4 },
        ];
        let mut wire = Vec::new();
        let origin: crate::wire::Name = ".".parse().unwrap();
        super::super::parse(Kind::SVCB, &mut Words::new(&whole, 16), origin.borrow(), &mut wire).unwrap();
        assert_eq!(Ok(wire), octets(Kind::SVCB, "1 . alpn=\"h2,h3\""));
    }

    #[test]
    fn what_is_out_of_order_is_not_sound() {
        for hex in [
            "0001000302683300010003026832",
            "000300020035 0001000302683200",
            "0000000200010003000200 35",
            "00020000",
            "0003",
        ] {
            let digits: Vec<u8> = format!("000100{hex}").bytes().filter(|octet| *octet != b' ').collect();
            let wire: Vec<u8> = digits
                .chunks(2)
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
                .collect();
            assert!(printed(Kind::SVCB, &wire).starts_with("\\#"), "{hex}");
        }
    }
}
