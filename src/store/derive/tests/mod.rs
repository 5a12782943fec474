mod addresses;
mod owners;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::route::{Host, PathPrefix, Target};
use crate::store::apply::apply;
use crate::store::change::{Change, Done};
use crate::store::{EdgeAddresses, Item};
use crate::wire::rdata;
use crate::zone::{Draft, Place};

const PLACE: Place = Place { file: 0, line: 1, column: 1, width: 0 };

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// A zone with an SOA, an NS outside, and these records, as `owner TYPE data`.
fn zone(apex: &str, serial: u32, records: &[&str]) -> Arc<Zone> {
    let apex = name(apex);
    let mut draft = Draft::new(apex.clone());
    let mut add = |owner: &Name, kind: Kind, data: &[u8]| draft.push(owner.borrow(), kind, 300, data, PLACE).unwrap();
    let numbers = [serial, 3600, 600, 86400, 300].map(u32::to_be_bytes).concat();
    add(&apex, Kind::SOA, &[b"\x02ns\x00\x02me\x00", &numbers[..]].concat());
    add(&apex, Kind::NS, b"\x02ns\x07another\x00");
    for record in records {
        let SetEdit { name, kind, after } = set(&apex, record);
        after.unwrap().rdatas.iter().for_each(|data| add(&name, kind, data));
    }
    let built = Zone::build(draft);
    Arc::new(built.zone.unwrap_or_else(|| panic!("{:?}", built.faults)))
}

/// `owner TYPE data`, or `owner TYPE` for a set that goes.
fn set(apex: &Name, text: &str) -> SetEdit {
    let mut words = text.splitn(3, ' ');
    let owner = Name::parse(words.next().unwrap().as_bytes(), Some(apex.borrow())).unwrap();
    let kind: Kind = words.next().unwrap().parse().unwrap();
    let data = |text| crate::zone::text::value(kind, text, apex.borrow()).unwrap();
    SetEdit { name: owner, kind, after: words.next().map(|text| SetData::new(kind, 300, vec![data(text)])) }
}

fn edit(apex: &str, sets: &[&str]) -> Change {
    let apex = name(apex);
    let sets = sets.iter().map(|text| set(&apex, text)).collect();
    Change::EditZone { apex, edit: Edit { sets } }
}

fn put(apex: &str, records: &[&str]) -> Change {
    Change::PutZone { zone: zone(apex, 1, records) }
}

fn delete(apex: &str) -> Change {
    Change::DeleteZone { apex: name(apex) }
}

fn route(id: &str) -> Change {
    let (host, path) = id.split_at(id.find('/').unwrap());
    let (host, path) = (Host::parse(host).unwrap(), PathPrefix::parse(path).unwrap());
    let target = Target::parse("http://127.0.0.1:3000").unwrap();
    Change::PutItem(Item::Route(Arc::new(Route::new(host, path, target).unwrap())))
}

fn unroute(id: &str) -> Change {
    Change::DeleteItem(ItemKey::new(Shelf::Route, id))
}

fn addresses(ipv4: &[u8], ipv6: &[u16]) -> Change {
    let ipv4 = ipv4.iter().map(|last| [192, 0, 2, *last].into());
    let ipv6 = ipv6.iter().map(|last| [0x2001, 0xdb8, 0, 0, 0, 0, 0, *last].into());
    Change::PutItem(Item::Addresses(Arc::new(EdgeAddresses::new(ipv4, ipv6))))
}

/// The same addresses, with HTTPS at this port.
fn addresses_with_https(ipv4: &[u8], ipv6: &[u16], port: u16) -> Change {
    let Change::PutItem(Item::Addresses(known)) = addresses(ipv4, ipv6) else { unreachable!() };
    Change::PutItem(Item::Addresses(Arc::new(EdgeAddresses::clone(&known).with_https(Some(port)))))
}

/// The same addresses, looked at, with these of them down.
fn addresses_of_which(ipv4: &[u8], down: &[u8]) -> Change {
    let Change::PutItem(Item::Addresses(known)) = addresses_with_https(ipv4, &[], 443) else { unreachable!() };
    let down = down.iter().map(|last| [192, 0, 2, *last].into());
    Change::PutItem(Item::Addresses(Arc::new(EdgeAddresses::clone(&known).with_down(down))))
}

/// A route that is passed on unopened.
fn passed(host: &str) -> Change {
    let route = Route::new(Host::parse(host).unwrap(), PathPrefix::root(), Target::parse("tls://10.0.0.5").unwrap());
    Change::PutItem(Item::Route(Arc::new(route.unwrap())))
}

