use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::*;
use crate::route::{Host, PathPrefix, Route, Target};
use crate::store::codec::tests::zone;
use crate::store::{Actor, Change, EdgeAddresses, Item, Refused, Settings, Shape, Store};
use crate::wire::{Kind, Name};
use crate::zone::{Count, Edit, SetData, SetEdit, Zone, difference};

/// A store whose segments hold about `segment_size` octets each.
fn open(directory: &Path, segment_size: u64) -> Store {
    let directory = directory.join("data");
    Store::open(&Settings { directory, journal_segment_size: segment_size, ..Settings::default() }).unwrap()
}

fn apex(name: &str) -> Name {
    name.parse().unwrap()
}

fn put(store: &Store, name: &str, serial: u32, texts: &[(&str, &str)]) -> u64 {
    store
        .commit_blocking(Change::PutZone { zone: Arc::new(zone(name, serial, texts)) }, Actor::new("ann", "socket"))
        .unwrap()
        .revision
}

fn text(store: &Store, owner: &str, text: Option<&str>) -> u64 {
    let data = |text: &str| [&[text.len() as u8], text.as_bytes()].concat().into();
    let after = text.map(|text| SetData::new(Kind::TXT, 300, vec![data(text)]));
    let name = Name::parse(owner.as_bytes(), Some(apex("one.example").borrow())).unwrap();
    let edit = Edit { sets: vec![SetEdit { name, kind: Kind::TXT, after }] };
    store
        .commit_blocking(Change::EditZone { apex: apex("one.example"), edit }, Actor::new("bob", "socket"))
        .unwrap()
        .revision
}

fn revisions(page: &Page) -> Vec<u64> {
    page.events.iter().map(|event| event.revision).collect()
}

fn page(store: &Store, zone: Option<&str>, before: Option<u64>, limit: usize) -> Page {
    let zone = zone.map(apex);
    store.history().page(&Wanted { zone: zone.as_ref().map(Name::borrow), before, limit }).unwrap()
}

fn take_back(store: &Store, zone: &str, revision: u64) -> Result<(), CannotUndo> {
    let change = store.history().undo(&apex(zone), revision)?;
    store.commit_blocking(change, Actor::new("ann", "socket")).unwrap();
    Ok(())
}

fn content(store: &Store, name: &str) -> Option<Arc<Zone>> {
    store.snapshot().zones.get(apex(name).borrow()).cloned()
}

/// The sets in which two zones differ, the SOA aside.
fn apart(a: &Zone, b: &Zone) -> usize {
    let mut apart = 0;
    difference(Some(a), Some(b), &mut |_, old, new| {
        apart += usize::from(old.or(new).map(|set| set.kind()) != Some(Kind::SOA));
    });
    apart
}

#[test]
fn it_tells_who_when_and_what() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path(), 1 << 20);
    put(&store, "one.example", 7, &[("a", "x")]);
    text(&store, "a", Some("y"));
    store.commit_blocking(Change::DeleteZone { apex: apex("one.example") }, Actor::new("eve", "socket")).unwrap();
    let page = page(&store, None, None, 10);
    assert_eq!((revisions(&page), page.next, page.known_from), (vec![3, 2, 1], None, 1));
    let told: Vec<_> = page
        .events
        .iter()
        .map(|e| (&e.zones[0], e.actor.to_string()))
        .map(|(e, actor)| (e.shape, actor, e.serial_before, e.serial_after, e.count, e.set_count))
        .collect();
    let count = |added, altered, removed| Count { added, altered, removed };
    assert_eq!(
        told,
        [
            (Shape::Delete, "eve from socket".into(), Some(8), None, count(0, 0, 3), 3),
            (Shape::Alter, "bob from socket".into(), Some(7), Some(8), count(0, 1, 0), 2),
            (Shape::Create, "ann from socket".into(), None, Some(7), count(3, 0, 0), 3),
        ]
    );
    assert!(page.events.iter().all(|event| event.unix_seconds > 1_700_000_000 && event.is_whole()));
    assert_eq!(store.history().find(2).unwrap(), page.events[1]);
    let unknown = |revision| store.history().find(revision).unwrap_err().to_string();
    assert_eq!(unknown(4), "there is no revision 4 yet: the newest is 3");
    assert_eq!(unknown(0), "revision 0 is not known any more: the history begins with revision 1");
}

