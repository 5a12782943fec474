use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::wire::rdata::{self, Words};

const PLACE: Place = Place { file: 0, line: 1, column: 1, width: 1 };

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn data(kind: Kind, text: &str) -> Box<[u8]> {
    let (mut words, mut wire) = (Vec::new(), Vec::new());
    rdata::cut(text.as_bytes(), &mut words).unwrap();
    rdata::parse(kind, &mut Words::new(&words, text.len()), name("example.org").borrow(), &mut wire).unwrap();
    wire.into()
}

/// Lines of "owner TYPE data", below example.org; SOA and NS of the apex come for free.
fn build(lines: &str) -> Built {
    let mut draft = Draft::new(name("example.org"));
    let apex = "@ SOA ns hostmaster 7 3600 900 1209600 300\n@ NS ns\nns A 192.0.2.53\n";
    for (at, line) in apex.lines().chain(lines.lines()).map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let [owner, kind, text] = line.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
        let owner = Name::parse(owner.as_bytes(), Some(name("example.org").borrow())).unwrap();
        let kind = Kind::from_text(kind.as_bytes()).unwrap();
        let place = Place { line: at as u32 + 1, ..PLACE };
        draft.push(owner.borrow(), kind, 300, &data(kind, text), place).unwrap();
    }
    Zone::build(draft)
}

/// The faults as "line severity message".
fn faults(lines: &str) -> Vec<String> {
    let built = build(lines);
    let errors = built.faults.iter().any(|fault| fault.severity == Severity::Error);
    assert_eq!(built.zone.is_none(), errors, "a zone is refused exactly if it has an error");
    let line = |fault: &Fault| fault.place.map_or(0, |place| place.line);
    let severity = |fault: &Fault| if fault.severity == Severity::Error { "error" } else { "warning" };
    built.faults.iter().map(|fault| format!("{} {} {}", line(fault), severity(fault), fault.message)).collect()
}

#[test]
fn each_rule_names_its_culprit() {
    for (lines, told) in [
        ("www A 192.0.2.1\nwww CNAME ns", "5 error www.example.org. has a CNAME record and A data beside it"),
        ("www CNAME ns\nwww CNAME ns2.test.", "4 error www.example.org. has more than one CNAME record"),
        ("@ SOA a b 1 1 1 1 1", "1 error the zone example.org. has 2 SOA records"),
        ("sub SOA a b 1 1 1 1 1", "4 error sub.example.org. has an SOA record, but the zone has another apex"),
        ("www.other.test. A 192.0.2.1", "4 error www.other.test. does not lie in the zone example.org."),
        (
            "d DNAME other.test.\nx.d A 192.0.2.1",
            "4 error there are names below d.example.org., which has a DNAME record",
        ),
        (
            "@ DS 1 13 2 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            "4 error the zone example.org. has a DS record at its apex",
        ),
        ("* NS ns", "4 error the wildcard *.example.org. has NS records"),
        ("sub NS a\na CNAME ns", "4 error the name server a.example.org. of sub.example.org. is an alias (CNAME)"),
        ("a CNAME b\nb CNAME a", "4 error the alias a.example.org. leads back to itself"),
        ("a CNAME a", "4 error the alias a.example.org. leads back to itself"),
        (
            "a CNAME b\nb CNAME c\nc CNAME b",
            "4 error the alias a.example.org. leads through more than 16 others, or into a loop",
        ),
        ("a CNAME gone", "4 warning the CNAME target gone.example.org. of a.example.org. does not exist in this zone"),
        ("@ MX 10 a\na CNAME ns", "4 warning the MX target a.example.org. of example.org. is an alias (CNAME)"),
        ("@ MX 10 a\na TXT x", "4 warning the MX target a.example.org. of example.org. has no address"),
        (
            "sub NS ns.sub",
            "4 warning the name server ns.sub.example.org. of sub.example.org. has no glue: nobody can reach it",
        ),
        (
            "sub NS ns\nx.sub TXT hidden",
            "5 warning x.sub.example.org. TXT lies below the zone cut sub.example.org. and is never answered",
        ),
        ("a A 192.0.2.1\na A 192.0.2.1", "5 warning this A record of a.example.org. stands here a second time"),
        (
            "a DS 1 13 2 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            "4 warning a.example.org. has DS records but no NS records: they sign no delegation",
        ),
        ("@ TXT \"v=spf1 -all\"\n@ TXT \"v=spf1 a -all\"", "4 warning example.org. has more than one SPF policy"),
    ] {
        assert!(faults(lines).iter().any(|fault| fault == told), "{lines}\n{:#?}", faults(lines));
    }
}

