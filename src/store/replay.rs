//! State + journal → the newest state.
//!
//! Each entry is compared with the state it is applied to: what it says was there before must be there. So a state
//! that does not belong to this journal is noticed, and not made worse.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::wire::Name;
use crate::zone::{Edit, Fault, NodeBuilder, SetEdit, Zone};

use super::apply::{Touched, with_zone};
use super::codec::{Gathered, Undecodable};
use super::entry::{self, Entry, SetChange, Shape};
use super::journal::{JournalFault, Reader};
use super::pending::TouchedZones;
use super::snapshot::{Snapshot, Zones};
use super::undo::Merge;

/// The state after all that the journal holds.
pub(super) struct Replayed {
    pub(super) snapshot: Snapshot,
    /// What differs from the state at the start.
    pub(super) touched: TouchedZones,
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
    let Snapshot { mut revision, mut zones } = base;
    let mut reader = Reader::open(journal, revision)?;
    let mut touched = TouchedZones::default();
    while let Some(change) = reader.next_change()? {
        let applied = apply(&zones, change);
        match applied {
            Ok((apex, after, names)) if reader.accept() => {
                zones = with_zone(&zones, apex.borrow(), after);
                touched.add(&apex, &names);
                revision += 1;
            }
            Ok(_) => return Err(unfit(&reader, revision + 1, "it is longer than it says")),
            Err(_) if reader.is_torn()? => break,
            Err(Unfit::Unreadable(error)) => {
                return Err(match Undecodable::behind(&error) {
                    Some(Undecodable::Newer(version)) => {
                        JournalFault::Newer { path: reader.place().path, version: version.into() }.into()
                    }
                    Some(Undecodable::Checksum | Undecodable::Malformed) | None => {
                        unfit(&reader, revision + 1, &error.to_string())
                    }
                });
            }
            Err(Unfit::Other(reason)) => return Err(unfit(&reader, revision + 1, &reason)),
        }
    }
    Ok(Replayed { snapshot: Snapshot { revision, zones }, touched, reader })
}

fn unfit(reader: &Reader, revision: u64, reason: &str) -> ReplayFault {
    let place = reader.place();
    let reason = format!("the change of revision {revision} at offset {} does not fit: {reason}", place.offset);
    ReplayFault::Unfit { path: place.path, reason }
}

type ZoneAfter = (Name, Option<Arc<Zone>>, Touched);

fn apply(zones: &Zones, input: impl Read) -> Result<ZoneAfter, Unfit> {
    let mut input = io::BufReader::with_capacity(1 << 16, input);
    let entry = entry::read(&mut input)?;
    let old = zones.get(entry.apex.borrow());
    let (after, touched) = match (entry.shape, old) {
        (Shape::Create, None) => (Some(create(&mut input, &entry)?), Touched::Whole),
        (Shape::Alter, Some(old)) => {
            let (zone, touched) = alter(&mut input, &entry, old)?;
            (Some(zone), touched)
        }
        (Shape::Delete, Some(_)) => {
            while entry::read_set_change(&mut input, entry.apex.borrow())?.is_some() {}
            (None, Touched::Whole)
        }
        (Shape::Create, Some(_)) => return Err(Unfit::Other(format!("there is a zone {} already", entry.apex))),
        (Shape::Alter | Shape::Delete, None) => return Err(Unfit::Other(format!("there is no zone {}", entry.apex))),
    };
    match input.buffer() {
        [] => Ok((entry.apex, after.map(Arc::new), touched)),
        _ => Err(Unfit::Other("it is longer than it says".to_owned())),
    }
}

fn create(input: &mut impl Read, entry: &Entry) -> Result<Zone, Unfit> {
    let mut zone = Gathered::new(entry.apex.clone());
    let (mut builder, mut open): (_, Option<Name>) = (NodeBuilder::default(), None);
    while let Some(change) = entry::read_set_change(input, entry.apex.borrow())? {
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

fn alter(input: &mut impl Read, entry: &Entry, old: &Zone) -> Result<(Zone, Touched), Unfit> {
    let mut changes = Vec::new();
    while let Some(change) = entry::read_set_change(input, entry.apex.borrow())? {
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
