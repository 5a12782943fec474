//! Who changed what and when, read from the journal, newest first and page by page.
//!
//! The journal can only be read forwards, and a page is wanted from its end. So the places of some changes are
//! remembered, one in about 64 KiB ([`Outline`]): a page reads a few stretches between two such marks, backwards stretch by
//! stretch, each one forwards. What a segment has not told yet is gone through once, without decoding it.
//!
//! This never disturbs the writer: it has its own files and goes no further than what is published. It ends where the
//! journal was pruned; [`Page::known_from`] says where that is. Rejected: an index on disk (one more thing that must survive
//! a power cut, for something people look at now and then), and keeping the history in memory.

mod event;
mod undo;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

pub use event::{Event, ItemEvent, ZoneEvent};
pub use undo::{CannotUndo, Since};

use super::entry::{self, ItemChange, Part, SetChange};
use super::journal::{self, JournalFault, Mark, Segment, Walk};
use super::snapshot::Snapshot;
use crate::wire::NameRef;
use event::Keep;

/// Octets between two remembered places, at least.
const MARK_EVERY: u64 = 64 << 10;
/// Octets of journal that one page reads in search of its changes, about: half a second from a slow disk.
const PAGE_READS_MAX: u64 = 64 << 20;

/// The history of everything.
pub struct History {
    directory: PathBuf,
    snapshots: Arc<ArcSwap<Snapshot>>,
    /// By the segment's first revision.
    outlines: Mutex<BTreeMap<u64, Outline>>,
    /// [`PAGE_READS_MAX`]; tests take less.
    page_reads_max: u64,
}

/// Some places of a segment.
#[derive(Clone, Debug)]
struct Outline {
    /// The first is the start of the segment.
    marks: Vec<Mark>,
    /// As far as the segment has been gone through.
    reached: Mark,
}

/// What to look for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Only changes of this zone, given in lower case.
    pub zone: Option<NameRef<'a>>,
    /// Only changes with a smaller revision.
    pub before: Option<u64>,
    /// Changes at most.
    pub limit: usize,
}

/// Changes, newest first.
#[derive(Clone, Debug)]
pub struct Page {
    /// The changes. There may be fewer than wanted although [`Page::next`] says that there may be more: a page reads only
    /// so much in search of a zone that seldom changes.
    pub events: Vec<Event>,
    /// What to give as [`Wanted::before`] for the next page; `None` at the end of the known history.
    pub next: Option<u64>,
    /// The revision of the oldest change that is still known.
    pub known_from: u64,
}

/// Why the history cannot be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryFault {
    /// There is no such change, or none any more.
    Unknown {
        /// What was asked for.
        revision: u64,
        /// The oldest revision that is known.
        known_from: u64,
        /// The newest revision.
        newest: u64,
    },
    /// The journal cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl From<JournalFault> for HistoryFault {
    fn from(fault: JournalFault) -> Self {
        let (path, reason) = fault.describe();
        Self::Unreadable { path: path.to_owned(), reason }
    }
}

impl fmt::Display for HistoryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { revision, newest, .. } if revision > newest => {
                write!(f, "there is no revision {revision} yet: the newest is {newest}")
            }
            Self::Unknown { revision, known_from, .. } => {
                write!(f, "revision {revision} is not known any more: the history begins with revision {known_from}")
            }
            Self::Unreadable { path, reason } => {
                write!(f, "{}: {reason}: the zones are safe; history before this place is lost", path.display())
            }
        }
    }
}

impl std::error::Error for HistoryFault {}

impl History {
    pub(super) fn new(directory: PathBuf, snapshots: Arc<ArcSwap<Snapshot>>) -> Self {
        Self { directory, snapshots, outlines: Mutex::default(), page_reads_max: PAGE_READS_MAX }
    }

    /// Where the journal is.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The newest changes before a revision.
    pub fn page(&self, wanted: &Wanted<'_>) -> Result<Page, HistoryFault> {
        let mut back = self.back(wanted.before)?;
        let (mut events, mut budget) = (Vec::new(), self.page_reads_max);
        let mut next = None;
        while events.len() < wanted.limit && budget > 0 {
            let Some(stretch) = back.step()? else { break };
            let (mut found, size) = stretch.events(wanted, wanted.limit - events.len())?;
            budget = budget.saturating_sub(size);
            next = Some(stretch.from.revision);
            events.extend(found.drain(..).rev());
        }
        if events.len() >= wanted.limit {
            next = events.last().map(|event: &Event| event.revision);
        }
        Ok(Page { events, next: next.filter(|next| *next > back.known_from), known_from: back.known_from })
    }

    /// One change, with the first of its sets.
    pub fn find(&self, revision: u64) -> Result<Event, HistoryFault> {
        let mut walk = self.at(revision)?;
        let event = Event::read(revision, &mut walk, None, Keep::ONE).map_err(|error| walk.unreadable(error))?;
        event.map_or_else(|| self.unknown(revision), Ok)
    }

    /// Tells every set of a change of a zone, given in lower case, in canonical order, without holding them; an error of
    /// `tell` ends it and is the answer.
    pub fn sets(
        &self,
        revision: u64,
        zone: NameRef<'_>,
        tell: &mut dyn FnMut(SetChange) -> io::Result<()>,
    ) -> io::Result<()> {
        self.parts(revision, &mut |_| (), &mut |apex, change| if apex == zone { tell(change) } else { Ok(()) })
    }

