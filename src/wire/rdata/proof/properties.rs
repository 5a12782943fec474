//! What is true of every type of the table, of random data, and in the eyes of an independent decoder.

use hickory_proto::rr::{RData, RecordType};
use hickory_proto::serialize::binary::{BinDecoder, BinEncodable, BinEncoder, NameEncoding, Restrict};
use proptest::prelude::*;

use super::random::{Dice, rdata};
use super::{octets, printed};
use crate::wire::rdata::{canonical, names, table, verify};
use crate::wire::{Kind, Name};

/// The types that hickory-proto decodes without its DNSSEC features.
const KNOWN_TO_HICKORY: &[Kind] = &[
    Kind::A,
    Kind::AAAA,
    Kind::CAA,
    Kind::CERT,
    Kind::CNAME,
    Kind::CSYNC,
    Kind::HINFO,
    Kind::HTTPS,
    Kind::MX,
    Kind::NAPTR,
    Kind::NS,
    Kind::OPENPGPKEY,
    Kind::PTR,
    Kind::SMIMEA,
    Kind::SOA,
    Kind::SRV,
    Kind::SSHFP,
    Kind::SVCB,
    Kind::TLSA,
    Kind::TXT,
];

/// What hickory-proto makes of record data: decoded and encoded again.
fn through_hickory(kind: Kind, rdata: &[u8]) -> Result<Vec<u8>, String> {
    let mut decoder = BinDecoder::new(rdata);
    let decoded = RData::read(&mut decoder, RecordType::from(kind.0), Restrict::new(rdata.len() as u16))
        .map_err(|error| error.to_string())?;
    if !decoder.is_empty() {
        return Err("octets are left".to_owned());
    }
    let mut encoded = Vec::new();
    let mut encoder = BinEncoder::new(&mut encoded);
    encoder.set_name_encoding(NameEncoding::Uncompressed); // two names of an SOA may share their ends
    decoded.emit(&mut encoder).map_err(|error| error.to_string())?;
    Ok(encoded)
}

fn any_known() -> impl Strategy<Value = Kind> {
    (0..table::KNOWN.len()).prop_map(|at| table::KNOWN[at])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again(kind in any_known(), seed: u64) {
        let wire = rdata(kind, &mut Dice(seed));
        prop_assert!(verify(kind, &wire), "{} {:02x?}", kind, wire);
        let text = printed(kind, &wire);
        prop_assert_eq!(octets(kind, &text), Ok(wire.clone()), "{} {}", kind, &text);
        prop_assert!(text.is_ascii() && !text.ends_with(' '), "{}", text);
        let may_lack_text = [Kind::APL, Kind::WKS].contains(&kind);
        prop_assert!(may_lack_text || !text.starts_with("\\#"), "{} {}", kind, text);
    }

    /// Damaged data is either still sound, and survives text, or is kept as it is.
    #[test]
    fn damage_does_no_harm(kind in any_known(), seed: u64, damage: u64) {
        let mut wire = rdata(kind, &mut Dice(seed));
        let mut dice = Dice(damage);
        for _ in 0..=dice.below(3) {
            let at = dice.below(wire.len() + 1);
            match dice.below(3) {
                0 => wire.truncate(at),
                1 => wire.insert(at, dice.below(256) as u8),
                _ => wire.iter_mut().skip(at).take(1).for_each(|octet| *octet = dice.below(256) as u8),
            }
        }
        all_of_it(kind, &wire)?;
    }

    #[test]
    fn any_octets_do_no_harm(code: u16, known in any_known(), wire in prop::collection::vec(any::<u8>(), 0..80)) {
        all_of_it(Kind(code), &wire)?;
        all_of_it(known, &wire)?;
    }

    #[test]
    fn any_text_does_no_harm(kind in any_known(), text in "(\\PC|[ \"\\\\=,.:#@0-9a-z]){0,60}") {
        if let Ok(wire) = octets(kind, &text) {
            all_of_it(kind, &wire)?;
            prop_assert!(verify(kind, &wire));
        }
    }

    #[test]
    fn hickory_decodes_the_same(at in 0..KNOWN_TO_HICKORY.len(), seed: u64) {
        let kind = KNOWN_TO_HICKORY[at];
        let wire = rdata(kind, &mut Dice(seed));
        prop_assert_eq!(through_hickory(kind, &wire), Ok(wire.clone()), "{} {:02x?}", kind, wire);
    }
}

