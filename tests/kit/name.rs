//! Names and codes between their text and their octets, as the cases write them.
//!
//! A name stands without its final dot (`www.example.org`; the root is `.`), which saves the reader a dot on
//! every line; escapes are those of zone files. Types, opcodes and rcodes have one table each.

/// Record types by name; others are written `TYPE65280`.
const KINDS: &[(&str, u16)] = &[
    ("A", 1),
    ("NS", 2),
    ("CNAME", 5),
    ("SOA", 6),
    ("NULL", 10),
    ("PTR", 12),
    ("HINFO", 13),
    ("MX", 15),
    ("TXT", 16),
    ("RP", 17),
    ("AFSDB", 18),
    ("AAAA", 28),
    ("LOC", 29),
    ("SRV", 33),
    ("NAPTR", 35),
    ("KX", 36),
    ("CERT", 37),
    ("DNAME", 39),
    ("OPT", 41),
    ("DS", 43),
    ("SSHFP", 44),
    ("RRSIG", 46),
    ("NSEC", 47),
    ("DNSKEY", 48),
    ("NSEC3", 50),
    ("NSEC3PARAM", 51),
    ("TLSA", 52),
    ("CDS", 59),
    ("CDNSKEY", 60),
    ("CSYNC", 62),
    ("ZONEMD", 63),
    ("SVCB", 64),
    ("HTTPS", 65),
    ("SPF", 99),
    ("EUI48", 108),
    ("TKEY", 249),
    ("TSIG", 250),
    ("IXFR", 251),
    ("AXFR", 252),
    ("MAILB", 253),
    ("MAILA", 254),
    ("ANY", 255),
    ("URI", 256),
    ("CAA", 257),
];

const CLASSES: &[(&str, u16)] = &[("IN", 1), ("CH", 3), ("HS", 4), ("NONE", 254), ("ANY", 255)];

const OPCODES: &[(&str, u16)] = &[("QUERY", 0), ("IQUERY", 1), ("STATUS", 2), ("NOTIFY", 4), ("UPDATE", 5), ("DSO", 6)];

const RCODES: &[(&str, u16)] = &[
    ("NOERROR", 0),
    ("FORMERR", 1),
    ("SERVFAIL", 2),
    ("NXDOMAIN", 3),
    ("NOTIMP", 4),
    ("REFUSED", 5),
    ("YXDOMAIN", 6),
    ("NOTAUTH", 9),
    ("DSOTYPENI", 11),
    ("BADVERS", 16),
    ("BADCOOKIE", 23),
];

/// The code of a type, by name or as `TYPE123`.
pub(crate) fn kind_code(text: &str) -> Option<u16> {
    code(KINDS, "TYPE", text)
}

/// The name of a type.
pub(crate) fn kind_text(code: u16) -> String {
    text(KINDS, "TYPE", code)
}

/// The code of a class, by name or as `CLASS123`.
pub(crate) fn class_code(text: &str) -> Option<u16> {
    code(CLASSES, "CLASS", text)
}

/// The name of a class.
pub(crate) fn class_text(code: u16) -> String {
    text(CLASSES, "CLASS", code)
}

/// The code of an opcode, by name or as `OPCODE3`.
pub(crate) fn opcode_code(text: &str) -> Option<u16> {
    code(OPCODES, "OPCODE", text)
}

/// The code of a response code, by name or as `RCODE11`.
pub(crate) fn rcode_code(text: &str) -> Option<u16> {
    code(RCODES, "RCODE", text)
}

/// The name of a response code.
pub(crate) fn rcode_text(code: u16) -> String {
    text(RCODES, "RCODE", code)
}

fn code(table: &[(&str, u16)], prefix: &str, text: &str) -> Option<u16> {
    let known = table.iter().find(|(name, _)| *name == text).map(|(_, code)| *code);
    known.or_else(|| text.strip_prefix(prefix)?.parse().ok())
}

fn text(table: &[(&str, u16)], prefix: &str, code: u16) -> String {
    let known = table.iter().find(|(_, known)| *known == code);
    known.map_or_else(|| format!("{prefix}{code}"), |(name, _)| (*name).to_owned())
}

/// Text → uncompressed wire form. Lengths are not checked: a test may want a label of 64 octets.
pub(crate) fn name_octets(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut label = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        match octet {
            b'.' => end_label(&mut octets, &mut label),
            b'\\' => {
                let (octet, length) = escaped(rest);
                label.push(octet);
                rest = &rest[length..];
            }
            octet => label.push(octet),
        }
    }
    end_label(&mut octets, &mut label);
    octets.push(0);
    octets
}

fn end_label(octets: &mut Vec<u8>, label: &mut Vec<u8>) {
    if !label.is_empty() {
        octets.push(label.len() as u8);
        octets.append(label);
    }
}

/// What follows a backslash: `\DDD` or `\X`; the octet meant and the length of its text.
fn escaped(rest: &[u8]) -> (u8, usize) {
    let digits = rest.iter().take(3).filter(|octet| octet.is_ascii_digit()).count();
    if digits == 3 {
        let number = rest[..3].iter().fold(0u16, |sum, digit| sum * 10 + u16::from(digit - b'0'));
        (number as u8, 3)
    } else {
        (rest.first().copied().unwrap_or(b'\\'), 1.min(rest.len()))
    }
}

/// One label's octets → text, escaped as in a zone file.
pub(crate) fn label_text(label: &[u8], text: &mut String) {
    for &octet in label {
        match octet {
            b'.' | b'"' | b'\\' | b';' | b'(' | b')' | b'@' | b'$' => {
                text.push('\\');
                text.push(char::from(octet));
            }
            0x21..=0x7e => text.push(char::from(octet)),
            octet => text.push_str(&format!("\\{octet:03}")),
        }
    }
}
