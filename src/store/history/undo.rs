//! Journal entry → the change that takes it back, or why that cannot be.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::{Event, History, HistoryFault, Wanted};
use crate::store::change::Change;
use crate::store::entry::{SetChange, Shape};
use crate::store::undo::{How, Merge, Undo, is_as_left, only_moved_serial, put_back};
use crate::wire::{Kind, Name};
use crate::zone::{Fault, SetEdit, Zone, serial};

/// Why a change cannot be taken back. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CannotUndo {
    /// The change is not known, or cannot be read.
    History(HistoryFault),
    /// It was a change of another zone.
    OtherZone {
        /// The change.
        revision: u64,
        /// Its zone.
        zone: Name,
    },
    /// What it did was changed again.
    ChangedSince {
        /// What was changed again.
        what: Since,
        /// By which later change, if that is still known.
        revision: Option<u64>,
    },
    /// There is nothing to take back: it only moved the serial.
    Nothing {
        /// The change.
        revision: u64,
    },
    /// The zone would not be sound.
    Unsound(Vec<Fault>),
}

/// What was changed since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    /// This set.
    Set(Name, Kind),
    /// The zone was deleted.
    Gone(Name),
    /// The zone is there again.
    Back(Name),
    /// More came to the new zone.
    Grown(Name),
}

impl From<HistoryFault> for CannotUndo {
    fn from(fault: HistoryFault) -> Self {
        Self::History(fault)
    }
}

impl fmt::Display for CannotUndo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::History(fault) => fault.fmt(f),
            Self::OtherZone { revision, zone } => write!(f, "revision {revision} changed another zone, {zone}"),
            Self::ChangedSince { what, revision } => {
                match what {
                    Since::Set(name, kind) => write!(f, "{name} {kind} was changed again since")?,
                    Since::Gone(zone) => write!(f, "{zone} was deleted since")?,
                    Since::Back(zone) => write!(f, "{zone} was created again since")?,
                    Since::Grown(zone) => write!(f, "{zone} was changed since it was created")?,
                }
                revision.map_or(Ok(()), |revision| write!(f, ", by revision {revision}"))
            }
            Self::Nothing { revision } => write!(f, "revision {revision} did no more than move the serial"),
            Self::Unsound(faults) => {
                let faults: Vec<_> = faults.iter().map(|fault| fault.message.as_str()).collect();
                write!(f, "the zone would not be sound: {}", faults.join("; "))
            }
        }
    }
}

impl std::error::Error for CannotUndo {}

impl History {
    /// The change that takes back what `revision` did to this zone (in lower case): the inverse difference, as a new change.
    /// It is refused if a set that it touched is not what it left, so that nothing newer is lost.
    pub fn undo(&self, apex: &Name, revision: u64) -> Result<Change, CannotUndo> {
        let event = self.find(revision)?;
        if event.zone != *apex {
            return Err(CannotUndo::OtherZone { revision, zone: event.zone });
        }
        let snapshot = self.snapshots.load_full();
        let how = match (event.shape, snapshot.zones.get(apex.borrow())) {
            (Shape::Create, Some(zone)) => self.take_away(&event, zone)?,
            (Shape::Alter, Some(zone)) => self.put_back(&event, zone)?,
            (Shape::Delete, None) => self.bring_back(&event)?,
            (Shape::Create | Shape::Alter, None) => return Err(self.since(&event, Since::Gone(apex.clone()))),
            (Shape::Delete, Some(_)) => return Err(self.since(&event, Since::Back(apex.clone()))),
        };
        Ok(Change::Undo(Undo { apex: apex.clone(), how }))
    }

    fn take_away(&self, event: &Event, zone: &Arc<Zone>) -> Result<How, CannotUndo> {
        self.must_be_as_left(event, zone)?;
        if event.count.added != zone.record_count() {
            return Err(self.since(event, Since::Grown(event.zone.clone())));
        }
        Ok(How::Whole { base: Some(zone.clone()), zone: None })
    }

