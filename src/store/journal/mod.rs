//! What is durable: every change, appended and synced before anybody is told that it is done.
//!
//! The journal is a row of segments, each a file named after its first revision. It knows changes as streams of
//! octets that begin with their revision; what they say is the business of [`super::entry`]. Revisions have no gap,
//! within a segment and from one to the next. See [`frame`] for how a torn write is told from damage.
//!
//! After a failed write the segment is cut back to its last good length. After a failed *sync* nothing is known
//! about what the kernel kept (Linux drops the error with the dirty pages), so the segment is left behind for a new
//! one; what it holds from the new one's first revision on is ignored by every reader.

mod copy;
mod frame;
mod read;
mod segment;
mod walk;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::medium::Medium;
pub(super) use copy::each_published;
use frame::FrameWriter;
pub(super) use read::{JournalFault, Reader};
pub(super) use segment::Segment;
pub(super) use walk::{Mark, Walk};

/// Octets that are gathered before they are written.
const BUFFER_SIZE: usize = 1 << 20;

/// The journal, open for appending.
pub(super) struct Journal {
    directory: PathBuf,
    medium: Medium,
    segment_size: u64,
    /// All before the current one, oldest first.
    older: Vec<Segment>,
    file: File,
    /// The current segment; its size is its last good length.
    current: Segment,
    /// The revision of the next change.
    next: u64,
    trust: Trust,
    pending: Pending,
    payload: Vec<u8>,
}

/// What is known about the current segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// It holds what was synced and nothing else.
    Sound,
    /// There may be octets of a refused batch behind its good length.
    Remains,
    /// A sync failed: leave it behind.
    Doubt,
}

/// The batch that is being appended.
#[derive(Default)]
struct Pending {
    /// Octets not yet written.
    buffer: Vec<u8>,
    /// Where they go.
    at: u64,
    changes: u64,
}

/// Writes behind the good end of the segment.
struct Appender<'a> {
    file: &'a File,
    pending: &'a mut Pending,
}

impl Appender<'_> {
    fn write_out(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.pending.buffer, self.pending.at)?;
        self.pending.at += self.pending.buffer.len() as u64;
        self.pending.buffer.clear();
        Ok(())
    }
}

