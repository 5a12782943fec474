//! What the value of each service parameter is, in text and in the wire.

use super::super::words::What;
use super::super::{address, encoded, number, string};
use super::key::{self, Key};

const MANDATORY: What =
    What::Rule("mandatory must be a list of other parameters, each once, such as alpn,port (RFC 9460, section 8)");
const ALPN: What =
    What::Rule("alpn must be a list of protocols of 1 to 255 octets, such as h2,h3 (RFC 9460, section 7.1.1)");
const PORT: What = What::Range { field: "port", max: 65_535 };
const IPV4HINT: What = What::Rule("ipv4hint must be a list of IPv4 addresses, such as 192.0.2.1,192.0.2.2");
const IPV6HINT: What = What::Rule("ipv6hint must be a list of IPv6 addresses, such as 2001:db8::1,2001:db8::2");
const ECH: What = What::Rule("ech must be an ECHConfigList in Base64");
const DOHPATH: What =
    What::Rule("dohpath must be a path with the variable dns, such as /dns-query{?dns} (RFC 9461, section 5)");
const NO_VALUE: What = What::Rule("this parameter takes no value");

/// Appends the value of a parameter, given the octets that its text stands for.
pub(super) fn parse(key: Key, octets: &[u8], wire: &mut Vec<u8>) -> Result<(), What> {
    let start = wire.len();
    let read = match key.number {
        _ if key.is_generic => {
            wire.extend_from_slice(octets);
            Some(())
        }
        key::MANDATORY => parse_mandatory(octets, wire),
        key::ALPN => parse_alpn(octets, wire),
        key::PORT => number::decimal(octets)
            .and_then(|port| u16::try_from(port).ok())
            .map(|port| wire.extend(port.to_be_bytes())),
        key::IPV4HINT => each(octets, |item| address::ipv4(item).map(|octets| wire.extend(octets))),
        key::IPV6HINT => each(octets, |item| address::ipv6(item).map(|octets| wire.extend(octets))),
        key::ECH => encoded::base64(octets, wire),
        _ => {
            wire.extend_from_slice(octets);
            Some(())
        }
    };
    match read {
        Some(()) => check(key.number, &wire[start..]),
        None => Err(wrong(key.number)),
    }
}

fn each(list: &[u8], item: impl FnMut(&[u8]) -> Option<()>) -> Option<()> {
    list.split(|octet| *octet == b',').try_for_each(item)
}

fn parse_mandatory(list: &[u8], wire: &mut Vec<u8>) -> Option<()> {
    let start = wire.len();
    each(list, |name| key::named(name).map(|number| wire.extend(number.to_be_bytes())))?;
    let mut numbers: Vec<u16> = key::numbers(&wire[start..]).collect();
    numbers.sort_unstable();
    wire.truncate(start);
    wire.extend(numbers.into_iter().flat_map(u16::to_be_bytes));
    Some(())
}

/// A comma inside a protocol is written `\,` and a backslash `\\` (RFC 9460, appendix A.1).
fn parse_alpn(list: &[u8], wire: &mut Vec<u8>) -> Option<()> {
    let mut rest = list.iter();
    while parse_protocol(&mut rest, wire)? {}
    Some(())
}

/// Appends one protocol behind its length; returns whether a comma follows.
fn parse_protocol(rest: &mut std::slice::Iter<'_, u8>, wire: &mut Vec<u8>) -> Option<bool> {
    let length_at = wire.len();
    wire.push(0);
    let has_next = loop {
        match rest.next() {
            None => break false,
            Some(b',') => break true,
            Some(b'\\') => wire.push(*rest.next().filter(|octet| matches!(octet, b',' | b'\\'))?),
            Some(octet) => wire.push(*octet),
        }
    };
    wire[length_at] = u8::try_from(wire.len() - length_at - 1).ok()?;
    Some(has_next)
}

