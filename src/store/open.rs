//! Start-up: which state is the newest whole one, and is anything missing?
//!
//! | base | counts if |
//! | --- | --- |
//! | sled | every block, manifest and count is right, and the journal leads on from its revision |
//! | checkpoint | its checksums are right, and the journal leads on from its revision |
//! | nothing | the journal begins with revision 1, or there is nothing at all: a new store |
//!
//! The first that counts is taken; what was wrong with the others is logged. If none does, the server does not start,
//! and says why: it never serves less than it knows of. The loss of whole files is noticed too: of a segment in the
//! middle by the gap between revisions, of the newest by the note beside the journal, of all segments by that same
//! note. What cannot be noticed is the loss of everything at once, and of the last batch of the journal if nothing
//! else has seen it yet (it looks like a write that was torn).

use std::fs;
use std::path::{Path, PathBuf};

use tracing::{info, warn};

use super::backup::{self, Unsound};
use super::disk::{Disk, DiskFault};
use super::fault::OpenFault;
use super::journal::{self, Journal, JournalFault};
use super::medium::{self, Medium};
use super::pending::TouchedParts;
use super::replay::{ReplayFault, Replayed, replay};
use super::settings::Settings;
use super::snapshot::Snapshot;

/// The newest state, and what there is of it on disk.
pub(super) struct Opened {
    pub(super) snapshot: Snapshot,
    pub(super) journal: Journal,
    /// The revision that sled has; `None` if it has to be written anew.
    pub(super) folded: Option<u64>,
    /// What sled lacks.
    pub(super) touched: TouchedParts,
    /// Revision and size of the checkpoint.
    pub(super) checkpoint: Option<(u64, u64)>,
    /// Whether a new checkpoint should be written at once, because the journal alone would not do any more.
    pub(super) checkpoint_due: bool,
}

/// Why a base does not count.
struct Rejected {
    path: PathBuf,
    reason: String,
}

struct Opening<'a> {
    directory: &'a Path,
    journal: PathBuf,
    disk: &'a Disk,
    rejected: Vec<Rejected>,
    /// Whether sled is damaged, and not only late or half written.
    sled_damaged: bool,
}

/// Finds the newest state of a data directory that is locked by us.
pub(super) fn open(settings: &Settings, medium: &Medium, disk: &Disk) -> Result<Opened, OpenFault> {
    let directory = &settings.directory;
    let journal = directory.join("journal");
    medium::create_directory(&journal).map_err(OpenFault::io("create", &journal))?;
    for place in [directory, &journal] {
        medium::remove_leftovers(place).map_err(OpenFault::io("write in", place))?;
    }
    let mut opening = Opening { directory, journal, disk, rejected: Vec::new(), sled_damaged: false };
    opening.check_newest()?;
    let (found, from_sled) = opening.find()?;
    let checkpoint_due = opening.report(&found, from_sled.is_none())?;
    let Replayed { snapshot, touched, reader } = found;
    let journal =
        Journal::resume(&opening.journal, medium.clone(), settings.journal_segment_size, &reader, snapshot.revision)
            .map_err(OpenFault::io("write in", &opening.journal))?;
    let checkpoint = backup::checkpoint_head(directory);
    let checkpoint_due = checkpoint_due || (checkpoint.is_none() && journal.first() > 1);
    Ok(Opened { snapshot, journal, folded: from_sled, touched, checkpoint, checkpoint_due })
}

