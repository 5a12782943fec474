//! Export and restore: everything in one checksummed file. A checkpoint is the same file, without the past.
//!
//! ```text
//! file     magic · version u32 · revision u64 · unix seconds u64 · zones u64 · CRC32C u32 · sections
//! section  kind u8 · size u32 · CRC32C u32 · content              (the checksum also covers the one before it)
//!   1      a zone begins: names u64 · records u64 · apex
//!   2      a block of its nodes (see [`super::codec`])
//!   3      the end of the file: items u64
//!   4      an item: shelf u8 · key (u16 and UTF-8) · octets, as its shelf writes them
//!   5      a segment of the journal begins: first revision u64 · last revision u64 · octets u64
//!   6      a piece of it, as it lies in the data directory (see [`super::journal`])
//! ```
//!
//! Each checksum continues the one before, so the last one vouches for the whole file in its order, and a file that is
//! cut short lacks its end. It is written and read as a stream.
//!
//! The past is the journal itself, up to the backup's revision, whole segments, the newest first: where an old one
//! is pruned meanwhile, the past of the backup is that much shorter and has no hole. Rejected: entries by themselves (they would
//! have to be put into frames again, and what is restored would be new octets that nobody has verified).
//!
//! Version 1 knew neither items nor the past; it is read for ever.

mod read;
mod restore;
mod write;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::medium::Medium;
use super::snapshot::Snapshot;
use read::{Head, read_head, read_section};

pub(super) use read::{Unsound, read};
pub use restore::{inspect, restore};
pub(super) use write::write;

const MAGIC: &[u8; 8] = b"FHOLDBAK";
/// The first knew no items and no past, and had nothing in its end.
const VERSION: u32 = 2;
const ZONE: u8 = 1;
const BLOCK: u8 = 2;
const END: u8 = 3;
const ITEM: u8 = 4;
const JOURNAL: u8 = 5;
const PIECE: u8 = 6;
/// Octets of the section in which a segment begins.
const JOURNAL_SIZE: usize = 24;

fn section_checksum(before: u32, kind: u8, content: &[u8]) -> u32 {
    let head = crc32c::crc32c_append(before, &[kind]);
    crc32c::crc32c_append(crc32c::crc32c_append(head, &(content.len() as u32).to_le_bytes()), content)
}

/// Writes the checkpoint of a data directory, whole or not at all; returns its size in octets.
pub(super) fn write_checkpoint(medium: &Medium, directory: &Path, snapshot: &Snapshot) -> io::Result<u64> {
    let file = medium.replace(&directory.join("checkpoint"), |out| write(snapshot, None, out))?;
    Ok(file.metadata()?.len())
}

/// Reads the checkpoint of a data directory; `None` if there is none.
pub(super) fn read_checkpoint(directory: &Path) -> Result<Option<Snapshot>, Unsound> {
    match File::open(directory.join("checkpoint")) {
        Ok(file) => read(file).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Unsound::Io(error)),
    }
}

/// Revision and size of the checkpoint, as far as its head tells; `None` if that cannot be read.
pub(super) fn checkpoint_head(directory: &Path) -> Option<(u64, u64)> {
    let mut file = File::open(directory.join("checkpoint")).ok()?;
    let size = file.metadata().ok()?.len();
    Some((read_head(&mut file).ok()?.revision, size))
}

/// Checks a whole file without making zones of it.
pub(super) fn verify(file: &Path) -> Result<(), Unsound> {
    let mut input = BufReader::with_capacity(1 << 18, File::open(file)?);
    let Head { mut checksum, .. } = read_head(&mut input)?;
    let mut content = Vec::new();
    while read_section(&mut input, &mut checksum, &mut content)? != END {}
    if input.read(&mut [0])? != 0 {
        return read::damaged("there is something behind its end");
    }
    Ok(())
}
