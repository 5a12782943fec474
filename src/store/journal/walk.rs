//! Reading published changes beside the writer, from a known place of a segment on.
//!
//! What is published is durable and never changes its place, so a reader with a file of its own needs no lock. It
//! must not go further than what was published before the segments were listed: behind that the writer is at work.
//! [`super::Reader`], which finds the end of a journal after a crash, asks other questions: here every frame must be good.

use std::io::{self, Read};

use super::read::{Damage, JournalFault};
use super::segment::{self, Next, Segment, SegmentReader, Unreadable};

/// Where a change begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Mark {
    pub(in crate::store) revision: u64,
    pub(in crate::store) offset: u64,
}

impl Mark {
    /// The first change of a segment.
    pub(in crate::store) fn start(segment: &Segment) -> Self {
        Self { revision: segment.first, offset: segment::START }
    }
}

/// Goes through the changes of one segment. [`Walk::enter`] a change, read it, [`Walk::leave`] it.
pub(in crate::store) struct Walk {
    reader: SegmentReader,
    /// Where the current change begins; between changes, the next one.
    mark: Mark,
    /// How much of the current frame has been handed out.
    used: usize,
    /// Whether the current frame is the last of its change.
    whole: bool,
}

impl Walk {
    /// Prepares to read from a change on; `None` if the segment has been pruned meanwhile.
    pub(in crate::store) fn open(segment: &Segment, mark: Mark) -> Result<Option<Self>, JournalFault> {
        let path = segment.path.clone();
        let mut reader = match SegmentReader::open(segment.clone()) {
            Ok(reader) => reader,
            Err(Unreadable::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(Unreadable::Io(error)) => return Err(JournalFault::Io { path, error }),
            Err(Unreadable::Header) => return Err(JournalFault::Damaged(Damage { path, offset: 0 })),
            Err(Unreadable::Newer(version)) => return Err(JournalFault::Newer { path, version }),
        };
        reader.seek(mark.offset).map_err(|error| JournalFault::Io { path, error })?;
        Ok(Some(Self { reader, mark, used: 0, whole: true }))
    }

    /// Where the current change begins; between changes, the next one.
    pub(in crate::store) fn mark(&self) -> Mark {
        self.mark
    }

    /// Enters the next change; `false` at the end of the segment. What is then read begins behind the revision.
    pub(in crate::store) fn enter(&mut self) -> Result<bool, JournalFault> {
        match self.reader.advance().map_err(|error| self.io(error))? {
            Next::End => return Ok(false),
            Next::Frame(part) if part.is_first() => self.whole = part.is_last(),
            Next::Frame(_) | Next::Bad => return Err(self.damage()),
        }
        let revision = self.reader.payload.first_chunk().map(|octets| u64::from_le_bytes(*octets));
        self.used = 8;
        match revision {
            Some(revision) if revision == self.mark.revision => Ok(true),
            Some(found) => Err(JournalFault::Gap { path: self.path(), wanted: self.mark.revision, found }),
            None => Err(self.damage()),
        }
    }

    /// Leaves the change that was entered; what of it was not read is passed over.
    pub(in crate::store) fn leave(&mut self) -> Result<(), JournalFault> {
        while !self.whole {
            match self.reader.skip().map_err(|error| self.io(error))? {
                Next::Frame(part) if !part.is_first() => self.whole = part.is_last(),
                Next::Frame(_) | Next::End | Next::Bad => return Err(self.damage()),
            }
        }
        self.mark = Mark { revision: self.mark.revision + 1, offset: self.reader.offset };
        Ok(())
    }

    /// What to say of a change whose content makes no sense, or cannot be read.
    pub(in crate::store) fn unreadable(&self, error: io::Error) -> JournalFault {
        self.io(error)
    }

    fn io(&self, error: io::Error) -> JournalFault {
        JournalFault::Io { path: self.path(), error }
    }

    fn damage(&self) -> JournalFault {
        JournalFault::Damaged(Damage { path: self.path(), offset: self.mark.offset })
    }

    fn path(&self) -> std::path::PathBuf {
        self.reader.segment.path.clone()
    }
}

impl Read for Walk {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.used == self.reader.payload.len() {
            if self.whole {
                return Ok(0);
            }
            match self.reader.advance()? {
                Next::Frame(part) if !part.is_first() => (self.used, self.whole) = (0, part.is_last()),
                Next::Frame(_) | Next::End | Next::Bad => return Err(self.damage().into()),
            }
        }
        let rest = &self.reader.payload[self.used..];
        let size = rest.len().min(buffer.len());
        buffer[..size].copy_from_slice(&rest[..size]);
        self.used += size;
        Ok(size)
    }
}
