//! What the packets of a batch will ask of memory, fetched for all of them at once.
//!
//! Among a million names, the last fork, the page and the node of a name are three waits for memory, one behind the other,
//! as long as all the rest of our work on the answer. The packets of a batch do not depend on one another: so before the first
//! is answered, the look-ups of all are walked in step, each step only telling the processor what to fetch. The
//! answers then find it in the cache. Nothing else comes of it: whoever answers looks again.
//!
//! Small zones are in the cache anyhow, and a lone packet has nobody to wait together with; both are left out.
//!
//! Rejected: to hand the node that was found to `respond`, which would then have two ways to answer.

use super::batch::BATCH;
use crate::store::Zones;
use crate::wire::query::HEADER_SIZE;
use crate::wire::{Hash, Key, Kind, NameRef};
use crate::zone::tree::{Named, Way};
use crate::zone::{Node, Zone};

/// Fewer names, some 2 MiB, are in the cache, or soon will be.
const NAMES_MIN: usize = 16_384;
/// Fewer packets wait for one another hardly at all.
const PACKETS_MIN: usize = 4;
/// Labels, without the root, of the names that are looked at.
const DEPTH_MAX: usize = 10;
/// Cache lines that name servers and the SOA of a zone commonly take, behind the first.
const APEX_LINES: usize = 2;
/// Names that an answer goes on to (aliases, glue) which are looked at.
const TARGETS_MAX: usize = 2;

/// The hashes of a name and its ancestors, the root's first.
#[derive(Clone, Copy)]
struct Question {
    hashes: [Hash; DEPTH_MAX + 1],
    count: usize,
    /// Whether it is for an address, which stands first among what a name has.
    is_for_address: bool,
}

impl Question {
    const NONE: Self = Self { hashes: [Hash(0); DEPTH_MAX + 1], count: 0, is_for_address: false };

    /// Of a packet that may be anything.
    fn read(packet: &[u8]) -> Option<Self> {
        let (name, rest) = NameRef::read(packet.get(HEADER_SIZE..)?).ok()?;
        let key = Key::new(name);
        let mut question = Self { is_for_address: rest.starts_with(&Kind::A.0.to_be_bytes()), ..Self::NONE };
        let mut hash = Hash::root();
        question.hashes[0] = hash;
        question.count = 1 + key.label_count().min(DEPTH_MAX);
        for depth in 1..question.count {
            hash = hash.child(key.label(depth));
            question.hashes[depth] = hash;
        }
        Some(question)
    }

    fn hashes(&self) -> &[Hash] {
        &self.hashes[..self.count]
    }
}

/// Whether it is worth looking ahead.
#[inline]
pub(super) fn is_worth_it(zones: &Zones, packets: usize) -> bool {
    packets >= PACKETS_MIN && zones.name_count() >= NAMES_MIN
}

/// Names what the answers to these packets will read, a step for all of them before the next step for any.
pub(super) fn look<'p>(zones: &Zones, packets: impl Iterator<Item = &'p [u8]>, touch: &mut impl FnMut(*const u8)) {
    let mut questions = [Question::NONE; BATCH];
    let mut count = 0;
    for (place, question) in questions.iter_mut().zip(packets.filter_map(Question::read)) {
        (*place, count) = (question, count + 1);
    }
    let questions = &questions[..count];
    if zones.len() >= NAMES_MIN / 4 {
        let ways = questions.iter().flat_map(|question| zones.ways(question.hashes()));
        walk(ways.map(|way| ((), way)), touch, &mut |(), _| ());
    }
    let mut found: [Option<(&Zone, usize)>; BATCH] = [None; BATCH];
    for (place, question) in found.iter_mut().zip(questions) {
        *place = zones.closest_hashed(question.hashes()).map(|(zone, depth)| (&**zone, depth));
        if let Some((zone, depth)) = *place {
            touch(zone.apex_node().address()); // nearly every answer looks at its head
            if question.count == depth + 1 && !question.is_for_address {
                touch_apex(zone, touch);
            }
        }
    }
    let ways = questions.iter().zip(found).filter_map(|(question, found)| Some(names(question, found?)));
    let (mut targets, mut count) = ([const { None }; BATCH], 0);
    let mut missing = [const { None }; 2 * BATCH];
    let mut missing_count = 0;
    walk(ways.flatten(), touch, &mut |(zone, is_name): (&Zone, bool), node: Option<&Node>| {
        let Some(node) = node else {
            if is_name {
                (missing[missing_count], missing_count) = (Some(zone), missing_count + 1);
            }
            return;
        };
        for (place, target) in targets[count..].iter_mut().zip(node.targets().take(TARGETS_MAX)) {
            // It nearly always lies in the zone that leads there; a hash that is not there is just not found.
            (*place, count) = (Some(((), zone.way(Hash::of(Key::new(target).name())))), count + 1);
        }
    });
    missing.into_iter().flatten().for_each(|zone| touch_apex(zone, touch));
    walk(targets.into_iter().flatten(), touch, &mut |(), _| ());
}

