//! One file of the journal: its name, its header, and reading it frame by frame, also around damage.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::frame::{self, HEADER_SIZE, Head, PAYLOAD_SIZE_MAX, Part};

/// Octets before the first frame: magic, version u32, first revision u64, CRC32C u32.
pub(super) const START: u64 = 24;
const MAGIC: &[u8; 8] = b"FHOLDJNL";
const VERSION: u32 = 1;

/// A segment as the directory lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Segment {
    /// The revision of its first change.
    pub(in crate::store) first: u64,
    pub(super) path: PathBuf,
    /// Octets.
    pub(super) size: u64,
}

/// Why a segment cannot be read.
#[derive(Debug)]
pub(super) enum Unreadable {
    Io(io::Error),
    /// Not a segment, or a damaged header.
    Header,
    /// Written by a newer version of Freehold.
    Newer(u32),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The file of the segment that begins with this revision.
pub(super) fn path(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("{first:020}.journal"))
}

/// All segments of a directory, oldest first. Files with other names are not ours and stay untouched.
pub(super) fn list(directory: &Path) -> io::Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let first = name.to_str().and_then(|name| name.strip_suffix(".journal")).and_then(|name| name.parse().ok());
        if let Some(first) = first {
            segments.push(Segment { first, path: entry.path(), size: entry.metadata()?.len() });
        }
    }
    segments.sort_by_key(|segment| segment.first);
    Ok(segments)
}

/// Writes the header of a segment whose first change has this revision.
pub(super) fn write_header(out: &mut impl Write, first: u64) -> io::Result<()> {
    let mut header = [0; START as usize];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..20].copy_from_slice(&first.to_le_bytes());
    let checksum = crc32c::crc32c(&header[..20]);
    header[20..].copy_from_slice(&checksum.to_le_bytes());
    out.write_all(&header)
}

fn check_header(input: &mut impl Read, first: u64) -> Result<(), Unreadable> {
    let mut header = [0; START as usize];
    match input.read_exact(&mut header) {
        Ok(()) => (),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(Unreadable::Header),
        Err(error) => return Err(Unreadable::Io(error)),
    }
    let [m @ .., v0, v1, v2, v3, _, _, _, _, _, _, _, _, c0, c1, c2, c3] = header;
    if m != *MAGIC || crc32c::crc32c(&header[..20]) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(Unreadable::Header);
    }
    match u32::from_le_bytes([v0, v1, v2, v3]) {
        VERSION if header[12..20] == first.to_le_bytes() => Ok(()),
        VERSION | 0 => Err(Unreadable::Header),
        newer => Err(Unreadable::Newer(newer)),
    }
}

/// What stands at the reader's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A good frame; its payload is in [`SegmentReader::payload`].
    Frame(Part),
    /// The end of the file, exactly.
    End,
    /// Octets that are no good frame: [`SegmentReader::judge`] them and [`SegmentReader::seek`].
    Bad,
}

/// Whether bad octets were durable once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A write that was under way; nobody was told that it is done.
    Torn,
    /// They were; the next change that can be read, if any, begins at this offset.
    Damaged(Option<u64>),
}

/// Reads a segment from its start.
pub(super) struct SegmentReader {
    input: BufReader<File>,
    pub(super) segment: Segment,
    /// Where the next frame begins.
    pub(super) offset: u64,
    pub(super) payload: Vec<u8>,
}

impl SegmentReader {
    pub(super) fn open(segment: Segment) -> Result<Self, Unreadable> {
        let mut input = BufReader::with_capacity(1 << 18, File::open(&segment.path)?);
        check_header(&mut input, segment.first)?;
        Ok(Self { input, segment, offset: START, payload: Vec::new() })
    }

    /// Reads the next frame, or finds that there is none.
    pub(super) fn advance(&mut self) -> io::Result<Next> {
        if self.offset == self.segment.size {
            return Ok(Next::End);
        }
        let Some(head) = self.head()? else { return Ok(Next::Bad) };
        self.payload.resize(head.length, 0);
        self.input.read_exact(&mut self.payload)?;
        if !head.fits(self.segment.first, self.offset, &self.payload) {
            return Ok(Next::Bad);
        }
        self.offset += (HEADER_SIZE + head.length) as u64;
        Ok(Next::Frame(head.part))
    }

    /// Passes the next frame without reading its payload; whether that is good is not looked at.
    pub(super) fn skip(&mut self) -> io::Result<Next> {
        if self.offset == self.segment.size {
            return Ok(Next::End);
        }
        let Some(head) = self.head()? else { return Ok(Next::Bad) };
        self.input.seek_relative(head.length as i64)?;
        self.offset += (HEADER_SIZE + head.length) as u64;
        Ok(Next::Frame(head.part))
    }

    fn head(&mut self) -> io::Result<Option<Head>> {
        let head = frame::read_head(&mut self.input)?.and_then(|octets| Head::read(&octets, self.offset));
        let room = self.segment.size.saturating_sub(self.offset + HEADER_SIZE as u64);
        Ok(head.filter(|head| head.length as u64 <= room))
    }

    /// Goes on reading at another offset.
    pub(super) fn seek(&mut self, offset: u64) -> io::Result<()> {
        self.offset = offset;
        self.input.seek(SeekFrom::Start(offset)).map(drop)
    }

    /// Judges a change that begins at `bad` and cannot be read, by what comes behind it (see [`super::frame`]).
    pub(super) fn judge(&self, bad: u64) -> io::Result<Verdict> {
        let (mut from, mut resume, mut damaged) = (bad + 1, None, false);
        while let Some((at, head)) = self.find(from)? {
            damaged |= head.batch > bad;
            if head.part.is_first() {
                resume = resume.or(Some(at));
            }
            if damaged && resume.is_some() {
                break;
            }
            from = at + (HEADER_SIZE + head.length) as u64;
        }
        Ok(if damaged { Verdict::Damaged(resume) } else { Verdict::Torn })
    }

    /// The first good frame that begins at `from` or behind it.
    fn find(&self, mut from: u64) -> io::Result<Option<(u64, Head)>> {
        const STRIDE: usize = 2 << 20;
        let mut window = vec![0; STRIDE + HEADER_SIZE + PAYLOAD_SIZE_MAX];
        while from < self.segment.size {
            let filled = read_up_to(self.input.get_ref(), &mut window, from)?;
            let window = &window[..filled];
            for at in 0..STRIDE.min(filled) {
                if let Some(head) = good_frame(window, at, self.segment.first, from + at as u64) {
                    return Ok(Some((from + at as u64, head)));
                }
            }
            from += STRIDE as u64;
        }
        Ok(None)
    }
}

fn good_frame(window: &[u8], at: usize, segment: u64, offset: u64) -> Option<Head> {
    let (octets, rest) = window[at..].split_first_chunk::<HEADER_SIZE>()?;
    let head = Head::read(octets, offset)?;
    let payload = rest.get(..head.length)?;
    head.fits(segment, offset, payload).then_some(head)
}

fn read_up_to(file: &File, buffer: &mut [u8], from: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], from + filled as u64) {
            Ok(0) => break,
            Ok(size) => filled += size,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
