//! Export and restore: everything in one checksummed file. A checkpoint is the same file.
//!
//! ```text
//! file     magic · version u32 · revision u64 · unix seconds u64 · zones u64 · CRC32C u32 · sections
//! section  kind u8 · size u32 · CRC32C u32 · content              (the checksum also covers the one before it)
//!   1      a zone begins: names u64 · records u64 · apex
//!   2      a block of its nodes (see [`super::codec`])
//!   3      the end of the file: items u64
//!   4      an item: shelf u8 · key (u16 and UTF-8) · octets, as its shelf writes them
//! ```
//!
//! Each checksum continues the one before, so the last one vouches for the whole file in its order, and a file that is
//! cut short lacks its end. It is written and read as a stream.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use crate::wire::Name;
use crate::zone::{NodeBuilder, Zone};

use super::codec::{self, Gathered, Undecodable, read_array};
use super::entry::read_apex;
use super::fault::{OpenFault, plain};
use super::journal::Journal;
use super::lock::Lock;
use super::medium::{self, Medium};
use super::owner::as_owner;
use super::snapshot::{Item, ItemKey, Snapshot};

const MAGIC: &[u8; 8] = b"FHOLDBAK";
/// The first knew no items, and had nothing in its end.
const VERSION: u32 = 2;
const ZONE: u8 = 1;
const BLOCK: u8 = 2;
const END: u8 = 3;
const ITEM: u8 = 4;

// ----- Writing ----------------------------------------------------------------------------------------------

/// Writes everything of one revision. The caller makes the file durable.
pub fn write(snapshot: &Snapshot, out: &mut impl Write) -> io::Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut head = MAGIC.to_vec();
    head.extend(VERSION.to_le_bytes());
    for number in [snapshot.revision, now, snapshot.zones.len() as u64] {
        head.extend(number.to_le_bytes());
    }
    let mut checksum = crc32c::crc32c(&head);
    out.write_all(&head)?;
    out.write_all(&checksum.to_le_bytes())?;
    let mut section = |kind, content: &[u8]| {
        checksum = section_checksum(checksum, kind, content);
        out.write_all(&[kind])?;
        out.write_all(&(content.len() as u32).to_le_bytes())?;
        out.write_all(&checksum.to_le_bytes())?;
        out.write_all(content)
    };
    for zone in snapshot.zones.iter() {
        let apex = zone.apex().as_bytes();
        let counts = [zone.name_count() as u64, zone.record_count() as u64].map(u64::to_le_bytes).concat();
        section(ZONE, &[&counts[..], &[apex.len() as u8], apex].concat())?;
        codec::each_block(zone.apex(), zone.nodes(), |_, block| section(BLOCK, &block))?;
    }
    let mut items = 0_u64;
    for item in snapshot.items() {
        let mut content = Vec::new();
        item.key().write(&mut content)?;
        content.extend(item.encode()?);
        section(ITEM, &content)?;
        items += 1;
    }
    section(END, &items.to_le_bytes())
}

fn section_checksum(before: u32, kind: u8, content: &[u8]) -> u32 {
    let head = crc32c::crc32c_append(before, &[kind]);
    crc32c::crc32c_append(crc32c::crc32c_append(head, &(content.len() as u32).to_le_bytes()), content)
}

// ----- Reading ----------------------------------------------------------------------------------------------

/// Why a file is not a whole backup.
#[derive(Debug)]
pub(super) enum Unsound {
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

fn damaged<T>(reason: impl Into<String>) -> Result<T, Unsound> {
    Err(Unsound::Damaged(reason.into()))
}

/// Reads a whole file and verifies all of it.
pub(super) fn read(input: impl Read) -> Result<Snapshot, Unsound> {
    let mut input = BufReader::with_capacity(1 << 18, input);
    let Head { version, revision, zone_count, mut checksum } = read_head(&mut input)?;
    let mut zones: Vec<Arc<Zone>> = Vec::new();
    let mut open: Option<OpenZone> = None;
    let mut found = Snapshot { revision, ..Snapshot::default() };
    let (mut content, mut builder) = (Vec::new(), NodeBuilder::default());
    let mut items = 0_u64;
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

fn read_item(mut content: &[u8]) -> Result<Item, Unsound> {
    let key = ItemKey::read(&mut content)?;
    Ok(key.item(content)?)
}

/// What stands before the sections.
struct Head {
    version: u32,
    revision: u64,
    zone_count: u64,
    checksum: u32,
}

fn read_head(input: &mut impl Read) -> Result<Head, Unsound> {
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

fn read_section(input: &mut impl Read, checksum: &mut u32, content: &mut Vec<u8>) -> Result<u8, Unsound> {
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

// ----- Restoring --------------------------------------------------------------------------------------------

/// Reads a whole backup, and verifies all of it.
pub fn inspect(file: &Path) -> Result<Snapshot, OpenFault> {
    let input = File::open(file).map_err(OpenFault::io("read", file))?;
    read(input).map_err(|fault| match fault {
        Unsound::Io(error) => OpenFault::io("read", file)(error),
        Unsound::Newer(version) => OpenFault::Newer { path: file.to_owned(), version },
        Unsound::Damaged(reason) => {
            OpenFault::Damaged { path: file.to_owned(), reason, cure: "use another backup".to_owned() }
        }
    })
}

/// Makes a data directory of a backup. The whole file is verified before anything is written, and a directory that
/// holds anything is refused.
pub fn restore(file: &Path, directory: &Path) -> Result<Snapshot, OpenFault> {
    let snapshot = inspect(file)?;
    let restore = || {
        medium::create_directory(directory).map_err(OpenFault::io("create", directory))?;
        if fs::read_dir(directory).map_err(OpenFault::io("read", directory))?.next().is_some() {
            return Err(OpenFault::NotEmpty { directory: directory.to_owned() });
        }
        let _lock = Lock::take(directory).map_err(|refused| refused.fault(directory))?;
        fill(&snapshot, directory).map_err(OpenFault::io("write", directory))
    };
    as_owner(directory, restore).map_err(OpenFault::io("work as the owner of", directory))??;
    Ok(snapshot)
}

/// Interrupted anywhere, this leaves a directory with the whole state or with none.
fn fill(snapshot: &Snapshot, directory: &Path) -> io::Result<()> {
    let medium = Medium::default();
    write_checkpoint(&medium, directory, snapshot)?;
    let journal = directory.join("journal");
    medium::create_directory(&journal)?;
    Journal::create(&journal, medium.clone(), u64::MAX, snapshot.revision + 1)?;
    medium.sync_directory(directory)
}

// ----- Checkpoints ------------------------------------------------------------------------------------------

/// Writes the checkpoint of a data directory, whole or not at all; returns its size in octets.
pub(super) fn write_checkpoint(medium: &Medium, directory: &Path, snapshot: &Snapshot) -> io::Result<u64> {
    let file = medium.replace(&directory.join("checkpoint"), |out| write(snapshot, out))?;
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
        return damaged("there is something behind its end");
    }
    Ok(())
}