/// An account with a CA.
fn account(directory: &str, url: &str, issuer: &str) -> Change {
    let account = crate::cert::Account::new(directory, None, String::new().into(), None);
    Change::PutItem(Item::Account(Arc::new(account.with_issuers(url, &[issuer.to_owned()]))))
}

fn made(state: &Snapshot, change: Change) -> Snapshot {
    apply(state, &change).unwrap_or_else(|refused| panic!("{refused}")).state
}

fn state(changes: impl IntoIterator<Item = Change>) -> Snapshot {
    changes.into_iter().fold(Snapshot::default(), |state, change| made(&state, change))
}

fn refused(state: &Snapshot, change: Change) -> String {
    apply(state, &change).err().map(|refused| refused.to_string()).unwrap_or_default()
}

/// Every record of a zone but the SOA and the NS, as `owner TYPE data`.
fn records(state: &Snapshot, apex: &str) -> Vec<String> {
    let apex = name(apex);
    let Some(zone) = state.zones.get(apex.borrow()) else { return vec!["no zone".to_owned()] };
    let mut told = Vec::new();
    for (node, set) in zone.nodes().flat_map(|node| node.sets().map(move |set| (node, set))) {
        if node.name() == zone.apex() && [Kind::SOA, Kind::NS].contains(&set.kind()) {
            continue;
        }
        for data in set.rdatas() {
            let mut text = String::new();
            rdata::print(set.kind(), data, &mut text);
            let owner = node.name().to_string();
            let owner = owner.strip_suffix(&apex.to_string()).unwrap().trim_end_matches('.');
            told.push(format!("{} {} {text}", if owner.is_empty() { "@" } else { owner }, set.kind()));
        }
    }
    told
}

fn export(state: &Snapshot, apex: &str) -> Vec<u8> {
    let zone = state.zones.get(name(apex).borrow()).unwrap().with_serial(0);
    let mut out = Vec::new();
    crate::zone::print::zone(&zone, &mut out).unwrap();
    out
}

fn serial(state: &Snapshot, apex: &str) -> u32 {
    state.zones.get(name(apex).borrow()).unwrap().serial()
}

#[test]
fn a_route_brings_its_addresses_and_takes_them_along() {
    let before = state([addresses(&[1, 2], &[1]), put("home.example", &["www A 192.0.2.99", "deep.app TXT x"])]);
    let with = made(&before, route("app.home.example/"));
    let own = ["app A 192.0.2.1", "app A 192.0.2.2", "app AAAA 2001:db8::1"];
    assert_eq!(records(&with, "home.example"), [&own[..], &["deep.app TXT \"x\"", "www A 192.0.2.99"]].concat());
    assert_eq!(serial(&with, "home.example"), 2);
    assert_eq!(with.owner(name("App.home.example").borrow(), Kind::A).unwrap().id(), "app.home.example/");
    assert!(with.owner(name("www.home.example").borrow(), Kind::A).is_none());
    assert!(with.owner(name("app.home.example").borrow(), Kind::TXT).is_none());
    let without = made(&with, unroute("app.home.example/"));
    assert_eq!(export(&without, "home.example"), export(&before, "home.example"));
    assert_eq!(serial(&without, "home.example"), 3);
}

#[test]
fn routes_of_one_host_share_its_addresses() {
    let before = state([addresses(&[1], &[]), put("home.example", &[])]);
    let both = [route("app.home.example/api"), route("app.home.example/")].into_iter().fold(before, |s, c| made(&s, c));
    assert_eq!((records(&both, "home.example"), serial(&both, "home.example")), (vec!["app A 192.0.2.1".into()], 2));
    let one = made(&both, unroute("app.home.example/"));
    assert_eq!((records(&one, "home.example"), serial(&one, "home.example")), (vec!["app A 192.0.2.1".into()], 2));
    let none = made(&one, unroute("app.home.example/api"));
    assert_eq!((records(&none, "home.example"), serial(&none, "home.example")), (vec![], 3));
}

