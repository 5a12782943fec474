//! The table: every record type we know as the list of its fields, in the order both of text and of wire.
//!
//! The label of a field is how a person is told what is missing or wrong ("MX preference must be a number from 0
//! to 65535"). It becomes one `match` on the number of the type, which the compiler turns into a jump.

use super::super::Kind;
use super::encoded::DigestSizes;
use super::field::Field::{self, *};
use super::field::Spelling::*;
use super::gateway::TypeBits;
use super::mnemonic::{ALGORITHMS, CERTIFICATES, DIGESTS, MATCHINGS, SCHEMES, SELECTORS, USAGES};

/// What the record data of a type consists of.
pub(super) struct Layout {
    /// The fields, in order.
    pub(super) fields: &'static [Field],
    /// How many fields there are up to the last that may hold a name.
    names_end: usize,
}

impl Layout {
    const fn new(fields: &'static [Field]) -> Self {
        let mut names_end = fields.len();
        while names_end > 0 && !fields[names_end - 1].may_hold_name() {
            names_end -= 1;
        }
        Self { fields, names_end }
    }

    /// The fields up to the last that may hold a name.
    pub(super) fn with_names(&self) -> &'static [Field] {
        &self.fields[..self.names_end]
    }
}

macro_rules! layouts {
    ($($kind:ident [$($field:expr),+];)*) => {
        /// The fields of a type; `None` for a type we do not know.
        pub(super) fn layout(kind: Kind) -> Option<&'static Layout> {
            match kind {
                $(Kind::$kind => {
                    static LAYOUT: Layout = Layout::new(&[$($field),+]);
                    Some(&LAYOUT)
                })*
                _ => None,
            }
        }

        /// Every type of the table.
        #[cfg(test)]
        pub(super) static KNOWN: &[Kind] = &[$(Kind::$kind),*];
    };
}

