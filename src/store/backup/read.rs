//! File → state, every checksum compared.

use std::io::{self, BufReader, Read};
use std::sync::Arc;

use super::{BLOCK, END, ITEM, JOURNAL, JOURNAL_SIZE, MAGIC, PIECE, VERSION, ZONE, section_checksum};
use crate::store::codec::{self, Gathered, Undecodable, read_array};
use crate::store::entry::read_apex;
use crate::store::fault::plain;
use crate::store::snapshot::{Item, ItemKey, Snapshot};
use crate::wire::Name;
use crate::zone::{NodeBuilder, Zone};

/// Why a file is not a whole backup.
#[derive(Debug)]
pub(in crate::store) enum Unsound {
    Io(io::Error),
    Newer(u32),
    Damaged(String),
}

impl From<io::Error> for Unsound {
    fn from(error: io::Error) -> Self {
        match (Undecodable::behind(&error), error.kind()) {
            (Some(Undecodable::Newer(version)), _) => Self::Newer(version.into()),
            (Some(fault), _) => Self::Damaged(fault.to_string()),
            (None, io::ErrorKind::UnexpectedEof) => Self::Damaged("it is cut short".to_owned()),
            (None, _) => Self::Io(error),
        }
    }
}

impl From<Undecodable> for Unsound {
    fn from(fault: Undecodable) -> Self {
        io::Error::from(fault).into()
    }
}

impl std::fmt::Display for Unsound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => f.write_str(&plain(error)),
            Self::Newer(version) => write!(f, "written in the newer format {version}"),
            Self::Damaged(reason) => f.write_str(reason),
        }
    }
}

pub(super) fn damaged<T>(reason: impl Into<String>) -> Result<T, Unsound> {
    Err(Unsound::Damaged(reason.into()))
}

/// Reads a whole file and verifies all of it.
pub(in crate::store) fn read(input: impl Read) -> Result<Snapshot, Unsound> {
    let mut input = BufReader::with_capacity(1 << 18, input);
    let Head { version, revision, zone_count, mut checksum } = read_head(&mut input)?;
    let mut zones: Vec<Arc<Zone>> = Vec::new();
    let mut open: Option<OpenZone> = None;
    let mut found = Snapshot { revision, ..Snapshot::default() };
    let (mut content, mut builder) = (Vec::new(), NodeBuilder::default());
    let (mut items, mut past) = (0_u64, Past::before(revision));
    loop {
        let kind = read_section(&mut input, &mut checksum, &mut content)?;
        if kind != BLOCK {
            zones.extend(open.take().map(OpenZone::finish).transpose()?.map(Arc::new));
        }
        match (kind, &mut open) {
            (ZONE, _) => open = Some(OpenZone::read(&content)?),
            (BLOCK, Some(zone)) => zone.block(&content, &mut builder)?,
            (ITEM, _) => {
                found.put_item(read_item(&content)?);
                items += 1;
            }
            (JOURNAL, _) => past.segment(&content)?,
            (PIECE, _) => past.piece(content.len())?,
            (END, _) if !past.is_whole() => return damaged("a segment of the journal in it is not whole"),
            (END, _) if version == 1 && content.is_empty() => break,
            (END, _) if version > 1 && content == items.to_le_bytes() => break,
            _ => return damaged("it has sections where none belong"),
        }
    }
    if input.read(&mut [0])? != 0 {
        return damaged("there is something behind its end");
    }
    if zones.len() as u64 != zone_count || !zones.is_sorted_by(|a, b| a.apex().canonical_cmp(b.apex()).is_lt()) {
        return damaged(format!("it has {} zones, not {zone_count} in order", zones.len()));
    }
    found.zones = zones.into_iter().collect();
    Ok(found)
}

/// Counts what there is of the past, newest first and without a hole.
struct Past {
    /// The revision before the oldest segment so far.
    before: u64,
    /// Octets of that segment that have not come yet.
    missing: u64,
}

impl Past {
    fn before(revision: u64) -> Self {
        Self { before: revision, missing: 0 }
    }

