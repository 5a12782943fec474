//! Words for what is wrong with one record, from its TTL to its data.

use std::net::IpAddr;

use crate::wire::Kind;
use crate::wire::rdata::What;

use super::super::trouble::{DataTrouble, HeadTrouble};
use super::super::ttl::TTL_MAX;
use super::{Words, name, nearest, quote, said};

/// The types that people write, each as it looks in a file: for "did you mean" and "as in".
const EXAMPLES: &[(Kind, &str)] = &[
    (Kind::A, "192.0.2.1"),
    (Kind::AAAA, "2001:db8::1"),
    (Kind::CNAME, "www.example.org."),
    (Kind::MX, "10 mail.example.org."),
    (Kind::TXT, "\"some text\""),
    (Kind::NS, "ns1.example.org."),
    (Kind::SOA, "ns1.example.org. hostmaster.example.org. 1 7200 3600 1209600 3600"),
    (Kind::SRV, "0 5 5060 sip.example.org."),
    (Kind::PTR, "host.example.org."),
    (Kind::CAA, "0 issue \"ca.example.net\""),
    (Kind::HTTPS, "1 . alpn=h2,h3"),
    (Kind::SVCB, "1 svc.example.org. alpn=h2 port=8443"),
    (Kind::DNAME, "example.net."),
    (Kind::DS, "12345 13 2 <SHA-256 in hexadecimal>"),
    (Kind::CDS, "12345 13 2 <SHA-256 in hexadecimal>"),
    (Kind::DNSKEY, "257 3 13 <key in Base64>"),
    (Kind::CDNSKEY, "257 3 13 <key in Base64>"),
    (Kind::TLSA, "3 1 1 <SHA-256 in hexadecimal>"),
    (Kind::SMIMEA, "3 1 1 <SHA-256 in hexadecimal>"),
    (Kind::SSHFP, "4 2 <SHA-256 in hexadecimal>"),
    (Kind::OPENPGPKEY, "<key in Base64>"),
    (Kind::NAPTR, "100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:info@example.org!\" ."),
    (Kind::URI, "10 1 \"https://example.org/\""),
    (Kind::LOC, "52 22 23.000 N 4 53 32.000 E 0.00m"),
    (Kind::HINFO, "\"PC\" \"Linux\""),
    (Kind::RP, "admin.example.org. info.example.org."),
    (Kind::SPF, "\"v=spf1 mx -all\""),
    (Kind::CERT, "PKIX 0 0 <certificate in Base64>"),
    (Kind::AFSDB, "1 afs.example.org."),
    (Kind::NSEC, "b.example.org. A MX"),
    (Kind::NSEC3PARAM, "1 0 0 -"),
];

const TTL_CURE: &str = "write $TTL 3600, or another number of seconds, at the top of the file";

/// How a TTL is written.
pub(super) const TTL_FORMS: &str =
    "write a TTL in seconds or with a unit behind each number, as in: 300, 90m, 1h30m, 2d";

/// What is wrong between the owner and the data.
pub(super) fn head(what: &HeadTrouble, culprit: &[u8]) -> Words {
    let it = quote(culprit);
    match what {
        HeadTrouble::NoKind => said("the record type is missing", "write type and data, as in: A 192.0.2.1"),
        HeadTrouble::UnknownKind { owner } => unknown_kind(culprit, &it, *owner),
        HeadTrouble::Quoted => {
            said(format!("{it} stands where the record type should be"), "write the type without quotes before it")
        }
        HeadTrouble::MetaKind(kind) => {
            said(format!("{kind} is never the type of a record in a zone"), "remove the record, or correct the type")
        }
        HeadTrouble::OtherClass => {
            said(format!("the class {it} is not served here"), "write IN, or leave the class out")
        }
        HeadTrouble::ClassTwice => said(format!("{it} is a second class"), "remove it"),
        HeadTrouble::TtlTooLarge => ttl_too_large(&it),
        HeadTrouble::TtlTwice => match address_kind(culprit) {
            Some(kind) => missing_kind(kind, &it),
            None => said(format!("{it} is a second TTL"), "keep one TTL, and write the record type behind it"),
        },
        HeadTrouble::NoTtl => said("the record has no TTL, and there is none to take over", TTL_CURE),
        HeadTrouble::TtlOfRecordBefore(ttl) => {
            said(format!("no $TTL: this record takes the last TTL before it, {ttl}, and so do others"), TTL_CURE)
        }
        HeadTrouble::TtlOfSoaMinimum(ttl) => {
            said(format!("no $TTL: this record takes the minimum of the SOA, {ttl}, and so do others"), TTL_CURE)
        }
    }
}