impl Opening<'_> {
    /// Refuses a journal whose newest segment is gone.
    fn check_newest(&self) -> Result<(), OpenFault> {
        let known = journal::newest(&self.journal).map_err(OpenFault::io("read", &self.journal))?;
        let there = journal::newest_segment(&self.journal).map_err(OpenFault::io("read", &self.journal))?;
        let Some(known) = known.filter(|known| there.is_none_or(|there| there < *known)) else { return Ok(()) };
        let note = journal::newest_path(&self.journal);
        let note = note.display();
        Err(OpenFault::Damaged {
            path: journal::segment_path(&self.journal, known),
            reason: "it is missing".to_owned(),
            cure: format!("put it back, restore the newest backup, or remove {note} to go on without its changes"),
        })
    }

    /// The newest state, and the revision that sled has of it.
    fn find(&mut self) -> Result<(Replayed, Option<u64>), OpenFault> {
        if let Some(base) = self.sled_state()? {
            let revision = base.revision;
            if let Some(found) = self.try_base(base)? {
                return Ok((found, Some(revision)));
            }
        }
        if let Some(base) = self.checkpoint_state()?
            && let Some(found) = self.try_base(base)?
        {
            return Ok((found, None));
        }
        if self.may_start_from_nothing()?
            && let Some(found) = self.try_base(Snapshot::default())?
        {
            return Ok((found, None));
        }
        Err(self.refusal())
    }

    fn sled_state(&mut self) -> Result<Option<Snapshot>, OpenFault> {
        let path = self.disk.directory();
        let fault = match self.disk.load() {
            Ok(found) => return Ok(found),
            Err(fault) => fault,
        };
        match fault {
            DiskFault::Newer(version) => return Err(OpenFault::Newer { path: path.to_owned(), version }),
            DiskFault::Io(error) if is_ours_to_tell(&error) => return Err(OpenFault::io("read", path)(error)),
            DiskFault::Unfinished => (),
            DiskFault::Io(ref error) if is_room_missing(error) => (), // the journal is enough to start from
            DiskFault::Damaged(_) | DiskFault::Io(_) => self.sled_damaged = true,
        }
        self.rejected.push(Rejected { path: path.to_owned(), reason: fault.to_string() });
        Ok(None)
    }

    fn checkpoint_state(&mut self) -> Result<Option<Snapshot>, OpenFault> {
        let path = self.directory.join("checkpoint");
        match backup::read_checkpoint(self.directory) {
            Ok(found) => Ok(found),
            Err(Unsound::Newer(version)) => Err(OpenFault::Newer { path, version }),
            Err(Unsound::Io(error)) if is_ours_to_tell(&error) => Err(OpenFault::io("read", &path)(error)),
            Err(fault @ (Unsound::Io(_) | Unsound::Damaged(_))) => {
                self.rejected.push(Rejected { path, reason: fault.to_string() });
                Ok(None)
            }
        }
    }

    fn may_start_from_nothing(&self) -> Result<bool, OpenFault> {
        let first = journal::first_segment(&self.journal).map_err(OpenFault::io("read", &self.journal))?;
        let nothing_there = self.rejected.is_empty() && !self.directory.join("checkpoint").exists();
        Ok(first.map_or(nothing_there, |first| first == 1 || nothing_there))
    }

    fn try_base(&mut self, base: Snapshot) -> Result<Option<Replayed>, OpenFault> {
        let rejected = match replay(&self.journal, base) {
            Ok(found) => return Ok(Some(found)),
            Err(ReplayFault::Journal(JournalFault::Newer { path, version })) => {
                return Err(OpenFault::Newer { path, version });
            }
            Err(ReplayFault::Journal(fault)) => {
                let (path, reason) = fault.describe();
                Rejected { path: path.to_owned(), reason }
            }
            Err(ReplayFault::Unfit { path, reason }) => Rejected { path, reason },
        };
        if self.rejected.iter().all(|known| (&known.path, &known.reason) != (&rejected.path, &rejected.reason)) {
            self.rejected.push(rejected);
        }
        Ok(None)
    }

    /// One line that names every file that would have been needed.
    fn refusal(&self) -> OpenFault {
        let [first, others @ ..] = &self.rejected[..] else {
            return OpenFault::damaged(&self.journal, "there is no state that it leads on from");
        };
        let mut reason = first.reason.clone();
        for other in others {
            reason += &format!("; and {}: {}", other.path.display(), other.reason);
        }
        OpenFault::damaged(&first.path, reason)
    }

    /// Says what was wrong, moves a damaged sled aside, and tells whether a checkpoint is due.
    fn report(&self, found: &Replayed, sled_is_stale: bool) -> Result<bool, OpenFault> {
        let (revision, reader) = (found.snapshot.revision, &found.reader);
        for Rejected { path, reason } in &self.rejected {
            warn!(file = %path.display(), reason, "not usable; the state was rebuilt from what else is there");
        }
        if sled_is_stale && self.sled_damaged {
            let sled = self.disk.directory();
            let aside = self.disk.move_aside().map_err(OpenFault::io("move aside", sled))?;
            warn!(file = %sled.display(), moved_to = %aside.display(), "damaged; it is being written anew");
        } else if sled_is_stale && revision > 0 {
            info!(revision, "sled is being written anew");
        }
        if let Some(damage) = reader.damage() {
            let (file, offset) = (damage.path.display(), damage.offset);
            warn!(%file, offset, "the journal is damaged; nothing is lost, a checkpoint is being written");
        }
        if reader.last() < revision {
            let file = self.journal.display();
            warn!(%file, ends = reader.last(), revision, "the journal ends early; the newer state was found elsewhere");
        }
        Ok(reader.damage().is_some() || reader.last() < revision)
    }
}

/// Errors that the person can cure, as opposed to those that mean damage.
fn is_ours_to_tell(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::WouldBlock)
}

fn is_room_missing(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

/// Creates the data directory and shows that it can be written.
pub(super) fn prepare(directory: &Path) -> Result<(), OpenFault> {
    medium::create_directory(directory).map_err(OpenFault::io("create", directory))?;
    fs::read_dir(directory).map(drop).map_err(OpenFault::io("read", directory))
}