#[test]
fn pages_follow_each_other_over_many_segments_and_a_restart() {
    let place = tempfile::tempdir().unwrap();
    for segment_size in [1, 700, 1 << 20] {
        let _ = std::fs::remove_dir_all(place.path().join("data"));
        let mut store = open(place.path(), segment_size);
        put(&store, "one.example", 1, &[]);
        put(&store, "two.example", 1, &[]);
        for i in 0..40 {
            text(&store, "a", Some(&format!("text {i}")));
        }
        for round in 0..2 {
            for limit in [1, 7, 42, 100] {
                let (mut seen, mut before) = (Vec::new(), None);
                loop {
                    let page = page(&store, None, before, limit);
                    seen.extend(revisions(&page));
                    before = page.next;
                    if before.is_none() {
                        break;
                    }
                }
                assert_eq!(seen, (1..=42).rev().collect::<Vec<_>>(), "{segment_size} {round} {limit}");
            }
            assert_eq!(revisions(&page(&store, Some("two.example"), None, 10)), [2]);
            drop(store);
            store = open(place.path(), segment_size);
        }
    }
}

/// Looking for a zone that seldom changes, a page comes back early rather than late, and the next one goes on.
#[test]
fn a_page_reads_only_so_much() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path(), 1);
    put(&store, "two.example", 1, &[]);
    put(&store, "one.example", 1, &[]);
    for i in 0..10 {
        text(&store, "a", Some(&format!("text {i}")));
    }
    let history = History::new(place.path().join("data/journal"), store.snapshots());
    let history = History { page_reads_max: 600, ..history }; // a few segments
    let (mut pages, mut before) = (Vec::new(), None);
    loop {
        let page = history.page(&Wanted { zone: Some(apex("two.example").borrow()), before, limit: 5 }).unwrap();
        pages.push(revisions(&page));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert!(pages.len() > 2 && pages.last() == Some(&vec![1]), "{pages:?}");
    assert!(pages.iter().rev().skip(1).all(Vec::is_empty), "{pages:?}");
}

#[test]
fn what_was_pruned_is_not_known_and_says_so() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path(), 1);
    put(&store, "one.example", 1, &[]);
    for i in 0..9 {
        text(&store, "a", Some(&format!("text {i}")));
    }
    let first = |revision| journal::segment_path(&place.path().join("data/journal"), revision);
    (1..4).for_each(|revision| std::fs::remove_file(first(revision)).unwrap());
    let all = page(&store, None, None, 100);
    assert_eq!((revisions(&all), all.next, all.known_from), ((4..=10).rev().collect(), None, 4));
    assert_eq!(page(&store, None, None, 7).next, None);
    let fault = store.history().find(3).unwrap_err().to_string();
    assert_eq!(fault, "revision 3 is not known any more: the history begins with revision 4");
    // A hole, as a newer state from elsewhere leaves it, ends the history as well.
    std::fs::remove_file(first(7)).unwrap();
    let all = page(&store, None, None, 100);
    assert_eq!((revisions(&all), all.next, all.known_from), ((8..=10).rev().collect(), None, 8));
    assert!(matches!(store.history().find(7), Err(HistoryFault::Unknown { known_from: 8, .. })));
}

#[test]
fn it_is_read_while_the_writer_writes() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path(), 2_000);
    put(&store, "one.example", 1, &[]);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0..200 {
                text(&store, "a", Some(&format!("text {i}")));
            }
            done.store(true, Ordering::Release);
        });
        let mut looks = 0;
        while !done.load(Ordering::Acquire) || looks == 0 {
            let newest = store.snapshot().revision;
            let page = page(&store, None, None, 1_000);
            let seen = revisions(&page);
            assert!(seen[0] >= newest, "what is served is in the history: {} {newest}", seen[0]);
            assert_eq!(seen, (1..=seen[0]).rev().collect::<Vec<_>>());
            looks += 1;
        }
    });
    assert_eq!(page(&store, None, None, 1_000).events.len(), 201);
}

fn many(count: usize) -> Vec<(String, String)> {
    (0..count).map(|i| (format!("host{i}"), format!("text {i}"))).collect()
}

fn borrowed(texts: &[(String, String)]) -> Vec<(&str, &str)> {
    texts.iter().map(|(owner, text)| (&owner[..], &text[..])).collect()
}

