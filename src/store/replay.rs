//! State + journal → the newest state.
//!
//! Each entry is compared with the state it is applied to: what it says was there before must be there. So a state
//! that does not belong to this journal is noticed, and not made worse.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::wire::Name;
use crate::zone::{Edit, Fault, NodeBuilder, SetEdit, Zone};

use super::apply::Touched;
use super::codec::{Gathered, Undecodable};
use super::entry::{self, Part, SetChange, Shape};
use super::journal::{JournalFault, Reader};
use super::pending::TouchedParts;
use super::snapshot::Snapshot;
use super::undo::{Merge, is_same_item};

/// The state after all that the journal holds.
pub(super) struct Replayed {
    pub(super) snapshot: Snapshot,
    /// What differs from the state at the start.
    pub(super) touched: TouchedParts,
    /// The reader, at the end of the journal.
    pub(super) reader: Reader,
}

/// Why the journal does not lead on from a state.
#[derive(Debug)]
pub(super) enum ReplayFault {
    /// The journal itself.
    Journal(JournalFault),
    /// A change that cannot be applied to this state.
    Unfit { path: PathBuf, reason: String },
}

impl From<JournalFault> for ReplayFault {
    fn from(fault: JournalFault) -> Self {
        Self::Journal(fault)
    }
}

/// Why an entry cannot be applied.
enum Unfit {
    /// It ends too early or cannot be decoded.
    Unreadable(io::Error),
    /// It says of the state before what is not so.
    Other(String),
}

impl From<io::Error> for Unfit {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl From<Fault> for Unfit {
    fn from(fault: Fault) -> Self {
        Self::Other(fault.message)
    }
}

/// Applies every change after the state's revision.
pub(super) fn replay(journal: &Path, base: Snapshot) -> Result<Replayed, ReplayFault> {
    let mut state = base;
    let mut reader = Reader::open(journal, state.revision)?;
    let mut touched = TouchedParts::default();
    while let Some(change) = reader.next_change()? {
        let revision = state.revision + 1;
        match apply(&state, change) {
            Ok((after, parts)) if reader.accept() => {
                state = Snapshot { revision, ..after };
                touched.merge(parts);
            }
            Ok(_) => return Err(unfit(&reader, revision, "it is longer than it says")),
            Err(_) if reader.is_torn()? => break,
            Err(Unfit::Unreadable(error)) => {
                return Err(match Undecodable::behind(&error) {
                    Some(Undecodable::Newer(version)) => {
                        JournalFault::Newer { path: reader.place().path, version: version.into() }.into()
                    }
                    Some(Undecodable::Checksum | Undecodable::Malformed) | None => {
                        unfit(&reader, revision, &error.to_string())
                    }
                });
            }
            Err(Unfit::Other(reason)) => return Err(unfit(&reader, revision, &reason)),
        }
    }
    Ok(Replayed { snapshot: state, touched, reader })
}

fn unfit(reader: &Reader, revision: u64, reason: &str) -> ReplayFault {
    let place = reader.place();
    let reason = format!("the change of revision {revision} at offset {} does not fit: {reason}", place.offset);
    ReplayFault::Unfit { path: place.path, reason }
}

/// The state after a change, still with the revision before, and what differs.
fn apply(state: &Snapshot, input: impl Read) -> Result<(Snapshot, TouchedParts), Unfit> {
    let mut input = io::BufReader::with_capacity(1 << 16, input);
    let (mut state, mut touched) = (state.clone(), TouchedParts::default());
    let mut entry = entry::read(&mut input)?;
    while let Some(part) = entry.next_part(&mut input)? {
        match part {
            Part::Zone { apex, shape } => {
                touched.add_zone(&apex, &change_zone(&mut state, &mut input, &apex, shape)?);
            }
            Part::Item(change) => {
                if !is_same_item(state.item(&change.key).as_ref(), change.before.as_ref()) {
                    return Err(Unfit::Other(format!("the {} is not what it was before", change.key)));
                }
                match change.after {
                    Some(item) => state.put_item(item),
                    None => state.take_item(&change.key),
                }
                touched.add_item(change.key);
            }
        }
    }
    match input.buffer() {
        [] => Ok((state, touched)),
        _ => Err(Unfit::Other("it is longer than it says".to_owned())),
    }
}

fn change_zone(state: &mut Snapshot, input: &mut impl Read, apex: &Name, shape: Shape) -> Result<Touched, Unfit> {
    let old = state.zones.get(apex.borrow());
    let (after, touched) = match (shape, old) {
        (Shape::Create, None) => (create(input, apex)?, Touched::Whole),
        (Shape::Alter, Some(old)) => alter(input, apex, old)?,
        (Shape::Delete, Some(_)) => {
            while entry::read_set_change(input, apex.borrow())?.is_some() {}
            state.zones.remove(apex.borrow());
            return Ok(Touched::Whole);
        }
        (Shape::Create, Some(_)) => return Err(Unfit::Other(format!("there is a zone {apex} already"))),
        (Shape::Alter | Shape::Delete, None) => return Err(Unfit::Other(format!("there is no zone {apex}"))),
    };
    state.zones.insert(Arc::new(after));
    Ok(touched)
}

fn create(input: &mut impl Read, apex: &Name) -> Result<Zone, Unfit> {
    let mut zone = Gathered::new(apex.clone());
    let (mut builder, mut open): (_, Option<Name>) = (NodeBuilder::default(), None);
    while let Some(change) = entry::read_set_change(input, apex.borrow())? {
        let Some(set) = change.after else { continue };
        if open.as_ref() != Some(&change.name) {
            if open.is_some() {
                zone.push(builder.finish());
            }
            builder.start(change.name.borrow());
            open = Some(change.name);
        }
        builder.set(set.kind, set.ttl);
        for data in &set.rdatas {
            builder.record(data).map_err(|_| Undecodable::Malformed).map_err(io::Error::from)?;
        }
    }
    if open.is_some() {
        zone.push(builder.finish());
    }
    Ok(zone.finish()?)
}

fn alter(input: &mut impl Read, apex: &Name, old: &Zone) -> Result<(Zone, Touched), Unfit> {
    let mut changes = Vec::new();
    while let Some(change) = entry::read_set_change(input, apex.borrow())? {
        let set = old.node(change.name.borrow()).and_then(|node| node.set(change.kind));
        if set.map(|set| set.to_data()) != change.before {
            return Err(Unfit::Other(format!("{} {} is not what it was before", change.name, change.kind)));
        }
        changes.push(change);
    }
    let few = changes.len() < 64 || changes.len() < old.name_count() / 8;
    let edited = if few { old.edit(&edit(&changes)).ok() } else { None };
    let zone = match edited {
        Some(zone) => zone,
        None => merge(old, &changes)?, // also where a rule is stricter now than when the change was made
    };
    let touched =
        if few { Touched::Names(changes.into_iter().map(|change| change.name).collect()) } else { Touched::Whole };
    Ok((zone, touched))
}

fn edit(changes: &[SetChange]) -> Edit {
    let set =
        |change: &SetChange| SetEdit { name: change.name.clone(), kind: change.kind, after: change.after.clone() };
    Edit { sets: changes.iter().map(set).collect() }
}

/// Old zone and changes, both in canonical order, in one pass.
fn merge(old: &Zone, changes: &[SetChange]) -> Result<Zone, Unfit> {
    let mut merge = Merge::new(old.apex().to_name(), Some(old));
    edit(changes).sets.into_iter().try_for_each(|set| merge.push(set)).map_err(io::Error::from)?;
    merge.finish().map_err(|unfit| io::Error::from(unfit).into())
}
