//! Record types as numbers and mnemonics (the IANA registry "Resource Record (RR) TYPEs").
//!
//! Every 16-bit number is a type: one without a mnemonic here is written `TYPE123` (RFC 3597, section 5).
//! What the record data of a type looks like is the business of [`super::rdata`].

use std::fmt;
use std::str::FromStr;

/// A record type, or a query type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub u16);

macro_rules! kinds {
    ($($name:ident $code:literal $meaning:literal;)*) => {
        impl Kind {
            $(#[doc = $meaning] pub const $name: Self = Self($code);)*
        }

        /// All types with a mnemonic, in ascending order of their numbers.
        static MNEMONICS: &[(u16, &str)] = &[$(($code, stringify!($name))),*];
    };
}

kinds! {
    A 1 "a host's IPv4 address";
    NS 2 "an authoritative name server";
    MD 3 "obsolete mail destination";
    MF 4 "obsolete mail forwarder";
    CNAME 5 "the canonical name of an alias";
    SOA 6 "start of a zone of authority";
    MB 7 "a mailbox domain name";
    MG 8 "a mail group member";
    MR 9 "a mail rename domain name";
    NULL 10 "anything at all";
    WKS 11 "well known services";
    PTR 12 "a pointer to another name";
    HINFO 13 "host information";
    MINFO 14 "mailbox information";
    MX 15 "a mail exchange";
    TXT 16 "text strings";
    RP 17 "a responsible person";
    AFSDB 18 "an AFS cell database";
    X25 19 "an X.25 address";
    ISDN 20 "an ISDN address";
    RT 21 "a route through";
    NSAP 22 "an NSAP address";
    NSAP_PTR 23 "an NSAP pointer";
    SIG 24 "the signature RRSIG replaced";
    KEY 25 "the key DNSKEY replaced";
    PX 26 "X.400 mail mapping";
    GPOS 27 "a geographical position";
    AAAA 28 "a host's IPv6 address";
    LOC 29 "a location";
    NXT 30 "the denial NSEC replaced";
    EID 31 "an endpoint identifier";
    NIMLOC 32 "a Nimrod locator";
    SRV 33 "a service location";
    ATMA 34 "an ATM address";
    NAPTR 35 "a naming authority pointer";
    KX 36 "a key exchanger";
    CERT 37 "a certificate";
    A6 38 "the IPv6 address AAAA replaced";
    DNAME 39 "the redirection of a subtree";
    SINK 40 "the kitchen sink";
    OPT 41 "EDNS(0), never data";
    APL 42 "address prefixes";
    DS 43 "a delegation signer";
    SSHFP 44 "an SSH key fingerprint";
    IPSECKEY 45 "an IPsec key";
    RRSIG 46 "a signature";
    NSEC 47 "the next name, as denial of existence";
    DNSKEY 48 "a zone's key";
    DHCID 49 "a DHCP client's identity";
    NSEC3 50 "the next hashed name, as denial of existence";
    NSEC3PARAM 51 "parameters of NSEC3";
    TLSA 52 "a TLS certificate association";
    SMIMEA 53 "an S/MIME certificate association";
    HIP 55 "a host identity";
    NINFO 56 "zone status information";
    RKEY 57 "a key for NAPTR encryption";
    TALINK 58 "a trust anchor link";
    CDS 59 "the DS a child asks for";
    CDNSKEY 60 "the DNSKEY a child asks a DS for";
    OPENPGPKEY 61 "an OpenPGP key";
    CSYNC 62 "child-to-parent synchronisation";
    ZONEMD 63 "a digest of the zone";
    SVCB 64 "a service binding";
    HTTPS 65 "a service binding for HTTPS";
    DSYNC 66 "where to send a notification about a delegation";
    HHIT 67 "a hierarchical host identity tag";
    BRID 68 "a broadcast remote identifier";
    SPF 99 "the sender policy TXT replaced";
    UINFO 100 "reserved";
    UID 101 "reserved";
    GID 102 "reserved";
    UNSPEC 103 "reserved";
    NID 104 "an ILNP node identifier";
    L32 105 "an ILNP 32-bit locator";
    L64 106 "an ILNP 64-bit locator";
    LP 107 "an ILNP locator pointer";
    EUI48 108 "a 48-bit MAC address";
    EUI64 109 "a 64-bit MAC address";
    NXNAME 128 "a name that does not exist, only ever in NSEC";
    TKEY 249 "key exchange, never data";
    TSIG 250 "transaction signature, never data";
    IXFR 251 "incremental zone transfer, only ever asked";
    AXFR 252 "zone transfer, only ever asked";
    MAILB 253 "mailbox records, only ever asked";
    MAILA 254 "mail agent records, only ever asked";
    ANY 255 "all records, only ever asked";
    URI 256 "a URI";
    CAA 257 "which CAs may issue certificates";
    AVC 258 "application visibility and control";
    DOA 259 "a digital object";
    AMTRELAY 260 "a multicast relay";
    RESINFO 261 "resolver information";
    WALLET 262 "a wallet address";
    CLA 263 "a bundle protocol convergence layer";
    IPN 264 "a bundle protocol node number";
    TA 32768 "a DNSSEC trust authority";
    DLV 32769 "a DNSSEC look-aside validation record";
}

impl Kind {
    /// Whether this type is only ever asked or is part of a message, and so never data in a zone
    /// (RFC 6895, section 3.1: 128 to 255, and OPT).
    pub fn is_meta(self) -> bool {
        self == Self::OPT || (128..=255).contains(&self.0) || self.0 == 0
    }

    /// The mnemonic, where there is one. `NSAP-PTR` is the one with a hyphen.
    pub fn mnemonic(self) -> Option<&'static str> {
        let at = MNEMONICS.binary_search_by_key(&self.0, |(code, _)| *code).ok()?;
        Some(if self == Self::NSAP_PTR { "NSAP-PTR" } else { MNEMONICS[at].1 })
    }

    /// Reads a mnemonic or `TYPE123`, without regard to case.
    pub fn from_text(text: &[u8]) -> Option<Self> {
        match text {
            [b'A' | b'a'] => return Some(Self::A), // by far the most frequent in a large zone
            [t, y, p, e, digits @ ..] if [*t, *y, *p, *e].eq_ignore_ascii_case(b"TYPE") => return number(digits),
            _ => (),
        }
        let found = MNEMONICS.iter().find(|(_, name)| name.as_bytes().eq_ignore_ascii_case(text));
        match found {
            Some((code, _)) => Some(Self(*code)),
            None => text.eq_ignore_ascii_case(b"NSAP-PTR").then_some(Self::NSAP_PTR),
        }
    }
}

fn number(digits: &[u8]) -> Option<Kind> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok().map(Kind)
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mnemonic() {
            Some(name) => f.pad(name),
            None => f.pad(&format!("TYPE{}", self.0)),
        }
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::from_text(text.as_bytes()).ok_or(UnknownKind)
    }
}

/// The text is neither a mnemonic nor `TYPE` with a number from 0 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKind;

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a record type: neither a known mnemonic nor TYPE followed by a number up to 65535")
    }
}

impl std::error::Error for UnknownKind {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_survives_text() {
        for code in 0..=u16::MAX {
            let kind = Kind(code);
            assert_eq!(Kind::from_text(kind.to_string().as_bytes()), Some(kind));
            assert_eq!(Kind::from_text(format!("type{code}").as_bytes()), Some(kind));
        }
        for wrong in ["", "TYPE", "TYPE65536", "TYPE-1", "TYPE+1", "AAAAA"] {
            assert_eq!(Kind::from_text(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(MNEMONICS.is_sorted_by(|a, b| a.0 < b.0));
    }
}