#[test]
fn a_large_change_gives_counts_and_the_first_of_its_sets() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path(), 1 << 20);
    let texts = many(60_000); // several frames
    put(&store, "one.example", 1, &borrowed(&texts));
    let event = store.history().find(1).unwrap();
    assert_eq!(
        (event.zones[0].sets.len(), event.zones[0].set_count, event.zones[0].count.added),
        (1_000, 60_002, 60_002)
    );
    let event = &page(&store, None, None, 1).events[0];
    assert_eq!((event.zones[0].sets.len(), event.zones[0].set_count, event.is_whole()), (20, 60_002, false));
    let mut told = 0;
    store
        .history()
        .sets(1, apex("one.example").borrow(), &mut |set| {
            told += usize::from(set.before.is_none() && set.after.is_some());
            Ok(())
        })
        .unwrap();
    assert_eq!(told, 60_002);
    assert!(
        store.history().sets(1, apex("one.example").borrow(), &mut |_| Err(io::ErrorKind::BrokenPipe.into())).is_err()
    );
    assert_eq!(text(&store, "host7", Some("other")), 2); // behind a change of many frames
    assert_eq!(revisions(&page(&store, None, None, 10)), [2, 1]);
}

#[test]
fn damage_is_named_and_not_told_as_history() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path(), 1);
    put(&store, "one.example", 1, &[("a", "x")]);
    text(&store, "a", Some("y"));
    text(&store, "a", Some("z"));
    let path = journal::segment_path(&place.path().join("data/journal"), 2);
    let mut octets = std::fs::read(&path).unwrap();
    *octets.last_mut().unwrap() ^= 1;
    std::fs::write(&path, octets).unwrap();
    let fault = store.history().page(&Wanted { zone: None, before: None, limit: 9 }).unwrap_err();
    assert!(fault.to_string().contains("00002.journal: wrong checksum at offset 24"), "{fault}");
    assert_eq!(revisions(&page(&store, None, None, 1)), [3]);
    assert_eq!(revisions(&page(&store, None, Some(2), 9)), [1]);
}

// ----- Undo -------------------------------------------------------------------------------------------------

#[test]
fn an_edit_is_taken_back_and_again() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path(), 1 << 20);
    put(&store, "one.example", 1, &[("a", "x"), ("b", "x")]);
    let before = content(&store, "one.example").unwrap();
    let edited = text(&store, "a", Some("y"));
    text(&store, "c", Some("later and elsewhere"));
    take_back(&store, "one.example", edited).unwrap();
    let after = content(&store, "one.example").unwrap();
    assert_eq!((apart(&before, &after), after.serial()), (1, 4));
    take_back(&store, "one.example", 4).unwrap();
    assert_eq!(page(&store, None, None, 1).events[0].zones[0].count, Count { added: 0, altered: 1, removed: 0 });
    assert_eq!(store.snapshot().revision, 5);
}

#[test]
fn what_was_changed_again_is_not_lost() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path(), 1 << 20);
    put(&store, "one.example", 1, &[("a", "x")]);
    put(&store, "two.example", 1, &[]);
    let refused = |revision| take_back(&store, "one.example", revision).unwrap_err().to_string();
    let edited = text(&store, "a", Some("y"));
    assert_eq!(refused(1), "a.one.example. TXT was changed again since, by revision 3");
    assert_eq!(refused(2), "revision 2 is a change of two.example");
    let again = text(&store, "a", Some("z"));
    assert_eq!(refused(edited), "a.one.example. TXT was changed again since, by revision 4");
    text(&store, "a", Some("y")); // back to what it was: now there is nothing to lose
    store.history().undo(&apex("one.example"), edited).unwrap();
    assert_eq!(refused(again), "a.one.example. TXT was changed again since, by revision 5");
    put(&store, "one.example", 50, &[("a", "y")]);
    assert_eq!(refused(6), "revision 6 did no more than move the serial");
    // Prepared, and then somebody was faster.
    let change = store.history().undo(&apex("one.example"), 5).unwrap();
    text(&store, "a", Some("faster"));
    let late = store.commit_blocking(change, Actor::new("ann", "socket")).unwrap_err();
    assert_eq!(late, Refused::ChangedSince { name: apex("a.one.example"), kind: Kind::TXT });
    store.commit_blocking(Change::DeleteZone { apex: apex("one.example") }, Actor::new("eve", "socket")).unwrap();
    assert_eq!(refused(edited), "one.example. was deleted since, by revision 8");
}