layouts! {
    // RFC 1035 (compressed, and lower case in canonical form)
    A [Ipv4];
    NS [Name(Compressed, "the name of the name server")];
    MD [Name(Compressed, "the name of the mail agent")];
    MF [Name(Compressed, "the name of the mail agent")];
    CNAME [Name(Compressed, "the canonical name")];
    SOA [
        Name(Compressed, "SOA primary server"), Name(Compressed, "SOA mailbox of the responsible person"),
        U32("SOA serial"), Period("SOA refresh"), Period("SOA retry"), Period("SOA expire"), Period("SOA minimum")
    ];
    MB [Name(Compressed, "the name of the mailbox host")];
    MG [Name(Compressed, "the mailbox of the group's member")];
    MR [Name(Compressed, "the new name of the mailbox")];
    PTR [Name(Compressed, "the name pointed to")];
    HINFO [Text("HINFO processor"), Text("HINFO operating system")];
    MINFO [Name(Compressed, "MINFO responsible mailbox"), Name(Compressed, "MINFO error mailbox")];
    MX [U16("MX preference"), Name(Compressed, "the name of the mail server")];
    TXT [Texts("TXT string")];

    // Never compressed, but lower case in canonical form (RFC 4034, section 6.2)
    RP [Name(Lowered, "RP mailbox"), Name(Lowered, "the name of the RP text")];
    AFSDB [U16("AFSDB subtype"), Name(Lowered, "AFSDB server")];
    RT [U16("RT preference"), Name(Lowered, "RT host")];
    PX [U16("PX preference"), Name(Lowered, "PX RFC 822 domain"), Name(Lowered, "PX X.400 domain")];
    SRV [U16("SRV priority"), U16("SRV weight"), U16("SRV port"), Name(Lowered, "SRV target")];
    NAPTR [
        U16("NAPTR order"), U16("NAPTR preference"), Text("NAPTR flags"), Text("NAPTR services"),
        Text("NAPTR regular expression"), Name(Lowered, "NAPTR replacement")
    ];
    KX [U16("KX preference"), Name(Lowered, "the name of the key exchanger")];
    DNAME [Name(Lowered, "the name the subtree is redirected to")];

    SIG [
        Type("SIG type covered"), Named8(&ALGORITHMS, "SIG algorithm"), U8("SIG labels"), U32("SIG original TTL"),
        Time("SIG expiration"), Time("SIG inception"), U16("SIG key tag"), Name(Lowered, "SIG signer"),
        Base64(1, "the signature")
    ];
    NXT [Name(Lowered, "NXT next name"), OldTypes];
    RRSIG [
        Type("RRSIG type covered"), Named8(&ALGORITHMS, "RRSIG algorithm"), U8("RRSIG labels"),
        U32("RRSIG original TTL"), Time("RRSIG expiration"), Time("RRSIG inception"), U16("RRSIG key tag"),
        Name(Lowered, "RRSIG signer"), Base64(1, "the signature")
    ];

    // Names that nobody changes
    NSAP_PTR [Name(Exact, "the name pointed to")];
    NSEC [Name(Exact, "NSEC next name"), Types(1)];
    IPSECKEY [
        U8("IPSECKEY precedence"), U8("IPSECKEY gateway type"), U8("IPSECKEY algorithm"), Gateway(TypeBits(0xff)),
        Base64(0, "the public key")
    ];
    HIP [HostIdentity, Names(Exact, "the name of a rendezvous server")];
    TALINK [Name(Exact, "TALINK previous name"), Name(Exact, "TALINK next name")];
    SVCB [U16("SVCB priority"), Name(Exact, "SVCB target"), Params];
    HTTPS [U16("HTTPS priority"), Name(Exact, "HTTPS target"), Params];
    DSYNC [Type("DSYNC type"), Named8(&SCHEMES, "DSYNC scheme"), U16("DSYNC port"), Name(Exact, "DSYNC target")];
    LP [U16("LP preference"), Name(Exact, "the name of the locator")];
    AMTRELAY [U8("AMTRELAY precedence"), RelayType, Gateway(TypeBits(0x7f))];

    // No names: addresses
    WKS [Ipv4, Services];
    NSAP [Nsap];
    AAAA [Ipv6];
    LOC [Location];
    APL [Prefixes];
    NID [U16("NID preference"), Locator64];
    L32 [U16("L32 preference"), Ipv4];
    L64 [U16("L64 preference"), Locator64];
    EUI48 [Mac(6)];
    EUI64 [Mac(8)];

    // No names: text
    X25 [Text("X25 address")];
    ISDN [Text("ISDN address"), OptionalText("ISDN subaddress")];
    GPOS [Text("GPOS longitude"), Text("GPOS latitude"), Text("GPOS altitude")];
    NINFO [Texts("NINFO string")];
    SPF [Texts("SPF string")];
    URI [U16("URI priority"), U16("URI weight"), LongText(1, "the URI")];
    CAA [U8("CAA flags"), Tag, LongText(0, "CAA value")];
    AVC [Texts("AVC string")];
    RESINFO [Texts("RESINFO string")];
    WALLET [Texts("WALLET string")];

    // No names: keys, certificates, digests
    KEY [U16("KEY flags"), U8("KEY protocol"), Named8(&ALGORITHMS, "KEY algorithm"), Base64(0, "the public key")];
    RKEY [U16("RKEY flags"), U8("RKEY protocol"), Named8(&ALGORITHMS, "RKEY algorithm"), Base64(1, "the public key")];
    DNSKEY [
        U16("DNSKEY flags"), U8("DNSKEY protocol"), Named8(&ALGORITHMS, "DNSKEY algorithm"),
        Base64(1, "the public key")
    ];
    CDNSKEY [
        U16("CDNSKEY flags"), U8("CDNSKEY protocol"), Named8(&ALGORITHMS, "CDNSKEY algorithm"),
        OrZero(&Base64(1, "the public key"))
    ];
    DS [
        U16("DS key tag"), Named8(&ALGORITHMS, "DS algorithm"), Named8(&DIGESTS, "DS digest type"),
        Digest(&OF_KEY, "DS digest")
    ];
    CDS [
        U16("CDS key tag"), Named8(&ALGORITHMS, "CDS algorithm"), Named8(&DIGESTS, "CDS digest type"),
        OrZero(&Digest(&OF_KEY, "CDS digest"))
    ];
    TA [
        U16("TA key tag"), Named8(&ALGORITHMS, "TA algorithm"), Named8(&DIGESTS, "TA digest type"),
        Digest(&OF_KEY, "TA digest")
    ];
    DLV [
        U16("DLV key tag"), Named8(&ALGORITHMS, "DLV algorithm"), Named8(&DIGESTS, "DLV digest type"),
        Digest(&OF_KEY, "DLV digest")
    ];
    NSEC3 [U8("NSEC3 hash algorithm"), U8("NSEC3 flags"), U16("NSEC3 iterations"), Salt, Hash, Types(0)];
    NSEC3PARAM [U8("NSEC3PARAM hash algorithm"), U8("NSEC3PARAM flags"), U16("NSEC3PARAM iterations"), Salt];
    CSYNC [U32("CSYNC serial"), U16("CSYNC flags"), Types(0)];
    ZONEMD [U32("ZONEMD serial"), U8("ZONEMD scheme"), U8("ZONEMD hash algorithm"), Digest(&OF_ZONE, "ZONEMD digest")];
    CERT [
        Named16(&CERTIFICATES, "CERT type"), U16("CERT key tag"), Named8(&ALGORITHMS, "CERT algorithm"),
        Base64(1, "the certificate")
    ];
    SSHFP [U8("SSHFP algorithm"), U8("SSHFP fingerprint type"), Digest(&OF_HOST, "SSHFP fingerprint")];
    TLSA [
        Named8(&USAGES, "TLSA usage"), Named8(&SELECTORS, "TLSA selector"), Named8(&MATCHINGS, "TLSA matching type"),
        Hex(1, "TLSA data")
    ];
    SMIMEA [
        Named8(&USAGES, "SMIMEA usage"), Named8(&SELECTORS, "SMIMEA selector"),
        Named8(&MATCHINGS, "SMIMEA matching type"), Hex(1, "SMIMEA data")
    ];
    DHCID [Base64(1, "DHCP client identity")];
    OPENPGPKEY [Base64(1, "OpenPGP key")];
}

/// SHA-1, SHA-256, GOST R 34.11-94, SHA-384 (the IANA registry "Digest Algorithms").
static OF_KEY: DigestSizes = DigestSizes { type_at: 3, sizes: &[(1, 20), (2, 32), (3, 32), (4, 48)], least: 1 };
/// SHA-1, SHA-256 (RFC 4255, section 3.1.2; RFC 6594, section 2.2).
static OF_HOST: DigestSizes = DigestSizes { type_at: 1, sizes: &[(1, 20), (2, 32)], least: 1 };
/// SHA-384, SHA-512; no other digest is shorter than 12 octets (RFC 8976, section 2.2.4).
static OF_ZONE: DigestSizes = DigestSizes { type_at: 5, sizes: &[(1, 48), (2, 64)], least: 12 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_fields_up_to_a_name_are_walked_for_names() {
        let walked = |kind| layout(kind).unwrap().with_names().len();
        assert_eq!((walked(Kind::A), walked(Kind::TXT), walked(Kind::MX), walked(Kind::SOA)), (0, 0, 2, 2));
        assert!(layout(Kind(65280)).is_none());
    }
}