    /// Tells all of a change, part by part.
    fn parts(
        &self,
        revision: u64,
        tell_item: &mut dyn FnMut(ItemChange),
        tell_set: &mut dyn FnMut(NameRef<'_>, SetChange) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut walk = self.at(revision).map_err(io::Error::other)?;
        let mut head = entry::read(&mut walk)?;
        while let Some(part) = head.next_part(&mut walk)? {
            match part {
                Part::Item(item) => tell_item(item),
                Part::Zone { apex, .. } => {
                    while let Some(change) = entry::read_set_change(&mut walk, apex.borrow())? {
                        tell_set(apex.borrow(), change)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn unknown<T>(&self, revision: u64) -> Result<T, HistoryFault> {
        let known_from = self.back(None)?.known_from;
        Err(HistoryFault::Unknown { revision, known_from, newest: self.snapshots.load().revision })
    }

    /// Enters a change.
    fn at(&self, revision: u64) -> Result<Walk, HistoryFault> {
        let newest = self.snapshots.load().revision;
        let mut back = self.back(Some(revision.saturating_add(1)))?;
        let stretch = if revision > newest { None } else { back.step()? };
        let walk = match stretch {
            Some(stretch) if stretch.end == revision + 1 => stretch.enter_last()?,
            Some(_) | None => None,
        };
        walk.ok_or(HistoryFault::Unknown { revision, known_from: back.known_from, newest })
    }

    fn back(&self, before: Option<u64>) -> Result<Back<'_>, HistoryFault> {
        let newest = self.snapshots.load().revision; // before the segments are listed: these hold it then
        let segments = journal::segments(&self.directory)
            .map_err(|error| JournalFault::Io { path: self.directory.clone(), error })?;
        let mut outlines = self.outlines.lock().unwrap_or_else(PoisonError::into_inner);
        outlines.retain(|first, _| segments.iter().any(|segment| segment.first == *first));
        drop(outlines);
        let known_from = segments.first().map_or(newest + 1, |segment| segment.first);
        let end = before.unwrap_or(u64::MAX).min(newest + 1);
        Ok(Back { history: self, segments, end, known_from })
    }

    /// Makes sure that the outline of a segment reaches `end`; gives the last mark before it, and how far it reaches.
    fn outline(&self, segment: &Segment, end: u64) -> Result<Option<(Mark, u64)>, HistoryFault> {
        let start = Mark::start(segment);
        let mut outlines = self.outlines.lock().unwrap_or_else(PoisonError::into_inner);
        let outline = outlines.entry(segment.first).or_insert(Outline { marks: vec![start], reached: start });
        if outline.reached.revision < end {
            let Some(mut walk) = Walk::open(segment, outline.reached)? else { return Ok(None) };
            while walk.mark().revision < end && walk.enter()? {
                walk.leave()?;
                outline.reached = walk.mark();
                if outline.marks.last().is_none_or(|last| outline.reached.offset - last.offset >= MARK_EVERY) {
                    outline.marks.push(outline.reached);
                }
            }
        }
        let at = outline.marks.partition_point(|mark| mark.revision < end);
        let mark = at.checked_sub(1).and_then(|at| outline.marks.get(at)).copied();
        Ok(mark.map(|mark| (mark, outline.reached.revision.min(end))))
    }
}

/// Goes backwards through the journal, stretch by stretch.
struct Back<'h> {
    history: &'h History,
    /// Those not passed yet.
    segments: Vec<Segment>,
    /// Everything from this revision on has been passed.
    end: u64,
    known_from: u64,
}

impl Back<'_> {
    /// The stretch before the last one; `None` at the end of the known history.
    fn step(&mut self) -> Result<Option<Stretch>, HistoryFault> {
        while self.segments.pop_if(|segment| segment.first >= self.end).is_some() {}
        let Some(segment) = self.segments.last() else { return Ok(None) };
        let found = self.history.outline(segment, self.end)?;
        let Some((from, end)) = found.filter(|(_, reached)| *reached == self.end) else {
            // Pruned just now, or the journal had ended early and a newer state was found elsewhere.
            self.known_from = self.end;
            self.segments.clear();
            return Ok(None);
        };
        self.end = from.revision;
        Ok(Some(Stretch { segment: segment.clone(), from, end }))
    }
}

/// Neighbouring changes of one segment.
struct Stretch {
    segment: Segment,
    from: Mark,
    /// The revision behind the last.
    end: u64,
}

impl Stretch {
    /// The last `room` changes that are wanted, oldest first, and how many octets were read.
    fn events(&self, wanted: &Wanted<'_>, room: usize) -> Result<(VecDeque<Event>, u64), HistoryFault> {
        let mut events = VecDeque::new();
        let Some(mut walk) = Walk::open(&self.segment, self.from)? else { return Ok((events, 0)) };
        while walk.mark().revision < self.end && walk.enter()? {
            let revision = walk.mark().revision;
            let event = Event::read(revision, &mut walk, wanted.zone, Keep::PAGE);
            if let Some(event) = event.map_err(|error| walk.unreadable(error))? {
                if events.len() == room {
                    events.pop_front();
                }
                events.push_back(event);
            }
            walk.leave()?;
        }
        Ok((events, walk.mark().offset - self.from.offset))
    }

    fn enter_last(&self) -> Result<Option<Walk>, HistoryFault> {
        let Some(mut walk) = Walk::open(&self.segment, self.from)? else { return Ok(None) };
        while walk.enter()? {
            if walk.mark().revision + 1 == self.end {
                return Ok(Some(walk));
            }
            walk.leave()?;
        }
        Ok(None)
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let directory: &Path = &self.directory;
        write!(f, "History({})", directory.display())
    }
}

#[cfg(test)]
mod tests;
