//! Reading the journal from a revision on: over segments, over what refused batches left, over a torn tail, and
//! around damage where that costs nothing.
//!
//! Damage is only ever passed over when the changes behind it show that everything *after the wanted revision* is
//! still there; the caller hears of it ([`Reader::damage`]) and writes a checkpoint, so that it is never needed again.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::segment::{self, Next, Segment, SegmentReader, Unreadable, Verdict};

/// A damaged place of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Damage {
    pub(in crate::store) path: PathBuf,
    pub(in crate::store) offset: u64,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {}", self.path.display(), self.offset)
    }
}

/// Why the journal cannot give the changes after a revision.
#[derive(Debug)]
pub(in crate::store) enum JournalFault {
    /// It cannot be read.
    Io { path: PathBuf, error: io::Error },
    /// Octets that were durable once are not what was written.
    Damaged(Damage),
    /// Changes are missing: this one was wanted and that one was found.
    Gap { path: PathBuf, wanted: u64, found: u64 },
    /// A newer version of Freehold wrote it.
    Newer { path: PathBuf, version: u32 },
}

impl JournalFault {
    /// The file, what is wrong with it, and the version if that is what is wrong.
    pub(in crate::store) fn describe(&self) -> (&Path, String) {
        match self {
            Self::Io { path, error } => (path, format!("cannot be read: {error}")),
            Self::Damaged(Damage { path, offset }) => (path, format!("wrong checksum at offset {offset}")),
            Self::Gap { path, wanted, found } => {
                (path, format!("the change of revision {wanted} is missing, the next one there is {found}"))
            }
            Self::Newer { path, version } => (path, format!("written in the newer format {version}")),
        }
    }
}

/// Reads changes in order. See the [module](self).
pub(in crate::store) struct Reader {
    segments: Vec<Segment>,
    /// Which segment is being read.
    at: usize,
    current: Option<SegmentReader>,
    /// The revision of the next change to hand out.
    wanted: u64,
    /// The revision of the last whole change that was passed.
    last: u64,
    /// The offset behind that change.
    end: u64,
    /// How much of the current frame has been handed out.
    used: usize,
    /// Whether the current frame is the last of its change.
    whole: bool,
    /// Whether the current change broke off.
    broken: bool,
    /// Damage that has been passed over.
    damage: Option<Damage>,
}

/// What became of one step through the journal.
enum Step {
    /// The wanted change begins here.
    Wanted,
    /// Something else has been passed.
    Passed,
    /// The segment holds nothing more that counts.
    SegmentEnded,
    /// The journal ends here, with a write that was under way.
    Torn,
}

impl Reader {
    /// Prepares to read the changes after revision `after`. Segments that end before it are not opened.
    pub(in crate::store) fn open(directory: &Path, after: u64) -> Result<Self, JournalFault> {
        let path = || directory.to_owned();
        let segments = segment::list(directory).map_err(|error| JournalFault::Io { path: path(), error })?;
        let wanted = after + 1;
        let at = segments.partition_point(|segment| segment.first <= wanted).saturating_sub(1);
        let last = match segments.get(at) {
            Some(segment) if segment.first > wanted => {
                return Err(JournalFault::Gap { path: path(), wanted, found: segment.first });
            }
            Some(segment) => segment.first - 1,
            None => after,
        };
        let (current, end, damage) = (None, segment::START, None);
        Ok(Self { segments, at, current, wanted, last, end, used: 0, whole: true, broken: false, damage })
    }