#[test]
fn a_zone_that_came_goes_and_one_that_went_comes_back() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path(), 1 << 20);
    put(&store, "one.example", 7, &[("a.b", "x"), ("c", "y")]);
    let whole = content(&store, "one.example").unwrap();
    let taken = store.history().undo(&apex("one.example"), 1).unwrap();
    text(&store, "new", Some("grown"));
    assert_eq!(store.commit_blocking(taken, Actor::new("ann", "socket")).unwrap_err(), Refused::Overtaken);
    let refused = |revision| take_back(&store, "one.example", revision).unwrap_err().to_string();
    assert_eq!(refused(1), "one.example. was changed since it was created, by revision 2");
    text(&store, "new", None);
    take_back(&store, "one.example", 1).unwrap();
    assert!(content(&store, "one.example").is_none());
    take_back(&store, "one.example", 4).unwrap();
    let back = content(&store, "one.example").unwrap();
    assert_eq!((apart(&whole, &back), back.name_count(), back.serial()), (0, whole.name_count(), 10));
    assert_eq!(refused(4), "one.example. was created again since, by revision 5");
    drop(store);
    assert_eq!(content(&open(place.path(), 1 << 20), "one.example").unwrap().serial(), 10);
}

#[test]
fn a_large_change_is_taken_back() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path(), 1 << 20);
    let (old, mut new) = (many(3_000), many(3_000));
    new.iter_mut().for_each(|(_, text)| text.push('!'));
    put(&store, "one.example", 1, &borrowed(&old));
    let before = content(&store, "one.example").unwrap();
    let changed = put(&store, "one.example", 2, &borrowed(&new));
    text(&store, "elsewhere.else", Some("kept"));
    take_back(&store, "one.example", changed).unwrap();
    let after = content(&store, "one.example").unwrap();
    assert_eq!((apart(&before, &after), after.serial()), (1, 4));
    text(&store, "host1500", Some("again"));
    let refused = take_back(&store, "one.example", 4).unwrap_err().to_string();
    assert_eq!(refused, "host1500.one.example. TXT was changed again since, by revision 5");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A change and its undo leave the same content, the serial moves on, and the store reads it back.
    #[test]
    fn change_and_undo_are_nothing(
        old in prop::collection::btree_map("[a-d]{1,2}(\\.[a-c])?", "[a-z]{1,4}", 0..12),
        new in prop::collection::btree_map("[a-d]{1,2}(\\.[a-c])?", "[a-z]{1,4}", 0..12),
    ) {
        let place = tempfile::tempdir().unwrap();
        let store = open(place.path(), 1 << 20);
        let texts = |map: &BTreeMap<String, String>| map.clone().into_iter().collect::<Vec<_>>();
        put(&store, "one.example", 1, &borrowed(&texts(&old)));
        let before = content(&store, "one.example").unwrap();
        let revision = put(&store, "one.example", 1, &borrowed(&texts(&new)));
        prop_assume!(revision == 2);
        take_back(&store, "one.example", 2).unwrap();
        let after = content(&store, "one.example").unwrap();
        prop_assert_eq!((apart(&before, &after), after.serial(), after.name_count()), (0, 3, before.name_count()));
        drop(store);
        let again = content(&open(place.path(), 1 << 20), "one.example").unwrap();
        prop_assert_eq!(apart(&after, &again), 0);
    }
}

fn addresses(last: u8) -> Change {
    Change::PutItem(Item::Addresses(Arc::new(EdgeAddresses::new([[192, 0, 2, last].into()], []))))
}

fn commit(store: &Store, change: Change) -> u64 {
    store.commit_blocking(change, Actor::new("ann", "")).unwrap().revision
}

#[test]
fn a_change_of_several_things_is_told_with_all_of_them() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path(), 1 << 20);
    let put = |name| Change::PutZone { zone: Arc::new(zone(name, 7, &[("a", "x")])) };
    commit(&store, Change::Many(vec![put("one.example"), addresses(1), put("two.example")]));
    commit(&store, addresses(2));
    commit(&store, put("three.example"));
    let all = page(&store, None, None, 10);
    assert_eq!(revisions(&all), [3, 2, 1]);
    let zones = |event: &Event| event.zones.iter().map(|part| part.zone.to_string()).collect::<Vec<_>>();
    assert_eq!(
        (zones(&all.events[2]), all.events[2].part_count),
        (vec!["one.example.".into(), "two.example.".into()], 3)
    );
    let item = &all.events[1].items[0];
    let lines = (item.before.as_deref(), item.after.as_deref());
    assert_eq!((item.shape, lines), (Shape::Alter, (Some("192.0.2.1"), Some("192.0.2.2"))));
    let of_two = page(&store, Some("two.example"), None, 10);
    assert_eq!((revisions(&of_two), zones(&of_two.events[0])), (vec![1], vec!["two.example.".into()]));
    let mut told = 0;
    let mut count = |set: SetChange| {
        told += usize::from(set.name.borrow().is_within(apex("two.example").borrow()));
        Ok(())
    };
    store.history().sets(1, apex("two.example").borrow(), &mut count).unwrap();
    assert_eq!(told, 3);
}