impl Write for Appender<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.pending.buffer.extend_from_slice(octets);
        if self.pending.buffer.len() >= BUFFER_SIZE {
            self.write_out()?;
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Journal {
    /// Starts a journal whose first change will have this revision.
    pub(super) fn create(directory: &Path, medium: Medium, segment_size: u64, first: u64) -> io::Result<Self> {
        let path = segment::path(directory, first);
        let file = write_segment(&medium, directory, &path, first)?;
        let current = Segment { first, path, size: segment::START };
        Ok(Self::over(directory, medium, segment_size, Vec::new(), file, current, first))
    }

    /// Goes on where a reader came to the end, behind revision `last`: cuts what was torn, and makes durable what
    /// is there. If the state at hand is newer than the journal, the journal goes on in a new segment.
    pub(super) fn resume(
        directory: &Path,
        medium: Medium,
        segment_size: u64,
        reader: &Reader,
        last: u64,
    ) -> io::Result<Self> {
        let mut older = reader.segments().to_vec();
        if last > reader.last() {
            let mut journal = Self::create(directory, medium, segment_size, last + 1)?;
            journal.older = older;
            return Ok(journal);
        }
        let Some(mut current) = older.pop() else {
            return Self::create(directory, medium, segment_size, last + 1);
        };
        let file = OpenOptions::new().read(true).write(true).open(&current.path)?;
        current.size = reader.end();
        if file.metadata()?.len() != current.size {
            file.set_len(current.size)?;
        }
        if newest(directory)? != Some(current.first) {
            write_newest(&medium, directory, current.first)?;
        }
        medium.sync(&file, &current.path)?; // a killed process may have written what no power cut would have spared
        Ok(Self::over(directory, medium, segment_size, older, file, current, last + 1))
    }

    fn over(
        directory: &Path,
        medium: Medium,
        segment_size: u64,
        older: Vec<Segment>,
        file: File,
        current: Segment,
        next: u64,
    ) -> Self {
        let directory = directory.to_owned();
        let (trust, pending, payload) = (Trust::Sound, Pending::default(), Vec::new());
        Self { directory, medium, segment_size, older, file, current, next, trust, pending, payload }
    }

    /// The revision of the oldest change that is kept.
    pub(super) fn first(&self) -> u64 {
        self.older.first().unwrap_or(&self.current).first
    }

    /// Octets of all segments.
    pub(super) fn size(&self) -> u64 {
        self.older.iter().map(|segment| segment.size).sum::<u64>() + self.current.size
    }

    /// Octets of the segments that hold changes after this revision.
    pub(super) fn size_after(&self, revision: u64) -> u64 {
        let ends = self.older.iter().skip(1).chain([&self.current]).map(|segment| segment.first);
        let older: u64 =
            self.older.iter().zip(ends).filter(|(_, end)| *end > revision + 1).map(|(segment, _)| segment.size).sum();
        older + if self.next > revision + 1 { self.current.size } else { 0 }
    }

    /// Starts a batch. After an earlier failure, this is where the journal is brought in order again.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        self.mend()?;
        if self.current.size >= self.segment_size && self.next > self.current.first {
            self.start_segment()?;
        }
        self.pending.buffer.clear();
        self.pending.at = self.current.size;
        self.pending.changes = 0;
        Ok(())
    }

    /// Appends a change to the batch; `write` gives what follows the revision. Returns the revision.
    pub(super) fn append(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<u64> {
        self.trust = Trust::Remains;
        let revision = self.next + self.pending.changes;
        let offset = self.pending.at + self.pending.buffer.len() as u64;
        let mut out = Appender { file: &self.file, pending: &mut self.pending };
        let batch = self.current.size;
        let mut change = FrameWriter::new(&mut out, self.current.first, batch, offset, &mut self.payload);
        change.write_all(&revision.to_le_bytes())?;
        write(&mut change)?;
        change.finish()?;
        self.pending.changes += 1;
        Ok(revision)
    }

    /// Makes the batch durable; returns how much the journal has grown.
    pub(super) fn commit(&mut self) -> io::Result<u64> {
        Appender { file: &self.file, pending: &mut self.pending }.write_out()?;
        if let Err(error) = self.medium.sync(&self.file, &self.current.path) {
            self.trust = Trust::Doubt;
            return Err(error);
        }
        let grown = self.pending.at - self.current.size;
        self.current.size = self.pending.at;
        self.next += self.pending.changes;
        self.trust = Trust::Sound;
        Ok(grown)
    }

    /// Forgets a batch that failed. Whether the disk takes anything again shows at the next [`Journal::begin`].
    pub(super) fn abandon(&mut self) {
        self.pending.buffer = Vec::new();
        let _ = self.file.set_len(self.current.size);
        let _ = self.mend();
    }

    /// Whether a batch of common size would be taken now: brings the journal in order, and looks for room beside it.
    pub(super) fn check(&mut self) -> io::Result<()> {
        self.mend()?;
        self.medium.find_room(&self.directory)
    }

    fn mend(&mut self) -> io::Result<()> {
        if self.trust == Trust::Remains {
            self.file.set_len(self.current.size)?;
            if let Err(error) = self.medium.sync(&self.file, &self.current.path) {
                self.trust = Trust::Doubt;
                return Err(error);
            }
        } else if self.trust == Trust::Doubt {
            self.start_segment()?;
        }
        self.trust = Trust::Sound;
        Ok(())
    }

    fn start_segment(&mut self) -> io::Result<()> {
        let path = segment::path(&self.directory, self.next);
        self.file = write_segment(&self.medium, &self.directory, &path, self.next)?;
        let new = Segment { first: self.next, path, size: segment::START };
        let old = std::mem::replace(&mut self.current, new);
        if old.first != self.next {
            self.older.push(old);
        }
        Ok(())
    }

    /// Removes the oldest segments that hold nothing after `covered`, until at most `size_max` octets of such
    /// are left.
    pub(super) fn prune(&mut self, covered: u64, size_max: u64) -> io::Result<()> {
        let needed = self.size_after(covered);
        let mut removed = false;
        while let [oldest, rest @ ..] = &self.older[..] {
            let end = rest.first().unwrap_or(&self.current).first;
            if end > covered + 1 || self.size() - needed <= size_max {
                break;
            }
            fs::remove_file(&oldest.path)?;
            self.older.remove(0);
            removed = true;
        }
        if removed { self.medium.sync_directory(&self.directory) } else { Ok(()) }
    }
}

fn write_segment(medium: &Medium, directory: &Path, path: &Path, first: u64) -> io::Result<File> {
    let file = medium.replace(path, |out| segment::write_header(out, first))?;
    write_newest(medium, directory, first)?;
    Ok(file)
}

// ----- The newest segment -----------------------------------------------------------------------------------

/// The file, beside the journal's directory, that says which segment is the newest, so that its loss is noticed.
pub(super) fn newest_path(directory: &Path) -> PathBuf {
    directory.with_extension("newest")
}

fn write_newest(medium: &Medium, directory: &Path, first: u64) -> io::Result<()> {
    medium.replace(&newest_path(directory), |out| out.write_all(newest_text(first).as_bytes())).map(drop)
}

fn newest_text(first: u64) -> String {
    let number = format!("{first:020}");
    let checksum = crc32c::crc32c(number.as_bytes());
    format!("{number} {checksum:08x}\n")
}

/// The first revision of the newest segment there ever was, if that is known: not in a new store, nor when somebody
/// removed the note to accept the loss of that segment, nor when the note is damaged.
pub(super) fn newest(directory: &Path) -> io::Result<Option<u64>> {
    match fs::read(newest_path(directory)) {
        Ok(octets) => Ok(std::str::from_utf8(&octets)
            .ok()
            .and_then(|text| text.split(' ').next()?.parse().ok().filter(|first| newest_text(*first) == text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// All segments that are there, oldest first.
pub(super) fn segments(directory: &Path) -> io::Result<Vec<Segment>> {
    segment::list(directory)
}

/// The first revision of the newest segment that is there.
pub(super) fn newest_segment(directory: &Path) -> io::Result<Option<u64>> {
    Ok(segment::list(directory)?.last().map(|segment| segment.first))
}

/// The first revision of the oldest segment that is there.
pub(super) fn first_segment(directory: &Path) -> io::Result<Option<u64>> {
    Ok(segment::list(directory)?.first().map(|segment| segment.first))
}

/// The file of the segment that begins with this revision.
pub(super) fn segment_path(directory: &Path, first: u64) -> PathBuf {
    segment::path(directory, first)
}

#[cfg(test)]
mod tests;