    fn put_back(&self, event: &Event, zone: &Arc<Zone>) -> Result<How, CannotUndo> {
        if event.sets.iter().all(only_moved_serial) && event.is_whole() {
            return Err(CannotUndo::Nothing { revision: event.revision });
        }
        self.must_be_as_left(event, zone)?;
        if event.is_whole() {
            return Ok(How::Sets(event.sets.clone()));
        }
        let merged = self.merge(event, Some(zone), |change| put_back(zone, &change))?;
        let merged = merged.with_serial(serial::next(zone.serial()));
        let errors = merged.errors();
        if !errors.is_empty() {
            return Err(CannotUndo::Unsound(errors));
        }
        Ok(How::Whole { base: Some(zone.clone()), zone: Some(Arc::new(merged)) })
    }

    fn bring_back(&self, event: &Event) -> Result<How, CannotUndo> {
        let set = |change: SetChange| Some(SetEdit { name: change.name, kind: change.kind, after: change.before });
        let zone = self.merge(event, None, set)?;
        let zone = zone.with_serial(serial::next(zone.serial())); // secondaries may have seen what it was
        Ok(How::Whole { base: None, zone: Some(Arc::new(zone)) })
    }

    fn merge(
        &self,
        event: &Event,
        base: Option<&Zone>,
        put: impl Fn(SetChange) -> Option<SetEdit>,
    ) -> Result<Zone, CannotUndo> {
        let mut merge = Merge::new(event.zone.clone(), base);
        self.each_set(event, &mut |change| Ok(put(change).map_or(Ok(()), |set| merge.push(set))?))?;
        merge.finish().map_err(|unfit| self.unreadable(&unfit.into()))
    }

    fn must_be_as_left(&self, event: &Event, zone: &Zone) -> Result<(), CannotUndo> {
        let mut changed = None;
        self.each_set(event, &mut |change| {
            if changed.is_none() && !is_as_left(zone, &change) {
                changed = Some(Since::Set(change.name, change.kind));
            }
            Ok(())
        })?;
        changed.map_or(Ok(()), |what| Err(self.since(event, what)))
    }

    fn each_set(&self, event: &Event, tell: &mut dyn FnMut(SetChange) -> io::Result<()>) -> Result<(), CannotUndo> {
        let told = match event.is_whole() {
            true => event.sets.iter().cloned().try_for_each(tell),
            false => self.sets(event.revision, tell),
        };
        told.map_err(|error| self.unreadable(&error))
    }

    fn unreadable(&self, error: &io::Error) -> CannotUndo {
        HistoryFault::Unreadable { path: self.directory.clone(), reason: error.to_string() }.into()
    }

    /// What was changed again, with the newest change that did it.
    fn since(&self, event: &Event, what: Since) -> CannotUndo {
        let revision = self.newest_that(event, &what).ok().flatten();
        CannotUndo::ChangedSince { what, revision }
    }

    fn newest_that(&self, event: &Event, what: &Since) -> Result<Option<u64>, HistoryFault> {
        let mut wanted = Wanted { zone: Some(event.zone.borrow()), before: None, limit: 64 };
        loop {
            let page = self.page(&wanted)?;
            for later in page.events.iter().take_while(|later| later.revision > event.revision) {
                if self.did(later, what)? {
                    return Ok(Some(later.revision));
                }
            }
            match page.next {
                Some(next) if next > event.revision + 1 => wanted.before = Some(next),
                Some(_) | None => return Ok(None),
            }
        }
    }

    fn did(&self, later: &Event, what: &Since) -> Result<bool, HistoryFault> {
        match what {
            Since::Gone(_) => Ok(later.shape == Shape::Delete),
            Since::Back(_) => Ok(later.shape == Shape::Create),
            Since::Grown(_) => Ok(true),
            Since::Set(name, kind) => {
                let mut found = false;
                let mut look = |change: &SetChange| {
                    found |= change.name == *name && change.kind == *kind && !only_moved_serial(change);
                };
                match later.is_whole() {
                    true => later.sets.iter().for_each(look),
                    false => {
                        let told = self.sets(later.revision, &mut |change| {
                            look(&change);
                            Ok(())
                        });
                        told.map_err(|error| HistoryFault::Unreadable {
                            path: self.directory.clone(),
                            reason: error.to_string(),
                        })?;
                    }
                }
                Ok(found)
            }
        }
    }
}