#[test]
fn an_undo_takes_back_all_of_a_change() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path(), 1 << 20);
    let put = |name, serial, text| Change::PutZone { zone: Arc::new(zone(name, serial, &[("a", text)])) };
    commit(&store, put("one.example", 1, "x"));
    commit(&store, Change::Many(vec![put("one.example", 2, "y"), put("two.example", 1, "z")]));
    assert!(matches!(take_back(&store, "three.example", 2), Err(CannotUndo::OtherZone { revision: 2, .. })));
    take_back(&store, "two.example", 2).unwrap();
    assert!(content(&store, "two.example").is_none());
    assert_eq!(apart(&zone("one.example", 1, &[("a", "x")]), &content(&store, "one.example").unwrap()), 0);
    take_back(&store, "one.example", 3).unwrap();
    assert!(content(&store, "two.example").is_some());
    // One of its zones was changed since: then nothing of it is taken back.
    commit(&store, put("one.example", 9, "w"));
    let refused = take_back(&store, "two.example", 4).unwrap_err().to_string();
    assert_eq!(refused, "a.one.example. TXT was changed again since, by revision 5");
    // What has its master elsewhere is not taken back.
    commit(&store, Change::Many(vec![addresses(1), put("two.example", 9, "v")]));
    let refused = take_back(&store, "two.example", 6).unwrap_err().to_string();
    assert_eq!(refused, "a change of the addresses edge is not taken back: change the addresses in the settings file");
}

fn route(host: &str) -> Change {
    let target = Target::parse("http://127.0.0.1:3000").unwrap();
    let route = Route::new(Host::parse(host).unwrap(), PathPrefix::parse("/").unwrap(), target).unwrap();
    Change::PutItem(Item::Route(Arc::new(route)))
}

#[test]
fn a_route_that_is_taken_back_takes_its_addresses_along() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path(), 1 << 20);
    commit(&store, addresses(1));
    put(&store, "one.example", 1, &[]);
    let plain = content(&store, "one.example").unwrap();
    let made = commit(&store, route("app.one.example"));
    let routed = content(&store, "one.example").unwrap();
    assert_eq!(apart(&plain, &routed), 1);
    let event = store.history().find(made).unwrap();
    assert_eq!((event.items[0].key.to_string(), event.zones.len()), ("route app.one.example/".to_owned(), 1));
    // New addresses of the edge come in between; they are nobody's work that could be lost.
    commit(&store, addresses(2));
    take_back(&store, "one.example", made).unwrap();
    assert_eq!((apart(&plain, &content(&store, "one.example").unwrap()), store.snapshot().routes.len()), (0, 0));
    let taken = store.snapshot().revision;
    commit(&store, addresses(1));
    take_back(&store, "one.example", taken).unwrap();
    assert_eq!((apart(&routed, &content(&store, "one.example").unwrap()), store.snapshot().routes.len()), (0, 1));
    // What has been put there by hand meanwhile stays.
    let again = store.snapshot().revision;
    take_back(&store, "one.example", again).unwrap();
    let gone = store.snapshot().revision;
    let by_hand = SetData::new(Kind::A, 60, vec![[192, 0, 2, 9].into()]);
    let set = SetEdit { name: apex("app.one.example"), kind: Kind::A, after: Some(by_hand) };
    let edited = commit(&store, Change::EditZone { apex: apex("one.example"), edit: Edit { sets: vec![set] } });
    let refused = take_back(&store, "one.example", gone).unwrap_err().to_string();
    assert_eq!(refused, format!("app.one.example. A was changed again since, by revision {edited}"));
    // And a zone comes back with the addresses of now.
    take_back(&store, "one.example", edited).unwrap();
    commit(&store, route("app.one.example"));
    let deleted = commit(&store, Change::DeleteZone { apex: apex("one.example") });
    commit(&store, addresses(3));
    take_back(&store, "one.example", deleted).unwrap();
    let zone = content(&store, "one.example").unwrap();
    let set = zone.node(apex("app.one.example").borrow()).unwrap().set(Kind::A).unwrap().to_data();
    assert_eq!(set.rdatas, [Box::from([192, 0, 2, 3])]);
}