fn unknown_kind(culprit: &[u8], it: &str, owner: Option<Kind>) -> Words {
    let unknown = format!("unknown record type {it}");
    let forgot_blank =
        |kind| format!("if {kind} is the type of the record and not its owner, start the line with a blank");
    match (address_kind(culprit), owner) {
        (Some(kind), Some(owner)) if kind == owner => return said(unknown, forgot_blank(kind)),
        (Some(kind), _) => return missing_kind(kind, it),
        (None, _) if culprit.first().is_some_and(u8::is_ascii_digit) => {
            return said(format!("{it} is neither a TTL nor a record type"), TTL_FORMS);
        }
        (None, _) => (),
    }
    let near = nearest(&String::from_utf8_lossy(culprit), EXAMPLES.iter().filter_map(|(kind, _)| kind.mnemonic()));
    let cure = match (near, owner) {
        (Some(near), _) => format!("did you mean {near}?"),
        (None, Some(owner)) if owner != Kind::A => forgot_blank(owner),
        (None, _) => "write a type such as A, AAAA or MX; one without a name is written TYPE and its number".to_owned(),
    };
    said(unknown, cure)
}

/// What is said of a TTL that is too large.
pub(super) fn ttl_too_large(it: &str) -> Words {
    said(format!("the TTL {it} is larger than {TTL_MAX} seconds"), "write a smaller one: 86400 is a day, 604800 a week")
}

/// The type whose data looks like this word.
fn address_kind(culprit: &[u8]) -> Option<Kind> {
    match std::str::from_utf8(culprit).ok()?.parse().ok()? {
        IpAddr::V4(_) => Some(Kind::A),
        IpAddr::V6(_) => Some(Kind::AAAA),
    }
}

fn missing_kind(kind: Kind, it: &str) -> Words {
    said(format!("the record type is missing before {it}"), format!("write {kind} before it"))
}

/// What is wrong with the data.
pub(super) fn data(what: &DataTrouble, culprit: &[u8]) -> Words {
    match what {
        DataTrouble::Unfit(kind, what) => unfit(*kind, what, culprit),
        DataTrouble::Relative => said(
            "the data has a name without a final dot, and there is no origin to complete it",
            "write the whole name with a final dot, or set $ORIGIN first",
        ),
        DataTrouble::CutText => said(
            "the text ends here, because a semicolon starts a comment",
            "put the whole text in quotes; if a comment is meant, write a blank before it",
        ),
    }
}

fn unfit(kind: Kind, what: &What, culprit: &[u8]) -> Words {
    let it = quote(culprit);
    match what {
        What::Missing(_) if !culprit.is_empty() => said(format!("{what} in {it}"), as_in(kind)),
        What::Missing(field) if field.contains(&kind.to_string()) => said(what.to_string(), as_in(kind)),
        What::Missing(_) => said(format!("{what} in this {kind} record"), as_in(kind)),
        What::Expected(_) => match (kind, address_kind(culprit)) {
            (Kind::A | Kind::AAAA, Some(other)) => {
                said(format!("{what}, found {it}"), format!("this address needs the type {other}"))
            }
            _ => said(format!("{what}, found {it}"), as_in(kind)),
        },
        What::Range { max, .. } => said(what.to_string(), format!("write a number from 0 to {max} instead of {it}")),
        What::Name(fault) => name(culprit, *fault),
        What::TooMany => said(format!("{it} is more than the fields of {kind}"), format!("remove it; {}", as_in(kind))),
        What::TooLong => said(what.to_string(), "shorten it, or distribute it over several records"),
        What::Rule(rule) => said(*rule, as_in(kind)),
    }
}

fn as_in(kind: Kind) -> String {
    match EXAMPLES.iter().find(|(known, _)| *known == kind) {
        Some((_, example)) => format!("write it as in: {kind} {example}"),
        None => "write the fields of the type, or its octets as in: \\# 4 0a000001".to_owned(),
    }
}