#[test]
fn the_apex_a_wildcard_and_hosts_that_are_not_ours() {
    let routes = ["home.example/", "*.home.example/", "elsewhere.test/", "far.cut.home.example/", "cut.home.example/"];
    let zone = put("home.example", &["cut NS ns.another."]);
    let all = state([addresses(&[1], &[]), zone].into_iter().chain(routes.map(route)));
    assert_eq!(records(&all, "home.example"), ["@ A 192.0.2.1", "* A 192.0.2.1", "cut NS ns.another."]);
    // Once nobody else answers for them they are ours, and the other way round.
    let ours = made(&all, edit("home.example", &["cut NS"]));
    let two = ["cut A 192.0.2.1", "far.cut A 192.0.2.1"];
    assert_eq!(records(&ours, "home.example"), [&["@ A 192.0.2.1", "* A 192.0.2.1"], &two[..]].concat());
    let again = made(&ours, edit("home.example", &["cut NS ns.another."]));
    assert_eq!(records(&again, "home.example"), records(&all, "home.example"));
}

#[test]
fn addresses_of_the_edge_come_change_and_go() {
    let none = state([put("home.example", &[]), route("app.home.example/")]);
    assert_eq!(records(&none, "home.example"), Vec::<String>::new());
    let one = made(&none, addresses(&[1], &[]));
    assert_eq!((records(&one, "home.example"), serial(&one, "home.example")), (vec!["app A 192.0.2.1".into()], 2));
    let other = made(&one, addresses(&[2], &[7]));
    assert_eq!(records(&other, "home.example"), ["app A 192.0.2.2", "app AAAA 2001:db8::7"]);
    assert_eq!(records(&made(&other, addresses(&[], &[])), "home.example"), Vec::<String>::new());
    // Without addresses of its own people say where the host is; then the edge cannot take it over unasked.
    let by_hand = made(&none, edit("home.example", &["app A 198.51.100.1"]));
    let told = refused(&by_hand, addresses(&[1], &[]));
    assert!(told.starts_with("app.home.example has A records by hand"), "{told}");
}

#[test]
fn what_is_there_by_hand_is_not_taken() {
    for (record, kind) in [("app A 192.0.2.1", "A"), ("app AAAA ::1", "AAAA"), ("app CNAME x.another.", "CNAME")] {
        let before = state([addresses(&[1], &[]), put("home.example", &[record])]);
        let told = refused(&before, route("app.home.example/"));
        let want =
            format!("app.home.example has {kind} records by hand, and the addresses of the route app.home.example/");
        assert!(told.starts_with(&want) && told.contains("freehold record delete"), "{told}");
        // In one change they may make room.
        let room = edit("home.example", &[&format!("app {kind}")]);
        let both = made(&before, Change::Many(vec![room, route("app.home.example/")]));
        assert_eq!(
            (records(&both, "home.example"), serial(&both, "home.example")),
            (vec!["app A 192.0.2.1".into()], 1 + u32::from(kind != "A"))
        );
    }
}

#[test]
fn what_belongs_to_a_route_is_not_edited_by_hand() {
    let before = state([addresses(&[1], &[]), put("home.example", &["app TXT x"]), route("app.home.example/")]);
    for record in ["app A 192.0.2.9", "app A", "app AAAA ::1", "APP A 192.0.2.9", "app CNAME x.another."] {
        let told = refused(&before, edit("home.example", &["other TXT y", record]));
        assert!(told.contains("belong to the route app.home.example/"), "{record}: {told}");
        assert!(told.contains("`freehold route delete app.home.example/`"), "{told}");
    }
    let fine =
        made(&before, edit("home.example", &["app TXT", "app A6", "b.app A 192.0.2.9", "app MX 1 x.another."][..1]));
    assert_eq!(records(&fine, "home.example"), ["app A 192.0.2.1"]);
    let same = set(&name("home.example"), "app A 192.0.2.1");
    let same = SetEdit { after: same.after.map(|set| SetData { ttl: TTL, ..set }), ..same };
    let nothing = Change::EditZone { apex: name("home.example"), edit: Edit { sets: vec![same] } };
    assert!(!apply(&before, &nothing).unwrap().changed());
}

