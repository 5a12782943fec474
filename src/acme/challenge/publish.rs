//! The TXT record: in by a normal change, out by another.
//!
//! What is put in is written into the story in the same change, so after a crash nothing of it is forgotten: the start takes
//! away whatever a story still names. Values of others at the same name stay as they are; those of two challenges for one name
//! (a name and its wildcard) lie side by side.

use std::sync::Arc;

use super::Place;
use crate::acme::trouble::Trouble;
use crate::acme::world::{World, story_of};
use crate::cert::{Identified, Proof, Story, Subject};
use crate::store::{Change, Decision, Item, Refused, Snapshot};
use crate::wire::{Kind, Name};
use crate::zone::{Edit, SetData, SetEdit};

/// Puts a value in.
pub(crate) async fn publish(world: &World, subjects: &[Subject], place: &Place, value: &str) -> Result<(), Trouble> {
    let proof = Proof { zone: text(&place.zone), owner: text(&place.owner), value: value.to_owned() };
    let (subjects, place, ttl) = (subjects.to_vec(), place.clone(), world.settings.challenge_ttl);
    let decision = Decision::new(2, move |now| {
        let mut story = story_of(&now.stories, &subjects);
        if !story.proofs.contains(&proof) {
            story.proofs.push(proof.clone());
        }
        let zone = now.zones.get(place.zone.borrow()).ok_or_else(|| Refused::NoSuchZone(place.zone.clone()))?;
        let old = zone.node(place.owner.borrow()).and_then(|node| node.set(Kind::TXT)).map(|set| set.to_data());
        let mut values = old.as_ref().map(|set| set.rdatas.clone()).unwrap_or_default();
        values.push(data(&proof.value));
        let ttl = old.map_or(ttl, |set| set.ttl.min(ttl));
        Ok(Change::Many(vec![
            Change::PutItem(Item::Story(Arc::new(story))),
            edit(&place.zone, vec![set(&place.owner, ttl, values)]),
        ]))
    });
    world.commit(Change::Decide(decision)).await
}

/// Takes out everything that this story has put in, if anything is left of it.
pub(crate) async fn clear(world: &World, subjects: &[Subject]) -> Result<(), Trouble> {
    if story_of(&world.snapshot().stories, subjects).proofs.is_empty() {
        return Ok(());
    }
    let subjects = subjects.to_vec();
    let decision = Decision::new(2, move |now| {
        let mut story = story_of(&now.stories, &subjects);
        let proofs = std::mem::take(&mut story.proofs);
        let mut changes = without(now, &proofs, &story);
        changes.push(Change::PutItem(Item::Story(Arc::new(story))));
        Ok(Change::Many(changes))
    });
    world.commit(Change::Decide(decision)).await
}

/// The zones without these values; a zone or a name that is gone needs nothing. A value that another story names too stays.
fn without(now: &Snapshot, proofs: &[Proof], story: &Story) -> Vec<Change> {
    let is_anothers =
        |proof: &Proof| now.stories.iter().any(|other| other.id() != story.id() && other.proofs.contains(proof));
    let mut owners: Vec<(Name, Name)> = proofs.iter().filter_map(place_of).collect();
    owners.sort_by(|a, b| a.1.borrow().canonical_cmp(b.1.borrow()));
    owners.dedup();
    let change = |(zone, owner): &(Name, Name)| {
        let held = now.zones.get(zone.borrow())?.node(owner.borrow())?.set(Kind::TXT)?.to_data();
        let ours = |value: &[u8]| {
            proofs.iter().any(|proof| {
                place_of(proof).as_ref() == Some(&(zone.clone(), owner.clone()))
                    && *data(&proof.value) == *value
                    && !is_anothers(proof)
            })
        };
        let left: Vec<_> = held.rdatas.iter().filter(|value| !ours(value)).cloned().collect();
        let is_less = left.len() < held.rdatas.len();
        is_less.then(|| edit(zone, vec![set(owner, held.ttl, left)]))
    };
    owners.iter().filter_map(change).collect()
}

fn place_of(proof: &Proof) -> Option<(Name, Name)> {
    Some((proof.zone.parse().ok()?, proof.owner.parse().ok()?))
}

fn edit(zone: &Name, sets: Vec<SetEdit>) -> Change {
    Change::EditZone { apex: zone.clone(), edit: Edit { sets } }
}

/// The set with these values; none without any.
fn set(owner: &Name, ttl: u32, values: Vec<Box<[u8]>>) -> SetEdit {
    let after = (!values.is_empty()).then(|| SetData::new(Kind::TXT, ttl, values));
    SetEdit { name: owner.clone(), kind: Kind::TXT, after }
}

/// A value as record data: one string. Challenges have 43 characters.
fn data(value: &str) -> Box<[u8]> {
    let value = &value.as_bytes()[..value.len().min(255)];
    [&[value.len() as u8][..], value].concat().into()
}

fn text(name: &Name) -> String {
    let text = name.to_string();
    if text.ends_with('.') { text } else { text + "." }
}
