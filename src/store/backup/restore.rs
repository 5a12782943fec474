//! File → data directory.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::read::{Head, SegmentHead, Unsound, read, read_head, read_section};
use super::{END, JOURNAL, PIECE, write_checkpoint};
use crate::store::fault::OpenFault;
use crate::store::journal::{self, Journal};
use crate::store::lock::Lock;
use crate::store::medium::{self, Medium};
use crate::store::owner::as_owner;
use crate::store::snapshot::Snapshot;

/// Reads a whole backup, and verifies all of it.
pub fn inspect(file: &Path) -> Result<Snapshot, OpenFault> {
    let input = File::open(file).map_err(OpenFault::io("read", file))?;
    read(input).map_err(|fault| fault.of(file))
}

/// Makes a data directory of a backup. The whole file is verified before anything is written, and a directory that
/// holds anything is refused.
pub fn restore(file: &Path, directory: &Path) -> Result<Snapshot, OpenFault> {
    let mut input = File::open(file).map_err(OpenFault::io("read", file))?;
    let snapshot = read(&input).map_err(|fault| fault.of(file))?;
    input.rewind().map_err(OpenFault::io("read", file))?;
    let restore = || {
        medium::create_directory(directory).map_err(OpenFault::io("create", directory))?;
        if fs::read_dir(directory).map_err(OpenFault::io("read", directory))?.next().is_some() {
            return Err(OpenFault::NotEmpty { directory: directory.to_owned() });
        }
        let _lock = Lock::take(directory).map_err(|refused| refused.fault(directory))?;
        let place = Place { medium: Medium::default(), journal: directory.join("journal") };
        place.fill(&snapshot, directory).map_err(OpenFault::io("write", directory))?;
        place.fill_past(input).map_err(|fault| match fault {
            Unsound::Io(error) => OpenFault::io("write", directory)(error),
            fault @ (Unsound::Newer(_) | Unsound::Damaged(_)) => fault.of(file),
        })
    };
    as_owner(directory, restore).map_err(OpenFault::io("work as the owner of", directory))??;
    Ok(snapshot)
}

impl Unsound {
    fn of(self, file: &Path) -> OpenFault {
        match self {
            Self::Io(error) => OpenFault::io("read", file)(error),
            Self::Newer(version) => OpenFault::Newer { path: file.to_owned(), version },
            Self::Damaged(reason) => {
                OpenFault::Damaged { path: file.to_owned(), reason, cure: "use another backup".to_owned() }
            }
        }
    }
}

/// Where it goes. Interrupted anywhere, a directory is left with the whole state or with none; the past may begin later.
struct Place {
    medium: Medium,
    journal: PathBuf,
}

impl Place {
    fn fill(&self, snapshot: &Snapshot, directory: &Path) -> io::Result<()> {
        write_checkpoint(&self.medium, directory, snapshot)?;
        medium::create_directory(&self.journal)?;
        Journal::create(&self.journal, self.medium.clone(), u64::MAX, snapshot.revision + 1)?;
        self.medium.sync_directory(directory)
    }

    /// Puts the segments of the past before the one that begins now, the newest first.
    fn fill_past(&self, file: File) -> Result<(), Unsound> {
        let mut input = BufReader::with_capacity(1 << 18, file);
        let Head { mut checksum, .. } = read_head(&mut input)?;
        let mut content = Vec::new();
        let mut kind = read_section(&mut input, &mut checksum, &mut content)?;
        while kind != END {
            match kind {
                JOURNAL => kind = self.fill_segment(&mut input, &mut checksum, &mut content)?,
                _ => kind = read_section(&mut input, &mut checksum, &mut content)?,
            }
        }
        Ok(())
    }

    /// Writes one segment, whose head is the content; returns the kind of the section behind it.
    fn fill_segment(&self, input: &mut impl Read, checksum: &mut u32, content: &mut Vec<u8>) -> Result<u8, Unsound> {
        let path = journal::segment_path(&self.journal, SegmentHead::read(content)?.first);
        let mut behind = Ok(PIECE);
        self.medium.replace(&path, |out| {
            loop {
                behind = read_section(input, checksum, content);
                match behind {
                    Ok(PIECE) => out.write_all(content)?,
                    Ok(_) | Err(_) => return Ok(()),
                }
            }
        })?;
        behind
    }
}