#[test]
fn a_file_never_loses_what_belongs_to_a_route() {
    let before = state([addresses(&[1], &[]), put("home.example", &["www TXT x"]), route("app.home.example/")]);
    let warnings = |done: &Done| done.warnings.iter().map(|fault| fault.message.clone()).collect::<Vec<_>>();
    // The file as it was before the route, and as it is exported now: nothing changes.
    for records in [&["www TXT x"][..], &["www TXT x", "app A 192.0.2.1"]] {
        let done = before.attempt(&put("home.example", records)).unwrap();
        assert_eq!((done.changed, warnings(&done)), (false, vec![]));
    }
    let change = put("home.example", &["www TXT y", "app A 192.0.2.66"]);
    let told = "the A records of app.home.example belong to the route app.home.example/, which has put in its own";
    assert_eq!(warnings(&before.attempt(&change).unwrap()), [told]);
    let after = made(&before, change);
    assert_eq!(records(&after, "home.example"), ["app A 192.0.2.1", "www TXT \"y\""]);
    assert_eq!(serial(&after, "home.example"), 3);
    let told = refused(&before, put("home.example", &["app CNAME x.another."]));
    assert!(told.starts_with("app.home.example has CNAME records by hand"), "{told}");
    let newer = Change::PutZone { zone: zone("home.example", 9, &["www TXT x"]) };
    assert_eq!(serial(&made(&before, newer), "home.example"), 9, "a newer serial alone is a change");
}

#[test]
fn zones_that_come_and_go_take_their_hosts_along() {
    let hosts = ["app.home.example/", "app.sub.home.example/", "sub.home.example/"];
    let none = state([addresses(&[1], &[])].into_iter().chain(hosts.map(route)));
    let home = made(&none, put("home.example", &[]));
    let all = ["app A 192.0.2.1", "sub A 192.0.2.1", "app.sub A 192.0.2.1"];
    assert_eq!((records(&home, "home.example"), serial(&home, "home.example")), (all.map(String::from).to_vec(), 1));
    let sub = made(&home, put("sub.home.example", &[]));
    assert_eq!((records(&sub, "home.example"), serial(&sub, "home.example")), (vec!["app A 192.0.2.1".into()], 2));
    assert_eq!(records(&sub, "sub.home.example"), ["@ A 192.0.2.1", "app A 192.0.2.1"]);
    let back = made(&sub, delete("sub.home.example"));
    assert_eq!(export(&back, "home.example"), export(&home, "home.example"));
    let gone = made(&back, delete("home.example"));
    assert_eq!((gone.zones.len(), gone.routes.len()), (0, 3));
}

// ----- Whatever happens -------------------------------------------------------------------------------------

const APEXES: [&str; 3] = ["home.example", "sub.home.example", "other.example"];
const HOSTS: [&str; 6] =
    ["app.home.example/", "app.home.example/api", "home.example/", "*.home.example/", "a.sub.home.example/", "x.test/"];

#[derive(Clone, Debug)]
enum Deed {
    /// By hand.
    Edit(usize, Vec<String>),
    Put(usize, Vec<String>),
    Delete(usize),
    Route(usize),
    Unroute(usize),
    Addresses(Vec<u8>, Vec<u16>),
    /// The same, with HTTPS.
    Https(Vec<u8>),
    Account(bool),
}

fn record() -> impl Strategy<Value = String> {
    let owner = prop::sample::select(vec!["@", "app", "a", "a.sub", "sub", "*", "b"]);
    let rest = prop::sample::select(vec![
        "A 192.0.2.78",
        "A 192.0.2.77",
        "AAAA ::7",
        "TXT x",
        "NS ns.another.",
        "HTTPS 1 . alpn=h3",
        "CAA 0 issue \"other.example\"",
        "HTTPS",
        "CAA",
        "A",
        "AAAA",
        "TXT",
        "NS",
    ]);
    (owner, rest)
        .prop_map(|(owner, rest)| format!("{owner} {rest}"))
        .prop_filter("no zone could have it", |text| !text.starts_with("@ NS") && !text.starts_with("* NS"))
}

fn deed() -> impl Strategy<Value = Deed> {
    let records = || prop::collection::vec(record(), 0..4);
    prop_oneof![
        4 => (0..3usize, records()).prop_map(|(zone, records)| Deed::Edit(zone, records)),
        2 => (0..3usize, records()).prop_map(|(zone, records)| Deed::Put(zone, records)),
        1 => (0..3usize).prop_map(Deed::Delete),
        4 => (0..HOSTS.len()).prop_map(Deed::Route),
        2 => (0..HOSTS.len()).prop_map(Deed::Unroute),
        1 => (prop::collection::vec(1..4u8, 0..3), prop::collection::vec(1..3u16, 0..2)).prop_map(|(a, b)| Deed::Addresses(a, b)),
        1 => prop::collection::vec(1..4u8, 0..3).prop_map(Deed::Https),
        1 => any::<bool>().prop_map(Deed::Account),
    ]
}

