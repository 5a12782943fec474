//! The table: every record type we know as the list of its fields, in the order both of text and of wire.
//!
//! The label of a field is how a person is told what is missing or wrong ("MX preference must be a number from 0
//! to 65535"). It becomes one `match` on the number of the type, which the compiler turns into a jump.

use super::super::Kind;
use super::field::Field::{self, *};
use super::field::Spelling::*;

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
        pub(super) const KNOWN: &[Kind] = &[$(Kind::$kind),*];
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

    // Neither
    AAAA [Ipv6];
    SPF [Texts("SPF string")];
    CAA [U8("CAA flags"), Tag, LongText { least: 0, label: "CAA value" }];
}

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
