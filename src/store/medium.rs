//! What makes bytes durable: the few calls after which they survive a power cut.
//!
//! Everything the store trusts after a crash goes through here, so that one [`Witness`] sees every promise the
//! disk makes. The crash tests use it to keep a second directory that holds exactly what was promised and throw
//! the rest away, which is what a power cut does, and to let a promise fail. Rejected: a trait for a whole file
//! system (the store would never run on the real one in its tests), and LD_PRELOAD (needs a C compiler).

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Octets that a disk has to have room for if it shall count as one that takes changes.
const ROOM_SIZE: usize = 64 << 10;

/// A step towards durability, told to a [`Witness`] in the order in which the steps happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// The content of this file is about to be synced. An error from the witness stands for a failed sync.
    Syncing(&'a Path),
    /// The content of this file is durable, whatever name it has by then.
    Synced(&'a Path),
    /// The names in this directory are durable.
    DirectorySynced(&'a Path),
}

/// Sees every [`Step`]; its error makes the step fail.
pub type Witness = Arc<dyn Fn(Step<'_>) -> io::Result<()> + Send + Sync>;

/// The file system, perhaps with somebody watching.
#[derive(Clone, Default)]
pub(super) struct Medium {
    witness: Option<Witness>,
}

impl Medium {
    pub(super) fn watched(witness: Witness) -> Self {
        Self { witness: Some(witness) }
    }

    fn tell(&self, step: Step<'_>) -> io::Result<()> {
        self.witness.as_ref().map_or(Ok(()), |witness| witness(step))
    }

    /// Makes the content of a file durable.
    pub(super) fn sync(&self, file: &File, path: &Path) -> io::Result<()> {
        self.tell(Step::Syncing(path))?;
        file.sync_data()?;
        self.tell(Step::Synced(path))
    }

    /// Makes durable which files a directory has.
    pub(super) fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()?;
        self.tell(Step::DirectorySynced(directory))
    }

    /// Makes every file below a directory durable, and the directory itself. A file that vanishes meanwhile is
    /// none of ours to keep (sled removes its old snapshots on a thread of its own).
    pub(super) fn sync_tree(&self, directory: &Path) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                self.sync_tree(&path)?;
                continue;
            }
            match File::open(&path) {
                Ok(file) => self.sync(&file, &path)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => (),
                Err(error) => return Err(error),
            }
        }
        self.sync_directory(directory)
    }

    /// Writes a file whole or not at all: aside, synced, renamed over the old one, and the name synced.
    pub(super) fn replace(
        &self,
        path: &Path,
        write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
    ) -> io::Result<File> {
        let aside = aside(path);
        let done = self.write_aside(&aside, write).and_then(|file| {
            fs::rename(&aside, path)?;
            self.sync_directory(path.parent().unwrap_or(Path::new(".")))?;
            Ok(file)
        });
        if done.is_err() {
            let _ = fs::remove_file(&aside); // a full disk needs the room more than we need the remains
        }
        done
    }

    /// Whether a directory takes something new: writes a file and takes it away again. It asks for no sync, so that it may
    /// be called every second; a disk that only fails at a sync is noticed by the next change.
    pub(super) fn find_room(&self, directory: &Path) -> io::Result<()> {
        let path = aside(&directory.join("room")); // should we end in between, the next start takes it away
        let written = fs::write(&path, [0; ROOM_SIZE]);
        let removed = fs::remove_file(&path);
        written.and(removed)
    }

    fn write_aside(
        &self,
        aside: &Path,
        write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
    ) -> io::Result<File> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(aside)?;
        let mut out = BufWriter::with_capacity(1 << 18, &file);
        write(&mut out)?;
        out.flush()?;
        drop(out);
        self.sync(&file, aside)?;
        Ok(file)
    }
}

/// Where a file is written before it takes its name.
pub(super) fn aside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

/// Creates a directory that only its owner can enter, and those above it that are missing, and makes their names
/// durable.
pub(super) fn create_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    create_directory(parent)?;
    fs::DirBuilder::new().mode(0o700).create(path)?;
    File::open(parent)?.sync_all()
}

/// Removes what an interrupted [`Medium::replace`] left in a directory.
pub(super) fn remove_leftovers(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "new") && path.is_file() {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
