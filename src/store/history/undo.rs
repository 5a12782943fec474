//! Journal entry → the change that takes it back, or why that cannot be.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::event::ZoneEvent;
use super::{Event, History, HistoryFault, Wanted};
use crate::store::change::Change;
use crate::store::entry::{ItemChange, SetChange, Shape};
use crate::store::snapshot::{ItemKey, Snapshot};
use crate::store::undo::{How, Merge, Undo, UndoItem, UndoZone, is_as_left, is_same_item, only_moved_serial, put_back};
use crate::wire::{Kind, Name};
use crate::zone::{Fault, SetEdit, Zone, serial};

/// Why a change cannot be taken back. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CannotUndo {
    /// The change is not known, or cannot be read.
    History(HistoryFault),
    /// It was not a change of this zone.
    OtherZone {
        /// The change.
        revision: u64,
        /// What it did change, the first of it.
        what: String,
    },
    /// It changed something whose changes are not taken back.
    Item {
        /// What.
        key: ItemKey,
        /// What to do instead.
        instead: &'static str,
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
    /// This item.
    Item(ItemKey),
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
            Self::OtherZone { revision, what } => write!(f, "revision {revision} is a change of {what}"),
            Self::Item { key, instead } => write!(f, "a change of the {key} is not taken back: {instead}"),
            Self::ChangedSince { what, revision } => {
                match what {
                    Since::Set(name, kind) => write!(f, "{name} {kind} was changed again since")?,
                    Since::Item(key) => write!(f, "the {key} was changed again since")?,
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

impl Event {
    /// Why it is none of the zone that was asked for.
    pub fn is_of_others(&self) -> CannotUndo {
        let zone = self.zones.first().map(|part| part.zone.to_string().trim_end_matches('.').to_owned());
        let item = self.items.first().map(|part| format!("the {} {}", part.key.shelf.word(), part.name));
        CannotUndo::OtherZone { revision: self.revision, what: zone.or(item).unwrap_or_default() }
    }
}

impl History {
    /// The change that takes back what `revision` did, if it did something to this zone (in lower case): the inverse
    /// difference, as a new change. All of it is taken back or nothing; it is refused if a set or an item that it touched is not
    /// what it left, so that nothing newer is lost.
    pub fn undo(&self, apex: &Name, revision: u64) -> Result<Change, CannotUndo> {
        let event = self.find(revision)?;
        match event.of_zone(apex) {
            Some(_) => self.undo_event(&event),
            None => Err(event.is_of_others()),
        }
    }

    fn undo_event(&self, event: &Event) -> Result<Change, CannotUndo> {
        let snapshot = self.snapshots.load_full();
        let items = self.undo_items(event, &snapshot)?;
        let is_idle =
            |part: &ZoneEvent| part.shape == Shape::Alter && part.is_whole() && part.sets.iter().all(only_moved_serial);
        if items.is_empty() && event.zones.iter().all(is_idle) {
            return Err(CannotUndo::Nothing { revision: event.revision });
        }
        let mut zones = Vec::new();
        for part in event.zones.iter().filter(|part| !is_idle(part)) {
            let past = Past { history: self, revision: event.revision, part };
            zones.push(UndoZone { apex: part.zone.clone(), how: past.how(&snapshot)? });
        }
        Ok(Change::Undo(Undo { zones, items }))
    }

    fn undo_items(&self, event: &Event, snapshot: &Snapshot) -> Result<Vec<UndoItem>, CannotUndo> {
        if event.items.is_empty() {
            return Ok(Vec::new());
        }
        let mut items: Vec<ItemChange> = Vec::new();
        let told = self.parts(event.revision, &mut |item| items.push(item), &mut |_, _| Ok(()));
        told.map_err(|error| self.unreadable(&error))?;
        items.retain(|item| !item.key.shelf.is_silent());
        for ItemChange { key, after, .. } in &items {
            if let Some(instead) = key.shelf.instead_of_undo() {
                return Err(CannotUndo::Item { key: key.clone(), instead });
            }
            if !is_same_item(snapshot.item(key).as_ref(), after.as_ref()) {
                return Err(CannotUndo::ChangedSince { what: Since::Item(key.clone()), revision: None });
            }
        }
        Ok(items.into_iter().map(|ItemChange { key, before, after }| UndoItem { key, before, after }).collect())
    }

    fn unreadable(&self, error: &io::Error) -> CannotUndo {
        HistoryFault::Unreadable { path: self.directory.clone(), reason: error.to_string() }.into()
    }
}

/// What a change of the past did to a zone.
struct Past<'a> {
    history: &'a History,
    revision: u64,
    part: &'a ZoneEvent,
}

impl Past<'_> {
    fn how(&self, snapshot: &Snapshot) -> Result<How, CannotUndo> {
        let apex = &self.part.zone;
        match (self.part.shape, snapshot.zones.get(apex.borrow())) {
            (Shape::Create, Some(zone)) => self.take_away(zone, snapshot),
            (Shape::Alter, Some(zone)) => self.put_back(zone, snapshot),
            (Shape::Delete, None) => self.bring_back(),
            (Shape::Create | Shape::Alter, None) => Err(self.since(Since::Gone(apex.clone()))),
            (Shape::Delete, Some(_)) => Err(self.since(Since::Back(apex.clone()))),
        }
    }

    fn take_away(&self, zone: &Arc<Zone>, snapshot: &Snapshot) -> Result<How, CannotUndo> {
        self.must_be_as_left(zone, snapshot)?;
        if self.part.count.added != zone.record_count() {
            return Err(self.since(Since::Grown(self.part.zone.clone())));
        }
        Ok(How::Whole { base: Some(zone.clone()), zone: None })
    }

    fn put_back(&self, zone: &Arc<Zone>, snapshot: &Snapshot) -> Result<How, CannotUndo> {
        self.must_be_as_left(zone, snapshot)?;
        if self.part.is_whole() {
            return Ok(How::Sets(self.part.sets.clone()));
        }
        let merged = self.merge(Some(zone), |change| put_back(zone, &change))?;
        let merged = merged.with_serial(serial::next(zone.serial()));
        let errors = merged.errors();
        if !errors.is_empty() {
            return Err(CannotUndo::Unsound(errors));
        }
        Ok(How::Whole { base: Some(zone.clone()), zone: Some(Arc::new(merged)) })
    }

    fn bring_back(&self) -> Result<How, CannotUndo> {
        let set = |change: SetChange| Some(SetEdit { name: change.name, kind: change.kind, after: change.before });
        let zone = self.merge(None, set)?;
        let zone = zone.with_serial(serial::next(zone.serial())); // secondaries may have seen what it was
        Ok(How::Whole { base: None, zone: Some(Arc::new(zone)) })
    }

    fn merge(&self, base: Option<&Zone>, put: impl Fn(SetChange) -> Option<SetEdit>) -> Result<Zone, CannotUndo> {
        let mut merge = Merge::new(self.part.zone.clone(), base);
        self.each_set(&mut |change| Ok(put(change).map_or(Ok(()), |set| merge.push(set))?))?;
        merge.finish().map_err(|unfit| self.history.unreadable(&unfit.into()))
    }

    /// What belongs to a route follows from the routes and hinders nobody.
    fn must_be_as_left(&self, zone: &Zone, snapshot: &Snapshot) -> Result<(), CannotUndo> {
        let mut changed = None;
        self.each_set(&mut |change| {
            let is_derived = || snapshot.derives(&change);
            if changed.is_none() && !is_as_left(zone, &change) && !is_derived() {
                changed = Some(Since::Set(change.name, change.kind));
            }
            Ok(())
        })?;
        changed.map_or(Ok(()), |what| Err(self.since(what)))
    }

    fn each_set(&self, tell: &mut dyn FnMut(SetChange) -> io::Result<()>) -> Result<(), CannotUndo> {
        let told = match self.part.is_whole() {
            true => self.part.sets.iter().cloned().try_for_each(tell),
            false => self.history.sets(self.revision, self.part.zone.borrow(), tell),
        };
        told.map_err(|error| self.history.unreadable(&error))
    }

    /// What was changed again, with the newest change that did it.
    fn since(&self, what: Since) -> CannotUndo {
        let revision = self.newest_that(&what).ok().flatten();
        CannotUndo::ChangedSince { what, revision }
    }

    fn newest_that(&self, what: &Since) -> Result<Option<u64>, HistoryFault> {
        let mut wanted = Wanted { zone: Some(self.part.zone.borrow()), before: None, limit: 64 };
        loop {
            let page = self.history.page(&wanted)?;
            for later in page.events.iter().take_while(|later| later.revision > self.revision) {
                if self.did(later, what)? {
                    return Ok(Some(later.revision));
                }
            }
            match page.next {
                Some(next) if next > self.revision + 1 => wanted.before = Some(next),
                Some(_) | None => return Ok(None),
            }
        }
    }

    fn did(&self, later: &Event, what: &Since) -> Result<bool, HistoryFault> {
        let Some(part) = later.of_zone(&self.part.zone) else { return Ok(false) };
        match what {
            Since::Gone(_) => Ok(part.shape == Shape::Delete),
            Since::Back(_) => Ok(part.shape == Shape::Create),
            Since::Grown(_) => Ok(true),
            Since::Item(_) => Ok(false),
            Since::Set(name, kind) => {
                let mut found = false;
                let mut look = |change: &SetChange| {
                    found |= change.name == *name && change.kind == *kind && !only_moved_serial(change);
                };
                match part.is_whole() {
                    true => part.sets.iter().for_each(look),
                    false => {
                        let told = self.history.sets(later.revision, part.zone.borrow(), &mut |change| {
                            look(&change);
                            Ok(())
                        });
                        told.map_err(|error| HistoryFault::Unreadable {
                            path: self.history.directory.clone(),
                            reason: error.to_string(),
                        })?;
                    }
                }
                Ok(found)
            }
        }
    }
}