    fn segment(&mut self, content: &[u8]) -> Result<(), Unsound> {
        let SegmentHead { first, last, size } = SegmentHead::read(content)?;
        if !self.is_whole() || last != self.before || first == 0 || first > last {
            return damaged("the segments of the journal in it do not follow each other");
        }
        (self.before, self.missing) = (first - 1, size);
        Ok(())
    }

    fn piece(&mut self, size: usize) -> Result<(), Unsound> {
        match self.missing.checked_sub(size as u64) {
            Some(missing) => self.missing = missing,
            None => return damaged("a segment of the journal in it is longer than it says"),
        }
        Ok(())
    }

    fn is_whole(&self) -> bool {
        self.missing == 0
    }
}

/// What is said of a segment before its octets come.
pub(super) struct SegmentHead {
    pub(super) first: u64,
    last: u64,
    size: u64,
}

impl SegmentHead {
    pub(super) fn read(mut content: &[u8]) -> Result<Self, Unsound> {
        if content.len() != JOURNAL_SIZE {
            return damaged("a segment of the journal in it has no head");
        }
        let mut number = || read_array(&mut content).map(u64::from_le_bytes);
        Ok(Self { first: number()?, last: number()?, size: number()? })
    }
}

fn read_item(mut content: &[u8]) -> Result<Item, Unsound> {
    let key = ItemKey::read(&mut content)?;
    Ok(key.item(content)?)
}

/// What stands before the sections.
pub(super) struct Head {
    version: u32,
    pub(super) revision: u64,
    zone_count: u64,
    pub(super) checksum: u32,
}

pub(super) fn read_head(input: &mut impl Read) -> Result<Head, Unsound> {
    let head: [u8; 36] = read_array(input)?;
    let checksum = crc32c::crc32c(&head);
    if head[..8] != MAGIC[..] {
        return damaged("it is not a backup of Freehold");
    }
    if read_array(input)? != checksum.to_le_bytes() {
        return damaged("its head has a wrong checksum");
    }
    let mut rest = &head[8..];
    let version = u32::from_le_bytes(read_array(&mut rest)?);
    match version {
        0 => return damaged("its format has no number"),
        1..=VERSION => (),
        newer => return Err(Unsound::Newer(newer)),
    }
    let mut number = || read_array(&mut rest).map(u64::from_le_bytes);
    let (revision, _time, zone_count) = (number()?, number()?, number()?);
    Ok(Head { version, revision, zone_count, checksum })
}

pub(super) fn read_section(input: &mut impl Read, checksum: &mut u32, content: &mut Vec<u8>) -> Result<u8, Unsound> {
    let [kind] = read_array(input)?;
    let size = u32::from_le_bytes(read_array(input)?);
    let wanted = u32::from_le_bytes(read_array(input)?);
    content.clear();
    // Grows with what is there, not with what is claimed.
    if input.take(u64::from(size)).read_to_end(content)? as u64 != u64::from(size) {
        return damaged("it is cut short");
    }
    *checksum = section_checksum(*checksum, kind, content);
    if *checksum != wanted {
        return damaged("a section has a wrong checksum");
    }
    Ok(kind)
}

struct OpenZone {
    apex: Name,
    names: u64,
    records: u64,
    gathered: Gathered,
}

impl OpenZone {
    fn read(mut content: &[u8]) -> Result<Self, Unsound> {
        let (names, records) = (read_array(&mut content)?, read_array(&mut content)?);
        let apex = read_apex(&mut content)?;
        let gathered = Gathered::new(apex.clone());
        Ok(Self { apex, names: u64::from_le_bytes(names), records: u64::from_le_bytes(records), gathered })
    }

    fn block(&mut self, content: &[u8], builder: &mut NodeBuilder) -> Result<(), Unsound> {
        let gathered = &mut self.gathered;
        Ok(codec::read_block(self.apex.borrow(), content, builder, &mut |node| gathered.push(node))?)
    }

    fn finish(self) -> Result<Zone, Unsound> {
        let zone = self.gathered.finish().map_err(|fault| Unsound::Damaged(fault.message))?;
        if (zone.name_count() as u64, zone.record_count() as u64) != (self.names, self.records) {
            return damaged(format!(
                "the zone {} has {} records, not {}",
                self.apex,
                zone.record_count(),
                self.records
            ));
        }
        Ok(zone)
    }
}
