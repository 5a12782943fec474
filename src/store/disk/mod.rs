//! The current state in sled. This folder is the only place that names sled.
//!
//! A zone lies here as blocks of neighbouring names (see [`super::codec`]), not as a key a record: a million small keys
//! cost sled 0.34 three gigabytes, the same in blocks 80 MB. Around the blocks stand a manifest a zone and one
//! state record, each with counts and a digest of what is below it, so that a block, a zone or a whole file that went
//! missing is noticed as surely as one that was damaged. Everything lies in one tree, so one batch is atomic.
//!
//! sled is open only while it is read at start-up and while changes are folded in. In between it holds no memory and
//! its files are at rest. Its `flush` asks for no durability (it calls sync_file_range), so after it is closed every
//! file is synced by us; only then may the journal forget anything. It starts no threads of its own to flush, is never
//! asked for its `len` (which walks everything), and a panic in it becomes a fault here.
//!
//! Nothing is ever repaired in place: a sled that is not sound is moved aside and written again from the state that
//! checkpoint and journal give.

mod fold;
mod load;
mod record;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::medium::{self, Medium};
use super::pending::TouchedParts;
use super::snapshot::Snapshot;

/// How often to try again when an earlier instance in this process has not let go of its files yet, and how long
/// to wait in between.
const OPEN_TRIES: u32 = 500;
const OPEN_PAUSE: Duration = Duration::from_millis(10);

/// sled's directory.
#[derive(Clone)]
pub(super) struct Disk {
    directory: PathBuf,
    medium: Medium,
    cache_size: u64,
}

/// Why sled cannot give or take the state.
#[derive(Debug)]
pub(super) enum DiskFault {
    /// A newer Freehold wrote it.
    Newer(u32),
    /// It was being written when the process ended. Not damage: it has to be written again.
    Unfinished,
    /// What is wrong with it, and where.
    Damaged(String),
    /// The system does not let us.
    Io(io::Error),
}

impl std::fmt::Display for DiskFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Newer(version) => write!(f, "written in the newer format {version}"),
            Self::Unfinished => f.write_str("it was being written when the process ended"),
            Self::Damaged(reason) => f.write_str(reason),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl From<sled::Error> for DiskFault {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(error) => Self::Io(error),
            other @ (sled::Error::CollectionNotFound(_)
            | sled::Error::Unsupported(_)
            | sled::Error::ReportableBug(_)
            | sled::Error::Corruption { .. }) => Self::Damaged(other.to_string()),
        }
    }
}

impl From<io::Error> for DiskFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Disk {
    pub(super) fn new(directory: PathBuf, medium: Medium, cache_size: u64) -> Self {
        Self { directory, medium, cache_size }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The state it holds, with every block verified; `None` if there is no sled.
    pub(super) fn load(&self) -> Result<Option<Snapshot>, DiskFault> {
        if !self.directory.try_exists()? {
            return Ok(None);
        }
        self.with_tree(load::load).map(Some)
    }

    /// Brings it from revision `from` to this state, durably.
    pub(super) fn fold(&self, from: u64, touched: &TouchedParts, to: &Snapshot) -> Result<Size, DiskFault> {
        let size = self.with_tree(|db| fold::fold(db, from, touched, to))?;
        self.make_durable()?;
        Ok(self.size(size))
    }

    /// Writes this state from nothing, durably.
    pub(super) fn rewrite(&self, state: &Snapshot) -> Result<Size, DiskFault> {
        if self.directory.try_exists()? {
            std::fs::remove_dir_all(&self.directory)?;
        }
        medium::create_directory(&self.directory)?;
        let size = self.with_tree(|db| fold::write(db, state))?;
        self.make_durable()?;
        Ok(self.size(size))
    }

    /// Gets it out of the way, as evidence; returns where it is now. Evidence of earlier times goes.
    pub(super) fn move_aside(&self) -> io::Result<PathBuf> {
        let parent = self.directory.parent().unwrap_or(Path::new("."));
        for entry in std::fs::read_dir(parent)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"sled.damaged-")) {
                std::fs::remove_dir_all(path)?;
            }
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let aside = parent.join(format!("sled.damaged-{now}"));
        std::fs::rename(&self.directory, &aside)?;
        self.medium.sync_directory(parent)?;
        Ok(aside)
    }

    fn with_tree<T>(&self, work: impl FnOnce(&sled::Db) -> Result<T, DiskFault>) -> Result<T, DiskFault> {
        let guarded = catch_unwind(AssertUnwindSafe(|| {
            let db = self.open()?;
            let done = work(&db)?;
            db.flush()?;
            Ok(done)
        }));
        guarded.unwrap_or_else(|_| Err(DiskFault::Damaged("sled gave up reading it".to_owned())))
    }

    fn open(&self) -> Result<sled::Db, DiskFault> {
        let mut tries = 0;
        loop {
            let config = sled::Config::new().path(&self.directory).cache_capacity(self.cache_size).flush_every_ms(None);
            match config.open() {
                Err(sled::Error::Io(error)) if is_locked(&error) && tries < OPEN_TRIES => tries += 1,
                opened => return Ok(opened?),
            }
            std::thread::sleep(OPEN_PAUSE);
        }
    }

    fn make_durable(&self) -> io::Result<()> {
        self.medium.sync_tree(&self.directory)?;
        self.medium.sync_directory(self.directory.parent().unwrap_or(Path::new(".")))
    }

    fn size(&self, live: u64) -> Size {
        Size { live, occupied: self.occupied() }
    }

    /// Octets of its files.
    pub(super) fn occupied(&self) -> u64 {
        occupied(&self.directory)
    }
}

/// Octets of the state, and of the files that hold it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    live: u64,
    pub(super) occupied: u64,
}

impl Size {
    /// Whether sled holds so much that is dead that it should be written anew.
    pub(super) fn is_wasteful(self) -> bool {
        self.occupied > 4 * self.live + (64 << 20)
    }
}

fn occupied(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => occupied(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0, // gone meanwhile
    });
    sizes.sum()
}

/// sled hides the error of its lock in a text.
fn is_locked(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.to_string().contains("WouldBlock")
}

#[cfg(test)]
mod tests;