#[test]
fn a_good_zone_has_nothing_to_tell() {
    let lines = "@ MX 10 mail\nmail A 192.0.2.25\nblog CNAME www\nwww A 192.0.2.1\n* TXT any\nx CNAME y\n\
                 sub NS ns.sub\nsub NS ns.sibling\nns.sub A 192.0.2.9\nsibling NS ns.sibling\nns.sibling A 192.0.2.8";
    assert_eq!(faults(lines), Vec::<String>::new());
}

#[test]
fn too_many_name_servers_without_addresses() {
    let servers = |count: usize| (0..count).map(|n| format!("sub NS ns{n}.other.test.\n")).collect::<String>();
    assert_eq!(faults(&servers(20)), Vec::<String>::new());
    assert!(faults(&servers(21))[0].contains("has 21 name servers without an address"));
}

#[test]
fn counts_and_serial() {
    let zone = build("a.b.c A 192.0.2.1\na.b.c A 192.0.2.2\nwww A 192.0.2.3").zone.unwrap();
    assert_eq!((zone.name_count(), zone.record_count(), zone.serial()), (4, 6, 7));
    assert_eq!(zone.nodes().count(), 6, "b.c and c are empty non-terminals");
    assert_eq!(zone.with_serial(9).serial(), 9);
    assert_eq!(
        zone.with_serial(9).with_serial(7).nodes().map(|node| format!("{node:?}")).collect::<Vec<_>>(),
        zone.nodes().map(|node| format!("{node:?}")).collect::<Vec<_>>()
    );
}

fn set(kind: Kind, texts: &[&str]) -> SetData {
    SetData::new(kind, 300, texts.iter().map(|text| data(kind, text)).collect())
}

fn edit(owner: &str, kind: Kind, texts: &[&str]) -> Edit {
    let name = Name::parse(owner.as_bytes(), Some(name("example.org").borrow())).unwrap();
    let after = (!texts.is_empty()).then(|| set(kind, texts));
    Edit { sets: vec![SetEdit { name, kind, after }] }
}

#[test]
fn an_edit_that_breaks_a_rule_changes_nothing() {
    let zone = build("www A 192.0.2.1\na CNAME b\nb CNAME c").zone.unwrap();
    for (edit, told) in [
        (edit("www", Kind::CNAME, &["ns"]), "has a CNAME record and A data beside it"),
        (edit("c", Kind::CNAME, &["a"]), "leads back to itself"),
        (edit("@", Kind::SOA, &[]), "has no SOA record"),
        (edit("@", Kind::NS, &[]), "has no NS record"),
        (edit("@", Kind::DNAME, &["other.test."]), "there are names below example.org."),
        (edit("x.other.test.", Kind::A, &["192.0.2.1"]), "does not lie in the zone"),
    ] {
        let faults = zone.edit(&edit).unwrap_err();
        assert!(faults.iter().any(|fault| fault.message.contains(told)), "{faults:#?}");
    }
    let below = build("d DNAME other.test.").zone.unwrap().edit(&edit("x.y.d", Kind::A, &["192.0.2.1"]));
    assert!(below.unwrap_err()[0].message.contains("there are names below d.example.org."));
}

fn labels() -> impl Strategy<Value = String> {
    "[a-d](\\.[a-c]){0,3}"
}

proptest! {
    /// A zone after many edits is the zone that is built from the records they leave.
    #[test]
    fn editing_is_rebuilding(steps in prop::collection::vec((labels(), 0..3_usize, prop::collection::vec(1..5_u8, 0..3)), 1..60)) {
        let mut zone = build("").zone.unwrap();
        let mut model = BTreeMap::new();
        for (owner, kind, values) in steps {
            let (kind, form) = [(Kind::A, "192.0.2."), (Kind::TXT, ""), (Kind::MX, "10 m")][kind];
            let texts: Vec<_> = values.iter().map(|value| format!("{form}{value}")).collect();
            let texts: Vec<_> = texts.iter().map(String::as_str).collect();
            zone = zone.edit(&edit(&owner, kind, &texts)).unwrap();
            model.insert((owner, kind), texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        }
        let lines = model.iter().flat_map(|((owner, kind), texts)| texts.iter().map(move |text| format!("{owner} {kind} {text}\n")));
        let rebuilt = build(&lines.collect::<String>()).zone.unwrap();
        let show = |zone: &Zone| zone.nodes().map(|node| format!("{} {:?}", node.name(), node.sets().map(Set::to_data).collect::<Vec<_>>())).collect::<Vec<_>>();
        prop_assert_eq!(show(&zone), show(&rebuilt));
        prop_assert_eq!((zone.name_count(), zone.record_count()), (rebuilt.name_count(), rebuilt.record_count()));
        let mut differences = 0;
        difference(Some(&zone), Some(&rebuilt), &mut |_, _, _| differences += 1);
        prop_assert_eq!(differences, 0);
    }
}