/// What is wrong with a value of this key.
fn wrong(key: u16) -> What {
    match key {
        key::MANDATORY => MANDATORY,
        key::ALPN => ALPN,
        key::PORT => PORT,
        key::IPV4HINT => IPV4HINT,
        key::IPV6HINT => IPV6HINT,
        key::ECH => ECH,
        key::DOHPATH => DOHPATH,
        _ => NO_VALUE,
    }
}

/// Whether octets are a sound value; of keys we do not know, all are.
pub(super) fn check(key: u16, value: &[u8]) -> Result<(), What> {
    let is_sound = match key {
        key::MANDATORY => {
            let numbers = key::numbers(value);
            !value.is_empty()
                && value.len().is_multiple_of(2)
                && numbers.clone().all(|number| number != key::MANDATORY)
                && numbers.is_sorted_by(|a, b| a < b)
        }
        key::ALPN => {
            protocols(value).all(|protocol| protocol.is_some_and(|octets| !octets.is_empty())) && !value.is_empty()
        }
        key::PORT => value.len() == 2,
        key::IPV4HINT => !value.is_empty() && value.len().is_multiple_of(4),
        key::IPV6HINT => !value.is_empty() && value.len().is_multiple_of(16),
        key::ECH => !value.is_empty(),
        key::DOHPATH => is_dohpath(value),
        key::NO_DEFAULT_ALPN | key::OHTTP => value.is_empty(),
        _ => true,
    };
    if is_sound { Ok(()) } else { Err(wrong(key)) }
}

/// The protocols of `alpn`; `None` and the end where the octets are cut short.
fn protocols(mut value: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    std::iter::from_fn(move || {
        let (size, rest) = value.split_first()?;
        let split = rest.split_at_checked(usize::from(*size));
        value = split.map_or(&[], |(_, rest)| rest);
        Some(split.map(|(protocol, _)| protocol))
    })
}

/// Whether octets look like a URI template relative to the origin, with the variable `dns` (RFC 9461, section 5).
fn is_dohpath(value: &[u8]) -> bool {
    let expressions =
        || value.split(|octet| *octet == b'{').skip(1).filter_map(|part| part.split(|octet| *octet == b'}').next());
    let names_dns = |expression: &[u8]| {
        let variables = expression.strip_prefix(b"?").or_else(|| expression.strip_prefix(b"&")).unwrap_or(expression);
        variables.split(|octet| *octet == b',').any(|variable| variable == b"dns")
    };
    value.starts_with(b"/") && std::str::from_utf8(value).is_ok() && expressions().any(names_dns)
}

/// Writes a sound value that is not empty.
pub(super) fn print(key: u16, value: &[u8], text: &mut String) -> Option<()> {
    let comma = |at: usize| if at > 0 { "," } else { "" };
    match key {
        key::MANDATORY => {
            for (at, number) in key::numbers(value).enumerate() {
                text.push_str(comma(at));
                key::print(number, text);
            }
        }
        key::ALPN => print_alpn(value, text)?,
        key::PORT => number::print(value, text),
        key::IPV4HINT => {
            for (at, octets) in value.chunks(4).enumerate() {
                text.push_str(comma(at));
                address::print_ipv4(octets, text)?;
            }
        }
        key::IPV6HINT => {
            for (at, octets) in value.chunks(16).enumerate() {
                text.push_str(comma(at));
                address::print_ipv6(octets, text)?;
            }
        }
        key::ECH => encoded::print_base64(value, text),
        _ => string::print_quoted(value, text),
    }
    Some(())
}

fn print_alpn(value: &[u8], text: &mut String) -> Option<()> {
    let mut list = Vec::with_capacity(value.len());
    for (at, protocol) in protocols(value).enumerate() {
        list.extend_from_slice(if at > 0 { b"," } else { b"" });
        for octet in protocol? {
            if matches!(octet, b',' | b'\\') {
                list.push(b'\\');
            }
            list.push(*octet);
        }
    }
    string::print_quoted(&list, text);
    Some(())
}