/// Nothing panics, sound data survives text, and names are where they are said to be.
fn all_of_it(kind: Kind, wire: &[u8]) -> Result<(), TestCaseError> {
    let text = printed(kind, wire);
    if verify(kind, wire) {
        prop_assert_eq!(octets(kind, &text), Ok(wire.to_vec()), "{} {}", kind, text);
    } else {
        prop_assert!(text.starts_with("\\#"), "{} {}", kind, text);
    }
    for found in names(kind, wire) {
        prop_assert_eq!(found.name.as_bytes(), &wire[found.at..][..found.name.as_bytes().len()]);
    }
    let mut form = Vec::new();
    canonical(kind, wire, &mut form);
    prop_assert!(form.eq_ignore_ascii_case(wire));
    Ok(())
}

/// Which names may be compressed (RFC 3597, section 4) and which are in lower case in the canonical form
/// (RFC 4034, section 6.2, with RFC 6840, section 5.1).
#[test]
fn compression_and_canonical_form() {
    let name: Name = "A.".parse().unwrap();
    for (kind, text, compressible, lower) in [
        (Kind::NS, "A.", true, true),
        (Kind::SOA, "A. A. 1 1 1 1 1", true, true),
        (Kind::MX, "1 A.", true, true),
        (Kind::MINFO, "A. A.", true, true),
        (Kind::SRV, "0 0 0 A.", false, true),
        (Kind::NAPTR, "1 1 X X X A.", false, true),
        (Kind::DNAME, "A.", false, true),
        (Kind::RP, "A. A.", false, true),
        (Kind::RRSIG, "A 8 1 1 1 1 1 A. AAAA", false, true),
        (Kind::NSEC, "A. A", false, false),
        (Kind::SVCB, "1 A. alpn=A", false, false),
        (Kind::LP, "1 A.", false, false),
        (Kind::HIP, "1 AA AAAA A. A.", false, false),
        (Kind::AMTRELAY, "1 0 3 A.", false, false),
    ] {
        let wire = octets(kind, text).unwrap();
        let found: Vec<_> = names(kind, &wire).collect();
        assert_eq!(found.len(), text.matches("A.").count(), "{kind}");
        let mut form = Vec::new();
        canonical(kind, &wire, &mut form);
        for embedded in found {
            assert_eq!((embedded.name, embedded.compressible), (name.borrow(), compressible), "{kind}");
            assert_eq!(form[embedded.at + 1], if lower { b'a' } else { b'A' }, "{kind}");
        }
        let changed = form.iter().zip(&wire).filter(|(a, b)| a != b).count();
        assert_eq!(changed, if lower { text.matches("A.").count() } else { 0 }, "{kind}");
    }
}

/// Every type that has a mnemonic is in the table, or is known not to be.
#[test]
fn nothing_is_forgotten() {
    let opaque = [
        [Kind::NULL, Kind::EID, Kind::NIMLOC, Kind::ATMA, Kind::A6, Kind::SINK, Kind::HHIT, Kind::BRID],
        [Kind::UINFO, Kind::UID, Kind::GID, Kind::UNSPEC, Kind::DOA, Kind::CLA, Kind::IPN, Kind::NULL],
    ]
    .concat();
    for code in 0..=u16::MAX {
        let kind = Kind(code);
        let is_data = kind.mnemonic().is_some() && !kind.is_meta() && !opaque.contains(&kind);
        assert_eq!(table::layout(kind).is_some(), is_data, "{kind}");
    }
    assert!(table::KNOWN.iter().all(|kind| table::layout(*kind).is_some()));
}
