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

use std::sync::Arc;

use super::batch::{BATCH, prefetch};
use crate::store::Zones;
use crate::wire::query::HEADER_SIZE;
use crate::wire::{Hash, Key, NameRef};
use crate::zone::tree::{Named, Way};
use crate::zone::{Node, Zone};

/// Fewer names, some 2 MiB, are in the cache, or soon will be.
const NAMES_MIN: usize = 16_384;
/// Fewer packets wait for one another hardly at all.
const PACKETS_MIN: usize = 4;
/// Labels, without the root, of the names that are looked at.
const DEPTH_MAX: usize = 10;

/// The hashes of a name and its ancestors, the root's first.
#[derive(Clone, Copy)]
struct Question {
    hashes: [Hash; DEPTH_MAX + 1],
    count: usize,
}

impl Question {
    const NONE: Self = Self { hashes: [Hash(0); DEPTH_MAX + 1], count: 0 };

    /// Of a packet that may be anything.
    fn read(packet: &[u8]) -> Option<Self> {
        let (name, _) = NameRef::read(packet.get(HEADER_SIZE..)?).ok()?;
        let key = Key::new(name);
        let mut question = Self::NONE;
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

/// Fetches what the answers to these packets will read.
pub(super) fn look<'p>(zones: &Zones, packets: impl Iterator<Item = &'p [u8]>) {
    let mut questions = [Question::NONE; BATCH];
    let mut count = 0;
    for (place, question) in questions.iter_mut().zip(packets.filter_map(Question::read)) {
        (*place, count) = (question, count + 1);
    }
    let questions = &questions[..count];
    if zones.len() >= NAMES_MIN / 4 {
        Walk::of(questions.iter().flat_map(|question| zones.ways(question.hashes())));
    }
    let mut found: [Option<(&Arc<Zone>, usize)>; BATCH] = [None; BATCH];
    for (place, question) in found.iter_mut().zip(questions) {
        *place = zones.closest_hashed(question.hashes());
        if let Some((zone, _)) = place {
            prefetch(zone.apex_node().address());
        }
    }
    Walk::of(questions.iter().zip(found).flat_map(|(question, found)| names(question, found)));
}

/// The ways to a name and to its parent, where both lie below the apex.
fn names<'z>(question: &Question, found: Option<(&'z Arc<Zone>, usize)>) -> impl Iterator<Item = Way<'z, Node>> {
    let below = |(zone, depth): (&'z Arc<Zone>, usize)| {
        let hashes = question.hashes()[depth + 1..].iter().rev().take(2);
        let ways: [_; 2] = {
            let mut hashes = hashes;
            std::array::from_fn(|_| hashes.next().map(|hash| zone.way(*hash)))
        };
        ways.into_iter().flatten()
    };
    found.into_iter().flat_map(below)
}

/// Look-ups that are walked in step.
struct Walk;

impl Walk {
    fn of<'t, T: Named + 't>(ways: impl Iterator<Item = Way<'t, T>>) {
        let mut walked: [Option<Way<'t, T>>; 2 * BATCH] = [const { None }; 2 * BATCH];
        let mut count = 0;
        for (place, way) in walked.iter_mut().zip(ways) {
            (*place, count) = (Some(way), count + 1);
        }
        let mut going = true;
        while going {
            going = false;
            for way in walked[..count].iter_mut().flatten() {
                going |= way.step(&mut |address| prefetch(address));
            }
        }
    }
}