/// Names what a zone has at its apex behind the head: a negative answer copies the SOA at its end.
fn touch_apex(zone: &Zone, touch: &mut impl FnMut(*const u8)) {
    let apex = zone.apex_node().address();
    (1..=APEX_LINES).for_each(|line| touch(apex.wrapping_add(line * 64)));
}

/// The ways to a name and to its parent, where they lie below the apex, each with its zone and whether it is to the name.
fn names<'z>(
    question: &Question,
    (zone, depth): (&'z Zone, usize),
) -> impl Iterator<Item = ((&'z Zone, bool), Way<'z, Node>)> {
    let mut hashes = question.hashes()[depth + 1..].iter().rev();
    let ways: [_; 2] = std::array::from_fn(|at| hashes.next().map(|hash| ((zone, at == 0), zone.way(*hash))));
    ways.into_iter().flatten()
}

/// Walks look-ups in step, and then hands over what was found or not, with what came with the way to it.
fn walk<'t, T: Named + 't, C: Copy>(
    ways: impl Iterator<Item = (C, Way<'t, T>)>,
    touch: &mut impl FnMut(*const u8),
    arrive: &mut impl FnMut(C, Option<&'t T>),
) {
    let mut walked: [Option<(C, Way<'t, T>)>; 2 * BATCH] = [const { None }; 2 * BATCH];
    let mut count = 0;
    for (place, way) in walked.iter_mut().zip(ways) {
        (*place, count) = (Some(way), count + 1);
    }
    let walked = &mut walked[..count];
    let mut going = true;
    while going {
        going = false;
        for (_, way) in walked.iter_mut().flatten() {
            going |= way.step(touch);
        }
    }
    for (companion, way) in walked.iter().flatten() {
        arrive(*companion, way.item());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::wire::Name;
    use crate::zone::{Draft, Edit, Place, SetData, SetEdit};

    const PLACE: Place = Place { file: 0, line: 1, column: 1, width: 0 };

    fn zone(apex: &str, names: usize) -> Arc<Zone> {
        let apex: Name = apex.parse().unwrap();
        let mut draft = Draft::new(apex.clone());
        let soa = [apex.as_bytes(), apex.as_bytes(), &[0; 20]].concat();
        draft.push(apex.borrow(), Kind::SOA, 60, &soa, PLACE).unwrap();
        draft.push(apex.borrow(), Kind::NS, 60, b"\x02ns\x04test\0", PLACE).unwrap();
        for number in 0..names {
            let owner = Name::parse(format!("h{number}.sub").as_bytes(), Some(apex.borrow())).unwrap();
            draft.push(owner.borrow(), Kind::A, 60, &[192, 0, 2, 1], PLACE).unwrap();
        }
        Arc::new(Zone::build(draft).zone.unwrap())
    }

    fn query(name: &str) -> Vec<u8> {
        [&[0; HEADER_SIZE][..], name.parse::<Name>().unwrap().as_bytes(), &[0, 1, 0, 1]].concat()
    }

    fn touched(zones: &Zones, packets: &[Vec<u8>]) -> Vec<*const u8> {
        let mut touched = Vec::new();
        look(zones, packets.iter().map(Vec::as_slice), &mut |address| touched.push(address));
        touched
    }

    fn node(zones: &Zones, zone: &str, name: &str) -> *const u8 {
        let (zone, name): (Name, Name) = (zone.parse().unwrap(), name.parse().unwrap());
        zones.get(zone.borrow()).unwrap().node(name.borrow()).unwrap().address()
    }

    #[test]
    fn of_a_large_zone_the_names_are_fetched() {
        let zones: Zones = [zone("big.test", 20_000)].into_iter().collect();
        assert!(is_worth_it(&zones, PACKETS_MIN) && !is_worth_it(&zones, PACKETS_MIN - 1));
        let packets: Vec<_> = (0..BATCH).map(|number| query(&format!("H{number}.sub.big.test"))).collect();
        let touched = touched(&zones, &packets);
        for number in 0..BATCH {
            let node = node(&zones, "big.test", &format!("h{number}.sub.big.test"));
            assert!(touched.contains(&node), "{number}");
        }
        assert!(touched.contains(&node(&zones, "big.test", "sub.big.test")), "the parent, which might be a cut");
    }

    #[test]
    fn of_many_zones_the_zone_its_apex_and_the_name_are_fetched() {
        let zones: Zones = (0..5_000).map(|number| zone(&format!("z{number}.test"), 4)).collect();
        assert!(is_worth_it(&zones, BATCH));
        let touched = touched(&zones, &[query("h2.sub.z77.test"), query("z4999.test")]);
        let zone = zones.get("z77.test".parse::<Name>().unwrap().borrow()).unwrap();
        assert!(touched.contains(&zone.address()));
        assert!(touched.contains(&node(&zones, "z77.test", "h2.sub.z77.test")));
        assert!(touched.contains(&node(&zones, "z4999.test", "z4999.test")));
    }

    #[test]
    fn the_soa_is_fetched_for_who_gets_it() {
        let zones: Zones = (0..5_000).map(|number| zone(&format!("z{number}.test"), 4)).collect();
        let apex = node(&zones, "z77.test", "z77.test");
        let has_soa = |packet: Vec<u8>| touched(&zones, &[packet]).contains(&apex.wrapping_add(128));
        let soa = [&query("z77.test")[..query("z77.test").len() - 4], &[0, 6, 0, 1]].concat();
        assert!(has_soa(query("no.such.z77.test")) && has_soa(query("h9.sub.z77.test")) && has_soa(soa));
        assert!(!has_soa(query("h1.sub.z77.test")) && !has_soa(query("z77.test")));
    }

    #[test]
    fn where_an_alias_leads_is_fetched_too() {
        let apex: Name = "big.test".parse().unwrap();
        let large = zone("big.test", 20_000);
        let target: Name = "H7.sub.Big.test".parse().unwrap();
        let set = SetData::new(Kind::CNAME, 60, vec![target.as_bytes().into()]);
        let alias = Name::parse(b"www", Some(apex.borrow())).unwrap();
        let edit = Edit { sets: vec![SetEdit { name: alias, kind: Kind::CNAME, after: Some(set) }] };
        let zones: Zones = [Arc::new(large.edit(&edit).unwrap())].into_iter().collect();
        let touched = touched(&zones, &[query("www.big.test")]);
        assert!(touched.contains(&node(&zones, "big.test", "h7.sub.big.test")));
    }

    #[test]
    fn packets_that_are_no_queries_and_names_that_are_not_ours_do_no_harm() {
        let zones: Zones = [zone("big.test", 20_000)].into_iter().collect();
        let deep = query(&format!("{}big.test", "a.".repeat(120)));
        let mut packets = vec![Vec::new(), vec![0; 12], vec![255; 512], query("example.org"), query("."), deep];
        packets.extend((0..2 * BATCH).map(|number| query(&format!("x{number}.big.test"))));
        assert!(!touched(&zones, &packets).is_empty());
        assert!(!is_worth_it(&[zone("small.test", 100)].into_iter().collect(), BATCH), "it lies in the cache");
    }
}
