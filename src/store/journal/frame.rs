//! How a change lies in a segment: frames of at most 1 MiB, so that a change of any size is written and read as a
//! stream.
//!
//! ```text
//! frame    length u32 · kind u8 · batch u64 · CRC32C u32 · payload        (little endian)
//! ```
//!
//! `batch` is the offset at which the frame's batch began. All before it was synced when the frame was written, so
//! a bad frame with a later batch behind it was durable once and has been *damaged*, while a bad frame with nothing
//! of the sort behind it is a *torn* write that nobody was told about. The checksum also covers the segment and the
//! offset, so that a frame is only good at its own place. Kind 0 does not exist: a tail of zeros is no frame.
//!
//! Rejected: chaining each checksum to the one before (nothing behind a damaged frame could be judged), and a length
//! for the whole change (a change would have to be made twice, or held whole).

use std::io::{self, Read, Write};

/// Octets of payload in a frame at most.
pub(super) const PAYLOAD_SIZE_MAX: usize = 1 << 20;
/// Octets before the payload.
pub(super) const HEADER_SIZE: usize = 17;

/// Where in its change a frame stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The whole change.
    Whole = 1,
    /// The first frame of several.
    First = 2,
    /// Neither first nor last.
    Middle = 3,
    /// The last frame of several.
    Last = 4,
}

impl Part {
    fn of(first: bool, last: bool) -> Self {
        match (first, last) {
            (true, true) => Self::Whole,
            (true, false) => Self::First,
            (false, false) => Self::Middle,
            (false, true) => Self::Last,
        }
    }

    fn from_octet(octet: u8) -> Option<Self> {
        [Self::Whole, Self::First, Self::Middle, Self::Last].into_iter().find(|part| *part as u8 == octet)
    }

    /// Whether a change begins here.
    pub(super) fn is_first(self) -> bool {
        matches!(self, Self::Whole | Self::First)
    }

    /// Whether a change ends here.
    pub(super) fn is_last(self) -> bool {
        matches!(self, Self::Whole | Self::Last)
    }
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) length: usize,
    pub(super) part: Part,
    pub(super) batch: u64,
    checksum: u32,
}

impl Head {
    fn new(part: Part, batch: u64, segment: u64, offset: u64, payload: &[u8]) -> Self {
        let checksum = checksum(part, batch, segment, offset, payload);
        Self { length: payload.len(), part, batch, checksum }
    }

    /// Reads a head that stands at `offset`; `None` if it cannot be one.
    pub(super) fn read(octets: &[u8; HEADER_SIZE], offset: u64) -> Option<Self> {
        let [l0, l1, l2, l3, part, batch @ .., c0, c1, c2, c3] = octets;
        let head = Self {
            length: u32::from_le_bytes([*l0, *l1, *l2, *l3]) as usize,
            part: Part::from_octet(*part)?,
            batch: u64::from_le_bytes(*batch),
            checksum: u32::from_le_bytes([*c0, *c1, *c2, *c3]),
        };
        (head.length <= PAYLOAD_SIZE_MAX && head.batch <= offset).then_some(head)
    }

    fn write(&self) -> [u8; HEADER_SIZE] {
        let mut octets = [0; HEADER_SIZE];
        octets[..4].copy_from_slice(&(self.length as u32).to_le_bytes());
        octets[4] = self.part as u8;
        octets[5..13].copy_from_slice(&self.batch.to_le_bytes());
        octets[13..].copy_from_slice(&self.checksum.to_le_bytes());
        octets
    }

    /// Whether this payload at this place belongs to this head.
    pub(super) fn fits(&self, segment: u64, offset: u64, payload: &[u8]) -> bool {
        self.checksum == checksum(self.part, self.batch, segment, offset, payload)
    }
}

fn checksum(part: Part, batch: u64, segment: u64, offset: u64, payload: &[u8]) -> u32 {
    let mut place = [0; 29];
    place[..8].copy_from_slice(&segment.to_le_bytes());
    place[8..16].copy_from_slice(&offset.to_le_bytes());
    place[16..24].copy_from_slice(&batch.to_le_bytes());
    place[24..28].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    place[28] = part as u8;
    crc32c::crc32c_append(crc32c::crc32c(&place), payload)
}

/// Writes one change as frames. What is written is payload; [`FrameWriter::finish`] closes the change.
pub(super) struct FrameWriter<'a, W> {
    out: &'a mut W,
    segment: u64,
    batch: u64,
    offset: u64,
    /// What the current frame holds so far; the caller's, so that it is allocated once.
    payload: &'a mut Vec<u8>,
    first: bool,
}

impl<'a, W: Write> FrameWriter<'a, W> {
    /// Starts a change at `offset` of the segment.
    pub(super) fn new(out: &'a mut W, segment: u64, batch: u64, offset: u64, payload: &'a mut Vec<u8>) -> Self {
        payload.clear();
        Self { out, segment, batch, offset, payload, first: true }
    }

    /// Writes the last frame; returns the offset behind the change.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        self.emit(true)?;
        Ok(self.offset)
    }

    fn emit(&mut self, last: bool) -> io::Result<()> {
        let part = Part::of(self.first, last);
        let head = Head::new(part, self.batch, self.segment, self.offset, self.payload);
        self.out.write_all(&head.write())?;
        self.out.write_all(self.payload)?;
        self.offset += (HEADER_SIZE + self.payload.len()) as u64;
        self.payload.clear();
        self.first = false;
        Ok(())
    }
}

impl<W: Write> Write for FrameWriter<'_, W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.payload.len() == PAYLOAD_SIZE_MAX {
            self.emit(false)?;
        }
        let size = octets.len().min(PAYLOAD_SIZE_MAX - self.payload.len());
        self.payload.extend_from_slice(&octets[..size]);
        Ok(size)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a head; `None` where fewer octets are left than a head has.
pub(super) fn read_head(input: &mut impl Read) -> io::Result<Option<[u8; HEADER_SIZE]>> {
    let mut octets = [0; HEADER_SIZE];
    match input.read_exact(&mut octets) {
        Ok(()) => Ok(Some(octets)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}