    /// The next change, as a stream that begins behind its revision; `None` at the end of the journal. When the
    /// change has been read to its end, call [`Reader::accept`]; when it ends too early, [`Reader::is_torn`].
    pub(in crate::store) fn next_change(&mut self) -> Result<Option<ChangeReader<'_>>, JournalFault> {
        while self.open_segment()? {
            match self.step()? {
                Step::Wanted => return Ok(Some(ChangeReader(self))),
                Step::Passed => (),
                Step::SegmentEnded if self.at + 1 < self.segments.len() => self.leave_segment()?,
                Step::SegmentEnded | Step::Torn => break,
            }
        }
        Ok(None)
    }

    /// Counts the change that was handed out as read; `false` if some of it was not.
    pub(in crate::store) fn accept(&mut self) -> bool {
        let done = self.whole && !self.broken && self.used == self.payload().len();
        if done {
            self.close_change(self.wanted);
            self.wanted += 1;
        }
        done
    }

    /// Whether the change that was handed out was a torn write, so that the journal ends before it. An error if it
    /// was damaged; `false` if there is nothing wrong with its frames.
    pub(in crate::store) fn is_torn(&mut self) -> Result<bool, JournalFault> {
        if !self.broken {
            return Ok(false);
        }
        match self.judge()? {
            Step::Torn => Ok(true),
            Step::Wanted | Step::Passed | Step::SegmentEnded => Err(self.missing(self.wanted + 1)),
        }
    }

    /// The revision of the last whole change, and so of the journal once it has been read to its end.
    pub(in crate::store) fn last(&self) -> u64 {
        self.last
    }

    /// Damage before the wanted changes, which did not matter this time.
    pub(in crate::store) fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    /// Where the change that is being read begins.
    pub(in crate::store) fn place(&self) -> Damage {
        let path = self.segments.get(self.at).map_or_else(PathBuf::new, |segment| segment.path.clone());
        Damage { path, offset: self.end }
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The offset behind the last whole change of the newest segment.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    fn open_segment(&mut self) -> Result<bool, JournalFault> {
        let Some(segment) = self.segments.get(self.at) else { return Ok(false) };
        if self.current.is_none() {
            let path = segment.path.clone();
            let reader = SegmentReader::open(segment.clone()).map_err(|fault| match fault {
                Unreadable::Io(error) => JournalFault::Io { path, error },
                Unreadable::Header => JournalFault::Damaged(Damage { path, offset: 0 }),
                Unreadable::Newer(version) => JournalFault::Newer { path, version },
            })?;
            self.current = Some(reader);
            self.end = segment::START;
        }
        Ok(true)
    }

    /// Goes on to the next segment.
    fn leave_segment(&mut self) -> Result<(), JournalFault> {
        let next = self.segments[self.at + 1].first;
        if self.last + 1 != next && (self.damage.is_none() || next > self.wanted) {
            return Err(self.missing(next));
        }
        self.last = next - 1;
        self.at += 1;
        self.current = None;
        Ok(())
    }

    /// Reads the first frame of the next change, and the rest of it too if it is not wanted.
    fn step(&mut self) -> Result<Step, JournalFault> {
        if self.segments.get(self.at + 1).is_some_and(|next| self.last + 1 == next.first) {
            return Ok(Step::SegmentEnded); // what may follow was left by a batch that was refused
        }
        let revision = match self.advance()? {
            Next::End => return Ok(Step::SegmentEnded),
            Next::Frame(part) if part.is_first() => revision(self.payload()),
            Next::Frame(_) | Next::Bad => None,
        };
        let Some(revision) = revision else { return self.judge() };
        let follows = revision == self.last + 1 || (self.damage.is_some() && revision > self.last);
        if !follows || revision > self.wanted {
            return Err(self.missing(revision));
        }
        if revision == self.wanted {
            self.used = 8;
            return Ok(Step::Wanted);
        }
        while !self.whole {
            match self.advance()? {
                Next::Frame(part) if !part.is_first() => (),
                Next::Frame(_) | Next::End | Next::Bad => return self.judge(),
            }
        }
        self.close_change(revision);
        Ok(Step::Passed)
    }

    fn close_change(&mut self, revision: u64) {
        self.last = revision;
        self.end = self.current.as_ref().map_or(segment::START, |current| current.offset);
    }

    /// Decides what becomes of a change, the one behind [`Reader::end`], that cannot be read.
    fn judge(&mut self) -> Result<Step, JournalFault> {
        let place = self.place();
        let newest = self.at + 1 == self.segments.len();
        let Some(current) = &mut self.current else { return Ok(Step::SegmentEnded) };
        let io = |error| JournalFault::Io { path: place.path.clone(), error };
        match current.judge(place.offset).map_err(io)? {
            Verdict::Torn if newest => Ok(Step::Torn),
            Verdict::Damaged(Some(resume)) => {
                current.seek(resume).map_err(io)?;
                self.end = resume;
                self.damage.get_or_insert(place);
                Ok(Step::Passed)
            }
            Verdict::Damaged(None) | Verdict::Torn => {
                self.damage.get_or_insert(place);
                if newest { Err(self.missing(self.wanted)) } else { Ok(Step::SegmentEnded) }
            }
        }
    }

    /// What to say when the change of this revision comes instead of the one that should.
    fn missing(&self, found: u64) -> JournalFault {
        match &self.damage {
            Some(damage) => JournalFault::Damaged(damage.clone()),
            None => JournalFault::Gap { path: self.place().path, wanted: self.last + 1, found },
        }
    }

    fn advance(&mut self) -> Result<Next, JournalFault> {
        let Some(current) = &mut self.current else { return Ok(Next::End) };
        let next = current.advance();
        let next = next.map_err(|error| JournalFault::Io { path: self.place().path, error })?;
        (self.used, self.broken) = (0, false);
        self.whole = matches!(next, Next::Frame(part) if part.is_last());
        Ok(next)
    }

    fn payload(&self) -> &[u8] {
        self.current.as_ref().map_or(&[], |current| &current.payload)
    }
}

fn revision(payload: &[u8]) -> Option<u64> {
    payload.first_chunk().map(|octets| u64::from_le_bytes(*octets))
}

/// One change as a stream.
pub(in crate::store) struct ChangeReader<'a>(&'a mut Reader);

impl Read for ChangeReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let reader = &mut *self.0;
        while reader.used == reader.payload().len() {
            if reader.whole || reader.broken {
                return Ok(0);
            }
            match reader.advance().map_err(io::Error::from)? {
                Next::Frame(part) if !part.is_first() => (),
                Next::Frame(_) | Next::End | Next::Bad => {
                    reader.broken = true;
                    return Ok(0);
                }
            }
        }
        let rest = &reader.payload()[reader.used..];
        let size = rest.len().min(buffer.len());
        buffer[..size].copy_from_slice(&rest[..size]);
        reader.used += size;
        Ok(size)
    }
}

impl From<JournalFault> for io::Error {
    fn from(fault: JournalFault) -> Self {
        match fault {
            JournalFault::Io { error, .. } => error,
            JournalFault::Damaged(_) | JournalFault::Gap { .. } | JournalFault::Newer { .. } => {
                Self::new(io::ErrorKind::InvalidData, fault.describe().1)
            }
        }
    }
}