fn distinct(records: &[String], complete: bool) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    let kept = records.iter().filter(|text| !complete || text.split(' ').count() > 2);
    kept.map(String::as_str)
        .filter(|text| {
            seen.insert(text.rsplitn(2, ' ').last().unwrap().to_owned() + &text.split(' ').take(2).collect::<String>())
        })
        .collect()
}

fn change(deed: &Deed) -> Change {
    match deed {
        Deed::Edit(at, records) => edit(APEXES[*at], &distinct(records, false)),
        Deed::Put(at, records) => put(APEXES[*at], &distinct(records, true)),
        Deed::Delete(at) => delete(APEXES[*at]),
        Deed::Route(at) => route(HOSTS[*at]),
        Deed::Unroute(at) => unroute(HOSTS[*at]),
        Deed::Addresses(ipv4, ipv6) => addresses(ipv4, ipv6),
        Deed::Https(ipv4) => addresses_with_https(ipv4, &[], 443),
        Deed::Account(true) => account("https://ca/", "https://ca/1", "ca.example"),
        Deed::Account(false) => Change::DeleteItem(ItemKey::new(Shelf::Account, "https://ca/")),
    }
}

/// At the host of a route there is what is derived, and nothing else anywhere is thought to belong to one.
fn assert_in_step(state: &Snapshot) {
    for host in hosts(&state.routes) {
        let Some(zone) = home(&state.zones, host.borrow()) else { continue };
        let is_owned = state.addresses.as_ref().is_some_and(|addresses| !addresses.is_empty());
        let route = state.routes.of_name(&super::host(host.borrow())).last().unwrap();
        for kind in OWNED.into_iter().filter(|_| is_owned) {
            assert_eq!(set(zone, &host, kind), state.derived(route, kind), "{host} {kind}");
        }
        for kind in YIELDING.into_iter().filter(|_| is_owned) {
            let found = set(zone, &host, kind);
            if found.as_ref().is_none_or(yielding::is_ours) {
                assert_eq!(found, state.offered(zone, host.borrow(), kind), "{host} {kind}");
            }
        }
    }

    fn set(zone: &Zone, host: &Name, kind: Kind) -> Option<SetData> {
        super::set(zone, host.borrow(), kind)
    }
}

proptest! {
    /// Beside the zones with routes the same zones are kept without, changed by the same hands. Derived sets are always in
    /// step, and when all routes are gone, nothing tells that there ever were any.
    #[test]
    fn routes_leave_no_trace(deeds in prop::collection::vec(deed(), 1..25)) {
        let mut with = state([addresses(&[1], &[])]);
        let mut without = with.clone();
        for deed in &deeds {
            let change = change(deed);
            let Ok(applied) = apply(&with, &change) else { continue };
            let before = std::mem::replace(&mut with, applied.state);
            assert_in_step(&with);
            for part in &applied.zones {
                if let (Some(old), Some(new)) = (&part.before, &part.after) {
                    prop_assert!(new.serial() == old.serial() || new.serial() == old.serial() + 1);
                }
            }
            match deed {
                Deed::Route(_) | Deed::Unroute(_) | Deed::Addresses(..) | Deed::Https(_) | Deed::Account(_) => (),
                // What a file says of a host that a route owns goes to nobody.
                Deed::Put(..) => {
                    let Change::PutZone { zone } = &change else { unreachable!() };
                    let mut edit = Edit::default();
                    for host in hosts(&before.routes).filter(|host| with.owner(host.borrow(), Kind::A).is_some()) {
                        let is_here = home(&with.zones, host.borrow()).is_some_and(|home| home.apex() == zone.apex());
                        let gone = OWNED.map(|kind| SetEdit { name: host.clone(), kind, after: None });
                        edit.sets.extend(gone.into_iter().filter(|_| is_here));
                    }
                    let zone = Arc::new(zone.edit(&edit).unwrap());
                    without = made(&without, Change::PutZone { zone });
                }
                Deed::Edit(..) | Deed::Delete(_) => without = made(&without, change),
            }
        }
        let all: Vec<_> = with.routes.iter().map(|route| Change::DeleteItem(ItemKey::new(Shelf::Route, route.id()))).collect();
        with = made(&with, Change::Many(all));
        prop_assert_eq!(with.zones.len(), without.zones.len());
        for zone in without.zones.iter() {
            let apex = zone.apex().to_string();
            prop_assert_eq!(export(&with, &apex), export(&without, &apex), "{}", apex);
        }
    }
}
